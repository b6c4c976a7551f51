/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_queue.h"

#include "broker_harness.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const struct slice work = {"work", 4};
static const struct slice dead = {"work-dead", 9};
static const struct slice other = {"other", 5};

static enum broker_result create(struct harness *harness, struct slice name, struct slice to) {
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = name}};
    if (to.count > 0) {
        command.queue.given = QUEUE_SET_DEAD | QUEUE_SET_VISIBILITY;
        command.queue.settings =
            (struct queue_settings){.visibility_ms = 0, .dead_queue = to, .dead_after = 1};
    }
    return harness_submit(harness, &command)->result;
}

static void send(struct harness *harness, struct slice queue, uint32_t count) {
    struct command_send_entry entry = {SLICE("body"), 4, -1};
    struct command command = {.kind = COMMAND_SEND, .send = {queue, &entry, 1}};
    for (uint32_t i = 0; i < count; i++)
        EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
}

static uint32_t receive(struct harness *harness, struct slice queue) {
    struct command command = {.kind = COMMAND_RECEIVE, .receive = {queue, BROKER_BATCH_MAX, -1}};
    return harness_submit(harness, &command)->receive.count;
}

static uint64_t visible(const struct harness *harness, struct slice queue) {
    struct queue_view view;
    EXPECT(broker_find_queue(harness->broker, queue, &view));
    return view.visible_count;
}

/* Three queues, and dead letters of the first. */
static void open(struct harness *harness, uint32_t dead_count) {
    harness_open(harness, 1);
    EXPECT_INT(create(harness, dead, SLICE_EMPTY), BROKER_OK);
    EXPECT_INT(create(harness, other, SLICE_EMPTY), BROKER_OK);
    EXPECT_INT(create(harness, work, dead), BROKER_OK);
    send(harness, work, dead_count);
    for (uint32_t i = 0; i < 2 * dead_count + 2; i++) (void)receive(harness, work);
    EXPECT_INT(visible(harness, dead), dead_count);
    EXPECT_INT(visible(harness, work), 0);
}

static const struct broker_answer *start(struct harness *harness, struct slice target,
                                         uint32_t per_second) {
    struct command command = {.kind = COMMAND_MOVE_START,
                              .move = {.source = dead, .target = target, .per_second = per_second}};
    return harness_submit(harness, &command);
}

static struct move_view newest(const struct harness *harness) {
    struct queue_view queue;
    struct move_view view = {.state = MOVE_STATES_COUNT};
    EXPECT(broker_find_queue(harness->broker, dead, &queue));
    EXPECT(broker_next_move(harness->broker, queue.ref, 0, &view));
    return view;
}

/* Without a target the dead letters go back to where they came from, as new messages. */
TEST(move_task_moves_back) {
    struct harness harness;
    open(&harness, 7);
    EXPECT_INT(start(&harness, SLICE_EMPTY, 0)->result, BROKER_OK);
    EXPECT_INT(newest(&harness).state, MOVE_RUNNING);
    EXPECT_INT(newest(&harness).to_move, 7);
    harness_settle(&harness);
    struct move_view view = newest(&harness);
    EXPECT_INT(view.state, MOVE_COMPLETED);
    EXPECT_INT(view.moved_count, 7);
    EXPECT_INT(visible(&harness, dead), 0);
    EXPECT_INT(visible(&harness, work), 7);
    EXPECT_INT(receive(&harness, work), 7); /* they count as never received */
    harness_close(&harness);
}

/* With a target all go there, also those that were sent straight to the dead-letter queue; what
 * comes after the start stays. */
TEST(move_task_moves_to_another_queue) {
    struct harness harness;
    open(&harness, 3);
    send(&harness, dead, 2);
    EXPECT_INT(start(&harness, other, 0)->result, BROKER_OK);
    send(&harness, dead, 1);
    harness_settle(&harness);
    EXPECT_INT(newest(&harness).state, MOVE_COMPLETED);
    EXPECT(slice_equal(newest(&harness).target, other));
    EXPECT_INT(visible(&harness, other), 5);
    EXPECT_INT(visible(&harness, dead), 1);
    harness_close(&harness);
}

/* A rate is kept: never more in a second, also over a restart. */
TEST(move_task_keeps_its_rate) {
    static const uint32_t rates[] = {1, 7, 10, 25, 500};
    for (size_t i = 0; i < ARRAY_COUNT(rates); i++) {
        struct harness harness;
        open(&harness, 60);
        int64_t started_ms = harness.now_ms;
        EXPECT_INT(start(&harness, other, rates[i])->result, BROKER_OK);
        uint64_t at_once = rates[i] < 10 ? 1 : rates[i] / 10;
        while (newest(&harness).state == MOVE_RUNNING) {
            harness_settle(&harness);
            uint64_t passed_ms = (uint64_t)(harness.now_ms - started_ms);
            EXPECT(newest(&harness).moved_count <= at_once + passed_ms * rates[i] / 1000);
            EXPECT(passed_ms < 70 * 1000);
            harness.now_ms += 37;
            if (passed_ms % 5 == 0) harness_turn(&harness);
        }
        EXPECT_INT(visible(&harness, other), 60);
        harness_close(&harness);
    }
}

/* A thousand a record, however many there are. */
TEST(move_task_goes_in_steps) {
    struct harness harness;
    open(&harness, 0);
    send(&harness, dead, 2500);
    EXPECT_INT(start(&harness, other, 0)->result, BROKER_OK);
    uint64_t before = harness.records_seen[RECORD_MOVE_STEP];
    harness_settle(&harness);
    EXPECT_INT(harness.records_seen[RECORD_MOVE_STEP] - before, 3);
    EXPECT_INT(visible(&harness, other), 2500);
    EXPECT_INT(newest(&harness).moved_count, 2500);
    harness_close(&harness);
}

/* It ends when it cannot go on, and says why: at a message without a source, or a queue that is gone. */
TEST(move_task_fails_in_words) {
    struct harness harness;
    open(&harness, 2);
    send(&harness, dead, 1);
    EXPECT_INT(start(&harness, SLICE_EMPTY, 0)->result, BROKER_OK);
    harness_settle(&harness);
    EXPECT_INT(newest(&harness).state, MOVE_FAILED);
    EXPECT_INT(newest(&harness).reason, MOVE_NO_SOURCE);
    EXPECT_INT(newest(&harness).moved_count, 2);
    EXPECT_INT(visible(&harness, dead), 1);
    EXPECT_INT(start(&harness, other, 1)->result, BROKER_OK);
    struct command command = {.kind = COMMAND_QUEUE_DELETE, .queue = {.name = other}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OK);
    harness_settle(&harness);
    EXPECT_INT(newest(&harness).state, MOVE_FAILED);
    EXPECT_INT(newest(&harness).reason, MOVE_NO_QUEUE);
    EXPECT(slice_equal(newest(&harness).target, other)); /* still said */
    EXPECT_INT(visible(&harness, dead), 1);
    harness_close(&harness);
}

/* What was moved stays where it is; a task that has ended cannot be cancelled. */
TEST(move_task_is_cancelled) {
    struct harness harness;
    open(&harness, 5);
    EXPECT_INT(start(&harness, other, 1)->result, BROKER_OK);
    struct command command = {.kind = COMMAND_MOVE_CANCEL, .move = {.move = newest(&harness).ref}};
    harness_settle(&harness);
    const struct broker_answer *answer = harness_submit(&harness, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    EXPECT_INT(answer->move.moved_count, 1);
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_NOTHING);
    harness.now_ms += 10000;
    harness_settle(&harness);
    EXPECT_INT(newest(&harness).state, MOVE_CANCELLED);
    EXPECT_INT(visible(&harness, other), 1);
    EXPECT_INT(visible(&harness, dead), 4);
    harness_close(&harness);
}

/* What is refused, and in which words. */
TEST(move_task_is_refused) {
    struct harness harness;
    open(&harness, 2);
    struct command command = {.kind = COMMAND_MOVE_START, .move = {.source = other}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_VALUE_INVALID);
    EXPECT_STRING(harness.decision.answer.detail,
                  "Source queue must be configured as a Dead Letter Queue.");
    EXPECT_INT(start(&harness, dead, 0)->result, BROKER_VALUE_INVALID);
    EXPECT_INT(start(&harness, SLICE("none"), 0)->result, BROKER_QUEUE_NOT_FOUND);
    EXPECT_INT(start(&harness, other, 1)->result, BROKER_OK);
    EXPECT_INT(start(&harness, other, 1)->result, BROKER_VALUE_INVALID);
    EXPECT(strstr(harness.decision.answer.detail, "There is already a task running.") != NULL);
    harness_close(&harness);
}

/* Ten of a queue are remembered, newest first, and go with it. */
TEST(move_task_is_remembered) {
    struct harness harness;
    open(&harness, 0);
    for (int i = 0; i < 13; i++) {
        EXPECT_INT(start(&harness, i % 2 == 0 ? other : SLICE_EMPTY, 0)->result, BROKER_OK);
        harness_settle(&harness);
        if (i % 4 == 0) harness_turn(&harness);
    }
    struct queue_view queue;
    struct move_view view;
    EXPECT(broker_find_queue(harness.broker, dead, &queue));
    uint32_t count = 0;
    uint64_t before = 0;
    for (; broker_next_move(harness.broker, queue.ref, before, &view); count++)
        before = view.ref.number;
    EXPECT_INT(count, 10);
    struct command command = {.kind = COMMAND_QUEUE_DELETE, .queue = {.name = dead}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OK);
    EXPECT_INT(harness.broker->pools[THING_MOVE].count, 0);
    harness_turn(&harness);
    harness_turn(&harness);
    harness_close(&harness);
}

/* It goes on after a restart, from its record and from its carried home. */
TEST(move_task_survives) {
    struct harness harness;
    open(&harness, 5);
    EXPECT_INT(start(&harness, other, 1)->result, BROKER_OK);
    harness_settle(&harness);
    for (int i = 0; i < 4; i++) {
        if (i % 2 == 1) harness_trim(&harness, harness.next_lsn);
        harness_turn(&harness);
        EXPECT_INT(newest(&harness).state, MOVE_RUNNING);
        EXPECT_INT(newest(&harness).moved_count, i + 1);
        harness.now_ms += 1000;
        harness_settle(&harness);
    }
    EXPECT_INT(visible(&harness, other), 5);
    harness.now_ms += 1000;
    harness_settle(&harness);
    EXPECT_INT(newest(&harness).state, MOVE_COMPLETED);
    harness_close(&harness);
}
