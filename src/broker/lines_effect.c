/* SPDX-License-Identifier: Apache-2.0 */
/* An effect on disk: u8 kind, then its fields. References are (slot, number); none is number 0. */
#include "broker/lines_effect.h"

#include <errno.h>

struct effect_row {
    const char *name;
    void (*apply)(struct applying *applying);
};
static const struct effect_row effect_rows[EFFECT_KINDS_END] = {
#define EFFECT_ROW(number, NAME, name) [number] = {#name, effect_##name##_apply},
    EFFECTS(EFFECT_ROW)
#undef EFFECT_ROW
};

static void apply_effects(struct applying *applying) {
    struct broker *broker = applying->broker;
    while (applying->in.rest.count > 0 && !applying->is_broken && broker->replay_result == 0) {
        uint8_t kind = decode_u8(&applying->in);
        if (kind == 0 || kind >= EFFECT_KINDS_END) {
            applying->is_broken = true;
            return;
        }
        effect_rows[kind].apply(applying);
        if (applying->in.failed) applying->is_broken = true;
    }
}

/* All records of the lines are lists of effects. */
#define APPLY_EFFECTS(name)                                                                        \
    void apply_##name(struct applying *applying) {                                                 \
        apply_effects(applying);                                                                   \
    }
APPLY_EFFECTS(line_put)
APPLY_EFFECTS(job_start)
APPLY_EFFECTS(session_open)
APPLY_EFFECTS(session_end)
APPLY_EFFECTS(lease)
APPLY_EFFECTS(complete)
APPLY_EFFECTS(fail)
APPLY_EFFECTS(reject)
APPLY_EFFECTS(return )
APPLY_EFFECTS(roll_deal)
APPLY_EFFECTS(life_start)
APPLY_EFFECTS(station_due)
APPLY_EFFECTS(station_sweep)
APPLY_EFFECTS(station_redrive)
APPLY_EFFECTS(job_due)
APPLY_EFFECTS(split_due)
APPLY_EFFECTS(station_delete)
APPLY_EFFECTS(settle)

struct broker_ref ref_at(const struct broker *broker, enum thing_kind kind, uint32_t slot) {
    if (slot == BROKER_NONE) return (struct broker_ref){0};
    return (struct broker_ref){thing_at(broker, handle_make(kind, slot))->number, slot};
}

struct buffer *effect_begin(struct deciding *deciding, enum effect_kind kind) {
    struct buffer *out = &deciding->decision->record;
    encode_u8(out, (uint8_t)kind);
    return out;
}

bool lines_spare_reserve(struct broker *broker, size_t bytes_count) {
    if (bytes_count <= broker->spare_bytes) return true;
    void *memory = allocator_take(broker->allocator, bytes_count);
    if (memory == NULL) return false;
    allocator_give_back(broker->allocator, broker->spare);
    broker->spare = memory;
    broker->spare_bytes = bytes_count;
    return true;
}

void *lines_spare_take(struct broker *broker, size_t bytes_count) {
    if (broker->is_replaying) {
        void *memory = allocator_take(broker->allocator, bytes_count);
        if (memory == NULL && broker->replay_result == 0) broker->replay_result = -ENOMEM;
        return memory;
    }
    CHECK(bytes_count <= broker->spare_bytes);
    void *memory = broker->spare;
    broker->spare = NULL;
    broker->spare_bytes = 0;
    return memory;
}
