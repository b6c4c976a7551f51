/* SPDX-License-Identifier: Apache-2.0 */
/* env_clock.c -- the machine's clocks and its random bytes. */
#include "env/env_real.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

struct wall_time env_real_now_wall(struct env *env) {
    (void)env;
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (struct wall_time){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

struct mono_time env_real_now_mono(struct env *env) {
    (void)env;
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (struct mono_time){(int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
}

void env_real_random(struct env *env, void *bytes, size_t count) {
    (void)env;
    unsigned char *place = bytes;
    while (count > 0) {
        ssize_t taken = getrandom(place, count, 0);
        if (taken < 0 && errno == EINTR) continue;
        CHECK(taken > 0); /* the kernel is not one takt can run on */
        place += taken;
        count -= (size_t)taken;
    }
}
