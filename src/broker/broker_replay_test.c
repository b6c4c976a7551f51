/* SPDX-License-Identifier: Apache-2.0 */
/* Random commands, and at random points what the log still holds is replayed: the state after a
 * crash must be the state before it, and go on as that one would have. */
#include "broker_steps_queues.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#define STEPS_COUNT 6000u

static void run_queues(uint64_t seed) {
    struct harness harness;
    harness_open(&harness, seed);
    (void)queue_steps_open(&harness);
    for (uint32_t i = 0; i < STEPS_COUNT; i++) {
        harness_run(&harness, queue_steps, QUEUE_STEPS_COUNT);
        if (harness_below(&harness, 60) == 0) harness_turn(&harness);
        if (harness_below(&harness, 30) == 0) queue_steps_compare(&harness);
    }
    /* None of them was left out. */
    for (int kind = COMMAND_QUEUE_CREATE; kind <= COMMAND_ADVANCE; kind++) {
        EXPECT(harness.commands_seen[kind] > 0);
    }
    for (int kind = RECORD_QUEUE_CREATE; kind <= RECORD_CARRY; kind++) {
        EXPECT(harness.records_seen[kind] > 0);
    }
    for (int kind = RECORD_MOVE_START; kind <= RECORD_MOVE_CANCEL; kind++) {
        EXPECT(harness.records_seen[kind] > 0);
    }
    queue_steps_close(&harness);
    harness_close(&harness);
}

/* TAKT_TEST_SEED repeats one run. */
TEST(queues_are_the_same_after_a_replay) {
    const char *text = getenv("TAKT_TEST_SEED");
    if (text != NULL) {
        run_queues(strtoull(text, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 5; seed++) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        run_queues(seed);
    }
}
