/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of lines, one by one. That all of them survive a replay: line_replay_test.c. */
#include "broker/job_history.h"
#include "line_floor.h"
#include "test.h"

#include <stdio.h>

#define END BROKER_TARGET_END

/* counter -> kitchen -> delivery, and a cashier beside the kitchen. */
struct bakery {
    struct floor floor;
    uint32_t counter;
    uint32_t kitchen;
    uint32_t cashier;
    uint32_t delivery;
};

static void bakery_routes(struct bakery *bakery) {
    floor_route(&bakery->floor, bakery->counter, bakery->kitchen);
    floor_route(&bakery->floor, bakery->counter, bakery->cashier);
    floor_route(&bakery->floor, bakery->kitchen, bakery->delivery);
    floor_route(&bakery->floor, bakery->cashier, bakery->delivery);
}

static void bakery_open(struct bakery *bakery, bool has_join, enum missing_policy missing) {
    struct floor *floor = &bakery->floor;
    floor_open(floor);
    bakery->counter = floor_station(floor, "counter");
    bakery->kitchen = floor_station(floor, "kitchen");
    bakery->cashier = floor_station(floor, "cashier");
    bakery->delivery = has_join ? floor_join(floor, "delivery", bakery->counter, missing)
                                : floor_station(floor, "delivery");
    floor->stations[bakery->delivery].is_result = true;
    bakery_routes(bakery);
    floor_put(floor);
}

/* One order of `loaves` for the kitchen and one bill. */
static struct broker_ref bakery_order(struct bakery *bakery, uint32_t loaves) {
    struct floor *floor = &bakery->floor;
    struct broker_ref job = floor_start(floor, bakery->counter);
    struct answer_lease lease = floor_lease(floor, bakery->counter);
    uint32_t targets[256];
    EXPECT(loaves < ARRAY_COUNT(targets));
    for (uint32_t i = 0; i < loaves; i++) targets[i] = bakery->kitchen;
    targets[loaves] = bakery->cashier;
    floor_complete(floor, bakery->counter, &lease, targets, loaves + 1, false);
    return job;
}

static void expect_done(struct floor *floor, struct broker_ref job) {
    EXPECT_INT(floor_job(floor, job).state, JOB_DONE);
    EXPECT(floor_job(floor, job).ended.ms == floor->harness.now_ms);
    floor_expect_empty(floor);
}

/* A message that is handed on three times ends its job; its history tells the way. */
TEST(line_without_a_split_runs_to_its_end) {
    struct bakery bakery;
    bakery_open(&bakery, false, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = floor_start(floor, bakery.counter);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    floor_pass(floor, bakery.counter, bakery.kitchen);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    EXPECT_INT(floor_job(floor, job).living_count, 1);
    struct answer_lease lease = floor_lease(floor, bakery.delivery);
    EXPECT_STRING(lease.task_path, "");
    EXPECT(!lease.is_kit);
    EXPECT(slice_equal_string(harness_body(&floor->harness, lease.body), "output 0"));
    EXPECT(slice_equal_string(harness_body(&floor->harness, lease.order), "order"));
    floor_complete(floor, bakery.delivery, &lease, NULL, 0, false);
    expect_done(floor, job);
    struct job_view view = floor_job(floor, job);
    EXPECT(slice_equal_string(harness_body(&floor->harness, view.result), "result"));
    static const char *const names[] = {"delivery", "kitchen", "counter"};
    struct body_ref at = view.history;
    for (uint32_t i = 0; i < 3; i++) {
        struct job_history_reader reader;
        struct job_step step;
        EXPECT_INT(job_history_open(harness_body(&floor->harness, at), &reader), 0);
        EXPECT(job_history_next(&reader, &step));
        EXPECT(slice_equal_string(step.station_name, names[i]));
        EXPECT_INT(step.outcome, STEP_DONE);
        EXPECT_INT(step.attempt, 1);
        EXPECT(!job_history_next(&reader, &step));
        at = reader.previous;
    }
    EXPECT_INT(at.position, 0);
    floor_close(floor);
}

/* A hand-off to nobody at the opener of a join makes an empty kit at once. */
TEST(split_of_none_gives_an_empty_kit) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = floor_start(floor, bakery.counter);
    floor_pass(floor, bakery.counter, END);
    struct answer_lease kit = floor_lease(floor, bakery.delivery);
    EXPECT(kit.is_kit && kit.body.position == 0);
    EXPECT_INT(broker_kit_parts(floor->harness.broker, kit.message, 0, NULL, 0), 0);
    floor_complete(floor, bakery.delivery, &kit, NULL, 0, false);
    expect_done(floor, job);
    floor_close(floor);
}

static void bake_and_charge(struct bakery *bakery, uint32_t loaves) {
    for (uint32_t i = 0; i < loaves; i++) {
        floor_pass(&bakery->floor, bakery->kitchen, bakery->delivery);
    }
    floor_pass(&bakery->floor, bakery->cashier, bakery->delivery);
}

/* Many parts in whatever order they come are a kit in the split's order. */
TEST(split_of_many_gives_one_kit_in_order) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 5);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    struct answer_lease leases[5];
    EXPECT_INT(floor_lease_into(floor, floor->sessions[bakery.kitchen], 9, leases), 5);
    static const uint32_t order[] = {3, 0, 4, 1, 2};
    for (uint32_t i = 0; i < 5; i++) {
        EXPECT_INT(floor_count(floor, bakery.delivery), 0);
        char path[8];
        snprintf(path, sizeof path, "%u", order[i]);
        EXPECT_STRING(leases[order[i]].task_path, path);
        floor_complete(floor, bakery.kitchen, &leases[order[i]], &bakery.delivery, 1, false);
    }
    struct answer_lease kit = floor_lease(floor, bakery.delivery);
    EXPECT(kit.is_kit);
    EXPECT_STRING(kit.task_path, "");
    struct kit_part parts[8];
    EXPECT_INT(broker_kit_parts(floor->harness.broker, kit.message, 0, parts, 8), 6);
    for (uint32_t i = 0; i < 6; i++) {
        EXPECT_INT(parts[i].index, i);
        EXPECT_INT(parts[i].from, i < 5 ? bakery.kitchen : bakery.cashier);
    }
    EXPECT_INT(broker_kit_parts(floor->harness.broker, kit.message, 4, parts, 1), 6);
    EXPECT_INT(parts[0].index, 4);
    floor_complete(floor, bakery.delivery, &kit, NULL, 0, false);
    expect_done(floor, job);
    floor_close(floor);
}

/* The parts wait at the join without counting for its WIP. */
TEST(parts_of_a_kit_are_seen_where_they_wait) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 2);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    struct job_place places[BROKER_STATIONS_MAX];
    broker_job_places(floor->harness.broker, job, places);
    EXPECT_INT(places[bakery.delivery].in_kit, 1);
    EXPECT_INT(places[bakery.kitchen].waiting, 1);
    EXPECT_INT(places[bakery.cashier].waiting, 1);
    struct station_view view;
    EXPECT(broker_get_station(floor->harness.broker, floor->line, bakery.delivery, &view));
    EXPECT_INT(view.waiting_kits, 1);
    EXPECT_INT(view.wip_count, 0);
    EXPECT_INT(view.sessions_count, 1);
    bake_and_charge(&bakery, 1);
    EXPECT(broker_get_station(floor->harness.broker, floor->line, bakery.delivery, &view));
    EXPECT_INT(view.waiting_kits, 0);
    EXPECT_INT(view.wip_count, 1);
    floor_pass(floor, bakery.delivery, END);
    expect_done(floor, job);
    floor_close(floor);
}

/* Splits inside a split: the inner kits come first, and the outer one has them in its order. */
TEST(nested_splits_close_from_the_inside) {
    struct floor floor;
    floor_open(&floor);
    uint32_t outer = floor_station(&floor, "outer");
    uint32_t inner = floor_station(&floor, "inner");
    uint32_t work = floor_station(&floor, "work");
    uint32_t inner_join = floor_join(&floor, "inner-join", inner, MISSING_FAIL);
    uint32_t outer_join = floor_join(&floor, "outer-join", outer, MISSING_FAIL);
    floor_route(&floor, outer, inner);
    floor_route(&floor, inner, work);
    floor_route(&floor, work, inner_join);
    floor_route(&floor, inner_join, outer_join);
    floor_put(&floor);
    struct broker_ref job = floor_start(&floor, outer);
    uint32_t two[] = {inner, inner};
    struct answer_lease lease = floor_lease(&floor, outer);
    floor_complete(&floor, outer, &lease, two, 2, true);
    uint32_t three[] = {work, work, work};
    for (uint32_t i = 0; i < 2; i++) {
        lease = floor_lease(&floor, inner);
        floor_complete(&floor, inner, &lease, three, 3, true);
    }
    for (uint32_t i = 0; i < 6; i++) {
        EXPECT_INT(floor_count(&floor, inner_join), i / 3);
        lease = floor_lease(&floor, work);
        char path[16];
        snprintf(path, sizeof path, "%u.%u", i / 3, i % 3);
        EXPECT_STRING(lease.task_path, path);
        floor_complete(&floor, work, &lease, &inner_join, 1, false);
        harness_settle(&floor.harness);
    }
    EXPECT_INT(floor_count(&floor, outer_join), 0);
    for (uint32_t i = 0; i < 2; i++) floor_pass(&floor, inner_join, outer_join);
    lease = floor_lease(&floor, outer_join);
    EXPECT_INT(broker_kit_parts(floor.harness.broker, lease.message, 0, NULL, 0), 2);
    floor_complete(&floor, outer_join, &lease, NULL, 0, false);
    expect_done(&floor, job);
    floor_close(&floor);
}

/* A split without a join inside one with a join: its messages count in the outer one. */
TEST(joinless_split_counts_in_the_one_around_it) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    struct answer_lease lease = floor_lease(floor, bakery.kitchen);
    uint32_t two[] = {bakery.delivery, bakery.delivery};
    floor_complete(floor, bakery.kitchen, &lease, two, 2, false);
    harness_settle(&floor->harness);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    lease = floor_lease(floor, bakery.delivery);
    EXPECT_INT(broker_kit_parts(floor->harness.broker, lease.message, 0, NULL, 0), 3);
    floor_complete(floor, bakery.delivery, &lease, NULL, 0, false);
    expect_done(floor, job);
    floor_close(floor);
}

/* A branch from which the join cannot be reached is not waited for. */
TEST(branch_that_leaves_does_not_hold_the_kit) {
    struct bakery bakery;
    struct floor *floor = &bakery.floor;
    floor_open(floor);
    bakery.counter = floor_station(floor, "counter");
    bakery.kitchen = floor_station(floor, "kitchen");
    bakery.cashier = floor_station(floor, "cashier");
    bakery.delivery = floor_join(floor, "delivery", bakery.counter, MISSING_FAIL);
    uint32_t waste = floor_station(floor, "waste");
    bakery_routes(&bakery);
    floor_route(floor, bakery.kitchen, waste);
    floor_put(floor);
    struct broker_ref job = bakery_order(&bakery, 2);
    floor_pass(floor, bakery.kitchen, waste);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    EXPECT_INT(floor_count(floor, bakery.delivery), 1);
    floor_pass(floor, bakery.delivery, END);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING); /* the waste is still about */
    floor_pass(floor, waste, END);
    expect_done(floor, job);
    floor_close(floor);
}

/* missing: fail. The job fails when nothing else lives; a redrive completes the kit. */
TEST(dead_part_breaks_the_kit_and_a_redrive_mends_it) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_kill(floor, bakery.kitchen);
    EXPECT_INT(floor_dead(floor, bakery.kitchen), 1);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    EXPECT_INT(floor_job(floor, job).dead_count, 1);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    floor_wait(floor, 7200000); /* longer than jobs are kept, and than `within` */
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    EXPECT_INT(floor_redrive(floor, bakery.kitchen), 1);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    struct answer_lease lease = floor_lease(floor, bakery.kitchen);
    EXPECT_INT(lease.attempt, 1);
    EXPECT_STRING(lease.task_path, "0");
    floor_complete(floor, bakery.kitchen, &lease, &bakery.delivery, 1, false);
    floor_pass(floor, bakery.delivery, END);
    expect_done(floor, job);
    floor_close(floor);
}

/* missing: partial. The kit comes without the dead part, and the job has failed at its end. */
TEST(partial_kit_comes_without_the_dead_part) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_PARTIAL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_kill(floor, bakery.kitchen);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    struct answer_lease lease = floor_lease(floor, bakery.delivery);
    EXPECT_INT(broker_kit_parts(floor->harness.broker, lease.message, 0, NULL, 0), 1);
    floor_complete(floor, bakery.delivery, &lease, NULL, 0, false);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    /* Redriven, it comes too late to a kit that is closed: the job is then done. */
    EXPECT_INT(floor_redrive(floor, bakery.kitchen), 1);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    expect_done(floor, job);
    floor_close(floor);
}

/* missing: dead. The kit itself is a dead letter of the join, and can be redriven as it is. */
TEST(kit_with_a_dead_part_goes_to_the_dead_letters) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_DEAD);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_kill(floor, bakery.kitchen);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    EXPECT_INT(floor_dead(floor, bakery.delivery), 1);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    EXPECT_INT(floor_job(floor, job).dead_count, 2);
    EXPECT_INT(floor_redrive(floor, bakery.delivery), 1);
    struct answer_lease lease = floor_lease(floor, bakery.delivery);
    EXPECT(lease.is_kit);
    EXPECT_INT(broker_kit_parts(floor->harness.broker, lease.message, 0, NULL, 0), 1);
    floor_complete(floor, bakery.delivery, &lease, NULL, 0, false);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    floor_redrive(floor, bakery.kitchen);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    expect_done(floor, job);
    floor_close(floor);
}

/* A broken inner kit is a missing part of the outer one; a redrive mends both. */
TEST(broken_kit_breaks_the_one_around_it) {
    struct floor floor;
    floor_open(&floor);
    uint32_t outer = floor_station(&floor, "outer");
    uint32_t inner = floor_station(&floor, "inner");
    uint32_t work = floor_station(&floor, "work");
    uint32_t inner_join = floor_join(&floor, "inner-join", inner, MISSING_FAIL);
    uint32_t outer_join = floor_join(&floor, "outer-join", outer, MISSING_FAIL);
    floor_route(&floor, outer, inner);
    floor_route(&floor, inner, work);
    floor_route(&floor, work, inner_join);
    floor_route(&floor, inner_join, outer_join);
    floor_put(&floor);
    struct broker_ref job = floor_start(&floor, outer);
    floor_pass(&floor, outer, inner);
    floor_pass(&floor, inner, work);
    floor_kill(&floor, work);
    EXPECT_INT(floor_job(&floor, job).state, JOB_FAILED);
    floor_redrive(&floor, work);
    floor_pass(&floor, work, inner_join);
    floor_pass(&floor, inner_join, outer_join);
    floor_pass(&floor, outer_join, END);
    expect_done(&floor, job);
    floor_close(&floor);
}

/* `within` is over, missing: fail. The job fails and says for what it waited. */
TEST(kit_that_waited_too_long_fails_its_job) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    struct answer_lease lease = floor_lease(floor, bakery.kitchen);
    floor_wait(floor, 1799000);
    EXPECT_INT(floor_job(floor, job).error.position, 0);
    floor_wait(floor, 1000);
    struct slice error = harness_body(&floor->harness, floor_job(floor, job).error);
    EXPECT(slice_equal_string(error, "delivery waited 30m for kitchen"));
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    floor_complete(floor, bakery.kitchen, &lease, &bakery.delivery, 1, false);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    EXPECT_INT(floor_count(floor, bakery.delivery), 0);
    floor_expect_empty(floor);
    floor_close(floor);
}

/* …missing: partial. What is there goes on; what comes later is too late. */
TEST(kit_that_waited_too_long_goes_on_without) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_PARTIAL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    floor_wait(floor, 1800000);
    EXPECT_INT(floor_count(floor, bakery.delivery), 1);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    EXPECT_INT(floor_count(floor, bakery.delivery), 1);
    struct job_history_reader reader;
    struct job_step step;
    struct slice body = harness_body(&floor->harness, floor_job(floor, job).history);
    EXPECT_INT(job_history_open(body, &reader), 0);
    EXPECT(job_history_next(&reader, &step) && step.outcome == STEP_DONE);
    EXPECT(job_history_next(&reader, &step) && step.outcome == STEP_LATE);
    EXPECT_INT(step.station, bakery.delivery);
    floor_pass(floor, bakery.delivery, END);
    expect_done(floor, job);
    floor_close(floor);
}

/* …missing: dead. */
TEST(kit_that_waited_too_long_is_a_dead_letter) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_DEAD);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    floor_wait(floor, 1800000);
    EXPECT_INT(floor_dead(floor, bakery.delivery), 1);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    floor_close(floor);
}

/* A reject ends the job at once; what waits is withdrawn, what runs is dropped. */
TEST(reject_ends_the_job_and_drops_the_rest) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 3);
    floor_pass(floor, bakery.kitchen, bakery.delivery);
    struct answer_lease baking = floor_lease(floor, bakery.kitchen);
    struct answer_lease charging = floor_lease(floor, bakery.cashier);
    floor_attempt(floor, COMMAND_REJECT, bakery.cashier, &charging, "the card is refused");
    struct job_view view = floor_job(floor, job);
    EXPECT_INT(view.state, JOB_REJECTED);
    EXPECT(slice_equal_string(harness_body(&floor->harness, view.error), "the card is refused"));
    EXPECT_INT(floor_count(floor, bakery.kitchen), 1); /* the one in the baker's hands */
    struct queue_view queue;
    EXPECT(broker_find_queue(floor->harness.broker, SLICE("bakery_kitchen"), &queue));
    EXPECT_INT(queue.counts.withdrawn, 1);
    floor_complete(floor, bakery.kitchen, &baking, &bakery.delivery, 1, false);
    EXPECT_INT(floor_job(floor, job).state, JOB_REJECTED);
    EXPECT_INT(floor_dead(floor, bakery.cashier), 0);
    floor_expect_empty(floor);
    floor_wait(floor, 3600000);
    EXPECT(!broker_get_job(floor->harness.broker, job, &view)); /* forgotten */
    floor_close(floor);
}

/* A kit that is rejected leaves its parts to the split and to the job: they end once. */
TEST(rejected_kit_ends_its_parts_once) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 3);
    for (uint32_t i = 0; i < 3; i++) floor_pass(floor, bakery.kitchen, bakery.delivery);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    struct answer_lease kit = floor_lease(floor, bakery.delivery);
    EXPECT(kit.is_kit);
    floor_attempt(floor, COMMAND_REJECT, bakery.delivery, &kit, "the address has no street");
    EXPECT_INT(floor_job(floor, job).state, JOB_REJECTED);
    floor_expect_empty(floor);
    floor_close(floor);
}

/* The lease of a message is lost with its session; the message is not. */
TEST(lost_sessions_return_their_messages) {
    struct bakery bakery;
    bakery_open(&bakery, false, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    for (uint32_t i = 0; i < 3; i++) (void)floor_start(floor, bakery.counter);
    struct answer_lease leases[4];
    EXPECT_INT(floor_lease_into(floor, floor->sessions[bakery.counter], 4, leases), 3);
    harness_turn(&floor->harness);
    struct command command = {.kind = COMMAND_LIFE_START};
    EXPECT_INT(floor_submit(floor, &command)->result, BROKER_OK);
    struct broker_totals totals;
    broker_get_totals(floor->harness.broker, &totals);
    EXPECT_INT(totals.sessions_count, 0);
    struct command late = {
        .kind = COMMAND_COMPLETE,
        .complete = {.session = floor->sessions[bakery.counter], .message = leases[0].message}};
    EXPECT_INT(floor_submit(floor, &late)->result, BROKER_LEASE_LOST);
    floor->sessions[bakery.counter] = floor_session(floor, bakery.counter);
    EXPECT_INT(floor_lease_into(floor, floor->sessions[bakery.counter], 4, leases), 3);
    for (uint32_t i = 0; i < 3; i++) EXPECT_INT(leases[i].attempt, 1);
    harness_turn(&floor->harness);
    floor_close(floor);
}

static void end_session(struct floor *floor, struct broker_ref session, struct broker_ref guilty,
                        bool uncounted) {
    struct command command = {.kind = COMMAND_SESSION_END,
                              .session = {.session = session,
                                          .guilty = guilty,
                                          .error = SLICE("killed by signal 9"),
                                          .uncounted = uncounted}};
    EXPECT_INT(floor_submit(floor, &command)->result, BROKER_OK);
}

/* A worker dies with three: all are suspects and given alone, so only the guilty one pays. */
TEST(suspects_are_given_alone) {
    struct bakery bakery;
    bakery_open(&bakery, false, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    for (uint32_t i = 0; i < 4; i++) (void)floor_start(floor, bakery.counter);
    struct answer_lease leases[8];
    struct broker_ref first = floor_session(floor, bakery.counter);
    EXPECT_INT(floor_lease_into(floor, first, 3, leases), 3);
    end_session(floor, first, (struct broker_ref){0}, false);
    struct broker_ref second = floor_session(floor, bakery.counter);
    EXPECT_INT(floor_lease_into(floor, second, 8, leases), 1);
    EXPECT_INT(leases[0].attempt, 1); /* not counted */
    EXPECT_INT(floor_lease_into(floor, second, 8, leases + 1), 0);
    end_session(floor, second, (struct broker_ref){0}, false); /* it was this one */
    struct broker_ref third = floor_session(floor, bakery.counter);
    EXPECT_INT(floor_lease_into(floor, third, 8, leases + 1), 1);
    EXPECT_INT(leases[1].message.number, leases[0].message.number);
    EXPECT_INT(leases[1].attempt, 2); /* the first time it was back at once */
    end_session(floor, third, leases[1].message, false);
    struct broker_ref fourth = floor_session(floor, bakery.counter);
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT_INT(floor_lease_into(floor, fourth, 8, leases), 1);
        EXPECT_INT(leases[0].attempt, 1);
        floor->sessions[bakery.counter] = fourth;
        floor_complete(floor, bakery.counter, &leases[0], NULL, 0, false);
    }
    EXPECT_INT(floor_lease_into(floor, fourth, 8, leases), 1); /* the one that was never with it */
    EXPECT_INT(floor_lease_into(floor, fourth, 8, leases), 0); /* the guilty one is kept back */
    floor_wait(floor, 2000);
    struct broker_ref fifth = floor_session(floor, bakery.counter);
    EXPECT_INT(floor_lease_into(floor, fifth, 8, leases), 1);
    EXPECT_INT(leases[0].attempt, 3);
    end_session(floor, fifth, (struct broker_ref){0}, false);
    EXPECT_INT(floor_dead(floor, bakery.counter), 1);
    floor_close(floor);
}

/* An orderly end and a RETURN cost no attempt. */
TEST(uncounted_returns_cost_nothing) {
    struct bakery bakery;
    bakery_open(&bakery, false, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = floor_start(floor, bakery.counter);
    for (uint32_t i = 0; i < 9; i++) {
        struct answer_lease lease = floor_lease(floor, bakery.counter);
        EXPECT_INT(lease.attempt, 1);
        floor_attempt(floor, COMMAND_RETURN, bakery.counter, &lease, "");
        struct broker_ref session = floor_session(floor, bakery.counter);
        EXPECT_INT(floor_lease_into(floor, session, 1, &lease), 1);
        end_session(floor, session, (struct broker_ref){0}, true);
    }
    floor_pass(floor, bakery.counter, END);
    expect_done(floor, job);
    floor_close(floor);
}

/* Attempts come again after a growing time, the last one goes to the dead letters. */
TEST(failed_attempts_wait_longer_each_time) {
    struct bakery bakery;
    bakery_open(&bakery, false, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = floor_start(floor, bakery.counter);
    struct answer_lease lease = floor_lease(floor, bakery.counter);
    floor_attempt(floor, COMMAND_FAIL, bakery.counter, &lease, "first");
    floor_wait(floor, 740);
    EXPECT_INT(floor_lease_into(floor, floor->sessions[bakery.counter], 1, &lease), 0);
    floor_wait(floor, 520);
    lease = floor_lease(floor, bakery.counter);
    floor_attempt(floor, COMMAND_FAIL, bakery.counter, &lease, "second");
    floor_wait(floor, 1490);
    EXPECT_INT(floor_lease_into(floor, floor->sessions[bakery.counter], 1, &lease), 0);
    floor_wait(floor, 1020);
    lease = floor_lease(floor, bakery.counter);
    floor_attempt(floor, COMMAND_FAIL, bakery.counter, &lease, "third");
    EXPECT_INT(floor_dead(floor, bakery.counter), 1);
    struct peek_message dead;
    EXPECT_INT(broker_peek(floor->harness.broker, SLICE("bakery_counter_dead"), &dead, 1), 1);
    EXPECT(slice_equal_string(harness_body(&floor->harness, dead.error), "third"));
    struct job_view view = floor_job(floor, job);
    EXPECT_INT(view.state, JOB_FAILED);
    EXPECT_BYTES(dead.job_id, view.id, 16);
    floor_close(floor);
}

/* A dead letter that is deleted is gone for good: the job stays failed and is then forgotten. */
TEST(deleted_dead_letter_leaves_a_failed_job) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 1);
    floor_kill(floor, bakery.kitchen);
    struct command receive = {.kind = COMMAND_RECEIVE,
                              .receive = {.queue = SLICE("bakery_kitchen_dead"),
                                          .messages_max = 1,
                                          .visibility_ms = 30000}};
    const struct broker_answer *answer = floor_submit(floor, &receive);
    EXPECT_INT(answer->receive.count, 1);
    const struct answer_message *message = &answer->receive.messages[0];
    struct receipt receipts[2] = {{.number = message->message.number,
                                   .slot = message->message.slot,
                                   .nonce = message->nonce,
                                   .queue_slot = message->queue_slot}};
    receipts[1] = receipts[0];
    struct command delete = {.kind = COMMAND_DELETE,
                             .handles = {.queue = SLICE("bakery_kitchen_dead"),
                                         .receipts = receipts,
                                         .receipts_count = 2}};
    answer = floor_submit(floor, &delete);
    EXPECT_INT(answer->send.results[0], BROKER_OK);
    EXPECT_INT(answer->send.results[1], BROKER_OK);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    floor_pass(floor, bakery.cashier, bakery.delivery);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    floor_expect_empty(floor);
    floor_wait(floor, 3600000);
    EXPECT_INT(floor->harness.broker->pools[THING_JOB].count, 0);
    floor_close(floor);
}

/* At a station retention leads to the dead letters, and not while a worker holds the message. */
TEST(retention_at_a_station_leads_to_the_dead_letters) {
    struct bakery bakery;
    bakery_open(&bakery, false, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref held = floor_start(floor, bakery.counter);
    struct answer_lease lease = floor_lease(floor, bakery.counter);
    struct broker_ref waiting = floor_start(floor, bakery.counter);
    floor_wait(floor, 14 * 86400000ll);
    EXPECT_INT(floor_dead(floor, bakery.counter), 1);
    EXPECT_INT(floor_job(floor, waiting).state, JOB_FAILED);
    EXPECT_INT(floor_job(floor, held).state, JOB_RUNNING);
    floor_complete(floor, bakery.counter, &lease, NULL, 0, false);
    EXPECT_INT(floor_job(floor, held).state, JOB_DONE);
    floor_wait(floor, 400 * 86400000ll); /* there they stay until somebody takes them */
    EXPECT_INT(floor_dead(floor, bakery.counter), 1);
    EXPECT_INT(floor_job(floor, waiting).state, JOB_FAILED);
    EXPECT_INT(floor_redrive(floor, bakery.counter), 1);
    EXPECT_INT(floor_job(floor, waiting).state, JOB_RUNNING);
    floor_pass(floor, bakery.counter, BROKER_TARGET_END);
    EXPECT_INT(floor_job(floor, waiting).state, JOB_DONE);
    floor_expect_empty(floor);
    floor_close(floor);
}

/* A purge of a station's queue withdraws what waits there, and fails its jobs. */
TEST(purged_station_fails_its_jobs) {
    struct bakery bakery;
    bakery_open(&bakery, true, MISSING_FAIL);
    struct floor *floor = &bakery.floor;
    struct broker_ref job = bakery_order(&bakery, 3);
    struct answer_lease lease = floor_lease(floor, bakery.kitchen);
    struct command purge = {.kind = COMMAND_QUEUE_PURGE,
                            .queue = {.name = SLICE("bakery_kitchen")}};
    EXPECT_INT(floor_submit(floor, &purge)->result, BROKER_OK);
    harness_settle(&floor->harness);
    EXPECT_INT(floor_job(floor, job).state, JOB_RUNNING);
    floor_attempt(floor, COMMAND_RETURN, bakery.kitchen, &lease, "");
    bake_and_charge(&bakery, 1);
    EXPECT_INT(floor_job(floor, job).state, JOB_FAILED);
    struct slice error = harness_body(&floor->harness, floor_job(floor, job).error);
    EXPECT(slice_equal(error, SLICE("The queue of the station kitchen was purged.")));
    floor_expect_empty(floor);
    floor_close(floor);
}
