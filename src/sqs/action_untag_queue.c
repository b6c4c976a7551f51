/* SPDX-License-Identifier: Apache-2.0 */
/* action_untag_queue.c -- UntagQueue: takes tags away; one that is not there is no error. */
#include "sqs/sqs_settings.h"

struct untag_input {
    struct slice queue_url;
    struct sqs_texts keys;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(untag_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_LIST_REQUIRED(untag_input, keys, "TagKeys", "TagKey", SQS_TEXTS),
};
static const struct sqs_shape shape = SQS_SHAPE(untag_input, fields);

static void run(struct sqs_call *call, const void *input_any) {
    const struct untag_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct command command = {.kind = COMMAND_QUEUE_SET};
    struct sqs_change change;
    if (!sqs_queue_of(call, input->queue_url, &command.queue.name, &fault) ||
        !sqs_change_open(&change, call, &command.queue, input->keys.count, &fault) ||
        !sqs_tags_remove(&change, &input->keys)) {
        sqs_refuse(call, &fault);
        return;
    }
    shard_submit(call->sqs->shard, &command, sqs_on_plain_answer, call);
}

const struct sqs_action sqs_action_untag_queue = {SLICE("UntagQueue"), &shape, run, false};
