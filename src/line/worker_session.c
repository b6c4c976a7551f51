/* SPDX-License-Identifier: Apache-2.0 */
/* worker_session.c -- a worker's session in the broker: opened, leased under, ended. */
#include "line/runtime_inside.h"

static bool is_passing(enum broker_result result) {
    return result == BROKER_BUSY || result == BROKER_NO_ROOM || result == BROKER_NO_MEMORY;
}

static struct mono_time later(const struct worker *worker) {
    return (struct mono_time){worker_now(worker).ns + WORKER_RETRY_MS * MS_NS};
}

/* ---- open ------------------------------------------------------------------------------------- */

static void opened(void *context, const struct broker_answer *answer) {
    struct worker *worker = context;
    struct runtime *runtime = station_runtime(worker->station);
    worker->session_step = SESSION_NONE;
    if (answer->result == BROKER_OK) {
        worker->session_step = SESSION_THERE;
        worker->session = answer->session.session;
        worker_consider_ready(worker);
    } else if (answer->result == BROKER_UNAVAILABLE) {
        runtime_fail(runtime);
    } else if (worker->state == WORKER_STARTING) {
        if (!is_passing(answer->result)) {
            log_printf(runtime->log, LOG_ERROR, "no session for worker `%s`: %s %s; tried again",
                       worker->name, broker_result_words(answer->result), answer->detail);
        }
        worker->session_retry_at = later(worker);
        worker_arm(worker);
    }
    worker_settle(worker);
}

void worker_open_session(struct worker *worker) {
    struct runtime *runtime = station_runtime(worker->station);
    CHECK(worker->session_step == SESSION_NONE);
    if (runtime->is_failed) return;
    worker->session_step = SESSION_OPENING;
    struct command command = {.kind = COMMAND_SESSION_OPEN};
    command.session.line = worker->station->line->ref;
    command.session.station = worker->station->index;
    shard_submit(runtime->shard, &command, opened, worker);
}

/* ---- lease ------------------------------------------------------------------------------------ */

static struct task *find_free(struct worker *worker) {
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (worker->tasks[i].state == TASK_FREE) return &worker->tasks[i];
    }
    return NULL;
}

static void take_leases(struct worker *worker, const struct broker_answer *answer) {
    if (answer->lease.count > 0) worker_handle(worker, WORKER_ON_TAKEN);
    for (uint32_t i = 0; i < answer->lease.count; i++) {
        struct task *task = find_free(worker);
        CHECK(task != NULL); /* no more were asked for, and none is taken while is_leasing */
        task_begin(task, &answer->lease.leases[i]);
    }
}

/* None came, but others may be there: what waited was withdrawn instead, as its job has ended. */
static bool has_shrunk(const struct worker *worker) {
    const struct station *station = worker->station;
    struct station_view view;
    const struct broker *broker = shard_broker(station_runtime(station)->shard);
    return broker_get_station(broker, station->line->ref, station->index, &view) &&
           view.queue.visible_count < worker->leasing_visible;
}

/* `exec` tries with a message, and got none; a process tries by living. */
static void probe_left(struct worker *worker) {
    if (!worker->kind->has_process) station_prober_left(worker->station, worker);
}

static void leased(void *context, const struct broker_answer *answer) {
    struct worker *worker = context;
    struct station *station = worker->station;
    struct runtime *runtime = station_runtime(station);
    bool ask_again = false;
    if (answer->result == BROKER_OK || answer->result == BROKER_NOTHING) {
        uint32_t count = answer->result == BROKER_OK ? answer->lease.count : 0;
        if (count > 0) take_leases(worker, answer);
        if (count == 0) probe_left(worker);
        ask_again = count > 0 || has_shrunk(worker);
    } else if (answer->result == BROKER_UNAVAILABLE) {
        runtime_fail(runtime);
    } else {
        if (!is_passing(answer->result)) {
            log_printf(runtime->log, LOG_ERROR,
                       "nothing leased for worker `%s`: %s %s; asked again", worker->name,
                       broker_result_words(answer->result), answer->detail);
        }
        probe_left(worker);
        worker->lease_retry_at = later(worker);
    }
    worker->is_leasing = false;
    worker_arm(worker);
    worker_settle(worker);
    if (ask_again) station_dispatch(station);
}

void worker_lease(struct worker *worker, uint32_t messages_max, uint64_t visible) {
    CHECK(messages_max > 0 && messages_max <= worker_room(worker));
    worker->is_leasing = true;
    worker->leasing_visible = visible;
    worker->lease_retry_at = NEVER;
    struct command command = {.kind = COMMAND_LEASE};
    command.lease =
        (struct command_lease){.session = worker->session, .messages_max = messages_max};
    shard_submit(station_runtime(worker->station)->shard, &command, leased, worker);
}

/* ---- end -------------------------------------------------------------------------------------- */

static void free_held(struct worker *worker) {
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (worker->tasks[i].state == TASK_HELD) task_free(&worker->tasks[i]);
    }
}

static void ended(void *context, const struct broker_answer *answer) {
    struct worker *worker = context;
    struct runtime *runtime = station_runtime(worker->station);
    worker->session_step = SESSION_NONE;
    if (is_passing(answer->result) && !runtime->is_forced) {
        worker->session_step = SESSION_THERE;
        worker->session_retry_at = later(worker);
        worker_arm(worker);
        return;
    }
    if (answer->result == BROKER_UNAVAILABLE) runtime_fail(runtime);
    bool is_odd = answer->result != BROKER_OK && answer->result != BROKER_NOTHING &&
                  answer->result != BROKER_UNAVAILABLE;
    if (is_odd) {
        log_printf(runtime->log, LOG_ERROR,
                   "the end of worker `%s` was refused: %s %s; what it held stays until the next "
                   "start of takt",
                   worker->name, broker_result_words(answer->result), answer->detail);
    }
    free_held(worker);
    worker_settle(worker);
}

/* What it did not hold as HELD was returned: without any, nobody is to blame. */
void worker_end_session(struct worker *worker) {
    struct runtime *runtime = station_runtime(worker->station);
    if (worker->session_retry_at.ns != NEVER.ns) return; /* refused a moment ago */
    if (runtime->is_failed) {
        worker->session_step = SESSION_NONE;
        free_held(worker);
        worker_settle(worker);
        return;
    }
    bool holds = false;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        holds = holds || worker->tasks[i].state == TASK_HELD;
    }
    worker->session_step = SESSION_ENDING;
    struct command command = {.kind = COMMAND_SESSION_END};
    command.session = (struct command_session){
        .line = worker->station->line->ref,
        .station = worker->station->index,
        .session = worker->session,
        .guilty = worker->guilty,
        .error = slice_from_string(worker->reason),
        .uncounted = !holds || worker->doom == DOOM_STOP || runtime->is_forced,
    };
    shard_submit(runtime->shard, &command, ended, worker);
}
