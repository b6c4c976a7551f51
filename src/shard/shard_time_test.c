/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

struct shard_kit *kit_now;

#define HOUR_MS 3600000ll

static int64_t wall(struct shard_kit *kit) {
    return kit->machine->ops.now_wall(&kit->machine->env).ms;
}

/* A wall clock that is set moves takt's time by at most half a millisecond a second. */
TEST(takts_time_follows_the_wall_clock_slowly) {
    struct shard_kit *kit = kit_open();
    int64_t start = shard_now(kit->shard).ms;
    EXPECT_INT(start, wall(kit));
    machine_set_wall_ms(kit->machine, wall(kit) + HOUR_MS);
    EXPECT_INT(shard_now(kit->shard).ms, start);
    for (int i = 0; i < 100; i++) {
        machine_jump_ns(kit->machine, 1000000000);
        kit_create(kit, "a", 1);
        kit_commit(kit);
    }
    int64_t gained = shard_now(kit->shard).ms - start - 100000;
    EXPECT(gained >= 48 && gained <= 50);
    machine_set_wall_ms(kit->machine, start - HOUR_MS);
    int64_t before = shard_now(kit->shard).ms;
    for (int i = 0; i < 100; i++) {
        machine_jump_ns(kit->machine, 1000000000);
        EXPECT(shard_now(kit->shard).ms > before + 990);
        before = shard_now(kit->shard).ms;
        kit_create(kit, "a", 1);
        kit_commit(kit);
    }
    EXPECT(before - start - 200000 <= 3 && before - start - 200000 >= -3);
    kit_close(kit);
}

/* A wall clock that was set back while takt was down does not take takt's time back. */
TEST(takts_time_never_goes_back_over_a_restart) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    kit_commit(kit);
    int64_t before = broker_last_time(shard_broker(kit->shard)).ms;
    shard_close(kit->shard);
    machine_set_wall_ms(kit->machine, before - HOUR_MS);
    kit_start(kit);
    EXPECT(shard_now(kit->shard).ms >= before);
    EXPECT(shard_now(kit->shard).ms < before + 1000);
    kit_close(kit);
}

static uint64_t visible(struct shard_kit *kit) {
    return kit_view(kit, "a").visible_count;
}

/* Four days and a bit pass while takt is down: the message is past its retention, but the clock may be
 * wrong. It can still be had for an hour, and then it is gone; also when takt is started again. */
TEST(a_start_long_after_the_last_record_expires_nothing_for_an_hour) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    kit_send(kit, "a", 2);
    kit_send(kit, "a", 3);
    kit_commit(kit);
    shard_close(kit->shard);
    machine_jump_ns(kit->machine, 5 * 24 * HOUR_MS * 1000000);
    kit_start(kit);
    kit_commit(kit);
    EXPECT_INT(visible(kit), 2);
    EXPECT(kit_receive(kit, "a", 0, 4) != NULL);
    kit_commit(kit);
    EXPECT_INT(kit->answers[3].count, 1);
    kit_delete_message(kit, "a", &kit->answers[3].message, 5);
    kit_commit(kit);
    shard_close(kit->shard);
    kit_start(kit);
    machine_jump_ns(kit->machine, (HOUR_MS - 10) * 1000000);
    machine_pass_ms(kit->machine, 1);
    EXPECT_INT(visible(kit), 1);
    machine_pass_ms(kit->machine, 12);
    EXPECT_INT(visible(kit), 0);
    EXPECT_INT(kit_view(kit, "a").counts.expired, 1);
    kit_close(kit);
}

/* Four hours are nothing: what expired meanwhile goes at once. */
TEST(a_start_soon_after_the_last_record_expires_what_is_due) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    struct command set = {.kind = COMMAND_QUEUE_SET,
                          .queue = {SLICE("a"), QUEUE_SET_RETENTION, {.retention_ms = HOUR_MS}}};
    kit_submit(kit, &set, 2);
    kit_send(kit, "a", 3);
    kit_commit(kit);
    shard_close(kit->shard);
    machine_jump_ns(kit->machine, 4 * HOUR_MS * 1000000);
    kit_start(kit);
    EXPECT_INT(visible(kit), 0);
    kit_close(kit);
}
