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
#define MODEL_NOTES 3u /* names of notes that clients know: "0", "1", … */
#define MODEL_MESSAGES_MAX 8192u
#define MODEL_JOBS_MAX 512u
#define MODEL_SESSIONS_MAX 256u
#define MODEL_STATIONS_MAX 9u
#define MODEL_ITEMS_MAX 8192u
#define MODEL_SPLITS_MAX 4096u
#define MODEL_ROLLS_MAX 64u
#define MODEL_ROLL_OUTPUTS_MAX 300u
#define MODEL_MOVES_MAX 256u
#define MODEL_NONE UINT32_MAX
#define MODEL_UNDO_BYTES (16u * 1024 * 1024)

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
    uint32_t body;       /* checksum */
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
    uint32_t dead;               /* MODEL_QUEUES: none */
    uint32_t notes[MODEL_NOTES]; /* lengths of their values, and one; 0: no such note */
    struct queue_counts counts;
};

struct model_move {
    uint64_t number;
    uint32_t queue;  /* whose dead letters are moved, */
    uint64_t life;   /* as long as it is this one */
    uint32_t target; /* MODEL_QUEUES: back to where they came from */
    uint32_t per_second;
    enum move_state state;
    uint64_t moved_count;
    int64_t next_ms;
};

/* ---- lines: see model_line.c. What refers to another refers to its index; MODEL_NONE: none. ---- */

enum model_item_state { ITEM_GONE, ITEM_VISIBLE, ITEM_DELAYED, ITEM_LEASED, ITEM_PART, ITEM_DEAD };

struct model_item { /* a message of a line */
    uint64_t number;
    uint32_t slot;
    enum model_item_state state;
    uint32_t job;
    uint32_t station; /* of a part: the join */
    uint32_t path;    /* innermost split of its path, */
    uint32_t index;   /* and its place in it */
    uint32_t counts;  /* the split in which it counts */
    uint32_t kit;     /* the split whose parts it holds */
    uint64_t session;
    uint32_t hops;
    uint32_t attempts;
    bool is_each;
    bool is_suspect;
    bool is_hidden;   /* DEAD, and a client has received it */
    int64_t delay_ms; /* DELAYED: about so long; 0: exactly until */
    int64_t ready_ms;
    int64_t since_ms; /* in its queue */
    uint32_t body;    /* checksum */
};

struct model_split {
    struct broker_ref ref;
    bool is_there;
    uint32_t job;
    uint32_t path; /* of the message that opened it */
    uint32_t index;
    uint32_t counts; /* the split in which it counts until its kit has come */
    uint32_t join;   /* station */
    uint32_t hops;
    enum missing_policy missing;
    bool is_closed; /* its kit has come, or never will */
    bool is_lost;   /* a part of it is gone for good */
    int64_t within_ms;
};

struct model_roll {
    struct broker_ref ref;
    bool is_there;
    uint32_t job;
    uint32_t split;
    uint32_t hops;
    uint32_t next;
    uint32_t outputs_count;
    uint8_t stations[MODEL_ROLL_OUTPUTS_MAX]; /* UINT8_MAX: to the end */
    bool each[MODEL_ROLL_OUTPUTS_MAX];
    uint32_t bodies[MODEL_ROLL_OUTPUTS_MAX]; /* checksums */
    uint32_t counts_count;
    uint32_t counts[MODEL_STATIONS_MAX]; /* splits in which outputs may come to count */
};

struct model_job {
    struct broker_ref ref;
    bool is_there;
    uint8_t id[16];
    uint32_t once;    /* which key at which station; 0: none */
    uint64_t request; /* hash */
    enum job_state state;
    bool is_lost;
    int64_t forget_ms;
    uint32_t result; /* checksum; 0: none yet */
};

struct model_session {
    uint64_t number; /* 0: free */
    uint32_t station;
};

struct model_station {
    int64_t retention_ms;
    int64_t delay_ms;
    int64_t within_ms;
    int64_t backoff_ms_min;
    int64_t backoff_ms_max;
    uint32_t attempts_max;
    uint32_t wip_limit;
    int32_t join_opener;
    enum missing_policy missing;
    uint64_t reach;
    uint64_t gates;
    bool is_result;
    bool in_cycle;
    uint32_t hops_max;
};

struct model_line {
    uint32_t stations_count; /* 0: there is no line */
    struct model_station stations[MODEL_STATIONS_MAX];
    int64_t keep_jobs_ms;
    uint32_t jobs_count;
    uint32_t items_count;
    uint32_t splits_count;
    uint32_t rolls_count;
};

/* What counts in each split and job; from the rest, as often as it is asked for. */
struct model_weights {
    uint32_t living[MODEL_SPLITS_MAX];
    uint32_t dead[MODEL_SPLITS_MAX];
    uint32_t rolls[MODEL_SPLITS_MAX];
    uint32_t parts[MODEL_SPLITS_MAX];
    uint32_t kits[MODEL_SPLITS_MAX];
    uint32_t named[MODEL_SPLITS_MAX]; /* by whatever is there */
    bool is_broken[MODEL_SPLITS_MAX];
    bool is_complete[MODEL_SPLITS_MAX];
    uint32_t job_living[MODEL_JOBS_MAX];
    uint32_t job_dead[MODEL_JOBS_MAX];
    uint32_t job_things[MODEL_JOBS_MAX];
    uint32_t wip[MODEL_STATIONS_MAX];
};

struct model_counts { /* what changes as a whole */
    uint32_t messages_count;
    uint32_t living_count;
    uint32_t moves_count;
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
    struct model_move moves[MODEL_MOVES_MAX];
    struct broker_ref line_ref; /* the same in each life */
    struct model_line line;
    struct model_job jobs[MODEL_JOBS_MAX];
    struct model_item items[MODEL_ITEMS_MAX];
    struct model_split splits[MODEL_SPLITS_MAX];
    struct model_roll rolls[MODEL_ROLLS_MAX];
    struct model_session sessions[MODEL_SESSIONS_MAX];
    struct model_weights weights;
    bool has_given_up; /* some damaged body was */
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
    bool may_be_damaged;         /* bits have turned over */
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
void model_compare_line(struct model *model, const struct broker *broker);
void model_check_idle_line(struct model *model, int64_t now_ms);
/* These bytes of the model are about to be changed. */
void model_touch(struct model *model, void *bytes, size_t count);
/* The records after this one never were. */
void model_rewind(struct model *model, uint64_t lsn);
/* It will never be rewound to before this record. */
void model_settle_to(struct model *model, uint64_t lsn);
/* Is it what was sent, or a damaged one that was given up? */
bool model_is_body(const struct model *model, struct body_ref ref, uint32_t checksum32);
void model_compare(struct model *model, const struct broker *broker);
/* Nothing is left to be done at this moment: all that is due has been. */
void model_check_idle(struct model *model, int64_t now_ms);

#endif
