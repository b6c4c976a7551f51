/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_heap.h"

#include <string.h>

#define CHUNK_VALUES (1u << HEAP_CHUNK_BITS)
#define SMALL_VALUES_MIN 8u

static uint32_t *place(const struct heap *heap, uint32_t index) {
    return &heap->chunks[index >> HEAP_CHUNK_BITS][index & (CHUNK_VALUES - 1)];
}

static bool chunks_reserve(struct heap *heap, const struct allocator *allocator, uint32_t count) {
    if (count <= heap->chunks_room) return true;
    uint32_t room = heap->chunks_room == 0 ? 1 : heap->chunks_room * 2;
    while (room < count) room *= 2;
    uint32_t **chunks = allocator_resize_array(allocator, heap->chunks, room, sizeof *chunks);
    if (chunks == NULL) return false;
    memset(chunks + heap->chunks_room, 0, (room - heap->chunks_room) * sizeof *chunks);
    heap->chunks = chunks;
    heap->chunks_room = room;
    return true;
}

/* The first chunk grows by doubling: most queues are small. */
static bool first_chunk_grow(struct heap *heap, const struct allocator *allocator,
                             uint32_t capacity) {
    uint32_t room = SMALL_VALUES_MIN;
    while (room < capacity && room < CHUNK_VALUES) room *= 2;
    if (room <= heap->capacity) return true;
    uint32_t *chunk =
        allocator_resize_array(allocator, heap->chunks[0], room, sizeof *heap->chunks[0]);
    if (chunk == NULL) return false;
    heap->chunks[0] = chunk;
    heap->capacity = room;
    return true;
}

bool heap_reserve(struct heap *heap, const struct allocator *allocator, uint32_t capacity) {
    if (capacity <= heap->capacity) return true;
    uint32_t chunks_count = (capacity >> HEAP_CHUNK_BITS) + 1;
    if (!chunks_reserve(heap, allocator, chunks_count)) return false;
    if (heap->capacity < CHUNK_VALUES && !first_chunk_grow(heap, allocator, capacity)) return false;
    while (heap->capacity < capacity) {
        uint32_t *chunk =
            allocator_resize_array(allocator, NULL, CHUNK_VALUES, sizeof *heap->chunks[0]);
        if (chunk == NULL) return false;
        heap->chunks[heap->capacity >> HEAP_CHUNK_BITS] = chunk;
        heap->capacity += CHUNK_VALUES;
    }
    return true;
}

void heap_close(struct heap *heap, const struct allocator *allocator) {
    for (uint32_t i = 0; i < heap->chunks_room; i++) {
        allocator_give_back(allocator, heap->chunks[i]);
    }
    allocator_give_back(allocator, heap->chunks);
    *heap = (struct heap){0};
}

void heap_shrink(struct heap *heap, const struct allocator *allocator, uint32_t capacity) {
    if (capacity < heap->count) capacity = heap->count;
    /* Two chunks of slack, so that a heap that breathes does not allocate each time. */
    while (heap->capacity > 3 * CHUNK_VALUES && heap->capacity - 3 * CHUNK_VALUES >= capacity) {
        heap->capacity -= CHUNK_VALUES;
        uint32_t last = heap->capacity >> HEAP_CHUNK_BITS;
        allocator_give_back(allocator, heap->chunks[last]);
        heap->chunks[last] = NULL;
    }
}

static void put(struct heap *heap, const struct heap_order *order, void *context, uint32_t index,
                uint32_t value) {
    *place(heap, index) = value;
    order->set_index(context, value, index);
}

/* The value at index goes up or down to where it belongs. */
static void settle(struct heap *heap, const struct heap_order *order, void *context,
                   uint32_t index) {
    uint32_t value = *place(heap, index);
    while (index > 0) {
        uint32_t parent = *place(heap, (index - 1) / 2);
        if (!order->is_less(context, value, parent)) break;
        put(heap, order, context, index, parent);
        index = (index - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count &&
            order->is_less(context, *place(heap, child + 1), *place(heap, child))) {
            child++;
        }
        if (!order->is_less(context, *place(heap, child), value)) break;
        put(heap, order, context, index, *place(heap, child));
        index = child;
    }
    put(heap, order, context, index, value);
}

void heap_push(struct heap *heap, const struct heap_order *order, void *context, uint32_t value) {
    CHECK(heap->count < heap->capacity);
    *place(heap, heap->count++) = value;
    settle(heap, order, context, heap->count - 1);
}

void heap_remove(struct heap *heap, const struct heap_order *order, void *context, uint32_t index) {
    CHECK(index < heap->count);
    order->set_index(context, *place(heap, index), UINT32_MAX);
    uint32_t last = *place(heap, --heap->count);
    if (index == heap->count) return;
    *place(heap, index) = last;
    settle(heap, order, context, index);
}

void heap_update(struct heap *heap, const struct heap_order *order, void *context, uint32_t index) {
    CHECK(index < heap->count);
    settle(heap, order, context, index);
}

uint32_t heap_value(const struct heap *heap, uint32_t index) {
    CHECK(index < heap->count);
    return *place(heap, index);
}

uint64_t heap_memory_bytes(const struct heap *heap) {
    return heap->chunks_room * sizeof *heap->chunks + heap->capacity * sizeof(uint32_t);
}

void heap_check(const struct heap *heap, const struct heap_order *order, const void *context) {
    CHECK(heap->count <= heap->capacity);
    for (uint32_t i = 1; i < heap->count; i++) {
        CHECK(order->is_less(context, *place(heap, (i - 1) / 2), *place(heap, i)));
    }
}

bool heap_walk_open(struct heap_walk *walk, const struct heap *heap, const struct heap_order *order,
                    const void *context, struct arena *arena, uint32_t steps_max) {
    *walk = (struct heap_walk){.heap = heap, .order = order, .context = context};
    if (steps_max > heap->count) steps_max = heap->count;
    if (steps_max == 0) return true;
    /* Each step takes one index out and puts at most two in. */
    walk->indexes = arena_take_array(arena, steps_max + 1u, sizeof *walk->indexes);
    if (walk->indexes == NULL) return false;
    walk->steps_left = steps_max;
    walk->indexes[walk->count++] = 0;
    return true;
}

static bool walk_is_less(const struct heap_walk *walk, uint32_t a, uint32_t b) {
    return walk->order->is_less(walk->context, *place(walk->heap, a), *place(walk->heap, b));
}

static void walk_push(struct heap_walk *walk, uint32_t index) {
    uint32_t hole = walk->count++;
    while (hole > 0 && walk_is_less(walk, index, walk->indexes[(hole - 1) / 2])) {
        walk->indexes[hole] = walk->indexes[(hole - 1) / 2];
        hole = (hole - 1) / 2;
    }
    walk->indexes[hole] = index;
}

static uint32_t walk_pop(struct heap_walk *walk) {
    uint32_t first = walk->indexes[0];
    uint32_t last = walk->indexes[--walk->count];
    uint32_t hole = 0;
    while (2 * hole + 1 < walk->count) {
        uint32_t child = 2 * hole + 1;
        if (child + 1 < walk->count &&
            walk_is_less(walk, walk->indexes[child + 1], walk->indexes[child])) {
            child++;
        }
        if (!walk_is_less(walk, walk->indexes[child], last)) break;
        walk->indexes[hole] = walk->indexes[child];
        hole = child;
    }
    walk->indexes[hole] = last;
    return first;
}

bool heap_walk_next(struct heap_walk *walk, uint32_t *value) {
    if (walk->steps_left == 0 || walk->count == 0) return false;
    walk->steps_left--;
    uint32_t index = walk_pop(walk);
    if (2 * index + 1 < walk->heap->count) walk_push(walk, 2 * index + 1);
    if (2 * index + 2 < walk->heap->count) walk_push(walk, 2 * index + 2);
    *value = *place(walk->heap, index);
    return true;
}
