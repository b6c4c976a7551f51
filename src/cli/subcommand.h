/* SPDX-License-Identifier: Apache-2.0 */
/* subcommand.h -- the second words of commands: `queue list`, `job show`. */
#ifndef TAKT_CLI_SUBCOMMAND_H
#define TAKT_CLI_SUBCOMMAND_H

#include "cli/client.h"
#include "cli/options.h"

/* A subcommand: options were read, the client is open, words[0] is the queue's name where one is
 * needed. Returns an exit code. */
typedef int subcommand_fn(struct client *client, const struct options *options);

struct subcommand {
    const char *name;
    const char *synopsis;
    const char *summary;
    const struct option *options; /* ends with a name of NULL; has `server` */
    uint32_t words_min;
    uint32_t words_max;
    subcommand_fn *run;
};

/* Finds the subcommand of argv[1], reads its options, opens the client and runs it. */
int subcommand_run(const char *command, const struct subcommand *table, size_t count, int argc,
                   char **argv);

#define SUBCOMMAND_SERVER                                                                          \
    { "server", "URL", "the takt to speak to", CLIENT_SERVER_DEFAULT }
#define SUBCOMMAND_OUTPUT                                                                          \
    { "output", "table|json|ndjson", "how to print", "table" }
#define SUBCOMMAND_END                                                                             \
    { NULL, NULL, NULL, NULL }

subcommand_fn queue_list;
subcommand_fn queue_create;
subcommand_fn queue_delete;
subcommand_fn queue_purge;
subcommand_fn queue_send;
subcommand_fn queue_receive;
subcommand_fn queue_peek;
subcommand_fn queue_redrive;

/* `{"QueueUrl": NAME` … the caller goes on and closes the object. */
void queue_begin_request(struct buffer *out, const char *name);

#endif
