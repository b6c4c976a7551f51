/* SPDX-License-Identifier: Apache-2.0 */
/* check.c -- the last words of a process that is wrong.
 *
 * Nothing can be trusted any more: no allocation and no stdio, only write(2), then abort(3), which
 * leaves a core file.
 */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Noreturn void check_failed(const char *condition, const char *file, int line) {
    char text[512];
    int count =
        snprintf(text, sizeof text, "takt: check failed: %s at %s:%d\n", condition, file, line);
    if (count > 0) {
        size_t text_count = (size_t)count < sizeof text ? (size_t)count : sizeof text - 1;
        text[text_count - 1] = '\n'; /* also when it was cut */
        /* Whether it could be written or not, the next step is the same. */
        ssize_t written = write(STDERR_FILENO, text, text_count);
        (void)written;
    }
    abort();
}
