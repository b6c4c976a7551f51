/* SPDX-License-Identifier: Apache-2.0 */
/* handler_env.h -- the environment of a worker's process: all of it, in one list. */
#ifndef TAKT_LINE_HANDLER_ENV_H
#define TAKT_LINE_HANDLER_ENV_H

#include "line/definition.h"
#include "line/worker_processes.h"

struct handler_env {
    const struct worker_processes *processes; /* borrowed: takt's own variables */
    const char *line;
    const struct definition_station *station;
    const char *sqs_url; /* NULL: no SQS endpoint */
    /* Of one message; NULL for a process that handles many. */
    const char *task;
    const char *job;
    const char *input_file; /* NULL: the input comes by stdin */
    uint32_t attempt;
};

/* NAME=VALUE, NULL-terminated, in the arena; NULL: out of memory. From weak to strong, each name
 * once: PATH HOME LANG TZ TMPDIR of takt's own, the AWS_… of takt's SQS endpoint, the file's `env`,
 * TAKT_…  (TAKT_INSTANCE is added by process_start.) */
TAKT_MUST_USE const char *const *handler_env_make(struct arena *arena,
                                                  const struct handler_env *env);

#endif
