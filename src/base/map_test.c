/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "failing_allocator.h"
#include "test.h"

#include <string.h>

#define ENTRIES_MAX 4096u

/* A plain model: all entries in a row. */
struct model {
    uint64_t hashes[ENTRIES_MAX];
    uint32_t values[ENTRIES_MAX];
    uint32_t count;
};

static uint64_t next_random(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    uint64_t value = *state;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

static uint32_t found_count(const struct map *map, uint64_t hash, uint32_t value) {
    uint32_t count = 0;
    for (struct map_cursor cursor = map_find(map, hash); map_next(&cursor);) {
        if (cursor.value == value) count++;
    }
    return count;
}

static uint32_t all_count(const struct map *map, uint64_t hash) {
    uint32_t count = 0;
    for (struct map_cursor cursor = map_find(map, hash); map_next(&cursor);) {
        count++;
    }
    return count;
}

static void expect_same(const struct map *map, const struct model *model) {
    EXPECT_INT(map_count(map), model->count);
    for (uint32_t i = 0; i < model->count; i++) {
        EXPECT_INT(found_count(map, model->hashes[i], model->values[i]), 1);
    }
}

static void insert_one(struct map *map, struct model *model, uint64_t hash, uint32_t value) {
    EXPECT(map_reserve(map, 1));
    map_insert(map, hash, value);
    model->hashes[model->count] = hash;
    model->values[model->count] = value;
    model->count++;
}

static void remove_one(struct map *map, struct model *model, uint32_t i) {
    map_remove(map, model->hashes[i], model->values[i]);
    EXPECT_INT(found_count(map, model->hashes[i], model->values[i]), 0);
    model->count--;
    model->hashes[i] = model->hashes[model->count];
    model->values[i] = model->values[model->count];
}

/* kinds of hashes: spread, small integers, few different ones. */
static uint64_t hash_of_kind(int kind, uint64_t random) {
    if (kind == 0) return random;
    if (kind == 1) return random % 100000;
    return random % 200;
}

/* Random inserts and removals, in phases of growing and of shrinking, with good, bad and shared
 * hashes: the map always holds what the model holds. */
TEST(map_agrees_with_a_model) {
    static struct model model;
    for (int kind = 0; kind < 3; kind++) {
        struct failing_allocator failing = failing_allocator(SIZE_MAX);
        struct allocator allocator = failing_allocator_get(&failing);
        struct map *map = map_open(&allocator);
        EXPECT(map != NULL);
        uint64_t random = (uint64_t)kind + 1;
        model.count = 0;
        for (uint32_t step = 0; step < 40000; step++) {
            bool growing = (step / 5000) % 2 == 0;
            bool insert = next_random(&random) % 10 < (growing ? 8u : 3u);
            if (insert && model.count < ENTRIES_MAX) {
                insert_one(map, &model, hash_of_kind(kind, next_random(&random)), step);
            } else if (!insert && model.count > 0) {
                remove_one(map, &model, (uint32_t)(next_random(&random) % model.count));
            }
            if (step % 499 == 0) expect_same(map, &model);
        }
        expect_same(map, &model);
        while (model.count > 0) {
            remove_one(map, &model, model.count - 1);
        }
        EXPECT_INT(map_count(map), 0);
        map_close(map);
        EXPECT_INT(failing.live, 0);
    }
}

/* A hash that is not there has no entries, one with many has each of them once. */
TEST(map_finds_all_of_one_hash) {
    struct allocator allocator = allocator_system();
    struct map *map = map_open(&allocator);
    EXPECT_INT(all_count(map, 5), 0); /* nothing was ever reserved */
    EXPECT(map_reserve(map, 300));
    for (uint32_t i = 0; i < 100; i++) {
        map_insert(map, 5, i);
        map_insert(map, 6, i);
        map_insert(map, i * 1000003u + 7, UINT32_MAX);
    }
    EXPECT_INT(all_count(map, 5), 100);
    for (uint32_t i = 0; i < 100; i++) {
        EXPECT_INT(found_count(map, 5, i), 1);
    }
    EXPECT_INT(all_count(map, 4), 0);
    EXPECT_INT(found_count(map, 7, UINT32_MAX), 1);
    map_remove(map, 5, 50);
    EXPECT_INT(all_count(map, 5), 99);
    EXPECT_INT(all_count(map, 6), 100);
    EXPECT_ABORT(map_remove(map, 5, 50));
    EXPECT_ABORT(map_remove(map, 8, 1));
    map_clear(map);
    EXPECT_INT(map_count(map), 0);
    EXPECT_INT(all_count(map, 6), 0);
    map_insert(map, 6, 1); /* the room is still there */
    EXPECT_INT(all_count(map, 6), 1);
    map_close(map);
}

/* The table (0 or 1, as the cursor says) of every entry, to see what one insert moves. */
static uint32_t old_table_count(const struct map *map, const struct model *model) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        struct map_cursor cursor = map_find(map, model->hashes[i]);
        EXPECT(map_next(&cursor));
        count += cursor.table;
    }
    return count;
}

/* While it grows, an insert moves some entries, but never more than MAP_MOVE_MAX, and the old
 * table is empty before the next one is needed. */
TEST(map_moves_few_entries_at_a_time) {
    static struct model model;
    struct failing_allocator failing = failing_allocator(SIZE_MAX);
    struct allocator allocator = failing_allocator_get(&failing);
    struct map *map = map_open(&allocator);
    uint64_t random = 77;
    uint32_t moved = 0;
    model.count = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        EXPECT(map_reserve(map, 1));
        uint32_t before = old_table_count(map, &model);
        insert_one(map, &model, next_random(&random), i);
        uint32_t after = old_table_count(map, &model);
        EXPECT(after <= before);
        EXPECT(before - after <= MAP_MOVE_MAX);
        EXPECT(failing.live <= 3); /* the map and two tables */
        moved += before - after;
    }
    EXPECT(moved > 2000);
    map_close(map);
    EXPECT_INT(failing.live, 0);
}

/* Removing while it grows, in both tables; the old one goes with its last entry. */
TEST(map_removes_while_growing) {
    static struct model model;
    struct failing_allocator failing = failing_allocator(SIZE_MAX);
    struct allocator allocator = failing_allocator_get(&failing);
    struct map *map = map_open(&allocator);
    uint64_t random = 5;
    model.count = 0;
    while (failing.live < 3) {
        insert_one(map, &model, next_random(&random), model.count);
        if (model.count < 700 && failing.live == 3) { /* let this growth go by */
            while (failing.live == 3) {
                insert_one(map, &model, next_random(&random), model.count);
            }
        }
    }
    EXPECT(old_table_count(map, &model) > 100);
    expect_same(map, &model);
    while (model.count > 0) {
        remove_one(map, &model, (uint32_t)(next_random(&random) % model.count));
        if (model.count % 50 == 0) expect_same(map, &model);
    }
    EXPECT_INT(failing.live, 2);
    EXPECT_INT(map_count(map), 0);
    map_close(map);
    EXPECT_INT(failing.live, 0);
}

/* A large reservation in the middle of growing keeps all, and is kept without memory. */
TEST(map_reserves_far_ahead) {
    static struct model model;
    struct failing_allocator failing = failing_allocator(SIZE_MAX);
    struct allocator allocator = failing_allocator_get(&failing);
    struct map *map = map_open(&allocator);
    uint64_t random = 9;
    model.count = 0;
    while (model.count < 1000 || failing.live < 3) {
        insert_one(map, &model, next_random(&random), model.count);
    }
    EXPECT(map_reserve(map, ENTRIES_MAX - model.count));
    expect_same(map, &model);
    failing.calls_left = 0;
    while (model.count < ENTRIES_MAX) {
        insert_one(map, &model, next_random(&random), model.count);
    }
    expect_same(map, &model);
    EXPECT(!map_reserve(map, UINT32_MAX));
    map_close(map);
    EXPECT_INT(failing.live, 0);
}

/* Out of memory is said before an insert, never within; an insert without room is a mistake. */
TEST(map_survives_running_out_of_memory) {
    struct failing_allocator failing = failing_allocator(0);
    struct allocator allocator = failing_allocator_get(&failing);
    EXPECT(map_open(&allocator) == NULL);
    map_close(NULL);
    failing.calls_left = 1;
    struct map *map = map_open(&allocator);
    EXPECT(map != NULL);
    EXPECT(!map_reserve(map, 1));
    EXPECT_ABORT(map_insert(map, 1, 1));
    failing.calls_left = 1;
    EXPECT(map_reserve(map, 1));
    uint32_t inserted = 0;
    while (map_reserve(map, 1)) {
        map_insert(map, inserted, inserted);
        inserted++;
    }
    EXPECT(inserted > 1);
    EXPECT_INT(map_count(map), inserted);
    for (uint32_t i = 0; i < inserted; i++) {
        EXPECT_INT(found_count(map, i, i), 1);
    }
    map_close(map);
    EXPECT_INT(failing.live, 0);
}
