/* SPDX-License-Identifier: Apache-2.0 */
/* points_preload.c -- SIGKILL at a named point of takt's writing, for test/queue_crash.py.
 *
 * A library for LD_PRELOAD, so that the program that is killed is the one that is shipped:
 *
 *     TAKT_CRASH_POINT=NAME:COUNT   the COUNT-th time the process comes to the point NAME …
 *     TAKT_CRASH_REPORT=FILE        …NAME is added to FILE as a line, and the process is killed
 *
 * What a call means follows from its file and its thread: the loop's thread writes only while takt
 * starts, the pool's threads write batches and prepare segments. A batch with a carried record is
 * known by its records' first bytes.
 */
#include "base/codec.h"
#include "broker/broker_record.h"
#include "journal/file/file_layout.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define PATH_BYTES 512u
#define POINT_BYTES 64u

enum kind { OTHER, SEGMENT, PREPARED, SUMMARY, FOLDER };
enum doing { NOTHING, A_BATCH, A_CARRY, A_HEADER, A_MARK, A_TAIL };

/* What this thread has written and not yet synced. */
static _Thread_local enum doing written;
static _Atomic int left = -1; /* times to go to the point; -1: not read yet, 0: none */
static _Atomic bool is_recycling;

/* ---- the point ---- */

static const char *wanted(void) {
    const char *text = getenv("TAKT_CRASH_POINT");
    return text == NULL ? "" : text;
}

static _Noreturn void die(const char *name) {
    const char *path = getenv("TAKT_CRASH_REPORT");
    char line[POINT_BYTES];
    int count = snprintf(line, sizeof line, "%s\n", name);
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, line, (size_t)count) == count) close(fd);
    (void)kill(getpid(), SIGKILL);
    for (;;) (void)pause();
}

/* Is this the moment? */
static bool comes(const char *name) {
    const char *text = wanted();
    size_t count = strlen(name);
    if (strncmp(text, name, count) != 0 || text[count] != ':') return false;
    int unread = -1;
    (void)atomic_compare_exchange_strong(&left, &unread, (int)strtol(text + count + 1, NULL, 10));
    return atomic_fetch_sub(&left, 1) == 1;
}

static void at(const char *name) {
    if (comes(name)) die(name);
}

/* NAME-before, NAME-half, … */
static bool comes_to(const char *name, const char *part) {
    char whole[POINT_BYTES];
    (void)snprintf(whole, sizeof whole, "%s-%s", name, part);
    return comes(whole);
}

static void at_part(const char *name, const char *part) {
    char whole[POINT_BYTES];
    (void)snprintf(whole, sizeof whole, "%s-%s", name, part);
    at(whole);
}

/* ---- the C library's own ---- */

typedef ssize_t pwritev_fn(int fd, const struct iovec *pieces, int count, off_t offset);
typedef int sync_fn(int fd);
typedef int rename_fn(int from_fd, const char *from, int to_fd, const char *to);
typedef int unlink_fn(int fd, const char *name, int flags);
typedef ssize_t pread_fn(int fd, void *bytes, size_t count, off_t offset);

static void *next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

/* ---- what is it? ---- */

static bool ends_with(const char *text, const char *end) {
    size_t count = strlen(text);
    size_t end_count = strlen(end);
    return count >= end_count && strcmp(text + count - end_count, end) == 0;
}

static enum kind kind_of_name(const char *name) {
    if (ends_with(name, ".segment")) return SEGMENT;
    if (ends_with(name, "prepared.tmp")) return PREPARED;
    return strncmp(name, "summary", strlen("summary")) == 0 ? SUMMARY : OTHER;
}

static enum kind kind_of(int fd) {
    char link[64];
    char path[PATH_BYTES];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t count = readlink(link, path, sizeof path - 1);
    if (count < 0) return OTHER;
    path[count] = '\0';
    if (ends_with(path, "/journal")) return FOLDER;
    const char *name = strrchr(path, '/');
    return name == NULL ? OTHER : kind_of_name(name + 1);
}

static bool is_loop(void) {
    return gettid() == getpid();
}

static size_t bytes_in(const struct iovec *pieces, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++) bytes += pieces[i].iov_len;
    return bytes;
}

/* header, bodies, records, padding: as journal_file_commit.c writes them, empty ones left out. */
static bool has_carry(const struct iovec *pieces, int count) {
    const char *header = pieces[0].iov_base;
    if (pieces[0].iov_len < FILE_BATCH_HEADER_BYTES) return false;
    uint32_t records_bytes = decode_u32_at(header + 56);
    for (int i = 1; i < count; i++) {
        if (pieces[i].iov_len != records_bytes) continue;
        struct slice records = slice_from(pieces[i].iov_base, records_bytes);
        struct file_frame frame;
        while (file_frame_next(&records, &frame)) {
            if (frame.bytes.count > 0 && frame.bytes.bytes[0] == RECORD_CARRY) return true;
        }
    }
    return false;
}

/* While takt starts: what is there already is the tail, written once more. */
static bool is_there(int fd, const struct iovec *piece, off_t offset) {
    char now[FILE_BATCH_HEADER_BYTES];
    size_t count = piece->iov_len < sizeof now ? piece->iov_len : sizeof now;
    pread_fn *real = (pread_fn *)next("pread64");
    return real(fd, now, count, offset) == (ssize_t)count &&
           memcmp(now, piece->iov_base, count) == 0;
}

static enum doing doing_of(int fd, const struct iovec *pieces, int count, off_t offset) {
    if (offset < (off_t)FILE_SEGMENT_HEADER_BYTES) return A_HEADER;
    if (!is_loop()) return has_carry(pieces, count) ? A_CARRY : A_BATCH;
    return is_there(fd, &pieces[0], offset) ? A_TAIL : A_MARK;
}

static const char *const names[] = {[NOTHING] = "nothing", [A_BATCH] = "batch", [A_CARRY] = "carry",
                                    [A_HEADER] = "header", [A_MARK] = "epoch",  [A_TAIL] = "tail"};

/* ---- the calls ---- */

/* Half of the first piece that has some bytes, or of the second: torn in the middle. */
static void write_half(pwritev_fn *real, int fd, const struct iovec *pieces, int count,
                       off_t offset) {
    struct iovec half[2];
    int taken = count > 1 ? 2 : 1;
    memcpy(half, pieces, (size_t)taken * sizeof half[0]);
    half[taken - 1].iov_len /= 2;
    (void)real(fd, half, taken, offset);
}

static ssize_t write_segment(pwritev_fn *real, int fd, const struct iovec *pieces, int count,
                             off_t offset) {
    enum doing doing = doing_of(fd, pieces, count, offset);
    const char *name = names[doing];
    at_part(name, "before-write");
    if (comes_to(name, "half-written")) {
        write_half(real, fd, pieces, count, offset);
        char whole[POINT_BYTES];
        (void)snprintf(whole, sizeof whole, "%s-half-written", name);
        die(whole);
    }
    ssize_t rc = real(fd, pieces, count, offset);
    if (rc == (ssize_t)bytes_in(pieces, count)) at_part(name, "written");
    written = doing;
    return rc;
}

#pragma GCC visibility push(default)

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t offset) {
    pwritev_fn *real = (pwritev_fn *)next("pwritev64");
    enum kind kind = kind_of(fd);
    if (kind == SEGMENT) return write_segment(real, fd, pieces, count, offset);
    if (kind == PREPARED && comes("zeros-half-written")) {
        write_half(real, fd, pieces, count, offset);
        die("zeros-half-written");
    }
    if (kind == SUMMARY) at("summary-before-write");
    ssize_t rc = real(fd, pieces, count, offset);
    if (kind == SUMMARY) at("summary-written");
    return rc;
}

int fdatasync(int fd) {
    sync_fn *real = (sync_fn *)next("fdatasync");
    int rc = real(fd);
    enum kind kind = kind_of(fd);
    if (kind == PREPARED) at("zeros-synced");
    if (kind == SEGMENT && written != NOTHING) at_part(names[written], "synced");
    written = NOTHING;
    return rc;
}

int fsync(int fd) {
    sync_fn *real = (sync_fn *)next("fsync");
    int rc = real(fd);
    if (kind_of(fd) == FOLDER) {
        at(atomic_load(&is_recycling) ? "recycled-folder-synced" : "prepared-folder-synced");
    }
    return rc;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    rename_fn *real = (rename_fn *)next("renameat");
    bool is_old = kind_of_name(from) == SEGMENT;
    bool is_new = kind_of_name(from) == PREPARED;
    const char *name = is_old ? "recycled" : "prepared";
    if (kind_of_name(from) == SUMMARY) name = "summary";
    if (!is_old && !is_new && kind_of_name(from) != SUMMARY) return real(from_fd, from, to_fd, to);
    if (is_old || is_new) atomic_store(&is_recycling, is_old);
    at_part(name, "before-rename");
    int rc = real(from_fd, from, to_fd, to);
    at_part(name, "renamed");
    return rc;
}

int unlinkat(int fd, const char *name, int flags) {
    unlink_fn *real = (unlink_fn *)next("unlinkat");
    bool is_old = kind_of_name(name) == SEGMENT;
    if (is_old) at("old-before-unlink");
    int rc = real(fd, name, flags);
    if (is_old) at("old-unlinked");
    return rc;
}

ssize_t pread64(int fd, void *bytes, size_t count, off_t offset) {
    pread_fn *real = (pread_fn *)next("pread64");
    if (is_loop() && kind_of(fd) == SEGMENT) at("replay-read");
    return real(fd, bytes, count, offset);
}

#pragma GCC visibility pop
