/* SPDX-License-Identifier: Apache-2.0 */
/* expect.c -- an EXPECT that does not hold, under libFuzzer: says so and ends the process.
 *
 * In a unit test test/test.c has these functions.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *text, const char *file, int line) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    abort();
}

void test_expect(bool holds, const char *text, const char *file, int line) {
    if (!holds) fail(text, file, line);
}

void test_expect_int(intmax_t actual, intmax_t expected, const char *text, const char *file,
                     int line) {
    if (actual == expected) return;
    fprintf(stderr, "%jd (0x%jx) is not %jd\n", actual, (uintmax_t)actual, expected);
    fail(text, file, line);
}

void test_expect_string(const char *actual, const char *expected, const char *text,
                        const char *file, int line) {
    bool is_same = actual != NULL && expected != NULL && strcmp(actual, expected) == 0;
    if (is_same || (actual == NULL && expected == NULL)) return;
    fprintf(stderr, "  %s\nis not\n  %s\n", actual == NULL ? "(NULL)" : actual,
            expected == NULL ? "(NULL)" : expected);
    fail(text, file, line);
}

void test_expect_bytes(const void *actual, const void *expected, size_t bytes_count,
                       const char *text, const char *file, int line) {
    if (memcmp(actual, expected, bytes_count) != 0) fail(text, file, line);
}
