/* SPDX-License-Identifier: Apache-2.0 */
/* env_fail.c -- counts each call, fails the one that was asked for, passes the others on. */
#include "env/env_fail.h"

#include <errno.h>

struct plan {
    uint32_t calls_count;
    uint32_t left; /* calls until the failure, it included; 0: none is planned */
    int error;
    bool and_after;
};

struct env_fail {
    struct env env; /* first */
    struct env *inner;
    struct plan plans[ENV_FAIL_CALLS];
    uint32_t allocations_count; /* not yet freed */
};

/* The `done` of a call that failed, on its way. */
struct failure {
    struct env *inner;
    env_io_fn *done;
    void *context;
    int error;
};

static struct env_fail *fail_from(struct env *env) {
    return CONTAINER_OF(env, struct env_fail, env);
}

static struct env *inner_of(struct env *env) {
    return fail_from(env)->inner;
}

static const struct env_ops *ops_of(struct env *env) {
    return inner_of(env)->ops;
}

/* 0, or the error that this call is to give. */
static int step(struct env_fail *fail, enum env_fail_call call) {
    struct plan *plan = &fail->plans[call];
    plan->calls_count++;
    if (plan->left == 0) return 0;
    if (plan->left > 1) {
        plan->left--;
        return 0;
    }
    if (!plan->and_after) plan->left = 0;
    return plan->error;
}

static void *fail_resize(void *context, void *memory, size_t bytes_count) {
    struct env_fail *fail = context;
    const struct allocator *inner = &fail->inner->allocator;
    if (bytes_count > 0 && step(fail, ENV_FAIL_ALLOCATE) < 0) return NULL;
    void *result = inner->resize(inner->context, memory, bytes_count);
    if (memory == NULL && result != NULL) fail->allocations_count++;
    if (memory != NULL && bytes_count == 0) fail->allocations_count--;
    return result;
}

static struct wall_time fail_now_wall(struct env *env) {
    return ops_of(env)->now_wall(inner_of(env));
}

static struct mono_time fail_now_mono(struct env *env) {
    return ops_of(env)->now_mono(inner_of(env));
}

static void fail_random(struct env *env, void *bytes, size_t count) {
    ops_of(env)->random(inner_of(env), bytes, count);
}

static int fail_open_directory(struct env *env, const char *path, bool create,
                               struct env_file **out) {
    int rc = step(fail_from(env), ENV_FAIL_OPEN_DIRECTORY);
    return rc < 0 ? rc : ops_of(env)->open_directory(inner_of(env), path, create, out);
}

static int fail_list(struct env *env, struct env_file *directory, env_name_fn *each,
                     void *context) {
    int rc = step(fail_from(env), ENV_FAIL_LIST);
    return rc < 0 ? rc : ops_of(env)->list(inner_of(env), directory, each, context);
}

static int fail_rename(struct env *env, struct env_file *directory, const char *from,
                       const char *to) {
    int rc = step(fail_from(env), ENV_FAIL_RENAME);
    return rc < 0 ? rc : ops_of(env)->rename(inner_of(env), directory, from, to);
}

static int fail_unlink(struct env *env, struct env_file *directory, const char *name) {
    int rc = step(fail_from(env), ENV_FAIL_UNLINK);
    return rc < 0 ? rc : ops_of(env)->unlink(inner_of(env), directory, name);
}

static int fail_sync_directory(struct env *env, struct env_file *directory) {
    int rc = step(fail_from(env), ENV_FAIL_SYNC_DIRECTORY);
    return rc < 0 ? rc : ops_of(env)->sync_directory(inner_of(env), directory);
}

static int fail_free_bytes(struct env *env, struct env_file *directory, uint64_t *out) {
    int rc = step(fail_from(env), ENV_FAIL_FREE_BYTES);
    return rc < 0 ? rc : ops_of(env)->free_bytes(inner_of(env), directory, out);
}

static int fail_open(struct env *env, struct env_file *directory, const char *name, bool create,
                     struct env_file **out) {
    int rc = step(fail_from(env), ENV_FAIL_OPEN);
    return rc < 0 ? rc : ops_of(env)->open(inner_of(env), directory, name, create, out);
}

static void fail_close(struct env *env, struct env_file *file) {
    ops_of(env)->close(inner_of(env), file);
}

static int fail_lock(struct env *env, struct env_file *file) {
    int rc = step(fail_from(env), ENV_FAIL_LOCK);
    return rc < 0 ? rc : ops_of(env)->lock(inner_of(env), file);
}

static int fail_size(struct env *env, struct env_file *file, uint64_t *out) {
    int rc = step(fail_from(env), ENV_FAIL_SIZE);
    return rc < 0 ? rc : ops_of(env)->size(inner_of(env), file, out);
}

static int fail_truncate(struct env *env, struct env_file *file, uint64_t bytes_count) {
    int rc = step(fail_from(env), ENV_FAIL_TRUNCATE);
    return rc < 0 ? rc : ops_of(env)->truncate(inner_of(env), file, bytes_count);
}

static int64_t fail_read(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                         size_t count) {
    int rc = step(fail_from(env), ENV_FAIL_READ);
    return rc < 0 ? rc : ops_of(env)->read(inner_of(env), file, offset, bytes, count);
}

static int fail_write(struct env *env, struct env_file *file, uint64_t offset, const void *bytes,
                      size_t count) {
    int rc = step(fail_from(env), ENV_FAIL_WRITE);
    return rc < 0 ? rc : ops_of(env)->write(inner_of(env), file, offset, bytes, count);
}

static int fail_sync(struct env *env, struct env_file *file) {
    int rc = step(fail_from(env), ENV_FAIL_SYNC);
    return rc < 0 ? rc : ops_of(env)->sync(inner_of(env), file);
}

static void deliver(void *context) {
    struct failure failure = *(struct failure *)context;
    env_free(failure.inner, context);
    failure.done(failure.context, failure.error);
}

/* True if the call is to fail; then `done` will hear of it. */
static bool fail_later(struct env *env, enum env_fail_call call, env_io_fn *done, void *context) {
    int rc = step(fail_from(env), call);
    if (rc == 0) return false;
    struct env *inner = inner_of(env);
    struct failure *failure = env_alloc(inner, sizeof *failure);
    CHECK(failure != NULL); /* a test whose machine is out of memory says nothing */
    *failure = (struct failure){inner, done, context, rc};
    CHECK(inner->ops->defer(inner, deliver, failure) == 0);
    return true;
}

static void fail_write_and_sync(struct env *env, struct env_file *file, uint64_t offset,
                                const struct env_bytes *pieces, size_t pieces_count, bool sync,
                                env_io_fn *done, void *context) {
    if (fail_later(env, ENV_FAIL_WRITE_AND_SYNC, done, context)) return;
    ops_of(env)->write_and_sync(inner_of(env), file, offset, pieces, pieces_count, sync, done,
                                context);
}

static void fail_read_async(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                            size_t count, env_io_fn *done, void *context) {
    if (fail_later(env, ENV_FAIL_READ_ASYNC, done, context)) return;
    ops_of(env)->read_async(inner_of(env), file, offset, bytes, count, done, context);
}

static int64_t fail_read_cached(struct env *env, struct env_file *file, uint64_t offset,
                                void *bytes, size_t count) {
    int rc = step(fail_from(env), ENV_FAIL_READ_CACHED);
    return rc < 0 ? rc : ops_of(env)->read_cached(inner_of(env), file, offset, bytes, count);
}

static void fail_fill(struct env *env, struct env_file *file, uint64_t offset, uint64_t bytes_count,
                      env_io_fn *done, void *context) {
    if (fail_later(env, ENV_FAIL_FILL, done, context)) return;
    ops_of(env)->fill(inner_of(env), file, offset, bytes_count, done, context);
}

static int fail_timer_open(struct env *env, env_fn *fire, void *context, struct env_timer **out) {
    int rc = step(fail_from(env), ENV_FAIL_TIMER_OPEN);
    return rc < 0 ? rc : ops_of(env)->timer_open(inner_of(env), fire, context, out);
}

static void fail_timer_set(struct env *env, struct env_timer *timer, struct mono_time when) {
    ops_of(env)->timer_set(inner_of(env), timer, when);
}

static void fail_timer_stop(struct env *env, struct env_timer *timer) {
    ops_of(env)->timer_stop(inner_of(env), timer);
}

static void fail_timer_close(struct env *env, struct env_timer *timer) {
    ops_of(env)->timer_close(inner_of(env), timer);
}

static int fail_defer(struct env *env, env_fn *fn, void *context) {
    int rc = step(fail_from(env), ENV_FAIL_DEFER);
    return rc < 0 ? rc : ops_of(env)->defer(inner_of(env), fn, context);
}

static const struct env_ops fail_ops = {
    .now_wall = fail_now_wall,
    .now_mono = fail_now_mono,
    .random = fail_random,
    .open_directory = fail_open_directory,
    .list = fail_list,
    .rename = fail_rename,
    .unlink = fail_unlink,
    .sync_directory = fail_sync_directory,
    .free_bytes = fail_free_bytes,
    .open = fail_open,
    .close = fail_close,
    .lock = fail_lock,
    .size = fail_size,
    .truncate = fail_truncate,
    .read = fail_read,
    .write = fail_write,
    .sync = fail_sync,
    .write_and_sync = fail_write_and_sync,
    .read_async = fail_read_async,
    .read_cached = fail_read_cached,
    .fill = fail_fill,
    .timer_open = fail_timer_open,
    .timer_set = fail_timer_set,
    .timer_stop = fail_timer_stop,
    .timer_close = fail_timer_close,
    .defer = fail_defer,
};

int env_fail_open(struct env *inner, struct env **out) {
    struct env_fail *fail = env_alloc(inner, sizeof *fail);
    if (fail == NULL) return -ENOMEM;
    fail->inner = inner;
    fail->env = (struct env){.ops = &fail_ops, .allocator = {fail_resize, fail}};
    *out = &fail->env;
    return 0;
}

void env_fail_close(struct env *env) {
    if (env == NULL) return;
    struct env_fail *fail = fail_from(env);
    CHECK(fail->allocations_count == 0);
    env_free(fail->inner, fail);
}

void env_fail_set(struct env *env, enum env_fail_call call, uint32_t nth, int error,
                  bool and_after) {
    CHECK(env->ops == &fail_ops && call < ENV_FAIL_CALLS && error < 0);
    struct plan *plan = &fail_from(env)->plans[call];
    plan->left = nth;
    plan->error = error;
    plan->and_after = and_after;
}

uint32_t env_fail_calls_count(const struct env *env, enum env_fail_call call) {
    CHECK(env->ops == &fail_ops && call < ENV_FAIL_CALLS);
    return ((const struct env_fail *)env)->plans[call].calls_count;
}
