/* SPDX-License-Identifier: Apache-2.0 */
/* house_parts.h -- what the house's own files share. */
#ifndef TAKT_CLI_HOUSE_PARTS_H
#define TAKT_CLI_HOUSE_PARTS_H

#include "base/log.h"
#include "board/board.h"
#include "cli/house.h"
#include "gateway/gateway.h"
#include "journal/file/journal_file.h"
#include "line/runtime.h"
#include "sqs/sqs.h"

#define HOUSE_PATH_BYTES_MAX 1024u

struct house {
    const struct house_options *options;
    struct env *env;
    struct log log;
    struct mono_time started;
    uint32_t connections_max; /* of each door */
    struct definition_files files;
    bool files_open;
    char data[HOUSE_PATH_BYTES_MAX];
    char scratch[HOUSE_PATH_BYTES_MAX];
    char mark[RUNTIME_MARK_BYTES];
    char sqs_url[96];
    struct shard *shard;
    struct sqs *sqs;
    struct runtime *runtime;
    struct gateway *gateway;
    struct board *board;
    struct http_server *sqs_server;
    struct http_server *gateway_server;
    struct http_server *admin_server;
    bool stopping;
    int exit_code;
};

/* The log of a terminal or a pipe: `20:27:15.123 warning text` on stderr. */
struct log house_log(const char *level);

/* Create the plain queues of the files; a queue that is there with other settings is said and left
 * as it is. */
void house_create_queues(struct house *house);

/* Write the URLs where this takt is reached; put in place by one rename. */
TAKT_MUST_USE int house_write_ready_file(struct house *house);

/* The folder of --ephemeral goes, when nothing uses it any more. Harmless without that option. */
void house_remove_ephemeral(struct house *house);

/* Refuses an address that others could reach: takt has no keys yet. False: said on stderr. */
TAKT_MUST_USE bool house_is_loopback(const char *option, const char *address);

#endif
