/* SPDX-License-Identifier: Apache-2.0 */
#include "env/path.h"

#include "test.h"

#include <errno.h>
#include <string.h>

/* A path with dots is made absolute; one of nothing is refused. */
TEST(path_absolute_resolves) {
    char out[PATH_BYTES_MAX];
    EXPECT_INT(path_absolute("/usr/./../usr", out), 0);
    EXPECT_STRING(out, "/usr");
    EXPECT_INT(path_absolute("/no/such/thing", out), -ENOENT);
}

/* Only a file that can be executed is a program: a folder and a text are not. */
TEST(path_check_program_tells_programs) {
    EXPECT_INT(path_check_program("/bin/sh"), 0);
    EXPECT_INT(path_check_program("/usr"), -EACCES);
    EXPECT_INT(path_check_program("/etc/passwd"), -EACCES);
    EXPECT_INT(path_check_program("/no/such/thing"), -ENOENT);
}
