/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h -- the commands of takt: one entry in one table, one file each.
 *
 * Data goes to stdout, words to stderr. Exit codes are those of line.md's table, in docs/cli.md.
 */
#ifndef TAKT_CLI_CLI_H
#define TAKT_CLI_CLI_H

#include "base/check.h"
#include "base/slice.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,       /* refused, or failed */
    CLI_USAGE = 2,        /* the call's words are off */
    CLI_BAD_INPUT = 65,   /* a file or a body that cannot be taken */
    CLI_UNREACHABLE = 69, /* no takt answers there */
};

struct cli_command {
    const char *name;
    const char *synopsis; /* what follows the name */
    const char *summary;  /* one line */
    /* argv[0] is the command's name. Returns an exit code. */
    int (*run)(int argc, char **argv);
    bool is_hidden;
};

extern const struct cli_command cli_commands[];
extern const size_t cli_commands_count;

/* The whole program after main. */
int cli_main(int argc, char **argv);

/* The commands, each in its own file. */
int cli_run(int argc, char **argv);
int cli_serve(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_queue(int argc, char **argv);
int cli_job(int argc, char **argv);
int cli_station(int argc, char **argv);
int cli_backup(int argc, char **argv);
int cli_restore(int argc, char **argv);
int cli_data(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);

#endif
