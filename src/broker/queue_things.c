/* SPDX-License-Identifier: Apache-2.0 */
/* queue_things.c -- root, queue, store and message as things: how each is carried, digested and
 * checked. */
#include "base/hash.h"
#include "broker/broker_lines.h"
#include "broker/broker_names.h"
#include "broker/broker_queue.h"
#include "broker/queue_notes.h"

#include <errno.h>

/* A carry on the live state changes home and bodies only: the rest of the record says what is
 * already so. */
static bool skip_fields(struct applying *applying) {
    if (applying->broker->is_replaying) return false;
    applying->in.rest = SLICE_EMPTY;
    return true;
}

static void no_memory(struct broker *broker) {
    if (broker->replay_result == 0) broker->replay_result = -ENOMEM;
}

#define NO_BODIES(name)                                                                            \
    uint32_t name##_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out, \
                                 uint32_t max) {                                                   \
        CHECK(name##_at(broker, slot) != NULL && (out != NULL || max == 0));                       \
        return 0;                                                                                  \
    }
#define NOTHING_TO_CLOSE(name)                                                                     \
    void name##_close(struct broker *broker, uint32_t slot) {                                      \
        CHECK(name##_at(broker, slot) != NULL);                                                    \
    }

static void digest_thing(struct digest *digest, const struct thing *thing) {
    digest_u64(digest, thing->number);
    digest_u64(digest, thing->home);
}

/* ---- root ------------------------------------------------------------------------------------- */

NO_BODIES(root)
NOTHING_TO_CLOSE(root)

void root_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct root *root = root_at(broker, slot);
    buffer_append(out, slice_from(root->seed, sizeof root->seed));
    encode_u64(out, root->next_number);
    encode_u32(out, root->next_queue_id);
    encode_u32(out, root->next_line_id);
    encode_i64(out, root->hold_until_ms);
}

void root_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    if (!is_new && skip_fields(applying)) return;
    struct root *root = root_at(applying->broker, slot);
    struct slice seed = decode_bytes(&applying->in, sizeof root->seed);
    if (!applying->in.failed) memcpy(root->seed, seed.bytes, sizeof root->seed);
    root->next_number = decode_u64(&applying->in);
    root->next_queue_id = decode_u32(&applying->in);
    root->next_line_id = decode_u32(&applying->in);
    broker_hold(applying->broker, decode_i64(&applying->in));
}

void root_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct root *root = root_at(broker, slot);
    digest_thing(digest, &root->thing);
    digest_slice(digest, slice_from(root->seed, sizeof root->seed));
    digest_u64(digest, root->next_number);
    digest_u64(digest, root->next_queue_id);
    digest_u64(digest, root->next_line_id);
    digest_u64(digest, (uint64_t)root->hold_until_ms);
}

void root_check(const struct broker *broker, uint32_t slot) {
    const struct root *root = root_at(broker, slot);
    CHECK(slot == 0 && root->next_number > 0 && root->next_queue_id > 0 && root->next_line_id > 0);
}

/* ---- queue ------------------------------------------------------------------------------------ */

NO_BODIES(queue)

void queue_close(struct broker *broker, uint32_t slot) {
    allocator_give_back(broker->allocator, queue_at(broker, slot)->notes);
}

static void encode_counts(struct buffer *out, const struct queue_counts *counts) {
    encode_u64(out, counts->sent);
    encode_u64(out, counts->received);
    encode_u64(out, counts->deleted);
    encode_u64(out, counts->handed_on);
    encode_u64(out, counts->expired);
    encode_u64(out, counts->purged);
    encode_u64(out, counts->dead);
    encode_u64(out, counts->redriven);
    encode_u64(out, counts->withdrawn);
}

static struct queue_counts decode_counts(struct decoder *in) {
    struct queue_counts counts = {0};
    counts.sent = decode_u64(in);
    counts.received = decode_u64(in);
    counts.deleted = decode_u64(in);
    counts.handed_on = decode_u64(in);
    counts.expired = decode_u64(in);
    counts.purged = decode_u64(in);
    counts.dead = decode_u64(in);
    counts.redriven = decode_u64(in);
    counts.withdrawn = decode_u64(in);
    return counts;
}

void queue_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct queue *queue = queue_at(broker, slot);
    struct queue_settings settings = queue_get_settings(queue);
    encode_slice(out, queue_name(queue));
    encode_ref(out, queue_store_ref(queue));
    encode_u8(out, queue->kind);
    encode_ref(out, (struct broker_ref){queue->line_number, queue->line});
    encode_u32(out, queue->station);
    queue_encode_settings(out, &settings);
    encode_i64(out, queue->created_ms);
    encode_i64(out, queue->changed_ms);
    encode_counts(out, &queue->counts);
    queue_encode_notes(out, queue_notes(queue));
}

/* Into the maps and the index of names. */
static bool queue_enlist(struct broker *broker, struct queue *queue, struct slice name) {
    if (!map_reserve(broker->queues_by_name, 1) || !map_reserve(broker->queues_by_id, 1)) {
        no_memory(broker);
        return false;
    }
    if (name.count == 0 || name.count > sizeof queue->name || queue_find(broker, name) != NULL) {
        return false;
    }
    queue->name_count = (uint8_t)name.count;
    memcpy(queue->name, name.bytes, name.count);
    map_insert(broker->queues_by_name, hash64(name), queue->slot);
    map_insert(broker->queues_by_id, queue->thing.number, queue->slot);
    names_insert(broker, queue->slot);
    return true;
}

void queue_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    if (!is_new && skip_fields(applying)) return;
    struct queue *queue = queue_at(applying->broker, slot);
    struct slice name = decode_slice(&applying->in);
    struct broker_ref store = decode_ref(&applying->in);
    queue->slot = slot;
    queue->store = store.slot;
    queue->store_number = store.number;
    queue->kind = decode_u8(&applying->in);
    struct broker_ref line = decode_ref(&applying->in);
    queue->line = line.slot;
    queue->line_number = line.number;
    queue->station = decode_u32(&applying->in);
    struct queue_settings settings = queue_decode_settings(&applying->in);
    queue->created_ms = decode_i64(&applying->in);
    queue->changed_ms = decode_i64(&applying->in);
    queue->counts = decode_counts(&applying->in);
    struct slice notes = queue_decode_notes(&applying->in);
    if (applying->in.failed || !queue_set_notes(applying->broker, queue, notes)) return;
    queue_set_settings(queue, &settings);
    if (is_new && !queue_enlist(applying->broker, queue, name)) {
        applying->is_broken = true;
        return;
    }
    queue_update_deadline(applying->broker, slot);
}

void queue_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct queue *queue = queue_at(broker, slot);
    const struct queue_counts *counts = &queue->counts;
    digest_thing(digest, &queue->thing);
    digest_slice(digest, queue_name(queue));
    digest_slice(digest, slice_from(queue->dead_name, queue->dead_name_count));
    digest_slice(digest, queue_notes(queue));
    const uint64_t values[] = {
        queue->store,
        queue->store_number,
        queue->kind,
        queue->line,
        queue->line_number,
        queue->station,
        (uint64_t)queue->visibility_ms,
        (uint64_t)queue->delay_ms,
        (uint64_t)queue->wait_ms,
        (uint64_t)queue->retention_ms,
        queue->message_bytes_max,
        queue->dead_after,
        (uint64_t)queue->created_ms,
        (uint64_t)queue->changed_ms,
        counts->sent,
        counts->received,
        counts->deleted,
        counts->handed_on,
        counts->expired,
        counts->purged,
        counts->dead,
        counts->redriven,
        counts->withdrawn,
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) digest_u64(digest, values[i]);
}

void queue_check(const struct broker *broker, uint32_t slot) {
    const struct queue *queue = queue_at(broker, slot);
    CHECK(queue->slot == slot && queue->kind <= QUEUE_STATION_DEAD);
    CHECK(queue_find(broker, queue_name(queue)) == queue);
    CHECK(queue_find_id(broker, (uint32_t)queue->thing.number) == queue);
    CHECK((queue->dead_after == 0) == (queue->dead_name_count == 0));
    CHECK((queue->notes == NULL) == (queue->notes_count == 0));
    CHECK(queue_notes_are_sound(queue_notes(queue)));
    CHECK((queue->kind == QUEUE_PLAIN) == (queue->line == BROKER_NONE));
    names_check(broker, slot);
    const struct store *store = queue_store(broker, queue);
    CHECK(store->thing.number == queue->store_number && !store->is_shell);
    CHECK(store->queue == slot && store->queue_number == queue->thing.number);
    CHECK(store->is_station == (queue->kind != QUEUE_PLAIN));
    CHECK(queue->timer.when_ms == queue_deadline_ms(broker, slot));
}

/* ---- store ------------------------------------------------------------------------------------ */

NO_BODIES(store)

void store_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct store *store = store_at(broker, slot);
    encode_ref(out, (struct broker_ref){store->queue_number, store->queue});
    encode_u8(out, store->is_station);
}

void store_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    if (!is_new && skip_fields(applying)) return;
    struct broker *broker = applying->broker;
    struct store *store = store_at(broker, slot);
    struct broker_ref queue = decode_ref(&applying->in);
    if (is_new) {
        store->slot = slot;
        store->grave_index = BROKER_NONE;
        if (!heap_reserve(&broker->graves, broker->allocator, broker->pools[THING_STORE].count)) {
            no_memory(broker);
            return;
        }
    } else if (store->is_shell) {
        store->is_shell = false;
        broker->shells_count--;
    } else if (store_is_grave(store)) {
        broker->graved_count -= store_count(store);
    }
    store->queue = queue.slot;
    store->queue_number = queue.number;
    store->is_station = decode_u8(&applying->in) != 0;
    if (store_is_grave(store)) broker->graved_count += store_count(store);
    store_update_grave(broker, store);
    if (thing_find(broker, THING_QUEUE, queue) != NULL) queue_update_deadline(broker, queue.slot);
}

void store_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct store *store = store_at(broker, slot);
    digest_thing(digest, &store->thing);
    digest_u64(digest, store->queue);
    digest_u64(digest, store->queue_number);
    digest_u64(digest, store->is_station);
}

static void check_heap(const struct broker *broker, uint32_t slot, const struct heap *heap) {
    for (uint32_t i = 0; i < heap->count; i++) {
        const struct message *message = message_at(broker, heap_value(heap, i));
        CHECK(message->store == slot && message_timing(broker, message)->heap_index == i);
        CHECK(message->place == PLACE_DELAYED || message->place == PLACE_IN_FLIGHT);
    }
}

/* A message that is visible is in its store's shelf if there are as many of them. */
static void check_shelf(const struct broker *broker, uint32_t slot, const struct shelf *shelf) {
    struct shelf_walk walk = shelf_walk_open(shelf, UINT32_MAX);
    uint32_t at;
    while (shelf_walk_next(&walk, &at)) {
        const struct message *message = message_at(broker, at);
        CHECK(message->store == slot && message->place == PLACE_VISIBLE);
    }
}

void store_check(const struct broker *broker, uint32_t slot) {
    const struct store *store = store_at(broker, slot);
    CHECK(store->slot == slot && !store->is_shell);
    check_shelf(broker, slot, &store->visible);
    check_heap(broker, slot, &store->timed);
    heap_check(&store->timed, &timed_order, broker);
    CHECK(store->delayed_count + store->in_flight_count == store->timed.count);
    bool is_in = store->grave_index != BROKER_NONE;
    CHECK(is_in == (store_is_grave(store) && (store_count(store) > 0 || store->leased_count == 0)));
    if (is_in) CHECK(heap_value(&broker->graves, store->grave_index) == slot);
    if (store_is_grave(store)) return;
    const struct queue *queue = queue_at(broker, store->queue);
    CHECK(queue->store == slot && queue->thing.number == store->queue_number);
}

void store_close(struct broker *broker, uint32_t slot) {
    struct store *store = store_at(broker, slot);
    shelf_close(&store->visible, &broker->shelf_stock);
    heap_close(&store->timed, broker->allocator);
}

/* ---- message ---------------------------------------------------------------------------------- */

NOTHING_TO_CLOSE(message)

uint32_t message_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                              uint32_t max) {
    const struct message *message = message_at(broker, slot);
    uint32_t count = 0;
    CHECK(max >= 2);
    if (message->body_position != 0) out[count++] = message_body_ref(message);
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    if (piece != BROKER_NONE) {
        struct body_ref error = piece_error(broker, piece);
        if (error.position != 0) out[count++] = error;
    }
    return count;
}

enum { MESSAGE_IS_KIT = 1, MESSAGE_HAS_PIECE = 2, MESSAGE_HAS_BODY = 4 };

void message_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct message *message = message_at(broker, slot);
    const struct timing *timing = message_timing(broker, message);
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    uint8_t flags = 0;
    if (message->is_kit) flags |= MESSAGE_IS_KIT;
    if (piece != BROKER_NONE) flags |= MESSAGE_HAS_PIECE;
    if (message->body_position != 0) flags |= MESSAGE_HAS_BODY;
    encode_u8(out, flags);
    encode_u8(out, (uint8_t)message->place);
    bool has_store = message->store != BROKER_NONE;
    encode_ref(out, has_store ? store_ref(broker, message->store) : (struct broker_ref){0});
    encode_i64(out, (int64_t)message->sent_ms);
    timing_encode(out, timing);
    if (piece != BROKER_NONE) {
        piece_encode(broker, piece, out);
    } else {
        encode_u32(out, timing->origin);
    }
}

/* Where it is: into the heap, or the count of its store. */
static void put_in_place(struct applying *applying, uint32_t slot, enum place place,
                         struct broker_ref store_place, int64_t deadline_ms) {
    struct broker *broker = applying->broker;
    if (place == PLACE_PART) {
        message_to_part(broker, slot);
        return;
    }
    struct store *store = store_for(broker, store_place);
    if (store == NULL) return;
    switch (place) {
    case PLACE_VISIBLE: message_to_visible(broker, slot, store); break;
    case PLACE_DELAYED:
    case PLACE_IN_FLIGHT: message_to_timed(broker, slot, store, place, deadline_ms); break;
    case PLACE_LEASED: message_to_leased(broker, slot, store); break;
    default: applying->is_broken = true; break;
    }
}

/* What timing_encode wrote; the deadline is for put_in_place. False: out of memory. */
static bool carry_timing(struct applying *applying, uint32_t slot, int64_t *deadline_ms,
                         uint32_t *granted_ms) {
    struct timing *timing = message_timing_make(applying->broker, slot);
    if (timing == NULL) return false;
    *deadline_ms = decode_i64(&applying->in);
    timing->first_received_ms = (uint64_t)decode_i64(&applying->in) & MESSAGE_TIME_MASK;
    timing->receive_count = decode_u32(&applying->in) & MESSAGE_RECEIVE_COUNT_MAX;
    timing->nonce = decode_u32(&applying->in);
    *granted_ms = decode_u32(&applying->in);
    return !applying->in.failed;
}

/* Behind the timing: a piece, or of which queue it is a dead letter. */
static void carry_asides(struct applying *applying, uint32_t slot, uint8_t flags,
                         struct body_ref error) {
    struct broker *broker = applying->broker;
    if (flags & MESSAGE_HAS_PIECE) {
        piece_decode(applying, slot, error);
    } else {
        struct timing *timing = message_timing_make(broker, slot);
        uint32_t origin = decode_u32(&applying->in);
        if (timing != NULL) timing->origin = origin;
    }
    message_settle_timing(broker, slot);
}

void message_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    struct broker *broker = applying->broker;
    struct message *message = message_at(broker, slot);
    if (is_new) message->store = BROKER_NONE;
    uint8_t flags = decode_u8(&applying->in);
    bool has_body = (flags & MESSAGE_HAS_BODY) != 0;
    message_set_body(broker, message, applying_body(applying, has_body ? 0 : UINT32_MAX));
    struct body_ref error =
        applying_body(applying, applying->refs_count > has_body ? has_body : UINT32_MAX);
    bool has_piece = message_has_piece(broker, message);
    if (!is_new && skip_fields(applying)) {
        if (has_piece) piece_carried(broker, slot, error);
        return;
    }
    enum place place = (enum place)decode_u8(&applying->in);
    struct broker_ref store = decode_ref(&applying->in);
    message->sent_ms = (uint64_t)decode_i64(&applying->in) & MESSAGE_TIME_MASK;
    message->is_kit = (flags & MESSAGE_IS_KIT) != 0;
    if (has_piece) piece_free(broker, slot);
    message_unplace(broker, slot);
    int64_t deadline_ms;
    uint32_t granted_ms;
    if (!carry_timing(applying, slot, &deadline_ms, &granted_ms)) return;
    put_in_place(applying, slot, place, store, deadline_ms);
    message_set_granted(broker, slot, granted_ms);
    carry_asides(applying, slot, flags, error);
}

void message_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct message *message = message_at(broker, slot);
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    digest_thing(digest, &message->thing);
    digest_body_ref(digest, message_body_ref(message));
    const uint64_t values[] = {
        message->sent_ms, message->place, message->is_kit, message->store, piece,
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) digest_u64(digest, values[i]);
    timing_digest_values(digest, message_timing(broker, message));
    if (piece != BROKER_NONE) piece_digest(broker, piece, digest);
}

void message_check(const struct broker *broker, uint32_t slot) {
    const struct message *message = message_at(broker, slot);
    CHECK(message->place != PLACE_NONE && message->place <= PLACE_PART);
    CHECK((message->store == BROKER_NONE) == (message->place == PLACE_PART));
    bool is_timed = message->place == PLACE_DELAYED || message->place == PLACE_IN_FLIGHT;
    const struct timing *timing = message_timing(broker, message);
    CHECK(is_timed || (timing->deadline_ms == 0 && timing->granted_ms == 0));
    CHECK(message->is_kit || message->body_position != 0);
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    CHECK(piece != BROKER_NONE || (message->place != PLACE_LEASED && message->place != PLACE_PART));
    if (is_timed) {
        const struct store *store = store_at(broker, message->store);
        CHECK(heap_value(&store->timed, timing->heap_index) == slot);
    }
    if (piece != BROKER_NONE) {
        CHECK(piece_at(broker, piece)->message == slot && timing->origin == 0);
    }
}
