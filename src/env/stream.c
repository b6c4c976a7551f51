/* SPDX-License-Identifier: Apache-2.0 */
#include "env/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u

int stream_open(const char *path, int *fd) {
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? -errno : 0;
}

int stream_create(const char *path, int *fd) {
    *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return *fd < 0 ? -errno : 0;
}

void stream_close(int fd) {
    if (fd >= 0) close(fd);
}

/* A name lives in its folder, and survives a crash only with it. */
static int sync_folder_of(const char *name) {
    struct slice folder = slice_from_string(name);
    while (folder.count > 0 && folder.bytes[folder.count - 1] != '/') folder.count--;
    if (folder.count == 0) folder = SLICE(".");
    char path[PATH_BYTES_MAX];
    if (folder.count >= sizeof path) return -ENAMETOOLONG;
    (void)snprintf(path, sizeof path, "%.*s", SLICE_ARGS(folder));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

int stream_finish(int fd, const char *path, const char *name) {
    if (fsync(fd) < 0 || rename(path, name) < 0) return -errno;
    return sync_folder_of(name);
}

int64_t stream_read(int fd, void *bytes, size_t count) {
    ssize_t result;
    do {
        result = read(fd, bytes, count);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : result;
}

int stream_write(int fd, struct slice bytes) {
    while (bytes.count > 0) {
        ssize_t count = write(fd, bytes.bytes, bytes.count);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        bytes = slice_skip(bytes, (size_t)count);
    }
    return 0;
}
