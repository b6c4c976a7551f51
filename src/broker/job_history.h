/* SPDX-License-Identifier: Apache-2.0 */
/* job_history.h -- one body of a job's history: what happened at stations, newest last, and where
 * the body before it lies. The broker writes them into its records; readers follow the chain.
 *
 * Every step counts, however many there are; the newest are told one by one, the others by totals, one
 * a station. A body may begin with totals: of all that came before it and is no longer kept. A job
 * whose chain has JOB_HISTORY_EARLY_MAX bodies is LONG: from its next step on the broker keeps a
 * total a station in memory (broker_job_totals), so that nobody ever has to follow a chain further
 * than that to count. All of its steps are then those of the chain from job_view.early on, and those
 * totals; what the chain before `early` says of earlier steps is not counted again. */
#ifndef TAKT_BROKER_JOB_HISTORY_H
#define TAKT_BROKER_JOB_HISTORY_H

#include "base/body_ref.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/times.h"

#define JOB_HISTORY_CHAIN_MAX 1000u        /* bodies of which a reader shows the steps */
#define JOB_HISTORY_BYTES_MAX (64u * 1024) /* kept of a job when it is carried: the newest steps */
#define JOB_HISTORY_EARLY_MAX 64u          /* bodies of a job that is not long */
#define JOB_TOTALS_MAX 128u            /* stations; those beyond count together, without a name */
#define JOB_TOTAL_ERROR_BYTES_MAX 512u /* of an error beside a total on disk; its end is kept */

enum job_step_outcome {
    STEP_DONE,
    STEP_FAILED, /* an attempt; it will be tried again */
    STEP_DEAD,   /* the last attempt: it went to the dead letters */
    STEP_REJECTED,
    STEP_EXPIRED,
    STEP_LATE, /* arrived at a join that was closed */
    STEP_REDRIVEN,
    STEP_OUTCOMES_COUNT
};

struct job_step {
    uint32_t station; /* its index in the line at that time: a line file may change since */
    struct slice station_name;
    struct slice task_path;
    uint32_t attempt;
    struct wall_time queued;
    struct wall_time started; /* 0: never handed out */
    struct wall_time ended;
    enum job_step_outcome outcome;
    uint32_t outputs_count;
    struct slice error; /* the handler's own words */
};

/* All steps of a job at one station. */
struct job_total {
    struct slice station_name;
    uint32_t counts[STEP_OUTCOMES_COUNT];
    struct wall_time first; /* when the first began: was handed out or, if it never was, queued */
    struct wall_time last;  /* when the last ended */
    struct wall_time error_at;
    struct slice error; /* of the newest step that had one */
    struct body_ref
        error_in; /* position 0, or its text is in that body: see job_history_find_error */
};
struct job_total job_step_total(const struct job_step *step);

void job_step_encode(struct buffer *out, const struct job_step *step);

struct job_history_reader {
    struct slice rest;
    struct slice totals;
    struct body_ref previous; /* position 0: this is the oldest */
    uint32_t left_out; /* older steps that are neither kept nor counted: only old data has any */
};
/* Then come the totals, one job_total_encode each, job_history_end_totals, and the steps. */
size_t job_history_begin(struct buffer *out, struct body_ref previous, uint32_t left_out);
void job_total_encode(struct buffer *out, const struct job_total *total);
void job_history_end_totals(struct buffer *out, size_t began);
/* Slices point into `bytes`. -EBADMSG if it is not one. */
TAKT_MUST_USE int job_history_open(struct slice bytes, struct job_history_reader *out);
bool job_history_next(struct job_history_reader *reader, struct job_step *out);
bool job_history_next_total(struct job_history_reader *reader, struct job_total *out);
/* The newest error of that station in this body; empty if there is none. Borrowed from `bytes`. */
struct slice job_history_find_error(struct slice bytes, struct slice station_name);

#endif
