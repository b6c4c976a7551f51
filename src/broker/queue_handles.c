/* SPDX-License-Identifier: Apache-2.0 */
/* queue_handles.c -- what is done with receipt handles: delete, change the visibility, give back.
 *
 *                       the message is        delete   visibility          give back
 *   current handle      in flight             deleted  changed             visible, uncounted
 *   any handle          visible again         deleted  nothing, OK         nothing, OK
 *   an earlier handle   in flight again       deleted  nothing, OK         nothing, OK
 *   any handle          gone (or elsewhere)   OK       MESSAGE_GONE        nothing, OK
 *   another queue's     -                     HANDLE_INVALID, everywhere
 */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

bool reserve_handles(struct broker *broker, const struct command *command) {
    const struct queue *queue = queue_find(broker, command->handles.queue);
    return queue == NULL || queue->kind == QUEUE_PLAIN ||
           lines_reserve_queue(broker, queue, command);
}

size_t bytes_handles(const struct command *command) {
    /* A dead letter of a station leaves a step in its job's history. */
    return 128 + (size_t)command->handles.receipts_count * 512;
}

struct message *receipt_message(const struct broker *broker, const struct queue *queue,
                                const struct receipt *receipt) {
    struct broker_ref ref = {receipt->number, receipt->slot};
    struct message *message = thing_find(broker, THING_MESSAGE, ref);
    return message != NULL && message_queue(broker, message) == queue ? message : NULL;
}

/* An entry of the batch that has something to do. */
struct entry {
    uint32_t slot;
    int64_t deadline_ms; /* VISIBILITY; 0: visible at once */
    uint32_t granted_ms;
};
struct entries {
    struct entry list[BROKER_BATCH_MAX];
    uint32_t count;
};

/* By a receive of this message. */
static bool was_given(const struct deciding *deciding, const struct message *message,
                      const struct receipt *receipt) {
    return receipt->nonce != 0 &&
           receipt->nonce <= message_timing(deciding->broker, message)->nonce;
}

static bool is_in(const struct entries *entries, uint32_t slot) {
    for (uint32_t i = 0; i < entries->count; i++) {
        if (entries->list[i].slot == slot) return true;
    }
    return false;
}

typedef enum broker_result entry_fn(const struct deciding *deciding, const struct message *message,
                                    uint32_t index, struct entry *entry, bool *has_effect);

/* The queue, with each receipt's result in the answer and in `entries` those with an effect; NULL:
 * refused. */
static const struct queue *decide_entries(struct deciding *deciding, entry_fn *decide,
                                          struct entries *entries) {
    const struct command_handles *command = &deciding->command->handles;
    const struct queue *queue = deciding_queue(deciding, command->queue);
    if (queue == NULL) return NULL;
    if (queue->kind == QUEUE_STATION) {
        refuse(deciding, BROKER_UNSUPPORTED);
        return NULL;
    }
    CHECK(command->receipts_count >= 1 && command->receipts_count <= BROKER_BATCH_MAX);
    for (uint32_t i = 0; i < command->receipts_count; i++) {
        const struct receipt *receipt = &command->receipts[i];
        enum broker_result *result = &deciding->decision->answer.send.results[i];
        const struct message *message = receipt_message(deciding->broker, queue, receipt);
        struct entry entry = {.slot = receipt->slot};
        bool has_effect = false;
        if (receipt->queue_slot != queue->slot ||
            (message != NULL && !was_given(deciding, message, receipt))) {
            *result = BROKER_HANDLE_INVALID;
        } else {
            *result = decide(deciding, message, i, &entry, &has_effect);
        }
        if (has_effect && !is_in(entries, entry.slot)) entries->list[entries->count++] = entry;
    }
    return queue;
}

static struct buffer *begin(struct deciding *deciding, enum record_kind kind,
                            const struct queue *queue, const struct entries *entries) {
    struct buffer *record = record_begin(deciding, kind);
    encode_ref(record, queue_ref(queue));
    encode_ref(record, queue_store_ref(queue));
    encode_u32(record, entries->count);
    return record;
}

static bool holds(const struct deciding *deciding, const struct message *message, uint32_t index) {
    return message != NULL && message->place == PLACE_IN_FLIGHT &&
           message_timing(deciding->broker, message)->nonce ==
               deciding->command->handles.receipts[index].nonce;
}

/* ---- delete ----------------------------------------------------------------------------------- */

static enum broker_result delete_entry(const struct deciding *deciding,
                                       const struct message *message, uint32_t index,
                                       struct entry *entry, bool *has_effect) {
    CHECK(entry->slot == deciding->command->handles.receipts[index].slot);
    *has_effect = message != NULL;
    return BROKER_OK;
}

void decide_delete(struct deciding *deciding) {
    struct entries entries = {.count = 0};
    const struct queue *queue = decide_entries(deciding, delete_entry, &entries);
    if (queue == NULL || entries.count == 0) return;
    if (queue->kind == QUEUE_STATION_DEAD) {
        decide_station_delete(deciding, queue);
        return;
    }
    struct buffer *record = begin(deciding, RECORD_DELETE, queue, &entries);
    for (uint32_t i = 0; i < entries.count; i++) {
        encode_ref(record, message_ref(deciding->broker, entries.list[i].slot));
    }
}

/* The head that `begin` wrote; how many entries follow. */
static uint32_t apply_begin(struct applying *applying, struct queue **queue,
                            struct broker_ref *place) {
    *queue = applying_next(applying, THING_QUEUE);
    *place = decode_ref(&applying->in);
    uint32_t count = decode_u32(&applying->in);
    if (applying->in.failed || count > BROKER_BATCH_MAX) {
        applying->is_broken = true;
        return 0;
    }
    return count;
}

void apply_delete(struct applying *applying) {
    struct queue *queue;
    struct broker_ref place;
    uint32_t count = apply_begin(applying, &queue, &place);
    for (uint32_t i = 0; i < count; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        if (applying_find(applying, THING_MESSAGE, ref) == NULL) continue;
        message_free(applying->broker, ref.slot);
    }
    QUEUE_COUNT(queue, deleted, count);
}

/* ---- visibility ------------------------------------------------------------------------------- */

static enum broker_result visibility_entry(const struct deciding *deciding,
                                           const struct message *message, uint32_t index,
                                           struct entry *entry, bool *has_effect) {
    int64_t lease_ms = deciding->command->handles.visibility_ms[index];
    if (lease_ms < 0 || lease_ms > BROKER_LEASE_MS_MAX) return BROKER_VALUE_INVALID;
    if (message == NULL) return BROKER_MESSAGE_GONE;
    const struct queue *queue = message_queue(deciding->broker, message);
    if (queue_has_expired(queue, message, retention_now_ms(deciding))) return BROKER_MESSAGE_GONE;
    if (!holds(deciding, message, index)) return BROKER_OK;
    const struct timing *timing = message_timing(deciding->broker, message);
    int64_t received_ms = (int64_t)timing->deadline_ms - timing->granted_ms;
    int64_t granted_ms = deciding->now_ms + lease_ms - received_ms;
    if (lease_ms > 0 && granted_ms > BROKER_LEASE_MS_MAX) return BROKER_VALUE_INVALID;
    entry->deadline_ms = lease_ms == 0 ? 0 : deciding->now_ms + lease_ms;
    entry->granted_ms = lease_ms == 0 ? 0 : (uint32_t)granted_ms;
    *has_effect = true;
    return BROKER_OK;
}

void decide_visibility(struct deciding *deciding) {
    struct entries entries = {.count = 0};
    const struct queue *queue = decide_entries(deciding, visibility_entry, &entries);
    if (queue == NULL || entries.count == 0) return;
    struct buffer *record = begin(deciding, RECORD_VISIBILITY, queue, &entries);
    for (uint32_t i = 0; i < entries.count; i++) {
        encode_ref(record, message_ref(deciding->broker, entries.list[i].slot));
        encode_i64(record, entries.list[i].deadline_ms);
        encode_u32(record, entries.list[i].granted_ms);
    }
}

void apply_visibility(struct applying *applying) {
    struct queue *queue;
    struct broker_ref place;
    uint32_t count = apply_begin(applying, &queue, &place);
    for (uint32_t i = 0; i < count; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        int64_t deadline_ms = decode_i64(&applying->in);
        uint32_t granted_ms = decode_u32(&applying->in);
        if (applying_find(applying, THING_MESSAGE, ref) == NULL) continue;
        struct store *store = store_for(applying->broker, place);
        if (store == NULL) return;
        if (deadline_ms == 0) {
            message_to_visible(applying->broker, ref.slot, store);
        } else {
            message_to_timed(applying->broker, ref.slot, store, PLACE_IN_FLIGHT, deadline_ms);
            message_set_granted(applying->broker, ref.slot, granted_ms);
        }
    }
}

/* ---- give back -------------------------------------------------------------------------------- */

static enum broker_result give_back_entry(const struct deciding *deciding,
                                          const struct message *message, uint32_t index,
                                          struct entry *entry, bool *has_effect) {
    CHECK(entry->slot == deciding->command->handles.receipts[index].slot);
    *has_effect = holds(deciding, message, index);
    return BROKER_OK;
}

void decide_give_back(struct deciding *deciding) {
    struct entries entries = {.count = 0};
    const struct queue *queue = decide_entries(deciding, give_back_entry, &entries);
    if (queue == NULL || entries.count == 0) return;
    struct buffer *record = begin(deciding, RECORD_GIVE_BACK, queue, &entries);
    for (uint32_t i = 0; i < entries.count; i++) {
        encode_ref(record, message_ref(deciding->broker, entries.list[i].slot));
    }
}

void apply_give_back(struct applying *applying) {
    struct queue *queue;
    struct broker_ref place;
    uint32_t count = apply_begin(applying, &queue, &place);
    for (uint32_t i = 0; i < count; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        if (applying_find(applying, THING_MESSAGE, ref) == NULL) continue;
        struct store *store = store_for(applying->broker, place);
        struct timing *timing =
            store == NULL ? NULL : message_timing_make(applying->broker, ref.slot);
        if (timing == NULL) return;
        if (timing->receive_count > 0) timing->receive_count--;
        if (timing->receive_count == 0) timing->first_received_ms = 0;
        message_to_visible(applying->broker, ref.slot, store);
    }
}
