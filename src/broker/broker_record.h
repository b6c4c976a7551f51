/* SPDX-License-Identifier: Apache-2.0 */
/* broker_record.h -- from a command to a record, and from a record to the state: the two tables.
 *
 * A record: u8 kind, u8 version, u8 flags, i64 time, [32 bytes seed, in the first record of all],
 * then its fields. decide_X writes it, apply_X of the same file reads it.
 */
#ifndef TAKT_BROKER_BROKER_RECORD_H
#define TAKT_BROKER_BROKER_RECORD_H

#include "base/codec.h"
#include "broker/broker_message.h"

/* The numbers are on disk: never change one, add at the end. */
/* clang-format off */
#define RECORD_KINDS(X)                                                                            \
    X(1, NOTHING, nothing)       /* only time and, in a new journal, the seed */                   \
    X(2, QUEUE_CREATE, queue_create)                                                               \
    X(3, QUEUE_SET, queue_set)                                                                     \
    X(4, QUEUE_DELETE, queue_delete)                                                               \
    X(5, QUEUE_PURGE, queue_purge)                                                                 \
    X(6, SEND, send)                                                                               \
    X(7, RECEIVE, receive)                                                                         \
    X(8, DELETE, delete)                                                                           \
    X(9, VISIBILITY, visibility)                                                                   \
    X(10, GIVE_BACK, give_back)                                                                    \
    X(11, REDRIVE, redrive)                                                                        \
    X(12, ADVANCE, advance)                                                                        \
    X(13, CARRY, carry)                                                                            \
    X(14, LINE_PUT, line_put)                                                                      \
    X(15, JOB_START, job_start)                                                                    \
    X(16, SESSION_OPEN, session_open)                                                              \
    X(17, SESSION_END, session_end)                                                                \
    X(18, LEASE, lease)                                                                            \
    X(19, COMPLETE, complete)                                                                      \
    X(20, FAIL, fail)                                                                              \
    X(21, REJECT, reject)                                                                          \
    X(22, RETURN, return)                                                                          \
    X(23, ROLL_DEAL, roll_deal)                                                                    \
    X(24, LIFE_START, life_start)                                                                  \
    X(25, STATION_DUE, station_due)       /* retention at a station */                             \
    X(26, STATION_SWEEP, station_sweep)   /* a grave of a station's queue */                       \
    X(27, STATION_REDRIVE, station_redrive)                                                        \
    X(28, JOB_DUE, job_due)               /* finished jobs are forgotten */                        \
    X(29, SPLIT_DUE, split_due)           /* `within` is over */                                   \
    X(30, STATION_DELETE, station_delete) /* a dead letter of a station is deleted for good */     \
    X(31, SETTLE, settle)                 /* a kit emerges, a job ends, what is left is swept */   \
    X(32, MOVE_START, move_start)                                                                  \
    X(33, MOVE_STEP, move_step)                                                                    \
    X(34, MOVE_CANCEL, move_cancel)
/* clang-format on */

enum record_kind {
#define RECORD_ENUM(number, NAME, name) RECORD_##NAME = (number),
    RECORD_KINDS(RECORD_ENUM)
#undef RECORD_ENUM
        RECORD_KINDS_END
};

/* ---- decide ----------------------------------------------------------------------------------- */

struct deciding {
    const struct broker *broker; /* read only */
    const struct command *command;
    const struct broker_given *given;
    struct broker_decision *decision;
    int64_t now_ms;       /* never less than the last record's */
    uint64_t next_number; /* of the next new thing */
    uint32_t next_queue_id;
    uint32_t next_line_id;
    uint32_t next_slots[THING_KINDS_COUNT]; /* where to look for the next free slot */
};
typedef void decide_fn(struct deciding *deciding);

/* The time that a message's retention is compared with: while retention is on hold, none has passed. */
static inline int64_t retention_now_ms(const struct deciding *deciding) {
    return deciding->now_ms < broker_hold_until_ms(deciding->broker) ? INT64_MIN : deciding->now_ms;
}

/* Write the record's head; the fields follow into record(deciding). */
struct buffer *record_begin(struct deciding *deciding, enum record_kind kind);
/* No record after all. */
void record_drop(struct deciding *deciding);
/* Number and slot for a new thing (not of queues and lines, whose numbers are small ids of their
 * own). broker_reserve has seen to it that there is one. */
struct broker_ref new_ref(struct deciding *deciding, enum thing_kind kind);
struct broker_ref new_queue_ref(struct deciding *deciding);
struct broker_ref new_line_ref(struct deciding *deciding);
/* Only the slot: of a piece. */
uint32_t new_slot(struct deciding *deciding, enum thing_kind kind);
/* One more body of the record (borrowed until the append); gives its index in the refs that apply
 * gets. CHECKs BROKER_DECISION_BODIES_MAX. */
uint32_t record_body(struct deciding *deciding, struct slice body);
/* Memory of the decision, zeroed. NULL: out of memory (then refuse with NO_MEMORY). */
void *deciding_take(struct deciding *deciding, size_t count, size_t size);
void refuse(struct deciding *deciding, enum broker_result result);
void refuse_printf(struct deciding *deciding, enum broker_result result, const char *format, ...)
    TAKT_PRINTF(3, 4);

void encode_ref(struct buffer *out, struct broker_ref ref);

/* One function a command. Before: the answer is zero (BROKER_OK), the record is empty. */
decide_fn decide_queue_create, decide_queue_set, decide_queue_delete, decide_queue_purge,
    decide_send, decide_receive, decide_delete, decide_visibility, decide_give_back, decide_redrive,
    decide_move_start, decide_move_cancel, decide_advance, decide_carry, decide_hold_retention;
decide_fn decide_life_start, decide_line_put, decide_job_start, decide_session_open,
    decide_session_end, decide_lease, decide_complete, decide_fail, decide_reject, decide_return,
    decide_roll_deal;

typedef bool reserve_fn(struct broker *broker, const struct command *command);
typedef size_t bytes_fn(const struct command *command);
/* reserve: as broker_reserve. bytes: as broker_record_bytes, the head not counted. */
struct command_row {
    const char *name;
    decide_fn *decide;
    reserve_fn *reserve;
    bytes_fn *bytes;
};
extern const struct command_row command_rows[COMMAND_KINDS_COUNT];

/* ---- apply ------------------------------------------------------------------------------------ */

struct applying {
    struct broker *broker;
    struct decoder in; /* the fields */
    const struct body_ref *refs;
    uint32_t refs_count;
    uint64_t lsn;
    int64_t now_ms;
    bool is_broken; /* set it, return: -EBADMSG */
};
typedef void apply_fn(struct applying *applying);

struct broker_ref decode_ref(struct decoder *in);
/* The ref of body `index`; index UINT32_MAX: none. Sets is_broken beyond the end. */
struct body_ref applying_body(struct applying *applying, uint32_t index);
/* thing_find: NULL only during replay (skip the effect). On a live record that is a CHECK. */
void *applying_find(struct applying *applying, enum thing_kind kind, struct broker_ref ref);
/* decode_ref and applying_find in one. */
void *applying_next(struct applying *applying, enum thing_kind kind);
/* A queue's counter goes up. Harmless if the queue is missing (NULL). */
#define QUEUE_COUNT(queue, cause, by)                                                              \
    do {                                                                                           \
        if ((queue) != NULL) (queue)->counts.cause += (by);                                        \
    } while (0)

#define RECORD_DECLARE(number, NAME, name) void apply_##name(struct applying *applying);
RECORD_KINDS(RECORD_DECLARE)
#undef RECORD_DECLARE

struct record_row {
    const char *name;
    apply_fn *apply;
};
extern const struct record_row record_rows[RECORD_KINDS_END];

/* ---- kinds of things -------------------------------------------------------------------------- */

/* Over the fields that are not derived. */
struct digest {
    uint8_t sum[16];
    size_t count;
    char bytes[4096];
};
void digest_u64(struct digest *digest, uint64_t value);
void digest_slice(struct digest *digest, struct slice slice);
void digest_body_ref(struct digest *digest, struct body_ref ref);

/* As parts of their message's carry record and digest. */
void timing_encode(struct buffer *out, const struct timing *timing);
void timing_digest_values(struct digest *digest, const struct timing *timing);

/* Carry: X_carry_encode writes the present state (bodies excepted: X_carry_bodies lists their refs,
 * in order, at most `max`; gives the count). X_carry_apply reads that: it makes the thing, or writes
 * over the shell or the old state wholly; the new refs are those of the record, in the same order.
 * number, slot and home are done by the caller: `thing` is there, with its home renewed; is_new:
 * zeroed, just made. */
struct thing_row {
    const char *name;
    uint32_t bytes_count; /* sizeof */
    bool has_home;
    void (*carry_encode)(const struct broker *broker, uint32_t slot, struct buffer *out);
    uint32_t (*carry_bodies)(const struct broker *broker, uint32_t slot, struct body_ref *out,
                             uint32_t max);
    void (*carry_apply)(struct applying *applying, uint32_t slot, bool is_new);
    void (*digest)(const struct broker *broker, uint32_t slot, struct digest *digest);
    void (*check)(const struct broker *broker, uint32_t slot);
    void (*close)(struct broker *broker, uint32_t slot); /* frees what it holds beside its slot */
};
#define THING_DECLARE(NAME, name)                                                                  \
    void name##_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out);      \
    uint32_t name##_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out, \
                                 uint32_t max);                                                    \
    void name##_carry_apply(struct applying *applying, uint32_t slot, bool is_new);                \
    void name##_digest(const struct broker *broker, uint32_t slot, struct digest *digest);         \
    void name##_check(const struct broker *broker, uint32_t slot);                                 \
    void name##_close(struct broker *broker, uint32_t slot);
THING_KINDS(THING_DECLARE)
#undef THING_DECLARE
extern const struct thing_row thing_rows[THING_KINDS_COUNT];

#endif
