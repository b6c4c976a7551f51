/* SPDX-License-Identifier: Apache-2.0 */
/* handler_exec.c -- `exec`: one process for each message.
 *
 *   stdin = the input (empty for a kit in a file), stdout = the output
 *   exit 0            done
 *   exit 65           reject; stderr, or else stdout, is the reason
 *   any other exit    failed; the last of stderr is the reason
 *   a signal          the worker died (worker.c); so does a timeout
 *   cannot start      nothing happened: the message goes back uncounted, the station is jammed
 */
#include "line/runtime_inside.h"

#include <errno.h>
#include <signal.h>

#define EXIT_REJECT 65

static struct runtime *runtime_of(const struct worker *worker) {
    return station_runtime(worker->station);
}

static struct task *task_in_hand(struct worker *worker) {
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (worker->tasks[i].state == TASK_HANDLING) return &worker->tasks[i];
    }
    return NULL;
}

static void on_output(void *context, int stream, struct slice bytes) {
    struct worker *worker = context;
    if (bytes.count == 0) return;
    if (stream == 2) {
        worker_log_take(worker, bytes);
        return;
    }
    if (worker->doom != DOOM_NONE) return;
    buffer_append(&worker->out, bytes);
    if (!worker->out.failed) return;
    bool is_large = worker->out.count + bytes.count > TASK_OUTPUT_BYTES_MAX;
    worker_doom(worker, DOOM_OUTPUT,
                is_large ? "its output is larger than 32 MiB"
                         : "takt has no memory left for its output");
}

static void reject(struct worker *worker, struct task *task) {
    struct slice reason = worker_log_tail(worker);
    if (reason.count == 0) reason = slice_trim(buffer_slice(&worker->out));
    if (reason.count == 0) reason = SLICE("rejected without a reason");
    task_reject(task, reason);
}

/* It ran to its end, or takt ended it for what it wrote. */
static void take_result(struct worker *worker, struct task *task, int exit_code) {
    bool is_whole = worker->doom == DOOM_NONE;
    worker->doom = DOOM_NONE; /* it was the process's, which is gone; the worker takes the next */
    if (exit_code == 0 && is_whole) {
        task_complete(task, buffer_slice(&worker->out), false);
    } else if (exit_code == EXIT_REJECT && is_whole) {
        reject(worker, task);
    } else {
        task_fail(task, slice_from_string(worker->reason));
    }
}

static void on_exit(void *context, int exit_code, int signal) {
    struct worker *worker = context;
    struct station *station = worker->station;
    struct task *task = task_in_hand(worker);
    CHECK(task != NULL);
    worker_log_flush(worker);
    worker_write_reason(worker, exit_code, signal);
    worker->process = NULL;
    worker->kill_at = NEVER;
    task->deadline = NEVER;

    if (worker->doom == DOOM_STOP || runtime_of(worker)->is_failed) {
        task_return(task);
    } else if (signal == 0 && worker_cannot_execute(worker, exit_code)) {
        station_start_failed(station, worker, worker->reason, true);
        task_return(task);
    } else if (worker->doom == DOOM_TIMEOUT || (signal != 0 && worker->doom == DOOM_NONE)) {
        station_start_worked(station);
        worker->guilty = task->message;
        worker_handle(worker, WORKER_ON_EXIT);
    } else {
        station_start_worked(station);
        take_result(worker, task, exit_code);
    }
    buffer_close(&worker->out);
    worker_settle(worker);
}

static const struct process_events events = {on_output, on_exit, NULL};

static void write_input(struct worker *worker, struct task *task) {
    const struct worker_processes *processes = runtime_of(worker)->processes;
    if (task->file_name[0] == '\0') {
        int rc = processes->write(worker->process, buffer_slice(&task->input));
        /* A program that does not read its input is none the worse for it. */
        if (rc < 0 && rc != -EPIPE) worker_doom(worker, DOOM_OUTPUT, strerror(-rc));
    }
    processes->close_stdin(worker->process);
}

static void give(struct worker *worker, struct task *task) {
    if (!worker_may_take(worker)) {
        task_return(task);
        return;
    }
    worker->log.tail_count = 0;
    worker->log.line_count = 0;
    worker->reason[0] = '\0';
    buffer_clear(&worker->out);
    task->given_at = worker_now(worker);
    int rc = worker_start_process(worker, task, &events);
    if (rc < 0) {
        char reason[STATION_REASON_BYTES];
        worker_write_start_failure(worker, rc, reason);
        station_start_failed(worker->station, worker, reason, true);
        task_return(task);
        return;
    }
    task->state = TASK_HANDLING;
    task->deadline.ns = task->given_at.ns + worker->station->definition->timeout_ms * MS_NS;
    write_input(worker, task);
    worker_arm(worker);
}

const struct worker_kind handler_exec = {.give = give};
