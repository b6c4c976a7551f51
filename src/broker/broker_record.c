/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_record.h"

#include "base/hash.h"
#include "broker/broker_lines.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>

#define RECORD_VERSION 1u
#define RECORD_HAS_SEED 1u

/* ---- decide ----------------------------------------------------------------------------------- */

/* The seed must not be what else the same random bytes become (a job's id), nor show it. */
static void encode_seed(struct buffer *out, const uint8_t random[32]) {
    static const char salt[10] = "takt seed";
    uint8_t bytes[sizeof salt + 32];
    memcpy(bytes, salt, sizeof salt);
    memcpy(bytes + sizeof salt, random, 32);
    uint8_t seed[SHA256_DIGEST_LENGTH];
    SHA256(bytes, sizeof bytes, seed);
    buffer_append(out, slice_from(seed, sizeof seed));
}

struct buffer *record_begin(struct deciding *deciding, enum record_kind kind) {
    struct buffer *record = &deciding->decision->record;
    CHECK(record->count == 0);
    bool is_new = broker_is_new(deciding->broker);
    encode_u8(record, (uint8_t)kind);
    encode_u8(record, RECORD_VERSION);
    encode_u8(record, is_new ? RECORD_HAS_SEED : 0);
    encode_i64(record, deciding->now_ms);
    if (is_new) encode_seed(record, deciding->given->random);
    return record;
}

void record_drop(struct deciding *deciding) {
    buffer_clear(&deciding->decision->record);
    deciding->decision->bodies_count = 0;
}

uint32_t new_slot(struct deciding *deciding, enum thing_kind kind) {
    uint32_t slot = pool_next_free(&deciding->broker->pools[kind], deciding->next_slots[kind]);
    CHECK(slot != BROKER_NONE);
    deciding->next_slots[kind] = slot + 1;
    return slot;
}

struct broker_ref new_ref(struct deciding *deciding, enum thing_kind kind) {
    return (struct broker_ref){deciding->next_number++, new_slot(deciding, kind)};
}

struct broker_ref new_queue_ref(struct deciding *deciding) {
    return (struct broker_ref){deciding->next_queue_id++, new_slot(deciding, THING_QUEUE)};
}

struct broker_ref new_line_ref(struct deciding *deciding) {
    return (struct broker_ref){deciding->next_line_id++, new_slot(deciding, THING_LINE)};
}

uint32_t record_body(struct deciding *deciding, struct slice body) {
    struct broker_decision *decision = deciding->decision;
    CHECK(decision->bodies_count < BROKER_DECISION_BODIES_MAX);
    decision->bodies[decision->bodies_count] = body;
    return decision->bodies_count++;
}

void *deciding_take(struct deciding *deciding, size_t count, size_t size) {
    return arena_take_array(&deciding->decision->arena, count, size);
}

void refuse(struct deciding *deciding, enum broker_result result) {
    record_drop(deciding);
    deciding->decision->answer.result = result;
}

void refuse_printf(struct deciding *deciding, enum broker_result result, const char *format, ...) {
    refuse(deciding, result);
    struct broker_answer *answer = &deciding->decision->answer;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(answer->detail, sizeof answer->detail, format, arguments); /* cut is fine */
    va_end(arguments);
}

void encode_ref(struct buffer *out, struct broker_ref ref) {
    encode_u64(out, ref.number);
    encode_u32(out, ref.slot);
}

/* ---- apply ------------------------------------------------------------------------------------ */

struct broker_ref decode_ref(struct decoder *in) {
    uint64_t number = decode_u64(in);
    return (struct broker_ref){number, decode_u32(in)};
}

struct body_ref applying_body(struct applying *applying, uint32_t index) {
    if (index == UINT32_MAX) return (struct body_ref){0};
    if (index < applying->refs_count) return applying->refs[index];
    applying->is_broken = true;
    return (struct body_ref){0};
}

void *applying_find(struct applying *applying, enum thing_kind kind, struct broker_ref ref) {
    void *thing = thing_find(applying->broker, kind, ref);
    CHECK(thing != NULL || applying->broker->is_replaying);
    return thing;
}

void *applying_next(struct applying *applying, enum thing_kind kind) {
    return applying_find(applying, kind, decode_ref(&applying->in));
}

/* A journal's first record makes the root; without it the first ones were trimmed, and the root was
 * carried further on. */
static void apply_seed(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct slice seed = decode_bytes(&applying->in, 32);
    if (applying->in.failed || broker->pools[THING_ROOT].count != 0) {
        applying->is_broken = true;
        return;
    }
    struct root *root = thing_make(broker, THING_ROOT, (struct broker_ref){1, 0}, applying->lsn);
    if (root == NULL) return;
    memcpy(root->seed, seed.bytes, sizeof root->seed);
    root->next_number = root->next_queue_id = root->next_line_id = 1;
}

int broker_apply(struct broker *broker, uint64_t lsn, struct slice record,
                 const struct body_ref *refs, uint32_t refs_count) {
    struct applying applying = {.broker = broker,
                                .in = {.rest = record},
                                .refs = refs,
                                .refs_count = refs_count,
                                .lsn = lsn};
    uint8_t kind = decode_u8(&applying.in);
    uint8_t version = decode_u8(&applying.in);
    uint8_t flags = decode_u8(&applying.in);
    applying.now_ms = decode_i64(&applying.in);
    bool is_known = !applying.in.failed && version == RECORD_VERSION && kind < RECORD_KINDS_END &&
                    record_rows[kind].apply != NULL && (flags & ~RECORD_HAS_SEED) == 0 &&
                    applying.now_ms >= broker->last_ms && lsn > broker->last_lsn;
    CHECK(is_known || broker->is_replaying);
    if (!is_known) return -EBADMSG;
    broker->last_lsn = lsn;
    broker->last_ms = applying.now_ms;
    if (flags & RECORD_HAS_SEED) apply_seed(&applying);
    if (!applying.is_broken && broker->replay_result == 0) record_rows[kind].apply(&applying);
    bool is_broken = applying.is_broken || applying.in.failed || applying.in.rest.count != 0;
    CHECK((!is_broken && broker->replay_result == 0) || broker->is_replaying);
    if (!broker->is_replaying) lines_applied(broker);
    if (broker->replay_result != 0) return broker->replay_result;
    return is_broken ? -EBADMSG : 0;
}

/* Its time and its seed were in the head; what may follow is until when retention is on hold. */
void apply_nothing(struct applying *applying) {
    if (applying->in.rest.count == 0) return;
    broker_hold(applying->broker, decode_i64(&applying->in));
}
