/* SPDX-License-Identifier: Apache-2.0 */
/* action_cancel_message_move_task.c -- CancelMessageMoveTask: what was moved stays where it is. */
#include "sqs/move_task.h"

struct cancel_move_input {
    struct slice task_handle;
};

static const struct sqs_field fields[] = {
    SQS_FIELD_REQUIRED(cancel_move_input, task_handle, "TaskHandle", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(cancel_move_input, fields);

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
    } else if (answer->result == BROKER_OK) {
        struct sqs_writer writer = sqs_call_writer(call);
        writer.protocol->number(&writer, SLICE("ApproximateNumberOfMessagesMoved"),
                                (int64_t)answer->move.moved_count);
        sqs_answer(call, &writer);
    } else if (answer->result == BROKER_NOTHING) {
        struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
        sqs_fail(&fault, SQS_ERROR_UNSUPPORTED_OPERATION, "Only active tasks can be cancelled.");
        sqs_refuse(call, &fault);
    } else {
        sqs_refuse_result(call, answer->result, answer->detail);
    }
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct cancel_move_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct move_view view;
    if (!move_handle_read(call, input->task_handle, &view, &fault)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    struct command command = {.kind = COMMAND_MOVE_CANCEL, .move = {.move = view.ref}};
    shard_submit(call->sqs->shard, &command, on_answer, call);
}

const struct sqs_action sqs_action_cancel_message_move_task = {SLICE("CancelMessageMoveTask"),
                                                               &shape, run, true};
