/* SPDX-License-Identifier: Apache-2.0 */
/* test.h -- how a unit test is written.
 *
 * A file X_test.c includes this header and holds TEST functions; nothing is listed anywhere, and
 * test/test.c brings the main function. The program takes one optional argument: run only the
 * tests whose names contain it. A file without tests fails.
 *
 *     TEST(arena_gives_aligned_memory) {
 *         EXPECT_INT((uintptr_t)arena_take(arena, 1) % 8, 0);
 *     }
 *
 * The first EXPECT that does not hold ends its test, so what a failing test owned may stay open.
 * Use EXPECT only in the thread that runs the test, which the macros leave by a long jump.
 */
#ifndef TAKT_TEST_H
#define TAKT_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void test_fn(void);

/* A TEST as it stands in the file; made by the macro. */
struct test_case {
    const char *name;
    test_fn *run;
    struct test_case *next;
};

/* clang-format off */
#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    static struct test_case test_case_##name = {#name, test_##name, NULL};                         \
    __attribute__((constructor)) static void test_add_##name(void) {                               \
        test_add(&test_case_##name);                                                               \
    }                                                                                              \
    static void test_##name(void)
/* clang-format on */

/* The condition holds. */
#define EXPECT(condition) test_expect((condition) ? true : false, #condition, __FILE__, __LINE__)

/* Two integers of any types are the same; what the code gave comes first. */
#define EXPECT_INT(actual, expected)                                                               \
    test_expect_int((intmax_t)(actual), (intmax_t)(expected), #actual, __FILE__, __LINE__)

/* Two strings are the same; NULL is only the same as NULL. */
#define EXPECT_STRING(actual, expected)                                                            \
    test_expect_string(actual, expected, #actual, __FILE__, __LINE__)

/* Two stretches of memory hold the same bytes_count bytes. */
#define EXPECT_BYTES(actual, expected, bytes_count)                                                \
    test_expect_bytes(actual, expected, bytes_count, #actual, __FILE__, __LINE__)

/* The statement ends its process by SIGABRT, as a failed CHECK does. It runs in a child process. */
#define EXPECT_ABORT(statement)                                                                    \
    do {                                                                                           \
        if (test_abort_begins()) {                                                                 \
            statement;                                                                             \
            test_abort_missed();                                                                   \
        }                                                                                          \
        test_expect_aborted(#statement, __FILE__, __LINE__);                                       \
    } while (0)

/* The macros' other halves; text, file and line say where the test stands. */
void test_add(struct test_case *test);
void test_expect(bool holds, const char *text, const char *file, int line);
void test_expect_int(intmax_t actual, intmax_t expected, const char *text, const char *file,
                     int line);
void test_expect_string(const char *actual, const char *expected, const char *text,
                        const char *file, int line);
void test_expect_bytes(const void *actual, const void *expected, size_t bytes_count,
                       const char *text, const char *file, int line);
bool test_abort_begins(void);
_Noreturn void test_abort_missed(void);
void test_expect_aborted(const char *text, const char *file, int line);

#endif
