/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c -- ids and faults in, "Successful" and "Failed" out. */
#include "sqs/batch.h"

#include "sqs/message.h"

struct batch *batch_open(struct sqs_call *call, struct slice queue_url, const struct slice *ids,
                         uint32_t count, const char *kind) {
    CHECK(count >= 1 && count <= BROKER_BATCH_MAX);
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct batch *batch = arena_take(sqs_call_arena(call), sizeof *batch);
    if (batch == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return NULL;
    }
    if (!sqs_queue_of(call, queue_url, &batch->queue, &fault) ||
        !sqs_check_batch_ids(ids, count, kind, &fault)) {
        sqs_refuse(call, &fault);
        return NULL;
    }
    batch->call = call;
    batch->entries = NULL;
    batch->count = count;
    for (uint32_t i = 0; i < count; i++) {
        batch->ids[i] = ids[i];
        batch->faults[i] = sqs_fault_none(sqs_call_arena(call));
    }
    call->state = batch;
    return batch;
}

bool batch_add(struct batch *batch, uint32_t entry) {
    if (batch->faults[entry].type != NULL) return false;
    batch->places[batch->commanded_count++] = entry;
    return true;
}

static void write_good(struct batch *batch, struct sqs_writer *writer, batch_write_fn *write,
                       const void *context) {
    const struct sqs_protocol *protocol = writer->protocol;
    protocol->list_begin(writer, SLICE("Successful"));
    for (uint32_t place = 0; place < batch->commanded_count; place++) {
        uint32_t entry = batch->places[place];
        if (batch->faults[entry].type != NULL) continue;
        protocol->item_begin(writer, batch->result_element);
        protocol->text(writer, SLICE("Id"), batch->ids[entry]);
        if (write != NULL) write(writer, context, entry, place);
        protocol->item_end(writer, batch->result_element);
    }
    protocol->list_end(writer);
}

static void write_failed(const struct batch *batch, struct sqs_writer *writer) {
    static const struct slice element = {"BatchResultErrorEntry", 21};
    const struct sqs_protocol *protocol = writer->protocol;
    protocol->list_begin(writer, SLICE("Failed"));
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct sqs_fault *fault = &batch->faults[i];
        if (fault->type == NULL) continue;
        protocol->item_begin(writer, element);
        protocol->text(writer, SLICE("Id"), batch->ids[i]);
        protocol->boolean(writer, SLICE("SenderFault"), fault->status < 500);
        protocol->text(writer, SLICE("Code"), slice_from_string(fault->code));
        protocol->text(writer, SLICE("Message"), fault->words);
        protocol->item_end(writer, element);
    }
    protocol->list_end(writer);
}

void batch_answer_faults(struct batch *batch) {
    struct sqs_call *call = batch->call;
    struct queue_view view;
    if (!broker_find_queue(shard_broker(call->sqs->shard), batch->queue, &view)) {
        struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
        sqs_fail_result(&fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
        sqs_refuse_durable(call, &fault);
        return;
    }
    struct sqs_writer writer = sqs_call_writer(call);
    write_good(batch, &writer, NULL, NULL);
    write_failed(batch, &writer);
    sqs_answer_durable(call, &writer);
}

void batch_answer(struct batch *batch, const struct broker_answer *answer, batch_write_fn *write,
                  const void *context) {
    struct sqs_call *call = batch->call;
    if (!sqs_is_good(answer->result)) {
        sqs_refuse_result(call, answer->result, answer->detail);
        return;
    }
    for (uint32_t place = 0; place < batch->commanded_count; place++) {
        struct sqs_fault *fault = &batch->faults[batch->places[place]];
        enum broker_result result = answer->send.results[place];
        if (fault->type != NULL) continue;
        if (result == BROKER_TOO_LARGE) {
            sqs_message_fail_too_large(call->sqs, batch->queue, fault);
        } else if (!sqs_is_good(result)) {
            sqs_fail_result(fault, result, SLICE_EMPTY);
        }
    }
    struct sqs_writer writer = sqs_call_writer(call);
    write_good(batch, &writer, write, context);
    write_failed(batch, &writer);
    sqs_answer(call, &writer);
}
