/* SPDX-License-Identifier: Apache-2.0 */
/* report.h -- what came of a run. It lies in memory that a parent process shares: a run that breaks a
 * promise, or a CHECK, ends its process.
 */
#ifndef TAKT_SIM_REPORT_H
#define TAKT_SIM_REPORT_H

#include "machine.h"

struct report {
    uint64_t seed;
    uint32_t step;     /* the newest */
    uint32_t lives;    /* starts of takt that went well */
    bool has_ended;    /* as it should */
    uint64_t trace;    /* the same for the same seed */
    uint64_t records;  /* applied, replayed ones not counted */
    uint64_t replayed; /* records */
    uint64_t answers;  /* released to clients and workers */
    uint64_t trimmed;  /* records that a recovery did not need any more */
    uint64_t kits;     /* given to workers */
    uint64_t jobs;     /* started, and all of them have ended */
    int64_t ns;        /* simulated */
    uint64_t mishaps[MISHAPS_COUNT];
    char words[512]; /* what was wrong, or "" */
};

/* The run ends here. */
_Noreturn void report_fail(struct report *report, const char *format, ...) TAKT_PRINTF(2, 3);
#define REPORT_EXPECT(report, condition)                                                           \
    do {                                                                                           \
        if (!(condition)) report_fail(report, "%s (%s:%d)", #condition, __FILE__, __LINE__);       \
    } while (0)

#endif
