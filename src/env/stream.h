/* SPDX-License-Identifier: Apache-2.0 */
/* stream.h -- bytes into and out of a descriptor, one after the other: a pipe, or a file by its path.
 *
 * Blocking, without a loop: for commands. 0 or a negative errno.
 */
#ifndef TAKT_ENV_STREAM_H
#define TAKT_ENV_STREAM_H

#include "base/check.h"
#include "base/slice.h"

#include <stdint.h>

/* To be read. */
TAKT_MUST_USE int stream_open(const char *path, int *fd);
/* To be written: empty, for its owner's eyes alone (0600). */
TAKT_MUST_USE int stream_create(const char *path, int *fd);
/* What was created as `path` becomes `name`, in the same folder, when all of it is on the disk. */
TAKT_MUST_USE int stream_finish(int fd, const char *path, const char *name);
void stream_close(int fd); /* -1 is allowed */

/* Bytes read; 0: the end. */
TAKT_MUST_USE int64_t stream_read(int fd, void *bytes, size_t count);
TAKT_MUST_USE int stream_write(int fd, struct slice bytes);

#endif
