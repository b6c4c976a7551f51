/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_steps_lines.h"

#include "test.h"

#include <stdio.h>

#define STATIONS_MAX 9u
#define SESSIONS_MAX 16u
#define LEASES_MAX 48u
#define LIVING_MAX 1500u
#define KEEP_MS 3600000

struct lease {
    uint32_t session; /* in sessions */
    uint32_t station;
    struct broker_ref message;
};

struct line_steps {
    char names[STATIONS_MAX][3][32];
    struct line_station stations[STATIONS_MAX];
    uint64_t routes[STATIONS_MAX]; /* where each may hand on to */
    uint32_t stations_count;
    struct broker_ref line;
    struct broker_ref sessions[SESSIONS_MAX];
    uint32_t session_stations[SESSIONS_MAX];
    uint32_t sessions_count;
    struct lease leases[LEASES_MAX];
    uint32_t leases_count;
    uint32_t versions;
};

static struct line_steps *steps_of(struct harness *harness) {
    return harness->steps;
}

/* ---- a random line ---------------------------------------------------------------------------- */

static void name_station(struct line_steps *steps, uint32_t i) {
    snprintf(steps->names[i][0], sizeof steps->names[i][0], "s%u", i);
    snprintf(steps->names[i][1], sizeof steps->names[i][1], "line_s%u", i);
    snprintf(steps->names[i][2], sizeof steps->names[i][2], "line_s%u_dead", i);
    steps->stations[i].name = slice_from_string(steps->names[i][0]);
    steps->stations[i].queue = slice_from_string(steps->names[i][1]);
    steps->stations[i].dead_queue = slice_from_string(steps->names[i][2]);
}

static void choose_settings(struct harness *harness, struct line_station *station) {
    station->retention_ms = 3600000 * (1 + (int64_t)harness_below(harness, 48));
    station->delay_ms = harness_below(harness, 5) == 0 ? 2000 : 0;
    station->backoff_ms_min = 500;
    station->backoff_ms_max = 20000;
    station->attempts_max = 1 + harness_below(harness, 4);
    station->wip_limit = harness_below(harness, 4) == 0 ? 5 + harness_below(harness, 20) : 0;
    station->within_ms = 60000 * (1 + (int64_t)harness_below(harness, 90));
    station->missing = (enum missing_policy)harness_below(harness, 3);
}

static void choose_routes(struct harness *harness, struct line_steps *steps) {
    uint32_t count = steps->stations_count;
    for (uint32_t i = 0; i < count; i++) {
        steps->routes[i] = i + 1 < count ? 1ull << (i + 1) : 0;
        for (uint32_t k = i + 2; k < count; k++) {
            if (harness_below(harness, 3) == 0) steps->routes[i] |= 1ull << k;
        }
        if (harness_below(harness, 8) == 0)
            steps->routes[i] |= 1ull << harness_below(harness, i + 1);
    }
}

/* What follows from the routes, as the line's reader concludes it. */
static void conclude(struct line_steps *steps) {
    uint32_t count = steps->stations_count;
    uint64_t joins = 0;
    for (uint32_t i = 0; i < count; i++) {
        steps->stations[i].reach = steps->routes[i];
        if (steps->stations[i].join_opener >= 0) joins |= 1ull << i;
    }
    for (uint32_t round = 0; round < count; round++) {
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < count; k++) {
                if ((steps->stations[i].reach >> k & 1) == 0) continue;
                steps->stations[i].reach |= steps->stations[k].reach;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct line_station *station = &steps->stations[i];
        station->in_cycle = (station->reach >> i & 1) != 0;
        station->is_result = i + 1 == count;
        station->gates = 0;
        for (uint32_t k = i + 1; k < count; k++) {
            bool leads_back = (steps->stations[k].reach >> i & 1) != 0;
            bool is_next = (steps->routes[i] >> k & 1) != 0;
            if (is_next && !leads_back && steps->stations[k].wip_limit > 0) {
                station->gates |= 1ull << k;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) steps->stations[i].reach &= joins;
}

static void put(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    char file[32];
    snprintf(file, sizeof file, "version %u", steps->versions++);
    struct command command = {.kind = COMMAND_LINE_PUT,
                              .line_put = {.name = SLICE("line"),
                                           .file = slice_from_string(file),
                                           .stations = steps->stations,
                                           .stations_count = steps->stations_count,
                                           .keep_jobs_ms = KEEP_MS}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    EXPECT_STRING(answer->detail, "");
    EXPECT_INT(answer->result, BROKER_OK);
    steps->line = answer->line_put.line;
}

struct line_steps *line_steps_open(struct harness *harness) {
    struct line_steps *steps = allocator_take(&harness->allocator, sizeof *steps);
    EXPECT(steps != NULL);
    harness->steps = steps;
    steps->stations_count = 4 + harness_below(harness, STATIONS_MAX - 4);
    for (uint32_t i = 0; i < steps->stations_count; i++) {
        name_station(steps, i);
        choose_settings(harness, &steps->stations[i]);
        steps->stations[i].join_opener = -1;
    }
    choose_routes(harness, steps);
    uint64_t opened = 0;
    for (uint32_t i = 1; i < steps->stations_count; i++) {
        uint32_t opener = harness_below(harness, i);
        if (harness_below(harness, 2) == 0 || (opened >> opener & 1) != 0) continue;
        opened |= 1ull << opener;
        steps->stations[i].join_opener = (int32_t)opener;
    }
    conclude(steps);
    put(harness);
    return steps;
}

void line_steps_close(struct harness *harness) {
    allocator_give_back(&harness->allocator, harness->steps);
}

/* The file changes: other settings, and sometimes another order of the stations. */
static void change(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    for (uint32_t i = 0; i < steps->stations_count; i++) {
        struct line_station *station = &steps->stations[i];
        enum missing_policy missing = station->missing;
        choose_settings(harness, station);
        station->missing = missing;
    }
    conclude(steps);
    put(harness);
}

/* ---- orders ----------------------------------------------------------------------------------- */

static bool is_crowded(const struct harness *harness) {
    return harness->broker->pools[THING_MESSAGE].count > LIVING_MAX;
}

static void start(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (is_crowded(harness)) return;
    char key[16] = "";
    char once[16] = "";
    if (harness_below(harness, 2) == 0) snprintf(key, sizeof key, "k%u", harness_below(harness, 5));
    if (harness_below(harness, 4) == 0)
        snprintf(once, sizeof once, "o%u", harness_below(harness, 9));
    uint32_t station =
        harness_below(harness, 3) == 0 ? harness_below(harness, steps->stations_count) : 0;
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = steps->line,
                                            .station = station,
                                            .body = SLICE("an order"),
                                            .key = slice_from_string(key),
                                            .once = slice_from_string(once),
                                            .request_hash = harness_below(harness, 2)}};
    enum broker_result result = harness_submit(harness, &command)->result;
    EXPECT(result == BROKER_OK || result == BROKER_LINE_FULL || result == BROKER_ONCE_CONFLICT);
}

static void send(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (is_crowded(harness)) return;
    struct command_send_entry entries[3];
    uint32_t count = 1 + harness_below(harness, 3);
    for (uint32_t i = 0; i < count; i++) {
        int64_t delay_ms = harness_below(harness, 3) == 0 ? 5000 : -1;
        entries[i] = (struct command_send_entry){SLICE("sent"), 4, delay_ms};
    }
    uint32_t station = harness_below(harness, steps->stations_count);
    struct command command = {.kind = COMMAND_SEND,
                              .send = {.queue = steps->stations[station].queue,
                                       .entries = entries,
                                       .entries_count = count}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
}

/* ---- workers ---------------------------------------------------------------------------------- */

static void open_session(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (steps->sessions_count == SESSIONS_MAX) return;
    uint32_t station = harness_below(harness, steps->stations_count);
    struct command command = {.kind = COMMAND_SESSION_OPEN,
                              .session = {.line = steps->line, .station = station}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    steps->session_stations[steps->sessions_count] = station;
    steps->sessions[steps->sessions_count++] = answer->session.session;
}

static void forget_session(struct line_steps *steps, uint32_t session) {
    uint32_t last = --steps->sessions_count;
    uint32_t count = 0;
    for (uint32_t i = 0; i < steps->leases_count; i++) {
        struct lease lease = steps->leases[i];
        if (lease.session == session) continue;
        if (lease.session == last) lease.session = session;
        steps->leases[count++] = lease;
    }
    steps->leases_count = count;
    steps->sessions[session] = steps->sessions[last];
    steps->session_stations[session] = steps->session_stations[last];
}

static void end_session(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (steps->sessions_count == 0) return;
    uint32_t session = harness_below(harness, steps->sessions_count);
    struct command command = {.kind = COMMAND_SESSION_END,
                              .session = {.session = steps->sessions[session],
                                          .error = SLICE("killed"),
                                          .uncounted = harness_below(harness, 3) == 0}};
    if (steps->leases_count > 0 && harness_below(harness, 2) == 0) {
        command.session.guilty = steps->leases[harness_below(harness, steps->leases_count)].message;
    }
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    forget_session(steps, session);
}

static void life_start(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (harness_below(harness, 10) != 0) return;
    struct command command = {.kind = COMMAND_LIFE_START};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    steps->sessions_count = steps->leases_count = 0;
}

static void lease(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (steps->sessions_count == 0) return;
    uint32_t session = harness_below(harness, steps->sessions_count);
    uint32_t room = LEASES_MAX - steps->leases_count;
    uint32_t max = 1 + harness_below(harness, 4);
    struct command command = {
        .kind = COMMAND_LEASE,
        .lease = {.session = steps->sessions[session], .messages_max = max < room ? max : room}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    for (uint32_t i = 0; i < answer->lease.count; i++) {
        const struct answer_lease *given = &answer->lease.leases[i];
        EXPECT(given->is_kit || given->body.position != 0);
        steps->leases[steps->leases_count++] =
            (struct lease){session, steps->session_stations[session], given->message};
    }
}

/* One of the leases, which is then nobody's. */
static bool take_lease(struct harness *harness, struct lease *out) {
    struct line_steps *steps = steps_of(harness);
    if (steps->leases_count == 0) return false;
    uint32_t index = harness_below(harness, steps->leases_count);
    *out = steps->leases[index];
    steps->leases[index] = steps->leases[--steps->leases_count];
    return true;
}

static uint32_t choose_target(struct harness *harness, uint32_t from) {
    struct line_steps *steps = steps_of(harness);
    uint64_t routes = steps->routes[from];
    if (routes == 0 || harness_below(harness, 12) == 0) return BROKER_TARGET_END;
    uint32_t skip = harness_below(harness, (uint32_t)__builtin_popcountll(routes));
    while (skip-- > 0) routes &= routes - 1;
    return (uint32_t)__builtin_ctzll(routes);
}

#define OUTPUTS_MAX 260u

static void complete_with(struct harness *harness, const struct lease *done, uint32_t count) {
    struct line_steps *steps = steps_of(harness);
    struct command_output outputs[OUTPUTS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = (struct command_output){choose_target(harness, done->station),
                                             harness_below(harness, 3) == 0, SLICE("an output")};
    }
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = steps->sessions[done->session],
                                           .message = done->message,
                                           .outputs = outputs,
                                           .outputs_count = count,
                                           .result = SLICE("a result")}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    EXPECT_STRING(answer->detail, "");
    EXPECT_INT(answer->result, BROKER_OK);
}

static void complete(struct harness *harness) {
    struct lease done;
    if (!take_lease(harness, &done)) return;
    uint32_t count = is_crowded(harness) ? 0 : harness_below(harness, 4);
    if (count > 0 && harness_below(harness, 30) == 0) count = 101 + harness_below(harness, 150);
    complete_with(harness, &done, count);
}

static void attempt(struct harness *harness, enum command_kind kind) {
    struct line_steps *steps = steps_of(harness);
    struct lease done;
    if (!take_lease(harness, &done)) return;
    struct command command = {.kind = kind,
                              .attempt = {.session = steps->sessions[done.session],
                                          .message = done.message,
                                          .error = SLICE("it did not work")}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
}
static void fail(struct harness *harness) {
    attempt(harness, COMMAND_FAIL);
}
static void reject(struct harness *harness) {
    attempt(harness, COMMAND_REJECT);
}
static void give_back(struct harness *harness) {
    attempt(harness, COMMAND_RETURN);
}

static void deal(struct harness *harness) {
    struct broker_ref roll;
    struct body_ref chunk;
    if (!broker_next_roll(harness->broker, (struct broker_ref){0}, &roll, &chunk)) return;
    struct command command = {.kind = COMMAND_ROLL_DEAL,
                              .roll_deal = {roll, harness_body(harness, chunk)}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
}

/* ---- dead letters ----------------------------------------------------------------------------- */

static struct slice dead_queue(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    return steps->stations[harness_below(harness, steps->stations_count)].dead_queue;
}

static void redrive(struct harness *harness) {
    struct command command = {
        .kind = COMMAND_REDRIVE,
        .redrive = {.queue = dead_queue(harness), .messages_max = 1 + harness_below(harness, 5)}};
    enum broker_result result = harness_submit(harness, &command)->result;
    EXPECT(result == BROKER_OK || result == BROKER_NOTHING);
}

static uint32_t delete_some(struct harness *harness, struct slice queue, uint32_t max) {
    struct command receive = {
        .kind = COMMAND_RECEIVE,
        .receive = {.queue = queue, .messages_max = max, .visibility_ms = 10000}};
    const struct broker_answer *answer = harness_submit(harness, &receive);
    EXPECT_INT(answer->result, BROKER_OK);
    struct receipt receipts[BROKER_BATCH_MAX];
    uint32_t count = answer->receive.count;
    for (uint32_t i = 0; i < count; i++) {
        const struct answer_message *message = &answer->receive.messages[i];
        receipts[i] = (struct receipt){message->message.number, message->message.slot,
                                       message->nonce, message->queue_slot};
    }
    if (count == 0) return 0;
    struct command command = {
        .kind = COMMAND_DELETE,
        .handles = {.queue = queue, .receipts = receipts, .receipts_count = count}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    return count;
}

static void receive_dead(struct harness *harness) {
    struct slice queue = dead_queue(harness);
    if (harness_below(harness, 2) == 0) {
        (void)delete_some(harness, queue, 2);
        return;
    }
    struct command command = {
        .kind = COMMAND_RECEIVE,
        .receive = {.queue = queue, .messages_max = 2, .visibility_ms = 20000}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
}

static void purge(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    if (harness_below(harness, 6) != 0) return;
    const struct line_station *station =
        &steps->stations[harness_below(harness, steps->stations_count)];
    struct command command = {
        .kind = COMMAND_QUEUE_PURGE,
        .queue = {.name = harness_below(harness, 2) == 0 ? station->queue : station->dead_queue}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
}

/* ---- time and the log ------------------------------------------------------------------------- */

static void advance(struct harness *harness) {
    static const int64_t steps_ms[] = {1, 700, 5000, 60000, 900000, 7200000};
    harness->now_ms += steps_ms[harness_below(harness, harness_below(harness, 6) + 1)];
    harness_settle(harness);
}

static void advance_once(struct harness *harness) {
    struct command command = {.kind = COMMAND_ADVANCE};
    enum broker_result result = harness_submit(harness, &command)->result;
    EXPECT(result == BROKER_OK || result == BROKER_NOTHING);
}

static void carry(struct harness *harness) {
    if (harness_below(harness, 3) == 0) {
        uint64_t kept = harness_below(harness, 400);
        if (harness->next_lsn > kept) harness_trim(harness, harness->next_lsn - kept);
        return;
    }
    (void)harness_carry(harness, harness->next_lsn, 1 + harness_below(harness, 20));
}

const struct harness_step line_steps[LINE_STEPS_COUNT] = {
    {"start", start, 12},
    {"send", send, 2},
    {"open_session", open_session, 4},
    {"end_session", end_session, 2},
    {"life_start", life_start, 1},
    {"lease", lease, 30},
    {"complete", complete, 36},
    {"fail", fail, 8},
    {"reject", reject, 1},
    {"give_back", give_back, 2},
    {"deal", deal, 6},
    {"redrive", redrive, 3},
    {"receive_dead", receive_dead, 2},
    {"purge", purge, 1},
    {"advance", advance, 4},
    {"advance_once", advance_once, 20},
    {"carry", carry, 5},
    {"change", change, 1},
};

/* ---- the end ---------------------------------------------------------------------------------- */

/* Everything that waits at the station is done, without any output. */
static void drain_station(struct harness *harness, uint32_t station) {
    struct line_steps *steps = steps_of(harness);
    struct command open = {.kind = COMMAND_SESSION_OPEN,
                           .session = {.line = steps->line, .station = station}};
    struct broker_ref session = harness_submit(harness, &open)->session.session;
    for (;;) {
        struct command lease = {.kind = COMMAND_LEASE,
                                .lease = {.session = session, .messages_max = 1}};
        const struct broker_answer *answer = harness_submit(harness, &lease);
        if (answer->lease.count == 0) break;
        struct command command = {
            .kind = COMMAND_COMPLETE,
            .complete = {.session = session, .message = answer->lease.leases[0].message}};
        EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    }
    struct command end = {.kind = COMMAND_SESSION_END,
                          .session = {.session = session, .uncounted = true}};
    EXPECT_INT(harness_submit(harness, &end)->result, BROKER_OK);
}

static bool is_drained(const struct harness *harness) {
    const struct pool *pools = harness->broker->pools;
    return pools[THING_MESSAGE].count == 0 && pools[THING_SPLIT].count == 0 &&
           pools[THING_ROLL].count == 0 && pools[THING_PIECE].count == 0;
}

void line_steps_drain(struct harness *harness) {
    struct line_steps *steps = steps_of(harness);
    struct command life = {.kind = COMMAND_LIFE_START};
    EXPECT_INT(harness_submit(harness, &life)->result, BROKER_OK);
    steps->sessions_count = steps->leases_count = 0;
    for (uint32_t round = 0; round < 300 && !is_drained(harness); round++) {
        harness->now_ms += 21000; /* the longest backoff, and the dead letters' visibility */
        harness_settle(harness);
        deal(harness);
        /* From the last station on, so that no gate stays shut. */
        for (uint32_t i = steps->stations_count; i-- > 0;) {
            drain_station(harness, i);
            harness_settle(harness);
            while (delete_some(harness, steps->stations[i].dead_queue, 10) > 0) continue;
        }
        harness_settle(harness);
    }
    broker_check(harness->broker);
    EXPECT(is_drained(harness));
    struct broker_totals totals;
    broker_get_totals(harness->broker, &totals);
    EXPECT_INT(totals.jobs_running, 0);
    harness->now_ms += KEEP_MS;
    harness_settle(harness);
    EXPECT_INT(harness->broker->pools[THING_JOB].count, 0);
}
