/* SPDX-License-Identifier: Apache-2.0 */
/* board.h -- the operator's door: the API that the command line speaks, and probes.
 *
 * Requests with X-Amz-Target go to the SQS handler, so that one address is enough for `takt queue`.
 */
#ifndef TAKT_BOARD_BOARD_H
#define TAKT_BOARD_BOARD_H

#include "http/server.h"
#include "line/runtime.h"
#include "shard/shard.h"

struct board;

struct board_options {
    struct shard *shard;            /* kept */
    struct runtime *runtime;        /* kept; NULL: `takt serve`, queues alone */
    const struct http_handler *sqs; /* kept */
    void *sqs_context;              /* kept */
    const char *version;            /* kept */
};

TAKT_MUST_USE int board_open(const struct board_options *options, struct board **out);
void board_close(struct board *board); /* after its server is closed; NULL is allowed */
void board_set_ready(struct board *board, bool ready);

const struct http_handler *board_handler(void); /* context: the struct board */

#endif
