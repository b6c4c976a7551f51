/* SPDX-License-Identifier: Apache-2.0 */
/* lines_decide.h -- what several decide functions of lines look up or conclude. */
#ifndef TAKT_BROKER_LINES_DECIDE_H
#define TAKT_BROKER_LINES_DECIDE_H

#include "broker/job_history.h"
#include "broker/lines_effect.h"

/* A station, looked up. All borrowed from the state. */
struct station {
    const struct line *line;
    uint32_t index;
    const struct line_station *settings;
    const struct queue *queue;
    const struct queue *dead_queue;
};
/* The queue is that of a station, or its dead letters. */
struct station station_of(const struct broker *broker, const struct queue *queue);
struct station station_at(const struct broker *broker, const struct line *line, uint32_t index);
/* Where a message of a line is or waits: in its queue (also when it is leased), at a join, or dead
 * there. */
struct station station_of_message(const struct broker *broker, const struct message *message);

/* Visible, delayed and in flight. */
uint64_t station_wip(const struct broker *broker, const struct queue *queue);
bool station_is_full(const struct broker *broker, const struct line *line, uint32_t index);
/* line->limited and line->full, anew. */
void line_count_full(const struct broker *broker, struct line *line);
/* The first of its gates that is full, or BROKER_NONE. */
uint32_t station_full_gate(const struct broker *broker, const struct line *line, uint32_t index);
/* The station because of whose WIP limit no order may enter here, or BROKER_NONE: its own, or a gate
 * that is full or would be with all that waits before it. taken: more that enter in this record. */
uint32_t station_shut_by(const struct broker *broker, const struct line *line, uint32_t index,
                         uint32_t taken);

/* The slot of the line of that name, or BROKER_NONE. */
uint32_t line_find(const struct broker *broker, struct slice name);

/* Slots in ascending order: what a record does in the order of a list that replay does not rebuild
 * would not be the same in a twin. slots_open: false: out of memory (the record has failed). */
struct slots {
    uint32_t *list;
    uint32_t count;
    uint32_t max;
};
TAKT_MUST_USE bool slots_open(struct deciding *deciding, struct slots *slots, uint32_t max);
void slots_sort(struct slots *slots);

/* ---- paths ---- */

/* A split that this record opens: it stands in no table yet. */
struct new_split {
    struct broker_ref ref;
    uint32_t join; /* queue; BROKER_NONE */
};
/* Where a message with that path counts when it comes to a station. */
struct arrival {
    struct broker_ref counting_split; /* none: in no split */
    bool is_part;                     /* it has arrived at the join of that split, */
    bool is_late;                     /* which is closed */
};
/* fresh: the innermost split, if this record opens it (then `path_split` is its parent); or NULL. */
struct arrival path_arrive(const struct broker *broker, const struct new_split *fresh,
                           uint32_t path_split, const struct station *to);
/* Where a message that is handled at a station counts: as above, but never as a part. */
struct broker_ref path_counting(const struct broker *broker, uint32_t path_split,
                                const struct station *at);
uint32_t path_depth(const struct broker *broker, uint32_t path_split);
/* "3.0": the indexes from the outside in, with "~N" behind one that a cycle made. */
void path_write(const struct broker *broker, uint32_t path_split, uint32_t index, uint32_t visit,
                char out[BROKER_TASK_PATH_BYTES_MAX]);

/* ---- history ---- */

/* A buffer in the decision's arena: it never grows and is not closed. False: out of memory (the
 * record has failed). */
TAKT_MUST_USE bool deciding_buffer(struct deciding *deciding, size_t bytes_max, struct buffer *out);

/* A step of this message as it stands: the caller adds how it ended. path: memory for its text. */
struct job_step step_of(const struct deciding *deciding, uint32_t message,
                        char path[BROKER_TASK_PATH_BYTES_MAX]);
/* A body with these steps behind the job's history; gives its index. Those of a long job are counted.
 * Out of memory: the record has failed. */
uint32_t history_body(struct deciding *deciding, uint32_t job, const struct job_step *steps,
                      uint32_t steps_count);
/* Steps of several messages, perhaps of one job: a record holds one body of history a job. */
struct step_list {
    struct noted_step *list;
    uint32_t count;
    uint32_t max;
};
/* False: out of memory (the record has failed). */
TAKT_MUST_USE bool steps_open(struct deciding *deciding, struct step_list *steps, uint32_t max);
/* The step to complete: it is in the list. */
struct job_step *steps_add(struct deciding *deciding, struct step_list *steps, uint32_t message);
/* Writes the bodies, and the effects that set them. */
void steps_write(struct deciding *deciding, struct step_list *steps);
/* An error as a body, cut to its end if it is too long; BODY_NONE if it is empty. */
struct slice error_cut(struct slice error);
uint32_t error_body(struct deciding *deciding, struct slice error);

/* The message in that session's hands, or NULL: refused with LEASE_LOST. */
struct message *leased_message(struct deciding *deciding, struct broker_ref session,
                               struct broker_ref message);
/* An attempt has failed: the message dies or goes back with the station's backoff. */
struct attempt {
    uint32_t message;
    struct slice error;
    bool is_death;   /* of its worker: the first time it is back at once */
    bool is_suspect; /* it is given alone from now on */
    bool is_final;   /* it dies, whatever attempts are left */
};
void decide_attempt(struct deciding *deciding, const struct attempt *attempt);

/* A leased message goes back uncounted; if its job was rejected it is gone. */
void decide_give_up(struct deciding *deciding, uint32_t message, bool makes_suspect);
/* How long the line remembers a job that has ended. */
int64_t job_keep_ms(const struct broker *broker, const struct job *job);

/* The kit emerges at the join or, if it cannot be right, in its dead letters; the split is closed. */
void decide_emerge(struct deciding *deciding, uint32_t split, bool to_dead);
TAKT_MUST_USE bool settle_reserve(struct broker *broker);

/* Jobs: at the door. */
struct job_entry {
    struct slice body;
    struct slice key;
    int64_t delay_ms;
    const uint8_t *id;   /* 16 bytes */
    const uint8_t *once; /* 16 bytes; NULL: none */
    uint64_t request_hash;
};
/* Gives the job and its first message. */
struct broker_ref decide_job_entry(struct deciding *deciding, const struct station *station,
                                   const struct job_entry *entry, struct broker_ref *message);

#endif
