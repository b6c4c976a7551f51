/* SPDX-License-Identifier: Apache-2.0 */
/* env_directory.c -- directories, and the names in them. */
#include "env/env_real.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Create `name` in `parent` if it is not there, and make the new name survive a crash. */
static int make_one(int parent, const char *name) {
    if (mkdirat(parent, name, 0700) < 0) return errno == EEXIST ? 0 : -errno;

    /* The parent is open with O_PATH, which cannot be synced. */
    int fd = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* Create the directory and all that leads to it. O_PATH: a parent may be one that we can pass
 * through and not read. */
static int make_all(const char *path) {
    char name[NAME_MAX + 1];
    int fd = open(path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;

    int rc = 0;
    while (rc == 0) {
        path += strspn(path, "/");
        size_t count = strcspn(path, "/");
        if (count == 0) break;
        rc = -ENAMETOOLONG;
        if (count > NAME_MAX) break;
        memcpy(name, path, count);
        name[count] = '\0';
        path += count;

        rc = make_one(fd, name);
        if (rc < 0) break;
        int next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        rc = next < 0 ? -errno : 0;
        close(fd);
        fd = next;
    }
    if (fd >= 0) close(fd);
    return rc;
}

int env_real_open_directory(struct env *env, const char *path, bool create, struct env_file **out) {
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int fd = open(path, flags);
    if (fd < 0 && errno == ENOENT && create) {
        int rc = make_all(path);
        if (rc < 0) return rc;
        fd = open(path, flags);
    }
    if (fd < 0) return -errno;
    return env_file_make(env, fd, out);
}

int env_fd_list(int directory_fd, env_name_fn *each, void *context) {
    /* A descriptor of its own: the position in a directory belongs to the open file. */
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        int rc = -errno;
        close(fd);
        return rc;
    }

    int rc = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(stream);
        if (entry == NULL) {
            rc = -errno; /* 0 at the end */
            break;
        }
        bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!is_dots && !each(context, entry->d_name)) break;
    }
    closedir(stream);
    return rc;
}

int env_real_list(struct env *env, struct env_file *directory, env_name_fn *each, void *context) {
    (void)env;
    return env_fd_list(directory->fd, each, context);
}

int env_real_rename(struct env *env, struct env_file *directory, const char *from, const char *to) {
    (void)env;
    return renameat(directory->fd, from, directory->fd, to) < 0 ? -errno : 0;
}

int env_real_unlink(struct env *env, struct env_file *directory, const char *name) {
    (void)env;
    return unlinkat(directory->fd, name, 0) < 0 ? -errno : 0;
}

int env_real_sync_directory(struct env *env, struct env_file *directory) {
    (void)env;
    return fsync(directory->fd) < 0 ? -errno : 0;
}

int env_real_free_bytes(struct env *env, struct env_file *directory, uint64_t *out) {
    (void)env;
    struct statvfs answer;
    if (fstatvfs(directory->fd, &answer) < 0) return -errno;
    *out = (uint64_t)answer.f_bavail * answer.f_frsize; /* what is left for us, not for root */
    return 0;
}
