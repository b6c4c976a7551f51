/* SPDX-License-Identifier: Apache-2.0 */
#include "attempt.h"

#include "test.h"

#include <stdio.h>

#define SEEDS 12u

/* Every promise holds with these seeds, whatever breaks. */
TEST(sim_fixed_seeds_keep_every_promise) {
    uint64_t mishaps[MISHAPS_COUNT] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_options options = {.seed = seed};
        struct report report;
        if (!attempt(&options, &report)) {
            printf("seed %llu, step %u\n", (unsigned long long)seed, report.step);
            EXPECT_STRING(report.words, "");
        }
        for (uint32_t i = 0; i < MISHAPS_COUNT; i++) mishaps[i] += report.mishaps[i];
    }
    EXPECT(mishaps[MISHAP_CRASH] > SEEDS && mishaps[MISHAP_CRASH_STARTING] > 0);
}

/* The same seed is the same run, to the last bit of the disk; another seed is another run. */
TEST(sim_repeats_itself) {
    struct report first;
    struct report second;
    EXPECT(attempt(&(struct sim_options){.seed = 5}, &first));
    EXPECT(attempt(&(struct sim_options){.seed = 5}, &second));
    EXPECT(first.trace == second.trace && first.records == second.records && first.trace != 0);
    EXPECT(attempt(&(struct sim_options){.seed = 6}, &second));
    EXPECT(first.trace != second.trace);
}

/* Mistakes of three kinds are found: the simulator would notice if takt made them. */
TEST(sim_finds_mistakes) {
    static const enum fault faults[] = {FAULT_DIRECTORY_UNSYNCED, FAULT_ANSWER_EARLY,
                                        FAULT_NONCE_REUSED, FAULT_CARRY_DELAYED_LOST};
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        bool is_found = false;
        for (uint64_t seed = 1; seed <= SEEDS && !is_found; seed++) {
            struct sim_options options = {.seed = seed, .fault = faults[i]};
            struct report report;
            is_found = !attempt(&options, &report);
        }
        EXPECT_STRING(is_found ? "" : fault_name(faults[i]), "");
    }
}

/* A failing run tells the fewest steps that show it. */
TEST(sim_shortens_a_failing_run) {
    struct report report = {0};
    struct sim_options options = {.fault = FAULT_SEND_CUT};
    do options.seed++;
    while (attempt(&options, &report) && options.seed < SEEDS);
    EXPECT(report.words[0] != '\0');
    uint32_t steps = attempt_shorten(&options, &report);
    EXPECT(steps > 0 && report.words[0] != '\0');
    options.steps_max = steps - 1;
    EXPECT(steps == 1 || attempt(&options, &report));
}
