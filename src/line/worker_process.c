/* SPDX-License-Identifier: Apache-2.0 */
/* worker_process.c -- a worker's process: its start, its signals, how its end is told. */
#include "env/path.h"
#include "line/handler_env.h"
#include "line/runtime_inside.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ENV_BYTES_MAX (1024u * 1024)
#define EXIT_CANNOT_EXECUTE 127

int worker_start_process(struct worker *worker, const struct task *task,
                         const struct process_events *events) {
    struct station *station = worker->station;
    struct runtime *runtime = station_runtime(station);
    struct arena arena;
    arena_open(&arena, &runtime->env->allocator, ENV_BYTES_MAX);
    struct handler_env env = {
        .processes = runtime->processes,
        .line = station->line->definition->name,
        .station = station->definition,
        .sqs_url = runtime->options.sqs_url,
    };
    int rc = -ENOMEM;
    if (task != NULL) {
        env.task = task->name;
        env.job = task->job;
        env.attempt = task->attempt;
        if (task->file_name[0] != '\0') {
            env.input_file = task_file_path(task, &arena);
            if (env.input_file == NULL) goto end;
        }
    }
    const char *const *variables = handler_env_make(&arena, &env);
    if (variables == NULL) goto end;
    struct process_options options = {
        .argv = station->definition->argv,
        .env = variables,
        .cwd = station->definition->cwd,
        .mark = runtime->options.mark,
        .events = events,
        .context = worker,
    };
    rc = runtime->processes->start(runtime->processes->context, runtime->env, &options,
                                   &worker->process);
end:
    arena_close(&arena);
    return rc;
}

void worker_write_start_failure(const struct worker *worker, int rc,
                                char reason[STATION_REASON_BYTES]) {
    const char *cwd = worker->station->definition->cwd;
    bool has_folder = (rc != -ENOENT && rc != -ENOTDIR) || path_is_folder(cwd);
    (void)snprintf(reason, STATION_REASON_BYTES, "%s%.200s%s%s", has_folder ? "" : "the folder ",
                   has_folder ? "" : cwd, has_folder ? "" : ": ", strerror(-rc));
}

void worker_signal(struct worker *worker, int signal) {
    if (worker->process == NULL) return;
    station_runtime(worker->station)->processes->signal(worker->process, signal);
}

void worker_let_go(struct worker *worker) {
    if (worker->process == NULL || worker->kill_at.ns != NEVER.ns) return;
    station_runtime(worker->station)->processes->close_stdin(worker->process);
    worker_signal(worker, SIGTERM);
    worker->kill_at.ns = worker_now(worker).ns + WORKER_TERM_MS * MS_NS;
    worker_arm(worker);
}

void worker_write_reason(struct worker *worker, int exit_code, int signal) {
    char how[96];
    if (worker->doom != DOOM_NONE) {
        snprintf(how, sizeof how, "%.90s", worker->reason); /* takt itself did it, and knows why */
    } else if (signal != 0) {
        snprintf(how, sizeof how, "killed by signal %d", signal);
    } else {
        snprintf(how, sizeof how, "exited with %d", exit_code);
    }
    struct slice tail = worker_log_tail(worker);
    snprintf(worker->reason, sizeof worker->reason, "%s%s%.*s", how, tail.count > 0 ? ": " : "",
             SLICE_ARGS(tail));
}

bool worker_cannot_execute(const struct worker *worker, int exit_code) {
    return exit_code == EXIT_CANNOT_EXECUTE &&
           slice_starts_with(worker_log_tail(worker), SLICE("takt: cannot "));
}

bool worker_has_read(const struct worker *worker) {
    /* `exec` is given its input with its start. */
    return !worker->kind->has_process || worker->unread_bytes < worker->written_bytes;
}

/* SIGKILL is never a program's own doing: an operator, or the kernel short of memory; unless it is
 * takt's, for what the program did. */
bool worker_is_early_death(const struct worker *worker, int signal) {
    int64_t life_ns = worker_now(worker).ns - worker->started_at.ns;
    bool was_starting = life_ns < WORKER_START_MS_MAX * MS_NS || worker->written_bytes > 0;
    bool is_own_doing = worker->doom == DOOM_INPUT || worker->doom == DOOM_OUTPUT;
    bool is_killed = signal == SIGKILL && !is_own_doing;
    bool is_told_to_go = worker->state == WORKER_DRAINING || worker->doom == DOOM_STOP;
    return !worker->is_proven && !worker_has_read(worker) && was_starting && !is_killed &&
           !is_told_to_go;
}
