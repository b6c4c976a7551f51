/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include "env/process.h"

#include <stdio.h>
#include <string.h>

static const struct cli_command *find(const char *name) {
    for (size_t i = 0; i < cli_commands_count; i++) {
        if (strcmp(cli_commands[i].name, name) == 0) return &cli_commands[i];
    }
    return NULL;
}

static void print_commands(FILE *out) {
    fprintf(out, "takt runs services joined by durable queues.\n\n");
    for (size_t i = 0; i < cli_commands_count; i++) {
        const struct cli_command *command = &cli_commands[i];
        if (command->is_hidden) continue;
        fprintf(out, "  takt %-8s %-32s %s\n", command->name, command->synopsis, command->summary);
    }
    fprintf(out, "\n`takt COMMAND --help` tells more.\n");
}

int cli_help(int argc, char **argv) {
    (void)argc;
    (void)argv;
    print_commands(stdout);
    return CLI_OK;
}

int cli_version(int argc, char **argv) {
    (void)argc;
    (void)argv;
    printf("takt " TAKT_VERSION "\n");
    return CLI_OK;
}

int cli_main(int argc, char **argv) {
    /* Not a command for people: how a worker becomes its program (env/process.h). */
    if (argc > 1 && strcmp(argv[1], "worker-exec") == 0) return process_exec_main(argc, argv);
    if (argc < 2) {
        print_commands(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    const struct cli_command *command = find(name);
    if (command == NULL) {
        fprintf(stderr, "takt: there is no command `%s`; `takt help` lists them\n", name);
        return CLI_USAGE;
    }
    int code = command->run(argc - 1, argv + 1);
    /* An answer that could not be written is no answer. */
    if (fflush(stdout) != 0 && code == CLI_OK) {
        fprintf(stderr, "takt: cannot write to standard output\n");
        return CLI_FAILED;
    }
    return code;
}
