/* SPDX-License-Identifier: Apache-2.0 */
/* action_get_queue_attributes.c -- GetQueueAttributes: those that are named, or All. */
#include "sqs/sqs_settings.h"

struct get_attributes_input {
    struct slice queue_url;
    struct sqs_texts names;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(get_attributes_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_LIST(get_attributes_input, names, "AttributeNames", "AttributeName", SQS_TEXTS),
};
static const struct sqs_shape shape = SQS_SHAPE(get_attributes_input, fields);

static void run(struct sqs_call *call, const void *input_any) {
    const struct get_attributes_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct queue_view view;
    if (!sqs_view_of(call, input->queue_url, &view)) return;
    struct sqs_writer writer = sqs_call_writer(call);
    if (sqs_settings_write(call, &input->names, &view, &writer, &fault)) {
        sqs_answer_durable(call, &writer);
    } else {
        sqs_refuse_durable(call, &fault);
    }
}

const struct sqs_action sqs_action_get_queue_attributes = {SLICE("GetQueueAttributes"), &shape, run,
                                                           true};
