/* SPDX-License-Identifier: Apache-2.0 */
/* test.c -- the main function of every unit test, and what its EXPECTs say when they fail.
 *
 * cmocka runs the tests; they come in by constructors, which run before main in the order of the
 * file. The state here is global because constructors take no parameter.
 */
#include "test.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TESTS_MAX 1024u

static struct test_case *first_test;
static struct test_case **last_link = &first_test;
static pid_t abort_child;

void test_add(struct test_case *test) {
    *last_link = test;
    last_link = &test->next;
}

void test_expect(bool holds, const char *text, const char *file, int line) {
    if (holds) return;
    print_error("%s:%d: does not hold: %s\n", file, line, text);
    _fail(file, line);
}

void test_expect_int(intmax_t actual, intmax_t expected, const char *text, const char *file,
                     int line) {
    if (actual == expected) return;
    print_error("%s:%d: %s is %jd (0x%jx), expected %jd (0x%jx)\n", file, line, text, actual,
                (uintmax_t)actual, expected, (uintmax_t)expected);
    _fail(file, line);
}

static bool same_string(const char *a, const char *b) {
    if (a == NULL || b == NULL) return a == b;
    return strcmp(a, b) == 0;
}

void test_expect_string(const char *actual, const char *expected, const char *text,
                        const char *file, int line) {
    if (same_string(actual, expected)) return;
    print_error("%s:%d: %s is\n  %s\nexpected\n  %s\n", file, line, text,
                actual == NULL ? "(NULL)" : actual, expected == NULL ? "(NULL)" : expected);
    _fail(file, line);
}

/* Prints the row of sixteen bytes in which the difference lies. */
static void print_row(const char *title, const unsigned char *bytes, size_t bytes_count,
                      size_t row) {
    print_error("  %-8s %6zu:", title, row);
    for (size_t i = row; i < bytes_count && i < row + 16; i++) print_error(" %02x", bytes[i]);
    print_error("\n");
}

void test_expect_bytes(const void *actual, const void *expected, size_t bytes_count,
                       const char *text, const char *file, int line) {
    const unsigned char *a = actual;
    const unsigned char *b = expected;
    size_t i = 0;
    while (i < bytes_count && a[i] == b[i]) i++;
    if (i == bytes_count) return;

    print_error("%s:%d: %s differs at byte %zu of %zu\n", file, line, text, i, bytes_count);
    print_row("is", a, bytes_count, i / 16 * 16);
    print_row("expected", b, bytes_count, i / 16 * 16);
    _fail(file, line);
}

bool test_abort_begins(void) {
    fflush(NULL);
    abort_child = fork();
    if (abort_child != 0) return false;

    struct rlimit no_core = {0};
    setrlimit(RLIMIT_CORE, &no_core);
    return true;
}

void test_abort_missed(void) {
    _exit(0);
}

void test_expect_aborted(const char *text, const char *file, int line) {
    int status = 0;
    bool reaped = abort_child > 0 && waitpid(abort_child, &status, 0) == abort_child;
    if (reaped && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) return;
    print_error("%s:%d: does not abort (wait status 0x%x): %s\n", file, line, (unsigned)status,
                text);
    _fail(file, line);
}

static void run_one(void **state) {
    const struct test_case *test = *state;
    test->run();
}

int main(int arguments_count, char **arguments) {
    static struct CMUnitTest tests[TESTS_MAX];
    const char *filter = arguments_count > 1 ? arguments[1] : "";
    size_t tests_count = 0;

    for (struct test_case *test = first_test; test != NULL; test = test->next) {
        if (strstr(test->name, filter) == NULL) continue;
        if (tests_count == TESTS_MAX) {
            fprintf(stderr, "more than %u tests in one file\n", TESTS_MAX);
            return EXIT_FAILURE;
        }
        tests[tests_count++] =
            (struct CMUnitTest){.name = test->name, .test_func = run_one, .initial_state = test};
    }
    if (tests_count == 0) {
        fprintf(stderr, "no test here has a name with \"%s\" in it\n", filter);
        return EXIT_FAILURE;
    }
    int failed = _cmocka_run_group_tests(arguments[0], tests, tests_count, NULL, NULL);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
