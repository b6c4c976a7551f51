/* SPDX-License-Identifier: Apache-2.0 */
/* env_real.h -- the insides of the real env, shared by env_*.c and process*.c only.
 *
 * Everybody else sees struct env (env/env.h).
 */
#ifndef TAKT_ENV_ENV_REAL_H
#define TAKT_ENV_ENV_REAL_H

#include "base/list.h"
#include "env/env.h"

#include <uv.h>

/* Pool threads, unless UV_THREADPOOL_SIZE says otherwise. Reads and fills may keep all but
 * ENV_POOL_KEPT_FREE of them busy, so that a group commit never queues behind them. */
#define ENV_POOL_THREADS 8u
#define ENV_POOL_KEPT_FREE 2u
/* Asynchronous calls that still work when memory is out: 1,024 × about 250 bytes. */
#define ENV_JOBS_RESERVE 1024u
#define ENV_DEFERRED_MAX (1u << 20)
#define ENV_READ_BUFFER_BYTES (64u * 1024)
#define ENV_SIGNALS 3u

struct env_file {
    int fd;
    uint32_t jobs_count; /* under way; close is a mistake while there are any */
};

struct env_deferred {
    env_fn *fn;
    void *context;
};

struct env_turn_mark {
    int64_t wall_ns;
    int64_t idle_ns; /* of that, waiting for events */
    int64_t cpu_ns;
};

struct env_job; /* one asynchronous call; env_async.c */

struct env_real {
    struct env env; /* first: struct env * is what callers hold */
    uv_loop_t loop;

    uv_check_t turn_end; /* runs what is deferred */
    uv_idle_t no_wait;   /* active while something is deferred: then the loop does not block */
    struct env_deferred *deferred;
    uint32_t deferred_count;
    uint32_t deferred_capacity;
    bool firing; /* inside a timer's callback */

    struct env_turns turns;
    struct env_turn_mark turn_mark; /* the end of the last turn */
    int64_t turn_recent_since_ns;   /* when the next two began: */
    int64_t turn_longest_now_ns;    /* the longest since then */
    int64_t turn_longest_before_ns; /* and of the ten seconds before */

    struct env_job *reserve;          /* ENV_JOBS_RESERVE of them */
    struct list_link reserve_free;    /* of struct env_job */
    struct list_link background_wait; /* reads and fills that wait for their turn */
    uint32_t background_count;        /* in the pool */
    uint32_t background_max;
    uint32_t jobs_count;

    uv_signal_t signals[ENV_SIGNALS];
    bool signals_open;
    env_signal_fn *on_signal;
    void *on_signal_context;

    struct list_link processes; /* of struct process: started, and not yet waited for by libuv */
    uv_signal_t child_signal;   /* process_adopt.c */
    bool adopts;                /* orphans of its children become its own */
    bool ends_adopted;          /* they can stem from nobody but its own workers */
    bool reaping;               /* deferred */

    /* Where processes' output is read into: libuv fills a buffer and hands it over in one step, so
     * one is enough for all streams. */
    char read_buffer[ENV_READ_BUFFER_BYTES];
};

/* CHECKs that it is the real one. */
struct env_real *env_real_from(struct env *env);
/* NULL if it is another. */
struct env_real *env_real_if(struct env *env);

/* env_clock.c */
struct wall_time env_real_now_wall(struct env *env);
struct mono_time env_real_now_mono(struct env *env);
void env_real_random(struct env *env, void *bytes, size_t count);

/* env_directory.c */
int env_real_open_directory(struct env *env, const char *path, bool create, struct env_file **out);
int env_real_list(struct env *env, struct env_file *directory, env_name_fn *each, void *context);
int env_real_rename(struct env *env, struct env_file *directory, const char *from, const char *to);
int env_real_unlink(struct env *env, struct env_file *directory, const char *name);
int env_real_sync_directory(struct env *env, struct env_file *directory);
int env_real_free_bytes(struct env *env, struct env_file *directory, uint64_t *out);
/* The same as env_real_list, for any folder that is open. */
int env_fd_list(int directory_fd, env_name_fn *each, void *context);

/* env_file.c; the last two know only a descriptor and may run on a pool thread. */
int env_real_open(struct env *env, struct env_file *directory, const char *name, bool create,
                  struct env_file **out);
void env_real_close(struct env *env, struct env_file *file);
int env_real_lock(struct env *env, struct env_file *file);
int env_real_size(struct env *env, struct env_file *file, uint64_t *out);
int env_real_truncate(struct env *env, struct env_file *file, uint64_t bytes_count);
int64_t env_real_read(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                      size_t count);
int env_real_write(struct env *env, struct env_file *file, uint64_t offset, const void *bytes,
                   size_t count);
int env_real_sync(struct env *env, struct env_file *file);
int64_t env_real_read_cached(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                             size_t count);
/* Makes the env_file around `fd` (taken: closed on failure). */
int env_file_make(struct env *env, int fd, struct env_file **out);
int64_t env_fd_read(int fd, uint64_t offset, void *bytes, size_t count);
int env_fd_write(int fd, uint64_t offset, const struct env_bytes *pieces, size_t pieces_count);
int env_fd_sync(int fd);

/* env_async.c */
int env_async_open(struct env_real *real);
void env_async_close(struct env_real *real);
void env_real_write_and_sync(struct env *env, struct env_file *file, uint64_t offset,
                             const struct env_bytes *pieces, size_t pieces_count, bool sync,
                             env_io_fn *done, void *context);
void env_real_read_async(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                         size_t count, env_io_fn *done, void *context);
void env_real_fill(struct env *env, struct env_file *file, uint64_t offset, uint64_t bytes_count,
                   env_io_fn *done, void *context);

/* env_timer.c */
int env_real_timer_open(struct env *env, env_fn *fire, void *context, struct env_timer **out);
void env_real_timer_set(struct env *env, struct env_timer *timer, struct mono_time when);
void env_real_timer_stop(struct env *env, struct env_timer *timer);
void env_real_timer_close(struct env *env, struct env_timer *timer);

/* process_adopt.c */
void process_adopt_close(struct env_real *real);
/* A keeper was killed: what it kept is ours now, and is ended. Blocking. 0; -ETIMEDOUT: not all of
 * it, which is met again by its mark when takt stops or starts. */
TAKT_MUST_USE int process_end_adopted(struct env_real *real);

/* process.c: was it started here, and has libuv not yet waited for it? */
bool process_is_known(void *context, pid_t pid);

/* env_turn.c: the loop begins to run; a turn has ended, all that was deferred included */
void env_turn_begin(struct env_real *real);
void env_turn_end(struct env_real *real);

/* env_defer.c */
void env_defer_open(struct env_real *real);
void env_defer_close(struct env_real *real);
int env_real_defer(struct env *env, env_fn *fn, void *context);

#endif
