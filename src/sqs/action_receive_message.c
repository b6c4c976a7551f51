/* SPDX-License-Identifier: Apache-2.0 */
/* action_receive_message.c -- ReceiveMessage, with the wait for a message that is not there yet.
 *
 *   run           the shard parks the receiver, or gives messages at once
 *   on_answer     the messages are durable as received: their bodies are read, all at once
 *   on_body       the last one that is there answers
 *
 * If the client goes away while bodies are read, or there is no memory for them, the messages go
 * back uncounted. A body that is damaged on disk is left out and said in the log: its message stays
 * in flight, comes back, and ends as a dead letter if its queue has a place for them.
 */
#include "sqs/receive.h"

static const struct sqs_field fields[] = {
    SQS_FIELD(receive_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD(receive_input, messages_max, "MaxNumberOfMessages", SQS_INTEGER),
    SQS_FIELD(receive_input, wait_seconds, "WaitTimeSeconds", SQS_INTEGER),
    SQS_FIELD(receive_input, visibility_timeout, "VisibilityTimeout", SQS_INTEGER),
    SQS_FIELD_LIST(receive_input, message_attribute_names, "MessageAttributeNames",
                   "MessageAttributeName", SQS_TEXTS),
    SQS_FIELD_LIST(receive_input, system_attribute_names, "MessageSystemAttributeNames",
                   "MessageSystemAttributeName", SQS_TEXTS),
    SQS_FIELD_LIST(receive_input, attribute_names, "AttributeNames", "AttributeName", SQS_TEXTS),
    SQS_FIELD(receive_input, attempt_id, "ReceiveRequestAttemptId", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(receive_input, fields);

/* In the request's arena. */
struct receive_state {
    const struct receive_input *input;
    struct slice queue;
};

struct received;
struct received_body {
    struct received *received;
    struct slice bytes; /* a copy in the request's arena; good only if is_read */
    bool is_read;
};

/* Messages that the client waits for. Outlives the request if it must. */
struct received {
    struct sqs_call *call;
    uint32_t count;
    uint32_t reads_open;
    bool no_memory;
    char queue_bytes[BROKER_NAME_BYTES_MAX];
    struct slice queue;
    struct answer_message messages[BROKER_BATCH_MAX];
    struct received_body bodies[BROKER_BATCH_MAX];
};

static void give_back(struct sqs *sqs, struct slice queue, const struct answer_message *messages,
                      uint32_t count) {
    struct receipt receipts[BROKER_BATCH_MAX];
    for (uint32_t i = 0; i < count; i++) {
        receipts[i] = (struct receipt){.number = messages[i].message.number,
                                       .slot = messages[i].message.slot,
                                       .nonce = messages[i].nonce,
                                       .queue_slot = messages[i].queue_slot};
    }
    struct command command = {
        .kind = COMMAND_GIVE_BACK,
        .handles = {.queue = queue, .receipts = receipts, .receipts_count = count}};
    shard_submit(sqs->shard, &command, NULL, NULL);
}

static bool write_messages(const struct received *received, const struct receive_state *state,
                           struct sqs_writer *writer) {
    bool any = false;
    for (uint32_t i = 0; i < received->count; i++) {
        struct message_body body;
        const struct received_body *read = &received->bodies[i];
        if (!read->is_read) continue;
        if (message_body_decode(read->bytes, &body) < 0) {
            log_printf(received->call->sqs->log, LOG_ERROR,
                       "a body of queue %.*s is not a message body; its message is not given out",
                       SLICE_ARGS(received->queue));
            continue;
        }
        if (!any) writer->protocol->list_begin(writer, SLICE("Messages"));
        any = true;
        receive_write_message(received->call, state->input, &received->messages[i], &body, writer);
    }
    if (any) writer->protocol->list_end(writer);
    return any;
}

static void finish(struct received *received) {
    struct sqs_call *call = received->call;
    struct sqs *sqs = call->sqs;
    if (call->request == NULL || received->no_memory) {
        give_back(sqs, received->queue, received->messages, received->count);
        if (call->request == NULL) {
            sqs_call_end(call);
        } else {
            sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        }
        env_free(sqs->env, received);
        return;
    }
    struct sqs_writer writer = sqs_call_writer(call);
    bool any = write_messages(received, call->state, &writer);
    if (call->out.failed) {
        give_back(sqs, received->queue, received->messages, received->count);
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
    } else if (any) {
        sqs_answer(call, &writer);
    } else {
        struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
        sqs_fail(&fault, SQS_ERROR_INTERNAL, "The message's body cannot be read from the disk.");
        sqs_refuse(call, &fault);
    }
    env_free(sqs->env, received);
}

static void on_body(void *context, int result, struct slice bytes) {
    struct received_body *body = context;
    struct received *received = body->received;
    struct sqs_call *call = received->call;
    if (result < 0) {
        log_printf(call->sqs->log, LOG_ERROR,
                   "cannot read a body of queue %.*s: %s; its message is not given out",
                   SLICE_ARGS(received->queue), strerror(-result));
    } else if (call->request != NULL) {
        char *copy = arena_copy(sqs_call_arena(call), bytes);
        if (copy == NULL) received->no_memory = true;
        body->bytes = slice_from(copy, bytes.count);
        body->is_read = copy != NULL;
    }
    received->reads_open--;
    if (received->reads_open == 0) finish(received);
}

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    struct sqs *sqs = call->sqs;
    struct receive_state *state = call->state; /* a call whose client is gone was cancelled */
    call->receive = NULL;
    if (!sqs_is_good(answer->result)) {
        sqs_refuse_result(call, answer->result, answer->detail);
        return;
    }
    uint32_t count = answer->receive.count;
    if (answer->result == BROKER_NOTHING || count == 0) {
        sqs_answer_nothing(call);
        return;
    }
    struct received *received = env_alloc(sqs->env, sizeof *received);
    if (received == NULL) {
        give_back(sqs, state->queue, answer->receive.messages, count);
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    CHECK(state->queue.count <= sizeof received->queue_bytes); /* there is such a queue */
    memcpy(received->queue_bytes, state->queue.bytes, state->queue.count);
    received->queue = slice_from(received->queue_bytes, state->queue.count);
    received->call = call;
    received->count = count;
    memcpy(received->messages, answer->receive.messages, count * sizeof received->messages[0]);
    received->reads_open = count + 1; /* one of our own, so that the last one is outside the loop */
    for (uint32_t i = 0; i < count; i++) {
        received->bodies[i].received = received;
        shard_read_body(sqs->shard, received->messages[i].body, on_body, &received->bodies[i]);
    }
    received->reads_open--;
    if (received->reads_open == 0) finish(received);
}

static bool check(const struct receive_input *input, struct sqs_fault *fault) {
    if (!sqs_check_range(&input->messages_max, "MaxNumberOfMessages", 1, BROKER_BATCH_MAX,
                         "Must be between 1 and 10, if provided.", fault) ||
        !sqs_check_range(&input->wait_seconds, "WaitTimeSeconds", 0, 20,
                         "Must be >= 0 and <= 20, if provided.", fault) ||
        !sqs_check_range(&input->visibility_timeout, "VisibilityTimeout", 0, 43200,
                         "Must be >= 0 and <= 43200, if provided.", fault))
        return false;
    if (input->attempt_id.bytes != NULL) {
        struct slice excerpt = sqs_excerpt(input->attempt_id);
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Value %.*s for parameter ReceiveRequestAttemptId is invalid. Reason: FIFO "
                        "queues are not built yet in takt.",
                        SLICE_ARGS(excerpt));
    }
    return receive_check_names(input, fault);
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct receive_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct receive_state *state = arena_take(sqs_call_arena(call), sizeof *state);
    if (state == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    state->input = input;
    call->state = state;
    if (!sqs_queue_of(call, input->queue_url, &state->queue, &fault) || !check(input, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    struct command_receive command = {
        .queue = state->queue,
        .messages_max = input->messages_max.is_given ? (uint32_t)input->messages_max.value : 1,
        .visibility_ms =
            input->visibility_timeout.is_given ? input->visibility_timeout.value * 1000 : -1};
    int64_t wait_ms = input->wait_seconds.is_given ? input->wait_seconds.value * 1000 : -1;
    call->receive = shard_receive(call->sqs->shard, &command, wait_ms, on_answer, call);
    if (call->receive == NULL) sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
}

const struct sqs_action sqs_action_receive_message = {SLICE("ReceiveMessage"), &shape, run, true};
