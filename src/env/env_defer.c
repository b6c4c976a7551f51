/* SPDX-License-Identifier: Apache-2.0 */
/* env_defer.c -- what runs at the end of a turn of the loop.
 *
 * A turn of libuv: timers, idle handles, wait for I/O and run its callbacks, check handles. What is
 * deferred runs in a check handle. Meanwhile an idle handle is active, which makes the wait end at
 * once: something deferred outside of I/O callbacks, or by something deferred, is not kept waiting.
 */
#include "env/env_real.h"

#include <errno.h>
#include <string.h>

#define DEFERRED_CAPACITY_FIRST 64u

static void do_nothing(uv_idle_t *idle) {
    (void)idle;
}

static void run_deferred(struct env_real *real) {
    /* Only those that are here now: what they defer runs in the next turn, after its I/O. */
    uint32_t count = real->deferred_count;
    for (uint32_t i = 0; i < count; i++) {
        struct env_deferred deferred = real->deferred[i]; /* a copy: the array may move */
        deferred.fn(deferred.context);
    }
    real->deferred_count -= count;
    if (real->deferred_count == 0) {
        CHECK(uv_idle_stop(&real->no_wait) == 0);
        return;
    }
    memmove(real->deferred, real->deferred + count,
            real->deferred_count * sizeof real->deferred[0]);
}

static void end_turn(uv_check_t *check) {
    struct env_real *real = CONTAINER_OF(check, struct env_real, turn_end);
    run_deferred(real);
    env_turn_end(real);
}

void env_defer_open(struct env_real *real) {
    CHECK(uv_check_init(&real->loop, &real->turn_end) == 0); /* these cannot fail */
    CHECK(uv_check_start(&real->turn_end, end_turn) == 0);
    uv_unref((uv_handle_t *)&real->turn_end); /* alone, it is no reason to go on */
    CHECK(uv_idle_init(&real->loop, &real->no_wait) == 0);
}

void env_defer_close(struct env_real *real) {
    real->deferred_count = 0;
    uv_close((uv_handle_t *)&real->turn_end, NULL);
    uv_close((uv_handle_t *)&real->no_wait, NULL);
}

int env_real_defer(struct env *env, env_fn *fn, void *context) {
    struct env_real *real = env_real_from(env);
    if (real->deferred_count == real->deferred_capacity) {
        uint32_t capacity = real->deferred_capacity * 2;
        if (capacity == 0) capacity = DEFERRED_CAPACITY_FIRST;
        if (capacity > ENV_DEFERRED_MAX) return -ENOBUFS;
        struct env_deferred *deferred = allocator_resize_array(&env->allocator, real->deferred,
                                                               capacity, sizeof real->deferred[0]);
        if (deferred == NULL) return -ENOMEM;
        real->deferred = deferred;
        real->deferred_capacity = capacity;
    }
    real->deferred[real->deferred_count++] = (struct env_deferred){fn, context};
    CHECK(uv_idle_start(&real->no_wait, do_nothing) == 0); /* harmless when it is active */
    return 0;
}
