/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/move_task.h"

#include "base/json.h"
#include "sqs/base64.h"

static bool fail_missing(const char *parameter, struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_RESOURCE,
                    "The resource that you specified for the %s parameter doesn't exist.",
                    parameter);
}

bool move_queue_of(const struct sqs_call *call, struct slice arn, const char *parameter,
                   struct queue_view *view, struct sqs_fault *fault) {
    struct slice name;
    if (!sqs_arn_has_form(arn)) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "You must use this format to specify the %s: "
                        "arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
                        parameter);
    }
    if (!sqs_arn_read(call, arn, &name) ||
        !broker_find_queue(shard_broker(call->sqs->shard), name, view))
        return fail_missing(parameter, fault);
    return true;
}

bool move_handle_write(const struct sqs_call *call, struct slice source, const uint8_t id[16],
                       struct sqs_writer *writer) {
    char text[SQS_ID_BYTES];
    sqs_id_write(id, text);
    const char *arn = sqs_queue_arn(call, source);
    if (arn == NULL) return false;
    const char *handle =
        arena_printf(sqs_call_arena(call), "{\"taskId\":\"%.*s\",\"sourceArn\":\"%s\"}",
                     (int)sizeof text, text, arn);
    if (handle == NULL) return false;
    writer->protocol->bytes(writer, SLICE("TaskHandle"), slice_from_string(handle));
    return true;
}

static bool fail_handle(struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE, "Value for parameter TaskHandle is invalid.");
}

bool move_handle_read(const struct sqs_call *call, struct slice handle, struct move_view *out,
                      struct sqs_fault *fault) {
    struct arena *arena = sqs_call_arena(call);
    const struct broker *broker = shard_broker(call->sqs->shard);
    struct slice text;
    if (!base64_read(arena, handle, &text) || !json_validate(text, NULL) ||
        json_type(text) != JSON_OBJECT)
        return fail_handle(fault);
    struct slice raw_id = json_member(text, SLICE("taskId"));
    struct slice raw_arn = json_member(text, SLICE("sourceArn"));
    struct slice arn;
    struct slice name;
    struct queue_view source;
    if (json_type(raw_id) != JSON_STRING || json_type(raw_arn) != JSON_STRING ||
        !json_string(arena, raw_arn, &arn))
        return fail_handle(fault);
    if (!sqs_arn_read(call, arn, &name) || !broker_find_queue(broker, name, &source))
        return fail_missing("SourceArn", fault);
    for (uint64_t before = 0; broker_next_move(broker, source.ref, before, out);
         before = out->ref.number) {
        char id[SQS_ID_BYTES];
        sqs_id_write(out->id, id);
        if (json_string_equal(raw_id, slice_from(id, sizeof id))) return true;
    }
    return sqs_fail(fault, SQS_ERROR_RESOURCE, "Task does not exist.");
}
