/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

#include <errno.h>

struct shard_kit *kit_now;

/* A command is applied at once; its answer waits for its own record. */
TEST(an_answer_never_comes_before_its_record_is_durable) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    uint64_t created = kit_appended(kit);
    kit_send(kit, "a", 2);
    EXPECT_INT(kit_appended(kit), created + 1);
    EXPECT_INT(kit_view(kit, "a").visible_count, 1);
    (void)machine_run(kit->machine);
    EXPECT_INT(kit->answers_count, 0);
    between_commit_to(&kit->between, created);
    (void)machine_run(kit->machine);
    EXPECT_INT(kit->answers_count, 1);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 2);
    EXPECT_INT(kit->answers[0].result, BROKER_OK);
    EXPECT_INT(kit_tag(kit, 1), 2);
    kit_close(kit);
}

/* A refusal, an empty receive and a plain read rest on what was applied before them. */
TEST(what_writes_nothing_waits_for_the_records_before_it) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    kit_send(kit, "missing", 2);
    EXPECT(kit_receive(kit, "a", 0, 3) != NULL);
    uint64_t appended = kit_appended(kit);
    kit_create(kit, "b", 4);
    (void)machine_run(kit->machine);
    EXPECT_INT(kit->answers_count, 0);
    between_commit_to(&kit->between, appended);
    (void)machine_run(kit->machine);
    EXPECT_INT(kit->answers_count, 3); /* in the order of the calls */
    for (uint32_t i = 0; i < 3; i++) EXPECT_INT(kit_tag(kit, i), i + 1);
    EXPECT_INT(kit->answers[1].result, BROKER_QUEUE_NOT_FOUND);
    EXPECT_INT(kit->answers[2].count, 0);
    kit_commit(kit);
    EXPECT_INT(kit_tag(kit, 3), 4);
    kit_close(kit);
}

/* With nothing outstanding a refusal comes in the loop's next turn, never inside the call (kit_done
 * looks at that). */
TEST(an_answer_with_nothing_to_wait_for_comes_by_itself) {
    struct shard_kit *kit = kit_open();
    kit_send(kit, "missing", 1);
    EXPECT_INT(kit->answers_count, 0);
    (void)machine_run(kit->machine);
    EXPECT_INT(kit->answers_count, 1);
    kit_close(kit);
}

static void note_durable(void *context, bool failed) {
    *(int *)context = failed ? -1 : 1;
}

TEST(when_durable_runs_behind_what_is_applied) {
    struct shard_kit *kit = kit_open();
    int seen = 0;
    kit_create(kit, "a", 1);
    shard_when_durable(kit->shard, note_durable, &seen);
    (void)machine_run(kit->machine);
    EXPECT_INT(seen, 0);
    kit_commit(kit);
    EXPECT_INT(seen, 1);
    seen = 0;
    shard_when_durable(kit->shard, note_durable, &seen);
    EXPECT_INT(seen, 0);
    (void)machine_run(kit->machine);
    EXPECT_INT(seen, 1);
    kit_close(kit);
}

/* What was not durable when the journal failed is refused, also what had only read; and so is all
 * that comes later. */
TEST(after_a_failure_nothing_is_answered_ok) {
    struct shard_kit *kit = kit_open();
    int seen = 0;
    kit_create(kit, "a", 1);
    kit_commit(kit);
    EXPECT(kit_receive(kit, "a", 20000, 2) != NULL);
    kit_create(kit, "b", 3);
    EXPECT(kit_receive(kit, "b", 0, 4) != NULL);
    shard_when_durable(kit->shard, note_durable, &seen);
    between_fail(&kit->between, -EIO);
    kit_create(kit, "c", 5);
    EXPECT(kit_receive(kit, "a", 1000, 6) != NULL);
    (void)machine_run(kit->machine);
    EXPECT_INT(kit->answers_count, 6);
    EXPECT_INT(kit->answers[0].result, BROKER_OK);
    for (uint32_t i = 1; i < 6; i++) EXPECT_INT(kit->answers[i].result, BROKER_UNAVAILABLE);
    EXPECT_INT(seen, -1);
    EXPECT_INT(kit->failures_count, 1);
    EXPECT_INT(kit->failure, -EIO);
    kit_close(kit);
}

TEST(a_full_disk_a_busy_journal_and_a_large_record_have_their_own_refusals) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    EXPECT_INT(kit->between.purpose, JOURNAL_FOR_INTAKE);
    kit_commit(kit);
    static const struct {
        int rc;
        enum broker_result result;
    } rows[] = {{-ENOSPC, BROKER_NO_ROOM},
                {-EAGAIN, BROKER_BUSY},
                {-EMSGSIZE, BROKER_TOO_LARGE},
                {-ENOMEM, BROKER_NO_MEMORY},
                {-EROFS, BROKER_UNAVAILABLE}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        kit->between.reserve_result = rows[i].rc;
        uint64_t appended = kit_appended(kit);
        kit_send(kit, "a", 2 + i);
        (void)machine_run(kit->machine);
        EXPECT_INT(kit_appended(kit), appended);
        EXPECT_INT(kit->answers[1 + i].result, rows[i].result);
    }
    kit->between.reserve_result = 0;
    kit_send(kit, "a", 9);
    EXPECT(kit_receive(kit, "a", 0, 10) != NULL);
    EXPECT_INT(kit->between.purpose, JOURNAL_FOR_DRAIN);
    kit_commit(kit);
    EXPECT_INT(kit->answers[kit->answers_count - 1].count, 1);
    kit_close(kit);
}

static void ask_again(void *context, const struct broker_answer *answer) {
    struct shard_kit *kit = kit_now;
    kit_done(context, answer);
    if (kit->answers_count < 5) {
        struct command command = {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = SLICE("none")}};
        shard_submit(kit->shard, &command, ask_again, (void *)((uintptr_t)context + 1));
    }
}

/* A callback that asks again gets its answer in a later turn, not in the same breath. */
TEST(an_answer_may_ask_again) {
    struct shard_kit *kit = kit_open();
    struct command command = {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = SLICE("none")}};
    shard_submit(kit->shard, &command, ask_again, (void *)(uintptr_t)1);
    EXPECT(machine_run(kit->machine) >= 5);
    EXPECT_INT(kit->answers_count, 5);
    EXPECT_INT(kit_tag(kit, 4), 5);
    kit_close(kit);
}

/* Stop, start: the state is the one before, also of what was received. */
TEST(a_restart_gives_the_same_state) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    for (uint32_t i = 0; i < 100; i++) kit_send(kit, "a", 2 + i);
    for (uint32_t i = 0; i < 30; i++) EXPECT(kit_receive(kit, "a", 0, 200 + i) != NULL);
    kit_commit(kit);
    for (uint32_t i = 0; i < 10; i++)
        kit_delete_message(kit, "a", &kit->answers[101 + i].message, 1);
    kit_commit(kit);
    uint8_t before[16];
    uint8_t after[16];
    kit_digest(shard_broker(kit->shard), before);
    kit_replay_digest(kit, after);
    EXPECT_BYTES(after, before, 16);
    shard_close(kit->shard);
    kit_start(kit);
    broker_check(shard_broker(kit->shard));
    EXPECT_INT(kit_view(kit, "a").visible_count, 70);
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 20);
    kit_close(kit);
}

/* Closing makes durable what is appended, and answers it; who waits hears of the end. */
TEST(closing_answers_everybody) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    EXPECT(kit_receive(kit, "a", 20000, 2) != NULL);
    kit_send(kit, "missing", 3);
    shard_close(kit->shard);
    kit->shard = NULL;
    EXPECT_INT(kit->answers_count, 3);
    EXPECT_INT(kit->answers[0].result, BROKER_OK);
    EXPECT_INT(kit->answers[1].result, BROKER_QUEUE_NOT_FOUND);
    EXPECT_INT(kit_tag(kit, 2), 2);
    EXPECT_INT(kit->answers[2].result, BROKER_UNAVAILABLE);
    kit_close(kit);
}

/* A message that is not deleted in time comes back: one advance record at its deadline, by the one
 * timer; an idle shard has none. */
TEST(deadlines_become_advance_records) {
    struct shard_kit *kit = kit_open();
    EXPECT_INT(machine_next_timer_ns(kit->machine), INT64_MAX);
    kit_create(kit, "a", 1);
    kit_send(kit, "a", 2);
    EXPECT(kit_receive(kit, "a", 0, 3) != NULL);
    kit_commit(kit);
    uint64_t appended = kit_appended(kit);
    machine_pass_ms(kit->machine, 29999);
    EXPECT_INT(kit_appended(kit), appended);
    EXPECT_INT(kit_view(kit, "a").in_flight_count, 1);
    machine_pass_ms(kit->machine, 3); /* the clock slews; the timer has whole milliseconds */
    EXPECT_INT(kit_appended(kit), appended + 1);
    EXPECT_INT(kit_view(kit, "a").visible_count, 1);
    kit_close(kit);
}

/* A purge is one record; what it leaves is swept a step a turn, others have their turns between. */
TEST(graves_are_swept_in_steps) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    for (uint32_t i = 0; i < 3500; i++) kit_send(kit, "a", 2);
    kit_commit(kit);
    struct command purge = {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = SLICE("a")}};
    uint64_t appended = kit_appended(kit);
    kit_submit(kit, &purge, 3);
    EXPECT_INT(kit_appended(kit), appended + 1);
    uint64_t turns = machine_run(kit->machine);
    EXPECT(turns >= 4 && kit_appended(kit) >= appended + 4);
    EXPECT(!broker_has_sweep(shard_broker(kit->shard)));
    kit_close(kit);
}

/* The n-th allocation fails: every command is answered all the same. */
TEST(without_memory_commands_are_refused_and_answered) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    kit_commit(kit);
    kit->answers_count = 0;
    kit->machine->luck.memory = 1;
    for (uint32_t i = 0; i < 900; i++) kit_send_sized(kit, "a", 100, 1 + i);
    (void)machine_run(kit->machine);
    kit_commit(kit);
    EXPECT_INT(kit->answers_count, 900);
    EXPECT_INT(kit->answers[899].result, BROKER_NO_MEMORY);
    for (uint32_t i = 0; i < 900; i++) EXPECT_INT(kit_tag(kit, i), 1 + i);
    EXPECT(kit_receive(kit, "b", 0, 1000) == NULL);
    kit->machine->luck.memory = 0;
    kit_send(kit, "a", 1001);
    kit_commit(kit);
    EXPECT_INT(kit->answers[900].result, BROKER_OK);
    kit_close(kit);
}
