/* SPDX-License-Identifier: Apache-2.0 */
/* job_totals.h -- what the steps of a job come to, station by station: for whoever reads a history. */
#ifndef TAKT_BROKER_JOB_TOTALS_H
#define TAKT_BROKER_JOB_TOTALS_H

#include "base/arena.h"
#include "broker/job_history.h"

struct job_totals {
    struct arena *arena; /* kept: texts are copied there */
    struct job_total list[JOB_TOTALS_MAX];
    uint32_t count;
    bool failed; /* memory ran out: nothing of it is right */
};

/* Slices are borrowed and copied. */
void job_totals_add(struct job_totals *totals, const struct job_total *total);
/* The totals a body begins with, and all steps that are left in the reader. */
void job_totals_add_body(struct job_totals *totals, struct job_history_reader *reader);
/* All steps counted. */
uint64_t job_totals_steps(const struct job_totals *totals);
/* Whatever began earlier comes first; of two that began together, what ended earlier. */
void job_totals_sort(struct job_totals *totals);

#endif
