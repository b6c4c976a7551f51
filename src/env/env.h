/* SPDX-License-Identifier: Apache-2.0 */
/* env.h -- the one door to the outside: clocks, randomness, memory, disk, timers, the event loop.
 *
 * struct env is a table of functions, so that a simulator can stand in for the machine and a test
 * can make any call fail. env_open_real gives the real one, on libuv. One thread: the loop's; all
 * callbacks run there, never inside the call that asked for them.
 * Failures are 0 or a negative errno. Processes have a door of their own: env/process.h.
 */
#ifndef TAKT_ENV_ENV_H
#define TAKT_ENV_ENV_H

#include "base/allocator.h"
#include "base/slice.h"
#include "base/times.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct env;
struct env_file;  /* an open file, or an open directory */
struct env_timer; /* armed or not */

typedef void env_fn(void *context);
/* result: bytes read or 0, or a negative errno. */
typedef void env_io_fn(void *context, int64_t result);
/* One entry of a directory; `name` borrowed. Return false to stop. */
typedef bool env_name_fn(void *context, const char *name);

struct env_bytes {
    const void *bytes;
    size_t count;
};

struct env_ops {
    struct wall_time (*now_wall)(struct env *env);
    struct mono_time (*now_mono)(struct env *env);
    void (*random)(struct env *env, void *bytes, size_t count);

    /* Directories and names. Paths are relative to `directory`. */
    int (*open_directory)(struct env *env, const char *path, bool create, struct env_file **out);
    int (*list)(struct env *env, struct env_file *directory, env_name_fn *each, void *context);
    int (*rename)(struct env *env, struct env_file *directory, const char *from, const char *to);
    int (*unlink)(struct env *env, struct env_file *directory, const char *name);
    int (*sync_directory)(struct env *env, struct env_file *directory);
    int (*free_bytes)(struct env *env, struct env_file *directory, uint64_t *out);

    /* Files. open: -ENOENT unless `create` (then it may exist or not; mode 0600). */
    int (*open)(struct env *env, struct env_file *directory, const char *name, bool create,
                struct env_file **out);
    void (*close)(struct env *env, struct env_file *file); /* NULL is allowed */
    /* -EWOULDBLOCK: another process has it, for a second already. Blocking. */
    int (*lock)(struct env *env, struct env_file *file);
    int (*size)(struct env *env, struct env_file *file, uint64_t *out);
    int (*truncate)(struct env *env, struct env_file *file, uint64_t bytes_count);
    /* Blocking; for start-up and for short things. read gives the bytes read (short at the end of
     * the file), write writes all or fails. */
    int64_t (*read)(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                    size_t count);
    int (*write)(struct env *env, struct env_file *file, uint64_t offset, const void *bytes,
                 size_t count);
    int (*sync)(struct env *env, struct env_file *file); /* fdatasync */

    /* Asynchronous: everything borrowed is kept until `done` runs, `file` open included; each is
     * run by a pool thread. They do not fail for want of memory (a reserve keeps 1,024 calls).
     * Reads and fills never keep a write waiting for a thread.
     * write_and_sync: write all pieces one after the other at `offset`, then fdatasync if asked. */
    void (*write_and_sync)(struct env *env, struct env_file *file, uint64_t offset,
                           const struct env_bytes *pieces, size_t pieces_count, bool sync,
                           env_io_fn *done, void *context);
    void (*read_async)(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                       size_t count, env_io_fn *done, void *context);
    /* What is in the page cache, without waiting: bytes read, or -EAGAIN when it would have to
     * wait (then use read_async). */
    int64_t (*read_cached)(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                           size_t count);
    /* Write zeros over the whole range and sync, in the background (so that later writes there need
     * no metadata commit). */
    void (*fill)(struct env *env, struct env_file *file, uint64_t offset, uint64_t bytes_count,
                 env_io_fn *done, void *context);

    /* Timers and the loop. A timer fires once, at or after `when`. */
    int (*timer_open)(struct env *env, env_fn *fire, void *context, struct env_timer **out);
    void (*timer_set)(struct env *env, struct env_timer *timer, struct mono_time when);
    void (*timer_stop)(struct env *env, struct env_timer *timer);
    void (*timer_close)(struct env *env, struct env_timer *timer); /* NULL is allowed */
    /* Run `fn` once at the end of this turn of the loop, after the I/O callbacks that are ready, in
     * the order of the calls. Called from inside such an `fn`, it means the end of the next turn.
     * -ENOMEM; -ENOBUFS when a million are waiting. */
    int (*defer)(struct env *env, env_fn *fn, void *context);
};

struct env {
    const struct env_ops *ops;
    struct allocator allocator;
};

/* The real one. `loop` below is made and owned by it. -ENOMEM or what libuv says. Sets
 * UV_THREADPOOL_SIZE in this process's environment unless it is set: call it before other threads
 * start. */
TAKT_MUST_USE int env_open_real(struct env **out);
/* Everything opened through it must be closed. Asynchronous calls under way end, and their `done`
 * runs, inside this call; what is still deferred is dropped. */
void env_close_real(struct env *env);
/* Run until env_stop_real, or until nothing is left to do. */
void env_run_real(struct env *env);
void env_stop_real(struct env *env);
/* The loop's turns so far: how long each took without its wait for events, by the clock, and of that
 * how long it had a core. What the process did before env_run_real does not count. */
struct env_turns {
    uint64_t count;
    uint64_t above_5_ms_count;
    uint64_t cpu_above_5_ms_count;
    int64_t longest_ns;
    int64_t cpu_longest_ns;
    int64_t recent_longest_ns; /* of the last ten to twenty seconds */
};
/* False if it is not the real one: nobody knows then. */
bool env_get_turns(struct env *env, struct env_turns *out);
/* The libuv loop (uv_loop_t *), for http/ and env/process.c. */
void *env_loop_real(struct env *env);
/* Call `fn` on the loop for each SIGTERM, SIGINT or SIGHUP; a second call replaces the first. It
 * does not keep the loop running. (SIGPIPE, SIGXFSZ, SIGUSR1 and SIGUSR2 are ignored from env_open_real on.) */
typedef void env_signal_fn(void *context, int signal);
TAKT_MUST_USE int env_on_signal_real(struct env *env, env_signal_fn *fn, void *context);

/* Whichever of the descriptors 0, 1 and 2 is closed becomes /dev/null: before anything else is
 * opened. 0, or what opening it says. */
TAKT_MUST_USE int env_open_standard_files(void);

/* Raise this process's limit of open files to `wanted`, or as far as the machine lets it. Returns how
 * many there may be, at most `wanted`. */
uint32_t env_raise_files_max(uint32_t wanted);

static inline void *env_alloc(struct env *env, size_t bytes_count) {
    return allocator_take(&env->allocator, bytes_count); /* zeroed, or NULL */
}
static inline void env_free(struct env *env, void *memory) {
    allocator_give_back(&env->allocator, memory);
}

#endif
