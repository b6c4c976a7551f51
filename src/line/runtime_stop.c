/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_stop.c -- the orderly end: nothing new is taken, what runs may finish, the rest goes back
 * uncounted.
 *
 *   stop ──► every worker drains ──grace over, or asked again──► TERM or KILL ──► all gone ──► done
 */
#include "line/runtime_inside.h"

#include <signal.h>

typedef void each_worker_fn(struct worker *worker, bool flag);

static void for_each_of_station(struct station *station, each_worker_fn *fn, bool flag) {
    struct list_link *head = &station->workers;
    struct list_link *link = head->next;
    while (link != head) { /* nothing is freed but by chores */
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        link = link->next;
        fn(worker, flag);
    }
}

static void for_each_worker(struct runtime *runtime, each_worker_fn *fn, bool flag) {
    for (uint32_t i = 0; i < runtime->lines_count; i++) {
        struct runtime_line *line = &runtime->lines[i];
        for (uint32_t j = 0; j < line->stations_opened; j++) {
            for_each_of_station(&line->stations[j], fn, flag);
        }
    }
}

uint32_t runtime_workers_count(const struct runtime *runtime) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < runtime->lines_count; i++) {
        const struct runtime_line *line = &runtime->lines[i];
        for (uint32_t j = 0; j < line->stations_opened; j++) {
            count += line->stations[j].workers_count;
        }
    }
    return count;
}

static void drain(struct worker *worker, bool flag) {
    (void)flag;
    worker_handle(worker, WORKER_ON_STOP);
}

static void kill_worker(struct worker *worker, bool flag) {
    (void)flag;
    worker_signal(worker, SIGKILL);
    worker_handle(worker, WORKER_ON_STOP);
    worker_settle(worker);
}

void runtime_fail(struct runtime *runtime) {
    if (runtime->is_failed) return;
    runtime->is_failed = true;
    for_each_worker(runtime, kill_worker, true);
    runtime_want_chores(runtime);
}

static void force(struct runtime *runtime, bool hard) {
    runtime->is_forced = true;
    for_each_worker(runtime, worker_force, hard);
}

void runtime_grace_over(void *context) {
    struct runtime *runtime = context;
    uint32_t count = runtime_workers_count(runtime);
    if (count > 0) {
        log_printf(runtime->log, LOG_WARNING,
                   "%u workers are not done in time; they are ended, what they hold is given back",
                   (unsigned)count);
    }
    force(runtime, false);
}

void runtime_stop(struct runtime *runtime, int64_t grace_ms, env_fn *done, void *context) {
    struct env *env = runtime->env;
    runtime->stopped = done;
    runtime->stopped_context = context;
    if (runtime->is_stopping) {
        force(runtime, true);
    } else {
        runtime->is_stopping = true;
        for_each_worker(runtime, drain, false);
        struct mono_time when = {env->ops->now_mono(env).ns + grace_ms * MS_NS};
        env->ops->timer_set(env, runtime->grace, when);
    }
    runtime_want_chores(runtime);
}

void runtime_stop_if_through(struct runtime *runtime) {
    bool is_through = runtime->is_stopping && !runtime->is_putting;
    if (!is_through || runtime->stopped == NULL || runtime_workers_count(runtime) > 0) return;
    runtime->env->ops->timer_stop(runtime->env, runtime->grace);
    env_fn *done = runtime->stopped;
    runtime->stopped = NULL;
    done(runtime->stopped_context); /* the last: it may close the runtime */
}
