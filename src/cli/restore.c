/* SPDX-License-Identifier: Apache-2.0 */
/* `takt restore FILE|- --data DIR`: a data folder from a backup.
 *
 *   read      into DIR.restoring, frame by frame, each with its checksum
 *   check     as `takt data check` does, of all that was written
 *   rename    DIR.restoring becomes DIR: only then is there a folder that takt could start on
 *
 * What a killed restore leaves is DIR.restoring; the next one begins it anew.
 */
#include "cli/cli.h"
#include "cli/data_look.h"
#include "cli/options.h"
#include "env/stream.h"
#include "journal/file/journal_restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u
#define READ_BYTES ((size_t)256 * 1024)
#define MIB (1024u * 1024u)

static const struct option options_table[] = {
    {"data", "DIR", "the data folder to make; it may be there, if it is empty", "takt-data"},
    {NULL, NULL, NULL, NULL},
};

struct restoring {
    struct env *env;
    int fd;
    char parent[PATH_BYTES_MAX]; /* of the data folder */
    char name[PATH_BYTES_MAX];   /* its name in it */
    char unready[PATH_BYTES_MAX + 16];
    char path[2 * PATH_BYTES_MAX + 32];    /* of the unready folder */
    char journal[2 * PATH_BYTES_MAX + 48]; /* …and the journal in it */
    uint64_t lsn;
};

static int fail(const char *what, int rc) {
    fprintf(stderr, "takt restore: %s: %s\n", what, strerror(-rc));
    return CLI_FAILED;
}

/* "a/b/" is b in a. */
static bool split_path(struct restoring *restoring, const char *data) {
    struct slice path = slice_from_string(data);
    while (path.count > 1 && path.bytes[path.count - 1] == '/') path.count--;
    size_t at = path.count;
    while (at > 0 && path.bytes[at - 1] != '/') at--;
    struct slice name = slice_skip(path, at);
    struct slice parent = at == 0 ? SLICE(".") : slice_from(path.bytes, at);
    bool is_name =
        name.count > 0 && !slice_equal(name, SLICE(".")) && !slice_equal(name, SLICE(".."));
    if (!is_name || path.count + 64 > PATH_BYTES_MAX) {
        fprintf(stderr, "takt restore: %s cannot be made: give the folder's own name\n", data);
        return false;
    }
    (void)snprintf(restoring->parent, sizeof restoring->parent, "%.*s", SLICE_ARGS(parent));
    (void)snprintf(restoring->name, sizeof restoring->name, "%.*s", SLICE_ARGS(name));
    (void)snprintf(restoring->unready, sizeof restoring->unready, "%.*s.restoring",
                   SLICE_ARGS(name));
    (void)snprintf(restoring->path, sizeof restoring->path, "%s/%s", restoring->parent,
                   restoring->unready);
    (void)snprintf(restoring->journal, sizeof restoring->journal, "%s/journal", restoring->path);
    return true;
}

static bool note_any(void *context, const char *name) {
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return true;
    *(bool *)context = true;
    return false;
}

static int check_empty(struct restoring *restoring, const char *data) {
    struct env *env = restoring->env;
    struct env_file *directory = NULL;
    bool has_any = false;
    int rc = env->ops->open_directory(env, data, false, &directory);
    if (rc == -ENOENT) return CLI_OK;
    if (rc == 0) rc = env->ops->list(env, directory, note_any, &has_any);
    env->ops->close(env, directory);
    if (rc < 0) return fail(data, rc);
    if (!has_any) return CLI_OK;
    fprintf(stderr, "takt restore: %s is not empty; nothing was changed\n", data);
    return CLI_FAILED;
}

/* Enough for any two messages of one line each, and no more to be said of a stream. */
static int say_bad(int rc) {
    const char *why = rc == -EPROTONOSUPPORT ? "it was written by a newer takt"
                      : rc == -EBADMSG       ? "it is no backup, or not whole as it was written"
                                             : strerror(-rc);
    fprintf(stderr, "takt restore: this cannot be restored: %s\n", why);
    return rc == -EPROTONOSUPPORT || rc == -EBADMSG ? CLI_BAD_INPUT : CLI_FAILED;
}

static int read_stream(struct restoring *restoring, struct journal_restore *restore) {
    struct env *env = restoring->env;
    char *room = allocator_resize_array(&env->allocator, NULL, READ_BYTES, 1);
    if (room == NULL) return -ENOMEM;
    struct progress progress = progress_begin("MiB restored", 0);
    uint64_t done = 0;
    int rc = 0;
    while (rc == 0) {
        int64_t count = stream_read(restoring->fd, room, READ_BYTES);
        if (count < 0) rc = (int)count;
        if (count <= 0) break;
        rc = journal_restore_add(restore, slice_from(room, (size_t)count));
        done += (uint64_t)count;
        if (done / MIB != progress.done) progress_set(&progress, done / MIB);
    }
    progress_end(&progress);
    allocator_give_back(&env->allocator, room);
    return rc < 0 ? rc : journal_restore_end(restore, &restoring->lsn);
}

static int check_all(struct restoring *restoring) {
    struct data_look look;
    struct journal_report report;
    if (!data_look_open(&look, restoring->env, restoring->journal)) return CLI_FAILED;
    struct journal_check_options asked = data_look_options(&look);
    int rc = journal_file_check(&asked, &report);
    int code = CLI_OK;
    if (rc < 0) {
        code = data_refuse("restore", restoring->journal, rc, &report);
    } else {
        data_look_end(&look);
        bool is_whole =
            look.state[0] == '\0' && !report.is_cut && report.lsn_last == restoring->lsn;
        for (uint32_t i = 0; i < look.findings_count; i++) data_print_finding(&look.findings[i]);
        if (report.findings_count > 0 && is_whole) {
            fprintf(stderr, "takt restore: what was backed up was damaged; `takt data repair` goes "
                            "on without it\n");
        } else if (!is_whole) {
            fprintf(stderr,
                    "takt restore: the journal in the backup ends at record %" PRIu64 " of %" PRIu64
                    ", or is no whole state; nothing was restored\n",
                    report.lsn_last, restoring->lsn);
            code = CLI_BAD_INPUT;
        }
    }
    data_look_close(&look);
    return code;
}

static int take_name(struct restoring *restoring) {
    struct env *env = restoring->env;
    struct env_file *parent = NULL;
    struct env_file *unready = NULL;
    int rc = env->ops->open_directory(env, restoring->path, false, &unready);
    if (rc == 0) rc = env->ops->sync_directory(env, unready);
    if (rc == 0) rc = env->ops->open_directory(env, restoring->parent, false, &parent);
    if (rc == 0) rc = env->ops->rename(env, parent, restoring->unready, restoring->name);
    if (rc == 0) rc = env->ops->sync_directory(env, parent);
    env->ops->close(env, unready);
    env->ops->close(env, parent);
    return rc;
}

static int restore_to(struct restoring *restoring, const char *data) {
    struct env *env = restoring->env;
    int code = check_empty(restoring, data);
    if (code != CLI_OK) return code;
    struct env_file *directory = NULL;
    int rc = env->ops->open_directory(env, restoring->path, true, &directory);
    env->ops->close(env, directory);
    if (rc < 0) return fail(restoring->path, rc);
    struct journal_restore *restore = NULL;
    rc = journal_restore_open(env, restoring->journal, &restore);
    if (rc < 0) return fail(restoring->journal, rc);
    rc = read_stream(restoring, restore);
    journal_restore_close(restore);
    if (rc < 0) return say_bad(rc);
    code = check_all(restoring);
    if (code != CLI_OK) return code;
    rc = take_name(restoring);
    if (rc < 0) return fail(data, rc);
    fprintf(stderr, "all up to record %" PRIu64 " is in %s\n", restoring->lsn, data);
    return CLI_OK;
}

static int run(struct restoring *restoring, const char *file, const char *data) {
    if (!split_path(restoring, data)) return CLI_FAILED;
    bool is_stdin = strcmp(file, "-") == 0;
    restoring->fd = STDIN_FILENO;
    int rc = is_stdin ? 0 : stream_open(file, &restoring->fd);
    if (rc < 0) return fail(file, rc);
    rc = env_open_real(&restoring->env);
    int code = rc < 0 ? fail("cannot begin", rc) : restore_to(restoring, data);
    if (rc == 0) env_close_real(restoring->env);
    if (!is_stdin) stream_close(restoring->fd);
    return code;
}

int cli_restore(int argc, char **argv) {
    struct options options;
    bool helped = false;
    if (!options_read(options_table, "restore", "FILE|- [--data DIR]", argc, argv, &options,
                      &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    if (options.words_count != 1) {
        fprintf(stderr, "usage: takt restore FILE|- [--data DIR]\n");
        return CLI_USAGE;
    }
    struct restoring restoring = {.fd = -1};
    return run(&restoring, options.words[0], options_value(&options, "data"));
}
