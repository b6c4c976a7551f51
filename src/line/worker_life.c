/* SPDX-License-Identifier: Apache-2.0 */
/* worker_life.c -- a worker's memory, its clock, and how takt itself ends it. */
#include "line/runtime_inside.h"

#include <signal.h>
#include <stdio.h>

static void earlier(struct mono_time *earliest, struct mono_time time) {
    if (time.ns < earliest->ns) *earliest = time;
}

/* When an idle worker above what is wanted goes. */
static struct mono_time idle_end(const struct worker *worker) {
    const struct station *station = worker->station;
    if (worker->state != WORKER_IDLE || station->workers_min == station->workers_max) return NEVER;
    int64_t idle_ms = station->definition->idle_timeout_ms;
    if (idle_ms == 0) idle_ms = STATION_IDLE_MS;
    return (struct mono_time){worker->idle_since.ns + idle_ms * MS_NS};
}

static bool is_up(const struct worker *worker) {
    return worker->state == WORKER_IDLE || worker->state == WORKER_BUSY;
}

static struct mono_time next_time(const struct worker *worker) {
    struct mono_time next = NEVER;
    earlier(&next, worker->session_retry_at);
    earlier(&next, worker->lease_retry_at);
    earlier(&next, worker->kill_at);
    /* Without a session it waits for that, however long it has lived: worker_consider_ready. */
    bool settles = worker->state == WORKER_STARTING && worker->session_step == SESSION_THERE;
    if (settles) earlier(&next, worker->settle_at);
    if (is_up(worker)) earlier(&next, worker->proof_at);
    if (worker->state == WORKER_BACKING_OFF) earlier(&next, worker->restart_at);
    if (!worker->has_idled_out) earlier(&next, idle_end(worker));
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        earlier(&next, worker->tasks[i].deadline);
        earlier(&next, worker->tasks[i].retry_at);
    }
    return next;
}

void worker_arm(struct worker *worker) {
    struct env *env = station_runtime(worker->station)->env;
    struct mono_time next = next_time(worker);
    if (next.ns == worker->armed_for.ns) return;
    worker->armed_for = next;
    if (next.ns == NEVER.ns) {
        env->ops->timer_stop(env, worker->timer);
    } else {
        env->ops->timer_set(env, worker->timer, next);
    }
}

static bool is_due(struct mono_time *time, struct mono_time now) {
    if (time->ns > now.ns) return false;
    *time = NEVER;
    return true;
}

static void write_duration(int64_t ms, char *text, size_t text_bytes) {
    if (ms % 3600000 == 0) {
        snprintf(text, text_bytes, "%lldh", (long long)(ms / 3600000));
    } else if (ms % 60000 == 0) {
        snprintf(text, text_bytes, "%lldm", (long long)(ms / 60000));
    } else if (ms % 1000 == 0) {
        snprintf(text, text_bytes, "%llds", (long long)(ms / 1000));
    } else {
        snprintf(text, text_bytes, "%lldms", (long long)ms);
    }
}

/* It holds a message too long: whatever it does, it does not do its work. */
static void time_out(struct worker *worker, struct task *task) {
    if (worker->doom != DOOM_NONE) return;
    char duration[32];
    char reason[64];
    write_duration(worker->station->definition->timeout_ms, duration, sizeof duration);
    snprintf(reason, sizeof reason, "timed out after %s", duration);
    worker->guilty = task->message;
    worker_doom(worker, DOOM_TIMEOUT, reason);
}

static void tasks_due(struct worker *worker, struct mono_time now) {
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        struct task *task = &worker->tasks[i];
        if (is_due(&task->deadline, now)) time_out(worker, task);
        if (is_due(&task->retry_at, now)) task_try_again(task);
    }
}

/* It has outlived the failed starts; if it lets its input lie, it may be trying still. */
static void look_for_proof(struct worker *worker, struct mono_time now) {
    if (worker->process == NULL) return;
    const struct worker_processes *processes = station_runtime(worker->station)->processes;
    bool is_waited_for = processes->unread_bytes(worker->process) >= worker->written_bytes;
    if (worker->written_bytes == 0 || !is_waited_for) {
        worker_prove(worker);
    } else {
        worker->proof_at.ns = now.ns + WORKER_SETTLE_MS * MS_NS;
    }
}

static void fire(void *context) {
    struct worker *worker = context;
    struct mono_time now = worker_now(worker);
    worker->armed_for = NEVER;
    tasks_due(worker, now);
    if (is_due(&worker->kill_at, now)) worker_signal(worker, SIGKILL);
    if (is_due(&worker->session_retry_at, now)) {
        if (worker->session_step == SESSION_NONE) worker_open_session(worker);
        if (worker->session_step == SESSION_THERE) worker_settle(worker);
    }
    if (is_due(&worker->lease_retry_at, now)) station_dispatch(worker->station);
    if (worker->state == WORKER_STARTING) worker_consider_ready(worker);
    if (is_up(worker) && is_due(&worker->proof_at, now)) look_for_proof(worker, now);
    if (worker->state == WORKER_BACKING_OFF && is_due(&worker->restart_at, now)) {
        worker_handle(worker, WORKER_ON_START);
    }
    if (!worker->has_idled_out && idle_end(worker).ns <= now.ns) {
        worker->has_idled_out = true;
        station_want_work(worker->station);
    }
    worker_arm(worker);
}

void worker_prove(struct worker *worker) {
    if (worker->is_proven) return;
    worker->is_proven = true;
    worker->proof_at = NEVER;
    station_start_worked(worker->station);
}

void worker_consider_ready(struct worker *worker) {
    if (worker->state != WORKER_STARTING || worker->session_step != SESSION_THERE) return;
    bool has_settled = worker->settle_at.ns <= worker_now(worker).ns;
    if (has_settled || worker->has_spoken) {
        worker_handle(worker, WORKER_ON_READY);
    } else {
        worker_arm(worker);
    }
}

void worker_doom(struct worker *worker, enum worker_doom doom, const char *reason) {
    if (worker->doom != DOOM_NONE && doom != DOOM_STOP) return;
    worker->doom = doom;
    snprintf(worker->reason, sizeof worker->reason, "%s", reason);
    worker_signal(worker, SIGKILL);
}

void worker_force(struct worker *worker, bool hard) {
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        struct task *task = &worker->tasks[i];
        if (task->state != TASK_ENDING || task->is_commanded) continue;
        task->state = TASK_HELD; /* it waited to be recorded */
        task->retry_at = NEVER;
    }
    if (worker->process == NULL) {
        worker_settle(worker);
        return;
    }
    worker->doom = DOOM_STOP;
    if (hard) {
        worker_signal(worker, SIGKILL);
    } else {
        worker_let_go(worker);
    }
}

struct worker *worker_open(struct station *station, uint32_t number) {
    struct env *env = station_runtime(station)->env;
    struct worker *worker = env_alloc(env, sizeof *worker);
    if (worker == NULL) return NULL;
    *worker = (struct worker){.station = station,
                              .kind = station->kind,
                              .number = number,
                              .settle_at = NEVER,
                              .kill_at = NEVER,
                              .restart_at = NEVER,
                              .session_retry_at = NEVER,
                              .lease_retry_at = NEVER,
                              .proof_at = NEVER,
                              .armed_for = NEVER};
    snprintf(worker->name, sizeof worker->name, "%s/%u", station->definition->name,
             (unsigned)number);
    list_init(&worker->link);
    buffer_open(&worker->out, &env->allocator,
                station->kind == &handler_exec ? TASK_OUTPUT_BYTES_MAX : STREAM_LINE_BYTES_MAX);
    worker->tasks_count = 2 * station->concurrency;
    worker->tasks = env_alloc(env, worker->tasks_count * sizeof worker->tasks[0]);
    if (worker->tasks == NULL) goto fail;
    if (env->ops->timer_open(env, fire, worker, &worker->timer) < 0) goto fail;
    for (uint32_t i = 0; i < worker->tasks_count; i++) task_open(&worker->tasks[i], worker);
    return worker;

fail:
    env_free(env, worker->tasks);
    env_free(env, worker);
    return NULL;
}

void worker_close(struct worker *worker) {
    CHECK(!worker_is_under_way(worker));
    struct env *env = station_runtime(worker->station)->env;
    for (uint32_t i = 0; i < worker->tasks_count; i++) task_free(&worker->tasks[i]);
    list_remove(&worker->link);
    worker->station->workers_count--;
    env->ops->timer_close(env, worker->timer);
    buffer_close(&worker->out);
    env_free(env, worker->tasks);
    env_free(env, worker);
}
