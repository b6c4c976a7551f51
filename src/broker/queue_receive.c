/* SPDX-License-Identifier: Apache-2.0 */
/* queue_receive.c -- visible messages are taken, oldest first.
 *
 * One that has been received as often as its queue's policy allows is not given out any more: on
 * the way it moves to the dead-letter queue, in the same record.
 */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

bool reserve_receive(struct broker *broker, const struct command *command) {
    const struct queue *queue = queue_find(broker, command->receive.queue);
    if (queue == NULL) return true;
    uint32_t taken_max = command->receive.messages_max;
    if (!pool_reserve(&broker->pools[THING_TIMING], taken_max) ||
        !store_reserve(broker, queue_store(broker, queue), taken_max)) {
        return false;
    }
    const struct queue *dead = queue_dead_queue(broker, queue);
    if (dead == NULL) return true;
    uint32_t count = queue_store(broker, queue)->visible.count;
    if (count > BROKER_STEP_MAX) count = BROKER_STEP_MAX;
    return store_reserve(broker, queue_store(broker, dead), count);
}

size_t bytes_receive(const struct command *command) {
    return command == NULL ? 0 : 128 + 12u * (BROKER_STEP_MAX + BROKER_BATCH_MAX);
}

/* What a receive does, before it is written. */
struct picks {
    uint32_t taken[BROKER_BATCH_MAX];
    uint32_t taken_count;
    uint32_t *dead; /* BROKER_STEP_MAX; NULL: there is no dead-letter queue */
    uint32_t dead_count;
};

/* Goes through the oldest ones. False: out of memory. */
static bool pick(struct deciding *deciding, const struct queue *queue, bool has_dead_queue,
                 uint32_t taken_max, struct picks *picks) {
    const struct broker *broker = deciding->broker;
    struct shelf_walk walk = shelf_walk_open(&queue_store(broker, queue)->visible, BROKER_STEP_MAX);
    if (has_dead_queue) {
        picks->dead = deciding_take(deciding, BROKER_STEP_MAX, sizeof *picks->dead);
        if (picks->dead == NULL) return false;
    }
    uint32_t slot;
    while (picks->taken_count < taken_max && shelf_walk_next(&walk, &slot)) {
        const struct message *message = message_at(broker, slot);
        if (queue_has_expired(queue, message, retention_now_ms(deciding))) continue;
        if (has_dead_queue && message_timing(broker, message)->receive_count >= queue->dead_after) {
            picks->dead[picks->dead_count++] = slot;
        } else {
            picks->taken[picks->taken_count++] = slot;
        }
    }
    return true;
}

static void answer_message(struct deciding *deciding, const struct queue *queue, uint32_t slot) {
    const struct message *message = message_at(deciding->broker, slot);
    struct broker_answer *answer = &deciding->decision->answer;
    const struct timing *timing = message_timing(deciding->broker, message);
    bool is_first = timing->first_received_ms == 0;
    uint32_t count = (uint32_t)timing->receive_count;
    struct answer_message *out = &answer->receive.messages[answer->receive.count++];
    *out = (struct answer_message){
        .message = message_ref(deciding->broker, slot),
        .nonce = timing->nonce + 1,
        .queue_slot = queue->slot,
        .receive_count = count < MESSAGE_RECEIVE_COUNT_MAX ? count + 1 : count,
        .sent = {(int64_t)message->sent_ms},
        .first_received = {is_first ? deciding->now_ms : (int64_t)timing->first_received_ms},
        .origin = timing->origin,
        .body = message_body_ref(message),
    };
    message_id(deciding->broker, message->thing.number, out->id);
}

static void write_slots(struct deciding *deciding, const uint32_t *slots, uint32_t count) {
    struct buffer *record = &deciding->decision->record;
    encode_u32(record, count);
    for (uint32_t i = 0; i < count; i++)
        encode_ref(record, message_ref(deciding->broker, slots[i]));
}

void decide_receive(struct deciding *deciding) {
    const struct command_receive *command = &deciding->command->receive;
    const struct queue *queue = deciding_queue(deciding, command->queue);
    if (queue == NULL) return;
    if (queue->kind == QUEUE_STATION) {
        refuse(deciding, BROKER_UNSUPPORTED);
        return;
    }
    CHECK(command->messages_max >= 1 && command->messages_max <= BROKER_BATCH_MAX);
    uint32_t in_flight = queue_store(deciding->broker, queue)->in_flight_count;
    if (in_flight >= BROKER_IN_FLIGHT_MAX) {
        refuse(deciding, BROKER_OVER_LIMIT);
        return;
    }
    uint32_t taken_max = command->messages_max;
    if (taken_max > BROKER_IN_FLIGHT_MAX - in_flight) taken_max = BROKER_IN_FLIGHT_MAX - in_flight;
    const struct queue *dead = queue_dead_queue(deciding->broker, queue);
    struct picks picks = {0};
    if (!pick(deciding, queue, dead != NULL, taken_max, &picks)) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    if (picks.taken_count == 0 && picks.dead_count == 0) return;
    int64_t lease_ms = command->visibility_ms < 0 ? queue->visibility_ms : command->visibility_ms;
    struct buffer *record = record_begin(deciding, RECORD_RECEIVE);
    encode_ref(record, queue_ref(queue));
    encode_ref(record, queue_store_ref(queue));
    encode_i64(record, lease_ms);
    encode_u32(record, dead == NULL ? 0 : (uint32_t)queue->thing.number);
    encode_ref(record, dead == NULL ? (struct broker_ref){0} : queue_store_ref(dead));
    write_slots(deciding, picks.taken, picks.taken_count);
    write_slots(deciding, picks.dead, picks.dead_count);
    for (uint32_t i = 0; i < picks.taken_count; i++) {
        answer_message(deciding, queue, picks.taken[i]);
    }
}

static void take(struct applying *applying, struct store *store, int64_t lease_ms) {
    struct broker_ref ref = decode_ref(&applying->in);
    if (applying_find(applying, THING_MESSAGE, ref) == NULL) return;
    struct timing *timing = message_timing_make(applying->broker, ref.slot);
    if (timing == NULL) return;
    timing->nonce++;
    timing_count_receive(timing, applying->now_ms);
    if (lease_ms == 0) { /* given out, and visible again at once */
        message_to_visible(applying->broker, ref.slot, store);
        return;
    }
    message_to_timed(applying->broker, ref.slot, store, PLACE_IN_FLIGHT,
                     applying->now_ms + lease_ms);
    message_set_granted(applying->broker, ref.slot, (uint32_t)lease_ms);
}

static void move_dead_letter(struct applying *applying, uint32_t origin, struct broker_ref place) {
    struct broker_ref ref = decode_ref(&applying->in);
    if (applying_find(applying, THING_MESSAGE, ref) == NULL) return;
    struct store *store = store_for(applying->broker, place);
    struct timing *timing = store == NULL ? NULL : message_timing_make(applying->broker, ref.slot);
    if (timing == NULL) return;
    timing->origin = origin;
    message_to_visible(applying->broker, ref.slot, store);
}

void apply_receive(struct applying *applying) {
    struct queue *queue = applying_next(applying, THING_QUEUE);
    struct broker_ref place = decode_ref(&applying->in);
    int64_t lease_ms = decode_i64(&applying->in);
    uint32_t origin = decode_u32(&applying->in);
    struct broker_ref dead_place = decode_ref(&applying->in);
    uint32_t taken_count = decode_u32(&applying->in);
    if (applying->in.failed || taken_count > BROKER_BATCH_MAX || lease_ms > BROKER_LEASE_MS_MAX) {
        applying->is_broken = true;
        return;
    }
    struct store *store = store_for(applying->broker, place);
    if (store == NULL) return;
    for (uint32_t i = 0; i < taken_count; i++) take(applying, store, lease_ms);
    uint32_t dead_count = decode_u32(&applying->in);
    if (dead_count > BROKER_STEP_MAX) applying->is_broken = true;
    for (uint32_t i = 0; i < dead_count && !applying->is_broken; i++) {
        move_dead_letter(applying, origin, dead_place);
    }
    QUEUE_COUNT(queue, received, taken_count);
    QUEUE_COUNT(queue, dead, dead_count);
}
