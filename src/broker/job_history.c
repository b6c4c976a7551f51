/* SPDX-License-Identifier: Apache-2.0 */
/* A body of history: u8 version, u32 left out, the place of the body before (u64 position, u64
 * checksum, u32 count), then the steps, newest last. A step is a slice, so that a reader of an
 * older version can skip what a newer one has added at its end:
 *
 *   u32 station, u8 outcome, u32 attempt, u32 outputs, i64 queued, i64 started, i64 ended,
 *   slice station name, slice task path, slice error
 */
#include "broker/job_history.h"

#include "base/codec.h"

#include <errno.h>

#define HISTORY_VERSION 1u

void job_step_encode(struct buffer *out, const struct job_step *step) {
    size_t start = out->count;
    encode_u32(out, 0); /* the count of bytes, known below */
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
    if (!out->failed) encode_u32_at(out->bytes + start, (uint32_t)(out->count - start - 4));
}

void job_history_encode_head(struct buffer *out, struct body_ref previous, uint32_t left_out) {
    encode_u8(out, HISTORY_VERSION);
    encode_u32(out, left_out);
    encode_u64(out, previous.position);
    encode_u64(out, previous.checksum);
    encode_u32(out, previous.count);
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

/* All steps are looked at here, so that job_history_next cannot meet a broken one. */
int job_history_open(struct slice bytes, struct job_history_reader *out) {
    struct decoder decoder = {.rest = bytes};
    uint8_t version = decode_u8(&decoder);
    *out = (struct job_history_reader){.left_out = decode_u32(&decoder)};
    out->previous.position = decode_u64(&decoder);
    out->previous.checksum = decode_u64(&decoder);
    out->previous.count = decode_u32(&decoder);
    if (decoder.failed || version != HISTORY_VERSION) return -EBADMSG;
    out->rest = decoder.rest;
    struct job_step step;
    while (decoder.rest.count > 0) {
        struct slice one = decode_slice(&decoder);
        if (decoder.failed || !step_decode(one, &step)) return -EBADMSG;
    }
    return 0;
}

bool job_history_next(struct job_history_reader *reader, struct job_step *out) {
    if (reader->rest.count == 0) return false;
    struct decoder decoder = {.rest = reader->rest};
    struct slice one = decode_slice(&decoder);
    CHECK(!decoder.failed && step_decode(one, out));
    reader->rest = decoder.rest;
    return true;
}
