/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_message.h"

#include "base/codec.h"
#include "base/hash.h"
#include "broker/broker_lines.h"

#include <errno.h>

/* ---- orders ----------------------------------------------------------------------------------- */

uint64_t message_number(const void *context, uint32_t slot) {
    return message_at(context, slot)->thing.number;
}

static bool timed_is_less(const void *context, uint32_t a, uint32_t b) {
    const struct broker *broker = context;
    const struct message *first = message_at(broker, a);
    const struct message *second = message_at(broker, b);
    int64_t first_ms = message_deadline_ms(broker, first);
    int64_t second_ms = message_deadline_ms(broker, second);
    if (first_ms != second_ms) return first_ms < second_ms;
    return first->thing.number < second->thing.number;
}

/* What is in the heap has a timing. */
static void set_index(void *context, uint32_t value, uint32_t index) {
    uint32_t timing = message_aside(context, message_at(context, value), THING_TIMING);
    timing_at(context, timing)->heap_index = index;
}

const struct heap_order timed_order = {timed_is_less, set_index};

static bool grave_is_less(const void *context, uint32_t a, uint32_t b) {
    return store_at(context, a)->thing.number < store_at(context, b)->thing.number;
}
static void grave_set_index(void *context, uint32_t value, uint32_t index) {
    store_at(context, value)->grave_index = index;
}
static const struct heap_order grave_order = {grave_is_less, grave_set_index};

/* ---- stores ----------------------------------------------------------------------------------- */

struct broker_ref store_ref(const struct broker *broker, uint32_t slot) {
    return (struct broker_ref){store_at(broker, slot)->thing.number, slot};
}

bool stores_reserve(struct broker *broker, uint32_t stores_count) {
    struct pool *pool = &broker->pools[THING_STORE];
    return pool_reserve(pool, stores_count) &&
           heap_reserve(&broker->graves, broker->allocator, pool->count + stores_count);
}

static struct store *make(struct broker *broker, struct broker_ref ref, uint64_t home) {
    struct pool *pool = &broker->pools[THING_STORE];
    if (broker->is_replaying &&
        !heap_reserve(&broker->graves, broker->allocator, pool->count + 1)) {
        broker->replay_result = -ENOMEM;
        return NULL;
    }
    struct store *store = thing_make(broker, THING_STORE, ref, home);
    if (store == NULL) return NULL;
    store->slot = ref.slot;
    store->queue = store->grave_index = BROKER_NONE;
    return store;
}

struct store *store_for(struct broker *broker, struct broker_ref ref) {
    struct store *store = thing_find(broker, THING_STORE, ref);
    if (store != NULL) return store;
    CHECK(broker->is_replaying);
    store = make(broker, ref, broker->last_lsn);
    if (store == NULL) return NULL;
    store->is_shell = true;
    broker->shells_count++;
    return store;
}

struct store *store_make(struct broker *broker, struct broker_ref ref, struct broker_ref queue,
                         bool is_station, uint64_t home) {
    struct store *store = make(broker, ref, home);
    if (store == NULL) return NULL;
    store->queue = queue.slot;
    store->queue_number = queue.number;
    store->is_station = is_station;
    return store;
}

static uint64_t store_bytes(const struct store *store) {
    return shelf_memory_bytes(&store->visible) + heap_memory_bytes(&store->timed);
}

bool store_reserve(struct broker *broker, struct store *store, uint32_t more_count) {
    /* What is timed may become visible at any moment. */
    uint32_t visible_more = store->timed.count + more_count;
    broker->heap_bytes -= store_bytes(store);
    bool is_reserved =
        shelf_reserve(&store->visible, &broker->shelf_stock, visible_more) &&
        heap_reserve(&store->timed, broker->allocator, store->timed.count + more_count);
    broker->heap_bytes += store_bytes(store);
    return is_reserved;
}

/* What is leased comes back to the queue's new store; the grave then waits for nothing any more. */
static bool store_can_be_swept(const struct store *store) {
    return store_is_grave(store) && (store_count(store) > 0 || store->leased_count == 0);
}

void store_update_grave(struct broker *broker, struct store *store) {
    bool is_in = store->grave_index != BROKER_NONE;
    if (store_can_be_swept(store) == is_in) return;
    if (is_in) {
        heap_remove(&broker->graves, &grave_order, broker, store->grave_index);
    } else {
        heap_push(&broker->graves, &grave_order, broker, store->slot);
    }
}

void store_bury(struct broker *broker, uint32_t slot) {
    struct store *store = store_at(broker, slot);
    CHECK(!store->is_shell && store->queue != BROKER_NONE);
    store->queue = BROKER_NONE; /* its number stays: the sweep says whose messages were purged */
    broker->graved_count += store_count(store);
    store_update_grave(broker, store);
}

void store_free(struct broker *broker, uint32_t slot) {
    struct store *store = store_at(broker, slot);
    CHECK(store_count(store) == 0 && store->leased_count == 0);
    if (store->grave_index != BROKER_NONE) {
        heap_remove(&broker->graves, &grave_order, broker, store->grave_index);
    }
    if (store->is_shell) broker->shells_count--;
    broker->heap_bytes -= store_bytes(store);
    shelf_close(&store->visible, &broker->shelf_stock);
    heap_close(&store->timed, broker->allocator);
    thing_free(broker, THING_STORE, slot);
}

int64_t queue_deadline_ms(const struct broker *broker, uint32_t slot) {
    const struct queue *queue = queue_at(broker, slot);
    struct store *store =
        thing_find(broker, THING_STORE, (struct broker_ref){queue->store_number, queue->store});
    if (store == NULL) return INT64_MAX; /* replay: it will come, and this is called again */
    int64_t when_ms = INT64_MAX;
    if (store->timed.count > 0) {
        when_ms = message_deadline_ms(broker, message_at(broker, heap_value(&store->timed, 0)));
    }
    /* A station's dead letters stay until somebody takes them. */
    if (store->visible.count > 0 && queue->kind != QUEUE_STATION_DEAD) {
        const struct message *oldest = message_at(broker, shelf_first(&store->visible));
        int64_t end_ms = (int64_t)oldest->sent_ms + queue->retention_ms;
        if (end_ms < broker_hold_until_ms(broker)) end_ms = broker_hold_until_ms(broker);
        if (end_ms < when_ms) when_ms = end_ms;
    }
    return when_ms;
}

/* Replay sets them all at its end (queues_replay_end), not with each message that came and went. */
void queue_update_deadline(struct broker *broker, uint32_t slot) {
    if (broker->is_replaying) return;
    timer_set(broker, THING_QUEUE, slot, queue_deadline_ms(broker, slot));
}

void queues_replay_end(struct broker *broker) {
    const struct pool *pool = &broker->pools[THING_QUEUE];
    for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pool, slot + 1)) {
        queue_update_deadline(broker, slot);
    }
}

/* The queue of a store, if it is known. */
static struct queue *store_queue(const struct broker *broker, const struct store *store) {
    if (store->queue == BROKER_NONE) return NULL;
    return thing_find(broker, THING_QUEUE, (struct broker_ref){store->queue_number, store->queue});
}

/* What was in it has changed. */
static void store_changed(struct broker *broker, struct store *store, int32_t by) {
    if (store_is_grave(store)) {
        broker->graved_count += (uint64_t)(int64_t)by;
        store_update_grave(broker, store);
    }
    if (by < 0) {
        broker->heap_bytes -= store_bytes(store);
        heap_shrink(&store->timed, broker->allocator, store->timed.count);
        broker->heap_bytes += store_bytes(store);
    }
    if (store_queue(broker, store) != NULL) queue_update_deadline(broker, store->queue);
}

/* ---- messages --------------------------------------------------------------------------------- */

struct message *message_make(struct broker *broker, struct broker_ref ref, uint64_t home,
                             struct body_ref body, int64_t sent_ms) {
    struct message *message = thing_make(broker, THING_MESSAGE, ref, home);
    if (message == NULL) return NULL;
    message->sent_ms = (uint64_t)sent_ms & MESSAGE_TIME_MASK;
    message->store = BROKER_NONE;
    message_set_body(broker, message, body);
    return message;
}

void message_unplace(struct broker *broker, uint32_t slot) {
    struct message *message = message_at(broker, slot);
    enum place place = (enum place)message->place;
    uint32_t store_slot = message->store;
    message->place = PLACE_NONE;
    message->store = BROKER_NONE;
    if (place == PLACE_NONE || place == PLACE_PART) return;
    struct store *store = store_at(broker, store_slot);
    if (place == PLACE_LEASED) {
        CHECK(store->leased_count > 0);
        store->leased_count--;
        store_update_grave(broker, store);
        return;
    }
    if (place == PLACE_VISIBLE) {
        shelf_remove(&store->visible, &broker->shelf_stock, message_number, broker, slot);
    } else {
        struct timing *timing = message_timing_make(broker, slot); /* it has one */
        heap_remove(&store->timed, &timed_order, broker, timing->heap_index);
        uint32_t *count = place == PLACE_DELAYED ? &store->delayed_count : &store->in_flight_count;
        CHECK(*count > 0);
        (*count)--;
        timing->deadline_ms = 0;
        timing->granted_ms = 0;
        message_settle_timing(broker, slot);
    }
    store_changed(broker, store, -1);
}

/* Out of where it was, and room where it goes: replay has not reserved any. */
static bool place_begins(struct broker *broker, uint32_t slot, struct store *store) {
    message_unplace(broker, slot);
    if (!broker->is_replaying) return true;
    if (store_reserve(broker, store, 1) && shelf_stock_reserve(&broker->shelf_stock, 1))
        return true;
    broker->replay_result = -ENOMEM;
    return false;
}

void message_to_visible(struct broker *broker, uint32_t slot, struct store *store) {
    if (!place_begins(broker, slot, store)) return;
    struct message *message = message_at(broker, slot);
    message->place = PLACE_VISIBLE;
    message->store = store->slot;
    shelf_insert(&store->visible, &broker->shelf_stock, message_number, broker, slot);
    store_changed(broker, store, 1);
    const struct queue *queue = store_queue(broker, store);
    if (queue != NULL && queue->kind == QUEUE_STATION) station_got_visible(broker, queue);
    if (queue != NULL && queue->kind != QUEUE_STATION) {
        event_add(broker, THING_QUEUE, store->queue);
    }
}

void message_to_timed(struct broker *broker, uint32_t slot, struct store *store, enum place place,
                      int64_t deadline_ms) {
    CHECK(place == PLACE_DELAYED || place == PLACE_IN_FLIGHT);
    if (!place_begins(broker, slot, store)) return;
    struct timing *timing = message_timing_make(broker, slot);
    if (timing == NULL) return;
    struct message *message = message_at(broker, slot);
    message->place = (uint64_t)place & 0xF;
    timing->deadline_ms = (uint64_t)deadline_ms & MESSAGE_TIME_MASK;
    message->store = store->slot;
    heap_push(&store->timed, &timed_order, broker, slot);
    *(place == PLACE_DELAYED ? &store->delayed_count : &store->in_flight_count) += 1;
    store_changed(broker, store, 1);
}

void message_to_leased(struct broker *broker, uint32_t slot, struct store *store) {
    message_unplace(broker, slot);
    struct message *message = message_at(broker, slot);
    message->place = PLACE_LEASED;
    message->store = store->slot;
    store->leased_count++;
    store_update_grave(broker, store);
}

void message_to_part(struct broker *broker, uint32_t slot) {
    message_unplace(broker, slot);
    message_at(broker, slot)->place = PLACE_PART;
}

void message_free(struct broker *broker, uint32_t slot) {
    struct message *message = message_at(broker, slot);
    CHECK(!message_has_piece(broker, message));
    message_unplace(broker, slot);
    message_free_timing(broker, slot);
    broker->body_bytes -= message->body_count;
    thing_free(broker, THING_MESSAGE, slot);
}

void message_renumber(struct broker *broker, uint32_t slot, uint64_t number, int64_t sent_ms) {
    struct message *message = message_at(broker, slot);
    CHECK(message->place == PLACE_NONE);
    message->thing.number = number;
    message->sent_ms = (uint64_t)sent_ms & MESSAGE_TIME_MASK;
    uint32_t aside = message_aside(broker, message, THING_TIMING);
    if (aside == BROKER_NONE) return;
    struct timing *timing = timing_at(broker, aside);
    timing->first_received_ms = 0;
    timing->receive_count = 0;
    timing->origin = 0;
    message_settle_timing(broker, slot);
}

void message_set_body(struct broker *broker, struct message *message, struct body_ref body) {
    broker->body_bytes -= message->body_count;
    broker->body_bytes += body.count;
    message->body_position = body.position;
    message->body_checksum32 = body.checksum32;
    message->body_count = body.count;
}

struct body_ref message_body_ref(const struct message *message) {
    return (struct body_ref){message->body_position, message->body_checksum32, message->body_count};
}

struct broker_ref message_ref(const struct broker *broker, uint32_t slot) {
    return (struct broker_ref){message_at(broker, slot)->thing.number, slot};
}

struct queue *message_queue(const struct broker *broker, const struct message *message) {
    if (message->store == BROKER_NONE) return NULL;
    return store_queue(broker, store_at(broker, message->store));
}

void message_id(const struct broker *broker, uint64_t number, uint8_t out[16]) {
    const struct root *root = root_at(broker, 0);
    char bytes[24];
    encode_u64_at(bytes, number);
    memcpy(bytes + 8, root->seed + 8, 16);
    hash128_seeded(slice_from(bytes, sizeof bytes), decode_u64_at((const char *)root->seed), out);
    out[6] = (uint8_t)((out[6] & 0x0F) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3F) | 0x80);
}
