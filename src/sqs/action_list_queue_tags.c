/* SPDX-License-Identifier: Apache-2.0 */
/* action_list_queue_tags.c -- ListQueueTags. */
#include "sqs/sqs_settings.h"

struct list_tags_input {
    struct slice queue_url;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(list_tags_input, queue_url, "QueueUrl", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(list_tags_input, fields);

static void run(struct sqs_call *call, const void *input_any) {
    const struct list_tags_input *input = input_any;
    struct queue_view view;
    if (!sqs_view_of(call, input->queue_url, &view)) return;
    struct sqs_writer writer = sqs_call_writer(call);
    sqs_tags_write(&view, &writer);
    sqs_answer_durable(call, &writer);
}

const struct sqs_action sqs_action_list_queue_tags = {SLICE("ListQueueTags"), &shape, run, true};
