/* SPDX-License-Identifier: Apache-2.0 */
#include "env/process_find.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The first folder of PATH that has the program wins; an empty entry is the current directory; no
 * PATH means the system's. */
TEST(process_find_looks_in_path) {
    char path[PATH_MAX];
    const char *const env[] = {"XPATH=/x", "PATH=/nowhere::/usr/bin:/bin", NULL};
    const char *const none[] = {NULL};
    int root = open("/", O_PATH | O_CLOEXEC);
    int bin = open("/usr/bin", O_PATH | O_CLOEXEC);
    EXPECT_INT(process_find_program(root, "sh", env, path), 0);
    EXPECT_STRING(path, "/usr/bin/sh");
    EXPECT_INT(process_find_program(bin, "sh", env, path), 0);
    EXPECT_STRING(path, "./sh");
    EXPECT_INT(process_find_program(root, "sh", none, path), 0);
    EXPECT_STRING(path, "/usr/bin/sh");
    EXPECT_INT(process_find_program(root, "bin/sh", none, path), 0);
    EXPECT_STRING(path, "bin/sh");
    EXPECT_INT(process_find_program(bin, "bin/sh", none, path), -ENOENT);
    EXPECT_INT(process_find_program(root, "no-such-program", env, path), -ENOENT);
    close(root);
    close(bin);
}

/* Names that fit nowhere are refused, not cut. */
TEST(process_find_refuses_long_names) {
    char path[PATH_MAX];
    char name[PATH_MAX + 8];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    const char *const none[] = {NULL};
    EXPECT_INT(process_find_program(AT_FDCWD, name, none, path), -ENAMETOOLONG);
    name[PATH_MAX - 2] = '\0'; /* fits alone, but not after a folder */
    EXPECT_INT(process_find_program(AT_FDCWD, name, none, path), -ENOENT);
}

/* A variable is found by its whole name. */
TEST(process_find_variable_by_whole_name) {
    const char *const env[] = {"AB=1", "A=2", "A=3", "EMPTY=", "BARE", NULL};
    EXPECT_STRING(process_find_variable(env, "A"), "2");
    EXPECT_STRING(process_find_variable(env, "EMPTY"), "");
    EXPECT_STRING(process_find_variable(env, "BARE"), NULL);
}
