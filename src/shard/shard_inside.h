/* SPDX-License-Identifier: Apache-2.0 */
/* shard_inside.h -- the insides of a shard, shared by shard*.c only.
 *
 * Everybody else sees shard.h.
 */
#ifndef TAKT_SHARD_SHARD_INSIDE_H
#define TAKT_SHARD_SHARD_INSIDE_H

#include "base/list.h"
#include "broker/job_totals.h"
#include "shard/shard.h"

#define SHARD_BUCKETS 1024u   /* of each of the two hash tables: queues waited at, jobs watched */
#define SHARD_HELD_CLASSES 3u /* sizes of held answers, see shard_hold.c */
#define SHARD_HELD_RESERVE 1024u  /* refusals that can be held when memory is out */
#define SHARD_HELD_SPARE_MAX 512u /* free blocks kept of each class */
#define SHARD_RANDOM_BYTES 4096u  /* drawn at once, handed out 32 a command */
#define SHARD_EVENTS_MAX 4096u    /* events answered in one go; then the loop gets its turn */
#define SHARD_SETTLES_MAX 4u      /* of a batch at once; the others in bulk, by the shard's turn */
#define SHARD_RETRY_MS 500        /* after what did not go, and no commit will change it */
#define SHARD_WAIT_MS_MAX 20000   /* SQS's longest long poll */
#define SHARD_NEVER INT64_MAX
#define SHARD_TRIMS_MAX 16u

/* ---- shard_hold.c: what waits until an LSN is durable -------------------------------------- */

enum held_end {
    HELD_DURABLE, /* what it rests on is durable */
    HELD_FAILED,  /* it never will be */
    HELD_DROPPED, /* the shard is being closed: only free it */
};
struct held;
typedef void held_end_fn(struct shard *shard, struct held *held, enum held_end end);
struct held {
    struct list_link link; /* in shard.held or shard.releasing */
    uint64_t lsn;
    held_end_fn *end;
};

/* An answer as small as its kind allows; `bytes` is the part of the union that is meant, then the
 * detail. */
struct held_answer {
    struct held held; /* first */
    union {
        shard_answer_fn *answer;
        shard_durable_fn *durable;
    } done;
    void *context;
    struct answer_lease *leases; /* a copy of its own; NULL: none */
    enum broker_result result;
    uint16_t payload_bytes;
    uint16_t detail_bytes;
    uint8_t size_class;
    bool is_reserve;
    _Alignas(8) char bytes[];
};

struct held_pool {
    struct list_link free; /* of struct held_answer, by held.link */
    uint32_t free_count;
};

/* A copy of the answer, not yet held. NULL: out of memory. */
TAKT_MUST_USE struct held_answer *shard_answer_take(struct shard *shard, enum command_kind kind,
                                                    const struct broker_answer *answer,
                                                    shard_answer_fn *done, void *context);
/* A refusal without words of its own; there is always memory for one. */
struct held_answer *shard_refusal_take(struct shard *shard, enum broker_result result,
                                       shard_answer_fn *done, void *context);
void shard_answer_give_back(struct shard *shard, struct held_answer *held);
/* What was copied; good until the held answer is given back. */
void shard_answer_read(const struct held_answer *held, struct broker_answer *out);
/* Behind everything applied up to now. */
void shard_hold(struct shard *shard, struct held *held);
/* End what is ready, in order. Never inside a call that submits. */
void shard_release(struct shard *shard);
TAKT_MUST_USE int shard_hold_open(struct shard *shard);
void shard_hold_drop(struct shard *shard);  /* ends what is still held without a word */
void shard_hold_close(struct shard *shard); /* last of all: the memory of answers */

/* ---- shard_submit.c ------------------------------------------------------------------------- */

/* Reserve and decide: shard->decision then holds the answer, and a record if there is one. */
void shard_decide(struct shard *shard, const struct command *command);
/* Append and apply the decision's record. False if it has none. */
bool shard_commit(struct shard *shard);
/* A command of the shard's own: decide, commit, and what follows comes later (shard_drain).
 * BROKER_NOTHING when it was decided that nothing is to be written. */
enum broker_result shard_do(struct shard *shard, const struct command *command);
/* It may go next time: there was no room or no memory, or too much is on its way. */
bool shard_is_passing(enum broker_result result);

/* ---- shard_events.c ------------------------------------------------------------------------- */

/* Answer what the last records have made possible. Harmless inside itself. */
void shard_drain(struct shard *shard);

/* ---- shard_receive.c ------------------------------------------------------------------------ */

struct parked_queue { /* a plain queue at which receivers wait */
    struct list_link bucket;
    struct list_link waiting; /* head, of struct shard_receive: the longest first */
    struct list_link wake;    /* in shard.wake or shard.wake_later, or in none */
    struct broker_ref queue;
};
struct shard_receive {
    struct shard *shard;
    struct list_link link;       /* parked: in `parked`; cancelled: in shard.give_back */
    struct parked_queue *parked; /* NULL: not parked */
    struct held_answer *held;    /* decided: its answer */
    struct broker_ref queue;
    int64_t visibility_ms;
    int64_t deadline_ns; /* mono_time */
    uint32_t heap_index;
    uint32_t messages_max;
    bool is_long;
    bool is_cancelled;
    bool is_released; /* cancelled, and its answer has come by: it only lives to give back */
    shard_answer_fn *done;
    void *context;
};

void shard_wake_queue(struct shard *shard, struct broker_ref queue);
/* Serve the queues that were woken. True if something was appended. */
bool shard_wake_receivers(struct shard *shard);
/* Return what cancelled receives hold. True if something was appended. */
bool shard_give_back(struct shard *shard);
/* A commit went through: what could not be served is tried again. */
void shard_receive_again(struct shard *shard);
/* Answer those whose time is over; some at a time. False: there are more. */
bool shard_receive_expire(struct shard *shard);
int64_t shard_receive_next_ns(const struct shard *shard); /* SHARD_NEVER */
void shard_receive_end_all(struct shard *shard);          /* BROKER_UNAVAILABLE for the parked */
void shard_receive_open(struct shard *shard);
void shard_receive_close(struct shard *shard);

/* ---- shard_watch.c -------------------------------------------------------------------------- */

void shard_watch_open(struct shard *shard);
void shard_watch_close(struct shard *shard);
/* The job's state has changed. */
void shard_watch_wake(struct shard *shard, struct broker_ref job);

/* ---- shard_roll.c, shard_carry.c, shard_advance.c: what goes on by itself -------------------- */

struct shard_roll {
    bool is_reading;         /* one chunk is under way */
    uint64_t said_of;        /* number of the roll whose error was said; 0: none */
    int64_t retry_ns;        /* until then the rolls behind `after` alone; 0: all */
    struct broker_ref after; /* its chunk cannot be read now */
    struct broker_ref roll;
    struct body_ref chunk;
};
/* Deal the next chunk, if there is one. */
void shard_roll_step(struct shard *shard);
bool shard_roll_is_wanted(const struct shard *shard);

/* The records that must follow those before: a kit emerges, a job ends. At most SHARD_SETTLES_MAX a
 * batch. True if something was appended. */
bool shard_settle(struct shard *shard);

struct carry_read {
    struct shard *shard;
    uint32_t index;
};
/* Everything below `lsn` has been written again. */
struct carry_trim {
    uint64_t lsn;
    uint64_t rest; /* answers decided up to here may name bodies that lie there … */
    int64_t at_ns; /* … and who has them may begin to read until then */
};
/* A chain of a job's history, read newest first, that becomes one body: its newest steps, and the
 * totals of the others. */
struct carry_chain {
    uint32_t body;        /* which of the thing's */
    bool keeps;           /* steps: up to JOB_HISTORY_BYTES_MAX */
    bool counts;          /* the others */
    bool is_full;         /* a body was too much: what is kept has no gaps, so all older ones are */
    struct body_ref next; /* to be read; position 0: none */
    uint32_t kept_count;  /* bodies in `kept` */
    struct buffer kept;
    size_t kept_ends[JOB_HISTORY_CHAIN_MAX];
    uint64_t left_out; /* steps that are neither kept nor counted */
    struct arena arena;
    struct job_totals totals;
    struct buffer joined[2]; /* the history; the early chain of a long job */
};
/* shard_history.c */
void shard_history_open(struct carry_chain *chain, const struct allocator *allocator);
void shard_history_close(struct carry_chain *chain);
void shard_history_begin(struct carry_chain *chain, uint32_t body, bool keeps, bool counts);
/* The next body of the chain: sets `next`. -EBADMSG, -ENOMEM. */
TAKT_MUST_USE int shard_history_add(struct carry_chain *chain, struct slice bytes);
/* All of it as one body. */
TAKT_MUST_USE int shard_history_join(struct carry_chain *chain, struct buffer *out);

struct shard_carry {
    bool is_reading;
    bool is_beginning; /* inside the call that begins the reads: they may end at once */
    bool is_silent;
    bool is_stale; /* what was read may have changed meanwhile */
    int64_t retry_ns;
    uint64_t credit; /* bytes that may be carried */
    uint64_t spent;  /* …of it in this turn */
    uint64_t wanted; /* the LSN below which the journal wants nothing to have its home */
    uint32_t pace;   /* thousandths */
    uint64_t below;  /* `wanted` when this item was begun */
    uint64_t asked;  /* …and when a trim was last put into `trims` */
    struct carry_trim trims[SHARD_TRIMS_MAX]; /* oldest first */
    uint32_t trims_count;
    struct broker_carry item;
    uint32_t reads_left;
    int result;
    uint32_t damaged_count; /* bodies of the item */
    uint32_t looks_count;   /* at the damaged bodies of the thing last met with some */
    uint32_t damaged_kind;
    struct broker_ref damaged_thing;
    struct buffer bytes; /* the bodies, one after the other */
    struct carry_read reads[BROKER_CARRY_BODIES_MAX];
    struct slice bodies[BROKER_CARRY_BODIES_MAX];
    struct carry_chain chain;
};
void shard_carry_open(struct shard *shard);
void shard_carry_close(struct shard *shard);
void shard_carry_step(struct shard *shard);
/* What the journal wants now: once a commit and once a turn. */
void shard_carry_ask(struct shard *shard);
bool shard_carry_is_wanted(const struct shard *shard);
/* The journal is told what may go. */
void shard_carry_trim(struct shard *shard);
/* bytes_count were appended for others: so much more is to be carried. */
void shard_carry_pay(struct shard *shard, size_t bytes_count);
int64_t shard_carry_next_ns(const struct shard *shard);

/* The timer's callback: everything above, a little of each. */
void shard_turn(void *context);
/* The loop's next turn shall call shard_turn. */
void shard_turn_soon(struct shard *shard);
/* Set the timer to what comes next, if that is earlier than what it is set to. */
void shard_arm(struct shard *shard);
/* Is there something to be done at once, that nothing keeps from being done? */
bool shard_has_work(const struct shard *shard);

/* ---- shard_time.c --------------------------------------------------------------------------- */

struct shard_clock {
    int64_t base_ns; /* takt's time at base_mono */
    struct mono_time base_mono;
    int64_t difference_ns; /* the wall clock's lead at base_mono */
};
void shard_clock_start(struct shard *shard);
void shard_clock_follow(struct shard *shard); /* call it now and then */

/* ---------------------------------------------------------------------------------------------- */

struct shard {
    struct env *env;
    const struct log *log;
    struct journal *journal;
    struct broker *broker;
    void (*on_failure)(void *context, int result);
    void *context;
    shard_station_fn *on_station;
    void *on_station_context;
    int64_t refs_good_ns;

    uint64_t lsn_applied;
    uint64_t lsn_durable;
    bool is_failed; /* the journal is */
    bool is_closing;
    bool is_draining;
    bool is_busy;   /* the journal takes no more before its next commit has ended */
    bool has_again; /* an event that was met by a busy journal */
    struct broker_event again;

    struct broker_decision decision;
    struct body_ref refs[BROKER_DECISION_BODIES_MAX];
    struct shard_clock clock;
    uint8_t random[SHARD_RANDOM_BYTES];
    uint32_t random_used;

    struct list_link held;
    struct list_link releasing;
    bool is_releasing;
    struct held_pool pools[SHARD_HELD_CLASSES];
    struct held_pool reserve;
    void *reserve_memory;
    struct broker_answer answer; /* what is being released */

    struct env_timer *timer;
    int64_t timer_ns;    /* when it fires; 0: at once; SHARD_NEVER */
    int64_t deadline_ms; /* the broker's, of which the timer knows */
    int64_t advance_retry_ns;
    uint32_t settles_count; /* since the last commit */

    struct list_link queue_buckets[SHARD_BUCKETS];
    struct list_link wake;       /* of struct parked_queue */
    struct list_link wake_later; /* …at the next commit */
    struct list_link give_back;  /* of struct shard_receive */
    struct shard_receive **heap; /* the parked ones, by deadline */
    uint32_t heap_count;
    uint32_t heap_capacity;

    struct list_link watch_buckets[SHARD_BUCKETS];
    struct shard_roll roll;
    struct shard_carry carry;
};

static inline const struct allocator *shard_allocator(const struct shard *shard) {
    return &shard->env->allocator;
}
static inline int64_t shard_mono_ns(const struct shard *shard) {
    return shard->env->ops->now_mono(shard->env).ns;
}

#endif
