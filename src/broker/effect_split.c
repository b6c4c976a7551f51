/* SPDX-License-Identifier: Apache-2.0 */
/* Splits: they open, close, and are forgotten when nothing names them any more. */
#include "broker/lines_effect.h"

void effect_split(struct deciding *deciding, const struct effect_split *effect) {
    struct buffer *out = effect_begin(deciding, EFFECT_SPLIT);
    encode_ref(out, effect->split);
    encode_ref(out, effect->job);
    encode_ref(out, effect->parent_split);
    encode_ref(out, effect->counting_split);
    encode_u32(out, effect->parent_index);
    encode_ref(out, effect->opener);
    encode_ref(out, effect->join);
    encode_u16(out, effect->hops);
    encode_u16(out, effect->visit);
    encode_u8(out, (uint8_t)effect->missing);
    encode_i64(out, effect->within_ms);
}

void effect_split_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct broker_ref ref = decode_ref(in);
    uint32_t job = job_for(broker, decode_ref(in), applying->lsn);
    uint32_t parent_split = split_for(broker, decode_ref(in), applying->lsn);
    uint32_t counting_split = split_for(broker, decode_ref(in), applying->lsn);
    if (job == BROKER_NONE) {
        applying->is_broken = true;
        return;
    }
    struct split *split = thing_make(broker, THING_SPLIT, ref, applying->lsn);
    if (split == NULL) return;
    split->job = job;
    split->parent_split = parent_split;
    split->counting_split = counting_split;
    split->parent_index = decode_u32(in);
    split->opener = decode_ref(in).slot;
    struct broker_ref join = decode_ref(in);
    split->join = join.number == 0 ? BROKER_NONE : join.slot;
    split->hops = decode_u16(in);
    split->visit = decode_u16(in);
    split->missing = decode_u8(in);
    split->within_ms = decode_i64(in);
    split->parts_first = split->parts_last = BROKER_NONE;
    split_enter(broker, ref.slot);
}

enum { SET_CLOSED = 1, SET_LOST = 2, SET_WITHIN = 4 };

void effect_split_set(struct deciding *deciding, uint32_t split,
                      const struct effect_split_set *effect) {
    struct buffer *out = effect_begin(deciding, EFFECT_SPLIT_SET);
    encode_ref(out, ref_at(deciding->broker, THING_SPLIT, split));
    encode_u8(out,
              (uint8_t)((effect->is_closed ? SET_CLOSED : 0) | (effect->is_lost ? SET_LOST : 0) |
                        (effect->sets_within ? SET_WITHIN : 0)));
    encode_i64(out, effect->within_ms);
}

void effect_split_set_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    uint8_t flags = decode_u8(&applying->in);
    int64_t within_ms = decode_i64(&applying->in);
    struct split *split = applying_find(applying, THING_SPLIT, ref);
    if (split == NULL || split->is_shell) return; /* a shell is completed further on */
    split_leave(broker, ref.slot);
    bool closes = (flags & SET_CLOSED) != 0 && !split->is_closed;
    if ((flags & SET_CLOSED) != 0) split->is_closed = true;
    if ((flags & SET_LOST) != 0) split->is_lost = true;
    if ((flags & SET_WITHIN) != 0) split->within_ms = within_ms;
    split_enter(broker, ref.slot);
    if (closes && !broker->is_replaying) kit_sort_parts(broker, ref.slot);
}

void effect_split_free(struct deciding *deciding, uint32_t split) {
    struct buffer *out = effect_begin(deciding, EFFECT_SPLIT_FREE);
    encode_ref(out, ref_at(deciding->broker, THING_SPLIT, split));
}

void effect_split_free_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    const struct split *split = applying_find(applying, THING_SPLIT, ref);
    if (split == NULL) return;
    CHECK(split->refs_count == 0 && split->parts_count == 0);
    if (split->is_shell) {
        broker->shells_count--;
    } else {
        split_leave(broker, ref.slot);
    }
    if (!broker->is_replaying) settle_remove(broker, THING_SPLIT, ref.slot);
    timer_set(broker, THING_SPLIT, ref.slot, INT64_MAX);
    thing_free(broker, THING_SPLIT, ref.slot);
}

void split_close(struct broker *broker, uint32_t slot) {
    CHECK(split_at(broker, slot) != NULL); /* it holds nothing beside its slot */
}
