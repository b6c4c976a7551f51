/* SPDX-License-Identifier: Apache-2.0 */
#include "env/env_fail.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct env *real;
    struct env *env;
    struct env_file *folder;
    struct env_file *file;
    char path[64];
    int done_count;
    int64_t result;
};

static struct fixture fixture_open(void) {
    struct fixture fixture = {.path = "/tmp/takt-fail-test-XXXXXX"};
    CHECK(mkdtemp(fixture.path) != NULL);
    CHECK(env_open_real(&fixture.real) == 0);
    CHECK(env_fail_open(fixture.real, &fixture.env) == 0);
    const struct env_ops *ops = fixture.env->ops;
    CHECK(ops->open_directory(fixture.env, fixture.path, false, &fixture.folder) == 0);
    CHECK(ops->open(fixture.env, fixture.folder, "f", true, &fixture.file) == 0);
    return fixture;
}

static void fixture_close(struct fixture *fixture) {
    const struct env_ops *ops = fixture->env->ops;
    ops->close(fixture->env, fixture->file);
    CHECK(ops->unlink(fixture->env, fixture->folder, "f") == 0);
    ops->close(fixture->env, fixture->folder);
    CHECK(rmdir(fixture->path) == 0);
    env_fail_close(fixture->env);
    env_close_real(fixture->real);
}

static void note_done(void *context, int64_t result) {
    struct fixture *fixture = context;
    fixture->done_count++;
    fixture->result = result;
}

static void nothing(void *context) {
    (void)context;
}

static bool no_name(void *context, const char *name) {
    (void)context;
    (void)name;
    return true;
}

/* The asynchronous ones; gives what `done` was told, which must not be inside the call. */
static int64_t call_async(struct fixture *fixture, enum env_fail_call call) {
    const struct env_ops *ops = fixture->env->ops;
    static const struct env_bytes piece = {"xy", 2};
    char bytes[2];
    fixture->done_count = 0;
    if (call == ENV_FAIL_WRITE_AND_SYNC) {
        ops->write_and_sync(fixture->env, fixture->file, 0, &piece, 1, true, note_done, fixture);
    } else if (call == ENV_FAIL_READ_ASYNC) {
        ops->read_async(fixture->env, fixture->file, 0, bytes, 2, note_done, fixture);
    } else {
        ops->fill(fixture->env, fixture->file, 0, 2, note_done, fixture);
    }
    CHECK(fixture->done_count == 0);
    env_run_real(fixture->real);
    CHECK(fixture->done_count == 1);
    return fixture->result < 0 ? fixture->result : 0;
}

static int call_open(struct fixture *fixture, enum env_fail_call call) {
    const struct env_ops *ops = fixture->env->ops;
    struct env_file *file = NULL;
    struct env_timer *timer = NULL;
    int rc;
    if (call == ENV_FAIL_OPEN) {
        rc = ops->open(fixture->env, fixture->folder, "f", false, &file);
    } else if (call == ENV_FAIL_OPEN_DIRECTORY) {
        rc = ops->open_directory(fixture->env, "/", false, &file);
    } else {
        rc = ops->timer_open(fixture->env, nothing, NULL, &timer);
    }
    ops->close(fixture->env, file);
    ops->timer_close(fixture->env, timer);
    return rc;
}

/* Makes the call once, successfully unless told otherwise. */
static int64_t call_once(struct fixture *fixture, enum env_fail_call call) {
    struct env *env = fixture->env;
    const struct env_ops *ops = env->ops;
    uint64_t number;
    char bytes[2] = "xy";
    int64_t count;
    void *memory;
    switch (call) {
    case ENV_FAIL_ALLOCATE:
        memory = env_alloc(env, 8);
        env_free(env, memory);
        return memory == NULL ? -ENOMEM : 0;
    case ENV_FAIL_LIST: return ops->list(env, fixture->folder, no_name, NULL);
    case ENV_FAIL_RENAME: return ops->rename(env, fixture->folder, "f", "f");
    case ENV_FAIL_UNLINK:
        count = ops->unlink(env, fixture->folder, "g");
        return count == -ENOENT ? 0 : count; /* the real one's answer: it was passed on */
    case ENV_FAIL_SYNC_DIRECTORY: return ops->sync_directory(env, fixture->folder);
    case ENV_FAIL_FREE_BYTES: return ops->free_bytes(env, fixture->folder, &number);
    case ENV_FAIL_LOCK: return ops->lock(env, fixture->file);
    case ENV_FAIL_SIZE: return ops->size(env, fixture->file, &number);
    case ENV_FAIL_TRUNCATE: return ops->truncate(env, fixture->file, 2);
    case ENV_FAIL_READ:
        count = ops->read(env, fixture->file, 0, bytes, 2);
        return count < 0 ? count : 0;
    case ENV_FAIL_READ_CACHED:
        count = ops->read_cached(env, fixture->file, 0, bytes, 2);
        return count == -EAGAIN || count >= 0 ? 0 : count;
    case ENV_FAIL_WRITE: return ops->write(env, fixture->file, 0, bytes, 2);
    case ENV_FAIL_SYNC: return ops->sync(env, fixture->file);
    case ENV_FAIL_DEFER: return ops->defer(env, nothing, NULL);
    case ENV_FAIL_WRITE_AND_SYNC:
    case ENV_FAIL_READ_ASYNC:
    case ENV_FAIL_FILL: return call_async(fixture, call);
    default: return call_open(fixture, call);
    }
}

/* Of every call the second fails and no other, with the error that was asked for. */
TEST(env_fail_every_call) {
    struct fixture fixture = fixture_open();
    for (int i = 0; i < ENV_FAIL_CALLS; i++) {
        enum env_fail_call call = (enum env_fail_call)i;
        int error = call == ENV_FAIL_ALLOCATE ? -ENOMEM : -EDQUOT;
        uint32_t before = env_fail_calls_count(fixture.env, call);
        env_fail_set(fixture.env, call, 2, error, false);
        EXPECT_INT(call_once(&fixture, call), 0);
        EXPECT_INT(call_once(&fixture, call), error);
        EXPECT_INT(call_once(&fixture, call), 0);
        EXPECT_INT(env_fail_calls_count(fixture.env, call), before + 3);
    }
    fixture_close(&fixture);
}

/* A failure can last, and be taken back; a failing write writes nothing. */
TEST(env_fail_lasts_until_taken_back) {
    struct fixture fixture = fixture_open();
    env_fail_set(fixture.env, ENV_FAIL_WRITE, 1, -EIO, true);
    EXPECT_INT(call_once(&fixture, ENV_FAIL_WRITE), -EIO);
    EXPECT_INT(call_once(&fixture, ENV_FAIL_WRITE), -EIO);
    uint64_t size = 1;
    EXPECT_INT(fixture.env->ops->size(fixture.env, fixture.file, &size), 0);
    EXPECT_INT(size, 0);
    env_fail_set(fixture.env, ENV_FAIL_WRITE, 0, -EIO, true);
    EXPECT_INT(call_once(&fixture, ENV_FAIL_WRITE), 0);
    EXPECT_INT(fixture.env->ops->size(fixture.env, fixture.file, &size), 0);
    EXPECT_INT(size, 2);
    fixture_close(&fixture);
}

/* Closing it with memory still taken is a mistake that is noticed. */
TEST(env_fail_notices_a_leak) {
    struct fixture fixture = fixture_open();
    void *memory = env_alloc(fixture.env, 8);
    EXPECT(memory != NULL);
    EXPECT_ABORT(env_fail_close(fixture.env));
    env_free(fixture.env, memory);
    fixture_close(&fixture);
}
