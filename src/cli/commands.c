/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

const struct cli_command cli_commands[] = {
    {"run", "FILE…", "run the lines of these files", cli_run, false},
    {"serve", "[FILE]", "queues alone: an SQS endpoint", cli_serve, false},
    {"check", "FILE… [--explain]", "say all that is wrong with line files", cli_check, false},
    {"version", "", "this program's version", cli_version, false},
    {"help", "", "this list", cli_help, false},
};
const size_t cli_commands_count = ARRAY_COUNT(cli_commands);
