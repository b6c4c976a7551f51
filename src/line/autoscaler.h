/* SPDX-License-Identifier: Apache-2.0 */
/* autoscaler.h -- how many workers a station should have. A pure function: no clock, no process. */
#ifndef TAKT_LINE_AUTOSCALER_H
#define TAKT_LINE_AUTOSCALER_H

#include <stdint.h>

struct autoscaler_input {
    uint32_t workers_min;
    uint32_t workers_max;
    uint32_t concurrency;   /* messages one worker handles at once */
    uint64_t visible_count; /* waiting at the station */
    uint64_t in_flight_count;
    uint32_t workers_now; /* starting, idle and busy */
    uint32_t workers_busy;
};

/* The wanted number: enough workers for all that waits or is in flight, within the bounds. What is
 * above it leaves only when idle (the caller's part). */
uint32_t autoscaler_wanted(const struct autoscaler_input *input);

#endif
