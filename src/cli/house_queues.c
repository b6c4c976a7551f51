/* SPDX-License-Identifier: Apache-2.0 */
/* The plain queues of a line file. A dead-letter queue may be named before it stands in the file,
 * so that first all queues are made, then each is told where its dead letters go.
 */
#include "cli/house_parts.h"

struct queue_request {
    struct house *house;
    const char *name; /* of the definition, which outlives the request */
};

static void on_answer(void *context, const struct broker_answer *answer) {
    struct queue_request *request = context;
    const struct log *log = &request->house->log;
    if (answer->result == BROKER_QUEUE_EXISTS) {
        log_printf(log, LOG_WARNING, "queue %s is there with other settings (%s); left as it is",
                   request->name, answer->detail);
    } else if (answer->result != BROKER_OK && answer->result != BROKER_NOTHING) {
        log_printf(log, LOG_ERROR, "queue %s is not there: %s %s", request->name,
                   broker_result_words(answer->result), answer->detail);
    }
    env_free(request->house->env, request);
}

static void submit(struct house *house, const struct definition_queue *queue, bool dead_only) {
    struct queue_request *request = env_alloc(house->env, sizeof *request);
    if (request == NULL) {
        log_printf(&house->log, LOG_ERROR, "queue %s is not there: out of memory", queue->name);
        return;
    }
    *request = (struct queue_request){.house = house, .name = queue->name};
    uint32_t given =
        QUEUE_SET_VISIBILITY | QUEUE_SET_DELAY | QUEUE_SET_RETENTION | QUEUE_SET_MESSAGE_BYTES;
    struct command command = {
        .kind = dead_only ? COMMAND_QUEUE_SET : COMMAND_QUEUE_CREATE,
        .queue = {.name = slice_from_string(queue->name),
                  .given = dead_only ? QUEUE_SET_DEAD : given,
                  .settings = {.visibility_ms = queue->visibility_ms,
                               .delay_ms = queue->delay_ms,
                               .retention_ms = queue->retention_ms,
                               .message_bytes_max = queue->message_bytes_max,
                               .dead_queue = slice_from_string(queue->dead_name),
                               .dead_after = queue->dead_after}}};
    shard_submit(house->shard, &command, on_answer, request);
}

static void submit_all(struct house *house, const struct definition *definition, int pass) {
    for (uint32_t i = 0; i < definition->queues_count; i++) {
        const struct definition_queue *queue = &definition->queues[i];
        if (pass == 0 || queue->dead_name != NULL) submit(house, queue, pass == 1);
    }
}

void house_create_queues(struct house *house) {
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < house->files.definitions_count; i++) {
            submit_all(house, &house->files.definitions[i], pass);
        }
    }
}
