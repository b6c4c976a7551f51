/* SPDX-License-Identifier: Apache-2.0 */
/* task_end.c -- from the handler's answer to the record that ends the task.
 *
 * An output that was earned is not lost: while the disk has no room for it, or takt is busy, the
 * hand-off is tried again and the handler is not asked a second time.
 */
#include "broker/message_body.h"
#include "line/runtime_inside.h"

#include <errno.h>

static struct runtime *runtime_of(const struct task *task) {
    return station_runtime(task->worker->station);
}

static void submit(struct task *task);

static void become_free(struct task *task) {
    struct worker *worker = task->worker;
    task_free(task);
    worker_task_left(worker);
}

static void try_later(struct task *task, enum broker_result result) {
    struct runtime *runtime = runtime_of(task);
    if (runtime->is_forced) {
        task->state = TASK_HELD; /* takt ends: the session's end gives it back */
        worker_settle(task->worker);
        return;
    }
    if (task->retries == 0) {
        log_printf(runtime->log, LOG_WARNING,
                   "what `%s` has done waits to be recorded: %s Tried again until it goes.",
                   task->worker->name, broker_result_words(result));
    }
    int64_t delay_ms = (int64_t)TASK_RETRY_MS_MIN << (task->retries < 7 ? task->retries : 7);
    if (delay_ms > TASK_RETRY_MS_MAX) delay_ms = TASK_RETRY_MS_MAX;
    task->retries++;
    task->retry_at.ns = worker_now(task->worker).ns + delay_ms * MS_NS;
    worker_arm(task->worker);
}

/* The broker will not have this hand-off, today or tomorrow: the message fails, in its words. */
static void become_failure(struct task *task, const struct broker_answer *answer) {
    const char *detail =
        answer->detail[0] != '\0' ? answer->detail : broker_result_words(answer->result);
    char *words = arena_printf(&task->arena, "its output cannot be handed on: %s", detail);
    task->error = slice_from_string(words == NULL ? "its output cannot be handed on" : words);
    task->end = COMMAND_FAIL;
    task->is_final = true;
    submit(task);
}

static void answered(void *context, const struct broker_answer *answer) {
    struct task *task = context;
    struct runtime *runtime = runtime_of(task);
    task->is_commanded = false;
    switch (answer->result) {
    case BROKER_OK:
    case BROKER_NOTHING: break;
    case BROKER_NO_ROOM:
    case BROKER_NO_MEMORY:
    case BROKER_BUSY: try_later(task, answer->result); return;
    case BROKER_UNAVAILABLE: runtime_fail(runtime); break;
    case BROKER_LEASE_LOST: /* its job was rejected meanwhile, say */
        log_printf(runtime->log, LOG_DEBUG, "`%s` has done %s for nothing: the lease is gone",
                   task->worker->name, task->name);
        break;
    default:
        if (task->end == COMMAND_COMPLETE) {
            become_failure(task, answer);
            return;
        }
        log_printf(runtime->log, LOG_ERROR,
                   "the end of %s at `%s` was refused: %s %s; it stays there until its worker ends",
                   task->name, task->worker->name, broker_result_words(answer->result),
                   answer->detail);
    }
    become_free(task);
}

static void submit(struct task *task) {
    struct worker *worker = task->worker;
    struct command command = {.kind = task->end};
    if (task->end == COMMAND_COMPLETE) {
        command.complete = (struct command_complete){
            .session = worker->session,
            .message = task->message,
            .outputs = task->outputs,
            .outputs_count = task->outputs_count,
            .result = task->result,
        };
    } else {
        command.attempt = (struct command_attempt){.session = worker->session,
                                                   .message = task->message,
                                                   .error = task->error,
                                                   .is_final = task->is_final};
    }
    task->is_commanded = true;
    shard_submit(runtime_of(task)->shard, &command, answered, task);
}

/* The worker is free for the next message at once: its LEASE joins the same batch. */
static void end_task(struct task *task, enum command_kind kind) {
    struct worker *worker = task->worker;
    if (task->state == TASK_HANDLING && kind != COMMAND_RETURN) {
        station_handled(worker->station, worker_now(worker).ns - task->given_at.ns);
        worker->deaths_in_row = 0;
        if (worker->kind->has_process) worker_prove(worker);
    }
    task->state = TASK_ENDING;
    task->end = kind;
    task->deadline = NEVER;
    task->retry_at = NEVER;
    task->retries = 0;
    if (runtime_of(task)->is_failed) {
        become_free(task);
        return;
    }
    submit(task);
    worker_task_left(worker);
}

/* Longer ones are cut by the broker, which keeps their end. */
static struct slice copy_words(struct task *task, struct slice words) {
    if (words.count > 2 * BROKER_ERROR_BYTES_MAX) {
        words = slice_skip(words, words.count - 2 * BROKER_ERROR_BYTES_MAX);
    }
    char *copy = arena_copy(&task->arena, words);
    return copy == NULL ? SLICE("(out of memory for the reason)") : slice_from(copy, words.count);
}

void task_fail(struct task *task, struct slice error) {
    task->error = copy_words(task, error);
    end_task(task, COMMAND_FAIL);
}

/* The handler has done its work; what the line's file makes of it would be the same next time, and
 * what the work cost would be paid again. */
static void fail_for_good(struct task *task, const char *error) {
    task->is_final = true;
    task_fail(task, slice_from_string(error));
}

void task_reject(struct task *task, struct slice reason) {
    task->error = copy_words(task, reason);
    end_task(task, COMMAND_REJECT);
}

void task_return(struct task *task) {
    end_task(task, COMMAND_RETURN);
}

static int encode_bodies(struct task *task, const struct route_result *routed) {
    for (uint32_t i = 0; i < routed->outputs_count; i++) {
        size_t start = task->encoded.count;
        struct message_body body = {.text = routed->outputs[i].body};
        message_body_encode(&task->encoded, &body);
        task->outputs[i].body.count = task->encoded.count - start;
    }
    if (task->encoded.failed) return -ENOMEM;
    /* Only now do the bytes stay where they are. */
    const char *bytes = task->encoded.bytes;
    for (uint32_t i = 0; i < routed->outputs_count; i++) {
        task->outputs[i].body.bytes = bytes;
        bytes += task->outputs[i].body.count;
    }
    return 0;
}

static int take_routed(struct task *task, const struct route_result *routed) {
    struct station *station = task->worker->station;
    if ((int32_t)station->index == station->line->definition->result) task->result = task->output;
    task->outputs_count = routed->outputs_count;
    if (routed->outputs_count == 0) return 0;
    task->outputs = arena_take_array(&task->arena, routed->outputs_count, sizeof task->outputs[0]);
    if (task->outputs == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < routed->outputs_count; i++) {
        const struct route_output *output = &routed->outputs[i];
        bool is_end = output->station == DEFINITION_NONE;
        task->outputs[i].station = is_end ? BROKER_TARGET_END : (uint32_t)output->station;
        task->outputs[i].each = output->each_index != ROUTE_EACH_NONE;
        if (is_end && task->result.count == 0) task->result = output->body;
    }
    return encode_bodies(task, routed);
}

static struct route_message message_of(const struct task *task) {
    struct station *station = task->worker->station;
    return (struct route_message){
        .definition = station->line->definition,
        .station = station->index,
        .input = buffer_slice(&task->input),
        .order = buffer_slice(task->has_order ? &task->order : &task->input),
        .output = task->output,
        .job = slice_from_string(task->job),
    };
}

/* task->output is there. */
static void route(struct task *task, bool by_station) {
    struct route_message message = message_of(task);
    message.by_station = by_station;
    struct route_result routed = {0};
    int rc = route_outputs(&message, &task->arena, &routed);
    if (rc == 0) rc = take_routed(task, &routed);
    if (rc == 0) {
        end_task(task, COMMAND_COMPLETE);
    } else if (rc == -EBADMSG) {
        fail_for_good(task, routed.failure);
    } else {
        task_fail(task, SLICE("takt has no memory left to route its output"));
    }
}

void task_complete(struct task *task, struct slice output, bool by_station) {
    char *copy = arena_copy(&task->arena, output);
    if (copy == NULL) {
        task_fail(task, SLICE("takt has no memory left for its output"));
        return;
    }
    task->output = slice_from(copy, output.count);
    route(task, by_station);
}

static void pass_on(struct worker *worker, struct task *task) {
    task->state = TASK_HANDLING;
    task->given_at = worker_now(worker);
    struct route_message message = message_of(task);
    const char *failure = NULL;
    int rc = route_pass_on(&message, &task->arena, &task->output, &failure);
    if (rc == 0) {
        route(task, false);
    } else if (rc == -EBADMSG) {
        fail_for_good(task, failure);
    } else {
        task_fail(task, SLICE("takt has no memory left to hand it on"));
    }
}

/* A station without a handler: takt itself hands on what comes. */
const struct worker_kind handler_pass_on = {.give = pass_on};
