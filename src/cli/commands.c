/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

const struct cli_command cli_commands[] = {
    {"run", "FILE…", "run the lines of these files", cli_run, false},
    {"serve", "[FILE]", "queues alone: an SQS endpoint", cli_serve, false},
    {"check", "FILE… [--explain]", "say all that is wrong with line files", cli_check, false},
    {"queue", "list|create|send|receive|…", "queues and their messages", cli_queue, false},
    {"job", "list|show|follow", "where an order is", cli_job, false},
    {"station", "list|scale", "stations and their workers", cli_station, false},
    {"backup", "FILE|-", "a copy of all that a running takt holds", cli_backup, false},
    {"restore", "FILE|- --data DIR", "a data folder from a backup", cli_restore, false},
    {"data", "check|repair", "is a stopped takt's data whole? what to do if not", cli_data, false},
    {"status", "", "the whole of it on one page", cli_status, false},
    {"version", "", "this program's version", cli_version, false},
    {"help", "", "this list", cli_help, false},
};
const size_t cli_commands_count = ARRAY_COUNT(cli_commands);
