/* SPDX-License-Identifier: Apache-2.0 */
/* env_timer.c -- timers, to the millisecond: never early, late by less than one when idle. */
#include "env/env_real.h"

#include <errno.h>

struct env_timer {
    uv_timer_t handle; /* first */
    struct env_real *real;
    env_fn *fire;
    void *context;
};

int env_real_timer_open(struct env *env, env_fn *fire, void *context, struct env_timer **out) {
    struct env_real *real = env_real_from(env);
    struct env_timer *timer = env_alloc(env, sizeof *timer);
    if (timer == NULL) return -ENOMEM;
    timer->real = real;
    timer->fire = fire;
    timer->context = context;
    CHECK(uv_timer_init(&real->loop, &timer->handle) == 0); /* cannot fail */
    *out = timer;
    return 0;
}

static void fire_timer(uv_timer_t *handle) {
    struct env_timer *timer = CONTAINER_OF(handle, struct env_timer, handle);
    struct env_real *real = timer->real;
    real->firing = true;
    timer->fire(timer->context); /* may close the timer; its memory stays until the next turn */
    real->firing = false;
}

void env_real_timer_set(struct env *env, struct env_timer *timer, struct mono_time when) {
    struct env_real *real = env_real_from(env);
    /* libuv's time is CLOCK_MONOTONIC too, in whole milliseconds rounded down: rounding `when` up
     * makes early impossible. */
    uint64_t when_ms = when.ns <= 0 ? 0 : (uint64_t)(when.ns - 1) / 1000000 + 1;
    uint64_t now_ms = uv_now(&real->loop);
    uint64_t timeout_ms = when_ms > now_ms ? when_ms - now_ms : 0;
    /* libuv would run a timer of 0 ms that is set inside a timer's callback in the same breath: a
     * timer that always asks for "now" would keep I/O out for ever. */
    if (timeout_ms == 0 && real->firing) timeout_ms = 1;
    CHECK(uv_timer_start(&timer->handle, fire_timer, timeout_ms, 0) == 0);
}

void env_real_timer_stop(struct env *env, struct env_timer *timer) {
    (void)env;
    CHECK(uv_timer_stop(&timer->handle) == 0);
}

static void free_timer(uv_handle_t *handle) {
    struct env_timer *timer = CONTAINER_OF(handle, struct env_timer, handle);
    env_free(&timer->real->env, timer);
}

void env_real_timer_close(struct env *env, struct env_timer *timer) {
    (void)env;
    if (timer == NULL) return;
    uv_close((uv_handle_t *)&timer->handle, free_timer);
}
