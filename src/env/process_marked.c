/* SPDX-License-Identifier: Apache-2.0 */
/* process_marked.c -- ends what takt, or a worker, left behind.
 *
 * takt's children die with it, but their own children do not. They are known by the mark in their
 * environment; or, when they have cleaned it, by the group or session of a process that has it.
 *
 * Rounds over /proc: kill what matches and is alive; done when two rounds in a row meet none. A
 * process that is born during a round has a parent that is alive in it, so there is another round;
 * the second quiet round is for one that was just becoming another program, when its environment
 * reads as empty. Each is signalled through a descriptor that was opened before its environment is
 * read: should its id be given to another process in between, that one is not hit.
 */
#include "env/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANCESTORS_MAX 256u
#define MARK_BYTES_MAX 256u
#define ENTRY_BYTES_MAX (sizeof "TAKT_INSTANCE=" + MARK_BYTES_MAX) /* with the zero */
#define ROUND_WAIT_MS_MAX 16
#define QUIET_ROUNDS 2

struct hunt {
    struct env *env;
    char entry[ENTRY_BYTES_MAX];
    pid_t spared[ANCESTORS_MAX]; /* this process and its ancestors */
    uint32_t spared_count;
    pid_t *found; /* each of them once; a dead leader's group and session are still known by it */
    uint32_t found_count;
    uint32_t found_capacity;
    int proc_fd;
    uint32_t alive_count; /* met in this round */
};

struct about {
    char state;
    pid_t parent;
    pid_t group;
    pid_t session;
};

static bool contains(const pid_t *pids, uint32_t count, pid_t pid) {
    for (uint32_t i = 0; i < count; i++) {
        if (pids[i] == pid) return true;
    }
    return false;
}

static int open_of(const struct hunt *hunt, pid_t pid, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "%d/%s", (int)pid, name);
    return openat(hunt->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

/* False if the process is gone. */
static bool read_about(const struct hunt *hunt, pid_t pid, struct about *about) {
    char text[1024];
    int fd = open_of(hunt, pid, "stat");
    if (fd < 0) return false;
    ssize_t count = read(fd, text, sizeof text - 1);
    close(fd);
    if (count <= 0) return false;
    text[count] = '\0';
    /* The name may hold spaces and parentheses: what follows begins after the last one. */
    char *rest = strrchr(text, ')');
    if (rest == NULL || rest[1] != ' ' || rest[2] == '\0') return false;
    about->state = rest[2];
    rest += 3;
    pid_t *const numbers[] = {&about->parent, &about->group, &about->session};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        char *end = rest;
        *numbers[i] = (pid_t)strtol(rest, &end, 10);
        if (end == rest) return false;
        rest = end;
    }
    return true;
}

/* Where the reading of a list of NUL-terminated entries stands. */
struct reading {
    size_t matched; /* of the entry that is being read */
    bool differs;
    bool carries;
};

static void read_byte(struct reading *reading, const char *entry, size_t length, char byte) {
    if (byte == '\0') {
        reading->carries |= !reading->differs && reading->matched == length;
        reading->matched = 0;
        reading->differs = false;
    } else if (!reading->differs && reading->matched < length && byte == entry[reading->matched]) {
        reading->matched++;
    } else {
        reading->differs = true;
    }
}

/* One pass over the list, in whatever pieces it is read. */
static bool carries_mark(const struct hunt *hunt, pid_t pid) {
    int fd = open_of(hunt, pid, "environ");
    if (fd < 0) return false;
    size_t length = strlen(hunt->entry);
    struct reading reading = {0};
    char bytes[4096];
    for (;;) {
        ssize_t count = read(fd, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || reading.carries) break;
        for (ssize_t i = 0; i < count; i++) read_byte(&reading, hunt->entry, length, bytes[i]);
    }
    close(fd);
    return reading.carries || (!reading.differs && reading.matched == length);
}

static int add_found(struct hunt *hunt, pid_t pid) {
    if (contains(hunt->found, hunt->found_count, pid)) return 0;
    if (hunt->found_count == hunt->found_capacity) {
        uint32_t capacity = hunt->found_capacity == 0 ? 64 : hunt->found_capacity * 2;
        pid_t *found = allocator_resize_array(&hunt->env->allocator, hunt->found, capacity,
                                              sizeof hunt->found[0]);
        if (found == NULL) return -ENOMEM;
        hunt->found = found;
        hunt->found_capacity = capacity;
    }
    hunt->found[hunt->found_count++] = pid;
    return 0;
}

static bool is_ours(const struct hunt *hunt, pid_t pid) {
    char path[32];
    struct stat stat;
    snprintf(path, sizeof path, "%d", (int)pid);
    return fstatat(hunt->proc_fd, path, &stat, 0) == 0 && stat.st_uid == geteuid();
}

static int visit(struct hunt *hunt, pid_t pid) {
    struct about about;
    if (contains(hunt->spared, hunt->spared_count, pid) || !is_ours(hunt, pid)) return 0;
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) return errno == ESRCH || errno == EINVAL ? 0 : -errno;

    int rc = 0;
    if (!read_about(hunt, pid, &about)) goto done;
    if (about.state == 'Z' || about.state == 'X') goto done; /* dead, and not yet waited for */
    if (!contains(hunt->found, hunt->found_count, about.group) &&
        !contains(hunt->found, hunt->found_count, about.session) && !carries_mark(hunt, pid)) {
        goto done;
    }
    hunt->alive_count++;
    rc = add_found(hunt, pid);
    if (rc == 0 && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH) rc = -errno;

done:
    close(pidfd);
    return rc;
}

static int run_round(struct hunt *hunt) {
    hunt->alive_count = 0;
    int fd = openat(hunt->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    int rc = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL) rc = -errno;
        if (entry == NULL) break;
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end != '\0' || pid < 1) continue; /* not a process */
        rc = visit(hunt, (pid_t)pid);
        if (rc < 0) break;
    }
    closedir(stream);
    return rc;
}

/* takt may itself be a worker of another takt, or be started by one. */
static void spare_ancestors(struct hunt *hunt) {
    pid_t pid = getpid();
    while (pid > 0 && hunt->spared_count < ANCESTORS_MAX) {
        struct about about;
        hunt->spared[hunt->spared_count++] = pid;
        if (!read_about(hunt, pid, &about)) return;
        pid = about.parent;
    }
}

static int hunt_until(struct hunt *hunt, struct mono_time deadline) {
    struct env *env = hunt->env;
    int wait_ms = 1;
    int quiet_rounds = 0;
    for (;;) {
        int rc = run_round(hunt);
        if (rc < 0) return rc;
        quiet_rounds = hunt->alive_count == 0 ? quiet_rounds + 1 : 0;
        if (quiet_rounds == QUIET_ROUNDS) return 0;
        bool is_late = env->ops->now_mono(env).ns >= deadline.ns;
        if (is_late && quiet_rounds == 0) return -ETIMEDOUT;
        poll(NULL, 0, wait_ms);
        if (wait_ms < ROUND_WAIT_MS_MAX) wait_ms *= 2;
    }
}

int process_end_marked(struct env *env, const char *mark, int64_t timeout_ms,
                       uint32_t *found_count) {
    char entry[ENTRY_BYTES_MAX];
    CHECK(mark[0] != '\0' && strlen(mark) <= MARK_BYTES_MAX);
    snprintf(entry, sizeof entry, "TAKT_INSTANCE=%s", mark);
    return process_end_having(env, entry, timeout_ms, found_count);
}

int process_end_having(struct env *env, const char *entry, int64_t timeout_ms,
                       uint32_t *found_count) {
    CHECK(strchr(entry, '=') != NULL && strlen(entry) < ENTRY_BYTES_MAX);
    *found_count = 0;
    struct hunt *hunt = env_alloc(env, sizeof *hunt);
    if (hunt == NULL) return -ENOMEM;
    hunt->env = env;
    snprintf(hunt->entry, sizeof hunt->entry, "%s", entry);
    int rc = 0;
    hunt->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (hunt->proc_fd < 0) rc = -errno;
    if (rc == 0) {
        spare_ancestors(hunt);
        struct mono_time deadline = {env->ops->now_mono(env).ns + timeout_ms * 1000000};
        rc = hunt_until(hunt, deadline);
        *found_count = hunt->found_count;
        close(hunt->proc_fd);
    }
    env_free(env, hunt->found);
    env_free(env, hunt);
    return rc;
}
