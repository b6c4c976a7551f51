/* SPDX-License-Identifier: Apache-2.0 */
/* `takt backup FILE|-`: a running takt's data as one stream, looked at as it comes by. */
#include "base/json.h"
#include "cli/client.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/subcommand.h"
#include "env/stream.h"
#include "journal/file/journal_restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u
#define MIB (1024u * 1024u)
#define NS_PER_S 1000000000ll

static const struct option options_table[] = {
    SUBCOMMAND_SERVER,
    {"rate", "SIZE", "at most so much a second", "64MiB"},
    SUBCOMMAND_END,
};

struct backup {
    struct client *client;
    struct env *env;
    struct journal_restore *check; /* of what has come by */
    int fd;
    uint64_t rate;
    const char *id;
    uint64_t lsn;
    uint64_t bytes_all; /* about: zeros do not travel */
    uint64_t bytes_sent;
    int64_t began_ns;
    struct progress progress;
};

/* Not before what was taken is within the rate. */
static void keep_pace(const struct backup *backup) {
    int64_t passed_ns = backup->env->ops->now_mono(backup->env).ns - backup->began_ns;
    int64_t due_ns =
        (int64_t)((double)backup->bytes_sent / (double)backup->rate * (double)NS_PER_S);
    int64_t wait_ns = due_ns - passed_ns;
    if (wait_ns <= 0) return;
    struct timespec wait = {.tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static int begin(struct backup *backup) {
    int code = client_api(backup->client, "POST", "/api/v1/backup", SLICE_EMPTY);
    if (code != CLI_OK) return code;
    struct slice answer = client_body(backup->client);
    backup->id = client_text(backup->client, answer, "backup");
    backup->lsn = (uint64_t)client_number(answer, "lsn");
    backup->bytes_all = (uint64_t)client_number(answer, "bytes");
    backup->progress = progress_begin("MiB", backup->bytes_all / MIB);
    return CLI_OK;
}

static int take_pieces(struct backup *backup) {
    char path[64];
    (void)snprintf(path, sizeof path, "/api/v1/backup/%s", backup->id);
    while (!journal_restore_has_ended(backup->check)) {
        keep_pace(backup);
        int code = client_bytes(backup->client, path);
        if (code != CLI_OK) return code;
        struct slice piece = client_body(backup->client);
        int rc = journal_restore_add(backup->check, piece);
        if (rc < 0) {
            fprintf(stderr, "takt backup: what came is no backup: %s\n", strerror(-rc));
            return CLI_FAILED;
        }
        rc = stream_write(backup->fd, piece);
        if (rc < 0) {
            fprintf(stderr, "takt backup: cannot write: %s\n", strerror(-rc));
            return CLI_FAILED;
        }
        backup->bytes_sent += piece.count;
        progress_set(&backup->progress, backup->bytes_sent / MIB);
    }
    return CLI_OK;
}

static int run(struct backup *backup) {
    int rc = journal_restore_open(backup->env, NULL, &backup->check);
    if (rc < 0) {
        fprintf(stderr, "takt backup: %s\n", strerror(-rc));
        return CLI_FAILED;
    }
    int code = begin(backup);
    if (code == CLI_OK) {
        backup->began_ns = backup->env->ops->now_mono(backup->env).ns;
        code = take_pieces(backup);
        progress_end(&backup->progress);
        char path[64];
        (void)snprintf(path, sizeof path, "/api/v1/backup/%s", backup->id);
        /* If it does not hear of it, takt gives the backup up by itself. */
        struct client_request end = {.method = "DELETE", .path = path};
        if (code != CLI_UNREACHABLE) (void)client_call(backup->client, &end);
    }
    journal_restore_close(backup->check);
    return code;
}

static int open_part(const char *file, char part[PATH_BYTES_MAX]) {
    if (access(file, F_OK) == 0) {
        fprintf(stderr, "takt backup: there is %s already\n", file);
        return -1;
    }
    (void)snprintf(part, PATH_BYTES_MAX, "%s.part", file);
    int fd = -1;
    int rc = stream_create(part, &fd);
    if (rc < 0) fprintf(stderr, "takt backup: cannot write %s: %s\n", part, strerror(-rc));
    return fd;
}

/* The file has its name only when it is whole and on the disk. */
static int end_part(int fd, const char *part, const char *file, int code) {
    int rc = code == CLI_OK ? stream_finish(fd, part, file) : 0;
    if (rc < 0) {
        fprintf(stderr, "takt backup: cannot write %s: %s\n", file, strerror(-rc));
        code = CLI_FAILED;
    }
    if (code != CLI_OK) (void)unlink(part);
    stream_close(fd);
    return code;
}

static int run_with(struct client *client, const struct options *options, const char *file) {
    bool is_stdout = strcmp(file, "-") == 0;
    struct backup backup = {.client = client, .fd = STDOUT_FILENO};
    char part[PATH_BYTES_MAX] = "";
    if (!options_size(options_value(options, "rate"), &backup.rate) || backup.rate == 0) {
        fprintf(stderr, "takt backup: --rate is a size, such as 64MiB\n");
        return CLI_USAGE;
    }
    if (is_stdout && isatty(STDOUT_FILENO) == 1) {
        fprintf(stderr, "takt backup: a backup is no text for a terminal; `> FILE` or a FILE\n");
        return CLI_USAGE;
    }
    if (!is_stdout) backup.fd = open_part(file, part);
    if (backup.fd < 0) return CLI_FAILED;
    int code = CLI_FAILED;
    int rc = env_open_real(&backup.env);
    if (rc < 0) {
        fprintf(stderr, "takt backup: %s\n", strerror(-rc));
    } else {
        code = run(&backup);
        env_close_real(backup.env);
    }
    if (!is_stdout) code = end_part(backup.fd, part, file, code);
    if (code == CLI_OK) {
        fprintf(stderr, "all up to record %" PRIu64 ", %.1f MiB\n", backup.lsn,
                (double)backup.bytes_sent / MIB);
    }
    return code;
}

int cli_backup(int argc, char **argv) {
    struct options options;
    bool helped = false;
    if (!options_read(options_table, "backup", "FILE|-", argc, argv, &options, &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    if (options.words_count != 1) {
        fprintf(stderr, "usage: takt backup FILE|-\n");
        return CLI_USAGE;
    }
    struct client *client = client_open(options_value(&options, "server"));
    if (client == NULL) return CLI_FAILED;
    int code = run_with(client, &options, options.words[0]);
    client_close(client);
    return code;
}
