/* SPDX-License-Identifier: Apache-2.0 */
/* job_report.h -- where an order is, as JSON: for GET /jobs/ID, the board and the command line. */
#ifndef TAKT_LINE_JOB_REPORT_H
#define TAKT_LINE_JOB_REPORT_H

#include "shard/shard.h"

/* found false: there is no such job (json is empty). failed: the journal cannot vouch for it.
 * json borrowed for the call. */
typedef void job_report_fn(void *context, bool found, bool failed, struct slice json);

/* {"id", "line", "key", "state": "running|done|failed|rejected", "started", "ended", "waiting":
 * [{"station", "waiting", "in_flight", "in_kit", "dead"}], "steps": [{"station", "task", "attempt",
 * "queued", "started", "ended", "outcome", "outputs", "error"}], "steps_left_out", "error",
 * "reason", "result"}. Times are RFC 3339 in UTC with milliseconds; members that do not apply are
 * left out; the result is the handler's bytes if they are JSON, else a string. `done` runs when all
 * that is shown is durable. */
void job_report_read(struct shard *shard, const uint8_t id[16], job_report_fn *done, void *context);

#endif
