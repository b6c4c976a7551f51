/* SPDX-License-Identifier: Apache-2.0 */
#include "env/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(PATH_BYTES_MAX >= PATH_MAX, "realpath writes up to PATH_MAX bytes");

int path_absolute(const char *path, char out[PATH_BYTES_MAX]) {
    return realpath(path, out) == NULL ? -errno : 0;
}

bool path_is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int path_check_program(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return errno == EACCES ? -EACCES : -ENOENT;
    if (!S_ISREG(status.st_mode)) return -EACCES;
    return access(path, X_OK) == 0 ? 0 : -EACCES;
}

int path_identify(const char *path, struct path_identity *out) {
    struct stat status;
    if (stat(path, &status) != 0) return -errno;
    *out = (struct path_identity){.device = status.st_dev, .inode = status.st_ino};
    return 0;
}
