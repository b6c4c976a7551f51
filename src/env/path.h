/* SPDX-License-Identifier: Apache-2.0 */
/* path.h -- what a path is on this machine. */
#ifndef TAKT_ENV_PATH_H
#define TAKT_ENV_PATH_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATH_BYTES_MAX 4096u

/* The absolute path of what is there, without links and dots. 0; -ENOENT, -EACCES, -ENAMETOOLONG
 * and what else the system says. */
TAKT_MUST_USE int path_absolute(const char *path, char out[PATH_BYTES_MAX]);

/* 0: a file that this process may execute; -ENOENT: nothing is there; -EACCES: it is a directory or
 * may not be executed. */
TAKT_MUST_USE int path_check_program(const char *path);
/* A folder is there. */
bool path_is_folder(const char *path);

/* What tells a folder from a copy of it, and stays with it when it is renamed. */
struct path_identity {
    uint64_t device;
    uint64_t inode;
};
/* 0, or what the system says. */
TAKT_MUST_USE int path_identify(const char *path, struct path_identity *out);

#endif
