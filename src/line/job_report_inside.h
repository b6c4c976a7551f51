/* SPDX-License-Identifier: Apache-2.0 */
/* job_report_inside.h -- what job_report*.c share: the look at a job, and the bodies read for it. */
#ifndef TAKT_LINE_JOB_REPORT_INSIDE_H
#define TAKT_LINE_JOB_REPORT_INSIDE_H

#include "base/arena.h"
#include "broker/job_totals.h"
#include "line/job_report.h"

struct report_look {
    struct job_view job; /* its key lies in the arena */
    struct slice line;   /* its name; in the arena */
    struct slice stations[BROKER_STATIONS_MAX];
    uint32_t stations_count;
    struct job_place places[BROKER_STATIONS_MAX];
    /* Read afterwards. */
    struct slice error;
    struct slice result;
    struct slice histories[JOB_HISTORY_CHAIN_MAX]; /* newest first; each is sound */
    uint32_t histories_count;
    uint64_t left_out;                        /* steps of which nothing is known */
    struct job_totals totals;                 /* all steps, also those that are shown */
    struct job_total tallies[JOB_TOTALS_MAX]; /* of a long job: added when their errors are read */
    uint32_t tallies_count;
    bool is_damaged; /* something of it could not be read any more */
};

void job_report_write(struct report_look *look, struct buffer *out);

#endif
