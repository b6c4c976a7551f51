/* SPDX-License-Identifier: Apache-2.0 */
/* queue_list.c -- pages of queues.
 *
 * The token of the next page is the last name of this one, in base64: nothing is kept for it, and
 * it stays good whatever is created or deleted in between.
 */
#include "sqs/queue_list.h"

#include "sqs/base64.h"

#define RESULTS_MAX 1000

static bool check(const struct sqs_call *call, const struct queue_list_input *input,
                  struct slice *after, struct sqs_fault *fault) {
    *after = SLICE_EMPTY;
    if (!sqs_check_range(&input->results_max, "MaxResults", 1, RESULTS_MAX,
                         "MaxResults must be an integer between 1 and 1000.", fault))
        return false;
    if (input->next_token.bytes == NULL) return true;
    if (!base64_read(sqs_call_arena(call), input->next_token, after) || after->count == 0)
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE, "Invalid NextToken.");
    return true;
}

struct page {
    struct slice member;
    struct slice after;
    struct slice last; /* name on it, if there are more behind it; else empty */
    int64_t count_max;
    queue_list_fn *is_wanted;
    struct slice context;
};

static bool write_page(const struct sqs_call *call, struct slice prefix, struct page *page,
                       struct sqs_writer *writer, struct sqs_fault *fault) {
    const struct broker *broker = shard_broker(call->sqs->shard);
    struct slice at = page->after;
    struct slice written = SLICE_EMPTY;
    struct queue_view view;
    int64_t count = 0;
    for (; broker_next_queue(broker, at, prefix, &view); at = view.name) {
        if (page->is_wanted != NULL && !page->is_wanted(&view, page->context)) continue;
        if (count == page->count_max) {
            page->last = written;
            break;
        }
        struct slice url;
        if (!sqs_queue_url(call, view.name, &url, fault)) return false;
        if (count++ == 0) writer->protocol->list_begin(writer, page->member);
        writer->protocol->list_text(writer, SLICE("QueueUrl"), url);
        written = view.name;
    }
    if (count > 0) writer->protocol->list_end(writer);
    return true;
}

void queue_list_answer(struct sqs_call *call, const struct queue_list_input *input,
                       queue_list_fn *is_wanted, struct slice context, struct slice member) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct page page = {.member = member,
                        .count_max =
                            input->results_max.is_given ? input->results_max.value : RESULTS_MAX,
                        .is_wanted = is_wanted,
                        .context = context};
    if (!check(call, input, &page.after, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    struct sqs_writer writer = sqs_call_writer(call);
    if (!write_page(call, input->prefix, &page, &writer, &fault)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    if (page.last.count > 0 && input->results_max.is_given)
        writer.protocol->bytes(&writer, SLICE("NextToken"), page.last);
    sqs_answer_durable(call, &writer);
}
