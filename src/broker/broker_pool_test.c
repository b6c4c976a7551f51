/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_pool.h"

#include "test.h"

#include <string.h>

#define SLOTS 20000u

/* Slots are taken and given back at random: the lowest free one is always found, and things stay
 * where they are with what they hold. */
TEST(pool_gives_the_lowest_free_slot) {
    struct allocator allocator = allocator_system();
    struct pool pool;
    pool_open(&pool, &allocator, 24, SLOTS);
    static bool is_taken[SLOTS + 1];
    memset(is_taken, 0, sizeof is_taken);
    uint64_t random = 1;
    for (uint32_t step = 0; step < 60000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t from = (uint32_t)(random >> 33) % SLOTS;
        bool wants_to_free = (random >> 20) % 100 < (step < 30000 ? 20u : 60u);
        if (!wants_to_free && pool.count < SLOTS) {
            EXPECT(pool_reserve(&pool, 1));
            uint32_t slot = 0;
            while (is_taken[slot]) slot++;
            EXPECT_INT(pool_next_free(&pool, 0), slot);
            uint32_t *item = pool_take(&pool, slot);
            EXPECT_INT(*item, 0);
            *item = slot + 1;
            is_taken[slot] = true;
        } else {
            uint32_t slot = pool_next_taken(&pool, from);
            uint32_t expected = from;
            while (expected < SLOTS && !is_taken[expected]) expected++;
            EXPECT_INT(slot, expected < SLOTS ? expected : UINT32_MAX);
            if (slot == UINT32_MAX) continue;
            EXPECT_INT(*(uint32_t *)pool_at(&pool, slot), slot + 1);
            pool_free(&pool, slot);
            is_taken[slot] = false;
            EXPECT(pool_find(&pool, slot) == NULL);
        }
    }
    pool_close(&pool);
}

/* The next free slot above one that was already chosen, across the words of the bitmap. */
TEST(pool_goes_on_from_a_slot) {
    struct allocator allocator = allocator_system();
    struct pool pool;
    pool_open(&pool, &allocator, 8, 5000);
    EXPECT(pool_reserve(&pool, 5000));
    for (uint32_t i = 0; i < 5000; i++) (void)pool_take(&pool, i);
    EXPECT_INT(pool_next_free(&pool, 0), UINT32_MAX);
    EXPECT(!pool_reserve(&pool, 1)); /* slots_max */
    pool_free(&pool, 63);
    pool_free(&pool, 4999);
    EXPECT_INT(pool_next_free(&pool, 0), 63);
    EXPECT_INT(pool_next_free(&pool, 63), 63);
    EXPECT_INT(pool_next_free(&pool, 64), 4999);
    EXPECT_INT(pool_next_free(&pool, 5000), UINT32_MAX);
    EXPECT(pool_reserve(&pool, 2));
    EXPECT(!pool_reserve(&pool, 3));
    EXPECT_ABORT(pool_free(&pool, 63));
    EXPECT_ABORT((void)pool_take(&pool, 62));
    pool_close(&pool);
}

/* Replay takes slots in any order, the last one first. */
TEST(pool_takes_any_slot) {
    struct allocator allocator = allocator_system();
    struct pool pool;
    pool_open(&pool, &allocator, 88, 1u << 20);
    EXPECT(pool_reserve_slot(&pool, (1u << 20) - 1));
    EXPECT(!pool_reserve_slot(&pool, 1u << 20));
    (void)pool_take(&pool, (1u << 20) - 1);
    EXPECT_INT(pool_next_taken(&pool, 0), (1u << 20) - 1);
    EXPECT_INT(pool_next_free(&pool, 0), 0);
    EXPECT(pool_find(&pool, 0) == NULL);
    EXPECT(pool_memory_bytes(&pool) < 1024 * 1024);
    pool_close(&pool);
}
