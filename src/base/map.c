/* SPDX-License-Identifier: Apache-2.0 */
/* map.c -- linear probing, with one control byte a slot.
 *
 * A control byte is 0 for a free slot, 1 for a slot of the old table whose entry has gone, or 0x80
 * and seven bits of the hash. A search reads control bytes, which lie side by side, and looks at
 * a hash only when those seven bits fit. Only control bytes have to be cleared in a new table: for
 * a million slots that is 1 MiB, not 13.
 *
 * Growing: a full table becomes the `old` one beside a `current` one of at least twice its size.
 * Each insert goes to the current table, then empties the next MAP_MOVE_MAX slots of the old one.
 * A search looks into both. The old table of C slots is empty after C / MAP_MOVE_MAX inserts, long
 * before the current one is full.
 *
 * Removing: in the current table the entries behind the hole are shifted back, so that no marks
 * pile up; the old table has little time left and gets a mark.
 */
#include "base/map.h"

#include <string.h>

#define MAP_CAPACITY_MIN 16u
#define MAP_CAPACITY_MAX (1u << 31)

enum { CONTROL_FREE = 0, CONTROL_GONE = 1, CONTROL_USED = 0x80 };

struct table {
    uint64_t *hashes; /* the allocation: hashes, values, controls */
    uint32_t *values;
    uint8_t *controls;
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
    unsigned shift; /* the upper bits of the mixed hash are the home slot */
};

struct map {
    const struct allocator *allocator; /* kept until map_close */
    struct table current;
    struct table old;   /* capacity 0 unless growing */
    uint32_t old_moved; /* the slots of `old` before this one are free or gone */
};

_Static_assert(MAP_MOVE_MAX >= 2, "the old table is empty before the current one is full");

/* Owners may hash badly (an integer as it is): the product spreads it over the upper bits. */
static uint64_t mix(uint64_t hash) {
    return hash * 0x9E3779B97F4A7C15u;
}
static uint32_t home_of(const struct table *table, uint64_t hash) {
    return (uint32_t)(mix(hash) >> table->shift);
}
static uint8_t control_of(uint64_t hash) {
    return (uint8_t)(CONTROL_USED | ((mix(hash) >> 8) & 0x7F));
}
static uint32_t next_slot(const struct table *table, uint32_t slot) {
    return (slot + 1) & (table->capacity - 1);
}
/* Three quarters: a search that finds nothing then reads 8.5 control bytes on average. */
static uint32_t fill_max(uint32_t capacity) {
    return capacity / 4 * 3;
}

static bool table_open(struct table *table, const struct allocator *allocator, uint32_t capacity) {
    size_t slot_bytes = sizeof(uint64_t) + sizeof(uint32_t) + sizeof(uint8_t);
    uint64_t *memory = allocator_resize_array(allocator, NULL, capacity, slot_bytes);
    if (memory == NULL) return false;
    uint32_t *values = (uint32_t *)(memory + capacity);
    *table = (struct table){.hashes = memory,
                            .values = values,
                            .controls = (uint8_t *)(values + capacity),
                            .capacity = capacity,
                            .shift = 64u - (unsigned)__builtin_ctz(capacity)};
    memset(table->controls, CONTROL_FREE, capacity);
    return true;
}

static void table_close(struct table *table, const struct allocator *allocator) {
    allocator_give_back(allocator, table->hashes);
    *table = (struct table){0};
}

static void table_insert(struct table *table, uint64_t hash, uint32_t value) {
    uint32_t slot = home_of(table, hash);
    while (table->controls[slot] != CONTROL_FREE) { /* ends: it is never more than 3/4 full */
        slot = next_slot(table, slot);
    }
    table->controls[slot] = control_of(hash);
    table->hashes[slot] = hash;
    table->values[slot] = value;
    table->count++;
}

/* From *slot on, which it moves to the entry found. */
static bool table_find(const struct table *table, uint64_t hash, uint32_t *slot, uint32_t *seen) {
    uint8_t control = control_of(hash);
    for (; *seen < table->capacity; (*seen)++, *slot = next_slot(table, *slot)) {
        if (table->controls[*slot] == CONTROL_FREE) return false;
        if (table->controls[*slot] == control && table->hashes[*slot] == hash) return true;
    }
    return false;
}

static bool table_find_entry(const struct table *table, uint64_t hash, uint32_t value,
                             uint32_t *slot) {
    if (table->capacity == 0) return false;
    uint32_t seen = 0;
    *slot = home_of(table, hash);
    while (table_find(table, hash, slot, &seen)) {
        if (table->values[*slot] == value) return true;
        *slot = next_slot(table, *slot);
        seen++;
    }
    return false;
}

/* Fills the hole with the first entry behind it that may stand there, then that one's hole, and
 * so on: an entry may not stand before its home. */
static void table_shift_back(struct table *table, uint32_t hole) {
    uint32_t mask = table->capacity - 1;
    for (uint32_t slot = next_slot(table, hole); table->controls[slot] != CONTROL_FREE;
         slot = next_slot(table, slot)) {
        uint32_t home = home_of(table, table->hashes[slot]);
        if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
        table->controls[hole] = table->controls[slot];
        table->hashes[hole] = table->hashes[slot];
        table->values[hole] = table->values[slot];
        hole = slot;
    }
    table->controls[hole] = CONTROL_FREE;
    table->count--;
}

struct map *map_open(const struct allocator *allocator) {
    struct map *map = allocator_take(allocator, sizeof *map);
    if (map != NULL) map->allocator = allocator;
    return map;
}

void map_close(struct map *map) {
    if (map == NULL) return;
    table_close(&map->current, map->allocator);
    table_close(&map->old, map->allocator);
    allocator_give_back(map->allocator, map);
}

/* Empties the next slots of the old table, and gives it back when it is empty. */
static void move_slots(struct map *map, uint32_t slots_count) {
    struct table *old = &map->old;
    for (; slots_count > 0 && old->count > 0; slots_count--, map->old_moved++) {
        uint32_t slot = map->old_moved;
        CHECK(slot < old->capacity);
        if ((old->controls[slot] & CONTROL_USED) == 0) continue;
        table_insert(&map->current, old->hashes[slot], old->values[slot]);
        old->controls[slot] = CONTROL_GONE;
        old->count--;
    }
    if (old->count == 0 && old->capacity > 0) table_close(old, map->allocator);
}

bool map_reserve(struct map *map, uint32_t more_count) {
    uint64_t needed = (uint64_t)map_count(map) + more_count;
    if (needed <= fill_max(map->current.capacity)) return true;
    if (needed > fill_max(MAP_CAPACITY_MAX)) return false;

    uint32_t capacity = MAP_CAPACITY_MIN;
    if (map->current.capacity >= MAP_CAPACITY_MIN) capacity = map->current.capacity * 2;
    while (fill_max(capacity) < needed) {
        capacity *= 2;
    }
    struct table larger;
    if (!table_open(&larger, map->allocator, capacity)) return false;
    /* A table is still growing only if more_count is about as large as the table: then moving the
     * rest at once costs no more than the inserts that were announced. */
    move_slots(map, UINT32_MAX);
    map->old = map->current;
    map->old_moved = 0;
    map->current = larger;
    move_slots(map, 0); /* an empty old table goes at once */
    return true;
}

void map_insert(struct map *map, uint64_t hash, uint32_t value) {
    CHECK(map_count(map) < fill_max(map->current.capacity)); /* reserved */
    table_insert(&map->current, hash, value);
    move_slots(map, MAP_MOVE_MAX);
}

void map_remove(struct map *map, uint64_t hash, uint32_t value) {
    uint32_t slot;
    if (table_find_entry(&map->current, hash, value, &slot)) {
        table_shift_back(&map->current, slot);
        return;
    }
    CHECK(table_find_entry(&map->old, hash, value, &slot));
    map->old.controls[slot] = CONTROL_GONE;
    map->old.count--;
    move_slots(map, 0);
}

uint32_t map_count(const struct map *map) {
    return map->current.count + map->old.count;
}

void map_clear(struct map *map) {
    table_close(&map->old, map->allocator);
    if (map->current.capacity == 0) return;
    memset(map->current.controls, CONTROL_FREE, map->current.capacity);
    map->current.count = 0;
}

static const struct table *table_of(const struct map *map, uint32_t table) {
    return table == 0 ? &map->current : &map->old;
}

static void enter_table(struct map_cursor *cursor, uint32_t table) {
    const struct table *entered = table_of(cursor->map, table);
    cursor->table = table;
    cursor->seen = 0;
    cursor->index = entered->capacity == 0 ? 0 : home_of(entered, cursor->hash);
}

struct map_cursor map_find(const struct map *map, uint64_t hash) {
    struct map_cursor cursor = {.map = map, .hash = hash};
    enter_table(&cursor, 0);
    return cursor;
}

bool map_next(struct map_cursor *cursor) {
    for (;;) {
        const struct table *table = table_of(cursor->map, cursor->table);
        if (table_find(table, cursor->hash, &cursor->index, &cursor->seen)) {
            cursor->value = table->values[cursor->index];
            cursor->index = next_slot(table, cursor->index); /* the next search starts behind it */
            cursor->seen++;
            return true;
        }
        if (cursor->table == 1) return false;
        enter_table(cursor, 1);
    }
}
