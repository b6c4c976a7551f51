/* SPDX-License-Identifier: Apache-2.0 */
/* env_async.c -- reads, commits and fills on libuv's pool of threads.
 *
 * A call becomes a job; a pool thread does it; its `done` runs on the loop. A commit goes to the
 * pool at once. Reads and fills ("background") enter only while at most background_max of them are
 * inside, the others wait in a list: however many there are, a thread is left for the commit.
 *
 * The calls cannot fail, so a job must not fail for want of memory: when there is none, it comes
 * from a reserve that is taken when the env is opened.
 *
 * Measured against a thread of its own for commits (woken by a semaphore, answering by uv_async):
 * a round trip through the pool costs about 3 us more, of the 75 that a write with its fdatasync
 * took there. The simpler one stays.
 */
#include "env/env_real.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Zeros are written this much at a time, and synced this much at a time: a commit on the same disk
 * waits for one step at most. */
#define FILL_PIECE_BYTES ((size_t)64 * 1024)
#define FILL_PIECES_MAX 16u
#define FILL_SYNC_BYTES ((uint64_t)4 * 1024 * 1024)

enum job_kind { JOB_WRITE, JOB_READ, JOB_FILL };

struct env_job {
    uv_work_t work;        /* first */
    struct list_link link; /* in reserve_free or background_wait */
    struct env_real *real;
    struct env_file *file;
    enum job_kind kind;
    bool from_reserve;
    bool sync;
    uint64_t offset;
    const struct env_bytes *pieces; /* JOB_WRITE: kept; the number of them is `count` */
    void *bytes;                    /* JOB_READ: kept */
    uint64_t count;
    int64_t result;
    env_io_fn *done;
    void *context;
};

static uint32_t pool_threads_count(void) {
    const char *text = getenv("UV_THREADPOOL_SIZE");
    long count = text == NULL ? 0 : strtol(text, NULL, 10);
    if (count < 1) return 1; /* as libuv reads it */
    return count > 1024 ? 1024 : (uint32_t)count;
}

int env_async_open(struct env_real *real) {
    /* libuv takes the size from the environment, at the first job of the process. */
    char text[] = {'0' + ENV_POOL_THREADS, '\0'};
    _Static_assert(ENV_POOL_THREADS < 10, "one digit");
    if (setenv("UV_THREADPOOL_SIZE", text, 0) < 0) return -ENOMEM;
    uint32_t threads_count = pool_threads_count();
    bool has_spare = threads_count > ENV_POOL_KEPT_FREE;
    real->background_max = has_spare ? threads_count - ENV_POOL_KEPT_FREE : 1;

    list_init(&real->reserve_free);
    list_init(&real->background_wait);
    real->reserve = env_alloc(&real->env, ENV_JOBS_RESERVE * sizeof real->reserve[0]);
    if (real->reserve == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < ENV_JOBS_RESERVE; i++) {
        real->reserve[i].from_reserve = true;
        list_append(&real->reserve_free, &real->reserve[i].link);
    }
    return 0;
}

void env_async_close(struct env_real *real) {
    CHECK(real->jobs_count == 0); /* their `done` would run into what is gone */
    env_free(&real->env, real->reserve);
}

static struct env_job *take_job(struct env_real *real) {
    struct env_job *job = env_alloc(&real->env, sizeof *job);
    if (job == NULL) {
        struct list_link *link = list_first(&real->reserve_free);
        /* Out of memory with 1,024 calls under way: nothing is left that could be promised. */
        CHECK(link != NULL);
        list_remove(link);
        job = CONTAINER_OF(link, struct env_job, link);
        *job = (struct env_job){.from_reserve = true};
    }
    list_init(&job->link);
    return job;
}

static void give_back_job(struct env_real *real, struct env_job *job) {
    if (job->from_reserve) {
        list_prepend(&real->reserve_free, &job->link);
    } else {
        env_free(&real->env, job);
    }
}

static int64_t fill_range(int fd, uint64_t offset, uint64_t count) {
    static const char zeros[FILL_PIECE_BYTES]; /* shared by all: read only */
    /* Asks for the room first: contiguous, and no half-filled range on a full disk. Not every file
     * system can; the zeros below do it as well. */
    if (offset > INT64_MAX || count > INT64_MAX - offset) return -EINVAL;
    if (count > 0 && fallocate(fd, 0, (off_t)offset, (off_t)count) < 0) {
        if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR) return -errno;
    }
    uint64_t unsynced = 0;
    int rc = 0;
    while (count > 0 && rc == 0) {
        struct env_bytes pieces[FILL_PIECES_MAX];
        uint64_t step = 0;
        size_t pieces_count = 0;
        while (pieces_count < FILL_PIECES_MAX && step < count) {
            uint64_t left = count - step;
            size_t piece = left < FILL_PIECE_BYTES ? (size_t)left : FILL_PIECE_BYTES;
            pieces[pieces_count++] = (struct env_bytes){zeros, piece};
            step += piece;
        }
        rc = env_fd_write(fd, offset, pieces, pieces_count);
        offset += step;
        count -= step;
        unsynced += step;
        if (rc == 0 && (unsynced >= FILL_SYNC_BYTES || count == 0)) {
            rc = env_fd_sync(fd);
            unsynced = 0;
        }
    }
    return rc;
}

/* On a pool thread. */
static void do_job(uv_work_t *work) {
    struct env_job *job = CONTAINER_OF(work, struct env_job, work);
    int fd = job->file->fd;
    switch (job->kind) {
    case JOB_WRITE:
        job->result = env_fd_write(fd, job->offset, job->pieces, (size_t)job->count);
        if (job->result == 0 && job->sync) job->result = env_fd_sync(fd);
        break;
    case JOB_READ:
        job->result = env_fd_read(fd, job->offset, job->bytes, (size_t)job->count);
        break;
    case JOB_FILL: job->result = fill_range(fd, job->offset, job->count); break;
    }
}

static void start_background(struct env_real *real);

static void end_job(uv_work_t *work, int status) {
    CHECK(status == 0); /* nobody cancels */
    struct env_job *job = CONTAINER_OF(work, struct env_job, work);
    struct env_real *real = job->real;
    env_io_fn *done = job->done;
    void *context = job->context;
    int64_t result = job->result;

    job->file->jobs_count--;
    real->jobs_count--;
    if (job->kind != JOB_WRITE) real->background_count--;
    give_back_job(real, job);
    start_background(real);
    done(context, result); /* last: it may close the file */
}

static void start_job(struct env_job *job) {
    CHECK(uv_queue_work(&job->real->loop, &job->work, do_job, end_job) == 0);
}

static void start_background(struct env_real *real) {
    while (real->background_count < real->background_max) {
        struct list_link *link = list_first(&real->background_wait);
        if (link == NULL) return;
        list_remove(link);
        real->background_count++;
        start_job(CONTAINER_OF(link, struct env_job, link));
    }
}

static struct env_job *make_job(struct env *env, struct env_file *file, enum job_kind kind,
                                env_io_fn *done, void *context) {
    struct env_real *real = env_real_from(env);
    struct env_job *job = take_job(real);
    job->real = real;
    job->file = file;
    job->kind = kind;
    job->done = done;
    job->context = context;
    file->jobs_count++;
    real->jobs_count++;
    return job;
}

void env_real_write_and_sync(struct env *env, struct env_file *file, uint64_t offset,
                             const struct env_bytes *pieces, size_t pieces_count, bool sync,
                             env_io_fn *done, void *context) {
    struct env_job *job = make_job(env, file, JOB_WRITE, done, context);
    job->offset = offset;
    job->pieces = pieces;
    job->count = pieces_count;
    job->sync = sync;
    start_job(job);
}

void env_real_read_async(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                         size_t count, env_io_fn *done, void *context) {
    struct env_job *job = make_job(env, file, JOB_READ, done, context);
    job->offset = offset;
    job->bytes = bytes;
    job->count = count;
    list_append(&job->real->background_wait, &job->link);
    start_background(job->real);
}

void env_real_fill(struct env *env, struct env_file *file, uint64_t offset, uint64_t bytes_count,
                   env_io_fn *done, void *context) {
    struct env_job *job = make_job(env, file, JOB_FILL, done, context);
    job->offset = offset;
    job->count = bytes_count;
    list_append(&job->real->background_wait, &job->link);
    start_background(job->real);
}
