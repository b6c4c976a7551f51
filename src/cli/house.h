/* SPDX-License-Identifier: Apache-2.0 */
/* house.h -- builds the parts of a running takt, joins them, and takes them down again. */
#ifndef TAKT_CLI_HOUSE_H
#define TAKT_CLI_HOUSE_H

#include "cli/cli.h"

#include <stdint.h>

struct house_options {
    const char *const *files; /* borrowed: the line files; none for `serve` without one */
    uint32_t files_count;
    bool runs_lines;        /* `run`: lines with their workers, and the gateway */
    const char *data;       /* the folder */
    bool ephemeral;         /* a folder of its own, gone at the end; nothing is synced */
    const char *listen_sqs; /* address:port */
    const char *listen_gateway;
    const char *listen_admin;
    const char *ready_file; /* NULL: none */
    int64_t grace_ms;
    bool no_sync;          /* durability: none */
    bool accept_damage;    /* go on where the journal is damaged, without what cannot be read */
    const char *log_level; /* debug, info, warning, error */
};

/* Runs until a signal or a failure. Returns an exit code. */
int house_run(const struct house_options *options);

#endif
