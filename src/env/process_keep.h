/* SPDX-License-Identifier: Apache-2.0 */
/* process_keep.h -- what process.c and its keepers agree upon. Inside env only. */
#ifndef TAKT_ENV_PROCESS_KEEP_H
#define TAKT_ENV_PROCESS_KEEP_H

#include "base/check.h"

#include <signal.h>
#include <sys/types.h>

/* In a keeper's own environment, and in no other: TAKT_KEEPER=<mark>. */
#define PROCESS_KEEPER_NAME "TAKT_KEEPER"
#define PROCESS_MARK_NAME "TAKT_INSTANCE"

/* Sent to a keeper, it means: this signal to the program's group. A keeper obeys no other signal,
 * so that a SIGTERM to all (systemd) reaches the program once. It also dies by it in place of
 * SIGKILL: by SIGKILL itself it dies only when another hand kills it. */
static inline int process_order_for(int signal_number) {
    CHECK(signal_number > 0 && signal_number <= SIGRTMAX - SIGRTMIN);
    return SIGRTMIN + signal_number;
}

/* What is left of `takt worker-exec` when the program runs: waits for it, ends all that it has
 * started, and ends as it did. takt, program: process ids. argv: of main. Returns the exit code, or
 * dies by a signal. All signals are blocked, and SIGHUP comes when takt dies. */
TAKT_MUST_USE int process_keep(pid_t takt, pid_t program, char **argv);

/* All signals as in a fresh process, and none blocked. */
void process_reset_signals(void);

#endif
