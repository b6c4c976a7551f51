/* SPDX-License-Identifier: Apache-2.0 */
/* worker_processes.h -- the machine as workers need it: a table, so that a simulator can stand in.
 *
 * The real one is env/process.h, takt's own environment, and the number of processors. `struct
 * process` belongs to whoever made the table; nobody else looks into it.
 */
#ifndef TAKT_LINE_WORKER_PROCESSES_H
#define TAKT_LINE_WORKER_PROCESSES_H

#include "env/process.h"

struct worker_processes {
    /* As their namesakes process_… */
    int (*start)(void *context, struct env *env, const struct process_options *options,
                 struct process **out);
    int (*write)(struct process *process, struct slice bytes);
    void (*close_stdin)(struct process *process);
    void (*signal)(struct process *process, int signal);
    uint64_t (*unread_bytes)(const struct process *process);

    const char *(*variable)(void *context, const char *name); /* takt's own; NULL: not set */
    uint32_t (*processors_count)(void *context);              /* at least 1 */
    void *context;                                            /* kept */
};

const struct worker_processes *worker_processes_real(void);

#endif
