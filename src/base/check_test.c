/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A condition that holds does nothing, one that does not ends the process by SIGABRT. */
TEST(check_stops_the_process) {
    CHECK(1 + 1 == 2);
    volatile int three = 3;
    EXPECT_ABORT(CHECK(three == 4));
    EXPECT_ABORT(CHECK_UNREACHABLE());
}

/* What is left on stderr names the condition and where it stands. */
TEST(check_says_what_and_where) {
    int ends[2];
    EXPECT_INT(pipe(ends), 0);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        check_failed("pigs == birds", "farm.c", 17);
    }
    close(ends[1]);
    char text[256] = {0};
    ssize_t count = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT(count > 0);
    EXPECT_STRING(text, "takt: check failed: pigs == birds at farm.c:17\n");
}
