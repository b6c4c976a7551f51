/* SPDX-License-Identifier: Apache-2.0 */
/* broker_queue.h -- what the files of plain queues give to broker_table.c and to each other. */
#ifndef TAKT_BROKER_BROKER_QUEUE_H
#define TAKT_BROKER_BROKER_QUEUE_H

#include "broker/broker_record.h"

/* In the order of command_rows. reserve_nothing: the command makes nothing and moves messages only
 * inside their store. */
reserve_fn reserve_nothing, reserve_queue_create, reserve_queue_set, reserve_queue_purge,
    reserve_send, reserve_receive, reserve_handles, reserve_redrive, reserve_move_start,
    reserve_advance;
bytes_fn bytes_queue, bytes_send, bytes_receive, bytes_handles, bytes_step, bytes_move, bytes_carry,
    bytes_hold_retention;

/* The queue that a plain command names, or NULL: it is refused then. */
struct queue *deciding_queue(struct deciding *deciding, struct slice name);
struct broker_ref queue_ref(const struct queue *queue);
struct broker_ref queue_store_ref(const struct queue *queue);
struct queue_settings queue_get_settings(const struct queue *queue);
void queue_set_settings(struct queue *queue, const struct queue_settings *settings);
void queue_encode_settings(struct buffer *out, const struct queue_settings *settings);
struct queue_settings queue_decode_settings(struct decoder *in); /* borrowed from the record */
struct slice queue_notes(const struct queue *queue);
/* Takes lines_spare_take's memory if there are any: its notes are these from now on. False as that. */
bool queue_set_notes(struct broker *broker, struct queue *queue, struct slice notes);
/* The rest of a record or of a carried queue, if there is one; else none. */
struct slice queue_decode_notes(struct decoder *in);
void queue_encode_notes(struct buffer *out, struct slice notes);
/* The queue its dead letters go to, or NULL. */
struct queue *queue_dead_queue(const struct broker *broker, const struct queue *queue);
/* Past its retention: as good as gone, though no record has said so yet. Not at a station. */
bool queue_has_expired(const struct queue *queue, const struct message *message, int64_t now_ms);

/* The message of a receipt, or NULL: it is gone, or in another queue. */
struct message *receipt_message(const struct broker *broker, const struct queue *queue,
                                const struct receipt *receipt);

/* A dead letter becomes a new message of another queue: one entry of a record, and `count` of them
 * read from it. */
void redrive_encode(struct deciding *deciding, const struct queue *goal, uint32_t slot);
void redrive_apply(struct applying *applying, uint32_t count);

/* ---- move tasks (move_task.c) ---- */

/* Memory for the step that is due next, if one is. */
bool reserve_move_step(struct broker *broker);
void decide_move_step(struct deciding *deciding, uint32_t slot);
/* The queue is gone, and its tasks with it. */
void moves_forget(struct broker *broker, struct broker_ref source);

#endif
