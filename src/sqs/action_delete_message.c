/* SPDX-License-Identifier: Apache-2.0 */
/* action_delete_message.c -- DeleteMessage: any handle ever given out for it ends a message. */
#include "sqs/handle.h"

static const struct sqs_field fields[] = {
    SQS_FIELD(handle_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_REQUIRED(handle_input, receipt_handle, "ReceiptHandle", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(handle_input, fields);

static void run(struct sqs_call *call, const void *input) {
    handle_run(call, input, COMMAND_DELETE);
}

const struct sqs_action sqs_action_delete_message = {SLICE("DeleteMessage"), &shape, run, false};
