/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.h -- runs the lines: starts, feeds, watches and replaces the workers of every station.
 *
 * Workers get messages under leases (COMMAND_LEASE), their outputs are routed (route.h) and handed
 * on (COMMAND_COMPLETE). It holds no promise of its own: all that must survive is in the broker.
 */
#ifndef TAKT_LINE_RUNTIME_H
#define TAKT_LINE_RUNTIME_H

#include "line/definition.h"
#include "line/worker_processes.h"
#include "shard/shard.h"

struct runtime;

/* Before the shard is opened, and after the journal was (its lock says that no other takt lives on
 * this folder): the data folder's mark (made if it is not there) that every worker carries;
 * processes of earlier lives that carry it are killed and waited for.
 * directory: borrowed, the data folder. mark: at least RUNTIME_MARK_BYTES, with the zero.
 * 0; -ETIMEDOUT: some cannot be killed (said in the log); or what the disk gave. */
#define RUNTIME_MARK_BYTES 48u
TAKT_MUST_USE int runtime_end_earlier_lives(struct env *env, const struct log *log,
                                            const char *directory, char *mark);

/* After runtime_close, and before the journal is closed (its lock keeps the next takt on this folder
 * away): what carries the mark and has left its worker's process group is killed and waited for, at
 * most a few seconds. What does not end is said in the log; the next start meets it again. */
void runtime_end_this_life(struct env *env, const struct log *log, const char *mark);

struct runtime_options {
    struct shard *shard;                  /* kept */
    const struct definition_files *files; /* kept */
    const char *mark;                     /* kept */
    const char *sqs_url;                  /* kept: for AWS_ENDPOINT_URL_SQS; may be NULL */
    const char *scratch; /* kept: absolute; a folder for kits handed as files, private to takt; made
                            if it is not there */
    const struct worker_processes *processes; /* kept; NULL: the real ones */
    /* All lines are in force (their records are durable): doors may open. result: OK or a refusal,
     * with words; then nothing is started. Runs once, never inside runtime_open; not if
     * runtime_stop or runtime_close come before. */
    void (*on_ready)(void *context, enum broker_result result, const char *words);
    void *context;
};

TAKT_MUST_USE int runtime_open(const struct runtime_options *options, struct runtime **out);
/* Take no more messages; let workers finish for grace_ms, then end them, give back uncounted what
 * they held, and call done, later. Called again: at once; then only the newer done is called. */
void runtime_stop(struct runtime *runtime, int64_t grace_ms, env_fn *done, void *context);
/* After runtime_stop's done: frees it. Before (the journal has failed): kills the workers and sends
 * no more commands; what is still under way is freed when its answers and exits have come, so let
 * the loop run before shard and env are closed. NULL is allowed. */
void runtime_close(struct runtime *runtime);

enum station_condition {
    STATION_FINE,
    STATION_JAMMED, /* its workers cannot start: `reason` says why, next try at `retry_at` */
    STATION_PAUSING, /* a worker died for `reason`, or could not start: started again at `retry_at` */
    STATION_STOPPED, /* by hand (scaled to 0): takes nothing */
};
struct runtime_station_view {
    enum station_condition condition;
    char reason[256];
    struct wall_time retry_at; /* 0: never by itself: a worker asked for that (exit 125) */
    uint32_t workers_wanted;
    uint32_t workers_starting;
    uint32_t workers_idle;
    uint32_t workers_busy;
    int32_t scale;           /* by hand: how many; -1: as the file says */
    uint64_t deaths;         /* of workers, since takt's start */
    int64_t handler_ms_mean; /* moving average of handling time; -1: none yet */
};
bool runtime_get_station(const struct runtime *runtime, struct broker_ref line, uint32_t station,
                         struct runtime_station_view *out);
/* count -1: as the file says. Holds until takt ends. Busy workers go when they are done. -ENOENT: no
 * such station; -ERANGE: above 1,000; -EINVAL: the station has no handler. */
TAKT_MUST_USE int runtime_scale(struct runtime *runtime, struct broker_ref line, uint32_t station,
                                int32_t count);

/* The definition that a line in force was made from; NULL if this takt does not run that line. */
const struct definition *runtime_definition(const struct runtime *runtime, struct broker_ref line);

#endif
