/* SPDX-License-Identifier: Apache-2.0 */
#include "line/autoscaler.h"

#include "base/check.h"
#include "test.h"

/* Enough workers for what waits and what is in flight, rounded up, within the bounds. */
TEST(autoscaler_counts_what_waits_and_runs) {
    static const struct {
        uint32_t min, max, concurrency;
        uint64_t visible, in_flight;
        uint32_t wanted;
    } cases[] = {
        {0, 8, 1, 0, 0, 0}, {0, 8, 1, 1, 0, 1}, {0, 8, 1, 3, 2, 5},  {0, 8, 1, 100, 0, 8},
        {2, 8, 1, 0, 0, 2}, {4, 4, 1, 0, 0, 4}, {4, 4, 1, 99, 9, 4}, {0, 8, 4, 1, 0, 1},
        {0, 8, 4, 4, 0, 1}, {0, 8, 4, 5, 0, 2}, {0, 8, 4, 3, 3, 2},  {0, 8, 4, 2, 2, 1},
        {0, 8, 4, 0, 8, 2}, {0, 0, 1, 5, 0, 0}, {1, 1, 64, 1, 1, 1}, {0, 3, 2, 1, 6, 3},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct autoscaler_input input = {
            .workers_min = cases[i].min,
            .workers_max = cases[i].max,
            .concurrency = cases[i].concurrency,
            .visible_count = cases[i].visible,
            .in_flight_count = cases[i].in_flight,
        };
        EXPECT_INT(autoscaler_wanted(&input), cases[i].wanted);
    }
}

/* Counts near the end of their type want the most that is allowed, not few. */
TEST(autoscaler_does_not_overflow) {
    struct autoscaler_input input = {.workers_max = UINT32_MAX,
                                     .concurrency = 3,
                                     .visible_count = UINT64_MAX,
                                     .in_flight_count = UINT64_MAX};
    EXPECT_INT(autoscaler_wanted(&input), UINT32_MAX);
    input.concurrency = UINT32_MAX;
    input.visible_count = input.in_flight_count = 1;
    EXPECT_INT(autoscaler_wanted(&input), 1);
}
