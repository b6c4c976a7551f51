/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

struct shard_kit *kit_now;

#define HOUR_MS 3600000ll

static int64_t wall(struct shard_kit *kit) {
    return kit->env->ops->now_wall(kit->env).ms;
}

/* A wall clock that is set moves takt's time by at most half a millisecond a second. */
TEST(takts_time_follows_the_wall_clock_slowly) {
    struct shard_kit *kit = kit_open();
    int64_t start = shard_now(kit->shard).ms;
    EXPECT_INT(start, wall(kit));
    fake_env_set_wall_ms(kit->env, wall(kit) + HOUR_MS);
    EXPECT_INT(shard_now(kit->shard).ms, start);
    for (int i = 0; i < 100; i++) {
        fake_env_jump_ns(kit->env, 1000000000);
        kit_create(kit, "a", 1);
        kit_commit(kit);
    }
    int64_t gained = shard_now(kit->shard).ms - start - 100000;
    EXPECT(gained >= 48 && gained <= 50);
    fake_env_set_wall_ms(kit->env, start - HOUR_MS);
    int64_t before = shard_now(kit->shard).ms;
    for (int i = 0; i < 100; i++) {
        fake_env_jump_ns(kit->env, 1000000000);
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
    fake_env_set_wall_ms(kit->env, before - HOUR_MS);
    kit_start(kit);
    EXPECT(shard_now(kit->shard).ms >= before);
    EXPECT(shard_now(kit->shard).ms < before + 1000);
    kit_close(kit);
}
