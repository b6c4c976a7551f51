/* SPDX-License-Identifier: Apache-2.0 */
/* `takt run` and `takt serve`: the same house, with lines or without. */
#include "cli/cli.h"
#include "cli/house.h"
#include "cli/options.h"

#include <stdio.h>

#define COMMON_OPTIONS                                                                             \
    {"data", "DIR", "where the journal lies", "takt-data"},                                        \
        {"listen-sqs", "ADDRESS:PORT", "the SQS endpoint", "127.0.0.1:9324"},                      \
        {"listen-admin", "ADDRESS:PORT", "board and command line", "127.0.0.1:9325"},              \
        {"ready-file", "FILE", "written when ready, with the URLs as JSON", NULL},                 \
        {"grace", "DURATION", "how long workers may finish when takt stops", "30s"},               \
        {"durability", "fsync|none", "none: faster, and a crash loses messages", "fsync"},         \
        {"ephemeral", NULL, "a temporary folder, gone at the end; not synced", NULL},              \
        {"accept-damage", NULL, "start without what a damaged journal has lost", NULL}, {          \
        "log-level", "LEVEL", "debug, info, warning or error", "info"                              \
    }

static const struct option run_table[] = {
    COMMON_OPTIONS,
    {"listen-gateway", "ADDRESS:PORT", "the gateway", "127.0.0.1:8080"},
    {NULL, NULL, NULL, NULL},
};
static const struct option serve_table[] = {
    COMMON_OPTIONS,
    {NULL, NULL, NULL, NULL},
};

static int start(const struct options *options, const char *command, bool runs_lines) {
    struct house_options house = {
        .files = options->words,
        .files_count = options->words_count,
        .runs_lines = runs_lines,
        .data = options_value(options, "data"),
        .ephemeral = options_has(options, "ephemeral"),
        .listen_sqs = options_value(options, "listen-sqs"),
        .listen_admin = options_value(options, "listen-admin"),
        .listen_gateway = runs_lines ? options_value(options, "listen-gateway") : NULL,
        .ready_file = options_value(options, "ready-file"),
        .accept_damage = options_has(options, "accept-damage"),
        .log_level = options_value(options, "log-level"),
    };
    const char *durability = options_value(options, "durability");
    house.no_sync = strcmp(durability, "none") == 0;
    if (!house.no_sync && strcmp(durability, "fsync") != 0) {
        fprintf(stderr, "takt %s: --durability is fsync or none, not %s\n", command, durability);
        return CLI_USAGE;
    }
    if (!options_duration(options_value(options, "grace"), &house.grace_ms)) {
        fprintf(stderr, "takt %s: --grace needs a number and a unit (ms, s, m, h, d), not %s\n",
                command, options_value(options, "grace"));
        return CLI_USAGE;
    }
    return house_run(&house);
}

int cli_run(int argc, char **argv) {
    struct options options;
    bool helped = false;
    if (!options_read(run_table, "run", "FILE…", argc, argv, &options, &helped)) return CLI_USAGE;
    if (helped) return CLI_OK;
    if (options.words_count == 0) {
        fprintf(stderr, "takt run: which line file?\n");
        return CLI_USAGE;
    }
    return start(&options, "run", true);
}

int cli_serve(int argc, char **argv) {
    struct options options;
    bool helped = false;
    if (!options_read(serve_table, "serve", "[FILE]", argc, argv, &options, &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    return start(&options, "serve", false);
}
