/* SPDX-License-Identifier: Apache-2.0 */
/* A body of history: u8 version, u32 left out, the place of the body before (u64 position, u64
 * checksum, u32 count), a slice of totals (from version 2 on), then the steps, newest last. A total
 * and a step are slices, so that a reader of an older version can skip what a newer one has added at
 * their end:
 *
 *   step   u32 station, u8 outcome, u32 attempt, u32 outputs, i64 queued, i64 started, i64 ended,
 *          slice station name, slice task path, slice error
 *   total  slice station name, i64 first, i64 last, i64 error at, slice error, u32 of each outcome
 */
#include "broker/job_history.h"

#include "base/codec.h"

#include <errno.h>

#define HISTORY_VERSION 2u
#define HISTORY_VERSION_MIN 1u

/* A slice's count, known only when its bytes are there. */
static size_t slice_begin(struct buffer *out) {
    encode_u32(out, 0);
    return out->count;
}
static void slice_end(struct buffer *out, size_t began) {
    if (!out->failed) encode_u32_at(out->bytes + began - 4, (uint32_t)(out->count - began));
}

void job_step_encode(struct buffer *out, const struct job_step *step) {
    size_t began = slice_begin(out);
    encode_u32(out, step->station);
    encode_u8(out, (uint8_t)step->outcome);
    encode_u32(out, step->attempt);
    encode_u32(out, step->outputs_count);
    encode_i64(out, step->queued.ms);
    encode_i64(out, step->started.ms);
    encode_i64(out, step->ended.ms);
    encode_slice(out, step->station_name);
    encode_slice(out, step->task_path);
    encode_slice(out, step->error);
    slice_end(out, began);
}

size_t job_history_begin(struct buffer *out, struct body_ref previous, uint32_t left_out) {
    encode_u8(out, HISTORY_VERSION);
    encode_u32(out, left_out);
    encode_u64(out, previous.position);
    encode_u64(out, previous.checksum32); /* the upper half is no longer looked at */
    encode_u32(out, previous.count);
    return slice_begin(out);
}

void job_history_end_totals(struct buffer *out, size_t began) {
    slice_end(out, began);
}

void job_total_encode(struct buffer *out, const struct job_total *total) {
    struct slice error = total->error;
    if (error.count > JOB_TOTAL_ERROR_BYTES_MAX) {
        error = slice_skip(error, error.count - JOB_TOTAL_ERROR_BYTES_MAX);
    }
    size_t began = slice_begin(out);
    encode_slice(out, total->station_name);
    encode_i64(out, total->first.ms);
    encode_i64(out, total->last.ms);
    encode_i64(out, total->error_at.ms);
    encode_slice(out, error);
    for (uint32_t i = 0; i < STEP_OUTCOMES_COUNT; i++) encode_u32(out, total->counts[i]);
    slice_end(out, began);
}

static bool total_decode(struct slice bytes, struct job_total *out) {
    struct decoder decoder = {.rest = bytes};
    *out = (struct job_total){.station_name = decode_slice(&decoder)};
    out->first.ms = decode_i64(&decoder);
    out->last.ms = decode_i64(&decoder);
    out->error_at.ms = decode_i64(&decoder);
    out->error = decode_slice(&decoder);
    for (uint32_t i = 0; i < STEP_OUTCOMES_COUNT; i++) out->counts[i] = decode_u32(&decoder);
    return !decoder.failed;
}

struct job_total job_step_total(const struct job_step *step) {
    struct job_total total = {
        .station_name = step->station_name,
        .first = step->started.ms != 0 ? step->started : step->queued,
        .last = step->ended,
        .error = step->error,
    };
    total.counts[step->outcome] = 1;
    if (step->error.count > 0) total.error_at = step->ended;
    return total;
}

static bool step_decode(struct slice bytes, struct job_step *out) {
    struct decoder decoder = {.rest = bytes};
    *out = (struct job_step){.station = decode_u32(&decoder)};
    uint8_t outcome = decode_u8(&decoder);
    out->outcome = (enum job_step_outcome)outcome;
    out->attempt = decode_u32(&decoder);
    out->outputs_count = decode_u32(&decoder);
    out->queued.ms = decode_i64(&decoder);
    out->started.ms = decode_i64(&decoder);
    out->ended.ms = decode_i64(&decoder);
    out->station_name = decode_slice(&decoder);
    out->task_path = decode_slice(&decoder);
    out->error = decode_slice(&decoder);
    return !decoder.failed && outcome < STEP_OUTCOMES_COUNT;
}

/* All is looked at here, so that nobody meets a broken step or total afterwards. */
int job_history_open(struct slice bytes, struct job_history_reader *out) {
    struct decoder decoder = {.rest = bytes};
    uint8_t version = decode_u8(&decoder);
    *out = (struct job_history_reader){.left_out = decode_u32(&decoder)};
    out->previous.position = decode_u64(&decoder);
    out->previous.checksum32 = (uint32_t)(decode_u64(&decoder) & UINT32_MAX);
    out->previous.count = decode_u32(&decoder);
    if (version >= 2) out->totals = decode_slice(&decoder);
    if (decoder.failed || version < HISTORY_VERSION_MIN || version > HISTORY_VERSION) {
        return -EBADMSG;
    }
    out->rest = decoder.rest;
    struct job_step step;
    while (decoder.rest.count > 0) {
        struct slice one = decode_slice(&decoder);
        if (decoder.failed || !step_decode(one, &step)) return -EBADMSG;
    }
    struct job_total total;
    decoder.rest = out->totals;
    while (decoder.rest.count > 0) {
        struct slice one = decode_slice(&decoder);
        if (decoder.failed || !total_decode(one, &total)) return -EBADMSG;
    }
    return 0;
}

/* The next slice of a list of them. */
static bool slice_next(struct slice *rest, struct slice *out) {
    if (rest->count == 0) return false;
    struct decoder decoder = {.rest = *rest};
    *out = decode_slice(&decoder);
    CHECK(!decoder.failed);
    *rest = decoder.rest;
    return true;
}

bool job_history_next(struct job_history_reader *reader, struct job_step *out) {
    struct slice one;
    if (!slice_next(&reader->rest, &one)) return false;
    CHECK(step_decode(one, out));
    return true;
}

bool job_history_next_total(struct job_history_reader *reader, struct job_total *out) {
    struct slice one;
    if (!slice_next(&reader->totals, &one)) return false;
    CHECK(total_decode(one, out));
    return true;
}

struct slice job_history_find_error(struct slice bytes, struct slice station_name) {
    struct job_history_reader reader;
    struct job_step step;
    struct slice error = SLICE_EMPTY;
    if (job_history_open(bytes, &reader) < 0) return error;
    while (job_history_next(&reader, &step)) {
        if (step.error.count > 0 && slice_equal(step.station_name, station_name)) {
            error = step.error;
        }
    }
    return error;
}
