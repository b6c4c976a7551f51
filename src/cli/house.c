/* SPDX-License-Identifier: Apache-2.0 */
/* The house: how a running takt is put together, from the ground up.
 *
 *   read the files          all mistakes at once, exit 65
 *   listen                  a port in use leaves no folder behind; who connects now waits
 *   open the journal        takes the folder's lock: from here on no other takt is there
 *   end earlier lives       workers of a takt that was killed, and their children
 *   open the shard          replays the journal; leases of earlier lives come back
 *   open the doors          SQS, then the lines, the gateway and the board: who waits is heard
 *   run                     until a signal: not ready, doors stop, workers finish, the rest goes back
 *   take it down            the other way round; what workers have left behind is ended, too
 */
#include "cli/house_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILES_WANTED 65536u
#define CONNECTIONS_MAX 10000u /* of a door */
#define DOORS 3u               /* SQS, gateway, board */

static int fail(struct house *house, int rc, const char *what) {
    log_printf(&house->log, LOG_ERROR, "%s: %s", what, strerror(-rc));
    house->exit_code = CLI_FAILED;
    return rc;
}

static void end_loop(void *context) {
    struct house *house = context;
    env_stop_real(house->env);
}

/* Workers are ended at once, and then the loop: what they held comes back at the next start. */
static void end_at_once(struct house *house) {
    if (house->runtime == NULL) {
        end_loop(house);
        return;
    }
    runtime_stop(house->runtime, 0, end_loop, house);
    runtime_stop(house->runtime, 0, end_loop, house); /* asked again: without any grace */
}

static void on_failure(void *context, int result) {
    struct house *house = context;
    log_printf(&house->log, LOG_ERROR,
               "the journal has failed: %s; nothing more can be promised, takt stops",
               strerror(-result));
    house->exit_code = CLI_FAILED;
    end_at_once(house);
}

static void stop_doors(struct house *house) {
    if (house->gateway != NULL) gateway_set_ready(house->gateway, false);
    if (house->board != NULL) board_set_ready(house->board, false);
    if (house->sqs_server != NULL) http_server_stop(house->sqs_server);
    if (house->gateway_server != NULL) http_server_stop(house->gateway_server);
}

static void on_signal(void *context, int signal) {
    struct house *house = context;
    if (signal == SIGHUP) return; /* there is nothing to read again yet */
    if (house->stopping) {
        log_printf(&house->log, LOG_INFO, "stopping at once");
        end_at_once(house);
        return;
    }
    house->stopping = true;
    log_printf(&house->log, LOG_INFO, "stopping: workers may finish for %lld s",
               (long long)(house->options->grace_ms / 1000));
    stop_doors(house);
    if (house->runtime == NULL) {
        end_loop(house);
    } else {
        runtime_stop(house->runtime, house->options->grace_ms, end_loop, house);
    }
}

static void say_ready(struct house *house) {
    int64_t now_ns = house->env->ops->now_mono(house->env).ns;
    log_printf(&house->log, LOG_INFO,
               "ready after %lld ms: queues http://%s, board http://%s%s%s, data in %s%s",
               (long long)((now_ns - house->started.ns) / 1000000),
               http_server_address(house->sqs_server), http_server_address(house->admin_server),
               house->gateway_server == NULL ? "" : ", gateway http://",
               house->gateway_server == NULL ? "" : http_server_address(house->gateway_server),
               house->data,
               house->options->no_sync || house->options->ephemeral
                   ? " (durability: none, a crash of the machine loses messages)"
                   : "");
    /* Last: who waits for the file finds everything done, the line above too. */
    int rc = house_write_ready_file(house);
    if (rc == 0) return;
    (void)fail(house, rc, "cannot write the ready file");
    end_at_once(house);
}

static void on_lines_ready(void *context, enum broker_result result, const char *words) {
    struct house *house = context;
    if (result != BROKER_OK) {
        log_printf(&house->log, LOG_ERROR, "the line cannot be put in force: %s", words);
        house->exit_code = CLI_FAILED;
        end_at_once(house);
        return;
    }
    if (house->gateway != NULL) gateway_set_ready(house->gateway, true);
    board_set_ready(house->board, true);
    say_ready(house);
}

static int read_files(struct house *house) {
    const struct house_options *options = house->options;
    if (options->files_count == 0) return 0;
    int rc = definition_load(house->env, options->files, options->files_count, &house->files);
    house->files_open = true;
    if (rc == 0) return 0;
    if (rc != -EINVAL) return fail(house, rc, "cannot read the line files");
    struct buffer text;
    buffer_open(&text, &house->env->allocator, 1024 * 1024);
    definition_print_errors(&house->files, &text);
    (void)fwrite(text.bytes, 1, text.count, stderr);
    buffer_close(&text);
    house->exit_code = CLI_BAD_INPUT;
    return rc;
}

static int open_folder(struct house *house) {
    const char *wanted = house->options->data;
    char template[] = "/tmp/takt-XXXXXX";
    if (house->options->ephemeral) {
        wanted = mkdtemp(template);
        if (wanted == NULL) return fail(house, -EIO, "cannot make a temporary folder");
    }
    struct env_file *directory = NULL;
    int rc = house->env->ops->open_directory(house->env, wanted, true, &directory);
    house->env->ops->close(house->env, directory);
    if (rc < 0) {
        log_printf(&house->log, LOG_ERROR, "cannot open the data folder %s: %s", wanted,
                   strerror(-rc));
        house->exit_code = CLI_FAILED;
        return rc;
    }
    char resolved[4096];
    if (realpath(wanted, resolved) == NULL || strlen(resolved) + 16 > sizeof house->data) {
        return fail(house, -ENAMETOOLONG, "cannot use the data folder");
    }
    (void)snprintf(house->data, sizeof house->data, "%.*s", (int)sizeof house->data - 16, resolved);
    (void)snprintf(house->scratch, sizeof house->scratch, "%.*s/scratch",
                   (int)sizeof house->scratch - 16, house->data);
    return 0;
}

/* The journal has said where and what. */
static int refuse_journal(struct house *house, int rc, const char *what) {
    if (rc == -EWOULDBLOCK) {
        log_printf(&house->log, LOG_ERROR, "another takt is running on this data folder, %s",
                   house->data);
        house->exit_code = CLI_FAILED;
        return rc;
    }
    rc = fail(house, rc, what);
    if (rc == -EBADMSG) {
        log_printf(
            &house->log, LOG_ERROR,
            "`takt data check --data %s` says what is damaged; `takt data repair` goes on without "
            "it and keeps the damaged files",
            house->data);
    }
    return rc;
}

static int listen_at(struct house *house, const char *address, const struct http_handler *handler,
                     struct http_server **out) {
    int rc =
        http_server_open(&(struct http_server_options){.env = house->env,
                                                       .log = &house->log,
                                                       .address = address,
                                                       .connections_max = house->connections_max,
                                                       .handler = handler},
                         out);
    if (rc == 0) return 0;
    bool is_none = rc == -EINVAL;
    log_printf(&house->log, LOG_ERROR, "cannot listen on %s: %s", address,
               is_none ? "it is not ADDRESS:PORT, with a port up to 65535" : strerror(-rc));
    house->exit_code = is_none ? CLI_USAGE : CLI_FAILED;
    return rc;
}

/* Before the journal is read: who connects meanwhile waits, and is not refused. */
static int listen_at_all(struct house *house) {
    const struct house_options *options = house->options;
    int rc = listen_at(house, options->listen_sqs, sqs_handler(), &house->sqs_server);
    if (rc == 0 && options->runs_lines) {
        rc = listen_at(house, options->listen_gateway, gateway_handler(), &house->gateway_server);
    }
    if (rc < 0) return rc;
    (void)snprintf(house->sqs_url, sizeof house->sqs_url, "http://%s",
                   http_server_address(house->sqs_server));
    return listen_at(house, options->listen_admin, board_handler(), &house->admin_server);
}

static int open_shard(struct house *house) {
    char path[HOUSE_PATH_BYTES_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/journal", house->data);
    struct journal *journal = NULL;
    int rc = journal_file_open(
        &(struct journal_file_options){.env = house->env,
                                       .log = &house->log,
                                       .path = path,
                                       .accept_damage = house->options->accept_damage,
                                       .no_sync =
                                           house->options->no_sync || house->options->ephemeral},
        &journal);
    if (rc < 0) return refuse_journal(house, rc, "cannot open the journal");
    rc = runtime_end_earlier_lives(house->env, &house->log, house->data, house->mark);
    if (rc < 0) {
        journal_close(journal);
        return fail(house, rc, "cannot end the workers of an earlier takt");
    }
    rc = shard_open(&(struct shard_options){.env = house->env,
                                            .log = &house->log,
                                            .journal = journal,
                                            .on_failure = on_failure,
                                            .context = house},
                    &house->shard);
    if (rc < 0) return refuse_journal(house, rc, "cannot open the journal's state");
    return 0;
}

static int open_lines(struct house *house) {
    int rc = runtime_open(&(struct runtime_options){.shard = house->shard,
                                                    .files = &house->files,
                                                    .mark = house->mark,
                                                    .sqs_url = house->sqs_url,
                                                    .scratch = house->scratch,
                                                    .on_ready = on_lines_ready,
                                                    .context = house},
                          &house->runtime);
    if (rc < 0) return fail(house, rc, "cannot run the lines");
    rc = gateway_open(&(struct gateway_options){.shard = house->shard, .files = &house->files},
                      &house->gateway);
    if (rc < 0) return fail(house, rc, "cannot open the gateway");
    http_server_set_context(house->gateway_server, house->gateway);
    return 0;
}

static int open_doors(struct house *house) {
    int rc = sqs_open(&(struct sqs_options){.shard = house->shard}, &house->sqs);
    if (rc < 0) return fail(house, rc, "cannot open the SQS endpoint");
    http_server_set_context(house->sqs_server, house->sqs);
    house_create_queues(house);
    if (house->options->runs_lines) {
        rc = open_lines(house);
        if (rc < 0) return rc;
    }
    rc = board_open(&(struct board_options){.shard = house->shard,
                                            .runtime = house->runtime,
                                            .sqs = sqs_handler(),
                                            .sqs_context = house->sqs,
                                            .version = TAKT_VERSION},
                    &house->board);
    if (rc < 0) return fail(house, rc, "cannot open the board");
    http_server_set_context(house->admin_server, house->board);
    return 0;
}

/* `serve` is ready as soon as the queues of its file are durable. */
static void on_queues_durable(void *context, bool failed) {
    struct house *house = context;
    if (failed) return; /* on_failure has said so */
    board_set_ready(house->board, true);
    say_ready(house);
}

static void close_doors(struct house *house) {
    http_server_close(house->gateway_server);
    http_server_close(house->admin_server);
    http_server_close(house->sqs_server);
    house->gateway_server = house->admin_server = house->sqs_server = NULL;
}

static void close_house(struct house *house) {
    close_doors(house);
    gateway_close(house->gateway);
    board_close(house->board);
    sqs_close(house->sqs);
    runtime_close(house->runtime);
    if (house->runtime != NULL) runtime_end_this_life(house->env, &house->log, house->mark);
    shard_close(house->shard);
    if (house->files_open) definition_close(&house->files);
    env_run_real(house->env); /* what the servers and the journal's threads still hold */
    house_remove_ephemeral(house);
    env_close_real(house->env);
}

/* A flood at one door leaves files for the others, and a quarter of all for the journal and the
 * workers: more connections are told 503 instead of taking those away. */
static void share_files(struct house *house) {
    uint32_t files_max = env_raise_files_max(FILES_WANTED);
    uint32_t share = (files_max - files_max / 4) / DOORS;
    house->connections_max = share < CONNECTIONS_MAX ? share : CONNECTIONS_MAX;
    if (house->connections_max == 0) house->connections_max = 1;
}

static int build(struct house *house) {
    share_files(house);
    int rc = env_on_signal_real(house->env, on_signal, house);
    if (rc < 0) return fail(house, rc, "cannot watch for signals");
    rc = process_adopt(house->env);
    if (rc < 0) return fail(house, rc, "cannot adopt what workers may leave");
    rc = read_files(house);
    if (rc == 0) rc = listen_at_all(house);
    if (rc == 0) rc = open_folder(house);
    if (rc == 0) rc = open_shard(house);
    if (rc == 0) rc = open_doors(house);
    if (rc == 0 && !house->options->runs_lines) {
        shard_when_durable(house->shard, on_queues_durable, house);
    }
    return rc;
}

int house_run(const struct house_options *options) {
    if (!house_is_loopback("listen-sqs", options->listen_sqs) ||
        !house_is_loopback("listen-admin", options->listen_admin) ||
        (options->runs_lines && !house_is_loopback("listen-gateway", options->listen_gateway))) {
        return CLI_USAGE;
    }
    struct house house = {.options = options, .log = house_log(options->log_level)};
    int rc = env_open_real(&house.env);
    if (rc < 0) {
        fprintf(stderr, "takt: cannot start its event loop: %s\n", strerror(-rc));
        return CLI_FAILED;
    }
    house.started = house.env->ops->now_mono(house.env);
    bool is_built = build(&house) == 0;
    if (!is_built) close_doors(&house); /* not all have someone behind them */
    if (!is_built && house.runtime != NULL) end_at_once(&house); /* its workers go in the loop */
    if (is_built || house.runtime != NULL) env_run_real(house.env);
    close_house(&house);
    return house.exit_code;
}
