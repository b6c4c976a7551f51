/* SPDX-License-Identifier: Apache-2.0 */
/* action_list_queues.c -- ListQueues. */
#include "sqs/queue_list.h"

static const struct sqs_field fields[] = {
    SQS_FIELD(queue_list_input, prefix, "QueueNamePrefix", SQS_TEXT),
    SQS_FIELD(queue_list_input, next_token, "NextToken", SQS_TEXT),
    SQS_FIELD(queue_list_input, results_max, "MaxResults", SQS_INTEGER),
};
static const struct sqs_shape shape = SQS_SHAPE(queue_list_input, fields);

static void run(struct sqs_call *call, const void *input) {
    queue_list_answer(call, input, NULL, SLICE_EMPTY, SLICE("QueueUrls"));
}

const struct sqs_action sqs_action_list_queues = {SLICE("ListQueues"), &shape, run, true};
