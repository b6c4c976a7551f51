/* SPDX-License-Identifier: Apache-2.0 */
/* broker_harness.h -- a broker with a journal in memory: commands go their whole way, the log can be
 * carried, trimmed and replayed at any point.
 *
 * A twin is a second broker, made by replay of what the log still holds. While there is one, each
 * command is decided by both, which must give the same record and answer, and each record is applied
 * to both.
 */
#ifndef TAKT_TEST_BROKER_HARNESS_H
#define TAKT_TEST_BROKER_HARNESS_H

#include "broker/broker_record.h"

struct harness_entry { /* a record in the log */
    uint64_t lsn;
    char *record;
    size_t record_bytes;
    struct body_ref *refs;
    char **bodies;
    uint32_t refs_count;
};

struct harness {
    struct allocator allocator;
    struct broker_options options;
    struct broker *broker;
    struct broker *twin; /* NULL: none */
    struct broker_decision decision;
    struct broker_decision twin_decision;
    struct harness_entry *entries; /* oldest first */
    uint32_t entries_count;
    uint32_t entries_room;
    uint64_t next_lsn;
    uint64_t next_position; /* of a body; bodies of trimmed records are gone */
    int64_t now_ms;
    uint64_t seed;
    uint64_t random;
    const uint8_t *choices; /* NULL: the seed makes them. Else bytes that do, then zeros */
    size_t choices_count;
    uint64_t commands_seen[COMMAND_KINDS_COUNT];
    uint64_t records_seen[RECORD_KINDS_END];
    void *steps; /* what a set of steps remembers */
};

void harness_open(struct harness *harness, uint64_t seed);
void harness_close(struct harness *harness);

uint64_t harness_random(struct harness *harness);
uint32_t harness_below(struct harness *harness, uint32_t end); /* 0 to end - 1 */

/* The whole way of a command: reserve, decide, append, apply. The answer is good until the next. */
const struct broker_answer *harness_submit(struct harness *harness, const struct command *command);
/* The bytes of a body that is still in the log; EXPECTs that it is, and its checksum. */
struct slice harness_body(struct harness *harness, struct body_ref ref);

/* Write up to `max` things again whose home is below lsn. How many were. */
uint32_t harness_carry(struct harness *harness, uint64_t lsn, uint32_t max);
/* Carry all below lsn, then drop every record below it. */
void harness_trim(struct harness *harness, uint64_t lsn);
/* A new broker from the log; EXPECTs that the replay is clean. */
struct broker *harness_replay(struct harness *harness);
/* Replay: the new broker must be equal. It becomes the twin, or (every second time) ends the old one:
 * the twin goes on alone. */
void harness_turn(struct harness *harness);
void harness_expect_equal(const struct broker *a, const struct broker *b);
/* All that is due at harness->now_ms, and all sweeps. */
void harness_settle(struct harness *harness);

/* One random step of a set: weight out of the sum of all. */
struct harness_step {
    const char *name;
    void (*run)(struct harness *harness);
    uint32_t weight;
};
void harness_run(struct harness *harness, const struct harness_step *steps, uint32_t steps_count);

#endif
