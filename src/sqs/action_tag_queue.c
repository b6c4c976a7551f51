/* SPDX-License-Identifier: Apache-2.0 */
/* action_tag_queue.c -- TagQueue: adds tags, and gives those that are there new values. */
#include "sqs/sqs_settings.h"

struct tag_input {
    struct slice queue_url;
    struct sqs_pairs tags;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(tag_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_LIST_REQUIRED(tag_input, tags, "Tags", "Tag", SQS_PAIRS),
};
static const struct sqs_shape shape = SQS_SHAPE(tag_input, fields);

static void run(struct sqs_call *call, const void *input_any) {
    const struct tag_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct command command = {.kind = COMMAND_QUEUE_SET};
    struct sqs_change change;
    if (!sqs_queue_of(call, input->queue_url, &command.queue.name, &fault) ||
        !sqs_change_open(&change, call, &command.queue, input->tags.count, &fault) ||
        !sqs_tags_read(&change, &input->tags)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    shard_submit(call->sqs->shard, &command, sqs_on_plain_answer, call);
}

const struct sqs_action sqs_action_tag_queue = {SLICE("TagQueue"), &shape, run, false};
