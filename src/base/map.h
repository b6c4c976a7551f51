/* SPDX-License-Identifier: Apache-2.0 */
/* map.h -- a hash table from a 64-bit hash to u32 values (slots of the owner's own table).
 *
 * The owner hashes its keys and compares them: several values may stand under one hash. Grows by
 * doubling, in small steps: no single insert moves more than MAP_MOVE_MAX entries.
 */
#ifndef TAKT_BASE_MAP_H
#define TAKT_BASE_MAP_H

#include "base/allocator.h"

#include <stdbool.h>
#include <stdint.h>

#define MAP_MOVE_MAX 16u

struct map;

TAKT_MUST_USE struct map *map_open(const struct allocator *allocator); /* NULL: out of memory */
void map_close(struct map *map);                                       /* NULL is allowed */
/* Make sure that the next `more_count` inserts cannot fail. False: out of memory. */
TAKT_MUST_USE bool map_reserve(struct map *map, uint32_t more_count);
void map_insert(struct map *map, uint64_t hash, uint32_t value); /* after map_reserve */
/* Removes the entry with this hash and this value; CHECKs that it is there. */
void map_remove(struct map *map, uint64_t hash, uint32_t value);
uint32_t map_count(const struct map *map);
void map_clear(struct map *map);

/* for (struct map_cursor c = map_find(map, hash); map_next(&c);) … c.value. The map must not
 * change in between. */
struct map_cursor {
    const struct map *map;
    uint64_t hash;
    uint32_t value;
    uint32_t index;
    uint32_t table; /* while growing there are two */
    uint32_t seen;
};
struct map_cursor map_find(const struct map *map, uint64_t hash);
bool map_next(struct map_cursor *cursor);

#endif
