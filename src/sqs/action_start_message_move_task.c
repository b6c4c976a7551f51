/* SPDX-License-Identifier: Apache-2.0 */
/* action_start_message_move_task.c -- StartMessageMoveTask: dead letters back to where they came
 * from, or to another queue. */
#include "sqs/move_task.h"

#define RATE_MAX 500

struct start_move_input {
    struct slice source_arn;
    struct slice destination_arn;
    struct sqs_integer per_second;
};

static const struct sqs_field fields[] = {
    SQS_FIELD_REQUIRED(start_move_input, source_arn, "SourceArn", SQS_TEXT),
    SQS_FIELD(start_move_input, destination_arn, "DestinationArn", SQS_TEXT),
    SQS_FIELD(start_move_input, per_second, "MaxNumberOfMessagesPerSecond", SQS_INTEGER),
};
static const struct sqs_shape shape = SQS_SHAPE(start_move_input, fields);

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
        return;
    }
    if (!sqs_is_good(answer->result)) {
        sqs_refuse_result(call, answer->result, answer->detail);
        return;
    }
    const struct slice *source = call->state;
    struct sqs_writer writer = sqs_call_writer(call);
    if (move_handle_write(call, *source, answer->move.id, &writer)) {
        sqs_answer(call, &writer);
    } else {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
    }
}

/* The names are those of the ARNs, so that they last as long as the request. */
static bool check(const struct sqs_call *call, const struct start_move_input *input,
                  struct command_move *command, struct sqs_fault *fault) {
    struct queue_view view;
    if (!sqs_check_range(&input->per_second, "MaxNumberOfMessagesPerSecond", 1, RATE_MAX,
                         "You must enter a number that's between 1 and 500.", fault) ||
        !move_queue_of(call, input->source_arn, "SourceArn", &view, fault))
        return false;
    (void)sqs_arn_read(call, input->source_arn, &command->source);
    if (input->per_second.is_given) command->per_second = (uint32_t)input->per_second.value;
    if (input->destination_arn.count == 0) return true;
    if (!move_queue_of(call, input->destination_arn, "DestinationArn", &view, fault)) return false;
    (void)sqs_arn_read(call, input->destination_arn, &command->target);
    return true;
}

static void run(struct sqs_call *call, const void *input) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct command command = {.kind = COMMAND_MOVE_START};
    struct slice *source = arena_take(sqs_call_arena(call), sizeof *source);
    if (source == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    if (!check(call, input, &command.move, &fault)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    *source = command.move.source;
    call->state = source;
    shard_submit(call->sqs->shard, &command, on_answer, call);
}

const struct sqs_action sqs_action_start_message_move_task = {SLICE("StartMessageMoveTask"), &shape,
                                                              run, true};
