/* SPDX-License-Identifier: Apache-2.0 */
/* handler_stream.c -- `stream`: one process for many messages, one line each way.
 *
 *   give      the message's line goes into stdin; if the queue there is full, it waits
 *   output    each line of stdout answers a message, or is a line for the log
 *   exit      what was never read of stdin was never in its hands (see worker.c)
 */
#include "base/json.h"
#include "line/runtime_inside.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define EXIT_DO_NOT_RESTART 125

static struct runtime *runtime_of(const struct worker *worker) {
    return station_runtime(worker->station);
}

/* ---- give ------------------------------------------------------------------------------------- */

static int write_line(struct worker *worker, struct task *task) {
    struct runtime *runtime = runtime_of(worker);
    struct buffer line;
    struct arena arena;
    buffer_open(&line, &runtime->env->allocator, PROCESS_WRITE_QUEUE_BYTES_MAX);
    arena_open(&arena, &runtime->env->allocator, 64 * 1024);
    struct stream_message message = {
        .id = task->id,
        .task = slice_from_string(task->name),
        .job = slice_from_string(task->job),
        .station = slice_from_string(worker->station->definition->name),
        .attempt = task->attempt,
        .body = buffer_slice(&task->input),
    };
    int rc = 0;
    if (task->file_name[0] != '\0') {
        message.body_file = slice_from_string(task_file_path(task, &arena));
        if (message.body_file.count == 0) rc = -ENOMEM;
    }
    if (rc == 0) stream_line_write(&line, &message);
    if (line.failed) rc = -ENOMEM;
    if (rc == 0) rc = runtime->processes->write(worker->process, buffer_slice(&line));
    if (rc == 0) {
        task->line_start = worker->written_bytes;
        worker->written_bytes += line.count;
    }
    buffer_close(&line);
    arena_close(&arena);
    return rc;
}

static void give(struct worker *worker, struct task *task) {
    if (worker->process == NULL || !worker_may_take(worker)) {
        task_return(task);
        return;
    }
    /* Reasons show the last words since this work began, not what was said over another; and of a
     * start that may yet fail all. */
    if (worker_hands(worker) == 1 && worker->is_proven) worker->log.tail_count = 0;
    int rc = write_line(worker, task);
    if (rc == -ENOBUFS) return; /* on_drained gives it again */
    if (rc == -EPIPE) {
        worker_doom(worker, DOOM_INPUT, "it has closed its stdin");
        return;
    }
    struct mono_time now = worker_now(worker);
    if (rc < 0) {
        task->retry_at.ns = now.ns + TASK_RETRY_MS_MAX * MS_NS;
    } else {
        task->state = TASK_HANDLING;
        task->given_at = now;
        task->deadline.ns = now.ns + worker->station->definition->timeout_ms * MS_NS;
    }
    worker_arm(worker);
}

static void on_drained(void *context) {
    struct worker *worker = context;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (worker->tasks[i].state == TASK_WAITING) give(worker, &worker->tasks[i]);
    }
}

/* ---- output ----------------------------------------------------------------------------------- */

static void answer_words(struct task *task, struct slice raw,
                         void (*end)(struct task *task, struct slice words)) {
    struct arena arena;
    arena_open(&arena, &runtime_of(task->worker)->env->allocator, STREAM_LINE_BYTES_MAX);
    struct slice words = raw;
    if (json_type(raw) == JSON_STRING && !json_string(&arena, raw, &words)) words = raw;
    end(task, words);
    arena_close(&arena);
}

static void take_broken(struct task *task, const struct json_error *error) {
    char words[128];
    int count = snprintf(words, sizeof words, "the answer is not JSON: %s at byte %zu",
                         error->message, error->offset);
    CHECK(count > 0 && (size_t)count < sizeof words);
    task_fail(task, slice_from(words, (size_t)count));
}

static void take_answer(struct task *task, const struct stream_answer *answer) {
    switch (answer->kind) {
    case STREAM_OUTPUT: task_complete(task, answer->value, false); break;
    case STREAM_OUTPUTS: task_complete(task, answer->value, true); break;
    case STREAM_ERROR: answer_words(task, answer->value, task_fail); break;
    case STREAM_REJECT: answer_words(task, answer->value, task_reject); break;
    case STREAM_WRONG:
        task_fail(task, SLICE("the handler's answer has none of output, outputs (an object), error "
                              "and reject"));
        break;
    case STREAM_BROKEN: take_broken(task, &answer->error); break;
    case STREAM_LOG: CHECK_UNREACHABLE();
    }
}

static void take_line(struct worker *worker, struct slice line) {
    struct stream_answer answer = stream_line_read(line);
    struct task *task = NULL;
    if (answer.kind != STREAM_LOG) task = worker_find_task(worker, answer.id);
    if (task == NULL || answer.kind == STREAM_BROKEN) worker_log_line(worker, line);
    if (task != NULL) take_answer(task, &answer);
}

/* A line in several pieces is put together in worker->out. False: it is too long. */
static bool take_piece(struct worker *worker, struct slice piece, bool is_last) {
    buffer_append(&worker->out, piece);
    if (worker->out.failed) {
        bool is_long = worker->out.count + piece.count > STREAM_LINE_BYTES_MAX;
        worker_doom(worker, DOOM_OUTPUT,
                    is_long ? "it wrote a line longer than 33 MiB"
                            : "takt has no memory left for the line that it wrote");
        return false;
    }
    if (is_last) {
        take_line(worker, buffer_slice(&worker->out));
        buffer_clear(&worker->out);
    }
    return true;
}

static void take_lines(struct worker *worker, struct slice bytes) {
    while (bytes.count > 0 && worker->doom == DOOM_NONE) {
        struct slice piece;
        struct slice rest;
        bool is_last = slice_cut(bytes, '\n', &piece, &rest);
        if (is_last && worker->out.count == 0) {
            take_line(worker, piece);
        } else if (!take_piece(worker, piece, is_last)) {
            return;
        }
        bytes = rest;
    }
}

static void on_output(void *context, int stream, struct slice bytes) {
    struct worker *worker = context;
    if (bytes.count == 0) return; /* its end; on_exit comes */
    if (stream == 2) {
        worker_log_take(worker, bytes);
        return;
    }
    bool is_first = !worker->has_spoken;
    worker->has_spoken = true;
    take_lines(worker, bytes);
    if (is_first) worker_consider_ready(worker);
}

/* ---- exit ------------------------------------------------------------------------------------- */

static void on_exit(void *context, int exit_code, int signal) {
    struct worker *worker = context;
    struct station *station = worker->station;
    worker_log_flush(worker);
    worker_write_reason(worker, exit_code, signal);
    worker->unread_bytes = runtime_of(worker)->processes->unread_bytes(worker->process);
    worker->process = NULL;
    worker->kill_at = NEVER;
    buffer_close(&worker->out);
    bool asked_to_stay_down = signal == 0 && exit_code == EXIT_DO_NOT_RESTART;
    if (asked_to_stay_down && worker->state != WORKER_DRAINING) {
        station_give_up(station, worker);
        worker->waits_for_station = true;
    } else if (worker_is_early_death(worker, signal)) {
        worker->waits_for_station = true;
        station_start_failed(station, worker, worker->reason,
                             signal == 0 && worker_cannot_execute(worker, exit_code));
    }
    worker_handle(worker, WORKER_ON_EXIT);
}

static const struct process_events events = {on_output, on_exit, on_drained};

static int start(struct worker *worker) {
    return worker_start_process(worker, NULL, &events);
}

const struct worker_kind handler_stream = {.has_process = true, .start = start, .give = give};
