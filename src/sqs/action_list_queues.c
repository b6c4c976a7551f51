/* SPDX-License-Identifier: Apache-2.0 */
/* action_list_queues.c -- ListQueues: names in byte order, a page at a time.
 *
 * The token of the next page is the last name of this one, in base64: nothing is kept for it, and
 * it stays good whatever is created or deleted in between.
 */
#include "sqs/base64.h"
#include "sqs/sqs_inside.h"

#define RESULTS_MAX 1000

struct list_input {
    struct slice prefix;
    struct slice next_token;
    struct sqs_integer results_max;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(list_input, prefix, "QueueNamePrefix", SQS_TEXT),
    SQS_FIELD(list_input, next_token, "NextToken", SQS_TEXT),
    SQS_FIELD(list_input, results_max, "MaxResults", SQS_INTEGER),
};
static const struct sqs_shape shape = SQS_SHAPE(list_input, fields);

static bool check(const struct sqs_call *call, const struct list_input *input, struct slice *after,
                  struct sqs_fault *fault) {
    *after = SLICE_EMPTY;
    if (!sqs_check_range(&input->results_max, "MaxResults", 1, RESULTS_MAX,
                         "MaxResults must be an integer between 1 and 1000.", fault))
        return false;
    if (input->next_token.bytes == NULL) return true;
    if (!base64_read(sqs_call_arena(call), input->next_token, after) || after->count == 0)
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE, "Invalid NextToken.");
    return true;
}

/* Writes the URLs; *last is the last name if there are more of them. */
static bool write_page(const struct sqs_call *call, const struct list_input *input,
                       struct slice after, struct sqs_writer *writer, struct slice *last,
                       struct sqs_fault *fault) {
    const struct broker *broker = shard_broker(call->sqs->shard);
    int64_t count_max = input->results_max.is_given ? input->results_max.value : RESULTS_MAX;
    struct queue_view view;
    int64_t count = 0;
    *last = SLICE_EMPTY;
    for (; broker_next_queue(broker, after, input->prefix, &view); count++) {
        if (count == count_max) {
            *last = after;
            break;
        }
        struct slice url;
        if (!sqs_queue_url(call, view.name, &url, fault)) return false;
        if (count == 0) writer->protocol->list_begin(writer, SLICE("QueueUrls"));
        writer->protocol->list_text(writer, SLICE("QueueUrl"), url);
        after = view.name;
    }
    if (count > 0) writer->protocol->list_end(writer);
    return true;
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct list_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct slice after;
    struct slice last;
    if (!check(call, input, &after, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    struct sqs_writer writer = sqs_call_writer(call);
    if (!write_page(call, input, after, &writer, &last, &fault)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    if (last.count > 0 && input->results_max.is_given)
        writer.protocol->bytes(&writer, SLICE("NextToken"), last);
    sqs_answer_durable(call, &writer);
}

const struct sqs_action sqs_action_list_queues = {SLICE("ListQueues"), &shape, run, true};
