/* SPDX-License-Identifier: Apache-2.0 */
/* broker_shelf.h -- u32 values in the order of their numbers, which stand elsewhere.
 *
 * A sorted array in blocks of SHELF_BLOCK values, with a directory of the blocks in front. New
 * values have the highest number, nearly always, and the oldest leave first: both cost O(1) and
 * touch no other value. In the middle it is two binary searches and one block moved.
 *
 * Blocks come from a stock that all shelves share: what may come back into the middle of any of
 * them (a visibility timeout, say) needs memory that was reserved before, and only there.
 */
#ifndef TAKT_BROKER_BROKER_SHELF_H
#define TAKT_BROKER_BROKER_SHELF_H

#include "base/allocator.h"

#include <stdbool.h>
#include <stdint.h>

#define SHELF_BLOCK 512u   /* values a block */
#define SHELF_SMALL_MIN 8u /* a shelf of one block begins with an array of so many */

struct shelf_stock {
    const struct allocator *allocator;
    void *free; /* a list of blocks */
    uint32_t free_count;
    uint32_t used_count; /* whole blocks in shelves */
};

struct shelf_block {
    uint64_t number_first; /* of values[begin] */
    uint32_t *values;
    uint16_t begin;
    uint16_t count; /* 0 only in the one block of an empty shelf */
};

struct shelf {
    struct shelf_block *blocks; /* those from first_block on are in use */
    uint32_t first_block;
    uint32_t blocks_count;
    uint32_t blocks_room;
    uint32_t count;
    uint32_t room; /* of the first block, as long as there was never more than that one */
};

/* Where a value's number is found. No two are equal, and none changes while it is in a shelf. */
typedef uint64_t shelf_number_fn(const void *context, uint32_t value);

void shelf_stock_open(struct shelf_stock *stock, const struct allocator *allocator);
void shelf_stock_close(struct shelf_stock *stock);
/* Memory for so many values more, in whichever shelves shelf_reserve has made room. Call it after
 * the shelf_reserves. */
TAKT_MUST_USE bool shelf_stock_reserve(struct shelf_stock *stock, uint32_t more_count);
uint64_t shelf_stock_memory_bytes(const struct shelf_stock *stock);

/* Room for `more_count` values beyond those in it, wherever they come. It stays until they have
 * come, whatever leaves meanwhile. */
TAKT_MUST_USE bool shelf_reserve(struct shelf *shelf, struct shelf_stock *stock,
                                 uint32_t more_count);
void shelf_close(struct shelf *shelf, struct shelf_stock *stock); /* it is then empty */
/* The room is there: shelf_reserve and shelf_stock_reserve. */
void shelf_insert(struct shelf *shelf, struct shelf_stock *stock, shelf_number_fn *number,
                  const void *context, uint32_t value);
void shelf_remove(struct shelf *shelf, struct shelf_stock *stock, shelf_number_fn *number,
                  const void *context, uint32_t value); /* CHECKs that it is there */
uint32_t shelf_first(const struct shelf *shelf);        /* not of an empty one */
/* Without the whole blocks, which are the stock's. */
uint64_t shelf_memory_bytes(const struct shelf *shelf);
/* CHECKs the order. Gives the number of whole blocks. */
uint32_t shelf_check(const struct shelf *shelf, shelf_number_fn *number, const void *context);

/* Going through a shelf in its order, without changing it. */
struct shelf_walk {
    const struct shelf *shelf;
    uint32_t block;
    uint32_t place;
    uint32_t steps_left;
};
/* At most steps_max values will be given. */
static inline struct shelf_walk shelf_walk_open(const struct shelf *shelf, uint32_t steps_max) {
    return (struct shelf_walk){.shelf = shelf, .steps_left = steps_max};
}
bool shelf_walk_next(struct shelf_walk *walk, uint32_t *value);

#endif
