/* SPDX-License-Identifier: Apache-2.0 */
/* job_history.h -- one body of a job's history: what happened at stations, newest last, and where
 * the body before it lies. The broker writes them into its records; readers follow the chain. */
#ifndef TAKT_BROKER_JOB_HISTORY_H
#define TAKT_BROKER_JOB_HISTORY_H

#include "base/body_ref.h"
#include "base/buffer.h"
#include "base/check.h"
#include "base/times.h"

#define JOB_HISTORY_CHAIN_MAX 1000u        /* bodies a reader follows */
#define JOB_HISTORY_BYTES_MAX (64u * 1024) /* kept of a job when it is carried: the newest steps */

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

void job_step_encode(struct buffer *out, const struct job_step *step);

struct job_history_reader {
    struct slice rest;
    struct body_ref previous; /* position 0: this is the oldest */
    uint32_t left_out;        /* older steps that are no longer kept */
};
void job_history_encode_head(struct buffer *out, struct body_ref previous, uint32_t left_out);
/* Slices point into `bytes`. -EBADMSG if it is not one. */
TAKT_MUST_USE int job_history_open(struct slice bytes, struct job_history_reader *out);
bool job_history_next(struct job_history_reader *reader, struct job_step *out);

#endif
