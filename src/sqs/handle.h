/* SPDX-License-Identifier: Apache-2.0 */
/* handle.h -- the actions on receipt handles: delete and visibility, alone and in batches. */
#ifndef TAKT_SQS_HANDLE_H
#define TAKT_SQS_HANDLE_H

#include "sqs/sqs_inside.h"

struct handle_input { /* a request, or an entry of a batch */
    struct slice queue_url;
    struct slice id;
    struct slice receipt_handle;
    struct sqs_integer visibility_timeout; /* COMMAND_VISIBILITY only */
};
struct handle_batch_input {
    struct slice queue_url;
    struct sqs_entries entries; /* struct handle_input */
};

/* kind: COMMAND_DELETE or COMMAND_VISIBILITY. Answers. */
void handle_run(struct sqs_call *call, const struct handle_input *input, enum command_kind kind);
/* request_kind, result_element: what entries are called. */
void handle_run_batch(struct sqs_call *call, const struct handle_batch_input *input,
                      enum command_kind kind, const char *request_kind,
                      struct slice result_element);

#endif
