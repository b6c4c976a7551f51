/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_heap.h"

#include "test.h"

#define VALUES 30000u

struct keys {
    uint32_t keys[VALUES];
    uint32_t indexes[VALUES];
};

static bool is_less(const void *context, uint32_t a, uint32_t b) {
    const struct keys *keys = context;
    return keys->keys[a] != keys->keys[b] ? keys->keys[a] < keys->keys[b] : a < b;
}
static void set_index(void *context, uint32_t value, uint32_t index) {
    ((struct keys *)context)->indexes[value] = index;
}
static const struct heap_order order = {is_less, set_index};

static uint32_t next_random(uint64_t *random) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*random >> 33);
}

static void fill(struct heap *heap, struct keys *keys, const struct allocator *allocator) {
    uint64_t random = 7;
    for (uint32_t i = 0; i < VALUES; i++) {
        keys->keys[i] = next_random(&random) % 1000;
        EXPECT(heap_reserve(heap, allocator, heap->count + 1));
        heap_push(heap, &order, keys, i);
        EXPECT_INT(heap_value(heap, keys->indexes[i]), i);
    }
}

/* Values are pushed, changed, taken out of the middle: what is left comes out in order. */
TEST(heap_keeps_its_order) {
    static struct keys keys;
    struct allocator allocator = allocator_system();
    struct heap heap = {0};
    fill(&heap, &keys, &allocator);
    heap_check(&heap, &order, &keys);
    for (uint32_t i = 0; i < VALUES; i += 3) {
        keys.keys[i] = (keys.keys[i] * 31) % 1000;
        heap_update(&heap, &order, &keys, keys.indexes[i]);
    }
    for (uint32_t i = 1; i < VALUES; i += 3) {
        heap_remove(&heap, &order, &keys, keys.indexes[i]);
        EXPECT_INT(keys.indexes[i], UINT32_MAX);
    }
    heap_check(&heap, &order, &keys);
    uint32_t previous = UINT32_MAX;
    while (heap.count > 0) {
        uint32_t value = heap_value(&heap, 0);
        EXPECT(previous == UINT32_MAX || is_less(&keys, previous, value));
        EXPECT(value % 3 != 1);
        previous = value;
        heap_remove(&heap, &order, &keys, 0);
    }
    uint64_t full_bytes = heap_memory_bytes(&heap);
    heap_shrink(&heap, &allocator, 0);
    EXPECT(heap_memory_bytes(&heap) < full_bytes);
    EXPECT(heap_reserve(&heap, &allocator, VALUES));
    heap_close(&heap, &allocator);
}

/* A walk gives what removing would give, and changes nothing. */
TEST(heap_walk_is_in_order) {
    static struct keys keys;
    struct allocator allocator = allocator_system();
    struct heap heap = {0};
    struct arena arena;
    struct heap_walk walk;
    uint32_t value;
    arena_open(&arena, &allocator, SIZE_MAX);
    EXPECT(heap_walk_open(&walk, &heap, &order, &keys, &arena, 10));
    EXPECT(!heap_walk_next(&walk, &value));
    fill(&heap, &keys, &allocator);
    EXPECT(heap_walk_open(&walk, &heap, &order, &keys, &arena, 1000));
    static uint32_t seen[1000];
    for (uint32_t i = 0; i < 1000; i++) EXPECT(heap_walk_next(&walk, &seen[i]));
    EXPECT(!heap_walk_next(&walk, &value)); /* no more than was asked for */
    for (uint32_t i = 0; i < 1000; i++) {
        EXPECT_INT(heap_value(&heap, 0), seen[i]);
        heap_remove(&heap, &order, &keys, 0);
    }
    EXPECT(heap_walk_open(&walk, &heap, &order, &keys, &arena, VALUES + 5));
    uint32_t count = 0;
    while (heap_walk_next(&walk, &value)) count++;
    EXPECT_INT(count, VALUES - 1000);
    arena_close(&arena);
    heap_close(&heap, &allocator);
}
