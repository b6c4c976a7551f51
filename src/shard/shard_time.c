/* SPDX-License-Identifier: Apache-2.0 */
/* shard_time.c -- takt's time: what records carry and clients see.
 *
 * It starts at max(newest record, wall clock), so that it never goes back, and runs on the monotonic
 * clock from there. Where the wall clock says something else, takt follows at no more than
 * SLEW_PARTS in a million (0.5 ms a second, 43 s a day): a step of the wall clock, forward or back,
 * moves no deadline at once.
 */
#include "shard/shard_inside.h"

#define NS_PER_MS 1000000ll
#define NS_PER_S 1000000000ll
#define SLEW_PARTS 500ll

static int64_t now_ns(const struct shard *shard) {
    const struct shard_clock *clock = &shard->clock;
    int64_t elapsed = shard_mono_ns(shard) - clock->base_mono.ns;
    if (elapsed < 0) elapsed = 0;
    int64_t slew_max = elapsed / (1000000 / SLEW_PARTS);
    int64_t slew = clock->difference_ns;
    if (slew > slew_max) slew = slew_max;
    if (slew < -slew_max) slew = -slew_max;
    return clock->base_ns + elapsed + slew;
}

static int64_t wall_ns(const struct shard *shard) {
    return shard->env->ops->now_wall(shard->env).ms * NS_PER_MS;
}

void shard_clock_start(struct shard *shard) {
    struct shard_clock *clock = &shard->clock;
    int64_t last_ns = broker_last_time(shard->broker).ms * NS_PER_MS;
    int64_t wall = wall_ns(shard);
    clock->base_mono.ns = shard_mono_ns(shard);
    clock->base_ns = last_ns > wall ? last_ns : wall;
    clock->difference_ns = wall - clock->base_ns;
}

/* The difference is measured once a second: between, time runs on the monotonic clock alone. */
void shard_clock_follow(struct shard *shard) {
    struct shard_clock *clock = &shard->clock;
    int64_t mono = shard_mono_ns(shard);
    if (mono - clock->base_mono.ns < NS_PER_S) return;
    clock->base_ns = now_ns(shard);
    clock->base_mono.ns = mono;
    clock->difference_ns = wall_ns(shard) - clock->base_ns;
}

struct wall_time shard_now(const struct shard *shard) {
    int64_t now = now_ns(shard) / NS_PER_MS;
    int64_t last = broker_last_time(shard->broker).ms;
    return (struct wall_time){now > last ? now : last};
}
