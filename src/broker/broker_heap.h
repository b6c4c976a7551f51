/* SPDX-License-Identifier: Apache-2.0 */
/* broker_heap.h -- a binary heap of u32 values whose keys stand elsewhere.
 *
 * The array lies in chunks, so that growing never copies more than one: no pause at any size. Each
 * value's owner keeps its index, so that it can be taken out of the middle.
 */
#ifndef TAKT_BROKER_BROKER_HEAP_H
#define TAKT_BROKER_BROKER_HEAP_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

#define HEAP_CHUNK_BITS 12u /* values a chunk, at most; a small heap has one smaller chunk */

struct heap {
    uint32_t **chunks;
    uint32_t count;
    uint32_t capacity;
    uint32_t chunks_room;
};

/* How the values are ordered (strictly: no two are equal) and where their indexes are kept. */
struct heap_order {
    bool (*is_less)(const void *context, uint32_t a, uint32_t b);
    void (*set_index)(void *context, uint32_t value, uint32_t index);
};

TAKT_MUST_USE bool heap_reserve(struct heap *heap, const struct allocator *allocator,
                                uint32_t capacity);
void heap_close(struct heap *heap, const struct allocator *allocator); /* it is then empty */
/* Gives back what is far above `capacity` and not in use. */
void heap_shrink(struct heap *heap, const struct allocator *allocator, uint32_t capacity);
/* The memory is there: heap_reserve. */
void heap_push(struct heap *heap, const struct heap_order *order, void *context, uint32_t value);
void heap_remove(struct heap *heap, const struct heap_order *order, void *context, uint32_t index);
/* The key of the value at index has changed. */
void heap_update(struct heap *heap, const struct heap_order *order, void *context, uint32_t index);
uint32_t heap_value(const struct heap *heap, uint32_t index);
uint64_t heap_memory_bytes(const struct heap *heap);
/* CHECKs the order. */
void heap_check(const struct heap *heap, const struct heap_order *order, const void *context);

/* Going through a heap in its order without changing it: O(log k) for the k-th. */
struct heap_walk {
    const struct heap *heap;
    const struct heap_order *order;
    const void *context;
    uint32_t *indexes; /* a small heap of those that may come next */
    uint32_t count;
    uint32_t steps_left;
};
/* At most steps_max values will be given. False: out of memory. */
TAKT_MUST_USE bool heap_walk_open(struct heap_walk *walk, const struct heap *heap,
                                  const struct heap_order *order, const void *context,
                                  struct arena *arena, uint32_t steps_max);
bool heap_walk_next(struct heap_walk *walk, uint32_t *value);

#endif
