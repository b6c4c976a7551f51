/* SPDX-License-Identifier: Apache-2.0 */
/* options.h -- reads the words of a command line: flags, their TAKT_… twins, and what is left. */
#ifndef TAKT_CLI_OPTIONS_H
#define TAKT_CLI_OPTIONS_H

#include "base/check.h"
#include "base/slice.h"

#include <stdint.h>

#define OPTIONS_MAX 24u
#define OPTIONS_WORDS_MAX 256u

struct option {
    const char *name;     /* without the dashes: "listen-sqs"; also read from TAKT_LISTEN_SQS */
    const char *argument; /* what it takes, as help shows it; NULL: a switch */
    const char *help;
    const char *otherwise; /* the value if it is not given; may be NULL */
};

struct options {
    const struct option *table;           /* borrowed; ends with a name of NULL */
    const char *values[OPTIONS_MAX];      /* in the table's order; a switch that is given: "yes" */
    const char *words[OPTIONS_WORDS_MAX]; /* what is not a flag, in order */
    uint32_t words_count;
};

/* `--name value`, `--name=value`, `--` ends the flags, `-o` stands for `--output`. Flag beats
 * environment beats `otherwise`. False: said on stderr; exit with CLI_USAGE. `--help` prints
 * the command's help on stdout and sets *helped. */
TAKT_MUST_USE bool options_read(const struct option *table, const char *command,
                                const char *synopsis, int argc, char **argv, struct options *out,
                                bool *helped);
/* The value of an option of the table, or NULL. */
const char *options_value(const struct options *options, const char *name);
bool options_has(const struct options *options, const char *name);
/* "250ms", "5s", "2m", "6h", "7d" to milliseconds. */
TAKT_MUST_USE bool options_duration(const char *text, int64_t *ms);
/* "2048", "2048B", "256KiB", "1MiB", "1GiB" to bytes. */
TAKT_MUST_USE bool options_size(const char *text, uint64_t *bytes_count);

#endif
