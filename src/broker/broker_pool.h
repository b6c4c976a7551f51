/* SPDX-License-Identifier: Apache-2.0 */
/* broker_pool.h -- a table of things of one size: they never move, and their slots are u32.
 *
 * Free slots are found in a hierarchical bitmap: the lowest one first, so that which slot comes next
 * follows from which are taken and from nothing else.
 */
#ifndef TAKT_BROKER_BROKER_POOL_H
#define TAKT_BROKER_BROKER_POOL_H

#include "base/allocator.h"
#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

#define POOL_LEVELS 5u /* 64^5 slots */

struct pool {
    const struct allocator *allocator;
    uint32_t item_bytes;
    uint32_t chunk_bits; /* items a chunk: 1 << chunk_bits */
    uint32_t slots_max;
    uint32_t capacity;    /* slots that the bitmap covers: whole chunks */
    uint32_t chunks_room; /* of the array of chunks */
    uint32_t count;       /* taken */
    uint32_t chunks_count;
    char **chunks;                /* NULL: not made yet */
    uint64_t *taken[POOL_LEVELS]; /* a bit is set: taken; above level 0: all 64 below are */
    uint32_t words_count[POOL_LEVELS];
};

void pool_open(struct pool *pool, const struct allocator *allocator, uint32_t item_bytes,
               uint32_t slots_max);
void pool_close(struct pool *pool);

/* Memory for the next `count` lowest free slots. False: out of memory, or slots_max. */
TAKT_MUST_USE bool pool_reserve(struct pool *pool, uint32_t count);
/* Memory for this one (replay). */
TAKT_MUST_USE bool pool_reserve_slot(struct pool *pool, uint32_t slot);
/* The lowest free slot at or above `from`; UINT32_MAX if there is none with memory. */
uint32_t pool_next_free(const struct pool *pool, uint32_t from);
/* Takes a free slot that has memory; zeroed. */
void *pool_take(struct pool *pool, uint32_t slot);
void pool_free(struct pool *pool, uint32_t slot);

/* Inlined, since nothing is done more often than looking at a slot.
 *
 * NULL if the slot is free or beyond the end. */
static inline void *pool_find(const struct pool *pool, uint32_t slot) {
    if (slot >= pool->capacity || slot >= pool->slots_max) return NULL;
    if ((pool->taken[0][slot / 64] >> (slot % 64) & 1) == 0) return NULL;
    size_t place = slot & ((1u << pool->chunk_bits) - 1);
    return pool->chunks[slot >> pool->chunk_bits] + place * pool->item_bytes;
}
/* CHECKs that it is taken. */
static inline void *pool_at(const struct pool *pool, uint32_t slot) {
    void *found = pool_find(pool, slot);
    CHECK(found != NULL);
    return found;
}
/* The lowest taken slot at or above `from`; UINT32_MAX if there is none. For going through all. */
uint32_t pool_next_taken(const struct pool *pool, uint32_t from);
uint64_t pool_memory_bytes(const struct pool *pool);

#endif
