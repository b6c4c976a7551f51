/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.h -- runs the lines: starts, feeds, watches and replaces the workers of every station.
 *
 * Workers get messages under leases (COMMAND_LEASE), their outputs are routed (route.h) and handed
 * on (COMMAND_COMPLETE). It holds no promise of its own: all that must survive is in the broker.
 */
#ifndef TAKT_LINE_RUNTIME_H
#define TAKT_LINE_RUNTIME_H

#include "line/definition.h"
#include "shard/shard.h"

struct runtime;

/* Before the shard is opened: the data folder's mark (made if it is not there) that every worker
 * carries; processes of earlier lives that carry it are killed and waited for.
 * directory: borrowed, the data folder. mark: at least RUNTIME_MARK_BYTES, with the zero.
 * 0; -ETIMEDOUT: some cannot be killed (said in the log); or what the disk gave. */
#define RUNTIME_MARK_BYTES 48u
TAKT_MUST_USE int runtime_end_earlier_lives(struct env *env, const struct log *log,
                                            const char *directory, char *mark);

struct runtime_options {
    struct shard *shard;                  /* kept */
    const struct definition_files *files; /* kept */
    const char *mark;                     /* kept */
    const char *sqs_url;                  /* kept: for AWS_ENDPOINT_URL_SQS; may be NULL */
    const char *scratch; /* kept: a folder for kits handed as files, private to takt */
    /* All lines are in force (their records are durable): doors may open. result: 0 or a refusal,
     * with words. */
    void (*on_ready)(void *context, enum broker_result result, const char *words);
    void *context;
};

TAKT_MUST_USE int runtime_open(const struct runtime_options *options, struct runtime **out);
/* Take no more messages; let workers finish for grace_ms, then give back uncounted what they hold,
 * end them, and call done. Called again: at once. */
void runtime_stop(struct runtime *runtime, int64_t grace_ms, env_fn *done, void *context);
void runtime_close(struct runtime *runtime); /* kills what is left; NULL is allowed */

enum station_condition {
    STATION_FINE,
    STATION_JAMMED,  /* its workers cannot start: `reason` says why, next try at `retry_at` */
    STATION_STOPPED, /* by hand: takes nothing */
};
struct runtime_station_view {
    enum station_condition condition;
    char reason[256];
    struct wall_time retry_at;
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
/* count -1: as the file says. -ENOENT: no such station; -ERANGE: above 1,000. */
TAKT_MUST_USE int runtime_scale(struct runtime *runtime, struct broker_ref line, uint32_t station,
                                int32_t count);

/* The definition that a line in force was made from; NULL if this takt does not run that line. */
const struct definition *runtime_definition(const struct runtime *runtime, struct broker_ref line);

#endif
