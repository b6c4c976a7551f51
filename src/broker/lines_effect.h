/* SPDX-License-Identifier: Apache-2.0 */
/* lines_effect.h -- a record of the lines is a list of effects, each on one thing.
 *
 * decide concludes which effects a command has, and writes them one behind the other; apply reads
 * and does them. What a command means thus stands in its decide function alone. An effect names
 * everything it touches, so that it can be done during replay when other things are still missing.
 */
#ifndef TAKT_BROKER_LINES_EFFECT_H
#define TAKT_BROKER_LINES_EFFECT_H

#include "broker/broker_queue.h"
#include "broker/lines_member.h"

/* The numbers are on disk: never change one, add at the end. */
/* clang-format off */
#define EFFECTS(X)                                                                                 \
    X(1, JOB, job)                     /* a job starts */                                          \
    X(2, JOB_SET, job_set)                                                                         \
    X(3, JOB_FREE, job_free)                                                                       \
    X(4, MESSAGE, message)             /* a new message, at a station or as a part */              \
    X(5, END, end)                     /* a message is gone */                                     \
    X(6, LEASE, lease)                                                                             \
    X(7, BACK, back)                   /* from a session back to the station's queue */            \
    X(8, DEAD, dead)                   /* to the station's dead letters */                         \
    X(9, REVIVE, revive)               /* from there back to the station */                        \
    X(10, SESSION, session)                                                                        \
    X(11, SESSION_END, session_end)                                                                \
    X(12, SPLIT, split)                                                                            \
    X(13, SPLIT_SET, split_set)                                                                    \
    X(14, SPLIT_FREE, split_free)                                                                  \
    X(15, ROLL, roll)                                                                              \
    X(16, ROLL_MOVE, roll_move)        /* its cursor */                                            \
    X(17, ROLL_FREE, roll_free)                                                                    \
    X(18, LINE, line)                                                                              \
    X(19, STORE_FREE, store_free)      /* a swept grave */                                         \
    X(20, SHOW, show)                  /* delayed or in flight: it is visible */                  \
    X(21, STEP, step)                  /* a long job's tallies count it */
/* clang-format on */

enum effect_kind {
#define EFFECT_ENUM(number, NAME, name) EFFECT_##NAME = (number),
    EFFECTS(EFFECT_ENUM)
#undef EFFECT_ENUM
        EFFECT_KINDS_END
};
#define EFFECT_DECLARE(number, NAME, name) void effect_##name##_apply(struct applying *applying);
EFFECTS(EFFECT_DECLARE)
#undef EFFECT_DECLARE

#define BODY_NONE UINT32_MAX /* instead of the index of one of the record's bodies */

/* The ref of a thing in that slot; none for BROKER_NONE. */
struct broker_ref ref_at(const struct broker *broker, enum thing_kind kind, uint32_t slot);
/* The head of an effect; its fields follow. */
struct buffer *effect_begin(struct deciding *deciding, enum effect_kind kind);

struct effect_job {
    struct broker_ref job;
    uint8_t id[16];
    struct broker_ref line;
    uint64_t request_hash;
    bool has_once;
    uint8_t once[16];
    struct slice key;
    uint32_t order; /* body */
};
void effect_job(struct deciding *deciding, const struct effect_job *effect);

/* What is to change of a job. */
struct effect_job_set {
    uint32_t history; /* bodies: BODY_NONE leaves what is there */
    uint32_t error;
    uint32_t result;
    bool is_lost; /* true: sets it */
    bool sets_state;
    enum job_state state;
    int64_t ended_ms;
    int64_t forget_ms;
};
#define EFFECT_JOB_SET_NOTHING                                                                     \
    ((struct effect_job_set){.history = BODY_NONE, .error = BODY_NONE, .result = BODY_NONE})
void effect_job_set(struct deciding *deciding, uint32_t job, const struct effect_job_set *effect);
void effect_job_free(struct deciding *deciding, uint32_t job);
/* A step of a long job. history: the body that tells it. */
void effect_step(struct deciding *deciding, uint32_t job, const struct job_step *step,
                 uint32_t history);
static inline bool job_is_long(const struct job *job) {
    return job->early.position != 0;
}
/* Memory for so many steps in one record. */
TAKT_MUST_USE bool tallies_reserve(struct broker *broker, uint32_t steps_count);
/* A job's tallies: as part of its carry record, digest, check and end. tallies_bodies lists what the
 * record has for them; tallies_decode takes the bodies from number `body` on, and makes them anew. */
uint32_t tallies_bodies(const struct broker *broker, const struct job *job, struct body_ref *out);
void tallies_encode(const struct broker *broker, const struct job *job, struct buffer *out);
void tallies_decode(struct applying *applying, struct job *job, uint32_t body);
void tallies_digest(const struct broker *broker, const struct job *job, struct digest *digest);
void tallies_check(const struct broker *broker, const struct job *job);
void tallies_free(struct broker *broker, struct job *job);

struct effect_message {
    struct broker_ref job;
    struct broker_ref path_split;
    struct broker_ref counting_split;
    struct broker_ref kit_split;
    struct broker_ref from; /* queue */
    struct broker_ref to;   /* queue; counts the message as sent */
    uint32_t index;
    uint16_t hops;
    uint16_t visit;
    bool is_each;
    bool is_part;
    bool is_dead;     /* `to` is a dead queue */
    int64_t delay_ms; /* 0: visible at once */
    uint32_t body;    /* BODY_NONE: a kit */
};
struct broker_ref effect_message(struct deciding *deciding, const struct effect_message *effect);

enum end_cause {                /* which counter of the queue goes up */
                 END_UNCOUNTED, /* a part; what was purged, which is counted by then */
                 END_HANDED_ON,
                 END_DELETED,
                 END_EXPIRED,
                 END_WITHDRAWN,
                 END_CAUSES_COUNT
};
void effect_end(struct deciding *deciding, uint32_t message, const struct queue *queue,
                enum end_cause cause);
void effect_lease(struct deciding *deciding, uint32_t session, uint32_t message);
struct effect_back {
    uint32_t message;
    const struct queue *queue;
    int64_t delay_ms;
    bool is_uncounted;
    bool is_suspect;
    uint32_t error; /* body; BODY_NONE leaves what is there */
};
void effect_back(struct deciding *deciding, const struct effect_back *effect);
void effect_dead(struct deciding *deciding, uint32_t message, const struct queue *queue,
                 const struct queue *dead_queue, uint32_t error);
void effect_revive(struct deciding *deciding, uint32_t message, const struct queue *queue,
                   const struct queue *dead_queue);

void effect_show(struct deciding *deciding, uint32_t message);

struct broker_ref effect_session(struct deciding *deciding, struct broker_ref line,
                                 const struct queue *queue);
void effect_session_end(struct deciding *deciding, uint32_t session);

struct effect_split {
    struct broker_ref split;
    struct broker_ref job;
    struct broker_ref parent_split;
    uint32_t parent_index;
    struct broker_ref counting_split;
    struct broker_ref opener; /* queues */
    struct broker_ref join;
    uint16_t hops;
    uint16_t visit;
    enum missing_policy missing;
    int64_t within_ms;
};
void effect_split(struct deciding *deciding, const struct effect_split *effect);
struct effect_split_set {
    bool is_closed; /* true: sets it */
    bool is_lost;
    bool sets_within;
    int64_t within_ms;
};
void effect_split_set(struct deciding *deciding, uint32_t split,
                      const struct effect_split_set *effect);
void effect_split_free(struct deciding *deciding, uint32_t split);

struct effect_roll {
    struct broker_ref roll;
    struct broker_ref job;
    struct broker_ref split;
    struct broker_ref from;
    uint16_t hops;
    uint32_t first_chunk; /* body */
    uint32_t chunks_count;
    uint32_t targets_count;
    struct broker_ref targets[BROKER_STATIONS_MAX];
    uint32_t countings_count;
    struct broker_ref countings[BROKER_SPLIT_DEPTH_MAX + 1];
};
void effect_roll(struct deciding *deciding, const struct effect_roll *effect);
void effect_roll_move(struct deciding *deciding, uint32_t roll, uint32_t chunk, uint32_t offset,
                      uint32_t index);
void effect_roll_free(struct deciding *deciding, uint32_t roll);

void effect_line(struct deciding *deciding, const struct command_line_put *put,
                 struct broker_ref line, uint32_t file);
void effect_store_free(struct deciding *deciding, uint32_t store);

struct line_settings {
    struct slice name;
    int64_t keep_jobs_ms;
    struct body_ref file;
    uint32_t stations_count;
    const struct line_station *stations;
};
/* Takes lines_spare_take's memory: line_block_bytes. False as that. */
bool line_set(struct broker *broker, struct line *line, const struct line_settings *settings);
size_t line_block_bytes(const struct line_station *stations, uint32_t count);
void line_station_encode(struct buffer *out, const struct line_station *station);
struct queue_settings station_queue_settings(const struct line_station *station, bool is_dead);
/* A station of it has this queue, or these dead letters. */
bool line_names_queue(const struct command_line_put *put, struct slice name);

/* Memory for the next apply: lines_reserve makes it, apply takes it; replay makes it on the spot.
 * NULL only with broker->replay_result set. */
TAKT_MUST_USE bool lines_spare_reserve(struct broker *broker, size_t bytes_count);
void *lines_spare_take(struct broker *broker, size_t bytes_count);

/* The parts of a closed split in its order (kit.c). */
void kit_sort_parts(struct broker *broker, uint32_t split);
/* Also for their carry records. */
bool roll_decode_lists(struct applying *applying, struct roll *roll);
bool roll_take_chunks(struct applying *applying, struct roll *roll, uint32_t first, uint32_t count);
void session_count(struct broker *broker, const struct session *session, int32_t by);

/* ---- the list of all jobs (derived) ---- */
void job_index(struct broker *broker, uint32_t job); /* newest of all, and of its key */
void job_unindex(struct broker *broker, uint32_t job);
TAKT_MUST_USE bool job_index_reserve(struct broker *broker, uint32_t more_count);
/* Slots; BROKER_NONE. By key: the newest. */
uint32_t job_find_key(const struct broker *broker, struct slice key);
uint32_t job_find_number(const struct broker *broker, uint64_t number);
uint32_t job_find_id(const struct broker *broker, const uint8_t id[16]);
uint32_t job_find_once(const struct broker *broker, const uint8_t once[16]);

#endif
