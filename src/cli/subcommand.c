/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/subcommand.h"

#include <stdio.h>

static void print_subcommands(FILE *out, const char *command, const struct subcommand *table,
                              size_t count) {
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  takt %s %-8s %-34s %s\n", command, table[i].name, table[i].synopsis,
                table[i].summary);
    }
}

static int run_one(const char *command, const struct subcommand *subcommand, int argc,
                   char **argv) {
    char name[64];
    (void)snprintf(name, sizeof name, "%s %s", command, subcommand->name);
    struct options options;
    bool helped = false;
    if (!options_read(subcommand->options, name, subcommand->synopsis, argc, argv, &options,
                      &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    if (options.words_count < subcommand->words_min ||
        options.words_count > subcommand->words_max) {
        fprintf(stderr, "usage: takt %s %s\n", name, subcommand->synopsis);
        return CLI_USAGE;
    }
    struct client *client = client_open(options_value(&options, "server"));
    if (client == NULL) return CLI_FAILED;
    int code = subcommand->run(client, &options);
    client_close(client);
    return code;
}

int subcommand_run(const char *command, const struct subcommand *table, size_t count, int argc,
                   char **argv) {
    if (argc < 2) {
        print_subcommands(stderr, command, table, count);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_subcommands(stdout, command, table, count);
        return CLI_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, argv[1]) == 0) {
            return run_one(command, &table[i], argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "takt %s: there is no `%s`\n", command, argv[1]);
    print_subcommands(stderr, command, table, count);
    return CLI_USAGE;
}
