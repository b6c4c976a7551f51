/* SPDX-License-Identifier: Apache-2.0 */
/* action_get_queue_url.c -- GetQueueUrl: under the host that the client called. */
#include "sqs/sqs_inside.h"

struct get_url_input {
    struct slice name;
    struct slice account;
};

static const struct sqs_field fields[] = {
    SQS_FIELD_REQUIRED(get_url_input, name, "QueueName", SQS_TEXT),
    SQS_FIELD(get_url_input, account, "QueueOwnerAWSAccountId", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(get_url_input, fields);

static bool find(const struct sqs_call *call, const struct get_url_input *input, struct slice *url,
                 struct sqs_fault *fault) {
    struct queue_view view;
    bool is_ours =
        input->account.bytes == NULL || slice_equal_string(input->account, call->sqs->account);
    if (!is_ours || !broker_find_queue(shard_broker(call->sqs->shard), input->name, &view))
        return sqs_fail_result(fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
    return sqs_queue_url(call, view.name, url, fault);
}

static void run(struct sqs_call *call, const void *input) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct slice url;
    if (!find(call, input, &url, &fault)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    struct sqs_writer writer = sqs_call_writer(call);
    writer.protocol->text(&writer, SLICE("QueueUrl"), url);
    sqs_answer_durable(call, &writer);
}

const struct sqs_action sqs_action_get_queue_url = {SLICE("GetQueueUrl"), &shape, run, true};
