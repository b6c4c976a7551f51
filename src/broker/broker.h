/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h -- decide and apply: queues, messages, dead letters, lines, jobs, splits, kits, rolls.
 *
 * Pure: it reads no clock, opens no file, draws no random number; time and random bytes are given.
 *
 *   broker_reserve   memory for whatever the next record may need, so that apply cannot fail
 *   broker_decide    reads the state and a command; changes nothing; a refusal, or one record
 *   broker_apply     changes the state from a record alone; recovery calls the same function
 *
 * Only the shard calls broker_apply (and replay, through it). What a record refers to may be
 * missing or half-known DURING REPLAY only: its home was written again further on (see
 * docs/journal.md, "Homes"); apply then makes a shell of it, or skips it. broker_replay_end checks
 * that no shell is left.
 */
#ifndef TAKT_BROKER_BROKER_H
#define TAKT_BROKER_BROKER_H

#include "base/allocator.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "broker/command.h"
#include "broker/job_history.h"

struct broker;

struct broker_options {
    const struct allocator *allocator; /* kept */
    uint32_t messages_max;             /* 0: 50 million */
    uint32_t jobs_max;                 /* 0: 10 million, ended ones included */
    uint32_t jobs_ended_max;           /* 0: 1 million; the oldest beyond are forgotten early */
    uint32_t queues_max;               /* 0: 1 million */
};

/* A new state. `seed` (random, 32 bytes) makes message ids and receipt handles; it becomes part of
 * the first record of a new journal and comes back with replay. NULL: out of memory. */
TAKT_MUST_USE struct broker *broker_open(const struct broker_options *options);
void broker_close(struct broker *broker); /* NULL is allowed */

struct broker_given {
    struct wall_time now; /* takt's time: never less than the last record's */
    uint8_t random[32];
};

#define BROKER_DECISION_BODIES_MAX 1024u

struct broker_decision {
    struct buffer record; /* empty: nothing is to be appended (a read, a refusal) */
    struct slice *bodies; /* borrowed from the command and the arena, until the append */
    uint32_t bodies_count;
    struct broker_answer answer;
    struct arena arena; /* leases, bodies and what else the decision holds */
};
void broker_decision_open(struct broker_decision *decision, const struct allocator *allocator);
void broker_decision_clear(struct broker_decision *decision);
void broker_decision_close(struct broker_decision *decision);

/* Memory for one more record of any kind that `command` may become. False: out of memory, or a
 * table is at its maximum. */
TAKT_MUST_USE bool broker_reserve(struct broker *broker, const struct command *command);
/* Fills *decision (cleared before). answer.result says whether it is a refusal. The answer is
 * already what the client will be told; body_refs in it are those of the state. */
void broker_decide(const struct broker *broker, const struct command *command,
                   const struct broker_given *given, struct broker_decision *decision);
/* Upper bound of the bytes (record and bodies) the command may append. */
size_t broker_record_bytes(const struct command *command);

/* 0; -EBADMSG if the record is not one that this version knows or is broken (replay only; on a
 * record that decide made that is a CHECK). refs: where the decision's bodies lie. */
TAKT_MUST_USE int broker_apply(struct broker *broker, uint64_t lsn, struct slice record,
                               const struct body_ref *refs, uint32_t refs_count);

void broker_replay_begin(struct broker *broker);
/* 0, or -EBADMSG and a text that names what is missing. */
TAKT_MUST_USE int broker_replay_end(struct broker *broker, char *text, size_t text_bytes);
bool broker_is_new(const struct broker *broker); /* no record was ever applied */

/* ---- what wants to be done (the shard asks after each apply and on its timer) ----------------- */

struct wall_time broker_last_time(const struct broker *broker); /* of the newest record */
/* The earliest deadline, or INT64_MAX. At or before now, or has_sweep: append COMMAND_ADVANCE. */
struct wall_time broker_next_deadline(const struct broker *broker);
bool broker_has_sweep(const struct broker *broker); /* graves of purged and deleted things */
/* A kit that is complete, a job of which nothing lives: the next COMMAND_ADVANCE does these first.
 * has_sweep is true then, too. */
bool broker_has_settle(const struct broker *broker);

enum broker_event_kind {
    BROKER_EVENT_QUEUE,   /* messages may have become visible in a plain queue: `queue` */
    BROKER_EVENT_STATION, /* …at a station, or its gates may have opened: `line`, `station` */
    BROKER_EVENT_JOB,     /* a job has ended, or was revived: `job` */
    BROKER_EVENT_LINE,    /* a line was put: `line` */
};
struct broker_event {
    enum broker_event_kind kind;
    struct broker_ref ref; /* queue, line or job */
    uint32_t station;
};
/* Take the next event; false if there is none. Events are flags on things: taking none of them
 * costs nothing, and a thing is in the list once. None come out of replay. */
bool broker_take_event(struct broker *broker, struct broker_event *out);

/* A roll that can be dealt now (its targets have room): which chunk to read. The one that waited
 * longest; `after` (number 0: none, or it is gone): the next one behind that. O(1); with `after`
 * O(rolls). */
bool broker_next_roll(const struct broker *broker, struct broker_ref after, struct broker_ref *roll,
                      struct body_ref *chunk);

#define BROKER_CARRY_BODIES_MAX 256u
struct broker_carry {
    uint32_t kind;
    struct broker_ref thing;
    struct body_ref bodies[BROKER_CARRY_BODIES_MAX]; /* to be read and given back in this order */
    uint32_t bodies_count;
    uint32_t chain; /* which of them is the newest of a job's history; UINT32_MAX: none */
    uint32_t early; /* …and, of a long job, the newest of its early chain */
    uint64_t lsn;   /* its home */
};
/* The thing with the oldest home, if that home is below `lsn`. The body `chain` is given back as one
 * that holds its own steps and those of the bodies before it, as many as JOB_HISTORY_BYTES_MAX
 * allows (job_history.h) and, if there is no `early`, begins with the totals of all others. `early` is
 * given back as the totals of all steps of its chain. These two may have another length than their
 * refs say. */
bool broker_next_carry(const struct broker *broker, uint64_t lsn, struct broker_carry *out);
/* In words, for people: "message 1f2e… of queue orders", "job 9c0d… of line bakery". */
void broker_describe(const struct broker *broker, uint32_t kind, struct broker_ref thing,
                     char *words, size_t words_bytes);
uint64_t broker_live_bytes(const struct broker *broker); /* of records and bodies still needed */

/* ---- views: plain values. Whoever shows them waits for the newest LSN applied ----------------- */

enum queue_kind { QUEUE_PLAIN, QUEUE_STATION, QUEUE_STATION_DEAD };

struct queue_counts { /* messages that left, by cause, and those that came */
    uint64_t sent;
    uint64_t received;
    uint64_t deleted;
    uint64_t handed_on;
    uint64_t expired;
    uint64_t purged;
    uint64_t dead; /* moved to the dead letters */
    uint64_t redriven;
    uint64_t withdrawn; /* their job was rejected */
};
struct queue_view {
    struct broker_ref ref;
    struct slice name; /* borrowed until the next apply */
    enum queue_kind kind;
    struct broker_ref line; /* of a station's queue */
    uint32_t station;
    struct queue_settings settings;
    struct slice notes; /* see queue_notes.h; borrowed likewise */
    uint64_t visible_count;
    uint64_t in_flight_count;
    uint64_t delayed_count;
    struct wall_time oldest_sent; /* of the visible ones; 0: none */
    struct wall_time created;
    struct wall_time changed;
    struct queue_counts counts;
};
bool broker_find_queue(const struct broker *broker, struct slice name, struct queue_view *out);
bool broker_get_queue(const struct broker *broker, struct broker_ref ref, struct queue_view *out);
/* By its number alone. */
bool broker_find_queue_number(const struct broker *broker, uint32_t number, struct queue_view *out);
/* Names in byte order: the first one after `after` (empty: the first of all) that starts with
 * `prefix`. O(log n). */
bool broker_next_queue(const struct broker *broker, struct slice after, struct slice prefix,
                       struct queue_view *out);
/* Without receiving them: up to `max` visible messages, oldest first; then those in flight. */
struct peek_message {
    struct answer_message message;
    bool in_flight;
    bool delayed;
    struct body_ref error; /* of a dead letter: plain text; position 0: none */
    uint8_t job_id[16];    /* all zero: none */
};
uint32_t broker_peek(const struct broker *broker, struct slice queue, struct peek_message *out,
                     uint32_t max);

enum move_state { MOVE_RUNNING, MOVE_COMPLETED, MOVE_CANCELLED, MOVE_FAILED, MOVE_STATES_COUNT };
enum move_reason { /* of a failed one */
                   MOVE_NO_REASON,
                   MOVE_NO_SOURCE, /* a message was sent straight to the dead-letter queue */
                   MOVE_NO_QUEUE,  /* the queue that it should go to is gone */
                   MOVE_REASONS_COUNT
};
struct move_view {
    struct broker_ref ref;
    uint8_t id[16];
    struct slice target; /* name, borrowed until the next apply; empty: to where they came from */
    enum move_state state;
    enum move_reason reason;
    uint32_t per_second;
    uint64_t to_move; /* what was visible when it started */
    uint64_t moved_count;
    struct wall_time started;
};
/* The move tasks of a dead-letter queue, newest first: that with the highest number below `before`
 * (0: of all). */
bool broker_next_move(const struct broker *broker, struct broker_ref source, uint64_t before,
                      struct move_view *out);

/* How many bytes its body has: what a hand-off's outputs are compared with. A kit has none of its own:
 * UINT64_MAX. 0: there is no such message. */
uint64_t broker_message_bytes(const struct broker *broker, struct broker_ref message);

struct line_view {
    struct broker_ref ref;
    struct slice name;
    struct body_ref file;
    uint32_t stations_count;
    const struct line_station *stations; /* borrowed until the next apply */
};
bool broker_find_line(const struct broker *broker, struct slice name, struct line_view *out);
bool broker_get_line(const struct broker *broker, struct broker_ref ref, struct line_view *out);
bool broker_line_at(const struct broker *broker, uint32_t index, struct line_view *out);

struct station_view {
    struct queue_view queue;
    uint64_t dead_count;
    uint64_t wip_count;    /* visible, delayed and in flight; parts of a kit do not count */
    uint64_t waiting_kits; /* splits whose join is here and that are not complete */
    uint32_t sessions_count;
    bool is_full;
    bool is_gated; /* a gate is full: nothing new is started here */
    uint32_t gate; /* the first such station's index */
};
bool broker_get_station(const struct broker *broker, struct broker_ref line, uint32_t station,
                        struct station_view *out);

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_REJECTED };
struct job_view {
    struct broker_ref ref;
    uint8_t id[16];
    struct broker_ref line;
    enum job_state state;
    struct wall_time started;
    struct wall_time ended;
    uint64_t living_count; /* messages at stations, rolls, and kits that are to come */
    uint64_t dead_count;
    struct body_ref order;
    struct body_ref result;  /* raw bytes, not a message body; position 0: none */
    struct body_ref history; /* the newest step, see job_history.h; position 0: none */
    struct body_ref early;   /* of a long job, see job_history.h; position 0: it is none */
    struct body_ref error;   /* the last error or the reason of the reject; position 0: none */
    struct slice key;        /* borrowed until the next apply */
};
bool broker_find_job(const struct broker *broker, const uint8_t id[16], struct job_view *out);
bool broker_get_job(const struct broker *broker, struct broker_ref ref, struct job_view *out);
/* Newest first; `before` 0: from the newest. `key` empty: all. O(1) a step for all, and for a key,
 * as long as the job of that number is not forgotten. */
bool broker_next_job(const struct broker *broker, uint64_t before, struct slice key,
                     struct job_view *out);
/* Where the living messages of a job are: counts by station of its line (visible and delayed,
 * in flight, waiting in a kit, dead). O(living messages of that job). */
struct job_place {
    uint32_t waiting;
    uint32_t in_flight;
    uint32_t in_kit;
    uint32_t dead;
};
void broker_job_places(const struct broker *broker, struct broker_ref job,
                       struct job_place places[BROKER_STATIONS_MAX]);

/* Of a long job: all its steps since it became one. How many there are; names are borrowed until the
 * next apply. */
uint32_t broker_job_totals(const struct broker *broker, struct broker_ref job,
                           struct job_total out[JOB_TOTALS_MAX]);

/* What a kit holds: parts in the order of the split. `from`: the last station before the join. */
struct kit_part {
    uint32_t from;
    bool each;
    uint32_t index;
    struct body_ref body;
};
/* How many parts there are; fills up to `max` of them from number `first` on: O(first + max). */
uint32_t broker_kit_parts(const struct broker *broker, struct broker_ref message, uint32_t first,
                          struct kit_part *out, uint32_t max);

/* Whose body is it? For those who find a damaged one. Slices borrowed until the next apply. */
struct broker_owner {
    const char *kind;   /* "message", "job", "line", "roll" */
    const char *part;   /* which of its bodies: "body", "error", "order", "result", … */
    struct slice queue; /* empty: none */
    struct slice line;
    bool has_message_id;
    uint8_t message_id[16]; /* as clients see it */
    bool has_job_id;
    uint8_t job_id[16];
};
/* What a record says, in words: "send to queue orders: 1f2e…, 77ab…". The state is that of any moment
 * before or after it; what it does not know has no name. */
void broker_describe_record(const struct broker *broker, struct slice record, struct buffer *out);
/* Return false to stop. */
typedef bool broker_owner_fn(void *context, struct body_ref ref, const struct broker_owner *owner);
/* Every body that something in the state refers to; of a job's history only the newest. */
void broker_each_body(const struct broker *broker, broker_owner_fn *fn, void *context);

struct broker_totals {
    uint64_t messages_count;
    uint64_t queues_count;
    uint64_t jobs_count;
    uint64_t jobs_running;
    uint64_t sessions_count;
    uint64_t memory_bytes;
};
void broker_get_totals(const struct broker *broker, struct broker_totals *out);

/* Over every field that a command or a view can read. */
void broker_digest(const struct broker *broker, uint8_t out[16]);
/* CHECKs all that must hold, everywhere. Slow: for tests. */
void broker_check(const struct broker *broker);

#endif
