/* SPDX-License-Identifier: Apache-2.0 */
/* handle.c -- a receipt handle is checked by its tag here, by its message in the broker. */
#include "sqs/handle.h"

#include "broker/receipt.h"
#include "sqs/batch.h"

#include <stdio.h>

static bool read_handle(const struct sqs_call *call, const struct handle_input *input,
                        enum command_kind kind, struct receipt *out, struct sqs_fault *fault) {
    if (kind == COMMAND_VISIBILITY &&
        !sqs_check_range(&input->visibility_timeout, "VisibilityTimeout", 0, 43200,
                         "VisibilityTimeout must be >= 0 and <= 43200.", fault))
        return false;
    const struct broker *broker = shard_broker(call->sqs->shard);
    if (receipt_read(broker, input->receipt_handle, out)) return true;
    char words[512];
    struct slice excerpt = sqs_excerpt(input->receipt_handle);
    int count = snprintf(words, sizeof words,
                         "The input receipt handle \"%.*s\" is not a valid receipt "
                         "handle.",
                         SLICE_ARGS(excerpt));
    return sqs_fail_result(fault, BROKER_HANDLE_INVALID, slice_from(words, (size_t)count));
}

/* A no to a handle that was sound; false: it needs no words but its own. */
static bool fail_in_words(enum broker_result result, const struct handle_input *input,
                          struct sqs_fault *fault) {
    if (result == BROKER_MESSAGE_GONE) {
        sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                 "Value %.*s for parameter ReceiptHandle is invalid. Reason: Message does not "
                 "exist or is not available for visibility timeout change.",
                 SLICE_ARGS(sqs_excerpt(input->receipt_handle)));
    } else if (result == BROKER_VALUE_INVALID) { /* the value alone was looked at before */
        sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                 "Value %lld for parameter VisibilityTimeout is invalid. Reason: Total "
                 "VisibilityTimeout for the message is beyond the limit [43200 seconds].",
                 (long long)input->visibility_timeout.value);
    }
    return fault->type != NULL;
}

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    enum broker_result result = answer->result;
    if (sqs_is_good(result)) result = answer->send.results[0];
    if (call->request == NULL) {
        sqs_call_end(call);
    } else if (sqs_is_good(result)) {
        sqs_answer_nothing(call);
    } else {
        struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
        if (fail_in_words(result, call->state, &fault)) {
            sqs_refuse(call, &fault);
        } else {
            sqs_refuse_result(call, result, answer->detail);
        }
    }
}

void handle_run(struct sqs_call *call, const struct handle_input *input, enum command_kind kind) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct slice queue;
    if (!sqs_queue_of(call, input->queue_url, &queue, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    struct receipt receipt;
    if (!read_handle(call, input, kind, &receipt, &fault)) {
        struct queue_view view;
        if (!broker_find_queue(shard_broker(call->sqs->shard), queue, &view))
            sqs_fail_result(&fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
        sqs_refuse_durable(call, &fault);
        return;
    }
    struct handle_input *kept = arena_take(sqs_call_arena(call), sizeof *kept);
    if (kept == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    *kept = *input;
    call->state = kept;
    int64_t visibility_ms = input->visibility_timeout.value * 1000;
    struct command command = {.kind = kind,
                              .handles = {.queue = queue,
                                          .receipts = &receipt,
                                          .visibility_ms = &visibility_ms,
                                          .receipts_count = 1}};
    shard_submit(call->sqs->shard, &command, on_answer, call);
}

static void on_batch_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
    } else {
        struct batch *batch = call->state;
        const struct handle_input *entries = batch->entries;
        for (uint32_t i = 0; sqs_is_good(answer->result) && i < batch->commanded_count; i++) {
            uint32_t entry = batch->places[i];
            fail_in_words(answer->send.results[i], &entries[entry], &batch->faults[entry]);
        }
        batch_answer(batch, answer, NULL, NULL);
    }
}

/* What a single request would miss as a whole is here the entry's own fault. */
static bool read_entry(const struct sqs_call *call, const struct handle_input *entry,
                       enum command_kind kind, struct receipt *out, struct sqs_fault *fault) {
    if (entry->receipt_handle.count == 0) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "The request must contain the parameter ReceiptHandle.");
    }
    if (kind == COMMAND_VISIBILITY && !entry->visibility_timeout.is_given) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "The request must contain the parameter VisibilityTimeout.");
    }
    return read_handle(call, entry, kind, out, fault);
}

void handle_run_batch(struct sqs_call *call, const struct handle_batch_input *input,
                      enum command_kind kind, const char *request_kind,
                      struct slice result_element) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    if (!sqs_check_batch(&input->entries, request_kind, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    const struct handle_input *entries = input->entries.items;
    struct slice ids[BROKER_BATCH_MAX];
    for (uint32_t i = 0; i < input->entries.count; i++) ids[i] = entries[i].id;
    struct batch *batch =
        batch_open(call, input->queue_url, ids, input->entries.count, request_kind);
    if (batch == NULL) return;
    batch->result_element = result_element;
    batch->entries = entries;

    struct receipt receipts[BROKER_BATCH_MAX];
    int64_t visibility_ms[BROKER_BATCH_MAX];
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t place = batch->commanded_count;
        read_entry(call, &entries[i], kind, &receipts[place], &batch->faults[i]);
        visibility_ms[place] = entries[i].visibility_timeout.value * 1000;
        batch_add(batch, i);
    }
    if (batch->commanded_count == 0) {
        batch_answer_faults(batch);
        return;
    }
    struct command command = {.kind = kind,
                              .handles = {.queue = batch->queue,
                                          .receipts = receipts,
                                          .visibility_ms = visibility_ms,
                                          .receipts_count = batch->commanded_count}};
    shard_submit(call->sqs->shard, &command, on_batch_answer, call);
}
