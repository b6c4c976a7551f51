/* SPDX-License-Identifier: Apache-2.0 */
/* action_send_message.c -- SendMessage: the path that is measured.
 *
 * The body's text is a slice of the request; it is copied once, into the encoded form that the
 * journal copies into its batch.
 */
#include "sqs/message.h"

static const struct sqs_field fields[] = {
    SQS_FIELD(message_input, queue_url, "QueueUrl", SQS_TEXT),
    MESSAGE_INPUT_FIELDS,
};
static const struct sqs_shape shape = SQS_SHAPE(message_input, fields);

struct send_state {
    struct slice queue;
    struct message_sums sums;
};

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
        return;
    }
    const struct send_state *state = call->state;
    enum broker_result result = answer->result;
    if (sqs_is_good(result)) result = answer->send.results[0];
    if (result == BROKER_TOO_LARGE) {
        struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
        sqs_message_fail_too_large(call->sqs, state->queue, &fault);
        sqs_refuse(call, &fault);
        return;
    }
    if (!sqs_is_good(result)) {
        sqs_refuse_result(call, result, answer->detail);
        return;
    }
    char id[SQS_ID_BYTES];
    sqs_id_write(answer->send.ids[0], id);
    struct sqs_writer writer = sqs_call_writer(call);
    writer.protocol->text(&writer, SLICE("MessageId"), slice_from(id, sizeof id));
    sqs_message_write_sums(&writer, &state->sums);
    sqs_answer(call, &writer);
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct message_input *input = input_any;
    struct sqs *sqs = call->sqs;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct send_state *state = arena_take(sqs_call_arena(call), sizeof *state);
    if (state == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    call->state = state;
    buffer_clear(&sqs->encoded);
    if (!sqs_queue_of(call, input->queue_url, &state->queue, &fault) ||
        !sqs_message_make(sqs, input, SQS_ERROR_MISSING_PARAMETER, &sqs->encoded, &state->sums,
                          &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    struct command_send_entry entry = sqs_message_entry(input);
    entry.body = buffer_slice(&sqs->encoded);
    struct command command = {
        .kind = COMMAND_SEND,
        .send = {.queue = state->queue, .entries = &entry, .entries_count = 1}};
    shard_submit(sqs->shard, &command, on_answer, call);
}

const struct sqs_action sqs_action_send_message = {SLICE("SendMessage"), &shape, run, true};
