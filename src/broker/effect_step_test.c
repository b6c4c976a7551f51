/* SPDX-License-Identifier: Apache-2.0 */
/* Every station passed is told, however many steps there were: counted here as a reader does it. */
#include "broker/job_totals.h"
#include "line_floor.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#define PARTS 3000u
#define STATIONS 3u
#define HANDS 64u

struct reading {
    struct arena arena;
    struct job_totals totals;
};

static void read_chain(struct floor *floor, struct reading *reading, struct body_ref at) {
    uint32_t bodies = 0;
    for (; at.position != 0; bodies++) {
        struct job_history_reader reader;
        EXPECT_INT(job_history_open(harness_body(&floor->harness, at), &reader), 0);
        EXPECT_INT(reader.left_out, 0);
        at = reader.previous;
        job_totals_add_body(&reading->totals, &reader);
    }
    EXPECT(bodies <= JOB_HISTORY_EARLY_MAX); /* however long the history is */
}

static struct reading *read_job(struct floor *floor, struct broker_ref job) {
    struct reading *reading = calloc(1, sizeof *reading);
    EXPECT(reading != NULL);
    struct job_view view;
    struct job_total tallies[JOB_TOTALS_MAX];
    EXPECT(broker_get_job(floor->harness.broker, job, &view));
    arena_open(&reading->arena, &floor->harness.allocator, 1u << 20);
    reading->totals.arena = &reading->arena;
    read_chain(floor, reading, view.early.position != 0 ? view.early : view.history);
    uint32_t count = broker_job_totals(floor->harness.broker, job, tallies);
    for (uint32_t i = 0; i < count; i++) {
        struct job_total *tally = &tallies[i];
        if (tally->error_in.position != 0) {
            tally->error = job_history_find_error(harness_body(&floor->harness, tally->error_in),
                                                  tally->station_name);
            EXPECT(tally->error.count > 0);
        }
        job_totals_add(&reading->totals, tally);
    }
    EXPECT(!reading->totals.failed);
    job_totals_sort(&reading->totals);
    return reading;
}

static void reading_close(struct reading *reading) {
    arena_close(&reading->arena);
    free(reading);
}

static void expect_total(const struct job_total *total, const char *station, uint32_t done,
                         uint32_t failed, const char *error) {
    EXPECT(slice_equal_string(total->station_name, station));
    EXPECT_INT(total->counts[STEP_DONE], done);
    EXPECT_INT(total->counts[STEP_FAILED], failed);
    EXPECT(slice_equal_string(total->error, error));
    EXPECT(total->first.ms > 0 && total->first.ms <= total->last.ms);
}

/* ---- a split ---------------------------------------------------------------------------------- */

static void open_line(struct floor *floor) {
    static const char *const names[] = {"counter", "wash", "dry", "fold"};
    floor_open(floor);
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) EXPECT_INT(floor_station(floor, names[i]), i);
    for (uint32_t i = 0; i < STATIONS; i++) floor_route(floor, i, i + 1);
    floor_put(floor);
}

static void split(struct floor *floor) {
    static struct command_output outputs[PARTS];
    for (uint32_t i = 0; i < PARTS; i++) {
        outputs[i] = (struct command_output){.station = 1, .body = SLICE("shirt")};
    }
    struct answer_lease lease = floor_lease(floor, 0);
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = floor->sessions[0],
                                           .message = lease.message,
                                           .outputs = outputs,
                                           .outputs_count = PARTS}};
    EXPECT_INT(harness_submit(&floor->harness, &command)->result, BROKER_OK);
    EXPECT_INT(floor_deal(floor), PARTS / BROKER_DEAL_OUTPUTS_MAX);
}

static void end_one(struct floor *floor, uint32_t station, struct broker_ref message, bool fails) {
    struct command_output output = {.station = station + 1, .body = SLICE("shirt")};
    struct command command = {.kind = COMMAND_FAIL,
                              .attempt = {.session = floor->sessions[station],
                                          .message = message,
                                          .error = SLICE("no water")}};
    if (!fails) {
        command.kind = COMMAND_COMPLETE;
        command.complete = (struct command_complete){.session = floor->sessions[station],
                                                     .message = message,
                                                     .outputs = &output,
                                                     .outputs_count = station < STATIONS};
    }
    EXPECT_INT(harness_submit(&floor->harness, &command)->result, BROKER_OK);
}

/* All that is at the station, one time in ten with a failed first attempt. */
static void work(struct floor *floor, uint32_t station) {
    struct answer_lease hands[HANDS];
    uint32_t done = 0;
    while (done < PARTS) {
        harness_settle(&floor->harness);
        struct command lease = {
            .kind = COMMAND_LEASE,
            .lease = {.session = floor->sessions[station], .messages_max = HANDS}};
        const struct broker_answer *answer = harness_submit(&floor->harness, &lease);
        EXPECT_INT(answer->result, BROKER_OK);
        uint32_t count = answer->lease.count;
        memcpy(hands, answer->lease.leases, count * sizeof *hands);
        for (uint32_t i = 0; i < count; i++) {
            bool fails = hands[i].attempt == 1 && i % 10 == 9 && station == 2;
            end_one(floor, station, hands[i].message, fails);
            done += !fails;
        }
        floor->harness.now_ms += count == 0 ? 1000 : 1;
    }
}

static void expect_split(struct floor *floor, struct broker_ref job, uint32_t done) {
    static const char *const names[] = {"counter", "wash", "dry", "fold"};
    struct reading *reading = read_job(floor, job);
    EXPECT_INT(reading->totals.count, done + 1);
    expect_total(&reading->totals.list[0], names[0], 1, 0, "");
    for (uint32_t i = 1; i <= done; i++) {
        uint32_t failed = reading->totals.list[i].counts[STEP_FAILED];
        expect_total(&reading->totals.list[i], names[i], PARTS, failed, i == 2 ? "no water" : "");
        EXPECT(i == 2 ? failed > PARTS / 12 : failed == 0);
    }
    reading_close(reading);
}

static void replay(struct floor *floor) {
    harness_turn(&floor->harness); /* the twin, and compared; then instead of the other */
    harness_turn(&floor->harness);
}

/* Three thousand parts through three stations; replayed, carried and replayed on the way. */
TEST(every_station_of_a_large_split_is_told) {
    struct floor floor;
    open_line(&floor);
    struct broker_ref job = floor_start(&floor, 0);
    split(&floor);
    for (uint32_t station = 1; station <= STATIONS; station++) {
        work(&floor, station);
        expect_split(&floor, job, station);
        replay(&floor);
        expect_split(&floor, job, station);
        harness_trim(&floor.harness, floor.harness.next_lsn);
        expect_split(&floor, job, station);
        replay(&floor);
        expect_split(&floor, job, station);
        broker_check(floor.harness.broker);
    }
    EXPECT_INT(floor_job(&floor, job).state, JOB_DONE);
    EXPECT_INT(floor.harness.broker->tallies.count, STATIONS);
    floor_wait(&floor, 100ll * 86400000); /* it is forgotten, and its tallies with it */
    EXPECT_INT(floor.harness.broker->tallies.count, 0);
    floor_close(&floor);
}

/* ---- a cycle ---------------------------------------------------------------------------------- */

/* A job that goes round, carried again and again, before and after it becomes long. */
TEST(every_round_of_a_cycle_is_told) {
    struct floor floor;
    floor_open(&floor);
    uint32_t knead = floor_station(&floor, "knead");
    uint32_t rest = floor_station(&floor, "rest");
    floor_route(&floor, knead, rest);
    floor_route(&floor, rest, knead);
    floor_put(&floor);
    struct broker_ref job = floor_start(&floor, knead);
    for (uint32_t round = 1; round <= 49; round++) {
        floor_pass(&floor, knead, rest);
        struct answer_lease lease = floor_lease(&floor, rest);
        floor_attempt(&floor, COMMAND_FAIL, rest, &lease, "too warm");
        floor_wait(&floor, 60000);
        floor_pass(&floor, rest, knead);
        bool is_carried = round == 13 || round == 42 || round == 46;
        if (is_carried) harness_trim(&floor.harness, floor.harness.next_lsn);
        if (round % 7 == 0) replay(&floor);
        struct reading *reading = read_job(&floor, job);
        EXPECT_INT(reading->totals.count, 2);
        expect_total(&reading->totals.list[0], "knead", round, 0, "");
        expect_total(&reading->totals.list[1], "rest", round, round, "too warm");
        reading_close(reading);
    }
    EXPECT(floor_job(&floor, job).early.position != 0);
    floor_close(&floor);
}

/* A job that went through more stations than are counted apart: the others are one without a name. */
TEST(stations_beyond_the_limit_are_counted_together) {
    static struct job_totals totals;
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 1u << 20);
    totals = (struct job_totals){.arena = &arena};
    for (uint32_t i = 0; i < JOB_TOTALS_MAX + 72; i++) {
        char name[16];
        snprintf(name, sizeof name, "station %u", i);
        struct job_step step = {.station_name = slice_from_string(name), .ended.ms = 1};
        struct job_total total = job_step_total(&step);
        job_totals_add(&totals, &total);
    }
    EXPECT_INT(totals.count, JOB_TOTALS_MAX);
    EXPECT_INT(totals.list[JOB_TOTALS_MAX - 1].station_name.count, 0);
    EXPECT_INT(totals.list[JOB_TOTALS_MAX - 1].counts[STEP_DONE], 73);
    EXPECT_INT(job_totals_steps(&totals), JOB_TOTALS_MAX + 72);
    arena_close(&arena);
}
