/* SPDX-License-Identifier: Apache-2.0 */
/* Rolls: a large split that is being dealt out. What its chunks hold: roll.h. */
#include "broker/lines_effect.h"

void effect_roll(struct deciding *deciding, const struct effect_roll *effect) {
    struct buffer *out = effect_begin(deciding, EFFECT_ROLL);
    encode_ref(out, effect->roll);
    encode_ref(out, effect->job);
    encode_ref(out, effect->split);
    encode_ref(out, effect->from);
    encode_u16(out, effect->hops);
    encode_u32(out, effect->first_chunk);
    encode_u32(out, effect->chunks_count);
    encode_u32(out, effect->targets_count);
    for (uint32_t i = 0; i < effect->targets_count; i++) encode_ref(out, effect->targets[i]);
    encode_u32(out, effect->countings_count);
    for (uint32_t i = 0; i < effect->countings_count; i++) encode_ref(out, effect->countings[i]);
}

/* The lists of targets and countings. False: a broken record, or no memory. */
bool roll_decode_lists(struct applying *applying, struct roll *roll) {
    struct decoder *in = &applying->in;
    roll->targets_count = decode_u32(in);
    if (roll->targets_count > BROKER_STATIONS_MAX) return false;
    for (uint32_t i = 0; i < roll->targets_count; i++) roll->targets[i] = decode_ref(in).slot;
    roll->countings_count = decode_u32(in);
    if (roll->countings_count > ARRAY_COUNT(roll->countings)) return false;
    for (uint32_t i = 0; i < roll->countings_count; i++) {
        roll->countings[i] = split_for(applying->broker, decode_ref(in), applying->lsn);
        if (roll->countings[i] == BROKER_NONE) return false;
    }
    return !in->failed;
}

bool roll_take_chunks(struct applying *applying, struct roll *roll, uint32_t first,
                      uint32_t count) {
    struct broker *broker = applying->broker;
    if (count > BROKER_CARRY_BODIES_MAX) return false;
    roll->chunks = lines_spare_take(broker, count * sizeof *roll->chunks);
    if (roll->chunks == NULL) return false;
    roll->chunks_count = count;
    for (uint32_t i = 0; i < count; i++) {
        roll->chunks[i] = applying_body(applying, first + i);
        broker->body_bytes += roll->chunks[i].count;
    }
    return !applying->is_broken;
}

void effect_roll_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct broker_ref ref = decode_ref(in);
    uint32_t job = job_for(broker, decode_ref(in), applying->lsn);
    uint32_t split = split_for(broker, decode_ref(in), applying->lsn);
    struct roll *roll = NULL;
    if (job != BROKER_NONE && split != BROKER_NONE) {
        roll = thing_make(broker, THING_ROLL, ref, applying->lsn);
    }
    if (roll == NULL) {
        applying->is_broken = true;
        return;
    }
    roll->job = job;
    roll->split = split;
    roll->from = decode_ref(in).slot;
    roll->hops = decode_u16(in);
    roll->turn = applying->lsn;
    uint32_t first_chunk = decode_u32(in);
    uint32_t chunks_count = decode_u32(in);
    if (!roll_decode_lists(applying, roll) ||
        !roll_take_chunks(applying, roll, first_chunk, chunks_count)) {
        applying->is_broken = true;
        return;
    }
    roll_enter(broker, ref.slot);
    broker->roll_is_stale = true;
}

void effect_roll_move(struct deciding *deciding, uint32_t roll, uint32_t chunk, uint32_t offset,
                      uint32_t index) {
    struct buffer *out = effect_begin(deciding, EFFECT_ROLL_MOVE);
    encode_ref(out, ref_at(deciding->broker, THING_ROLL, roll));
    encode_u32(out, chunk);
    encode_u32(out, offset);
    encode_u32(out, index);
}

void effect_roll_move_apply(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    uint32_t chunk = decode_u32(&applying->in);
    uint32_t offset = decode_u32(&applying->in);
    uint32_t index = decode_u32(&applying->in);
    struct roll *roll = applying_find(applying, THING_ROLL, ref);
    if (roll == NULL) return;
    if (chunk < roll->chunk || chunk > roll->chunks_count) {
        applying->is_broken = true;
        return;
    }
    for (uint32_t i = roll->chunk; i < chunk; i++) {
        applying->broker->body_bytes -= roll->chunks[i].count;
    }
    roll->chunk = chunk;
    roll->offset = offset;
    roll->index = index;
    roll->turn = applying->lsn;
    applying->broker->roll_is_stale = true;
}

void effect_roll_free(struct deciding *deciding, uint32_t roll) {
    struct buffer *out = effect_begin(deciding, EFFECT_ROLL_FREE);
    encode_ref(out, ref_at(deciding->broker, THING_ROLL, roll));
}

void effect_roll_free_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    if (applying_find(applying, THING_ROLL, ref) == NULL) return;
    roll_leave(broker, ref.slot);
    roll_close(broker, ref.slot);
    thing_free(broker, THING_ROLL, ref.slot);
    broker->roll_is_stale = true;
}

void roll_close(struct broker *broker, uint32_t slot) {
    struct roll *roll = roll_at(broker, slot);
    for (uint32_t i = roll->chunk; i < roll->chunks_count; i++) {
        broker->body_bytes -= roll->chunks[i].count;
    }
    allocator_give_back(broker->allocator, roll->chunks);
    roll->chunks = NULL;
    roll->chunks_count = roll->chunk = 0;
}
