/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_server -- the SQS endpoint alone: journal, shard, sqs and http, without lines, gateway and
 * board. For profiling the data's way, and for test/test_sqs_*.py on it:
 *
 *     build/test-programs/sqs_server serve --data DIR --listen-sqs 127.0.0.1:0 --ready-file FILE
 *     TAKT_BIN=build/test-programs/sqs_server pytest test -k sqs
 */
#include "journal/file/journal_file.h"
#include "sqs/sqs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct sqs_server {
    struct env *env;
    struct log log;
    struct shard *shard;
    struct sqs *sqs;
    struct http_server *server;
};

static void write_log(void *context, enum log_level level, struct slice text) {
    (void)context;
    (void)level;
    fprintf(stderr, "%.*s\n", SLICE_ARGS(text));
}

static void on_failure(void *context, int result) {
    fprintf(stderr, "sqs_server: the journal has failed: %s\n", strerror(-result));
    struct sqs_server *here = context;
    env_stop_real(here->env);
}

static void on_signal(void *context, int signal) {
    struct sqs_server *here = context;
    if (signal != SIGHUP) env_stop_real(here->env);
}

static int open_parts(struct sqs_server *here, const char *data, const char *address) {
    int rc = env_open_real(&here->env);
    if (rc < 0) return rc;
    struct journal *journal = NULL;
    struct journal_file_options journal_options = {
        .env = here->env, .log = &here->log, .path = data};
    rc = journal_file_open(&journal_options, &journal);
    if (rc < 0) return rc;
    struct shard_options shard_options = {.env = here->env,
                                          .log = &here->log,
                                          .journal = journal,
                                          .on_failure = on_failure,
                                          .context = here};
    rc = shard_open(&shard_options, &here->shard);
    if (rc < 0) return rc;
    struct sqs_options sqs_options = {.shard = here->shard};
    rc = sqs_open(&sqs_options, &here->sqs);
    if (rc < 0) return rc;
    struct http_server_options http_options = {.env = here->env,
                                               .log = &here->log,
                                               .address = address,
                                               .handler = sqs_handler(),
                                               .context = here->sqs};
    rc = http_server_open(&http_options, &here->server);
    if (rc < 0) return rc;
    return env_on_signal_real(here->env, on_signal, here);
}

static int say_ready(const struct sqs_server *here, const char *path) {
    char draft[4096];
    int count = snprintf(draft, sizeof draft, "%s.new", path);
    if (count < 0 || (size_t)count >= sizeof draft) return -ENAMETOOLONG;
    FILE *file = fopen(draft, "w");
    if (file == NULL) return -EIO;
    fprintf(file, "{\"sqs\": \"http://%s\", \"pid\": %d}\n", http_server_address(here->server),
            (int)getpid());
    if (fclose(file) != 0) return -EIO;
    return rename(draft, path) == 0 ? 0 : -EIO; /* whole or not at all */
}

static const char *option(int count, char **arguments, const char *name) {
    for (int i = 1; i + 1 < count; i++) {
        if (strcmp(arguments[i], name) == 0) return arguments[i + 1];
    }
    return NULL;
}

int main(int count, char **arguments) {
    const char *data = option(count, arguments, "--data");
    const char *address = option(count, arguments, "--listen-sqs");
    const char *ready = option(count, arguments, "--ready-file");
    if (data == NULL || address == NULL || ready == NULL) {
        fputs("usage: sqs_server serve --data DIR --listen-sqs ADDRESS --ready-file FILE\n",
              stderr);
        return 2;
    }
    struct sqs_server here = {.log = {.write = write_log, .level_min = LOG_INFO}};
    int rc = open_parts(&here, data, address);
    if (rc == 0) rc = say_ready(&here, ready);
    if (rc < 0) {
        fprintf(stderr, "sqs_server: cannot start: %s\n", strerror(-rc));
        return 1;
    }
    env_run_real(here.env);
    http_server_close(here.server);
    sqs_close(here.sqs);
    shard_close(here.shard);
    env_run_real(here.env); /* what pool threads still hold goes when they are done */
    env_close_real(here.env);
    return 0;
}
