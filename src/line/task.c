/* SPDX-License-Identifier: Apache-2.0 */
/* task.c -- one leased message until it is in the handler's hands: read its input (a body, or a kit
 * put together), the order if a route asks for it, write a large kit into a file, hand it over.
 *
 * What cannot be read: damage is the message's failure, for it will not get better; anything else
 * is tried again, at no cost.
 */
#include "base/hash.h"
#include "broker/message_body.h"
#include "line/runtime_inside.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static struct runtime *runtime_of(const struct task *task) {
    return station_runtime(task->worker->station);
}

void task_open(struct task *task, struct worker *worker) {
    *task = (struct task){.worker = worker, .deadline = NEVER, .retry_at = NEVER};
    const struct allocator *allocator = &runtime_of(task)->env->allocator;
    buffer_open(&task->input, allocator, TASK_INPUT_BYTES_MAX);
    buffer_open(&task->order, allocator, TASK_INPUT_BYTES_MAX);
    /* Encoding adds some bytes to each output. */
    buffer_open(&task->encoded, allocator, 2ull * ROUTE_OUTPUT_BYTES_MAX);
    arena_open(&task->arena, allocator, ROUTE_ARENA_BYTES_MAX);
}

bool task_is_in_hand(const struct task *task) {
    return task->state == TASK_READING || task->state == TASK_WAITING ||
           task->state == TASK_HANDLING;
}

bool task_is_under_way(const struct task *task) {
    return task->reads_pending > 0 || task->is_commanded;
}

const char *task_file_path(const struct task *task, struct arena *arena) {
    return arena_printf(arena, "%s/%s", runtime_of(task)->options.scratch, task->file_name);
}

static void remove_file(struct task *task) {
    struct env *env = runtime_of(task)->env;
    env->ops->close(env, task->file);
    task->file = NULL;
    if (task->file_name[0] == '\0') return;
    int rc = env->ops->unlink(env, runtime_of(task)->scratch, task->file_name);
    if (rc < 0 && rc != -ENOENT) {
        log_printf(runtime_of(task)->log, LOG_WARNING,
                   "cannot remove %s/%s: %s; the next start of takt does",
                   runtime_of(task)->options.scratch, task->file_name, strerror(-rc));
    }
    task->file_name[0] = '\0';
}

void task_free(struct task *task) {
    CHECK(!task_is_under_way(task));
    struct worker *worker = task->worker;
    remove_file(task);
    buffer_close(&task->input);
    buffer_close(&task->order);
    buffer_close(&task->encoded);
    arena_close(&task->arena);
    task_open(task, worker);
}

static void name_task(struct task *task, const struct answer_lease *lease) {
    hex_write(lease->job_id, sizeof lease->job_id, task->job);
    task->job[2 * sizeof lease->job_id] = '\0';
    const char *path = lease->task_path;
    int count = snprintf(task->name, sizeof task->name, "%s/%s%s%s", task->job,
                         task->worker->station->definition->name, path[0] == '\0' ? "" : "/", path);
    CHECK(count > 0 && (size_t)count < sizeof task->name);
}

/* ---- a large kit becomes a file --------------------------------------------------------------- */

static void read_ended(struct task *task);

static void file_written(void *context, int64_t result) {
    struct task *task = context;
    struct env *env = runtime_of(task)->env;
    env->ops->close(env, task->file);
    task->file = NULL;
    if (result < 0) task->read_result = (int)result;
    read_ended(task);
}

static int write_file(struct task *task) {
    struct runtime *runtime = runtime_of(task);
    struct env *env = runtime->env;
    struct station *station = task->worker->station;
    snprintf(task->file_name, sizeof task->file_name, "kit-%u-%u-%" PRIu64,
             (unsigned)(station->line - runtime->lines), (unsigned)station->index,
             ++station->files_count);
    int rc = env->ops->open(env, runtime->scratch, task->file_name, true, &task->file);
    if (rc < 0) return rc;
    task->reads_pending = 1;
    task->file_piece = (struct env_bytes){task->input.bytes, task->input.count};
    env->ops->write_and_sync(env, task->file, 0, &task->file_piece, 1, false, file_written, task);
    return 0;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static const char *words_of_damage(int result) {
    switch (result) {
    case -EBADMSG: return "what it was sent is damaged in the journal";
    case -E2BIG: return "its kit is larger than 32 MiB";
    case -EINVAL: return "a part of its kit is not JSON, which a join needs";
    default: return NULL;
    }
}

static void reading_failed(struct task *task) {
    const char *words = words_of_damage(task->read_result);
    if (words != NULL) {
        task_fail(task, slice_from_string(words));
        return;
    }
    struct runtime *runtime = runtime_of(task);
    log_printf(runtime->log, LOG_WARNING,
               "cannot read what `%s` is to handle: %s; next try in %d s", task->worker->name,
               strerror(-task->read_result), TASK_RETRY_MS_MAX / 1000);
    remove_file(task);
    task->retry_at.ns = worker_now(task->worker).ns + TASK_RETRY_MS_MAX * MS_NS;
    worker_arm(task->worker);
}

static void read_ended(struct task *task) {
    CHECK(task->reads_pending > 0 && task->state == TASK_READING);
    if (--task->reads_pending > 0) return;
    struct worker *worker = task->worker;
    if (!worker_may_take(worker)) {
        task_return(task);
        return;
    }
    bool is_large = task->is_kit && task->input.count > TASK_KIT_INLINE_BYTES_MAX;
    bool needs_file = is_large && worker->kind != &handler_pass_on && task->file_name[0] == '\0';
    if (task->read_result == 0 && needs_file) {
        task->read_result = write_file(task);
        if (task->read_result == 0) return; /* it comes back to here */
    }
    if (task->read_result < 0) {
        reading_failed(task);
        return;
    }
    task->state = TASK_WAITING;
    worker->kind->give(worker, task);
}

static void take_text(struct task *task, struct buffer *into, int result, struct slice text) {
    if (result < 0) {
        task->read_result = result;
    } else {
        buffer_append(into, text);
        if (into->failed) task->read_result = -ENOMEM;
    }
    read_ended(task);
}

static void take_body(struct task *task, struct buffer *into, int result, struct slice bytes) {
    struct slice text = SLICE_EMPTY;
    if (result == 0) result = message_body_text(bytes, &text);
    take_text(task, into, result, text);
}

static void input_read(void *context, int result, struct slice bytes) {
    struct task *task = context;
    take_body(task, &task->input, result, bytes);
}

static void kit_read(void *context, int result, struct slice text) {
    struct task *task = context;
    take_text(task, &task->input, result, text);
}

static void order_read(void *context, int result, struct slice bytes) {
    struct task *task = context;
    take_body(task, &task->order, result, bytes);
}

static void read_input(struct task *task) {
    struct station *station = task->worker->station;
    struct shard *shard = runtime_of(task)->shard;
    task->state = TASK_READING;
    task->retry_at = NEVER;
    task->read_result = 0;
    buffer_clear(&task->input);
    buffer_clear(&task->order);
    task->reads_pending = task->has_order ? 3 : 2; /* the last is this function's own: the others
                                                      may end inside their calls */
    if (task->is_kit) {
        kit_text_read(shard, station->line->definition, station->index, task->message,
                      TASK_INPUT_BYTES_MAX, kit_read, task);
    } else {
        shard_read_body(shard, task->body_ref, input_read, task);
    }
    if (task->has_order) shard_read_body(shard, task->order_ref, order_read, task);
    read_ended(task);
}

void task_begin(struct task *task, const struct answer_lease *lease) {
    CHECK(task->state == TASK_FREE);
    task->message = lease->message;
    task->attempt = lease->attempt;
    task->is_kit = lease->is_kit;
    task->body_ref = lease->body;
    task->order_ref = lease->order;
    task->id = ++task->worker->ids;
    name_task(task, lease);
    bool uses_order = (task->worker->station->uses & EXPRESSION_BIT(EXPRESSION_ORDER)) != 0;
    bool is_order = !lease->is_kit && lease->body.position == lease->order.position;
    task->has_order = uses_order && !is_order;
    if (runtime_of(task)->is_failed) {
        task->state = TASK_ENDING;
        task_return(task);
        return;
    }
    read_input(task);
}

void task_try_again(struct task *task) {
    task->retry_at = NEVER;
    if (task->state == TASK_READING) {
        CHECK(task->reads_pending == 0);
        read_input(task);
    } else if (task->state == TASK_WAITING) {
        task->worker->kind->give(task->worker, task);
    }
}
