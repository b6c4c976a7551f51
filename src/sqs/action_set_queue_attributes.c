/* SPDX-License-Identifier: Apache-2.0 */
/* action_set_queue_attributes.c -- SetQueueAttributes: all of them, or none if one is wrong. */
#include "sqs/sqs_settings.h"

struct set_attributes_input {
    struct slice queue_url;
    struct sqs_pairs attributes;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(set_attributes_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_LIST_REQUIRED(set_attributes_input, attributes, "Attributes", "Attribute", SQS_PAIRS),
};
static const struct sqs_shape shape = SQS_SHAPE(set_attributes_input, fields);

static void run(struct sqs_call *call, const void *input_any) {
    const struct set_attributes_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct command command = {.kind = COMMAND_QUEUE_SET};
    struct sqs_change change;
    if (!sqs_queue_of(call, input->queue_url, &command.queue.name, &fault) ||
        !sqs_change_open(&change, call, &command.queue, sqs_settings_notes_max(&input->attributes),
                         &fault) ||
        !sqs_settings_read(&change, &input->attributes)) {
        sqs_refuse(call, &fault);
        return;
    }
    shard_submit(call->sqs->shard, &command, sqs_on_plain_answer, call);
}

const struct sqs_action sqs_action_set_queue_attributes = {SLICE("SetQueueAttributes"), &shape, run,
                                                           false};
