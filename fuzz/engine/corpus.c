/* SPDX-License-Identifier: Apache-2.0 */
/* corpus.c -- a fuzz target as a unit test: every committed input once.
 *
 * FUZZ_TARGET is the target's name, given by the build.
 */
#include "fuzz/fuzz.h"

#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_BYTES_MAX (1024u * 1024)
#define INPUTS_MIN 5 /* fewer, and somebody has lost the corpus */

/* The bytes lie in memory of just that size, so that reading past their end is found. */
static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    EXPECT(file != NULL);
    char *all = malloc(INPUT_BYTES_MAX);
    EXPECT(all != NULL);
    size_t count = fread(all, 1, INPUT_BYTES_MAX, file);
    EXPECT_INT(fclose(file), 0);
    uint8_t *bytes = realloc(all, count + (count == 0));
    EXPECT(bytes != NULL);
    EXPECT_INT(LLVMFuzzerTestOneInput(bytes, count), 0);
    free(bytes);
}

/* What the fuzzer has found interesting still goes as promised. */
TEST(fuzz_corpus_does_no_harm) {
    static const char folder[] = "fuzz/corpus/" FUZZ_TARGET;
    int count = 0;
    DIR *directory = opendir(folder);
    EXPECT(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (entry->d_name[0] == '.') continue;
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run_file(path);
        count++;
    }
    (void)closedir(directory);
    EXPECT(count >= INPUTS_MIN);
}
