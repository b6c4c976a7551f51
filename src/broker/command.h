/* SPDX-License-Identifier: Apache-2.0 */
/* command.h -- everything that can be asked of the broker, and what it answers.
 *
 * A command is borrowed for broker_decide. Times are in milliseconds; -1 means "not given" where a
 * field says so. Bodies are message bodies as message_body.h encodes them, unless said otherwise.
 */
#ifndef TAKT_BROKER_COMMAND_H
#define TAKT_BROKER_COMMAND_H

#include "base/body_ref.h"
#include "base/slice.h"
#include "base/times.h"
#include "broker/result.h"

#define BROKER_BATCH_MAX 10u           /* messages of one SQS request */
#define BROKER_LEASE_MAX 64u           /* messages of one COMMAND_LEASE */
#define BROKER_SESSION_LEASES_MAX 256u /* in the hands of one session */
#define BROKER_STATIONS_MAX 64u        /* of one line: sets of stations are 64-bit masks */
#define BROKER_LINES_MAX 256u
#define BROKER_NAME_BYTES_MAX 96u /* of a queue */
#define BROKER_SPLIT_DEPTH_MAX 16u
#define BROKER_HOPS_MAX 100u
#define BROKER_TASK_PATH_BYTES_MAX 208u /* sixteen times "~100.999999", and a last "~100" */
#define BROKER_ERROR_BYTES_MAX 4096u    /* longer reasons are cut, the end is kept */
#define BROKER_KEY_BYTES_MAX 256u
#define BROKER_DEAL_OUTPUTS_MAX 100u        /* a hand-off with more of them, */
#define BROKER_DEAL_BYTES_MAX (256u * 1024) /* or with more bytes, becomes a roll */
#define BROKER_OUTPUTS_MAX 1000000u         /* of one hand-off */
#define BROKER_OUTPUTS_BYTES_MAX (32u * 1024 * 1024)
#define BROKER_HOLD_MS (3600 * 1000) /* COMMAND_HOLD_RETENTION */
#define BROKER_STEP_MAX 1000u        /* things one advance record fires, sweeps or withdraws */

/* A thing in one of the broker's tables. Numbers are never used again; slots are. number 0: none */
struct broker_ref {
    uint64_t number;
    uint32_t slot;
};

/* ---- queues ------------------------------------------------------------------------------- */

/* Which fields of queue_settings are meant. */
enum {
    QUEUE_SET_VISIBILITY = 1 << 0,
    QUEUE_SET_DELAY = 1 << 1,
    QUEUE_SET_WAIT = 1 << 2,
    QUEUE_SET_RETENTION = 1 << 3,
    QUEUE_SET_MESSAGE_BYTES = 1 << 4,
    QUEUE_SET_DEAD = 1 << 5,
};

struct queue_settings {
    int64_t visibility_ms;      /* default 30 s */
    int64_t delay_ms;           /* default 0 */
    int64_t wait_ms;            /* default 0: of a receive that names none */
    int64_t retention_ms;       /* default 4 d */
    uint32_t message_bytes_max; /* default 1 MiB: body and attributes as SQS counts them */
    struct slice dead_queue;    /* name; empty: none */
    uint32_t dead_after;        /* receives; 1 to 1,000 */
};

#define QUEUE_NOTES_MAX 128u               /* of one queue, */
#define QUEUE_NOTES_BYTES_MAX (96u * 1024) /* all of them, as queue_notes.h writes them */

/* What a client hangs on a queue and the broker only keeps. */
struct queue_note {
    struct slice name;  /* not empty */
    struct slice value; /* bytes NULL: to be taken away; may be empty */
};

struct command_queue { /* QUEUE_CREATE, QUEUE_SET; _DELETE and _PURGE read only the name */
    struct slice name;
    uint32_t given; /* QUEUE_SET_… */
    struct queue_settings settings;
    const struct queue_note *notes; /* changes; the others stay */
    uint32_t notes_count;
};

struct command_send_entry {
    struct slice body;      /* encoded, message_body.h */
    uint32_t counted_bytes; /* as SQS counts them: text, attribute names, types and values */
    int64_t delay_ms;       /* -1: the queue's */
};
struct command_send {
    struct slice queue;
    const struct command_send_entry *entries;
    uint32_t entries_count; /* 1 to BROKER_BATCH_MAX; each succeeds or fails alone */
};

struct command_receive {
    struct slice queue;
    uint32_t messages_max; /* 1 to BROKER_BATCH_MAX */
    int64_t visibility_ms; /* -1: the queue's */
};

/* A receipt handle, opened: its text is made and checked by receipt.h. */
struct receipt {
    uint64_t number; /* the message's */
    uint32_t slot;
    uint32_t nonce; /* which receive gave it out */
    uint32_t queue_slot;
};

struct command_handles { /* DELETE, VISIBILITY, GIVE_BACK (uncounted) */
    struct slice queue;
    const struct receipt *receipts;
    const int64_t *visibility_ms; /* VISIBILITY only: one for each */
    uint32_t receipts_count;      /* 1 to BROKER_BATCH_MAX */
};

struct command_redrive { /* from a dead-letter queue back to where they came from */
    struct slice queue;
    uint32_t messages_max; /* at most BROKER_STEP_MAX */
};

struct command_move {       /* MOVE_START, MOVE_CANCEL */
    struct slice source;    /* START: a queue that is somebody's dead-letter queue */
    struct slice target;    /* START: where to; empty: to the queues that they came from */
    uint32_t per_second;    /* START: at most so many messages; 0: as fast as it goes */
    struct broker_ref move; /* CANCEL */
};

/* ---- lines -------------------------------------------------------------------------------- */

enum missing_policy { MISSING_FAIL, MISSING_PARTIAL, MISSING_DEAD };

struct line_station {
    struct slice name;
    struct slice queue;      /* its queue's name: LINE_STATION unless the file says otherwise */
    struct slice dead_queue; /* LINE_STATION_dead */
    int64_t retention_ms;
    int64_t delay_ms;
    int64_t within_ms; /* of a join */
    int64_t backoff_ms_min;
    int64_t backoff_ms_max;
    uint32_t attempts_max; /* counting the first */
    uint32_t wip_limit;    /* 0: none */
    int32_t join_opener;   /* index of the station that splits; -1: not a join */
    enum missing_policy missing;
    uint64_t reach; /* joins that can be reached from here (bit: the join's index) */
    uint64_t gates; /* stations whose WIP limit stops this one from starting */
    bool is_result; /* its output is the job's result */
    bool in_cycle;  /* it can be reached from itself */
    /* Hand-offs of one message, then it goes to no station that can be reached from itself: 1 to
     * BROKER_HOPS_MAX, which 0 stands for. */
    uint8_t hops_max;
};

struct command_line_put {
    struct slice name;
    struct slice file; /* the raw bytes of the line file: one body, as it is */
    const struct line_station *stations;
    uint32_t stations_count;
    int64_t keep_jobs_ms; /* how long a finished job is remembered */
};

struct command_job_start {
    struct broker_ref line;
    uint32_t station;
    struct slice body;
    struct slice key;      /* label to search by; empty: none */
    struct slice once;     /* idempotency key; empty: none */
    uint64_t request_hash; /* of what was asked: another one under the same `once` is a conflict */
};

struct command_session { /* SESSION_OPEN: line and station. SESSION_END: session, guilty, error */
    struct broker_ref line;
    uint32_t station;
    struct broker_ref session;
    struct broker_ref guilty; /* the message that is to blame; number 0: not known */
    struct slice error;       /* why it ended: stands in the attempts */
    bool uncounted;           /* SESSION_END: an orderly one: what it held goes back uncounted */
};

struct command_lease {
    struct broker_ref session;
    uint32_t messages_max; /* how many more the worker can take; at most BROKER_LEASE_MAX */
};

#define BROKER_TARGET_END UINT32_MAX

struct command_output {
    uint32_t station; /* index in the line, or BROKER_TARGET_END: belongs to the result */
    bool each;        /* it is one element of an `each` */
    struct slice body;
};
struct command_complete {
    struct broker_ref session;
    struct broker_ref message;
    const struct command_output *outputs; /* in the order of the split */
    uint32_t outputs_count;
    struct slice result; /* the whole output: kept if the station is the line's result; else
                                 empty */
};

struct command_attempt { /* FAIL, REJECT, RETURN (uncounted) */
    struct broker_ref session;
    struct broker_ref message;
    struct slice error;
    bool is_final; /* FAIL: another attempt would end the same way; it dies now */
};

/* The next chunk of a roll, as broker_next_roll named it and as it was read. */
struct command_roll_deal {
    struct broker_ref roll;
    struct slice chunk;
};

/* One thing written again: as broker_next_carry named it, with the bodies it asked for. */
struct command_carry {
    uint32_t kind;
    struct broker_ref thing;
    const struct slice *bodies;
    uint32_t bodies_count;
};

enum command_kind {
    COMMAND_QUEUE_CREATE,
    COMMAND_QUEUE_SET,
    COMMAND_QUEUE_DELETE,
    COMMAND_QUEUE_PURGE,
    COMMAND_SEND,
    COMMAND_RECEIVE,
    COMMAND_DELETE,
    COMMAND_VISIBILITY,
    COMMAND_GIVE_BACK,
    COMMAND_REDRIVE,
    COMMAND_MOVE_START,
    COMMAND_MOVE_CANCEL,
    COMMAND_ADVANCE,
    COMMAND_LIFE_START, /* takt has started: end the sessions of its earlier lives, uncounted */
    COMMAND_LINE_PUT,
    COMMAND_JOB_START,
    COMMAND_SESSION_OPEN,
    COMMAND_SESSION_END,
    COMMAND_LEASE,
    COMMAND_COMPLETE,
    COMMAND_FAIL,
    COMMAND_REJECT,
    COMMAND_RETURN,
    COMMAND_ROLL_DEAL,
    COMMAND_CARRY,
    COMMAND_HOLD_RETENTION, /* for an hour nothing expires by retention: the clock may be wrong */
    COMMAND_KINDS_COUNT
};

struct command {
    enum command_kind kind;
    union {
        struct command_queue queue;
        struct command_send send;
        struct command_receive receive;
        struct command_handles handles;
        struct command_redrive redrive;
        struct command_move move;
        struct command_line_put line_put;
        struct command_job_start job_start;
        struct command_session session;
        struct command_lease lease;
        struct command_complete complete;
        struct command_attempt attempt;
        struct command_roll_deal roll_deal;
        struct command_carry carry;
    };
};

/* ---- answers: plain values, good after the state has moved on ------------------------------- */

struct answer_message { /* RECEIVE */
    struct broker_ref message;
    uint32_t nonce;
    uint32_t queue_slot;
    uint32_t receive_count;
    uint32_t origin; /* number of the plain queue whose dead letter it is; 0: none */
    struct wall_time sent;
    struct wall_time first_received;
    struct body_ref body;
    uint8_t id[16];
};

struct answer_lease { /* LEASE */
    struct broker_ref message;
    struct broker_ref job;
    uint8_t job_id[16];
    uint32_t attempt;        /* 1 for the first */
    struct wall_time queued; /* when it came into this station */
    struct body_ref body;    /* position 0: it is a kit: see broker_kit_parts */
    struct body_ref order;   /* the body at the door */
    bool is_kit;
    char task_path[BROKER_TASK_PATH_BYTES_MAX]; /* "3.0": split indexes from the outside in, with
                                                   "~N" behind it in a cycle; "" at the root */
};

struct broker_answer {
    enum broker_result result;
    char detail[256]; /* more words for the client, or "" */
    union {
        struct {
            uint8_t ids[BROKER_BATCH_MAX][16];
            struct broker_ref messages[BROKER_BATCH_MAX];
            enum broker_result results[BROKER_BATCH_MAX];
        } send; /* also DELETE, VISIBILITY, GIVE_BACK: results only */
        struct {
            uint32_t count;
            struct answer_message messages[BROKER_BATCH_MAX];
        } receive;
        struct {
            uint32_t count; /* messages moved, things fired */
            bool more;      /* there may be more: ask again */
        } step;             /* REDRIVE, ADVANCE */
        struct {
            struct broker_ref move;
            uint8_t id[16];
            uint64_t moved_count;
        } move; /* MOVE_START, MOVE_CANCEL */
        struct {
            struct broker_ref line;
        } line_put;
        struct {
            struct broker_ref job;
            uint8_t id[16];
            bool existed; /* `once` was known: this is the earlier job */
        } job_start;
        struct {
            struct broker_ref session;
        } session;
        struct {
            uint32_t count;
            struct answer_lease *leases; /* memory of the decision; see broker_decide */
        } lease;
        struct {
            bool created; /* QUEUE_CREATE: false: it was there, with the same settings */
        } queue;
    };
};

#endif
