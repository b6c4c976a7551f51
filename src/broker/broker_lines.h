/* SPDX-License-Identifier: Apache-2.0 */
/* broker_lines.h -- where plain queues meet lines: what each side calls of the other. */
#ifndef TAKT_BROKER_BROKER_LINES_H
#define TAKT_BROKER_BROKER_LINES_H

#include "broker/broker_record.h"

/* Making and ending what the lines need in a new broker. False: out of memory. */
TAKT_MUST_USE bool lines_open(struct broker *broker);
void lines_close(struct broker *broker);
/* For all commands of lines (COMMAND_LIFE_START to COMMAND_ROLL_DEAL). */
reserve_fn lines_reserve;
bytes_fn lines_bytes;
/* After replay: everything derived that could not be kept up on the way. 0 or -EBADMSG and words.
 * Shells are counted in broker->shells_count by whoever makes and completes them. */
TAKT_MUST_USE int lines_replay_end(struct broker *broker, char *text, size_t text_bytes);
/* After each record applied: stations that are no longer full, the next roll. */
void lines_applied(struct broker *broker);
/* A message has become visible in a station's queue. */
void station_got_visible(struct broker *broker, const struct queue *queue);
/* From decide_advance, before anything else: what follows from what has happened
 * (broker.settles). */
void decide_settle(struct deciding *deciding);
/* What holds over several lines' things. */
void lines_check(const struct broker *broker);

/* A plain client's command on a station's queue; the queue was found and is of that kind.
 * send: to a station's queue: each entry starts a job. redrive, delete: of its dead queue.
 * purge: either. Each fills the answer as its plain twin does. */
void decide_station_send(struct deciding *deciding, const struct queue *queue);
/* What the dead letters of that station's queue are called. */
struct slice station_dead_name(const struct broker *broker, const struct queue *queue);
void decide_station_redrive(struct deciding *deciding, const struct queue *queue);
void decide_station_delete(struct deciding *deciding, const struct queue *queue);
/* From decide_advance: the earliest deadline is that of this queue, job or split; or nothing is due
 * and this grave is the first to be swept. At most BROKER_STEP_MAX things; fills answer.step. */
void decide_station_due(struct deciding *deciding, const struct queue *queue);
void decide_station_sweep(struct deciding *deciding, uint32_t store);
void decide_job_due(struct deciding *deciding, uint32_t job);
void decide_split_due(struct deciding *deciding, uint32_t split);
/* How many ended jobs are to be forgotten now since there are too many; 0: there are not. */
uint32_t jobs_too_many(const struct broker *broker);
void decide_jobs_too_many(struct deciding *deciding);
/* Memory that such an advance may need (a dead queue's heap). */
TAKT_MUST_USE bool lines_reserve_advance(struct broker *broker);
/* …and a send, redrive or delete on that station's queue. */
TAKT_MUST_USE bool lines_reserve_queue(struct broker *broker, const struct queue *queue,
                                       const struct command *command);

/* The piece of a message: as part of the message's carry record, digest and end. decode (replay
 * only): for a message that has none; makes the piece in the slot that the record says. error: its
 * body in the new record, position 0: none. carried: on the live state, only the error has moved. */
void piece_encode(const struct broker *broker, uint32_t piece, struct buffer *out);
void piece_decode(struct applying *applying, uint32_t message, struct body_ref error);
void piece_carried(struct broker *broker, uint32_t message, struct body_ref error);
/* The piece's error body, if any, follows the message's own in its carry. */
struct body_ref piece_error(const struct broker *broker, uint32_t piece);
/* Out of its lists and counts, slot free. */
void piece_free(struct broker *broker, uint32_t message);
/* For broker_peek: zero if there is none. */
void piece_job_id(const struct broker *broker, uint32_t piece, uint8_t out[16]);

/* Which of job_carry_bodies are the newest of its history and of its early chain; UINT32_MAX: none. */
void job_carry_chains(const struct broker *broker, uint32_t job, uint32_t *chain, uint32_t *early);

/* ---- for the lines: queues of stations -------------------------------------------------------- */

/* As part of LINE_PUT: makes a station's queue and its store. Memory: queue_reserve. */
struct queue_make {
    struct broker_ref queue; /* new_queue_ref */
    struct broker_ref store; /* new_ref THING_STORE */
    struct slice name;
    enum queue_kind kind;
    struct broker_ref line;
    uint32_t station;
    struct queue_settings settings;
};
TAKT_MUST_USE bool queue_reserve(struct broker *broker, uint32_t queues_count);
/* NULL as thing_make. */
struct queue *queue_make(struct broker *broker, const struct queue_make *make, uint64_t home,
                         int64_t now_ms);
/* Its store is buried, its name free. */
void queue_free(struct broker *broker, uint32_t slot);
/* By name; NULL. */
struct queue *queue_find(const struct broker *broker, struct slice name);
struct queue *queue_find_id(const struct broker *broker, uint32_t id);
struct slice queue_name(const struct queue *queue);
/* The settings of a queue that names none. */
struct queue_settings queue_settings_default(void);

#endif
