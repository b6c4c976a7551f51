/* SPDX-License-Identifier: Apache-2.0 */
/* model.h -- what the promises mean, as plainly as it can be said: arrays, and loops over them.
 *
 * It is told of each command when it is decided, says what the answer must be, and follows. Each
 * change remembers what was there before, with its record's LSN: after a crash the model goes back
 * to the newest record that survived, as takt must.
 */
#ifndef TAKT_SIM_MODEL_H
#define TAKT_SIM_MODEL_H

#include "report.h"

#include "broker/broker.h"

#define MODEL_QUEUES 5u
#define MODEL_MESSAGES_MAX 8192u
#define MODEL_JOBS_MAX 512u
#define MODEL_LEASES_MAX 256u
#define MODEL_STATIONS 4u /* see model_line.c */
#define MODEL_UNDO_BYTES (8u * 1024 * 1024)

enum model_state { MODEL_GONE, MODEL_VISIBLE, MODEL_DELAYED, MODEL_IN_FLIGHT };

struct model_message {
    uint64_t number;
    enum model_state state;
    uint32_t queue;
    uint32_t origin; /* MODEL_QUEUES: none */
    uint64_t origin_life;
    uint32_t receives;
    uint32_t nonce;
    int64_t sent_ms;
    int64_t deadline_ms;
    int64_t received_ms; /* in flight: when */
    uint64_t body;       /* hash */
    uint8_t id[16];
};

struct model_queue {
    bool exists;
    uint64_t life; /* which making of that name */
    int64_t visibility_ms;
    int64_t delay_ms;
    int64_t retention_ms;
    uint32_t message_bytes_max;
    uint32_t dead_after;
    uint32_t dead; /* MODEL_QUEUES: none */
    struct queue_counts counts;
};

struct model_job {
    uint64_t number;
    uint8_t id[16];
    uint32_t once;    /* which key; 0: none */
    uint64_t request; /* hash */
    bool is_opened;   /* its split is */
    uint32_t outputs; /* of the split */
    uint32_t handed;  /* of these, arrived at the join */
    uint32_t dead;
    bool is_rejected;
    uint64_t kit; /* the message that is its kit; 0: none was seen */
    bool is_done; /* the kit is */
};

struct model_lease {
    uint64_t message; /* 0: free */
    uint64_t session;
    uint64_t job;
    uint32_t station;
    uint32_t attempt;
};

struct model_session {
    uint64_t number; /* 0: free */
    uint32_t station;
};

struct model_line {
    uint32_t jobs_count;
    uint32_t attempts_max;
    enum missing_policy missing;
};

struct model_counts { /* what changes as a whole */
    uint32_t messages_count;
    uint32_t living_count;
    uint64_t lives;
    int64_t hold_until_ms;
    int64_t now_ms; /* of the newest record */
};

struct model {
    struct report *report;
    char names[MODEL_QUEUES][24];
    struct model_queue queues[MODEL_QUEUES];
    struct model_counts all;
    struct model_message messages[MODEL_MESSAGES_MAX]; /* by number */
    struct model_line line;
    struct model_job jobs[MODEL_JOBS_MAX];
    struct model_lease leases[MODEL_LEASES_MAX];
    struct model_session sessions[MODEL_LEASES_MAX];
    uint64_t lsn;      /* of what is being noted */
    size_t undo_count; /* bytes */
    char undo[MODEL_UNDO_BYTES];
};

/* One decision. lsn 0: nothing was written. */
struct model_note {
    const struct command *command;
    int64_t now_ms;
    uint64_t next_number; /* that a new thing would have had */
    const struct broker_answer *answer;
    uint64_t lsn;
    const struct broker *broker; /* after it, to read the settings of queues back */
};

struct model *model_open(struct report *report); /* NULL: out of memory */
void model_close(struct model *model);
/* Of the plain queue that it is about; empty: none. */
struct slice model_queue_name(const struct command *command);
uint32_t model_find_queue(const struct model *model, struct slice name); /* MODEL_QUEUES: none */
const struct model_message *model_find(const struct model *model, uint64_t number);
void model_note(struct model *model, const struct model_note *note);
/* model_line.c: the part of model_note that is about lines. */
void model_note_line(struct model *model, const struct model_note *note);
/* These bytes of the model are about to be changed. */
void model_touch(struct model *model, void *bytes, size_t count);
/* The records after this one never were. */
void model_rewind(struct model *model, uint64_t lsn);
void model_compare(struct model *model, const struct broker *broker);
/* Nothing is left to be done at this moment: all that is due has been. */
void model_check_idle(const struct model *model, int64_t now_ms);

#endif
