/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_shelf.h"

#include "failing_allocator.h"
#include "test.h"

#include <string.h>

#define VALUES 20000u

/* A value's number is not itself, so that mixing them up shows. */
static uint64_t number_of(const void *context, uint32_t value) {
    return *(const uint64_t *)context + (uint64_t)value * 3;
}
static const uint64_t base = 1000;

static uint32_t next_random(uint64_t *random) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33);
}

struct fixture {
    struct allocator allocator;
    struct shelf_stock stock;
    struct shelf shelf;
    bool is_in[VALUES];
};

static void fixture_open(struct fixture *fixture) {
    memset(fixture, 0, sizeof *fixture);
    fixture->allocator = allocator_system();
    shelf_stock_open(&fixture->stock, &fixture->allocator);
}

static void fixture_close(struct fixture *fixture) {
    shelf_close(&fixture->shelf, &fixture->stock);
    shelf_stock_close(&fixture->stock);
}

static void reserve(struct fixture *fixture, uint32_t more_count) {
    EXPECT(shelf_reserve(&fixture->shelf, &fixture->stock, more_count));
    EXPECT(shelf_stock_reserve(&fixture->stock, more_count));
}

static void insert(struct fixture *fixture, uint32_t value) {
    shelf_insert(&fixture->shelf, &fixture->stock, number_of, &base, value);
    fixture->is_in[value] = true;
}

static void take(struct fixture *fixture, uint32_t value) {
    shelf_remove(&fixture->shelf, &fixture->stock, number_of, &base, value);
    fixture->is_in[value] = false;
}

static void expect_same(const struct fixture *fixture) {
    uint32_t whole = shelf_check(&fixture->shelf, number_of, &base);
    EXPECT_INT(whole, fixture->stock.used_count);
    struct shelf_walk walk = shelf_walk_open(&fixture->shelf, VALUES);
    uint32_t value;
    uint32_t count = 0;
    for (uint32_t i = 0; i < VALUES; i++) {
        if (!fixture->is_in[i]) continue;
        EXPECT(shelf_walk_next(&walk, &value));
        EXPECT_INT(value, i);
        if (count++ == 0) EXPECT_INT(shelf_first(&fixture->shelf), i);
    }
    EXPECT(!shelf_walk_next(&walk, &value));
    EXPECT_INT(fixture->shelf.count, count);
}

/* The nearest value that is in the shelf or not. */
static uint32_t nearest(const struct fixture *fixture, uint32_t value, bool is_in) {
    for (uint32_t i = 0; i < VALUES; i++) {
        uint32_t at = (value + i) % VALUES;
        if (fixture->is_in[at] == is_in) return at;
    }
    return UINT32_MAX;
}

/* Values come and go anywhere, more of them coming at first and more of them going at the end: the
 * order is right, and what was reserved is enough however they come. */
TEST(shelf_keeps_its_order) {
    static struct fixture fixture;
    fixture_open(&fixture);
    uint64_t random = 3;
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t coming = next_random(&random) % (round < 200 ? 400 : 60);
        uint32_t going = next_random(&random) % (round < 200 ? 100 : 300);
        uint32_t near = next_random(&random) % VALUES; /* some rounds: all in one place */
        bool is_narrow = next_random(&random) % 3 == 0;
        if (fixture.shelf.count + coming >= VALUES) continue;
        reserve(&fixture, coming);
        while (coming + going > 0) {
            uint32_t value = is_narrow ? near : next_random(&random) % VALUES;
            bool comes = next_random(&random) % (coming + going) < coming;
            value = nearest(&fixture, value, !comes);
            if (comes) {
                insert(&fixture, value);
                coming--;
            } else {
                going--;
                if (value != UINT32_MAX) take(&fixture, value);
            }
        }
        expect_same(&fixture);
    }
    fixture_close(&fixture);
}

/* Each full block is split, has one begun behind it, and the first one before it: the worst case of
 * what was reserved. */
TEST(shelf_reserves_for_the_worst_case) {
    static struct fixture fixture;
    fixture_open(&fixture);
    reserve(&fixture, 8 * SHELF_BLOCK);
    for (uint32_t i = 0; i < 8 * SHELF_BLOCK; i++) insert(&fixture, 10 + 2 * i);
    EXPECT_INT(fixture.shelf.blocks_count, 8);
    uint32_t free_count = fixture.stock.free_count;
    while (fixture.stock.free_count > 0) { /* only what is reserved from here on */
        void *next;
        memcpy(&next, fixture.stock.free, sizeof next);
        allocator_give_back(&fixture.allocator, fixture.stock.free);
        fixture.stock.free = next;
        fixture.stock.free_count--;
    }
    EXPECT(free_count > 0);
    reserve(&fixture, 1000);
    insert(&fixture, 9);
    for (uint32_t i = 0; i < 8; i++) {
        insert(&fixture, 10 + 2 * ((i + 1) * SHELF_BLOCK - 1) + 1);
        insert(&fixture, 10 + 2 * (i * SHELF_BLOCK + SHELF_BLOCK / 2) + 1);
    }
    EXPECT_INT(fixture.shelf.blocks_count, 8 + 1 + 8 + 8);
    expect_same(&fixture);
    fixture_close(&fixture);
}

/* A queue's life: at the end they come, at the front they go; a block is given back when it is
 * empty, and no more memory is taken than that of one block above four bytes a value. */
TEST(shelf_is_cheap_at_both_ends) {
    static struct fixture fixture;
    fixture_open(&fixture);
    uint32_t first = 0;
    for (uint32_t i = 0; i < VALUES; i++) {
        reserve(&fixture, 1);
        insert(&fixture, i);
        if (i % 3 == 0) take(&fixture, first++);
        uint32_t blocks_max = fixture.shelf.count / SHELF_BLOCK + 2;
        EXPECT(fixture.stock.used_count <= blocks_max);
    }
    expect_same(&fixture);
    while (fixture.shelf.count > 0) take(&fixture, shelf_first(&fixture.shelf));
    EXPECT_INT(fixture.stock.used_count, 1);
    EXPECT_INT(shelf_memory_bytes(&fixture.shelf),
               fixture.shelf.blocks_room * sizeof(struct shelf_block));
    fixture_close(&fixture);
}

/* What is taken out of the middle makes blocks small: neighbours are joined. */
TEST(shelf_joins_small_blocks) {
    static struct fixture fixture;
    fixture_open(&fixture);
    reserve(&fixture, VALUES);
    for (uint32_t i = 0; i < VALUES; i++) insert(&fixture, i);
    for (uint32_t i = 0; i < VALUES; i++) {
        if (i % 16 != 0) take(&fixture, i);
    }
    expect_same(&fixture);
    EXPECT(fixture.stock.used_count <= 4 * (VALUES / 16) / SHELF_BLOCK + 2);
    fixture_close(&fixture);
}

/* Memory fails at each allocation in turn: reserve says so, and what was there is still there. */
TEST(shelf_reserve_fails_cleanly) {
    static struct fixture fixture;
    uint32_t in = 0;
    for (uint32_t n = 0; in < 3000; n++) {
        EXPECT(n < 1000);
        fixture_open(&fixture);
        struct failing_allocator failing = failing_allocator(n);
        fixture.allocator = failing_allocator_get(&failing);
        for (in = 0; in < 3000; in++) {
            if (!shelf_reserve(&fixture.shelf, &fixture.stock, 1)) break;
            if (!shelf_stock_reserve(&fixture.stock, 1)) break;
            insert(&fixture, in);
        }
        expect_same(&fixture);
        fixture_close(&fixture);
        EXPECT_INT(failing.live, 0);
    }
}
