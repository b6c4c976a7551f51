/* SPDX-License-Identifier: Apache-2.0 */
/* What a long job's steps come to, one tally a station: a step costs the same however many there have
 * been, and no reader has to follow a chain of a million bodies to tell where the job was. */
#include "broker/lines_effect.h"

#include <errno.h>

static struct tally *tally_at(const struct broker *broker, uint32_t slot) {
    return pool_at(&broker->tallies, slot);
}

static struct slice tally_name(const struct tally *tally) {
    return slice_from(tally->name, tally->name_count);
}

bool tallies_reserve(struct broker *broker, uint32_t steps_count) {
    return pool_reserve(&broker->tallies, steps_count);
}

/* ---- one step --------------------------------------------------------------------------------- */

void effect_step(struct deciding *deciding, uint32_t job, const struct job_step *step,
                 uint32_t history) {
    struct job_total total = job_step_total(step);
    struct slice name = step->station_name;
    if (name.count > BROKER_NAME_BYTES_MAX) name.count = BROKER_NAME_BYTES_MAX;
    struct buffer *out = effect_begin(deciding, EFFECT_STEP);
    encode_ref(out, ref_at(deciding->broker, THING_JOB, job));
    encode_slice(out, name);
    encode_u8(out, (uint8_t)step->outcome);
    encode_i64(out, total.first.ms);
    encode_i64(out, total.last.ms);
    encode_u32(out, step->error.count > 0 ? history : BODY_NONE);
}

static void body_replace(struct broker *broker, struct body_ref *body, struct body_ref by) {
    broker->body_bytes += by.count;
    broker->body_bytes -= body->count;
    *body = by;
}

/* The last one of the list, empty. NULL: replay has run out of memory. */
static struct tally *tally_make(struct broker *broker, struct job *job, struct slice name) {
    if (broker->is_replaying && !tallies_reserve(broker, 1)) {
        if (broker->replay_result == 0) broker->replay_result = -ENOMEM;
        return NULL;
    }
    uint32_t slot = pool_next_free(&broker->tallies, 0);
    CHECK(slot != BROKER_NONE);
    struct tally *tally = pool_take(&broker->tallies, slot);
    tally->next = BROKER_NONE;
    tally->name_count = (uint8_t)name.count;
    if (name.count > 0) memcpy(tally->name, name.bytes, name.count);
    uint32_t *link = &job->tallies_first;
    while (*link != BROKER_NONE) link = &tally_at(broker, *link)->next;
    *link = slot;
    job->tallies_count++;
    return tally;
}

/* That of the station, or a new one. The last one has no name and is for all stations beyond. */
static struct tally *tally_of(struct broker *broker, struct job *job, struct slice name) {
    struct tally *tally = NULL;
    for (uint32_t slot = job->tallies_first; slot != BROKER_NONE; slot = tally->next) {
        tally = tally_at(broker, slot);
        if (slice_equal(tally_name(tally), name)) return tally;
    }
    if (job->tallies_count == JOB_TOTALS_MAX) return tally;
    bool is_last = job->tallies_count == JOB_TOTALS_MAX - 1;
    return tally_make(broker, job, is_last ? SLICE_EMPTY : name);
}

void effect_step_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct broker_ref ref = decode_ref(in);
    struct slice name = decode_slice(in);
    uint8_t outcome = decode_u8(in);
    int64_t first_ms = decode_i64(in);
    int64_t last_ms = decode_i64(in);
    struct body_ref error = applying_body(applying, decode_u32(in));
    if (in->failed || outcome >= STEP_OUTCOMES_COUNT || name.count > BROKER_NAME_BYTES_MAX) {
        applying->is_broken = true;
        return;
    }
    struct job *job = applying_find(applying, THING_JOB, ref);
    if (job == NULL || applying->is_broken) return;
    struct tally *tally = tally_of(broker, job, name);
    if (tally == NULL) return;
    tally->counts[outcome]++;
    if (tally->first_ms == 0 || first_ms < tally->first_ms) tally->first_ms = first_ms;
    if (last_ms > tally->last_ms) tally->last_ms = last_ms;
    if (error.position == 0) return;
    tally->error_ms = last_ms;
    body_replace(broker, &tally->error, error);
}

/* ---- all of a job ----------------------------------------------------------------------------- */

uint32_t tallies_bodies(const struct broker *broker, const struct job *job, struct body_ref *out) {
    uint32_t count = 0;
    for (uint32_t slot = job->tallies_first; slot != BROKER_NONE;) {
        const struct tally *tally = tally_at(broker, slot);
        if (tally->error.position != 0) out[count++] = tally->error;
        slot = tally->next;
    }
    return count;
}

void tallies_encode(const struct broker *broker, const struct job *job, struct buffer *out) {
    encode_u32(out, job->tallies_count);
    for (uint32_t slot = job->tallies_first; slot != BROKER_NONE;) {
        const struct tally *tally = tally_at(broker, slot);
        encode_slice(out, tally_name(tally));
        for (uint32_t i = 0; i < STEP_OUTCOMES_COUNT; i++) encode_u32(out, tally->counts[i]);
        encode_i64(out, tally->first_ms);
        encode_i64(out, tally->last_ms);
        encode_i64(out, tally->error_ms);
        encode_u8(out, tally->error.position != 0);
        slot = tally->next;
    }
}

/* False: a broken record, or no memory. */
static bool tally_decode(struct applying *applying, struct job *job, uint32_t *body) {
    struct decoder *in = &applying->in;
    struct slice name = decode_slice(in);
    if (in->failed || name.count > BROKER_NAME_BYTES_MAX) return false;
    struct tally *tally = tally_make(applying->broker, job, name);
    if (tally == NULL) return false;
    for (uint32_t i = 0; i < STEP_OUTCOMES_COUNT; i++) tally->counts[i] = decode_u32(in);
    tally->first_ms = decode_i64(in);
    tally->last_ms = decode_i64(in);
    tally->error_ms = decode_i64(in);
    bool has_error = decode_u8(in) != 0;
    struct body_ref error = applying_body(applying, has_error ? (*body)++ : BODY_NONE);
    body_replace(applying->broker, &tally->error, error);
    return !in->failed && !applying->is_broken;
}

void tallies_decode(struct applying *applying, struct job *job, uint32_t body) {
    uint32_t count = decode_u32(&applying->in);
    if (count > JOB_TOTALS_MAX) applying->is_broken = true;
    tallies_free(applying->broker, job);
    for (uint32_t i = 0; i < count && !applying->is_broken; i++) {
        if (!tally_decode(applying, job, &body)) applying->is_broken = true;
    }
}

void tallies_free(struct broker *broker, struct job *job) {
    while (job->tallies_first != BROKER_NONE) {
        uint32_t slot = job->tallies_first;
        const struct tally *tally = tally_at(broker, slot);
        job->tallies_first = tally->next;
        broker->body_bytes -= tally->error.count;
        pool_free(&broker->tallies, slot);
    }
    job->tallies_count = 0;
}

void tallies_digest(const struct broker *broker, const struct job *job, struct digest *digest) {
    digest_u64(digest, job->tallies_count);
    for (uint32_t slot = job->tallies_first; slot != BROKER_NONE;) {
        const struct tally *tally = tally_at(broker, slot);
        digest_slice(digest, tally_name(tally));
        for (uint32_t i = 0; i < STEP_OUTCOMES_COUNT; i++) digest_u64(digest, tally->counts[i]);
        digest_u64(digest, (uint64_t)tally->first_ms);
        digest_u64(digest, (uint64_t)tally->last_ms);
        digest_u64(digest, (uint64_t)tally->error_ms);
        digest_body_ref(digest, tally->error);
        slot = tally->next;
    }
}

void tallies_check(const struct broker *broker, const struct job *job) {
    uint32_t count = 0;
    for (uint32_t slot = job->tallies_first; slot != BROKER_NONE; count++) {
        const struct tally *tally = tally_at(broker, slot);
        CHECK(tally->last_ms != 0 && tally->first_ms <= tally->last_ms);
        CHECK((tally->error.position != 0) == (tally->error_ms != 0));
        slot = tally->next;
    }
    CHECK(count == job->tallies_count && count <= JOB_TOTALS_MAX);
    CHECK(count == 0 || job_is_long(job));
    CHECK(job->chain_count <= JOB_HISTORY_EARLY_MAX);
    CHECK((job->history.position == 0) == (job->chain_count == 0));
}

uint32_t broker_job_totals(const struct broker *broker, struct broker_ref ref,
                           struct job_total out[JOB_TOTALS_MAX]) {
    const struct job *job = thing_find(broker, THING_JOB, ref);
    uint32_t count = 0;
    if (job == NULL) return 0;
    for (uint32_t slot = job->tallies_first; slot != BROKER_NONE; count++) {
        const struct tally *tally = tally_at(broker, slot);
        out[count] = (struct job_total){
            .station_name = tally_name(tally),
            .first.ms = tally->first_ms,
            .last.ms = tally->last_ms,
            .error_at.ms = tally->error_ms,
            .error_in = tally->error,
        };
        memcpy(out[count].counts, tally->counts, sizeof tally->counts);
        slot = tally->next;
    }
    return count;
}
