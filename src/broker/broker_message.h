/* SPDX-License-Identifier: Apache-2.0 */
/* broker_message.h -- the few ways in which apply moves a message, makes one and ends it.
 *
 * Every record that puts a message into a store says which (slot and number): store_for makes a
 * shell of it if it is not known yet during replay. The heaps have room because broker_reserve has
 * called store_reserve; moves inside one store need none.
 */
#ifndef TAKT_BROKER_BROKER_MESSAGE_H
#define TAKT_BROKER_BROKER_MESSAGE_H

#include "broker/broker_home.h"

/* ---- stores ---- */

/* Memory for so many new stores. */
TAKT_MUST_USE bool stores_reserve(struct broker *broker, uint32_t stores_count);
/* The store; during replay a shell if it is missing; NULL only with broker->replay_result set. */
struct store *store_for(struct broker *broker, struct broker_ref ref);
struct broker_ref store_ref(const struct broker *broker, uint32_t slot);
/* A new, empty store of that queue. NULL as thing_make. */
struct store *store_make(struct broker *broker, struct broker_ref ref, struct broker_ref queue,
                         bool is_station, uint64_t home);
/* Room for `more_count` messages more than it holds, in any of its places. */
TAKT_MUST_USE bool store_reserve(struct broker *broker, struct store *store, uint32_t more_count);
/* It has no queue any more: the sweep's. */
void store_bury(struct broker *broker, uint32_t slot);
/* Whether it is a grave that can be swept may have changed (the functions below call it). */
void store_update_grave(struct broker *broker, struct store *store);
/* An empty one. */
void store_free(struct broker *broker, uint32_t slot);
static inline bool store_is_grave(const struct store *store) {
    return !store->is_shell && store->queue == BROKER_NONE;
}
/* In its heaps: visible, delayed, in flight by receive. */
static inline uint32_t store_count(const struct store *store) {
    return store->visible.count + store->timed.count;
}
/* The order of store->timed, for heap_walk; and a message's number. context: the broker. */
shelf_number_fn message_number;
extern const struct heap_order timed_order;

/* The queue's store. */
static inline struct store *queue_store(const struct broker *broker, const struct queue *queue) {
    return store_at(broker, queue->store);
}
/* Nothing expires by retention before: of every queue the deadline is set anew. */
void broker_hold(struct broker *broker, int64_t until_ms);
/* The deadline of a queue follows from its store and its retention. Called by everything below. */
void queue_update_deadline(struct broker *broker, uint32_t queue);
/* Replay is over: of all queues. */
void queues_replay_end(struct broker *broker);
int64_t queue_deadline_ms(const struct broker *broker, uint32_t queue); /* INT64_MAX: none */

/* ---- messages ---- */

/* A new message in PLACE_NONE with its body (no body: position 0). NULL as thing_make. */
struct message *message_make(struct broker *broker, struct broker_ref ref, uint64_t home,
                             struct body_ref body, int64_t sent_ms);
/* Out of its heap; a leased one or a part: the caller takes it out of the session's or split's list.
 * It is then in PLACE_NONE and belongs to no store. Also from PLACE_NONE. */
void message_unplace(struct broker *broker, uint32_t slot);
/* From PLACE_NONE or wherever it is (they unplace it first). */
void message_to_visible(struct broker *broker, uint32_t slot, struct store *store);
void message_to_timed(struct broker *broker, uint32_t slot, struct store *store, enum place place,
                      int64_t deadline_ms); /* PLACE_DELAYED, PLACE_IN_FLIGHT */
void message_to_leased(struct broker *broker, uint32_t slot, struct store *store);
void message_to_part(struct broker *broker, uint32_t slot);
/* Unplaces and frees it, and its timing. Its piece, if it has one, is ended before by the caller
 * (piece_free, broker_lines.h). */
void message_free(struct broker *broker, uint32_t slot);
/* Its number changes (redrive): it must be in PLACE_NONE. The record's apply calls root_count, for a
 * message that is missing too. */
void message_renumber(struct broker *broker, uint32_t slot, uint64_t number, int64_t sent_ms);
void message_set_body(struct broker *broker, struct message *message, struct body_ref body);

/* ---- their asides (message_timing.c) ---- */

/* Into the message's chain and out of it; it has none of that kind before, or one. */
void message_add_aside(struct broker *broker, uint32_t slot, enum thing_kind kind, uint32_t aside);
void message_remove_aside(struct broker *broker, uint32_t slot, enum thing_kind kind);
/* Zeros if it has none. */
const struct timing *message_timing(const struct broker *broker, const struct message *message);
/* The one it has, or a new one: broker_reserve has called pool_reserve. NULL only during replay, with
 * broker->replay_result set. It stays at least as long as something in it is not zero. */
struct timing *message_timing_make(struct broker *broker, uint32_t slot);
/* It goes if nothing is in it. */
void message_settle_timing(struct broker *broker, uint32_t slot);
void message_free_timing(struct broker *broker, uint32_t slot); /* if there is one */
void message_set_granted(struct broker *broker, uint32_t slot, uint32_t granted_ms);
void timing_count_receive(struct timing *timing, int64_t now_ms);
static inline int64_t message_deadline_ms(const struct broker *broker,
                                          const struct message *message) {
    return (int64_t)message_timing(broker, message)->deadline_ms;
}

struct body_ref message_body_ref(const struct message *message);
struct broker_ref message_ref(const struct broker *broker, uint32_t slot);
/* The queue it is in, or NULL: a part, or in a grave (it is dead). */
struct queue *message_queue(const struct broker *broker, const struct message *message);
/* The 16 bytes that clients see: from its number and the seed, shaped as a UUID. */
void message_id(const struct broker *broker, uint64_t number, uint8_t out[16]);

#endif
