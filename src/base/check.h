/* SPDX-License-Identifier: Apache-2.0 */
/* check.h -- stops the process when the program itself is wrong.
 *
 * CHECK is always on, in release too. It is never used on anything that came from a client or a
 * disk: those get a result (see docs/style.md, "Three kinds of failure").
 */
#ifndef TAKT_BASE_CHECK_H
#define TAKT_BASE_CHECK_H

#define TAKT_MUST_USE __attribute__((warn_unused_result))
#define TAKT_PRINTF(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The struct that holds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

_Noreturn void check_failed(const char *condition, const char *file, int line);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) check_failed(#condition, __FILE__, __LINE__);       \
    } while (0)

#define CHECK_UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

#endif
