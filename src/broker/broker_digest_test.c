/* SPDX-License-Identifier: Apache-2.0 */
/* Each bit of each field in turn is changed in the state's own memory: the digest must change, and
 * change back. What is derived from other fields is listed here, and so is padding: a new field is
 * in the digest, or in this list, or this test fails. So does a new kind of thing.
 *
 * Other than by its bits is changed what would lead the digest out of the memory: lengths, which
 * become one less, and pointers, behind which the bits are changed.
 */
#include "line_floor.h"
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

struct kind {
    enum thing_kind kind;
    size_t bytes_count;
    const struct range *derived;
    size_t derived_count;
    const struct range *flags; /* bool: of which the lowest bit counts */
    size_t flags_count;
    const struct range *lengths;
    size_t lengths_count;
};
#define RANGES(ranges) ranges, ARRAY_COUNT(ranges)

static const struct range root_derived[] = {LINKS};
static const struct range queue_derived[] = {
    LINKS,
    BETWEEN(queue, store, store_number),
    BETWEEN(queue, kind, line),
    BETWEEN(queue, line, line_number),
    BETWEEN(queue, station, visibility_ms),
    BETWEEN(queue, dead_name, notes),
    FROM(queue, notes), /* looked at by themselves */
};
static const struct range store_derived[] = {LINKS, BETWEEN(store, queue, queue_number),
                                             BETWEEN(store, is_station, slot), FROM(store, slot)};
static const struct range message_derived[] = {LINKS, FIELD(message, aside)};

static const struct range store_flags[] = {FIELD(store, is_station)};
static const struct range line_derived[] = {
    LINKS, BETWEEN(line, name_count, keep_jobs_ms), FIELD(line, stations),
    BETWEEN(line, stations_count, stations), FROM(line, view)};
static const struct range line_lengths[] = {FIELD(line, name_count), FIELD(line, stations_count)};
static const struct range job_derived[] = {LINKS,
                                           BETWEEN(job, line, line_number),
                                           BETWEEN(job, once, request_hash),
                                           BETWEEN(job, key_count, key),
                                           FIELD(job, key),
                                           FIELD(job, tallies_first),
                                           FROM(job, is_shell)};
static const struct range job_flags[] = {FIELD(job, is_lost), FIELD(job, has_once)};
static const struct range job_lengths[] = {FIELD(job, key_count)};
static const struct range split_derived[] = {LINKS, BETWEEN(split, is_lost, within_ms),
                                             FROM(split, is_shell)};
static const struct range split_flags[] = {FIELD(split, is_closed), FIELD(split, is_lost)};
static const struct range session_derived[] = {LINKS, BETWEEN(session, line, line_number),
                                               BETWEEN(session, queue, queue_number),
                                               FROM(session, is_shell)};
/* Targets and countings are looked at by themselves: as many of them as there are. */
static const struct range roll_derived[] = {LINKS,
                                            BETWEEN(roll, hops, chunk),
                                            BETWEEN(roll, index, turn),
                                            BETWEEN(roll, chunks_count, chunks),
                                            FIELD(roll, chunks),
                                            FIELD(roll, targets),
                                            FROM(roll, countings)};
static const struct range roll_lengths[] = {FIELD(roll, chunks_count), FIELD(roll, targets_count),
                                            FIELD(roll, countings_count)};
static const struct range move_derived[] = {LINKS, FROM(move, target)}; /* by itself */
static const struct range move_lengths[] = {FIELD(move, target_count)};
static const struct range piece_derived[] = {BETWEEN(piece, is_dead, queued_ms), FROM(piece, next)};
static const struct range timing_derived[] = {FIELD(timing, heap_index)};
static const struct range piece_flags[] = {FIELD(piece, is_each), FIELD(piece, is_suspect),
                                           FIELD(piece, is_dead)};

/* In the order of enum thing_kind, without the first, which is none. */
static const struct kind kinds[] = {
    {THING_ROOT, sizeof(struct root), RANGES(root_derived), NULL, 0, NULL, 0},
    {THING_QUEUE, sizeof(struct queue), RANGES(queue_derived), NULL, 0, NULL, 0},
    {THING_STORE, sizeof(struct store), RANGES(store_derived), RANGES(store_flags), NULL, 0},
    {THING_MESSAGE, sizeof(struct message), RANGES(message_derived), NULL, 0, NULL, 0},
    {THING_LINE, sizeof(struct line), RANGES(line_derived), NULL, 0, RANGES(line_lengths)},
    {THING_JOB, sizeof(struct job), RANGES(job_derived), RANGES(job_flags), RANGES(job_lengths)},
    {THING_SPLIT, sizeof(struct split), RANGES(split_derived), RANGES(split_flags), NULL, 0},
    {THING_SESSION, sizeof(struct session), RANGES(session_derived), NULL, 0, NULL, 0},
    {THING_ROLL, sizeof(struct roll), RANGES(roll_derived), NULL, 0, RANGES(roll_lengths)},
    {THING_MOVE, sizeof(struct move), RANGES(move_derived), NULL, 0, RANGES(move_lengths)},
    {THING_PIECE, sizeof(struct piece), RANGES(piece_derived), RANGES(piece_flags), NULL, 0},
    {THING_TIMING, sizeof(struct timing), RANGES(timing_derived), NULL, 0, NULL, 0},
};

static bool is_in(const struct range *ranges, size_t count, size_t place) {
    for (size_t i = 0; i < count; i++) {
        if (place >= ranges[i].first && place < ranges[i].end) return true;
    }
    return false;
}

/* Behind the end of a name. */
static bool is_behind_name(const struct kind *kind, const void *memory, size_t place) {
    if (kind->kind == THING_LINE) {
        size_t end = offsetof(struct line, name) + ((const struct line *)memory)->name_count;
        return place >= end && place < offsetof(struct line, name_count);
    }
    if (kind->kind != THING_QUEUE) return false;
    const struct queue *queue = memory;
    size_t name_end = offsetof(struct queue, name) + queue->name_count;
    size_t dead_end = offsetof(struct queue, dead_name) + queue->dead_name_count;
    size_t texts_end = offsetof(struct queue, dead_name) + sizeof queue->dead_name;
    return (place >= name_end && place < offsetof(struct queue, dead_name)) ||
           (place >= dead_end && place < texts_end);
}

/* Bits without a meaning. */
static bool is_free_bit(const struct kind *kind, void *memory, size_t place, int bit) {
    if (is_in(kind->flags, kind->flags_count, place)) return bit != 0;
    if (is_behind_name(kind, memory, place)) return true;
    if (kind->kind == THING_MESSAGE) {
        struct message after = *(struct message *)memory;
        ((char *)&after)[place] ^= (char)(1 << bit);
        return after.unused != ((struct message *)memory)->unused;
    }
    if (kind->kind != THING_TIMING) return false;
    struct timing after = *(struct timing *)memory;
    ((char *)&after)[place] ^= (char)(1 << bit);
    return after.unused != ((struct timing *)memory)->unused;
}

static void expect_change(const struct broker *broker, const uint8_t before[16], const char *what,
                          size_t place, int bit) {
    uint8_t after[16];
    broker_digest(broker, after);
    if (memcmp(before, after, 16) != 0) return;
    fprintf(stderr, "%s: byte %zu, bit %d\n", what, place, bit);
    EXPECT_STRING("the digest did not change", "");
}

/* Bytes that all count. */
static void flip_bytes(const struct broker *broker, const char *what, void *bytes, size_t count) {
    uint8_t before[16];
    char *memory = bytes;
    broker_digest(broker, before);
    for (size_t place = 0; place < count; place++) {
        for (int bit = 0; bit < 8; bit++) {
            memory[place] ^= (char)(1 << bit);
            expect_change(broker, before, what, place, bit);
            memory[place] ^= (char)(1 << bit);
        }
    }
}

static void flip_memory(const struct broker *broker, const struct kind *kind, const char *what,
                        void *thing) {
    char *memory = thing;
    uint8_t before[16];
    uint8_t after[16];
    broker_digest(broker, before);
    for (size_t place = 0; place < kind->bytes_count; place++) {
        if (is_in(kind->derived, kind->derived_count, place)) continue;
        if (is_in(kind->lengths, kind->lengths_count, place)) continue;
        for (int bit = 0; bit < 8; bit++) {
            if (is_free_bit(kind, memory, place, bit)) continue;
            memory[place] ^= (char)(1 << bit);
            expect_change(broker, before, what, place, bit);
            memory[place] ^= (char)(1 << bit);
        }
    }
    for (size_t i = 0; i < kind->lengths_count; i++) {
        char *length = memory + kind->lengths[i].first; /* little-endian */
        EXPECT(*length > 0);
        --*length;
        expect_change(broker, before, what, kind->lengths[i].first, -1);
        ++*length;
    }
    broker_digest(broker, after);
    EXPECT_BYTES(before, after, 16);
}

static void flip_all(const struct broker *broker, const struct kind *kind, uint32_t slot) {
    flip_memory(broker, kind, thing_rows[kind->kind].name,
                pool_at(&broker->pools[kind->kind], slot));
}

/* The last of its kind. */
static void flip_last(const struct broker *broker, const struct kind *kind) {
    const struct pool *pool = &broker->pools[kind->kind];
    EXPECT(pool->count > 0);
    uint32_t last = BROKER_NONE;
    for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pool, slot + 1)) {
        last = slot;
    }
    flip_all(broker, kind, last);
}

/* ---- queues ---- */

/* Names of full length, so that each of their bytes counts. */
static void make_state(struct harness *harness) {
    static char names[2][BROKER_NAME_BYTES_MAX];
    memset(names[0], 'a', sizeof names[0]);
    memset(names[1], 'b', sizeof names[1]);
    struct slice dead = slice_from(names[0], sizeof names[0]);
    struct slice queue = slice_from(names[1], sizeof names[1]);
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = dead}};
    EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    struct queue_note note = {SLICE("Policy"), SLICE("everybody")};
    command.queue = (struct command_queue){.name = queue,
                                           .given = QUEUE_SET_DEAD,
                                           .settings = {.dead_queue = dead, .dead_after = 2},
                                           .notes = &note,
                                           .notes_count = 1};
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
    make_state(&harness); /* the last queue is the one with a dead-letter queue */
    for (size_t i = 0; i < ARRAY_COUNT(kinds) && kinds[i].kind <= THING_MESSAGE; i++) {
        flip_last(harness.broker, &kinds[i]);
    }
    flip_last(harness.broker, &kinds[THING_TIMING - 1]);
    harness_close(&harness);
}

TEST(digest_sees_a_queue_s_notes) {
    struct harness harness;
    uint8_t before[16];
    harness_open(&harness, 1);
    make_state(&harness);
    struct queue *queue = queue_at(harness.broker, 1);
    EXPECT(queue->notes_count > 0);
    flip_bytes(harness.broker, "queue's notes", queue->notes, queue->notes_count);
    broker_digest(harness.broker, before);
    queue->notes_count--;
    expect_change(harness.broker, before, "queue's notes", 0, -1);
    queue->notes_count++;
    harness_close(&harness);
}

/* ---- lines ---- */

/* Dead letters of a queue on their way to another one. */
static void make_move(struct harness *harness) {
    static const struct slice names[] = {{"dead", 4}, {"source", 6}, {"target", 6}};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct command create = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = names[i]}};
        if (i == 1) {
            create.queue.given = QUEUE_SET_DEAD;
            create.queue.settings =
                (struct queue_settings){.dead_queue = names[0], .dead_after = 1};
        }
        EXPECT_INT(harness_submit(harness, &create)->result, BROKER_OK);
    }
    struct command start = {.kind = COMMAND_MOVE_START,
                            .move = {.source = names[0], .target = names[2], .per_second = 7}};
    EXPECT_INT(harness_submit(harness, &start)->result, BROKER_OK);
}

/* A long job with a key; a split, and a roll of which the first hundred have been dealt; most of those
 * have been handled, one was given up once and is in somebody's hands again. */
static void make_lines(struct floor *floor) {
    floor_open(floor);
    uint32_t counter = floor_station(floor, "counter");
    uint32_t kitchen = floor_station(floor, "kitchen");
    uint32_t delivery = floor_join(floor, "delivery", counter, MISSING_PARTIAL);
    floor->stations[kitchen].wip_limit = 2;
    floor_route(floor, counter, kitchen);
    floor_route(floor, kitchen, delivery);
    floor_put(floor);
    struct command start = {.kind = COMMAND_JOB_START,
                            .job_start = {.line = floor->line,
                                          .station = counter,
                                          .body = SLICE("order"),
                                          .key = SLICE("number 7"),
                                          .once = SLICE("once"),
                                          .request_hash = 77}};
    EXPECT_INT(floor_submit(floor, &start)->result, BROKER_OK);
    uint32_t targets[250];
    for (size_t i = 0; i < ARRAY_COUNT(targets); i++) targets[i] = kitchen;
    struct answer_lease lease = floor_lease(floor, counter);
    floor_complete(floor, counter, &lease, targets, ARRAY_COUNT(targets), true);
    EXPECT(floor_deal(floor) > 0);
    for (uint32_t i = 0; i < JOB_HISTORY_EARLY_MAX; i++) floor_pass(floor, kitchen, delivery);
    lease = floor_lease(floor, kitchen);
    floor_attempt(floor, COMMAND_FAIL, kitchen, &lease, "the oven is cold");
    floor_wait(floor, 60000);
    (void)floor_lease(floor, kitchen);
    make_move(&floor->harness);
}

TEST(digest_sees_each_field_of_lines) {
    struct floor floor;
    make_lines(&floor);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        EXPECT_INT(kinds[i].kind, i + 1);
        flip_last(floor.harness.broker, &kinds[i]);
    }
    EXPECT_INT(ARRAY_COUNT(kinds) + 1, THING_KINDS_COUNT);
    floor_close(&floor);
}

/* A message that is in somebody's hands: the last one of a kind need not be. */
TEST(digest_sees_each_message_and_piece_of_lines) {
    struct floor floor;
    make_lines(&floor);
    const struct broker *broker = floor.harness.broker;
    uint32_t leased_count = 0;
    const struct pool *messages = &broker->pools[THING_MESSAGE];
    for (uint32_t slot = pool_next_taken(messages, 0); slot != BROKER_NONE;
         slot = pool_next_taken(messages, slot + 1)) {
        const struct message *message = message_at(broker, slot);
        if (message->place != PLACE_LEASED) continue;
        leased_count++;
        flip_all(broker, &kinds[THING_MESSAGE - 1], slot);
        flip_all(broker, &kinds[THING_PIECE - 1], message_aside(broker, message, THING_PIECE));
    }
    EXPECT_INT(leased_count, 1);
    floor_close(&floor);
}

static void flip_text(const struct broker *broker, const char *what, struct slice *text) {
    uint8_t before[16];
    flip_bytes(broker, what, (void *)(uintptr_t)text->bytes, text->count);
    broker_digest(broker, before);
    EXPECT(text->count > 0);
    text->count--;
    expect_change(broker, before, what, 0, -1);
    text->count++;
}

static void flip_tally(const struct broker *broker, struct tally *tally) {
    uint8_t before[16];
    flip_bytes(broker, "tally's counts", tally->counts, sizeof tally->counts);
    flip_bytes(broker, "tally's first time", &tally->first_ms, sizeof tally->first_ms);
    flip_bytes(broker, "tally's last time", &tally->last_ms, sizeof tally->last_ms);
    flip_bytes(broker, "tally's time of an error", &tally->error_ms, sizeof tally->error_ms);
    flip_bytes(broker, "tally's error", &tally->error, sizeof(struct body_ref));
    EXPECT(tally->error.position != 0 && tally->name_count > 0);
    flip_bytes(broker, "tally's name", tally->name, tally->name_count);
    broker_digest(broker, before);
    tally->name_count--;
    expect_change(broker, before, "tally's name", 0, -1);
    tally->name_count++;
}

/* Settings come first in a station's state. */
static const struct range station_derived[] = {
    {0, offsetof(struct line_station, retention_ms)}, /* texts: by themselves */
    FROM(line_station, hops_max),
    {offsetof(struct line_station_state, dead_queue) + 4, sizeof(struct line_station_state)},
};
static const struct range station_flags[] = {FIELD(line_station, is_result),
                                             FIELD(line_station, in_cycle)};
static const struct kind station_kind = {THING_NONE,
                                         sizeof(struct line_station_state),
                                         RANGES(station_derived),
                                         RANGES(station_flags),
                                         NULL,
                                         0};

/* What stands behind pointers, and lists of which only the first places are taken. */
TEST(digest_sees_what_is_behind_pointers) {
    struct floor floor;
    make_lines(&floor);
    const struct broker *broker = floor.harness.broker;
    struct line *line = line_at(broker, pool_next_taken(&broker->pools[THING_LINE], 0));
    for (uint32_t i = 0; i < line->stations_count; i++) {
        struct line_station *settings = &line->stations[i].settings;
        flip_text(broker, "station's name", &settings->name);
        flip_text(broker, "station's queue", &settings->queue);
        flip_text(broker, "station's dead queue", &settings->dead_queue);
        flip_memory(broker, &station_kind, "station", &line->stations[i]);
    }
    struct job *job = job_at(broker, pool_next_taken(&broker->pools[THING_JOB], 0));
    flip_bytes(broker, "job's key", job->key, job->key_count);
    flip_tally(broker, pool_at(&broker->tallies, job->tallies_first));
    struct move *move = move_at(broker, pool_next_taken(&broker->pools[THING_MOVE], 0));
    flip_bytes(broker, "move's target", move->target, move->target_count);
    struct roll *roll = roll_at(broker, pool_next_taken(&broker->pools[THING_ROLL], 0));
    EXPECT(roll->chunks_count > 0 && roll->targets_count > 0 && roll->countings_count > 0);
    for (uint32_t i = roll->chunk; i < roll->chunks_count; i++) {
        flip_bytes(broker, "roll's chunk", &roll->chunks[i], sizeof(struct body_ref));
    }
    flip_bytes(broker, "roll's targets", roll->targets,
               roll->targets_count * sizeof roll->targets[0]);
    flip_bytes(broker, "roll's countings", roll->countings,
               roll->countings_count * sizeof roll->countings[0]);
    floor_close(&floor);
}

/* ---- the broker itself ---- */

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
