/* SPDX-License-Identifier: Apache-2.0 */
#include "line/definition.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *folder, const char *name, const char *text, mode_t mode) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    EXPECT(file != NULL);
    EXPECT(fputs(text, file) >= 0);
    EXPECT_INT(fclose(file), 0);
    EXPECT_INT(chmod(path, mode), 0);
}

static void remove_file(const char *folder, const char *name) {
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    EXPECT_INT(unlink(path), 0);
}

/* Files are read from disk; relative programs are looked for beside them, and must be executable;
 * a file that is not there is one of the errors. */
TEST(definition_load_reads_files) {
    char folder[] = "/tmp/takt-definition-XXXXXX";
    EXPECT(mkdtemp(folder) != NULL);
    write_file(folder, "a.yaml", "line: a\nstations: { x: { exec: ./run now } }\n", 0600);
    write_file(folder, "b.yaml", "line: b\nstations: { x: { exec: ./text } }\n", 0600);
    write_file(folder, "run", "#!/bin/sh\n", 0700);
    write_file(folder, "text", "", 0600);
    char a[256];
    char b[256];
    char c[256];
    (void)snprintf(a, sizeof a, "%s/../%s/a.yaml", folder, folder + 5);
    (void)snprintf(b, sizeof b, "%s/b.yaml", folder);
    (void)snprintf(c, sizeof c, "%s/c.yaml", folder);

    struct env *env = NULL;
    EXPECT_INT(env_open_real(&env), 0);
    struct definition_files files;
    char text[800];
    EXPECT_INT(definition_load(env, (const char *const[]){a}, 1, &files), 0);
    EXPECT_STRING(files.paths[0], a);
    EXPECT_STRING(files.definitions[0].folder, folder);
    (void)snprintf(text, sizeof text, "%s/run", folder);
    EXPECT_STRING(files.definitions[0].stations[0].argv[0], text);
    definition_close(&files);

    EXPECT_INT(definition_load(env, (const char *const[]){a, b, c}, 3, &files), -EINVAL);
    struct allocator system = allocator_system();
    struct buffer out;
    buffer_open(&out, &system, 65536);
    definition_print_errors(&files, &out);
    buffer_append_byte(&out, '\0');
    (void)snprintf(text, sizeof text,
                   "%s:2:24: the program `./text` is not executable: %s/text\n"
                   "%s:1:1: cannot be read: No such file or directory\n",
                   b, folder, c);
    EXPECT_STRING(out.bytes, text);
    buffer_close(&out);
    definition_close(&files);
    env_close_real(env);

    remove_file(folder, "a.yaml");
    remove_file(folder, "b.yaml");
    remove_file(folder, "run");
    remove_file(folder, "text");
    EXPECT_INT(rmdir(folder), 0);
}
