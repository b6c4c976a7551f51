/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h -- memory of one request, all of which goes in one step. */
#ifndef TAKT_BASE_ARENA_H
#define TAKT_BASE_ARENA_H

#include "base/allocator.h"
#include "base/slice.h"

struct arena_block;
struct arena {
    const struct allocator *allocator; /* kept until arena_close */
    struct arena_block *blocks;        /* newest first */
    size_t used_bytes;                 /* what was taken, each rounded up to its alignment */
    size_t bytes_max;                  /* above it arena_take gives NULL */
};

void arena_open(struct arena *arena, const struct allocator *allocator, size_t bytes_max);
void arena_close(struct arena *arena); /* frees everything; the arena may be opened again */
/* Forgets everything. Keeps at most one block, of at most 64 KiB, for the next use. */
void arena_reset(struct arena *arena);

/* Zeroed, aligned for any type; NULL when out of memory or above bytes_max. */
TAKT_MUST_USE void *arena_take(struct arena *arena, size_t bytes_count);
TAKT_MUST_USE void *arena_take_array(struct arena *arena, size_t count, size_t size);
/* A terminated copy; NULL as above. */
TAKT_MUST_USE char *arena_copy(struct arena *arena, struct slice slice);
TAKT_MUST_USE char *arena_printf(struct arena *arena, const char *format, ...) TAKT_PRINTF(2, 3);

#endif
