/* SPDX-License-Identifier: Apache-2.0 */
/* action_delete_queue.c -- DeleteQueue: at once, and its name is free at once. */
#include "sqs/sqs_inside.h"

struct delete_queue_input {
    struct slice queue_url;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(delete_queue_input, queue_url, "QueueUrl", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(delete_queue_input, fields);

static void run(struct sqs_call *call, const void *input_any) {
    const struct delete_queue_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct command command = {.kind = COMMAND_QUEUE_DELETE};
    if (!sqs_queue_of(call, input->queue_url, &command.queue.name, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    shard_submit(call->sqs->shard, &command, sqs_on_plain_answer, call);
}

const struct sqs_action sqs_action_delete_queue = {SLICE("DeleteQueue"), &shape, run, false};
