/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_lines.h"
#include "broker/broker_names.h"
#include "broker/broker_queue.h"

static void fill(const struct broker *broker, const struct queue *queue, struct queue_view *out) {
    const struct store *store = queue_store(broker, queue);
    *out = (struct queue_view){
        .ref = queue_ref(queue),
        .name = queue_name(queue),
        .kind = (enum queue_kind)queue->kind,
        .line = {queue->line_number, queue->line},
        .station = queue->station,
        .settings = queue_get_settings(queue),
        .notes = queue_notes(queue),
        .visible_count = store->visible.count,
        .in_flight_count = (uint64_t)store->in_flight_count + store->leased_count,
        .delayed_count = store->delayed_count,
        .created = {queue->created_ms},
        .changed = {queue->changed_ms},
        .counts = queue->counts,
    };
    if (store->visible.count > 0) {
        const struct message *oldest = message_at(broker, shelf_first(&store->visible));
        out->oldest_sent.ms = (int64_t)oldest->sent_ms;
    }
}

bool broker_find_queue(const struct broker *broker, struct slice name, struct queue_view *out) {
    const struct queue *queue = queue_find(broker, name);
    if (queue != NULL) fill(broker, queue, out);
    return queue != NULL;
}

bool broker_get_queue(const struct broker *broker, struct broker_ref ref, struct queue_view *out) {
    const struct queue *queue = thing_find(broker, THING_QUEUE, ref);
    if (queue != NULL) fill(broker, queue, out);
    return queue != NULL;
}

bool broker_find_queue_number(const struct broker *broker, uint32_t number,
                              struct queue_view *out) {
    const struct queue *queue = queue_find_id(broker, number);
    if (queue != NULL) fill(broker, queue, out);
    return queue != NULL;
}

bool broker_next_queue(const struct broker *broker, struct slice after, struct slice prefix,
                       struct queue_view *out) {
    bool is_before = slice_compare(after, prefix) < 0 || after.count == 0;
    uint32_t slot = names_next(broker, is_before ? prefix : after, is_before);
    if (slot == BROKER_NONE) return false;
    const struct queue *queue = queue_at(broker, slot);
    if (!slice_starts_with(queue_name(queue), prefix)) return false;
    fill(broker, queue, out);
    return true;
}

static void peek(const struct broker *broker, const struct queue *queue, uint32_t slot,
                 struct peek_message *out) {
    const struct message *message = message_at(broker, slot);
    const struct timing *timing = message_timing(broker, message);
    *out = (struct peek_message){
        .message =
            {
                .message = message_ref(broker, slot),
                .nonce = timing->nonce,
                .queue_slot = queue->slot,
                .receive_count = (uint32_t)timing->receive_count,
                .sent = {(int64_t)message->sent_ms},
                .first_received = {(int64_t)timing->first_received_ms},
                .body = message_body_ref(message),
            },
        .in_flight = message->place == PLACE_IN_FLIGHT,
        .delayed = message->place == PLACE_DELAYED,
    };
    message_id(broker, message->thing.number, out->message.id);
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    if (piece == BROKER_NONE) return;
    out->error = piece_error(broker, piece);
    piece_job_id(broker, piece, out->job_id);
}

/* Those in the heap of deadlines; how many. The walk's memory is small and of this call; without it
 * there is nothing to see. */
static uint32_t peek_timed(const struct broker *broker, const struct queue *queue,
                           const struct heap *heap, struct peek_message *out, uint32_t max) {
    struct arena arena;
    struct heap_walk walk;
    uint32_t count = 0;
    uint32_t slot;
    arena_open(&arena, broker->allocator, SIZE_MAX);
    if (heap_walk_open(&walk, heap, &timed_order, broker, &arena, max)) {
        while (heap_walk_next(&walk, &slot)) peek(broker, queue, slot, &out[count++]);
    }
    arena_close(&arena);
    return count;
}

uint32_t broker_peek(const struct broker *broker, struct slice name, struct peek_message *out,
                     uint32_t max) {
    const struct queue *queue = queue_find(broker, name);
    if (queue == NULL) return 0;
    const struct store *store = queue_store(broker, queue);
    struct shelf_walk walk = shelf_walk_open(&store->visible, max);
    uint32_t count = 0;
    uint32_t slot;
    while (shelf_walk_next(&walk, &slot)) peek(broker, queue, slot, &out[count++]);
    return count + peek_timed(broker, queue, &store->timed, out + count, max - count);
}

void broker_get_totals(const struct broker *broker, struct broker_totals *out) {
    *out = (struct broker_totals){
        .messages_count = broker->pools[THING_MESSAGE].count - broker->graved_count,
        .queues_count = broker->pools[THING_QUEUE].count,
        .jobs_count = broker->pools[THING_JOB].count,
        .jobs_running = broker->jobs_running,
        .sessions_count = broker->pools[THING_SESSION].count,
        .memory_bytes = broker->heap_bytes + broker->notes_bytes +
                        shelf_stock_memory_bytes(&broker->shelf_stock) +
                        pool_memory_bytes(&broker->tallies),
    };
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        out->memory_bytes += pool_memory_bytes(&broker->pools[kind]);
    }
}
