/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_env.h"

#include "base/list.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFERRED_MAX 4096u
#define STEPS_MAX 100000u
#define NS_PER_MS 1000000ll

struct env_timer {
    struct list_link link;
    env_fn *fire;
    void *context;
    int64_t when_ns; /* INT64_MAX: not set */
};

struct fake_env {
    struct env env; /* first */
    int64_t mono_ns;
    int64_t wall_ns;
    uint64_t random; /* the same in every run */
    struct list_link timers;
    struct {
        env_fn *fn;
        void *context;
    } deferred[DEFERRED_MAX];
    uint32_t deferred_count;
};

static struct fake_env *fake_from(struct env *env) {
    return CONTAINER_OF(env, struct fake_env, env);
}

static struct wall_time now_wall(struct env *env) {
    return (struct wall_time){fake_from(env)->wall_ns / NS_PER_MS};
}

static struct mono_time now_mono(struct env *env) {
    return (struct mono_time){fake_from(env)->mono_ns};
}

static void fill_random(struct env *env, void *bytes, size_t count) {
    struct fake_env *fake = fake_from(env);
    unsigned char *out = bytes;
    for (size_t i = 0; i < count; i++) {
        fake->random = fake->random * 6364136223846793005u + 1442695040888963407u;
        out[i] = (unsigned char)(fake->random >> 56);
    }
}

static int timer_open(struct env *env, env_fn *fire, void *context, struct env_timer **out) {
    struct env_timer *timer = env_alloc(env, sizeof *timer);
    if (timer == NULL) return -ENOMEM;
    timer->fire = fire;
    timer->context = context;
    timer->when_ns = INT64_MAX;
    list_append(&fake_from(env)->timers, &timer->link);
    *out = timer;
    return 0;
}

static void timer_set(struct env *env, struct env_timer *timer, struct mono_time when) {
    (void)env;
    timer->when_ns = when.ns;
}

static void timer_stop(struct env *env, struct env_timer *timer) {
    (void)env;
    timer->when_ns = INT64_MAX;
}

static void timer_close(struct env *env, struct env_timer *timer) {
    if (timer == NULL) return;
    list_remove(&timer->link);
    env_free(env, timer);
}

static int defer(struct env *env, env_fn *fn, void *context) {
    struct fake_env *fake = fake_from(env);
    if (fake->deferred_count == DEFERRED_MAX) return -ENOBUFS;
    fake->deferred[fake->deferred_count].fn = fn;
    fake->deferred[fake->deferred_count++].context = context;
    return 0;
}

static const struct env_ops fake_ops = {
    .now_wall = now_wall,
    .now_mono = now_mono,
    .random = fill_random,
    .timer_open = timer_open,
    .timer_set = timer_set,
    .timer_stop = timer_stop,
    .timer_close = timer_close,
    .defer = defer,
};

struct env *fake_env_open(void) {
    struct fake_env *fake = calloc(1, sizeof *fake);
    EXPECT(fake != NULL);
    fake->env = (struct env){&fake_ops, allocator_system()};
    fake->mono_ns = 1000 * NS_PER_MS;
    fake->wall_ns = 1700000000000ll * NS_PER_MS;
    list_init(&fake->timers);
    return &fake->env;
}

void fake_env_close(struct env *env) {
    EXPECT(list_is_empty(&fake_from(env)->timers));
    free(fake_from(env));
}

static struct env_timer *earliest(struct fake_env *fake) {
    struct env_timer *found = NULL;
    struct list_link *head = &fake->timers;
    for (struct list_link *link = head->next; link != head; link = link->next) {
        struct env_timer *timer = CONTAINER_OF(link, struct env_timer, link);
        if (found == NULL || timer->when_ns < found->when_ns) found = timer;
    }
    return found;
}

int64_t fake_env_next_ns(struct env *env) {
    struct env_timer *timer = earliest(fake_from(env));
    return timer == NULL ? INT64_MAX : timer->when_ns;
}

static void run_deferred(struct fake_env *fake) {
    uint32_t count = fake->deferred_count;
    for (uint32_t i = 0; i < count; i++) fake->deferred[i].fn(fake->deferred[i].context);
    fake->deferred_count -= count;
    memmove(fake->deferred, fake->deferred + count,
            fake->deferred_count * sizeof fake->deferred[0]);
}

uint64_t fake_env_run(struct env *env) {
    struct fake_env *fake = fake_from(env);
    uint64_t fired = 0;
    for (uint32_t step = 0; step < STEPS_MAX; step++) {
        struct env_timer *timer = earliest(fake);
        bool is_due = timer != NULL && timer->when_ns <= fake->mono_ns;
        if (!is_due && fake->deferred_count == 0) return fired;
        run_deferred(fake);
        if (!is_due) continue;
        timer->when_ns = INT64_MAX;
        timer->fire(timer->context);
        fired++;
    }
    EXPECT(false); /* it never ends */
    return fired;
}

void fake_env_jump_ns(struct env *env, int64_t ns) {
    fake_from(env)->mono_ns += ns;
    fake_from(env)->wall_ns += ns;
}

void fake_env_pass_ms(struct env *env, int64_t ms) {
    for (int64_t i = 0; i < ms; i++) {
        fake_env_jump_ns(env, NS_PER_MS);
        (void)fake_env_run(env);
    }
}

void fake_env_set_wall_ms(struct env *env, int64_t ms) {
    fake_from(env)->wall_ns = ms * NS_PER_MS;
}
