/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_lives.c -- nothing that a takt on this data folder has started outlives it, or is at
 * least gone before the next one begins: keepers see to that, and the folder's mark, which they and
 * all that they keep carry in their environment.
 *
 * The mark is drawn once and kept in the file `mark`: 32 hexadecimal digits and a newline; then, in
 * another such line, the folder's device and inode. A torn or damaged one is drawn anew: nothing can
 * have been started with it, for it is used only when it is durable. So is that of a folder which is
 * not the one it was drawn for: a copy must not end the workers of the original.
 */
#include "base/hash.h"
#include "env/path.h"
#include "line/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MARK_FILE "mark"
#define MARK_RANDOM_BYTES 16u
#define MARK_DIGITS (2u * MARK_RANDOM_BYTES)
#define FILE_BYTES (2u * (MARK_DIGITS + 1))
#define END_MS_MAX 20000
#define END_THIS_MS_MAX 2000 /* at a stop, which somebody waits for */

_Static_assert(MARK_DIGITS < RUNTIME_MARK_BYTES, "a mark is a string");

/* The file's second line, and a zero. */
static int write_identity(const char *directory, char line[MARK_DIGITS + 2]) {
    struct path_identity identity;
    int rc = path_identify(directory, &identity);
    if (rc < 0) return rc;
    (void)snprintf(line, MARK_DIGITS + 2, "%016llx%016llx\n", (unsigned long long)identity.device,
                   (unsigned long long)identity.inode);
    return 0;
}

/* 1: it was there; 0: not, or of no use. */
static int read_mark(struct env *env, struct env_file *file, const char *identity, char *mark) {
    char text[FILE_BYTES + 1];
    uint8_t bytes[MARK_RANDOM_BYTES];
    int64_t count = env->ops->read(env, file, 0, text, sizeof text);
    if (count < 0) return (int)count;
    if (count != FILE_BYTES || text[MARK_DIGITS] != '\n') return 0;
    if (memcmp(text + MARK_DIGITS + 1, identity, MARK_DIGITS + 1) != 0) return 0;
    if (!hex_read(slice_from(text, MARK_DIGITS), bytes, sizeof bytes)) return 0;
    memcpy(mark, text, MARK_DIGITS);
    mark[MARK_DIGITS] = '\0';
    return 1;
}

static int make_mark(struct env *env, struct env_file *folder, struct env_file *file,
                     const char *identity, char *mark) {
    uint8_t random[MARK_RANDOM_BYTES];
    char text[FILE_BYTES];
    env->ops->random(env, random, sizeof random);
    hex_write(random, sizeof random, mark);
    memcpy(text, mark, MARK_DIGITS);
    text[MARK_DIGITS] = '\n';
    memcpy(text + MARK_DIGITS + 1, identity, MARK_DIGITS + 1);
    int rc = env->ops->truncate(env, file, 0);
    if (rc == 0) rc = env->ops->write(env, file, 0, text, sizeof text);
    if (rc == 0) rc = env->ops->sync(env, file);
    if (rc == 0) rc = env->ops->sync_directory(env, folder);
    mark[MARK_DIGITS] = '\0';
    return rc;
}

static int find_mark(struct env *env, const char *directory, char *mark, bool *is_new) {
    struct env_file *folder = NULL;
    struct env_file *file = NULL;
    char identity[MARK_DIGITS + 2];
    int rc = write_identity(directory, identity);
    if (rc < 0) goto end;
    rc = env->ops->open_directory(env, directory, false, &folder);
    if (rc < 0) goto end;
    rc = env->ops->open(env, folder, MARK_FILE, true, &file);
    if (rc < 0) goto end;
    rc = read_mark(env, file, identity, mark);
    *is_new = rc == 0;
    if (rc == 0) rc = make_mark(env, folder, file, identity, mark);
    if (rc > 0) rc = 0;
end:
    env->ops->close(env, file);
    env->ops->close(env, folder);
    return rc;
}

int runtime_end_earlier_lives(struct env *env, const struct log *log, const char *directory,
                              char *mark) {
    bool is_new = false;
    int rc = find_mark(env, directory, mark, &is_new);
    if (rc < 0) {
        log_printf(log, LOG_ERROR, "cannot read or make %s/%s: %s; takt does not start", directory,
                   MARK_FILE, strerror(-rc));
        return rc;
    }
    if (is_new) return 0;

    uint32_t found_count = 0;
    rc = process_end_marked(env, mark, END_MS_MAX, &found_count);
    if (rc < 0) {
        log_printf(log, LOG_ERROR,
                   "processes of an earlier takt on %s do not end (%u were found): %s; takt does "
                   "not start, for their messages would be given out twice",
                   directory, (unsigned)found_count, strerror(-rc));
    } else if (found_count > 0) {
        log_printf(log, LOG_INFO, "ended %u processes that an earlier takt on %s had left",
                   (unsigned)found_count, directory);
    }
    return rc;
}

void runtime_end_this_life(struct env *env, const struct log *log, const char *mark) {
    uint32_t found_count = 0;
    int rc = process_end_marked(env, mark, END_THIS_MS_MAX, &found_count);
    if (rc < 0) {
        log_printf(log, LOG_WARNING,
                   "processes that workers had left do not end (%u were found): %s; the next start "
                   "on this folder tries again",
                   (unsigned)found_count, strerror(-rc));
    } else if (found_count > 0) {
        log_printf(log, LOG_INFO, "ended %u processes that workers had left",
                   (unsigned)found_count);
    }
}
