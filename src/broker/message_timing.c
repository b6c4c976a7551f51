/* SPDX-License-Identifier: Apache-2.0 */
/* message_timing.c -- the asides of a message, and the one that says when: how long it is delayed or
 * in flight, and how often it was received.
 *
 *   made    by the first receive, lease or delay
 *   gone    with its message, or when the message is visible and was never received (a delayed one
 *           whose delay is over): nothing is in it then
 */
#include "broker/broker_record.h"

#include <errno.h>

/* ---- the chain -------------------------------------------------------------------------------- */

static uint32_t *next_of(const struct broker *broker, uint32_t handle) {
    CHECK(handle_kind(handle) == THING_PIECE); /* a timing is always the last */
    return &piece_at(broker, handle_slot(handle))->next_aside;
}

void message_add_aside(struct broker *broker, uint32_t slot, enum thing_kind kind, uint32_t aside) {
    uint32_t handle = handle_make(kind, aside);
    uint32_t *link = &message_at(broker, slot)->aside;
    if (kind == THING_TIMING) {
        while (*link != 0) link = next_of(broker, *link);
    } else {
        *next_of(broker, handle) = *link;
    }
    *link = handle;
}

void message_remove_aside(struct broker *broker, uint32_t slot, enum thing_kind kind) {
    uint32_t *link = &message_at(broker, slot)->aside;
    while (*link != 0 && handle_kind(*link) != kind) link = next_of(broker, *link);
    CHECK(*link != 0);
    *link = aside_next(broker, *link);
}

/* ---- timings ---------------------------------------------------------------------------------- */

const struct timing *message_timing(const struct broker *broker, const struct message *message) {
    static const struct timing none = {.heap_index = BROKER_NONE};
    uint32_t aside = message_aside(broker, message, THING_TIMING);
    return aside == BROKER_NONE ? &none : timing_at(broker, aside);
}

struct timing *message_timing_make(struct broker *broker, uint32_t slot) {
    uint32_t aside = message_aside(broker, message_at(broker, slot), THING_TIMING);
    if (aside != BROKER_NONE) return timing_at(broker, aside);
    struct pool *pool = &broker->pools[THING_TIMING];
    if (broker->is_replaying && !pool_reserve(pool, 1)) {
        broker->replay_result = -ENOMEM;
        return NULL;
    }
    aside = pool_next_free(pool, 0);
    struct timing *timing = pool_take(pool, aside);
    timing->heap_index = BROKER_NONE;
    message_add_aside(broker, slot, THING_TIMING, aside);
    return timing;
}

static bool is_idle(const struct timing *timing) {
    return timing->deadline_ms == 0 && timing->receive_count == 0 &&
           timing->first_received_ms == 0 && timing->nonce == 0 && timing->granted_ms == 0 &&
           timing->origin == 0;
}

void message_settle_timing(struct broker *broker, uint32_t slot) {
    uint32_t aside = message_aside(broker, message_at(broker, slot), THING_TIMING);
    if (aside == BROKER_NONE || !is_idle(timing_at(broker, aside))) return;
    message_free_timing(broker, slot);
}

void message_free_timing(struct broker *broker, uint32_t slot) {
    uint32_t aside = message_aside(broker, message_at(broker, slot), THING_TIMING);
    if (aside == BROKER_NONE) return;
    message_remove_aside(broker, slot, THING_TIMING);
    pool_free(&broker->pools[THING_TIMING], aside);
}

void message_set_granted(struct broker *broker, uint32_t slot, uint32_t granted_ms) {
    uint32_t aside = message_aside(broker, message_at(broker, slot), THING_TIMING);
    if (aside != BROKER_NONE) timing_at(broker, aside)->granted_ms = granted_ms;
}

void timing_count_receive(struct timing *timing, int64_t now_ms) {
    if (timing->receive_count < MESSAGE_RECEIVE_COUNT_MAX) timing->receive_count++;
    if (timing->first_received_ms == 0) {
        timing->first_received_ms = (uint64_t)now_ms & MESSAGE_TIME_MASK;
    }
}

/* ---- as a kind of thing: a part of its message's ------------------------------------------------ */

uint32_t timing_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                             uint32_t max) {
    CHECK(timing_at(broker, slot) != NULL && (out != NULL || max == 0));
    return 0;
}
void timing_encode(struct buffer *out, const struct timing *timing) {
    encode_i64(out, (int64_t)timing->deadline_ms);
    encode_i64(out, (int64_t)timing->first_received_ms);
    encode_u32(out, (uint32_t)timing->receive_count);
    encode_u32(out, timing->nonce);
    encode_u32(out, timing->granted_ms);
}
void timing_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    timing_encode(out, timing_at(broker, slot));
}
/* It has no home, so no record carries one. */
void timing_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || timing_at(applying->broker, slot) != NULL;
}
void timing_close(struct broker *broker, uint32_t slot) {
    CHECK(timing_at(broker, slot) != NULL); /* it holds nothing beside its slot */
}

void timing_digest_values(struct digest *digest, const struct timing *timing) {
    digest_u64(digest, timing->deadline_ms);
    digest_u64(digest, timing->receive_count);
    digest_u64(digest, timing->first_received_ms);
    digest_u64(digest, timing->nonce);
    digest_u64(digest, timing->granted_ms);
    digest_u64(digest, timing->origin);
}
void timing_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    timing_digest_values(digest, timing_at(broker, slot));
}

/* Who names it is checked by its message; that each is named by one: the counts are equal
 * (broker_digest.c). */
void timing_check(const struct broker *broker, uint32_t slot) {
    CHECK(!is_idle(timing_at(broker, slot)));
}
