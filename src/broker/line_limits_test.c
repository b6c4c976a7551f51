/* SPDX-License-Identifier: Apache-2.0 */
/* Lines at their limits: large splits, WIP limits, cycles; and what finds a job again. */
#include "line_floor.h"
#include "test.h"

#include <stdio.h>

/* mix -> bake -> done, which joins what mix splits. */
struct biscuits {
    struct floor floor;
    uint32_t mix;
    uint32_t bake;
    uint32_t done;
};

/* More orders end than are remembered: those that ended first are forgotten, before their time and
 * with their keys; no new order is refused, and what runs is never forgotten. */
TEST(ended_jobs_have_a_maximum) {
    struct floor floor;
    floor_open(&floor);
    floor.harness.options.jobs_ended_max = 10;
    floor.harness.broker->jobs_ended_max = 10;
    uint32_t only = floor_station(&floor, "only");
    floor_put(&floor);
    struct broker_ref running = floor_start(&floor, only);
    struct answer_lease held = floor_lease(&floor, only);
    struct broker_ref jobs[30];
    struct job_view view;
    for (uint32_t i = 0; i < ARRAY_COUNT(jobs); i++) {
        jobs[i] = floor_start(&floor, only);
        struct answer_lease lease = floor_lease(&floor, only);
        floor_complete(&floor, only, &lease, NULL, 0, false);
        floor_wait(&floor, 5);
        EXPECT(broker_get_job(floor.harness.broker, jobs[i], &view));
        if (i >= 10) EXPECT(!broker_get_job(floor.harness.broker, jobs[i - 10], &view));
        if (i >= 9) EXPECT(broker_get_job(floor.harness.broker, jobs[i - 9], &view));
    }
    EXPECT(broker_get_job(floor.harness.broker, running, &view));
    EXPECT_INT(view.state, JOB_RUNNING);
    EXPECT(!broker_has_sweep(floor.harness.broker));
    floor_complete(&floor, only, &held, NULL, 0, false);
    floor_wait(&floor, 5);
    EXPECT(broker_get_job(floor.harness.broker, running, &view));
    EXPECT(!broker_get_job(floor.harness.broker, jobs[20], &view));
    EXPECT_INT(floor.harness.broker->pools[THING_JOB].count, 10);
    floor_close(&floor);
}

static void biscuits_open(struct biscuits *biscuits, uint32_t bake_limit) {
    struct floor *floor = &biscuits->floor;
    floor_open(floor);
    biscuits->mix = floor_station(floor, "mix");
    biscuits->bake = floor_station(floor, "bake");
    biscuits->done = floor_join(floor, "done", biscuits->mix, MISSING_FAIL);
    floor_route(floor, biscuits->mix, biscuits->bake);
    floor_route(floor, biscuits->bake, biscuits->done);
    floor->stations[biscuits->bake].wip_limit = bake_limit;
    floor->stations[biscuits->mix].gates = bake_limit > 0 ? 1ull << biscuits->bake : 0;
    floor_put(floor);
}

static struct broker_ref mix(struct biscuits *biscuits, uint32_t count) {
    struct floor *floor = &biscuits->floor;
    struct broker_ref job = floor_start(floor, biscuits->mix);
    struct answer_lease lease = floor_lease(floor, biscuits->mix);
    struct command_output *outputs =
        allocator_resize_array(&floor->harness.allocator, NULL, count, sizeof *outputs);
    EXPECT(outputs != NULL);
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = (struct command_output){biscuits->bake, true, SLICE("a biscuit")};
    }
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = floor->sessions[biscuits->mix],
                                           .message = lease.message,
                                           .outputs = outputs,
                                           .outputs_count = count}};
    EXPECT_INT(floor_submit(floor, &command)->result, BROKER_OK);
    allocator_give_back(&floor->harness.allocator, outputs);
    return job;
}

/* All that waits at the oven, without looking at everything after each step. */
static uint32_t bake_all(struct biscuits *biscuits) {
    struct harness *harness = &biscuits->floor.harness;
    struct broker_ref session = biscuits->floor.sessions[biscuits->bake];
    uint32_t baked = 0;
    for (;;) {
        struct command lease = {.kind = COMMAND_LEASE,
                                .lease = {.session = session, .messages_max = 1}};
        const struct broker_answer *answer = harness_submit(harness, &lease);
        if (answer->lease.count == 0) return baked;
        struct command_output output = {biscuits->done, false, SLICE("baked")};
        struct command command = {.kind = COMMAND_COMPLETE,
                                  .complete = {.session = session,
                                               .message = answer->lease.leases[0].message,
                                               .outputs = &output,
                                               .outputs_count = 1}};
        EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
        baked++;
    }
}

static void expect_kit(struct biscuits *biscuits, struct broker_ref job, uint32_t count) {
    struct floor *floor = &biscuits->floor;
    struct answer_lease kit = floor_lease(floor, biscuits->done);
    struct kit_part *parts =
        allocator_resize_array(&floor->harness.allocator, NULL, count, sizeof *parts);
    EXPECT(parts != NULL);
    EXPECT_INT(broker_kit_parts(floor->harness.broker, kit.message, 0, parts, count), count);
    for (uint32_t i = 0; i < count; i++) EXPECT_INT(parts[i].index, i);
    allocator_give_back(&floor->harness.allocator, parts);
    floor_complete(floor, biscuits->done, &kit, NULL, 0, false);
    EXPECT_INT(floor_job(floor, job).state, JOB_DONE);
    floor_expect_empty(floor);
}

/* 250 outputs are dealt in three records; what was baked meanwhile does not close the kit. */
TEST(roll_of_250_is_dealt_and_joined) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 0);
    struct floor *floor = &biscuits.floor;
    struct broker_ref job = mix(&biscuits, 250);
    EXPECT_INT(floor_count(floor, biscuits.bake), 0);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    harness_turn(&floor->harness); /* a crash resumes at the cursor */
    EXPECT_INT(floor_deal(floor), 3);
    harness_turn(&floor->harness);
    EXPECT_INT(floor_count(floor, biscuits.bake), 250);
    EXPECT_INT(bake_all(&biscuits), 250);
    expect_kit(&biscuits, job, 250);
    floor_close(floor);
}

/* A roll waits while its station is full, and its kit for the roll. */
TEST(roll_waits_for_room) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 30);
    struct floor *floor = &biscuits.floor;
    struct broker_ref job = mix(&biscuits, 250);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT_INT(floor_deal(floor), 1);
        EXPECT_INT(floor_count(floor, biscuits.bake), i < 2 ? 100 : 50);
        EXPECT_INT(floor_count(floor, biscuits.done), 0);
        EXPECT_INT(bake_all(&biscuits), i < 2 ? 100 : 50);
        harness_settle(&floor->harness);
    }
    expect_kit(&biscuits, job, 250);
    floor_close(floor);
}

TEST(roll_of_20000_is_dealt_and_joined) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 0);
    struct broker_ref job = mix(&biscuits, 20000);
    EXPECT_INT(floor_deal(&biscuits.floor), 200);
    EXPECT_INT(bake_all(&biscuits), 20000);
    expect_kit(&biscuits, job, 20000);
    floor_close(&biscuits.floor);
}

/* A reject drops what is not dealt. */
TEST(rejected_job_drops_its_roll) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 30);
    struct floor *floor = &biscuits.floor;
    struct broker_ref job = mix(&biscuits, 250);
    EXPECT_INT(floor_deal(floor), 1);
    struct answer_lease lease = floor_lease(floor, biscuits.bake);
    floor_attempt(floor, COMMAND_REJECT, biscuits.bake, &lease, "no flour");
    EXPECT_INT(floor_job(floor, job).state, JOB_REJECTED);
    floor_expect_empty(floor);
    floor_close(floor);
}

static enum broker_result try_start(struct biscuits *biscuits) {
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = biscuits->floor.line,
                                            .station = biscuits->mix,
                                            .body = SLICE("order")}};
    return floor_submit(&biscuits->floor, &command)->result;
}

static bool was_told(struct biscuits *biscuits, uint32_t station) {
    struct broker_event event;
    bool is_told = false;
    while (broker_take_event(biscuits->floor.harness.broker, &event)) {
        is_told = is_told || (event.kind == BROKER_EVENT_STATION && event.station == station);
    }
    return is_told;
}

/* Orders that still wait before the full station's gate count at the door: what is accepted is
 * bounded by the limit, however slow the station at the door is. */
TEST(door_counts_what_waits_before_the_gate) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 3);
    struct floor *floor = &biscuits.floor;
    (void)mix(&biscuits, 1);
    EXPECT_INT(try_start(&biscuits), BROKER_OK);
    EXPECT_INT(try_start(&biscuits), BROKER_OK); /* one at the oven, two on their way to it */
    EXPECT_INT(try_start(&biscuits), BROKER_LINE_FULL);
    struct answer_lease lease;
    EXPECT_INT(floor_lease_into(floor, floor->sessions[biscuits.bake], 1, &lease), 1);
    floor_complete(floor, biscuits.bake, &lease, &biscuits.done, 1, false);
    EXPECT_INT(try_start(&biscuits), BROKER_OK);
    floor_close(floor);
}

/* A full station stops those before it from starting and shuts the door; room opens both again. */
TEST(full_station_shuts_the_gate_and_the_door) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 2);
    struct floor *floor = &biscuits.floor;
    (void)floor_start(floor, biscuits.mix);
    (void)mix(&biscuits, 2); /* the oldest is mixed: two are at the oven, one waits */
    struct answer_lease lease;
    EXPECT_INT(floor_lease_into(floor, floor->sessions[biscuits.mix], 1, &lease), 0);
    EXPECT_INT(try_start(&biscuits), BROKER_LINE_FULL);
    struct station_view view;
    EXPECT(broker_get_station(floor->harness.broker, floor->line, biscuits.mix, &view));
    EXPECT(view.is_gated && view.gate == biscuits.bake && !view.is_full);
    (void)was_told(&biscuits, biscuits.mix);
    EXPECT_INT(floor_lease_into(floor, floor->sessions[biscuits.bake], 1, &lease), 1);
    EXPECT(!was_told(&biscuits, biscuits.mix)); /* in flight counts */
    floor_complete(floor, biscuits.bake, &lease, &biscuits.done, 1, false);
    EXPECT(was_told(&biscuits, biscuits.mix));
    struct answer_lease mixing;
    EXPECT_INT(floor_lease_into(floor, floor->sessions[biscuits.mix], 1, &mixing), 1);
    EXPECT_INT(try_start(&biscuits), BROKER_LINE_FULL); /* one bakes, one is on its way there */
    EXPECT_INT(floor_lease_into(floor, floor->sessions[biscuits.bake], 1, &lease), 1);
    floor_complete(floor, biscuits.bake, &lease, &biscuits.done, 1, false);
    EXPECT_INT(try_start(&biscuits), BROKER_OK);
    floor_close(floor);
}

/* A loop that never ends is cut: the message is a dead letter with that reason. */
TEST(endless_cycle_ends_in_the_dead_letters) {
    struct floor floor;
    floor_open(&floor);
    uint32_t first = floor_station(&floor, "first");
    uint32_t second = floor_station(&floor, "second");
    floor_route(&floor, first, second);
    floor_route(&floor, second, first);
    floor_put(&floor);
    struct broker_ref job = floor_start(&floor, first);
    struct answer_lease lease;
    for (uint32_t i = 0; i < BROKER_HOPS_MAX; i++) {
        char path[16] = "";
        if (i > 0) snprintf(path, sizeof path, "~%u", i);
        lease = floor_lease(&floor, i % 2);
        EXPECT_STRING(lease.task_path, path); /* each visit is another task */
        floor_complete(&floor, i % 2, &lease, (uint32_t[]){(i + 1) % 2}, 1, false);
    }
    EXPECT_INT(floor_job(&floor, job).state, JOB_RUNNING);
    floor_pass(&floor, first, second);
    EXPECT_INT(floor_job(&floor, job).state, JOB_FAILED);
    EXPECT_INT(floor_dead(&floor, first), 1);
    floor_close(&floor);
}

/* The line's own, lower limit holds, and still after its record was read again. */
TEST(hops_of_the_line_cut_a_loop) {
    struct floor floor;
    floor_open(&floor);
    uint32_t round = floor_station(&floor, "round");
    floor_route(&floor, round, round);
    floor.stations[round].hops_max = 3;
    floor_put(&floor);
    struct broker *replayed = harness_replay(&floor.harness);
    struct line_view view;
    EXPECT(broker_find_line(replayed, SLICE("bakery"), &view));
    EXPECT_INT(view.stations[round].hops_max, 3);
    broker_close(replayed);
    struct broker_ref job = floor_start(&floor, round);
    for (uint32_t i = 0; i < 3; i++) {
        floor_pass(&floor, round, round);
        EXPECT_INT(floor_job(&floor, job).state, JOB_RUNNING);
    }
    floor_pass(&floor, round, round);
    EXPECT_INT(floor_job(&floor, job).state, JOB_FAILED);
    EXPECT_INT(floor_dead(&floor, round), 1);
    floor.stations[round].hops_max = 1; /* a changed file: another record */
    floor_route(&floor, round, round);
    floor_put(&floor);
    job = floor_start(&floor, round);
    floor_pass(&floor, round, round);
    EXPECT_INT(floor_job(&floor, job).state, JOB_RUNNING);
    floor_pass(&floor, round, round);
    EXPECT_INT(floor_job(&floor, job).state, JOB_FAILED);
    floor_close(&floor);
}

static const struct broker_answer *start_as(struct floor *floor, struct slice key,
                                            struct slice once, uint64_t request_hash) {
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = floor->line,
                                            .body = SLICE("order"),
                                            .key = key,
                                            .once = once,
                                            .request_hash = request_hash}};
    return floor_submit(floor, &command);
}

/* The same order again is the same job; another one under its word is refused. */
TEST(once_is_one_job) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 0);
    struct floor *floor = &biscuits.floor;
    struct broker_ref job = start_as(floor, SLICE_EMPTY, SLICE("abc"), 1)->job_start.job;
    for (uint32_t i = 0; i < 2; i++) {
        const struct broker_answer *answer = start_as(floor, SLICE_EMPTY, SLICE("abc"), 1);
        EXPECT_INT(answer->result, BROKER_OK);
        EXPECT(answer->job_start.existed && answer->job_start.job.number == job.number);
        EXPECT_INT(start_as(floor, SLICE_EMPTY, SLICE("abc"), 2)->result, BROKER_ONCE_CONFLICT);
        harness_turn(&floor->harness);
        floor->harness.now_ms += 1000;
    }
    EXPECT(!start_as(floor, SLICE_EMPTY, SLICE("abd"), 1)->job_start.existed);
    floor_pass(floor, biscuits.mix, BROKER_TARGET_END);
    floor_pass(floor, biscuits.done, BROKER_TARGET_END);
    floor_wait(floor, 3600000); /* forgotten: the word is free */
    EXPECT(!start_as(floor, SLICE_EMPTY, SLICE("abc"), 2)->job_start.existed);
    floor_close(floor);
}

/* Jobs are found by id, by key, and one after the other from the newest. */
TEST(jobs_are_found_by_their_key) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 0);
    struct floor *floor = &biscuits.floor;
    struct broker_ref jobs[6];
    for (uint32_t i = 0; i < 6; i++) {
        struct slice key = i % 2 == 0 ? SLICE("even") : SLICE("odd");
        jobs[i] = start_as(floor, key, SLICE_EMPTY, 0)->job_start.job;
    }
    for (uint32_t round = 0; round < 2; round++) {
        const struct broker *broker = floor->harness.broker;
        struct job_view view;
        uint64_t before = 0;
        for (uint32_t i = 6; i-- > 0;) {
            EXPECT(broker_next_job(broker, before, SLICE_EMPTY, &view));
            EXPECT_INT(view.ref.number, jobs[i].number);
            EXPECT(broker_find_job(broker, view.id, &view) && view.ref.number == jobs[i].number);
            before = view.ref.number;
        }
        EXPECT(!broker_next_job(broker, before, SLICE_EMPTY, &view));
        EXPECT(broker_next_job(broker, 0, SLICE("odd"), &view));
        EXPECT_INT(view.ref.number, jobs[5].number);
        EXPECT(broker_next_job(broker, view.ref.number, SLICE("odd"), &view));
        EXPECT_INT(view.ref.number, jobs[3].number);
        EXPECT(slice_equal_string(view.key, "odd"));
        EXPECT(!broker_next_job(broker, 0, SLICE("none"), &view));
        harness_trim(&floor->harness, floor->harness.next_lsn);
        harness_turn(&floor->harness);
        harness_turn(&floor->harness);
    }
    floor_close(floor);
}

/* The same file again is nothing new; a station with work cannot leave; a plain queue's name is not
 * for a station. */
TEST(line_put_keeps_what_is_there) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 0);
    struct floor *floor = &biscuits.floor;
    uint64_t lsn = floor->harness.next_lsn;
    struct command put = {.kind = COMMAND_LINE_PUT,
                          .line_put = {.name = SLICE("bakery"),
                                       .file = SLICE("line: bakery\n"),
                                       .stations = floor->stations,
                                       .stations_count = 3,
                                       .keep_jobs_ms = 3600000}};
    const struct broker_answer *answer = floor_submit(floor, &put);
    EXPECT_INT(answer->result, BROKER_OK);
    EXPECT_INT(answer->line_put.line.number, floor->line.number);
    EXPECT_INT(floor->harness.next_lsn, lsn);
    (void)mix(&biscuits, 3);
    struct line_station fewer[2] = {floor->stations[biscuits.mix], floor->stations[biscuits.bake]};
    put.line_put.file = SLICE("line: bakery, without the join\n");
    put.line_put.stations = fewer;
    put.line_put.stations_count = 2;
    EXPECT_INT(floor_submit(floor, &put)->result, BROKER_VALUE_INVALID);
    struct command create = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE("plain")}};
    EXPECT_INT(floor_submit(floor, &create)->result, BROKER_OK);
    fewer[1].queue = SLICE("plain");
    put.line_put.name = SLICE("other");
    EXPECT_INT(floor_submit(floor, &put)->result, BROKER_QUEUE_EXISTS);
    floor_close(floor);
}

/* A message that a plain client sends to a station's queue starts a job there. */
TEST(sent_message_starts_a_job) {
    struct biscuits biscuits;
    biscuits_open(&biscuits, 0);
    struct floor *floor = &biscuits.floor;
    struct command_send_entry entries[2] = {{SLICE("one"), 3, -1}, {SLICE("two"), 3, -1}};
    struct command send = {
        .kind = COMMAND_SEND,
        .send = {.queue = SLICE("bakery_mix"), .entries = entries, .entries_count = 2}};
    const struct broker_answer *answer = floor_submit(floor, &send);
    EXPECT_INT(answer->result, BROKER_OK);
    EXPECT_INT(answer->send.results[1], BROKER_OK);
    struct command receive = {
        .kind = COMMAND_RECEIVE,
        .receive = {.queue = SLICE("bakery_mix"), .messages_max = 1, .visibility_ms = -1}};
    EXPECT_INT(floor_submit(floor, &receive)->result, BROKER_UNSUPPORTED);
    struct answer_lease leases[2];
    EXPECT_INT(floor_lease_into(floor, floor->sessions[biscuits.mix], 2, leases), 2);
    EXPECT(memcmp(leases[0].job_id, leases[1].job_id, 16) != 0);
    EXPECT(slice_equal_string(harness_body(&floor->harness, leases[1].body), "two"));
    floor_close(floor);
}
