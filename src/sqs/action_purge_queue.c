/* SPDX-License-Identifier: Apache-2.0 */
/* action_purge_queue.c -- PurgeQueue: everything in the queue goes, in flight and delayed too.
 *
 * SQS takes up to a minute for it and refuses a second purge in that time. takt purges at once, but
 * refuses as well, since clients are written for it. The minute is kept in memory only: after a
 * restart, or after SQS_PURGES_MAX other purges, a second one is taken early.
 */
#include "sqs/sqs_inside.h"

struct purge_input {
    struct slice queue_url;
};

static const struct sqs_field fields[] = {
    SQS_FIELD(purge_input, queue_url, "QueueUrl", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(purge_input, fields);

static bool was_purged(const struct sqs *sqs, uint64_t queue_number) {
    int64_t since_ms = shard_now(sqs->shard).ms - SQS_PURGE_PAUSE_MS;
    for (uint32_t i = 0; i < SQS_PURGES_MAX; i++) {
        const struct sqs_purge *purge = &sqs->purges[i];
        if (purge->queue_number == queue_number && purge->when.ms > since_ms) return true;
    }
    return false;
}

static void run(struct sqs_call *call, const void *input_any) {
    const struct purge_input *input = input_any;
    struct sqs *sqs = call->sqs;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct slice queue;
    if (!sqs_queue_of(call, input->queue_url, &queue, &fault)) {
        sqs_refuse(call, &fault);
        return;
    }
    struct queue_view view;
    bool is_there = broker_find_queue(shard_broker(sqs->shard), queue, &view);
    if (is_there && was_purged(sqs, view.ref.number)) {
        sqs_fail(&fault, SQS_ERROR_PURGE_IN_PROGRESS,
                 "Only one PurgeQueue operation on %.*s is allowed every 60 seconds.",
                 SLICE_ARGS(queue));
        sqs_refuse_durable(call, &fault);
        return;
    }
    if (is_there && view.kind == QUEUE_PLAIN) {
        sqs->purges[sqs->purges_next++ % SQS_PURGES_MAX] =
            (struct sqs_purge){.queue_number = view.ref.number, .when = shard_now(sqs->shard)};
    }
    struct command command = {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = queue}};
    shard_submit(sqs->shard, &command, sqs_on_plain_answer, call);
}

const struct sqs_action sqs_action_purge_queue = {SLICE("PurgeQueue"), &shape, run, false};
