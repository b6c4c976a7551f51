/* SPDX-License-Identifier: Apache-2.0 */
/* sync_bench.c -- how long one write of 4 KiB takes to reach the disk, one for each line of stdin.
 *
 *   sync_bench FOLDER        prints microseconds, a line each, until stdin ends
 *
 * It writes over a file that was written and synced before, as the journal does: the file's length
 * does not change, so fdatasync has no metadata to commit. bench/run asks for one beside each order
 * that it times, since a shared disk is another disk a second later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES (16 * 1024 * 1024)
#define WRITE_BYTES 4096

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int write_all(int fd, const char *bytes, off_t offset) {
    ssize_t count = pwrite(fd, bytes, WRITE_BYTES, offset);
    if (count == WRITE_BYTES) return 0;
    return count < 0 ? -errno : -EIO;
}

static int fill(int fd, const char *bytes) {
    for (off_t at = 0; at < FILE_BYTES; at += WRITE_BYTES) {
        int rc = write_all(fd, bytes, at);
        if (rc < 0) return rc;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int answer_lines(int fd, char *bytes) {
    char line[64];
    off_t at = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        bytes[0]++; /* never what is there already */
        double begin_us = now_us();
        int rc = write_all(fd, bytes, at);
        if (rc < 0) return rc;
        if (fdatasync(fd) < 0) return -errno;
        printf("%.1f\n", now_us() - begin_us);
        if (fflush(stdout) != 0) return -errno;
        at = (at + WRITE_BYTES) % FILE_BYTES;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: sync_bench FOLDER\n", stderr);
        return 2;
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/sync-bench", argv[1]);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char bytes[WRITE_BYTES];
    memset(bytes, 'x', sizeof bytes);
    int rc = fd < 0 ? -errno : fill(fd, bytes);
    if (rc == 0) rc = answer_lines(fd, bytes);
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    if (rc == 0) return 0;
    fprintf(stderr, "sync_bench: %s: %s\n", path, strerror(-rc));
    return 1;
}
