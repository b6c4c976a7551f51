/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h -- one run: takt's shard, broker and journal on a simulated machine, from one seed.
 *
 * Lives follow each other: takt starts, clients and workers come, it stops or the power goes. After
 * every step broker_check holds and the model says the same as the broker; after every recovery
 * the state is, by its digest, the one of the newest record that survived, and that is not older
 * than anything a client was told.
 */
#ifndef TAKT_SIM_SIM_H
#define TAKT_SIM_SIM_H

#include "between.h"
#include "model.h"
#include "processes.h"

#include "base/log.h"
#include "line/runtime.h"
#include "shard/shard.h"

#define SIM_REQUESTS_MAX 48u
#define SIM_RECEIPTS_MAX 96u
#define SIM_GIVEN_MAX 8192u
#define SIM_SESSIONS_MAX 24u
#define SIM_TASKS_MAX 48u
#define SIM_BODY_BYTES_MAX (256u * 1024)
#define SIM_SEGMENT_BYTES (4u * 1024 * 1024)

struct sim_options {
    uint64_t seed;
    uint32_t steps_max; /* 0: as many as the seed says */
    enum fault fault;
    bool is_told; /* what happens is written to standard error */
};

/* The first decision made inside one call of ours. */
struct sim_capture {
    bool is_wanted;
    bool is_made;
    bool is_written;
    struct broker_answer answer;
    uint64_t rest; /* the newest record that the answer rests on */
};

struct sim;
struct sim_request;
typedef void sim_then_fn(struct sim *sim, const struct sim_request *request,
                         const struct broker_answer *answer);

struct sim_request { /* on its way */
    struct sim *sim;
    sim_then_fn *then; /* NULL: nothing follows */
    struct broker_ref session;
    struct broker_ref message;
    bool is_used;
    bool is_bound; /* what will be answered is known */
    bool is_room_sure;
    enum command_kind kind;
    uint32_t queue;
    int64_t deadline_ns; /* of a long poll */
    struct shard_receive *receive;
    struct broker_answer expected;
    uint64_t rest;
};

struct sim_receipt {
    struct receipt receipt;
    uint32_t queue;
};

struct sim_given { /* a message was given out by a decision … */
    uint64_t number;
    uint32_t nonce;
    uint64_t lsn;
    bool is_claimed; /* … and came to a client */
};

struct sim_read { /* a client reads a body */
    struct sim *sim;
    bool is_used;
    bool is_given_up; /* it was damaged, and the read says so */
    uint32_t checksum32;
    uint32_t count;
};

struct sim_session {
    struct broker_ref ref; /* number 0: free */
    uint32_t station;
    bool is_ending;
};

struct sim_line {
    char names[MODEL_STATIONS_MAX][3][24];
    struct line_station stations[MODEL_STATIONS_MAX];
    uint64_t routes[MODEL_STATIONS_MAX]; /* where each may hand on to */
    uint32_t stations_count;
    uint32_t versions;
    uint8_t hops_max;
};

struct sim_runtime {
    struct allocator allocator; /* of the definition, which outlives takt's lives */
    struct definition_files files;
    struct runtime *runtime; /* NULL: it does not run */
    bool is_ready;
    bool is_stopped;
};

struct sim_task {              /* in a worker's hands */
    struct broker_ref message; /* number 0: free */
    struct broker_ref session;
    uint32_t station;
};

struct sim {
    struct sim_options options;
    struct report *report;
    struct machine *machine;
    struct model *model;
    struct shard *shard;
    struct log log;
    struct between between;

    bool has_failed; /* the journal of this life */
    bool is_replaying;
    bool is_final;         /* everything heals, and must then drain */
    uint64_t lsn_answered; /* nothing before may ever be lost */
    uint64_t digests[BETWEEN_RECORDS_MAX];
    struct {
        struct model *model; /* NULL: nothing is lost */
        uint32_t given_count;
        uint64_t lsn_answered;
    } lost; /* what was before, if this start comes to its end */

    bool has_pending; /* decided, not yet applied */
    struct command pending;
    int64_t pending_now_ms;
    uint64_t pending_next_number;
    struct broker_answer pending_answer;
    struct sim_capture capture;

    struct machine_luck luck; /* of this seed, while it is bad */
    uint32_t crash_one_in;
    uint32_t big_one_in;
    uint32_t big_bytes_max;
    uint64_t bytes_max; /* of the journal; 0: what the disk has */
    bool has_small_disk;
    uint32_t rot_one_in;     /* starts, after a bit on the disk has turned over */
    uint32_t misread_one_in; /* …which read a bit wrongly */
    bool is_rotten;          /* this life */
    bool misreads;           /* this start */
    uint64_t kinds;          /* which steps this seed has */

    struct sim_request requests[SIM_REQUESTS_MAX];
    struct sim_receipt receipts[SIM_RECEIPTS_MAX];
    uint32_t receipts_count; /* ever */
    struct sim_given given[SIM_GIVEN_MAX];
    uint32_t given_count;
    struct sim_read reads[SIM_REQUESTS_MAX];
    bool has_line;
    bool has_runtime; /* takt's own runtime has the line; else workers.c plays it */
    struct processes processes;
    struct sim_runtime floor;
    struct sim_line line;
    struct sim_session sessions[SIM_SESSIONS_MAX];
    struct sim_task tasks[SIM_TASKS_MAX];
    uint64_t tokens;
    char body[SIM_BODY_BYTES_MAX];
    struct queue_note notes[MODEL_NOTES]; /* of the command at hand */
};

/* The whole run; what it found is in the report. Ends the process if a promise is broken. */
void sim_run(const struct sim_options *options, struct report *report);

/* sim_watch.c: wrap.c tells of every decision and every record. */
void sim_decided(struct sim *sim, const struct broker *broker, const struct command *command,
                 const struct broker_given *given, const struct broker_decision *decision);
void sim_applied(struct sim *sim, const struct broker *broker, uint64_t lsn);
void sim_replayed(struct sim *sim, const struct broker *broker);
void sim_start_ended(struct sim *sim, bool is_well);

/* clients.c */
/* `about`: queue, then, session and message are looked at. */
void clients_submit(struct sim *sim, const struct command *command,
                    const struct sim_request *about);
void clients_step(struct sim *sim);
void clients_forget(struct sim *sim); /* takt has gone: nobody is answered any more */
/* Nothing is left to be done now: who can be answered has been. */
void clients_check_idle(struct sim *sim);
/* Every queue is emptied. */
void clients_drain(struct sim *sim);
/* One sends, and may not be refused for lack of room. */
void clients_expect_room(struct sim *sim);

/* sim_weather.c */
void weather_step(struct sim *sim);
void weather_before_start(struct sim *sim);
/* The oldest record that may be the newest one left. */
uint64_t weather_least_lsn(const struct sim *sim);
/* A start has failed because of a bit that turned over; it is then as it was. */
bool weather_explains(struct sim *sim, int rc);
void weather_heal(struct sim *sim);
/* After a life. */
void weather_check_data(struct sim *sim);

/* lookers.c */
void lookers_step(struct sim *sim);

/* lines.c */
void lines_choose(struct sim *sim);
void lines_put(struct sim *sim);
void lines_change(struct sim *sim);
struct broker_ref lines_ref(const struct sim *sim); /* number 0: it is not there yet */
/* A station that `from` may hand on to, or BROKER_TARGET_END. onwards: never back. */
uint32_t lines_target(struct sim *sim, uint32_t from, bool onwards);

/* sim_runtime.c */
void sim_runtime_choose(struct sim *sim);
void sim_runtime_close(struct sim *sim);
TAKT_MUST_USE int sim_runtime_start(struct sim *sim);
void sim_runtime_stop(struct sim *sim);
void sim_runtime_forget(struct sim *sim);
void sim_runtime_step(struct sim *sim);
void sim_runtime_drain(struct sim *sim);

/* workers.c */
void workers_step(struct sim *sim);
void workers_forget(struct sim *sim);
/* Every handler answers: then every job ends. */
void workers_drain(struct sim *sim);

static inline uint32_t sim_below(struct sim *sim, uint32_t end) {
    return dice_below(&sim->machine->dice, end);
}
/* sim_tell.c */
void sim_tell(const struct sim *sim, const char *format, ...) TAKT_PRINTF(2, 3);
void sim_tell_decision(const struct sim *sim, const struct command *command,
                       const struct broker_decision *decision);
/* Turns of the loop until nothing is left to do at once and all is durable. */
void sim_settle(struct sim *sim);
void sim_pass_ms(struct sim *sim, int64_t ms);

#endif
