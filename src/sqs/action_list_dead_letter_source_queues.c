/* SPDX-License-Identifier: Apache-2.0 */
/* action_list_dead_letter_source_queues.c -- ListDeadLetterSourceQueues: whose dead letters go here.
 *
 * There is no index of them: every queue's name is looked at, which takes some milliseconds for a
 * hundred thousand.
 */
#include "sqs/queue_list.h"

struct list_sources_input {
    struct slice queue_url;
    struct queue_list_input page;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(list_sources_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD(list_sources_input, page.next_token, "NextToken", SQS_TEXT),
    SQS_FIELD(list_sources_input, page.results_max, "MaxResults", SQS_INTEGER),
};
static const struct sqs_shape shape = SQS_SHAPE(list_sources_input, fields);

static bool is_source(const struct queue_view *view, struct slice dead_queue) {
    return slice_equal(view->settings.dead_queue, dead_queue);
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct list_sources_input *input = input_any;
    struct queue_view view;
    if (!sqs_view_of(call, input->queue_url, &view)) return;
    queue_list_answer(call, &input->page, is_source, view.name, SLICE("queueUrls"));
}

const struct sqs_action sqs_action_list_dead_letter_source_queues = {
    SLICE("ListDeadLetterSourceQueues"), &shape, run, true};
