/* SPDX-License-Identifier: Apache-2.0 */
/* Random commands on a random line, carried, trimmed and replayed at random points; at the end
 * everything is answered, and nothing may be left. */
#include "broker_steps_lines.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_COUNT 3000u

static void run(uint64_t seed, struct harness *all) {
    struct harness harness;
    harness_open(&harness, seed);
    (void)line_steps_open(&harness);
    for (uint32_t i = 0; i < STEPS_COUNT; i++) {
        harness_run(&harness, line_steps, LINE_STEPS_COUNT);
        if (harness_below(&harness, 20) == 0) broker_check(harness.broker);
        if (harness_below(&harness, 60) == 0) harness_turn(&harness);
    }
    line_steps_drain(&harness);
    harness_turn(&harness);
    for (int i = 0; i < COMMAND_KINDS_COUNT; i++) all->commands_seen[i] += harness.commands_seen[i];
    for (int i = 0; i < RECORD_KINDS_END; i++) all->records_seen[i] += harness.records_seen[i];
    line_steps_close(&harness);
    harness_close(&harness);
}

/* TAKT_TEST_SEED repeats one run. */
TEST(lines_are_the_same_after_a_replay) {
    const char *text = getenv("TAKT_TEST_SEED");
    struct harness all = {0};
    if (text != NULL) {
        run(strtoull(text, NULL, 10), &all);
        return;
    }
    for (uint64_t seed = 1; seed <= 6; seed++) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run(seed, &all);
    }
    /* None of them was left out. */
    for (int kind = COMMAND_LIFE_START; kind <= COMMAND_CARRY; kind++) {
        if (all.commands_seen[kind] == 0) fprintf(stderr, "command %s\n", command_rows[kind].name);
        EXPECT(all.commands_seen[kind] > 0);
    }
    /* Those of move tasks are of plain queues. */
    for (int kind = RECORD_LINE_PUT; kind < RECORD_MOVE_START; kind++) {
        if (all.records_seen[kind] == 0) fprintf(stderr, "record %s\n", record_rows[kind].name);
        EXPECT(all.records_seen[kind] > 0);
    }
}

struct scarce { /* the n-th allocation from now on fails, and all that follow */
    struct allocator system;
    uint32_t left;
};

static void *scarce_resize(void *context, void *memory, size_t bytes_count) {
    struct scarce *scarce = context;
    if (bytes_count > 0 && scarce->left == 0) return NULL;
    if (bytes_count > 0) scarce->left--;
    return scarce->system.resize(scarce->system.context, memory, bytes_count);
}

/* True: there was memory for all of it. */
static bool replay_with(const struct harness *harness, uint32_t allocations) {
    struct scarce scarce = {allocator_system(), allocations};
    struct allocator allocator = {scarce_resize, &scarce};
    struct broker_options options = harness->options;
    options.allocator = &allocator;
    struct broker *broker = broker_open(&options);
    if (broker == NULL) return false;
    broker_replay_begin(broker);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < harness->entries_count; i++) {
        const struct harness_entry *entry = &harness->entries[i];
        rc = broker_apply(broker, entry->lsn, slice_from(entry->record, entry->record_bytes),
                          entry->refs, entry->refs_count);
    }
    char words[256];
    if (rc == 0) rc = broker_replay_end(broker, words, sizeof words);
    EXPECT(rc == 0 || rc == -ENOMEM);
    broker_close(broker);
    return rc == 0;
}

/* Wherever memory runs out during a replay, it is said so. */
TEST(a_line_s_replay_without_memory_is_refused) {
    struct harness harness;
    harness_open(&harness, 3);
    (void)line_steps_open(&harness);
    for (uint32_t i = 0; i < 400; i++) harness_run(&harness, line_steps, LINE_STEPS_COUNT);
    uint32_t allocations = 0;
    while (!replay_with(&harness, allocations)) allocations++;
    EXPECT(allocations > 20);
    line_steps_close(&harness);
    harness_close(&harness);
}
