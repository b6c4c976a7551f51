/* SPDX-License-Identifier: Apache-2.0 */
/* broker_shelf.c -- sorted blocks, and how many of them may be needed.
 *
 *   directory   | 17 | 530 | 2044 | …        number of each block's first value
 *   blocks      [17 … 529] [530 … 900 _ _] …
 *
 * A value that belongs into a full block goes to the front of the next one, if it comes right
 * before that; else it begins a block of its own at the end, or splits one in the middle. Two
 * neighbours that became small are joined.
 *
 * How many blocks can `more` insertions need? One that is there now can be split once, and have one
 * begun behind it and, if it is the first, before it. A block that came so, or by joining, has at
 * most 3/4 of its values and takes SHELF_BLOCK / 4 more before it is full. So at most
 * 3 × blocks + more / (SHELF_BLOCK / 4) + 1, and never more than `more`.
 */
#include "broker/broker_shelf.h"

#include "base/check.h"

#include <string.h>

#define BLOCK_BYTES (SHELF_BLOCK * sizeof(uint32_t))
#define JOIN_BELOW (SHELF_BLOCK / 4)     /* a block with fewer looks at its neighbours, */
#define JOINED_MAX (SHELF_BLOCK / 4 * 3) /* and is joined if both together have no more */
#define STOCK_FREE_MAX (2u * 1024)       /* free blocks that are kept: 4 MiB */

static uint32_t blocks_needed(uint32_t blocks_count, uint32_t more_count) {
    uint64_t most = 3ull * blocks_count + more_count / (SHELF_BLOCK / 4) + 1;
    return more_count < most ? more_count : (uint32_t)most;
}

/* ---- the stock -------------------------------------------------------------------------------- */

void shelf_stock_open(struct shelf_stock *stock, const struct allocator *allocator) {
    *stock = (struct shelf_stock){.allocator = allocator};
}

static void stock_put(struct shelf_stock *stock, uint32_t *block) {
    memcpy(block, &stock->free, sizeof stock->free);
    stock->free = block;
    stock->free_count++;
}

static uint32_t *stock_pop(struct shelf_stock *stock) {
    CHECK(stock->free_count > 0); /* shelf_stock_reserve */
    uint32_t *block = stock->free;
    memcpy(&stock->free, block, sizeof stock->free);
    stock->free_count--;
    return block;
}

void shelf_stock_close(struct shelf_stock *stock) {
    CHECK(stock->used_count == 0);
    while (stock->free_count > 0) allocator_give_back(stock->allocator, stock_pop(stock));
}

bool shelf_stock_reserve(struct shelf_stock *stock, uint32_t more_count) {
    /* Without any whole block every shelf has room enough in the array of its own. */
    uint32_t count = stock->used_count == 0 ? 0 : blocks_needed(stock->used_count, more_count);
    while (stock->free_count < count) {
        uint32_t *block = allocator_take(stock->allocator, BLOCK_BYTES);
        if (block == NULL) return false;
        stock_put(stock, block);
    }
    return true;
}

uint64_t shelf_stock_memory_bytes(const struct shelf_stock *stock) {
    return ((uint64_t)stock->free_count + stock->used_count) * BLOCK_BYTES;
}

static void block_give_back(struct shelf_stock *stock, uint32_t *values) {
    stock->used_count--;
    if (stock->free_count < STOCK_FREE_MAX) {
        stock_put(stock, values);
    } else {
        allocator_give_back(stock->allocator, values);
    }
}

/* ---- the directory ---------------------------------------------------------------------------- */

static struct shelf_block *block_at(const struct shelf *shelf, uint32_t index) {
    return &shelf->blocks[shelf->first_block + index];
}

static uint32_t value_at(const struct shelf_block *block, uint32_t place) {
    return block->values[block->begin + place];
}

/* A new block, empty, at that index of the directory. */
static struct shelf_block *directory_insert(struct shelf *shelf, struct shelf_stock *stock,
                                            uint32_t index) {
    if (shelf->first_block + shelf->blocks_count == shelf->blocks_room) {
        CHECK(shelf->first_block > 0); /* shelf_reserve */
        memmove(shelf->blocks, block_at(shelf, 0), shelf->blocks_count * sizeof *shelf->blocks);
        shelf->first_block = 0;
    }
    struct shelf_block *block = block_at(shelf, index);
    memmove(block + 1, block, (shelf->blocks_count - index) * sizeof *block);
    *block = (struct shelf_block){.values = stock_pop(stock)};
    stock->used_count++;
    shelf->blocks_count++;
    return block;
}

static void directory_remove(struct shelf *shelf, struct shelf_stock *stock, uint32_t index) {
    struct shelf_block *block = block_at(shelf, index);
    block_give_back(stock, block->values);
    shelf->blocks_count--;
    if (index == 0) {
        shelf->first_block++;
    } else {
        memmove(block, block + 1, (shelf->blocks_count - index) * sizeof *block);
    }
}

/* The last block that begins at or before the number; the first one if there is none. */
static uint32_t directory_find(const struct shelf *shelf, uint64_t number) {
    uint32_t low = 0;
    uint32_t high = shelf->blocks_count;
    if (high > 0 && block_at(shelf, high - 1)->number_first <= number) return high - 1;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (block_at(shelf, middle)->number_first <= number) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* ---- reserving -------------------------------------------------------------------------------- */

static bool directory_reserve(struct shelf *shelf, struct shelf_stock *stock, uint32_t count) {
    if (count <= shelf->blocks_room) return true;
    uint32_t room = shelf->blocks_room == 0 ? 1 : shelf->blocks_room * 2;
    while (room < count) room *= 2;
    struct shelf_block *blocks =
        allocator_resize_array(stock->allocator, shelf->blocks, room, sizeof *blocks);
    if (blocks == NULL) return false;
    shelf->blocks = blocks;
    shelf->blocks_room = room;
    return true;
}

/* The only block becomes larger, up to a whole one. */
static bool small_reserve(struct shelf *shelf, struct shelf_stock *stock, uint32_t count) {
    uint32_t room = shelf->room < SHELF_SMALL_MIN ? SHELF_SMALL_MIN : shelf->room;
    while (room < count && room < SHELF_BLOCK) room *= 2;
    if (room == shelf->room) return true;
    if (!directory_reserve(shelf, stock, 1)) return false;
    bool is_first = shelf->blocks_count == 0;
    uint32_t *values = allocator_resize_array(
        stock->allocator, is_first ? NULL : block_at(shelf, 0)->values, room, sizeof *values);
    if (values == NULL) return false;
    if (is_first) *block_at(shelf, 0) = (struct shelf_block){0};
    shelf->blocks_count = 1;
    block_at(shelf, 0)->values = values;
    shelf->room = room;
    if (room == SHELF_BLOCK) stock->used_count++;
    return true;
}

bool shelf_reserve(struct shelf *shelf, struct shelf_stock *stock, uint32_t more_count) {
    uint32_t count = shelf->count + more_count;
    if (shelf->room < SHELF_BLOCK && !small_reserve(shelf, stock, count)) return false;
    if (count <= SHELF_BLOCK && shelf->blocks_count <= 1) return true;
    uint32_t blocks = shelf->blocks_count + blocks_needed(shelf->blocks_count, more_count);
    return directory_reserve(shelf, stock, blocks);
}

void shelf_close(struct shelf *shelf, struct shelf_stock *stock) {
    for (uint32_t i = 0; i < shelf->blocks_count; i++) {
        if (shelf->room == SHELF_BLOCK) {
            block_give_back(stock, block_at(shelf, i)->values);
        } else {
            allocator_give_back(stock->allocator, block_at(shelf, i)->values);
        }
    }
    allocator_give_back(stock->allocator, shelf->blocks);
    *shelf = (struct shelf){0};
}

uint64_t shelf_memory_bytes(const struct shelf *shelf) {
    uint64_t small = shelf->room < SHELF_BLOCK ? shelf->room * sizeof(uint32_t) : 0;
    return shelf->blocks_room * sizeof *shelf->blocks + small;
}

/* ---- inserting -------------------------------------------------------------------------------- */

/* The first place whose value does not come before the number. */
static uint32_t place_of(const struct shelf_block *block, shelf_number_fn *number,
                         const void *context, uint64_t wanted) {
    uint32_t low = 0;
    uint32_t high = block->count;
    if (high == 0 || number(context, value_at(block, high - 1)) < wanted) return high;
    if (wanted <= block->number_first) return 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (number(context, value_at(block, middle)) < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* There is room for one. */
static void block_insert(struct shelf_block *block, uint32_t room, uint32_t place, uint32_t value,
                         uint64_t number) {
    if (place == 0) block->number_first = number;
    if (place == 0 && block->begin > 0) {
        block->values[--block->begin] = value;
        block->count++;
        return;
    }
    if ((uint32_t)block->begin + block->count == room) {
        memmove(block->values, block->values + block->begin, block->count * sizeof value);
        block->begin = 0;
    }
    uint32_t *at = block->values + block->begin + place;
    memmove(at + 1, at, (block->count - place) * sizeof value);
    *at = value;
    block->count++;
}

/* The upper half of a full block becomes the next one. */
static void block_split(struct shelf *shelf, struct shelf_stock *stock, uint32_t index,
                        shelf_number_fn *number, const void *context) {
    struct shelf_block *upper = directory_insert(shelf, stock, index + 1);
    struct shelf_block *lower = upper - 1;
    uint32_t kept = lower->count / 2u;
    upper->count = (uint16_t)(lower->count - kept);
    memcpy(upper->values, lower->values + lower->begin + kept, upper->count * sizeof(uint32_t));
    lower->count = (uint16_t)kept;
    upper->number_first = number(context, upper->values[0]);
}

/* The block at `index` is full: into which block, and where in it. */
static uint32_t make_place(struct shelf *shelf, struct shelf_stock *stock, shelf_number_fn *number,
                           const void *context, uint64_t wanted, uint32_t *index) {
    uint32_t place = place_of(block_at(shelf, *index), number, context, wanted);
    if (place > 0 && place < SHELF_BLOCK) {
        block_split(shelf, stock, *index, number, context);
        uint32_t kept = block_at(shelf, *index)->count;
        if (place <= kept) return place;
        ++*index;
        return place - kept;
    }
    if (place == SHELF_BLOCK) ++*index;
    bool has_room = place == SHELF_BLOCK && *index < shelf->blocks_count &&
                    block_at(shelf, *index)->count < SHELF_BLOCK;
    if (!has_room) (void)directory_insert(shelf, stock, *index);
    return 0;
}

void shelf_insert(struct shelf *shelf, struct shelf_stock *stock, shelf_number_fn *number,
                  const void *context, uint32_t value) {
    CHECK(shelf->blocks_count > 0); /* shelf_reserve */
    uint64_t wanted = number(context, value);
    uint32_t index = shelf->count == 0 ? 0 : directory_find(shelf, wanted);
    uint32_t place;
    if (block_at(shelf, index)->count < shelf->room) {
        place = place_of(block_at(shelf, index), number, context, wanted);
    } else {
        CHECK(shelf->room == SHELF_BLOCK);
        place = make_place(shelf, stock, number, context, wanted, &index);
    }
    block_insert(block_at(shelf, index), shelf->room, place, value, wanted);
    shelf->count++;
}

/* ---- removing --------------------------------------------------------------------------------- */

/* The right one of two neighbours is taken into the left one, if they are small enough. */
static void join(struct shelf *shelf, struct shelf_stock *stock, uint32_t left) {
    if (left + 1 >= shelf->blocks_count) return;
    struct shelf_block *into = block_at(shelf, left);
    const struct shelf_block *from = block_at(shelf, left + 1);
    if ((uint32_t)into->count + from->count > JOINED_MAX) return;
    memmove(into->values, into->values + into->begin, into->count * sizeof(uint32_t));
    memcpy(into->values + into->count, from->values + from->begin, from->count * sizeof(uint32_t));
    into->begin = 0;
    into->count = (uint16_t)(into->count + from->count);
    directory_remove(shelf, stock, left + 1);
}

static void after_removal(struct shelf *shelf, struct shelf_stock *stock, uint32_t index) {
    uint32_t count = block_at(shelf, index)->count;
    if (shelf->blocks_count == 1) return;
    if (count == 0) {
        directory_remove(shelf, stock, index);
        return;
    }
    /* The first one only shrinks because its oldest leave: it will be empty soon. */
    if (count >= JOIN_BELOW || index == 0) return;
    join(shelf, stock, index);
    join(shelf, stock, index - 1);
}

void shelf_remove(struct shelf *shelf, struct shelf_stock *stock, shelf_number_fn *number,
                  const void *context, uint32_t value) {
    CHECK(shelf->count > 0);
    uint64_t wanted = number(context, value);
    uint32_t index = directory_find(shelf, wanted);
    struct shelf_block *block = block_at(shelf, index);
    uint32_t place = place_of(block, number, context, wanted);
    CHECK(place < block->count && value_at(block, place) == value);
    block->count--;
    shelf->count--;
    if (place == 0) {
        block->begin++;
        if (block->count > 0) block->number_first = number(context, value_at(block, 0));
    } else {
        uint32_t *at = block->values + block->begin + place;
        memmove(at, at + 1, (block->count - place) * sizeof value);
    }
    if (block->count == 0) block->begin = 0;
    after_removal(shelf, stock, index);
}

/* ---- looking ---------------------------------------------------------------------------------- */

uint32_t shelf_first(const struct shelf *shelf) {
    CHECK(shelf->count > 0);
    return value_at(block_at(shelf, 0), 0);
}

bool shelf_walk_next(struct shelf_walk *walk, uint32_t *value) {
    if (walk->steps_left == 0 || walk->block >= walk->shelf->blocks_count) return false;
    const struct shelf_block *block = block_at(walk->shelf, walk->block);
    if (block->count == 0) return false;
    walk->steps_left--;
    *value = value_at(block, walk->place);
    if (++walk->place < block->count) return true;
    walk->block++;
    walk->place = 0;
    return true;
}

uint32_t shelf_check(const struct shelf *shelf, shelf_number_fn *number, const void *context) {
    uint32_t count = 0;
    uint64_t before = 0;
    CHECK(shelf->first_block + shelf->blocks_count <= shelf->blocks_room);
    for (uint32_t i = 0; i < shelf->blocks_count; i++) {
        const struct shelf_block *block = block_at(shelf, i);
        CHECK((uint32_t)block->begin + block->count <= shelf->room);
        CHECK(block->count > 0 || shelf->count == 0);
        for (uint32_t place = 0; place < block->count; place++, count++) {
            uint64_t here = number(context, value_at(block, place));
            CHECK(count == 0 || here > before);
            CHECK(place > 0 || here == block->number_first);
            before = here;
        }
    }
    CHECK(count == shelf->count && (shelf->blocks_count <= 1 || shelf->room == SHELF_BLOCK));
    return shelf->room == SHELF_BLOCK ? shelf->blocks_count : 0;
}
