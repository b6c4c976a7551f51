/* SPDX-License-Identifier: Apache-2.0 */
/* env_real.c -- opens and closes the real env, runs its loop, and hears its signals.
 *
 * One libuv loop. The parts: env_clock.c, env_directory.c, env_file.c (calls that block),
 * env_async.c (calls on pool threads), env_timer.c, env_defer.c.
 */
#include "env/env_real.h"

#include <errno.h>
#include <signal.h>

static const struct env_ops real_ops = {
    .now_wall = env_real_now_wall,
    .now_mono = env_real_now_mono,
    .random = env_real_random,
    .open_directory = env_real_open_directory,
    .list = env_real_list,
    .rename = env_real_rename,
    .unlink = env_real_unlink,
    .sync_directory = env_real_sync_directory,
    .free_bytes = env_real_free_bytes,
    .open = env_real_open,
    .close = env_real_close,
    .lock = env_real_lock,
    .size = env_real_size,
    .truncate = env_real_truncate,
    .read = env_real_read,
    .write = env_real_write,
    .sync = env_real_sync,
    .write_and_sync = env_real_write_and_sync,
    .read_async = env_real_read_async,
    .read_cached = env_real_read_cached,
    .fill = env_real_fill,
    .timer_open = env_real_timer_open,
    .timer_set = env_real_timer_set,
    .timer_stop = env_real_timer_stop,
    .timer_close = env_real_timer_close,
    .defer = env_real_defer,
};

struct env_real *env_real_from(struct env *env) {
    CHECK(env->ops == &real_ops);
    return CONTAINER_OF(env, struct env_real, env);
}

struct env_real *env_real_if(struct env *env) {
    return env->ops == &real_ops ? CONTAINER_OF(env, struct env_real, env) : NULL;
}

int env_open_real(struct env **out) {
    struct allocator allocator = allocator_system();
    struct env_real *real = allocator_take(&allocator, sizeof *real);
    if (real == NULL) return -ENOMEM;
    real->env = (struct env){.ops = &real_ops, .allocator = allocator};

    int rc = env_async_open(real);
    if (rc < 0) goto fail;
    rc = uv_loop_init(&real->loop);
    if (rc < 0) goto fail;
    CHECK(uv_loop_configure(&real->loop, UV_METRICS_IDLE_TIME) == 0); /* libuv 1.39 and later */
    env_defer_open(real);
    list_init(&real->processes);
    /* A peer that goes away is an error of one write, not the end of takt. */
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    /* A file at its limit (`ulimit -f`) likewise: the journal then fails in words. */
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    /* They mean nothing to takt, and by default they would end it. */
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR && signal(SIGUSR2, SIG_IGN) != SIG_ERR);
    *out = &real->env;
    return 0;

fail:
    env_free(&real->env, real->reserve);
    env_free(&real->env, real);
    return rc;
}

static void check_is_closing(uv_handle_t *handle, void *context) {
    (void)context;
    CHECK(uv_is_closing(handle)); /* somebody has not closed what was opened */
}

void env_close_real(struct env *env) {
    struct env_real *real = env_real_from(env);
    env_defer_close(real);
    if (real->signals_open) {
        for (size_t i = 0; i < ENV_SIGNALS; i++) uv_close((uv_handle_t *)&real->signals[i], NULL);
    }
    process_adopt_close(real);
    uv_walk(&real->loop, check_is_closing, NULL);
    uv_run(&real->loop, UV_RUN_DEFAULT); /* what is left to close, and what pool threads still do */
    CHECK(real->jobs_count == 0);
    CHECK(uv_loop_close(&real->loop) == 0);
    env_async_close(real);
    struct allocator allocator = env->allocator; /* of which `real` is a piece */
    allocator_give_back(&allocator, real->deferred);
    allocator_give_back(&allocator, real);
}

void env_run_real(struct env *env) {
    env_turn_begin(env_real_from(env));
    uv_run(&env_real_from(env)->loop, UV_RUN_DEFAULT);
}

void env_stop_real(struct env *env) {
    uv_stop(&env_real_from(env)->loop);
}

void *env_loop_real(struct env *env) {
    return &env_real_from(env)->loop;
}

static void hear_signal(uv_signal_t *handle, int signal_number) {
    struct env_real *real = handle->data;
    real->on_signal(real->on_signal_context, signal_number);
}

int env_on_signal_real(struct env *env, env_signal_fn *fn, void *context) {
    static const int numbers[ENV_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    struct env_real *real = env_real_from(env);
    real->on_signal = fn;
    real->on_signal_context = context;
    if (real->signals_open) return 0; /* from now on the new one is called */

    size_t opened = 0;
    int rc = 0;
    for (; opened < ENV_SIGNALS && rc == 0; opened++) {
        uv_signal_t *handle = &real->signals[opened];
        rc = uv_signal_init(&real->loop, handle);
        if (rc < 0) break;
        handle->data = real;
        rc = uv_signal_start(handle, hear_signal, numbers[opened]);
        uv_unref((uv_handle_t *)handle); /* alone, it is no reason to go on */
    }
    real->signals_open = rc == 0;
    if (rc < 0) {
        for (size_t i = 0; i < opened; i++) uv_close((uv_handle_t *)&real->signals[i], NULL);
    }
    return rc;
}
