/* SPDX-License-Identifier: Apache-2.0 */
/* action_send_message_batch.c -- SendMessageBatch. */
#include "sqs/batch.h"
#include "sqs/message.h"

#include <inttypes.h>

static const char entry_kind[] = "SendMessageBatchRequestEntry";

struct send_batch_input {
    struct slice queue_url;
    struct sqs_entries entries; /* struct message_input */
};

static const struct sqs_field entry_fields[] = {
    SQS_FIELD(message_input, id, "Id", SQS_TEXT),
    MESSAGE_INPUT_FIELDS,
};
static const struct sqs_shape entry_shape = SQS_SHAPE(message_input, entry_fields);

static const struct sqs_field fields[] = {
    SQS_FIELD(send_batch_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_ENTRIES(send_batch_input, entries, entry_shape, "SendMessageBatchRequestEntry"),
};
static const struct sqs_shape shape = SQS_SHAPE(send_batch_input, fields);

struct send_result {
    const struct broker_answer *answer;
    const struct message_sums *sums; /* of each entry */
};

struct send_batch {
    struct batch *batch;
    struct message_sums sums[BROKER_BATCH_MAX];
};

static void write_result(struct sqs_writer *writer, const void *context, uint32_t entry,
                         uint32_t place) {
    const struct send_result *result = context;
    char id[SQS_ID_BYTES];
    sqs_id_write(result->answer->send.ids[place], id);
    writer->protocol->text(writer, SLICE("MessageId"), slice_from(id, sizeof id));
    sqs_message_write_sums(writer, &result->sums[entry]);
}

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
        return;
    }
    struct send_batch *state = call->state;
    struct send_result result = {.answer = answer, .sums = state->sums};
    batch_answer(state->batch, answer, write_result, &result);
}

static bool check(const struct send_batch_input *input, struct sqs_fault *fault) {
    if (!sqs_check_batch(&input->entries, entry_kind, fault)) return false;
    const struct message_input *entries = input->entries.items;
    uint64_t bytes_count = 0;
    for (uint32_t i = 0; i < input->entries.count; i++)
        bytes_count += sqs_message_counted_bytes(&entries[i]);
    if (bytes_count <= SQS_MESSAGE_BYTES_MAX) return true;
    return sqs_fail(fault, SQS_ERROR_BATCH_TOO_LONG,
                    "Batch requests cannot be longer than %u bytes. You have sent %" PRIu64
                    " bytes.",
                    SQS_MESSAGE_BYTES_MAX, bytes_count);
}

/* The buffer may move while it grows, so the slices are cut at the end. */
static uint32_t make_entries(struct sqs *sqs, const struct message_input *inputs,
                             struct send_batch *state, struct command_send_entry *entries) {
    struct batch *batch = state->batch;
    size_t ends[BROKER_BATCH_MAX];
    buffer_clear(&sqs->encoded);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct message_input *input = &inputs[i];
        sqs_message_make(sqs, input, SQS_ERROR_PARAMETER_VALUE, &sqs->encoded, &state->sums[i],
                         &batch->faults[i]);
        if (!batch_add(batch, i)) continue;
        uint32_t place = batch->commanded_count - 1;
        ends[place] = sqs->encoded.count;
        entries[place] = sqs_message_entry(input);
    }
    size_t from = 0;
    for (uint32_t place = 0; place < batch->commanded_count; place++) {
        entries[place].body = slice_from(sqs->encoded.bytes + from, ends[place] - from);
        from = ends[place];
    }
    return batch->commanded_count;
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct send_batch_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct send_batch *state = arena_take(sqs_call_arena(call), sizeof *state);
    if (state == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    if (!check(input, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    const struct message_input *inputs = input->entries.items;
    struct slice ids[BROKER_BATCH_MAX];
    for (uint32_t i = 0; i < input->entries.count; i++) ids[i] = inputs[i].id;
    state->batch = batch_open(call, input->queue_url, ids, input->entries.count, entry_kind);
    if (state->batch == NULL) return;
    state->batch->result_element = SLICE("SendMessageBatchResultEntry");
    call->state = state;

    struct command_send_entry entries[BROKER_BATCH_MAX];
    uint32_t count = make_entries(call->sqs, inputs, state, entries);
    if (count == 0) {
        batch_answer_faults(state->batch);
        return;
    }
    struct command command = {
        .kind = COMMAND_SEND,
        .send = {.queue = state->batch->queue, .entries = entries, .entries_count = count}};
    shard_submit(call->sqs->shard, &command, on_answer, call);
}

const struct sqs_action sqs_action_send_message_batch = {SLICE("SendMessageBatch"), &shape, run,
                                                         true};
