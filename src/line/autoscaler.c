/* SPDX-License-Identifier: Apache-2.0 */
#include "line/autoscaler.h"

#include "base/check.h"

uint32_t autoscaler_wanted(const struct autoscaler_input *input) {
    CHECK(input->concurrency > 0 && input->workers_min <= input->workers_max);

    /* Neither the sum nor the rounding up may overflow: a count can be anything. */
    uint64_t busy = input->in_flight_count / input->concurrency;
    uint64_t waiting = input->visible_count / input->concurrency;
    uint64_t rest =
        input->in_flight_count % input->concurrency + input->visible_count % input->concurrency;
    uint64_t wanted = busy + waiting + (rest + input->concurrency - 1) / input->concurrency;
    if (wanted < input->workers_min) return input->workers_min;
    if (wanted > input->workers_max) return input->workers_max;
    return (uint32_t)wanted;
}
