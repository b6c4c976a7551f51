/* SPDX-License-Identifier: Apache-2.0 */
/* sqs.h -- the SQS endpoint: a request becomes one command, its answer one response.
 *
 * An action is one entry in one table (sqs_actions.c) and one small file (action_NAME.c).
 */
#ifndef TAKT_SQS_SQS_H
#define TAKT_SQS_SQS_H

#include "http/server.h"
#include "shard/shard.h"

struct sqs;

struct sqs_options {
    struct shard *shard; /* kept */
    const char *account; /* borrowed; NULL: 000000000000 */
    const char *region;  /* borrowed; NULL: us-east-1; used where the signature names none */
};

TAKT_MUST_USE int sqs_open(const struct sqs_options *options, struct sqs **out);
/* After every server that uses it is closed, before the shard or after it. NULL is allowed. */
void sqs_close(struct sqs *sqs);

/* To be given to http_server_open with the struct sqs as context; the board mounts it too. */
const struct http_handler *sqs_handler(void);

#endif
