/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

#include <errno.h>

struct shard_kit *kit_now;

static struct shard_kit *open_with_queue(void) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 9999);
    kit_commit(kit);
    kit->answers_count = 0;
    return kit;
}

/* The send and the receive that it makes possible are two records of one batch: one commit answers
 * both. */
TEST(a_send_wakes_a_parked_receiver_in_the_same_batch) {
    struct shard_kit *kit = open_with_queue();
    EXPECT(kit_receive(kit, "a", 20000, 1) != NULL);
    uint64_t appended = kit_appended(kit);
    kit_send(kit, "a", 2);
    EXPECT_INT(kit_appended(kit), appended + 2);
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 1);
    EXPECT_INT(kit->answers_count, 0);
    between_commit(&kit->between);
    EXPECT_INT(kit->answers_count, 2);
    EXPECT_INT(kit->answers[1].count, 1);
    kit_close(kit);
}

TEST(the_one_that_has_waited_longest_is_served_first) {
    struct shard_kit *kit = open_with_queue();
    for (uintptr_t tag = 1; tag <= 5; tag++) {
        EXPECT(kit_receive(kit, "a", 20000 - (int64_t)tag * 1000, tag) != NULL);
    }
    for (uintptr_t i = 0; i < 3; i++) {
        kit_send(kit, "a", 100 + i);
        kit_commit(kit);
        EXPECT_INT(kit_tag(kit, (uint32_t)i * 2 + 1), i + 1);
    }
    EXPECT_INT(kit->answers_count, 6);
    kit_close(kit);
}

/* An empty answer after its own time, each; nothing runs in between. */
TEST(a_long_poll_ends_when_its_time_is_over) {
    struct shard_kit *kit = open_with_queue();
    EXPECT(kit_receive(kit, "a", 3000, 1) != NULL);
    EXPECT(kit_receive(kit, "a", 1000, 2) != NULL);
    EXPECT(kit_receive(kit, "a", 60000, 3) != NULL); /* at most 20 s */
    machine_pass_ms(kit->machine, 999);
    EXPECT_INT(kit->answers_count, 0);
    machine_pass_ms(kit->machine, 1);
    EXPECT_INT(kit_tag(kit, 0), 2);
    machine_pass_ms(kit->machine, 2000);
    EXPECT_INT(kit_tag(kit, 1), 1);
    machine_pass_ms(kit->machine, 16999);
    EXPECT_INT(kit->answers_count, 2);
    machine_pass_ms(kit->machine, 1);
    EXPECT_INT(kit_tag(kit, 2), 3);
    for (uint32_t i = 0; i < 3; i++) EXPECT_INT(kit->answers[i].result, BROKER_OK);
    EXPECT_INT(machine_next_timer_ns(kit->machine), INT64_MAX);
    kit_close(kit);
}

/* -1: as the queue says. */
TEST(a_receive_without_a_time_waits_as_its_queue_says) {
    struct shard_kit *kit = open_with_queue();
    struct command set = {.kind = COMMAND_QUEUE_SET,
                          .queue = {SLICE("a"), QUEUE_SET_WAIT, {.wait_ms = 2000}}};
    kit_submit(kit, &set, 1);
    kit_commit(kit);
    EXPECT(kit_receive(kit, "a", -1, 2) != NULL);
    machine_pass_ms(kit->machine, 1999);
    EXPECT_INT(kit->answers_count, 1);
    machine_pass_ms(kit->machine, 1);
    EXPECT_INT(kit_tag(kit, 1), 2);
    kit_close(kit);
}

/* Parked, and gone: it gets nothing, the next one does. */
TEST(a_cancelled_parked_receiver_gets_nothing) {
    struct shard_kit *kit = open_with_queue();
    struct shard_receive *first = kit_receive(kit, "a", 20000, 1);
    EXPECT(kit_receive(kit, "a", 20000, 2) != NULL);
    shard_receive_cancel(first);
    kit_send(kit, "a", 3);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 2);
    EXPECT_INT(kit_tag(kit, 0), 3);
    EXPECT_INT(kit_tag(kit, 1), 2);
    kit_close(kit);
}

/* Decided, not yet answered, and gone: the message is back, uncounted, and goes to the next one in
 * the same batch. */
TEST(what_a_cancelled_receiver_was_given_returns_uncounted) {
    struct shard_kit *kit = open_with_queue();
    struct shard_receive *first = kit_receive(kit, "a", 20000, 1);
    EXPECT(kit_receive(kit, "a", 20000, 2) != NULL);
    kit_send(kit, "a", 3);
    shard_receive_cancel(first);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 2);
    EXPECT_INT(kit_tag(kit, 0), 3);
    EXPECT_INT(kit_tag(kit, 1), 2);
    EXPECT_INT(kit->answers[1].message.receive_count, 1);
    kit_close(kit);
}

/* The same when the journal is busy just then: it is given back with the next commit, also when the
 * answer has come by meanwhile. */
TEST(giving_back_waits_for_a_busy_journal) {
    struct shard_kit *kit = open_with_queue();
    kit_send(kit, "a", 1);
    struct shard_receive *receive = kit_receive(kit, "a", 0, 2);
    kit->between.reserve_result = -EAGAIN;
    shard_receive_cancel(receive);
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 1);
    between_commit(&kit->between); /* still busy: nothing on its way, and yet no room */
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 1);
    kit->between.reserve_result = 0;
    kit_create(kit, "b", 3);
    kit_commit(kit);
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 0);
    EXPECT_INT(kit_view(kit, "a").visible_count, 1);
    EXPECT_INT(kit->answers_count, 2);
    EXPECT_INT(kit_tag(kit, 1), 3);
    kit_close(kit);
}

/* A busy journal does not lose a wake-up: it comes with the next commit. */
TEST(a_wake_up_waits_for_a_busy_journal) {
    struct shard_kit *kit = open_with_queue();
    kit_send(kit, "a", 1);
    EXPECT(kit_receive(kit, "a", 0, 2) != NULL);
    kit_commit(kit);
    EXPECT(kit_receive(kit, "a", 20000, 3) != NULL);
    kit_create(kit, "b", 4); /* so that something is on its way */
    kit->between.reserve_result = -EAGAIN;
    EXPECT(kit_receive(kit, "a", 20000, 5) != NULL);
    kit->between.reserve_result = 0;
    kit_send(kit, "a", 6);
    EXPECT_INT(kit_view(kit, "a").visible_count, 1); /* it was said to be busy */
    between_commit(&kit->between);
    EXPECT_INT(kit_view(kit, "a").visible_count, 0);
    kit_commit(kit);
    EXPECT_INT(kit_tag(kit, kit->answers_count - 1), 3);
    kit_close(kit);
}

TEST(the_end_of_a_queue_ends_its_receivers) {
    struct shard_kit *kit = open_with_queue();
    for (uintptr_t tag = 1; tag <= 3; tag++) EXPECT(kit_receive(kit, "a", 20000, tag) != NULL);
    kit_delete_queue(kit, "a", 4);
    EXPECT_INT(kit->answers_count, 0);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 4);
    EXPECT_INT(kit_tag(kit, 0), 4);
    for (uint32_t i = 1; i < 4; i++) {
        EXPECT_INT(kit_tag(kit, i), i);
        EXPECT_INT(kit->answers[i].result, BROKER_QUEUE_NOT_FOUND);
    }
    EXPECT_INT(machine_next_timer_ns(kit->machine), INT64_MAX);
    kit_close(kit);
}

/* Received as often as the policy allows: the message goes to the dead letters in a record of the
 * receive, which looks again, finds nothing and waits. */
TEST(a_receive_that_only_moves_dead_letters_goes_on_waiting) {
    struct shard_kit *kit = open_with_queue();
    kit_create(kit, "dead", 1);
    struct command set = {
        .kind = COMMAND_QUEUE_SET,
        .queue = {SLICE("a"),
                  QUEUE_SET_DEAD | QUEUE_SET_VISIBILITY,
                  {.dead_queue = SLICE("dead"), .dead_after = 1, .visibility_ms = 1000}}};
    kit_submit(kit, &set, 2);
    kit_send(kit, "a", 3);
    EXPECT(kit_receive(kit, "a", 0, 4) != NULL);
    EXPECT(kit_receive(kit, "dead", 20000, 5) != NULL);
    kit_commit(kit);
    EXPECT(kit_receive(kit, "a", 20000, 6) != NULL);
    machine_pass_ms(kit->machine, 1010);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 5);
    EXPECT_INT(kit_tag(kit, 4), 5);
    EXPECT_INT(kit->answers[4].count, 1);
    kit_close(kit);
}

/* Ten thousand wait: each costs its own memory once, and nothing runs until something happens. */
TEST(ten_thousand_receivers_wait_quietly) {
    struct shard_kit *kit = open_with_queue();
    static struct shard_receive *receives[10000];
    for (uintptr_t i = 0; i < 10000; i++) {
        receives[i] = kit_receive(kit, "a", 10000 + (int64_t)(i * 7919 % 10000), i + 1);
        EXPECT(receives[i] != NULL);
    }
    EXPECT_INT(machine_run(kit->machine), 0);
    uint64_t appended = kit_appended(kit);
    for (uintptr_t i = 0; i < 100; i++) kit_send(kit, "a", 20000 + i);
    EXPECT_INT(kit_appended(kit), appended + 200);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 200);
    EXPECT_INT(kit_tag(kit, 199), 100);
    for (uintptr_t i = 5000; i < 10000; i += 2) shard_receive_cancel(receives[i]);
    kit->answers_count = 0;
    machine_pass_ms(kit->machine, 20000);
    EXPECT_INT(kit->answers_count, 10000 - 100 - 2500);
    for (uint32_t i = 0; i < kit->answers_count; i++) {
        EXPECT(kit->answers[i].count == 0 && kit->answers[i].result == BROKER_OK);
        if (i == 0) continue; /* in the order of their times */
        uintptr_t before = (kit->answers[i - 1].tag - 1) * 7919 % 10000;
        EXPECT(before <= (kit->answers[i].tag - 1) * 7919 % 10000);
    }
    kit_close(kit);
}

static struct shard_receive *to_cancel;
static void cancel_another(void *context, const struct broker_answer *answer) {
    kit_received(context, answer);
    shard_receive_cancel(to_cancel);
}

/* From inside one answer another is cancelled that is ready too. */
TEST(a_receive_is_cancelled_from_inside_another_answer) {
    struct shard_kit *kit = open_with_queue();
    kit_send(kit, "a", 1);
    kit_send(kit, "a", 2);
    struct command_receive command = {SLICE("a"), 1, -1};
    EXPECT(shard_receive(kit->shard, &command, 0, cancel_another, (void *)(uintptr_t)3) != NULL);
    to_cancel = kit_receive(kit, "a", 0, 4);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 3);
    EXPECT_INT(kit_tag(kit, 2), 3);
    EXPECT_INT(kit_view(kit, "a").visible_count, 1);
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 1);
    kit_close(kit);
}

/* What is parked, held or being given back at the end leaves no memory behind. */
TEST(closing_with_receivers_in_every_state) {
    struct shard_kit *kit = open_with_queue();
    EXPECT(kit_receive(kit, "a", 20000, 1) != NULL);
    EXPECT(kit_receive(kit, "a", 20000, 2) != NULL);
    kit_send(kit, "a", 3);
    kit_create(kit, "b", 4);
    kit_send(kit, "b", 5);
    struct shard_receive *receive = kit_receive(kit, "b", 0, 6);
    kit->between.reserve_result = -EAGAIN;
    shard_receive_cancel(receive);
    kit_close(kit);
}
