/* SPDX-License-Identifier: Apache-2.0 */
/* env_standard_files.c -- a supervisor may start takt with standard files closed. The next files
 * that it opens would take their numbers: its log would go into the journal, and its workers would
 * find takt's own files as theirs.
 */
#include "env/env.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int env_open_standard_files(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        /* The lowest free number is this one: those below are open. Not closed on exec. */
        int opened = open("/dev/null", O_RDWR); /* NOLINT(android-cloexec-open) */
        if (opened < 0) return -errno;
        CHECK(opened == fd);
    }
    return 0;
}
