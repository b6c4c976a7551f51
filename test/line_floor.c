/* SPDX-License-Identifier: Apache-2.0 */
#include "line_floor.h"

#include "test.h"

#include <stdio.h>

void floor_open(struct floor *floor) {
    *floor = (struct floor){0};
    harness_open(&floor->harness, 1);
}

void floor_close(struct floor *floor) {
    harness_turn(&floor->harness); /* what it came to survives a replay */
    harness_turn(&floor->harness);
    harness_close(&floor->harness);
}

uint32_t floor_station(struct floor *floor, const char *name) {
    uint32_t index = floor->stations_count++;
    EXPECT(index < FLOOR_STATIONS_MAX);
    char(*names)[40] = floor->names[index];
    snprintf(names[0], sizeof names[0], "%s", name);
    snprintf(names[1], sizeof names[1], "bakery_%s", name);
    snprintf(names[2], sizeof names[2], "bakery_%s_dead", name);
    floor->stations[index] = (struct line_station){
        .name = slice_from_string(names[0]),
        .queue = slice_from_string(names[1]),
        .dead_queue = slice_from_string(names[2]),
        .retention_ms = 14 * 86400000ll,
        .backoff_ms_min = 1000,
        .backoff_ms_max = 60000,
        .attempts_max = 3,
        .join_opener = -1,
        .within_ms = 0,
    };
    return index;
}

uint32_t floor_join(struct floor *floor, const char *name, uint32_t opener,
                    enum missing_policy missing) {
    uint32_t index = floor_station(floor, name);
    floor->stations[index].join_opener = (int32_t)opener;
    floor->stations[index].missing = missing;
    floor->stations[index].within_ms = 1800000;
    return index;
}

/* During building `gates` holds what can be reached directly; floor_put makes `reach` of it. */
void floor_route(struct floor *floor, uint32_t from, uint32_t to) {
    floor->stations[from].reach |= 1ull << to;
}

static void close_reach(struct floor *floor) {
    for (uint32_t round = 0; round < floor->stations_count; round++) {
        for (uint32_t i = 0; i < floor->stations_count; i++) {
            for (uint32_t k = 0; k < floor->stations_count; k++) {
                bool goes_there = (floor->stations[i].reach >> k & 1) != 0;
                if (goes_there) floor->stations[i].reach |= floor->stations[k].reach;
            }
        }
    }
    uint64_t joins = 0;
    for (uint32_t i = 0; i < floor->stations_count; i++) {
        floor->stations[i].in_cycle = (floor->stations[i].reach >> i & 1) != 0;
        if (floor->stations[i].join_opener >= 0) joins |= 1ull << i;
    }
    for (uint32_t i = 0; i < floor->stations_count; i++) floor->stations[i].reach &= joins;
}

const struct broker_answer *floor_submit(struct floor *floor, const struct command *command) {
    const struct broker_answer *answer = harness_submit(&floor->harness, command);
    broker_check(floor->harness.broker);
    return answer;
}

const struct broker_answer *floor_put(struct floor *floor) {
    close_reach(floor);
    struct command command = {.kind = COMMAND_LINE_PUT,
                              .line_put = {.name = SLICE("bakery"),
                                           .file = SLICE("line: bakery\n"),
                                           .stations = floor->stations,
                                           .stations_count = floor->stations_count,
                                           .keep_jobs_ms = 3600000}};
    const struct broker_answer *answer = floor_submit(floor, &command);
    EXPECT_STRING(answer->detail, "");
    EXPECT_INT(answer->result, BROKER_OK);
    floor->line = answer->line_put.line;
    for (uint32_t i = 0; i < floor->stations_count; i++) {
        floor->sessions[i] = floor_session(floor, i);
    }
    return answer;
}

struct broker_ref floor_start(struct floor *floor, uint32_t station) {
    struct command command = {
        .kind = COMMAND_JOB_START,
        .job_start = {.line = floor->line, .station = station, .body = SLICE("order")}};
    const struct broker_answer *answer = floor_submit(floor, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    return answer->job_start.job;
}

struct broker_ref floor_session(struct floor *floor, uint32_t station) {
    struct command command = {.kind = COMMAND_SESSION_OPEN,
                              .session = {.line = floor->line, .station = station}};
    const struct broker_answer *answer = floor_submit(floor, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    return answer->session.session;
}

uint32_t floor_lease_into(struct floor *floor, struct broker_ref session, uint32_t max,
                          struct answer_lease *out) {
    struct command command = {.kind = COMMAND_LEASE,
                              .lease = {.session = session, .messages_max = max}};
    const struct broker_answer *answer = floor_submit(floor, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    for (uint32_t i = 0; i < answer->lease.count; i++) out[i] = answer->lease.leases[i];
    return answer->lease.count;
}

struct answer_lease floor_lease(struct floor *floor, uint32_t station) {
    harness_settle(&floor->harness);
    struct answer_lease lease;
    EXPECT_INT(floor_lease_into(floor, floor->sessions[station], 1, &lease), 1);
    return lease;
}

void floor_complete(struct floor *floor, uint32_t station, const struct answer_lease *lease,
                    const uint32_t *targets, uint32_t targets_count, bool each) {
    struct command_output outputs[300];
    char texts[300][24];
    EXPECT(targets_count <= ARRAY_COUNT(outputs));
    for (uint32_t i = 0; i < targets_count; i++) {
        snprintf(texts[i], sizeof texts[i], "output %u", i);
        outputs[i] = (struct command_output){targets[i], each, slice_from_string(texts[i])};
    }
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = floor->sessions[station],
                                           .message = lease->message,
                                           .outputs = outputs,
                                           .outputs_count = targets_count,
                                           .result = SLICE("result")}};
    const struct broker_answer *answer = floor_submit(floor, &command);
    EXPECT_STRING(answer->detail, "");
    EXPECT_INT(answer->result, BROKER_OK);
}

void floor_pass(struct floor *floor, uint32_t station, uint32_t to) {
    struct answer_lease lease = floor_lease(floor, station);
    floor_complete(floor, station, &lease, &to, to == BROKER_TARGET_END ? 0 : 1, false);
    harness_settle(&floor->harness);
}

void floor_attempt(struct floor *floor, enum command_kind kind, uint32_t station,
                   const struct answer_lease *lease, const char *error) {
    struct command command = {.kind = kind,
                              .attempt = {.session = floor->sessions[station],
                                          .message = lease->message,
                                          .error = slice_from_string(error)}};
    EXPECT_INT(floor_submit(floor, &command)->result, BROKER_OK);
}

void floor_kill(struct floor *floor, uint32_t station) {
    for (uint32_t i = 0; i < floor->stations[station].attempts_max; i++) {
        struct answer_lease lease = floor_lease(floor, station);
        EXPECT_INT(lease.attempt, i + 1);
        floor_attempt(floor, COMMAND_FAIL, station, &lease, "the oven is cold");
        floor_wait(floor, 60000);
    }
}

static struct station_view view(struct floor *floor, uint32_t station) {
    struct station_view out;
    EXPECT(broker_get_station(floor->harness.broker, floor->line, station, &out));
    return out;
}
uint64_t floor_count(struct floor *floor, uint32_t station) {
    return view(floor, station).wip_count;
}
uint64_t floor_dead(struct floor *floor, uint32_t station) {
    return view(floor, station).dead_count;
}

uint32_t floor_redrive(struct floor *floor, uint32_t station) {
    struct command command = {
        .kind = COMMAND_REDRIVE,
        .redrive = {.queue = floor->stations[station].dead_queue, .messages_max = 1000}};
    const struct broker_answer *answer = floor_submit(floor, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    return answer->step.count;
}

void floor_wait(struct floor *floor, int64_t ms) {
    floor->harness.now_ms += ms;
    harness_settle(&floor->harness);
    broker_check(floor->harness.broker);
}

struct job_view floor_job(struct floor *floor, struct broker_ref job) {
    struct job_view out;
    harness_settle(&floor->harness);
    EXPECT(broker_get_job(floor->harness.broker, job, &out));
    return out;
}

void floor_expect_empty(struct floor *floor) {
    harness_settle(&floor->harness);
    EXPECT_INT(floor->harness.broker->pools[THING_MESSAGE].count, 0);
    EXPECT_INT(floor->harness.broker->pools[THING_PIECE].count, 0);
    EXPECT_INT(floor->harness.broker->pools[THING_SPLIT].count, 0);
    EXPECT_INT(floor->harness.broker->pools[THING_ROLL].count, 0);
}

uint32_t floor_deal(struct floor *floor) {
    struct broker_ref roll;
    struct body_ref chunk;
    uint32_t count = 0;
    for (; broker_next_roll(floor->harness.broker, (struct broker_ref){0}, &roll, &chunk);
         count++) {
        struct command command = {
            .kind = COMMAND_ROLL_DEAL,
            .roll_deal = {.roll = roll, .chunk = harness_body(&floor->harness, chunk)}};
        const struct broker_answer *answer = harness_submit(&floor->harness, &command);
        EXPECT_INT(answer->result, BROKER_OK);
    }
    broker_check(floor->harness.broker);
    return count;
}
