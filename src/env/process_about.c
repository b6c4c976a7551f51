/* SPDX-License-Identifier: Apache-2.0 */
#include "env/process_about.h"

#include "env/env_real.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool process_read_about(int proc_fd, pid_t pid, struct process_about *about) {
    char text[1024];
    char path[32];
    snprintf(path, sizeof path, "%d/stat", (int)pid);
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
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

struct walk {
    process_visit_fn *visit;
    void *context;
    int rc;
};

static bool visit_name(void *context, const char *name) {
    struct walk *walk = context;
    char *end;
    long pid = strtol(name, &end, 10);
    if (*end != '\0' || pid < 1) return true; /* not a process */
    walk->rc = walk->visit(walk->context, (pid_t)pid);
    return walk->rc >= 0;
}

int process_visit_all(int proc_fd, process_visit_fn *visit, void *context) {
    struct walk walk = {.visit = visit, .context = context};
    int rc = env_fd_list(proc_fd, visit_name, &walk);
    return rc < 0 ? rc : walk.rc;
}
