/* SPDX-License-Identifier: Apache-2.0 */
/* process_about.h -- what /proc tells about processes. Inside env only. */
#ifndef TAKT_ENV_PROCESS_ABOUT_H
#define TAKT_ENV_PROCESS_ABOUT_H

#include "base/check.h"

#include <stdbool.h>
#include <sys/types.h>

struct process_about {
    char state; /* Z and X: dead, and not yet waited for */
    pid_t parent;
    pid_t group;
    pid_t session;
};

/* proc_fd: the folder /proc. False if the process is gone. */
bool process_read_about(int proc_fd, pid_t pid, struct process_about *about);

/* Calls `visit` for each process there is, until it returns a negative errno, which is then given.
 * One that is born meanwhile may be left out. */
typedef int process_visit_fn(void *context, pid_t pid);
TAKT_MUST_USE int process_visit_all(int proc_fd, process_visit_fn *visit, void *context);

#endif
