/* SPDX-License-Identifier: Apache-2.0 */
/* env_file.c -- files: open, lock, and the calls that block.
 *
 * Every loop here goes on after a signal (EINTR) and after a short read or write. A sync is never
 * tried twice: after a failed one the kernel may have dropped the pages, and would say "done".
 */
#include "env/env_real.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOCK_TRIES 100
#define LOCK_PAUSE_MS 10
#define WRITE_PIECES_MAX ((size_t)IOV_MAX)

static bool range_is_valid(uint64_t offset, uint64_t count) {
    return offset <= INT64_MAX && count <= INT64_MAX - offset;
}

int env_file_make(struct env *env, int fd, struct env_file **out) {
    struct env_file *file = env_alloc(env, sizeof *file);
    if (file == NULL) {
        close(fd);
        return -ENOMEM;
    }
    file->fd = fd;
    *out = file;
    return 0;
}

int env_real_open(struct env *env, struct env_file *directory, const char *name, bool create,
                  struct env_file **out) {
    int flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0);
    int fd = openat(directory->fd, name, flags, 0600);
    if (fd < 0) return -errno;
    return env_file_make(env, fd, out);
}

void env_real_close(struct env *env, struct env_file *file) {
    if (file == NULL) return;
    CHECK(file->jobs_count == 0);
    close(file->fd); /* what had to reach the disk was synced: there is nothing to learn here */
    env_free(env, file);
}

/* flock belongs to the open file: it excludes another process and another open alike. A child has
 * that open file too, between fork and exec: when takt is killed just then, the lock outlives it
 * by a moment, which the next start waits for. */
int env_real_lock(struct env *env, struct env_file *file) {
    (void)env;
    int rc = -EWOULDBLOCK;
    for (int tries = 0; tries < LOCK_TRIES && rc == -EWOULDBLOCK; tries++) {
        if (tries > 0) (void)poll(NULL, 0, LOCK_PAUSE_MS);
        rc = flock(file->fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    }
    return rc;
}

int env_real_size(struct env *env, struct env_file *file, uint64_t *out) {
    (void)env;
    struct stat about;
    if (fstat(file->fd, &about) < 0) return -errno;
    *out = (uint64_t)about.st_size;
    return 0;
}

int env_real_truncate(struct env *env, struct env_file *file, uint64_t bytes_count) {
    (void)env;
    if (!range_is_valid(bytes_count, 0)) return -EFBIG;
    int rc;
    do {
        rc = ftruncate(file->fd, (off_t)bytes_count);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

int64_t env_fd_read(int fd, uint64_t offset, void *bytes, size_t count) {
    if (!range_is_valid(offset, count)) return -EINVAL;
    size_t have = 0;
    while (have < count) {
        ssize_t more = pread(fd, (char *)bytes + have, count - have, (off_t)(offset + have));
        if (more < 0 && errno == EINTR) continue;
        if (more < 0) return -errno;
        if (more == 0) break; /* the end of the file */
        have += (size_t)more;
    }
    return (int64_t)have;
}

/* Where a write of several pieces stands. */
struct write_place {
    const struct env_bytes *pieces;
    size_t pieces_count;
    size_t first;   /* the first piece that is not yet all written */
    size_t skipped; /* bytes of it that are */
};

/* The next bytes as a vector; the number of its elements, 0 when all is written. */
static int gather(struct write_place *place, struct iovec *vector) {
    while (place->first < place->pieces_count &&
           place->skipped == place->pieces[place->first].count) {
        place->first++;
        place->skipped = 0;
    }
    size_t left = place->pieces_count - place->first;
    size_t taken = left < WRITE_PIECES_MAX ? left : WRITE_PIECES_MAX;
    size_t skipped = place->skipped;
    for (size_t i = 0; i < taken; i++) {
        const struct env_bytes *piece = &place->pieces[place->first + i];
        vector[i].iov_base = (void *)((uintptr_t)piece->bytes + skipped);
        vector[i].iov_len = piece->count - skipped;
        skipped = 0;
    }
    return (int)taken;
}

static void advance(struct write_place *place, size_t count) {
    while (count > 0) {
        size_t left = place->pieces[place->first].count - place->skipped;
        size_t step = count < left ? count : left;
        place->skipped += step;
        count -= step;
        if (step == left) {
            place->first++;
            place->skipped = 0;
        }
    }
}

int env_fd_write(int fd, uint64_t offset, const struct env_bytes *pieces, size_t pieces_count) {
    struct write_place place = {.pieces = pieces, .pieces_count = pieces_count};
    struct iovec vector[WRITE_PIECES_MAX];
    for (;;) {
        int vector_count = gather(&place, vector);
        if (vector_count == 0) return 0;
        if (!range_is_valid(offset, 0)) return -EINVAL;
        ssize_t written = pwritev(fd, vector, vector_count, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return -errno;
        if (written == 0) return -EIO; /* the first piece is never empty */
        advance(&place, (size_t)written);
        offset += (uint64_t)written;
    }
}

int env_fd_sync(int fd) {
    return fdatasync(fd) < 0 ? -errno : 0;
}

int64_t env_real_read(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                      size_t count) {
    (void)env;
    return env_fd_read(file->fd, offset, bytes, count);
}

int env_real_write(struct env *env, struct env_file *file, uint64_t offset, const void *bytes,
                   size_t count) {
    (void)env;
    struct env_bytes piece = {bytes, count};
    return env_fd_write(file->fd, offset, &piece, 1);
}

int env_real_sync(struct env *env, struct env_file *file) {
    (void)env;
    return env_fd_sync(file->fd);
}

int64_t env_real_read_cached(struct env *env, struct env_file *file, uint64_t offset, void *bytes,
                             size_t count) {
    if (!range_is_valid(offset, count)) return -EINVAL;
    struct iovec vector = {bytes, count};
    ssize_t have;
    do {
        have = preadv2(file->fd, &vector, 1, (off_t)offset, RWF_NOWAIT);
    } while (have < 0 && errno == EINTR);
    /* Not every file system can promise not to wait. */
    if (have < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) return -EAGAIN;
    if (have < 0) return -errno;
    if ((size_t)have == count) return have;

    /* Short: the end of the file, or the end of what is cached? */
    uint64_t size;
    int rc = env_real_size(env, file, &size);
    if (rc < 0) return rc;
    return offset + (uint64_t)have >= size ? have : -EAGAIN;
}
