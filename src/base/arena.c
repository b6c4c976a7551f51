/* SPDX-License-Identifier: Apache-2.0 */
/* arena.c -- a list of blocks, each used from its front; only the newest has room.
 *
 * Blocks double from ARENA_BLOCK_BYTES_MIN to ARENA_BLOCK_BYTES_MAX, so that a small request costs
 * one small block and a large one few allocations. What does not fit a block gets one of its own.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#define ARENA_BLOCK_BYTES_MIN 4096u
#define ARENA_BLOCK_BYTES_MAX (64u * 1024) /* also the largest that arena_reset keeps */
#define ARENA_ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *older;
    size_t bytes_count; /* of `bytes` */
    size_t used_bytes;
    _Alignas(max_align_t) char bytes[];
};

_Static_assert(sizeof(struct arena_block) < ARENA_BLOCK_BYTES_MIN, "a block has room");

void arena_open(struct arena *arena, const struct allocator *allocator, size_t bytes_max) {
    *arena = (struct arena){.allocator = allocator, .bytes_max = bytes_max};
}

static void free_blocks(struct arena *arena, const struct arena_block *kept) {
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *older = block->older;
        if (block != kept) allocator_give_back(arena->allocator, block);
        block = older;
    }
    arena->blocks = NULL;
    arena->used_bytes = 0;
}

void arena_close(struct arena *arena) {
    free_blocks(arena, NULL);
}

void arena_reset(struct arena *arena) {
    struct arena_block *kept = NULL;
    for (struct arena_block *block = arena->blocks; block != NULL; block = block->older) {
        if (block->bytes_count > ARENA_BLOCK_BYTES_MAX) continue;
        if (kept == NULL || block->bytes_count > kept->bytes_count) kept = block;
    }
    free_blocks(arena, kept);
    if (kept == NULL) return;
    kept->older = NULL;
    kept->used_bytes = 0;
    arena->blocks = kept;
}

/* The new block is the first one and has room for bytes_count. */
static struct arena_block *add_block(struct arena *arena, size_t bytes_count) {
    size_t block_bytes = ARENA_BLOCK_BYTES_MIN;
    if (arena->blocks != NULL) {
        size_t newest_bytes = sizeof(struct arena_block) + arena->blocks->bytes_count;
        block_bytes =
            newest_bytes < ARENA_BLOCK_BYTES_MAX / 2 ? newest_bytes * 2 : ARENA_BLOCK_BYTES_MAX;
    }
    if (bytes_count > block_bytes - sizeof(struct arena_block)) {
        if (bytes_count > SIZE_MAX - sizeof(struct arena_block)) return NULL;
        block_bytes = sizeof(struct arena_block) + bytes_count;
    }
    struct arena_block *block = allocator_resize_array(arena->allocator, NULL, 1, block_bytes);
    if (block == NULL) return NULL;
    *block = (struct arena_block){.older = arena->blocks,
                                  .bytes_count = block_bytes - sizeof(struct arena_block)};
    arena->blocks = block;
    return block;
}

void *arena_take(struct arena *arena, size_t bytes_count) {
    if (bytes_count == 0) bytes_count = 1;
    if (bytes_count > SIZE_MAX - ARENA_ALIGNMENT) return NULL;
    bytes_count = (bytes_count + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (arena->used_bytes > arena->bytes_max) return NULL;
    if (bytes_count > arena->bytes_max - arena->used_bytes) return NULL;

    struct arena_block *block = arena->blocks;
    if (block == NULL || bytes_count > block->bytes_count - block->used_bytes) {
        block = add_block(arena, bytes_count);
        if (block == NULL) return NULL;
    }
    void *memory = block->bytes + block->used_bytes;
    block->used_bytes += bytes_count;
    arena->used_bytes += bytes_count;
    return memset(memory, 0, bytes_count);
}

void *arena_take_array(struct arena *arena, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / size) return NULL;
    return arena_take(arena, count * size);
}

char *arena_copy(struct arena *arena, struct slice slice) {
    if (slice.count == SIZE_MAX) return NULL;
    char *copy = arena_take(arena, slice.count + 1);
    if (copy != NULL && slice.count > 0) memcpy(copy, slice.bytes, slice.count);
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(count >= 0); /* the format is ours, and no result is near INT_MAX */

    char *text = arena_take(arena, (size_t)count + 1);
    if (text == NULL) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)count + 1, format, arguments);
    va_end(arguments);
    return text;
}
