/* SPDX-License-Identifier: Apache-2.0 */
/* action_change_message_visibility_batch.c -- ChangeMessageVisibilityBatch. */
#include "sqs/handle.h"

static const struct sqs_field entry_fields[] = {
    SQS_FIELD(handle_input, id, "Id", SQS_TEXT),
    SQS_FIELD(handle_input, receipt_handle, "ReceiptHandle", SQS_TEXT),
    SQS_FIELD(handle_input, visibility_timeout, "VisibilityTimeout", SQS_INTEGER),
};
static const struct sqs_shape entry_shape = SQS_SHAPE(handle_input, entry_fields);

static const struct sqs_field fields[] = {
    SQS_FIELD(handle_batch_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_ENTRIES(handle_batch_input, entries, entry_shape,
                      "ChangeMessageVisibilityBatchRequestEntry"),
};
static const struct sqs_shape shape = SQS_SHAPE(handle_batch_input, fields);

static void run(struct sqs_call *call, const void *input) {
    handle_run_batch(call, input, COMMAND_VISIBILITY, "ChangeMessageVisibilityBatchRequestEntry",
                     SLICE("ChangeMessageVisibilityBatchResultEntry"));
}

const struct sqs_action sqs_action_change_message_visibility_batch = {
    SLICE("ChangeMessageVisibilityBatch"), &shape, run, true};
