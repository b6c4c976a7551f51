/* SPDX-License-Identifier: Apache-2.0 */
/* action_list_message_move_tasks.c -- ListMessageMoveTasks: those of one source, newest first. */
#include "sqs/move_task.h"

#define RESULTS_MAX 10

struct list_moves_input {
    struct slice source_arn;
    struct sqs_integer results_max;
};

static const struct sqs_field fields[] = {
    SQS_FIELD_REQUIRED(list_moves_input, source_arn, "SourceArn", SQS_TEXT),
    SQS_FIELD(list_moves_input, results_max, "MaxResults", SQS_INTEGER),
};
static const struct sqs_shape shape = SQS_SHAPE(list_moves_input, fields);

static struct slice state_word(enum move_state state) {
    switch (state) {
    case MOVE_RUNNING: return SLICE("RUNNING");
    case MOVE_COMPLETED: return SLICE("COMPLETED");
    case MOVE_CANCELLED: return SLICE("CANCELLED");
    case MOVE_FAILED: return SLICE("FAILED");
    case MOVE_STATES_COUNT: break;
    }
    CHECK_UNREACHABLE();
}

static struct slice reason_word(enum move_reason reason) {
    return reason == MOVE_NO_SOURCE
               ? SLICE("CouldNotDetermineMessageSource")
               : slice_from_string(broker_result_query_code(BROKER_QUEUE_NOT_FOUND));
}

/* False: out of memory. */
static bool write_move(const struct sqs_call *call, const struct queue_view *source,
                       const struct move_view *move, struct sqs_writer *writer) {
    const struct sqs_protocol *protocol = writer->protocol;
    const char *arn = sqs_queue_arn(call, source->name);
    const char *target = move->target.count == 0 ? "" : sqs_queue_arn(call, move->target);
    if (arn == NULL || target == NULL) return false;
    if (move->state == MOVE_RUNNING && !move_handle_write(call, source->name, move->id, writer))
        return false;
    protocol->text(writer, SLICE("Status"), state_word(move->state));
    protocol->text(writer, SLICE("SourceArn"), slice_from_string(arn));
    if (target[0] != '\0')
        protocol->text(writer, SLICE("DestinationArn"), slice_from_string(target));
    if (move->per_second > 0)
        protocol->number(writer, SLICE("MaxNumberOfMessagesPerSecond"), move->per_second);
    protocol->number(writer, SLICE("ApproximateNumberOfMessagesMoved"), (int64_t)move->moved_count);
    protocol->number(writer, SLICE("ApproximateNumberOfMessagesToMove"), (int64_t)move->to_move);
    if (move->state == MOVE_FAILED)
        protocol->text(writer, SLICE("FailureReason"), reason_word(move->reason));
    protocol->number(writer, SLICE("StartedTimestamp"), move->started.ms);
    return true;
}

static void run(struct sqs_call *call, const void *input_any) {
    static const struct slice element = {"ListMessageMoveTasksResultEntry", 31};
    const struct list_moves_input *input = input_any;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct queue_view source;
    if (!sqs_check_range(&input->results_max, "MaxResults", 1, RESULTS_MAX,
                         "You must enter a number that's between 1 and 10.", &fault) ||
        !move_queue_of(call, input->source_arn, "SourceArn", &source, &fault)) {
        sqs_refuse_durable(call, &fault);
        return;
    }
    const struct broker *broker = shard_broker(call->sqs->shard);
    int64_t count_max = input->results_max.is_given ? input->results_max.value : 1;
    struct sqs_writer writer = sqs_call_writer(call);
    struct move_view move;
    uint64_t before = 0;
    writer.protocol->list_begin(&writer, SLICE("Results"));
    for (int64_t i = 0; i < count_max && broker_next_move(broker, source.ref, before, &move); i++) {
        writer.protocol->item_begin(&writer, element);
        if (!write_move(call, &source, &move, &writer)) {
            sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
            return;
        }
        writer.protocol->item_end(&writer, element);
        before = move.ref.number;
    }
    writer.protocol->list_end(&writer);
    sqs_answer_durable(call, &writer);
}

const struct sqs_action sqs_action_list_message_move_tasks = {SLICE("ListMessageMoveTasks"), &shape,
                                                              run, true};
