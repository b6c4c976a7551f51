/* SPDX-License-Identifier: Apache-2.0 */
/* action_delete_message_batch.c -- DeleteMessageBatch. */
#include "sqs/handle.h"

static const struct sqs_field entry_fields[] = {
    SQS_FIELD(handle_input, id, "Id", SQS_TEXT),
    SQS_FIELD(handle_input, receipt_handle, "ReceiptHandle", SQS_TEXT),
};
static const struct sqs_shape entry_shape = SQS_SHAPE(handle_input, entry_fields);

static const struct sqs_field fields[] = {
    SQS_FIELD(handle_batch_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_ENTRIES(handle_batch_input, entries, entry_shape, "DeleteMessageBatchRequestEntry"),
};
static const struct sqs_shape shape = SQS_SHAPE(handle_batch_input, fields);

static void run(struct sqs_call *call, const void *input) {
    handle_run_batch(call, input, COMMAND_DELETE, "DeleteMessageBatchRequestEntry",
                     SLICE("DeleteMessageBatchResultEntry"));
}

const struct sqs_action sqs_action_delete_message_batch = {SLICE("DeleteMessageBatch"), &shape, run,
                                                           true};
