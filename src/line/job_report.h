/* SPDX-License-Identifier: Apache-2.0 */
/* job_report.h -- where an order is, as JSON: for GET /jobs/ID, the board and the command line. */
#ifndef TAKT_LINE_JOB_REPORT_H
#define TAKT_LINE_JOB_REPORT_H

#include "shard/shard.h"

#define JOB_REPORT_RESULT_BYTES_MAX (1024u * 1024) /* a larger result is left out */
#define JOB_REPORT_BYTES_MAX (32u * 1024 * 1024)

/* found false: there is no such job (json is empty). failed: it cannot be told now: the journal has
 * failed or is damaged, takt is stopping, or memory is out. json borrowed for the call. */
typedef void job_report_fn(void *context, bool found, bool failed, struct slice json);

/* {"id", "line", "key", "state": "running|done|failed|rejected", "started", "ended", "damaged",
 * "waiting":
 * [{"station", "waiting", "in_flight", "in_kit", "dead"}], "steps": [{"station", "task", "attempt",
 * "queued", "started", "ended", "outcome", "outputs", "error"}], "steps_left_out", "stations":
 * [{"station", "attempts", "done", "failed", "dead", "rejected", "expired", "late", "redriven",
 * "first", "last", "error"}], "error", "reason", "result_bytes", "result"}. "damaged": the disk has lost
 * something of this: what can be read is told. Times are RFC 3339 in UTC with milliseconds; members that do
 * not apply are left out. "task" is what TAKT_TASK has behind job and station. "error" is the last
 * one, also of a job that got over it; "reason" is why it was rejected. "steps" are the
 * newest, of at most JOB_HISTORY_CHAIN_MAX records; "steps_left_out" says how many older ones are not
 * among them; "stations" counts all, however many there were, in the order in which the job came to
 * them. The result is the handler's bytes if they are JSON, else a
 * string.
 *
 * id: borrowed. `done` runs when all that is shown is durable; inside this call only when memory is
 * out. */
void job_report_read(struct shard *shard, const uint8_t id[16], job_report_fn *done, void *context);

#endif
