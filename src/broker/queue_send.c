/* SPDX-License-Identifier: Apache-2.0 */
/* queue_send.c -- up to ten messages into a plain queue, each taken or refused alone. */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

#define DELAY_MS_MAX (15 * 60 * 1000)

bool reserve_send(struct broker *broker, const struct command *command) {
    const struct queue *queue = queue_find(broker, command->send.queue);
    if (queue == NULL) return true; /* it will be refused */
    if (queue->kind == QUEUE_STATION) return lines_reserve_queue(broker, queue, command);
    uint32_t count = command->send.entries_count;
    return pool_reserve(&broker->pools[THING_MESSAGE], count) &&
           pool_reserve(&broker->pools[THING_TIMING], count) &&
           store_reserve(broker, queue_store(broker, queue), count);
}

size_t bytes_send(const struct command *command) {
    /* An entry of a station's queue becomes a job, with its history. */
    size_t bytes_count = 64;
    for (uint32_t i = 0; i < command->send.entries_count; i++) {
        bytes_count += 512 + command->send.entries[i].body.count;
    }
    return bytes_count;
}

static enum broker_result entry_result(const struct queue *queue,
                                       const struct command_send_entry *entry) {
    if (entry->counted_bytes > queue->message_bytes_max) return BROKER_TOO_LARGE;
    if (entry->delay_ms < -1 || entry->delay_ms > DELAY_MS_MAX) return BROKER_VALUE_INVALID;
    return BROKER_OK;
}

static void decide_entry(struct deciding *deciding, const struct queue *queue, uint32_t index) {
    const struct command_send_entry *entry = &deciding->command->send.entries[index];
    struct broker_answer *answer = &deciding->decision->answer;
    struct buffer *record = &deciding->decision->record;
    struct broker_ref ref = new_ref(deciding, THING_MESSAGE);
    int64_t delay_ms = entry->delay_ms < 0 ? queue->delay_ms : entry->delay_ms;
    encode_ref(record, ref);
    encode_i64(record, delay_ms > 0 ? deciding->now_ms + delay_ms : 0);
    (void)record_body(deciding, entry->body); /* in the order of the messages */
    answer->send.messages[index] = ref;
    message_id(deciding->broker, ref.number, answer->send.ids[index]);
}

void decide_send(struct deciding *deciding) {
    const struct command_send *command = &deciding->command->send;
    const struct queue *queue = deciding_queue(deciding, command->queue);
    if (queue == NULL) return;
    if (queue->kind == QUEUE_STATION) {
        decide_station_send(deciding, queue);
        return;
    }
    CHECK(command->entries_count >= 1 && command->entries_count <= BROKER_BATCH_MAX);
    if (queue->kind == QUEUE_STATION_DEAD) { /* a dead letter without a job would have no way */
        refuse(deciding, BROKER_UNSUPPORTED);
        return;
    }
    enum broker_result *results = deciding->decision->answer.send.results;
    uint32_t count = 0;
    for (uint32_t i = 0; i < command->entries_count; i++) {
        results[i] = entry_result(queue, &command->entries[i]);
        count += results[i] == BROKER_OK;
    }
    if (count == 0) return;
    struct buffer *record = record_begin(deciding, RECORD_SEND);
    encode_ref(record, queue_ref(queue));
    encode_ref(record, queue_store_ref(queue));
    encode_u32(record, count);
    for (uint32_t i = 0; i < command->entries_count; i++) {
        if (results[i] == BROKER_OK) decide_entry(deciding, queue, i);
    }
}

void apply_send(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct queue *queue = applying_next(applying, THING_QUEUE);
    struct broker_ref store_place = decode_ref(&applying->in);
    uint32_t count = decode_u32(&applying->in);
    if (applying->in.failed || count > BROKER_BATCH_MAX || applying->refs_count != count) {
        applying->is_broken = true;
        return;
    }
    struct store *store = store_for(broker, store_place);
    if (store == NULL) return;
    QUEUE_COUNT(queue, sent, count);
    for (uint32_t i = 0; i < count; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        int64_t deadline_ms = decode_i64(&applying->in);
        if (applying->in.failed) return;
        if (message_make(broker, ref, applying->lsn, applying->refs[i], applying->now_ms) == NULL) {
            return;
        }
        if (deadline_ms == 0) {
            message_to_visible(broker, ref.slot, store);
        } else {
            message_to_timed(broker, ref.slot, store, PLACE_DELAYED, deadline_ms);
        }
    }
}
