/* SPDX-License-Identifier: Apache-2.0 */
/* process_marked.c -- ends what a takt left behind.
 *
 * When takt dies, keepers end all that its workers had started (process_keep.c): they carry a mark of
 * their own, and are waited for, but not for ever. Should a keeper have been killed too, what it kept
 * is known by the mark in its environment; or, when that was cleaned, by the group or session of a
 * process that has it.
 *
 * Rounds over /proc: kill what matches and is alive; done when two rounds in a row meet none. A
 * process that is born during a round has a parent that is alive in it, so there is another round;
 * the second quiet round is for one that was just becoming another program, when its environment
 * reads as empty. Each is signalled through a descriptor that was opened before its environment is
 * read: should its id be given to another process in between, that one is not hit.
 */
#include "env/process.h"

#include "env/process_about.h"
#include "env/process_keep.h"

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
#define ENTRY_BYTES_MAX (sizeof PROCESS_MARK_NAME "=" + MARK_BYTES_MAX) /* with the zero */
#define ROUND_WAIT_MS_MAX 16
#define QUIET_ROUNDS 2

struct hunt {
    struct env *env;
    char marked[ENTRY_BYTES_MAX]; /* what they carry */
    char keeper[ENTRY_BYTES_MAX]; /* what a keeper carries */
    struct mono_time keepers_until;
    pid_t spared[ANCESTORS_MAX]; /* this process and its ancestors */
    uint32_t spared_count;
    pid_t *found; /* each of them once; a dead leader's group and session are still known by it */
    uint32_t found_count;
    uint32_t found_capacity;
    int proc_fd;
    uint32_t alive_count; /* met in this round */
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

/* An entry that is looked for in a list of NUL-terminated ones, and where the reading stands. */
struct search {
    const char *entry;
    size_t length;
    size_t matched; /* of the entry that is being read */
    bool differs;
    bool found;
};

static struct search search_for(const char *entry) {
    return (struct search){.entry = entry, .length = strlen(entry)};
}

static void search_byte(struct search *search, char byte) {
    if (byte == '\0') {
        search->found |= !search->differs && search->matched == search->length;
        search->matched = 0;
        search->differs = false;
    } else if (!search->differs && search->matched < search->length &&
               byte == search->entry[search->matched]) {
        search->matched++;
    } else {
        search->differs = true;
    }
}

enum role { ROLE_NONE, ROLE_MARKED, ROLE_KEEPER };

/* By its environment: one pass over it, in whatever pieces it is read. */
static enum role find_role(const struct hunt *hunt, pid_t pid) {
    int fd = open_of(hunt, pid, "environ");
    if (fd < 0) return ROLE_NONE;
    struct search marked = search_for(hunt->marked);
    struct search keeper = search_for(hunt->keeper);
    char bytes[4096];
    for (;;) {
        ssize_t count = read(fd, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        for (ssize_t i = 0; i < count; i++) {
            search_byte(&marked, bytes[i]);
            search_byte(&keeper, bytes[i]);
        }
    }
    close(fd);
    search_byte(&marked, '\0'); /* the last one may have no end */
    search_byte(&keeper, '\0');
    if (keeper.found) return ROLE_KEEPER;
    return marked.found ? ROLE_MARKED : ROLE_NONE;
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

static int visit(void *context, pid_t pid) {
    struct hunt *hunt = context;
    struct process_about about;
    if (contains(hunt->spared, hunt->spared_count, pid) || !is_ours(hunt, pid)) return 0;
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) return errno == ESRCH || errno == EINVAL ? 0 : -errno;

    int rc = 0;
    if (!process_read_about(hunt->proc_fd, pid, &about)) goto done;
    if (about.state == 'Z' || about.state == 'X') goto done;
    bool is_found = contains(hunt->found, hunt->found_count, about.group) ||
                    contains(hunt->found, hunt->found_count, about.session);
    enum role role = find_role(hunt, pid);
    if (role == ROLE_NONE && !is_found) goto done;
    hunt->alive_count++;
    bool is_at_work =
        role == ROLE_KEEPER && hunt->env->ops->now_mono(hunt->env).ns < hunt->keepers_until.ns;
    if (!is_at_work) rc = add_found(hunt, pid);
    /* Who is at work may have been stopped. */
    int number = is_at_work ? SIGCONT : SIGKILL;
    if (rc == 0 && pidfd_send_signal(pidfd, number, NULL, 0) < 0 && errno != ESRCH) rc = -errno;

done:
    close(pidfd);
    return rc;
}

static int run_round(struct hunt *hunt) {
    hunt->alive_count = 0;
    return process_visit_all(hunt->proc_fd, visit, hunt);
}

/* takt may itself be a worker of another takt, or be started by one. */
static void spare_ancestors(struct hunt *hunt) {
    pid_t pid = getpid();
    while (pid > 0 && hunt->spared_count < ANCESTORS_MAX) {
        struct process_about about;
        hunt->spared[hunt->spared_count++] = pid;
        if (!process_read_about(hunt->proc_fd, pid, &about)) return;
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
    CHECK(mark[0] != '\0' && strlen(mark) <= MARK_BYTES_MAX);
    *found_count = 0;
    struct hunt *hunt = env_alloc(env, sizeof *hunt);
    if (hunt == NULL) return -ENOMEM;
    hunt->env = env;
    snprintf(hunt->marked, sizeof hunt->marked, PROCESS_MARK_NAME "=%s", mark);
    snprintf(hunt->keeper, sizeof hunt->keeper, PROCESS_KEEPER_NAME "=%s", mark);
    int rc = 0;
    hunt->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (hunt->proc_fd < 0) rc = -errno;
    if (rc == 0) {
        spare_ancestors(hunt);
        int64_t now_ns = env->ops->now_mono(env).ns;
        hunt->keepers_until.ns = now_ns + timeout_ms * 1000000 / 2;
        rc = hunt_until(hunt, (struct mono_time){now_ns + timeout_ms * 1000000});
        *found_count = hunt->found_count;
        close(hunt->proc_fd);
    }
    env_free(env, hunt->found);
    env_free(env, hunt);
    return rc;
}
