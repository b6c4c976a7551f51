/* SPDX-License-Identifier: Apache-2.0 */
#include "line/worker_processes.h"

#include <stdlib.h>
#include <unistd.h>

static int start(void *context, struct env *env, const struct process_options *options,
                 struct process **out) {
    (void)context;
    return process_start(env, options, out);
}

static const char *variable(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

static uint32_t processors_count(void *context) {
    (void)context;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

static const struct worker_processes real = {
    .start = start,
    .write = process_write,
    .close_stdin = process_close_stdin,
    .signal = process_signal,
    .unread_bytes = process_unread_bytes,
    .variable = variable,
    .processors_count = processors_count,
};

const struct worker_processes *worker_processes_real(void) {
    return &real;
}
