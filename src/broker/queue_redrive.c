/* SPDX-License-Identifier: Apache-2.0 */
/* queue_redrive.c -- dead letters go back to the queues they came from, as new messages (new number
 * and sent time, never received), oldest first. One whose queue is gone, or that was sent straight
 * to the dead-letter queue, stays where it is.
 */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

/* Looks at the oldest BROKER_STEP_MAX. */
static struct shelf_walk walk_dead(const struct broker *broker, const struct queue *queue) {
    return shelf_walk_open(&queue_store(broker, queue)->visible, BROKER_STEP_MAX);
}

static struct queue *origin_of(const struct broker *broker, const struct queue *from,
                               uint32_t slot) {
    const struct message *message = message_at(broker, slot);
    uint32_t id = message_timing(broker, message)->origin;
    if (id == 0) return NULL;
    struct queue *origin = queue_find_id(broker, id);
    return origin == from ? NULL : origin;
}

bool reserve_redrive(struct broker *broker, const struct command *command) {
    const struct queue *queue = queue_find(broker, command->redrive.queue);
    if (queue == NULL) return true;
    if (queue->kind != QUEUE_PLAIN) return lines_reserve_queue(broker, queue, command);
    struct shelf_walk walk = walk_dead(broker, queue);
    uint32_t slot;
    while (shelf_walk_next(&walk, &slot)) {
        const struct queue *origin = origin_of(broker, queue, slot);
        if (origin == NULL) continue;
        if (!store_reserve(broker, queue_store(broker, origin), command->redrive.messages_max)) {
            return false;
        }
    }
    return true;
}

/* A station's, with its step of history. */
#define REDRIVE_ENTRY_BYTES 1024u

size_t bytes_step(const struct command *command) {
    /* Of all steps (redrive, advance) the largest entry is a redriven message. */
    return command == NULL ? 0 : 1024 + (size_t)REDRIVE_ENTRY_BYTES * BROKER_STEP_MAX;
}

void redrive_encode(struct deciding *deciding, const struct queue *goal, uint32_t slot) {
    struct buffer *record = &deciding->decision->record;
    encode_ref(record, message_ref(deciding->broker, slot));
    encode_u64(record, deciding->next_number++);
    encode_ref(record, queue_ref(goal));
    encode_ref(record, queue_store_ref(goal));
}

void decide_redrive(struct deciding *deciding) {
    const struct command_redrive *command = &deciding->command->redrive;
    const struct queue *queue = deciding_queue(deciding, command->queue);
    if (queue == NULL) return;
    if (queue->kind == QUEUE_STATION) {
        struct slice dead = station_dead_name(deciding->broker, queue);
        refuse_printf(
            deciding, BROKER_UNSUPPORTED,
            "%.*s is what a station works on; its dead letters lie in %.*s: redrive those.",
            SLICE_ARGS(queue_name(queue)), SLICE_ARGS(dead));
        return;
    }
    if (queue->kind == QUEUE_STATION_DEAD) {
        decide_station_redrive(deciding, queue);
        return;
    }
    struct shelf_walk walk = walk_dead(deciding->broker, queue);
    struct broker_answer *answer = &deciding->decision->answer;
    struct buffer *record = record_begin(deciding, RECORD_REDRIVE);
    encode_ref(record, queue_ref(queue));
    size_t count_place = record->count;
    encode_u32(record, 0);
    uint32_t slot;
    while (shelf_walk_next(&walk, &slot)) {
        const struct queue *origin = origin_of(deciding->broker, queue, slot);
        const struct message *message = message_at(deciding->broker, slot);
        if (origin == NULL || queue_has_expired(queue, message, retention_now_ms(deciding)))
            continue;
        if (answer->step.count == command->messages_max) {
            answer->step.more = true;
            break;
        }
        redrive_encode(deciding, origin, slot);
        answer->step.count++;
    }
    if (answer->step.count == 0) {
        record_drop(deciding);
        answer->result = BROKER_NOTHING;
        return;
    }
    if (queue_store(deciding->broker, queue)->visible.count > BROKER_STEP_MAX) {
        answer->step.more = true;
    }
    if (!record->failed) encode_u32_at(record->bytes + count_place, answer->step.count);
}

void redrive_apply(struct applying *applying, uint32_t count) {
    struct broker *broker = applying->broker;
    for (uint32_t i = 0; i < count && !applying->in.failed; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        uint64_t number = decode_u64(&applying->in);
        struct queue *origin = applying_next(applying, THING_QUEUE);
        struct broker_ref place = decode_ref(&applying->in);
        QUEUE_COUNT(origin, sent, 1);
        root_count(broker, THING_MESSAGE, number);
        if (applying_find(applying, THING_MESSAGE, ref) == NULL) continue;
        struct store *store = store_for(broker, place);
        if (store == NULL) return;
        message_unplace(broker, ref.slot);
        message_renumber(broker, ref.slot, number, applying->now_ms);
        message_to_visible(broker, ref.slot, store);
    }
}

void apply_redrive(struct applying *applying) {
    struct queue *queue = applying_next(applying, THING_QUEUE);
    uint32_t count = decode_u32(&applying->in);
    if (applying->in.failed || count > BROKER_STEP_MAX) {
        applying->is_broken = true;
        return;
    }
    QUEUE_COUNT(queue, redriven, count);
    redrive_apply(applying, count);
}
