/* SPDX-License-Identifier: Apache-2.0 */
/* broker_pool.c -- chunks of items, and above them the bitmap of what is taken.
 *
 * A word of level 0 has a bit for each of 64 slots. A word of level n has a bit for each of 64 words
 * of level n - 1, set when that word is full. Finding the lowest free slot walks at most up and down
 * the five levels once.
 */
#include "broker/broker_pool.h"

#include <string.h>

#define CHUNK_BYTES_AIM (64u * 1024)
#define FULL UINT64_MAX

void pool_open(struct pool *pool, const struct allocator *allocator, uint32_t item_bytes,
               uint32_t slots_max) {
    CHECK(item_bytes > 0);
    *pool = (struct pool){
        .allocator = allocator, .item_bytes = item_bytes, .chunk_bits = 6, .slots_max = slots_max};
    while (((uint64_t)item_bytes << (pool->chunk_bits + 1)) <= CHUNK_BYTES_AIM) pool->chunk_bits++;
}

void pool_close(struct pool *pool) {
    for (uint32_t i = 0; i < pool->chunks_room; i++) {
        allocator_give_back(pool->allocator, pool->chunks[i]);
    }
    allocator_give_back(pool->allocator, pool->chunks);
    for (uint32_t level = 0; level < POOL_LEVELS; level++) {
        allocator_give_back(pool->allocator, pool->taken[level]);
    }
    *pool = (struct pool){0};
}

/* New words say "full", so that nothing beyond the capacity is ever found; grow clears them. */
static bool words_reserve(struct pool *pool, uint32_t level, uint32_t words_count) {
    uint32_t old_count = pool->words_count[level];
    if (words_count <= old_count) return true;
    uint32_t room = old_count < 8 ? 8 : old_count;
    while (room < words_count) room *= 2;
    uint64_t *words =
        allocator_resize_array(pool->allocator, pool->taken[level], room, sizeof(uint64_t));
    if (words == NULL) return false;
    memset(words + old_count, 0xFF, (room - old_count) * sizeof(uint64_t));
    pool->taken[level] = words;
    pool->words_count[level] = room;
    return true;
}

static void bit_clear(struct pool *pool, uint32_t slot) {
    for (uint32_t level = 0; level < POOL_LEVELS; level++) {
        uint64_t *word = &pool->taken[level][slot / 64];
        bool was_full = *word == FULL;
        *word &= ~((uint64_t)1 << (slot % 64));
        if (!was_full) return;
        slot /= 64;
    }
}

static void bit_set(struct pool *pool, uint32_t slot) {
    for (uint32_t level = 0; level < POOL_LEVELS; level++) {
        uint64_t *word = &pool->taken[level][slot / 64];
        *word |= (uint64_t)1 << (slot % 64);
        if (*word != FULL) return;
        slot /= 64;
    }
}

static bool bit_is_set(const struct pool *pool, uint32_t slot) {
    return (pool->taken[0][slot / 64] >> (slot % 64) & 1) != 0;
}

static bool chunk_make(struct pool *pool, uint32_t chunk) {
    if (pool->chunks[chunk] != NULL) return true;
    pool->chunks[chunk] =
        allocator_take(pool->allocator, (size_t)pool->item_bytes << pool->chunk_bits);
    if (pool->chunks[chunk] != NULL) pool->chunks_count++;
    return pool->chunks[chunk] != NULL;
}

/* One more chunk's worth of slots in the bitmap. */
static bool grow(struct pool *pool) {
    uint32_t chunk_items = 1u << pool->chunk_bits;
    uint32_t chunk = pool->capacity >> pool->chunk_bits;
    if (chunk >= pool->chunks_room) {
        uint32_t room = pool->chunks_room == 0 ? 4 : pool->chunks_room * 2;
        char **chunks = allocator_resize_array(pool->allocator, pool->chunks, room, sizeof *chunks);
        if (chunks == NULL) return false;
        memset(chunks + pool->chunks_room, 0, (room - pool->chunks_room) * sizeof *chunks);
        pool->chunks = chunks;
        pool->chunks_room = room;
    }
    uint32_t end = pool->capacity + chunk_items;
    for (uint32_t level = 0, words = end; level < POOL_LEVELS; level++) {
        words = words / 64 + (words % 64 != 0);
        if (!words_reserve(pool, level, words)) return false;
    }
    for (uint32_t slot = pool->capacity; slot < end && slot < pool->slots_max; slot++) {
        bit_clear(pool, slot);
    }
    pool->capacity = end;
    return true;
}

uint32_t pool_next_free(const struct pool *pool, uint32_t from) {
    uint32_t place = from;
    uint32_t level = 0;
    for (;; level++, place = place / 64 + 1) { /* up: the first word that is not full */
        if (level == POOL_LEVELS) return UINT32_MAX;
        if (place / 64 >= pool->words_count[level]) continue;
        uint64_t word = pool->taken[level][place / 64];
        word |= ((uint64_t)1 << (place % 64)) - 1; /* those before count as taken */
        if (word == FULL) continue;
        place = place / 64 * 64 + (uint32_t)__builtin_ctzll(~word);
        break;
    }
    for (; level > 0; level--) { /* down: its lowest free */
        uint64_t word = pool->taken[level - 1][place];
        place = place * 64 + (uint32_t)__builtin_ctzll(~word);
    }
    return place;
}

bool pool_reserve(struct pool *pool, uint32_t count) {
    uint32_t slot = 0;
    for (uint32_t i = 0; i < count; i++, slot++) {
        slot = pool_next_free(pool, slot);
        while (slot == UINT32_MAX) {
            if (pool->capacity >= pool->slots_max) return false;
            uint32_t from = pool->capacity;
            if (!grow(pool)) return false;
            slot = pool_next_free(pool, from);
        }
        if (!chunk_make(pool, slot >> pool->chunk_bits)) return false;
    }
    return true;
}

bool pool_reserve_slot(struct pool *pool, uint32_t slot) {
    if (slot >= pool->slots_max) return false;
    while (slot >= pool->capacity) {
        if (!grow(pool)) return false;
    }
    return chunk_make(pool, slot >> pool->chunk_bits);
}

static void *item(const struct pool *pool, uint32_t slot) {
    size_t place = slot & ((1u << pool->chunk_bits) - 1);
    return pool->chunks[slot >> pool->chunk_bits] + place * pool->item_bytes;
}

void *pool_take(struct pool *pool, uint32_t slot) {
    CHECK(slot < pool->capacity && slot < pool->slots_max && !bit_is_set(pool, slot));
    bit_set(pool, slot);
    pool->count++;
    return memset(item(pool, slot), 0, pool->item_bytes);
}

void pool_free(struct pool *pool, uint32_t slot) {
    CHECK(pool_find(pool, slot) != NULL);
    bit_clear(pool, slot);
    pool->count--;
}

uint32_t pool_next_taken(const struct pool *pool, uint32_t from) {
    uint32_t end = pool->capacity < pool->slots_max ? pool->capacity : pool->slots_max;
    while (from < end) {
        uint64_t word = pool->taken[0][from / 64] >> (from % 64);
        if (word != 0) {
            from += (uint32_t)__builtin_ctzll(word);
            return from < end ? from : UINT32_MAX;
        }
        from = from / 64 * 64 + 64;
    }
    return UINT32_MAX;
}

uint64_t pool_memory_bytes(const struct pool *pool) {
    uint64_t bytes_count = (uint64_t)pool->chunks_count * pool->item_bytes << pool->chunk_bits;
    bytes_count += pool->chunks_room * sizeof *pool->chunks;
    for (uint32_t level = 0; level < POOL_LEVELS; level++) {
        bytes_count += pool->words_count[level] * sizeof(uint64_t);
    }
    return bytes_count;
}
