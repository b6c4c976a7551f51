/* SPDX-License-Identifier: Apache-2.0 */
/* Each byte of each field in turn is changed in the state's own memory: the digest must change, and
 * change back. What is derived from other fields is listed here, and so is padding: a new field is
 * in the digest, or in this list, or this test fails. */
#include "broker_harness.h"
#include "test.h"

#include <stdio.h>

struct range {
    size_t first;
    size_t end;
};
#define FIELD(type, name)                                                                          \
    { offsetof(struct type, name), offsetof(struct type, name) + sizeof((struct type *)0)->name }
#define FROM(type, name)                                                                           \
    { offsetof(struct type, name), sizeof(struct type) }
/* Padding between two neighbours. */
#define BETWEEN(type, a, b)                                                                        \
    { offsetof(struct type, a) + sizeof((struct type *)0)->a, offsetof(struct type, b) }
#define LINKS                                                                                      \
    { offsetof(struct thing, home_next), sizeof(struct thing) }

struct derived {
    enum thing_kind kind;
    size_t bytes_count;
    const struct range *ranges;
    size_t ranges_count;
};

static const struct range root_derived[] = {LINKS};
static const struct range queue_derived[] = {
    LINKS,
    BETWEEN(queue, store, store_number),
    BETWEEN(queue, kind, line),
    BETWEEN(queue, line, line_number),
    BETWEEN(queue, station, visibility_ms),
    BETWEEN(queue, dead_name, slot),
    FROM(queue, slot),
};
static const struct range store_derived[] = {LINKS, BETWEEN(store, queue, queue_number),
                                             BETWEEN(store, is_station, slot), FROM(store, slot)};
static const struct range message_derived[] = {LINKS, FIELD(message, heap_index)};

static const struct derived kinds[] = {
    {THING_ROOT, sizeof(struct root), root_derived, ARRAY_COUNT(root_derived)},
    {THING_QUEUE, sizeof(struct queue), queue_derived, ARRAY_COUNT(queue_derived)},
    {THING_STORE, sizeof(struct store), store_derived, ARRAY_COUNT(store_derived)},
    {THING_MESSAGE, sizeof(struct message), message_derived, ARRAY_COUNT(message_derived)},
};

static bool is_derived(const struct derived *kind, size_t place) {
    for (size_t i = 0; i < kind->ranges_count; i++) {
        if (place >= kind->ranges[i].first && place < kind->ranges[i].end) return true;
    }
    return false;
}

/* Bits without a meaning, and those that say which other fields have one. */
static bool is_free_bit(enum thing_kind kind, void *memory, size_t place, int bit) {
    if (kind == THING_STORE && place == offsetof(struct store, is_station)) return bit != 0;
    if (kind != THING_MESSAGE) return false;
    struct message before = *(struct message *)memory;
    struct message after = before;
    ((char *)&after)[place] ^= (char)(1 << bit);
    return after.unused != before.unused || after.unused_too != before.unused_too;
}

static void flip_all(struct broker *broker, const struct derived *kind, uint32_t slot) {
    char *memory = pool_at(&broker->pools[kind->kind], slot);
    uint8_t before[16];
    uint8_t after[16];
    broker_digest(broker, before);
    for (size_t place = 0; place < kind->bytes_count; place++) {
        if (is_derived(kind, place)) continue;
        for (int bit = 0; bit < 8; bit++) {
            if (is_free_bit(kind->kind, memory, place, bit)) continue;
            memory[place] ^= (char)(1 << bit);
            broker_digest(broker, after);
            memory[place] ^= (char)(1 << bit);
            if (memcmp(before, after, 16) != 0) continue;
            fprintf(stderr, "%s: byte %zu, bit %d\n", thing_rows[kind->kind].name, place, bit);
            EXPECT_STRING("the digest did not change", "");
        }
    }
    broker_digest(broker, after);
    EXPECT_BYTES(before, after, 16);
}

/* Names of full length, so that each of their bytes counts. */
static void make_state(struct harness *harness) {
    static char names[2][BROKER_NAME_BYTES_MAX];
    memset(names[0], 'a', sizeof names[0]);
    memset(names[1], 'b', sizeof names[1]);
    struct slice dead = slice_from(names[0], sizeof names[0]);
    struct slice queue = slice_from(names[1], sizeof names[1]);
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = dead}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    command.queue = (struct command_queue){
        .name = queue, .given = QUEUE_SET_DEAD, .settings = {.dead_queue = dead, .dead_after = 2}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    struct command_send_entry entries[2] = {{SLICE("one"), 3, -1}, {SLICE("two"), 3, 1000}};
    struct command send = {.kind = COMMAND_SEND, .send = {queue, entries, 2}};
    EXPECT_INT(harness_submit(harness, &send)->result, BROKER_OK);
    struct command receive = {.kind = COMMAND_RECEIVE, .receive = {queue, 1, 5000}};
    EXPECT_INT(harness_submit(harness, &receive)->receive.count, 1);
}

TEST(digest_sees_each_field) {
    struct harness harness;
    harness_open(&harness, 1);
    make_state(&harness);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        const struct pool *pool = &harness.broker->pools[kinds[i].kind];
        EXPECT(pool->count > 0);
        uint32_t last = BROKER_NONE; /* the queue with a dead-letter queue */
        for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
             slot = pool_next_taken(pool, slot + 1)) {
            last = slot;
        }
        flip_all(harness.broker, &kinds[i], last);
    }
    harness_close(&harness);
}

/* Time, the newest record, and the order of homes. */
TEST(digest_sees_the_broker_itself) {
    struct harness harness;
    uint8_t before[16];
    uint8_t after[16];
    harness_open(&harness, 1);
    make_state(&harness);
    broker_digest(harness.broker, before);
    harness.broker->last_ms++;
    broker_digest(harness.broker, after);
    EXPECT(memcmp(before, after, 16) != 0);
    harness.broker->last_ms--;
    harness.broker->last_lsn++;
    broker_digest(harness.broker, after);
    EXPECT(memcmp(before, after, 16) != 0);
    harness.broker->last_lsn--;
    (void)harness_carry(&harness, harness.next_lsn, 1);
    broker_digest(harness.broker, after);
    EXPECT(memcmp(before, after, 16) != 0);
    harness_close(&harness);
}
