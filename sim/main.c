/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- takt-sim: runs seeds; tells what happened in them; looks for mistakes made on purpose. */
#include "attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEDS_PER_FAULT 2000u
#define SECONDS_PER_FAULT 60

struct totals {
    uint64_t seeds;
    uint64_t steps;
    uint64_t lives;
    uint64_t records;
    uint64_t replayed;
    uint64_t trimmed;
    uint64_t answers;
    uint64_t kits;
    uint64_t jobs;
    int64_t ns;
    uint64_t mishaps[MISHAPS_COUNT];
};

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(struct totals *totals, const struct report *report) {
    totals->seeds++;
    totals->steps += report->step;
    totals->lives += report->lives;
    totals->records += report->records;
    totals->replayed += report->replayed;
    totals->trimmed += report->trimmed;
    totals->answers += report->answers;
    totals->kits += report->kits;
    totals->jobs += report->jobs;
    totals->ns += report->ns;
    for (uint32_t i = 0; i < MISHAPS_COUNT; i++) totals->mishaps[i] += report->mishaps[i];
}

static void print(const struct totals *totals, double seconds) {
    printf("%llu seeds in %.0f s: %.1f h simulated, %llu steps, %llu lives, all promises kept\n",
           (unsigned long long)totals->seeds, seconds, (double)totals->ns / 3.6e12,
           (unsigned long long)totals->steps, (unsigned long long)totals->lives);
    printf("%llu records, %llu replayed, %llu trimmed, %llu answers, %llu jobs, %llu kits\n",
           (unsigned long long)totals->records, (unsigned long long)totals->replayed,
           (unsigned long long)totals->trimmed, (unsigned long long)totals->answers,
           (unsigned long long)totals->jobs, (unsigned long long)totals->kits);
    for (uint32_t i = 0; i < MISHAPS_COUNT; i++) {
        printf("  %-26s %llu\n", mishap_words((enum mishap)i),
               (unsigned long long)totals->mishaps[i]);
    }
}

static int say_failure(const struct sim_options *options, struct report *report) {
    printf("seed %llu fails at step %u: %s\n", (unsigned long long)options->seed, report->step,
           report->words);
    uint32_t steps = attempt_shorten(options, report);
    printf("the fewest steps that show it: %u: %s\n", steps, report->words);
    printf("again, with words: build/takt-sim seed %llu %u%s%s\n",
           (unsigned long long)options->seed, steps, options->fault == FAULT_NONE ? "" : " ",
           options->fault == FAULT_NONE ? "" : fault_name(options->fault));
    return 1;
}

static int run_seeds(uint64_t first, double seconds) {
    struct totals totals = {0};
    double begin = now_s();
    for (uint64_t seed = first; now_s() - begin < seconds; seed++) {
        struct sim_options options = {.seed = seed};
        struct report report;
        if (!attempt(&options, &report)) return say_failure(&options, &report);
        add(&totals, &report);
    }
    print(&totals, now_s() - begin);
    return 0;
}

static bool find_fault(enum fault fault) {
    double begin = now_s();
    for (uint64_t seed = 1; seed <= SEEDS_PER_FAULT; seed++) {
        struct sim_options options = {.seed = seed, .fault = fault};
        struct report report;
        if (!attempt(&options, &report)) {
            options.fault = FAULT_NONE;
            struct report clean;
            bool is_clean = attempt(&options, &clean);
            printf("%-22s seed %4llu, %4.1f s, step %3u: %s%s\n", fault_name(fault),
                   (unsigned long long)seed, now_s() - begin, report.step, report.words,
                   is_clean ? "" : " -- BUT FAILS WITHOUT IT, TOO");
            return is_clean;
        }
        if (now_s() - begin > SECONDS_PER_FAULT) break;
    }
    printf("%-22s NOT FOUND: %s\n", fault_name(fault), fault_words(fault));
    return false;
}

static int find_faults(const char *name) {
    uint32_t missed = 0;
    for (uint32_t i = FAULT_NONE + 1; i < FAULTS_COUNT; i++) {
        if (name != NULL && strcmp(name, fault_name((enum fault)i)) != 0) continue;
        missed += !find_fault((enum fault)i);
        (void)fflush(stdout);
    }
    printf("%u of %u faults are not found\n", missed, (unsigned)FAULTS_COUNT - 1);
    return missed > 0;
}

static int run_one(uint64_t seed, uint32_t steps_max, const char *fault) {
    struct sim_options options = {.seed = seed,
                                  .steps_max = steps_max,
                                  .is_told = true,
                                  .fault = fault == NULL ? FAULT_NONE : fault_find(fault)};
    if (options.fault == FAULTS_COUNT) {
        fprintf(stderr, "takt-sim: there is no fault %s\n", fault);
        return 2;
    }
    struct report report;
    bool is_well = attempt(&options, &report);
    printf("seed %llu: %u steps, trace %016llx: %s\n", (unsigned long long)seed, report.step,
           (unsigned long long)report.trace, is_well ? "all promises kept" : report.words);
    return is_well ? 0 : 1;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "run") == 0 && argc <= 4) {
        double seconds = argc > 2 ? strtod(argv[2], NULL) : 60;
        uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) : (uint64_t)time(NULL) * 100000;
        return run_seeds(first, seconds);
    }
    if (strcmp(verb, "faults") == 0 && argc <= 3) return find_faults(argc > 2 ? argv[2] : NULL);
    if (strcmp(verb, "seed") == 0 && argc >= 3 && argc <= 5) {
        return run_one(strtoull(argv[2], NULL, 10),
                       argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0,
                       argc > 4 ? argv[4] : NULL);
    }
    fprintf(stderr, "takt-sim run [SECONDS [FIRST-SEED]]\n"
                    "takt-sim seed SEED [STEPS [FAULT]]\n"
                    "takt-sim faults [FAULT]\n");
    return 2;
}
