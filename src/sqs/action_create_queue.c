/* SPDX-License-Identifier: Apache-2.0 */
/* action_create_queue.c -- CreateQueue: also gives the URL of a queue that is there already, with
 * the same attributes. */
#include "sqs/sqs_settings.h"

struct create_input {
    struct slice name;
    struct sqs_pairs attributes;
    struct sqs_pairs tags;
};

static const struct sqs_field fields[] = {
    SQS_FIELD_REQUIRED(create_input, name, "QueueName", SQS_TEXT),
    SQS_FIELD_LIST(create_input, attributes, "Attributes", "Attribute", SQS_PAIRS),
    SQS_FIELD_LIST(create_input, tags, "tags", "Tag", SQS_PAIRS),
};
static const struct sqs_shape shape = SQS_SHAPE(create_input, fields);

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
    const struct slice *url = call->state;
    struct sqs_writer writer = sqs_call_writer(call);
    writer.protocol->text(&writer, SLICE("QueueUrl"), *url);
    sqs_answer(call, &writer);
}

static bool check(const struct sqs_call *call, const struct create_input *input, struct slice *url,
                  struct command_queue *command, struct sqs_fault *fault) {
    struct sqs_change change;
    uint32_t notes_max = sqs_settings_notes_max(&input->attributes) + input->tags.count;
    command->name = input->name;
    return sqs_name_check(input->name, fault) &&
           sqs_change_open(&change, call, command, notes_max, fault) &&
           sqs_settings_read(&change, &input->attributes) && sqs_tags_read(&change, &input->tags) &&
           sqs_queue_url(call, input->name, url, fault);
}

static void run(struct sqs_call *call, const void *input) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct slice *url = arena_take(sqs_call_arena(call), sizeof *url);
    if (url == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
        return;
    }
    struct command command = {.kind = COMMAND_QUEUE_CREATE};
    if (!check(call, input, url, &command.queue, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    call->state = url;
    shard_submit(call->sqs->shard, &command, on_answer, call);
}

const struct sqs_action sqs_action_create_queue = {SLICE("CreateQueue"), &shape, run, true};
