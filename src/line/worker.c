/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c -- one worker of a station: its life cycle.
 *
 *                   START                READY                TAKEN
 *            DOWN ────────► STARTING ─────────────► IDLE ─────────────► BUSY
 *                  begin     ▲   │ │  mark_ready     │ ▲  mark_busy      │
 *                            │   │ │                 │ └─────────────────┤ EMPTY mark_idle
 *              START begin   │   │ │ EXIT die        │ EXIT die          │
 *           ┌────────────────┘   │ └───────────┬─────┴───────────────────┤ EXIT die
 *           │                    │ FAILED      ▼                         │
 *      BACKING_OFF ◄─────────────┴────────── DYING                       │
 *           │        back_off        ENDED     │                         │
 *           │ STOP retire                      │ STOP leave              │
 *           ▼                                  ▼                         │
 *        RETIRED ◄───────────────────────── DRAINING ◄───────────────────┘
 *                 ENDED retire                           STOP drain (from STARTING and IDLE too)
 *
 * A `stream` worker is one process for all that time; an `exec` worker starts one for each message
 * and has none between; a station without a handler has a worker without any. All have a session
 * in the broker from STARTING to DYING or DRAINING, and their leases belong to it.
 *
 * A death: the process has ended, and all that it had started with it (DYING). What it never read
 * goes back uncounted, what it had is HELD; when nothing is under way any more the session ends, with
 * what is known about the guilty one, and the broker does the rest. What it had already answered is
 * recorded first.
 *
 * `stream` knows no hello that every program would have to say: a worker is READY when its process
 * runs and its session is open. That costs no message anything, for what a process dies without
 * having read is returned uncounted. After a failed start, though, the next one must have lived for
 * a second, or said something, before it is given a message.
 *
 * READY is not proof of a start: a program may try for a minute to reach its database. Who dies
 * without having read or answered anything has failed to start, however long it has lived. Failed
 * starts are forgotten when a worker is proven: it has answered, or it has lived twice as long as
 * the longest of them with nothing unread before it.
 */
#include "line/runtime_inside.h"

#include <signal.h>
#include <stdio.h>

typedef void worker_action(struct worker *worker);

struct mono_time worker_now(const struct worker *worker) {
    struct env *env = station_runtime(worker->station)->env;
    return env->ops->now_mono(env);
}

/* ---- what the arrows do ----------------------------------------------------------------------- */

static void ignore(struct worker *worker) {
    (void)worker;
}

static void retire(struct worker *worker) {
    worker->state = WORKER_RETIRED;
    worker->restart_at = NEVER;
    worker_arm(worker);
    station_prober_left(worker->station, worker);
    station_want_work(worker->station); /* which frees it */
}

static void forget_last_life(struct worker *worker) {
    worker->settle_at = NEVER;
    worker->kill_at = NEVER;
    worker->restart_at = NEVER;
    worker->session_retry_at = NEVER;
    worker->lease_retry_at = NEVER;
    worker->proof_at = NEVER;
    worker->waits_for_station = false;
    worker->has_spoken = false;
    worker->is_proven = false;
    worker->doom = DOOM_NONE;
    worker->written_bytes = 0;
    worker->unread_bytes = 0;
    worker->guilty = (struct broker_ref){0};
    worker->reason[0] = '\0';
    worker->log.tail_count = 0;
    worker->log.line_count = 0;
    buffer_clear(&worker->out);
}

static void begin(struct worker *worker) {
    struct station *station = worker->station;
    worker->state = WORKER_STARTING;
    forget_last_life(worker);
    worker->started_at = worker_now(worker);
    worker->settle_at = worker->started_at;
    if (worker->kind->has_process) {
        if (station->failures > 0) {
            station->prober = worker;
            worker->settle_at.ns += WORKER_SETTLE_MS * MS_NS;
            int64_t proof_ms = 2 * station->failed_life_ms;
            if (proof_ms < WORKER_SETTLE_MS) proof_ms = WORKER_SETTLE_MS;
            worker->proof_at.ns = worker->started_at.ns + proof_ms * MS_NS;
        }
        int rc = worker->kind->start(worker);
        if (rc < 0) {
            worker->waits_for_station = true;
            char reason[STATION_REASON_BYTES];
            worker_write_start_failure(worker, rc, reason);
            station_start_failed(station, worker, reason, true);
            worker_handle(worker, WORKER_ON_FAILED);
            return;
        }
    }
    worker_open_session(worker);
}

static void mark_ready(struct worker *worker) {
    worker->state = WORKER_IDLE;
    worker->settle_at = NEVER;
    worker->idle_since = worker_now(worker);
    worker->has_idled_out = false;
    worker_arm(worker);
    station_dispatch(worker->station);
}

static void mark_busy(struct worker *worker) {
    worker->state = WORKER_BUSY;
}

static void mark_idle(struct worker *worker) {
    worker->state = WORKER_IDLE;
    worker->idle_since = worker_now(worker);
    worker->has_idled_out = false;
    station_want_work(worker->station);
}

static void let_go(struct worker *worker) {
    if (worker_hands(worker) > 0) return;
    if (worker->process != NULL) worker_let_go(worker);
    worker_settle(worker);
}

static void drain(struct worker *worker) {
    worker->state = WORKER_DRAINING;
    worker->settle_at = NEVER;
    station_prober_left(worker->station, worker);
    let_go(worker);
}

static void leave(struct worker *worker) {
    worker->state = WORKER_DRAINING;
    worker_settle(worker);
}

/* The first time at once; then with growing pauses, until it has handled something. Short ones when
 * a message is at fault: those behind it wait for this worker. */
static int64_t choose_pause_ms(struct worker *worker) {
    if (worker->deaths_in_row == 0) return 0;
    uint32_t step = worker->deaths_in_row - 1;
    bool is_messages_fault = worker_hands(worker) > 0 && worker_has_read(worker);
    if (is_messages_fault && step > WORKER_BACKOFF_STEPS_HELD) step = WORKER_BACKOFF_STEPS_HELD;
    return station_backoff_ms(worker->station, step);
}

static void die(struct worker *worker) {
    struct station *station = worker->station;
    worker->state = WORKER_DYING;
    station->deaths++;
    worker->proof_at = NEVER;
    if (worker->kind->has_process && worker_has_read(worker)) worker_prove(worker);
    int64_t delay_ms = choose_pause_ms(worker);
    worker->deaths_in_row++;
    worker->restart_at.ns = worker_now(worker).ns + delay_ms * MS_NS;
    if (!worker->waits_for_station) {
        char when[32] = "at once";
        if (delay_ms > 0) snprintf(when, sizeof when, "in %.1f s", (double)delay_ms / 1000.0);
        log_printf(station_runtime(station)->log, LOG_WARNING,
                   "worker `%s` ended with %u in its hands: %s; started again %s", worker->name,
                   (unsigned)worker_hands(worker), worker->reason, when);
    }
    worker_settle(worker);
}

static void back_off(struct worker *worker) {
    struct station *station = worker->station;
    worker->state = WORKER_BACKING_OFF;
    station_prober_left(station, worker);
    if (station->is_given_up || !runtime_takes(station_runtime(station))) {
        worker_handle(worker, WORKER_ON_STOP);
        return;
    }
    if (worker->waits_for_station) {
        worker->restart_at = NEVER;
        station_want_work(station); /* it may be time already */
    }
    worker_arm(worker);
}

static worker_action *const actions[WORKER_STATES][WORKER_EVENTS] = {
    /* clang-format off */
    /*                      START   FAILED    READY       TAKEN      EMPTY      STOP    EXIT           ENDED */
    [WORKER_DOWN]        = {begin,  ignore,   ignore,     ignore,    ignore,    retire, ignore,        ignore},
    [WORKER_STARTING]    = {ignore, back_off, mark_ready, ignore,    ignore,    drain,  die,           ignore},
    [WORKER_IDLE]        = {ignore, ignore,   ignore,     mark_busy, ignore,    drain,  die,           ignore},
    [WORKER_BUSY]        = {ignore, ignore,   ignore,     ignore,    mark_idle, drain,  die,           ignore},
    [WORKER_DRAINING]    = {ignore, ignore,   ignore,     ignore,    let_go,    ignore, worker_settle, retire},
    [WORKER_DYING]       = {ignore, ignore,   ignore,     ignore,    ignore,    leave,  worker_settle, back_off},
    [WORKER_BACKING_OFF] = {begin,  ignore,   ignore,     ignore,    ignore,    retire, ignore,        ignore},
    [WORKER_RETIRED]     = {ignore, ignore,   ignore,     ignore,    ignore,    ignore, ignore,        ignore},
    /* clang-format on */
};

void worker_handle(struct worker *worker, enum worker_event event) {
    actions[worker->state][event](worker);
}

/* ---- what may be asked ------------------------------------------------------------------------ */

uint32_t worker_hands(const struct worker *worker) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (task_is_in_hand(&worker->tasks[i])) count++;
    }
    return count;
}

bool worker_may_take(const struct worker *worker) {
    bool is_up = worker->state == WORKER_IDLE || worker->state == WORKER_BUSY;
    return is_up && worker->doom == DOOM_NONE && worker->session_step == SESSION_THERE &&
           runtime_takes(station_runtime(worker->station));
}

uint32_t worker_room(const struct worker *worker) {
    if (!worker_may_take(worker) || worker->is_leasing) return 0;
    uint32_t free_count = 0;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (worker->tasks[i].state == TASK_FREE) free_count++;
    }
    uint32_t hands = worker_hands(worker);
    uint32_t concurrency = worker->station->concurrency;
    uint32_t room = hands < concurrency ? concurrency - hands : 0;
    if (room > free_count) room = free_count;
    return room > BROKER_LEASE_MAX ? BROKER_LEASE_MAX : room;
}

bool worker_is_under_way(const struct worker *worker) {
    bool is_asking =
        worker->session_step == SESSION_OPENING || worker->session_step == SESSION_ENDING;
    if (worker->process != NULL || worker->is_leasing || is_asking) return true;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        if (task_is_under_way(&worker->tasks[i])) return true;
    }
    return false;
}

struct task *worker_find_task(struct worker *worker, uint64_t id) {
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        struct task *task = &worker->tasks[i];
        if (task->state == TASK_HANDLING && task->id == id) return task;
    }
    return NULL;
}

/* ---- its end ---------------------------------------------------------------------------------- */

/* Its process is gone. What is under way comes back to worker_settle by itself. */
static void settle_task(struct worker *worker, struct task *task) {
    uint64_t read_bytes = worker->written_bytes - worker->unread_bytes;
    bool is_guilty = worker->guilty.number != 0 && worker->guilty.number == task->message.number;
    if (task->state == TASK_WAITING || (task->state == TASK_READING && task->reads_pending == 0)) {
        task_return(task);
    } else if (task->state == TASK_HANDLING) {
        bool is_unread = worker->kind->has_process && task->line_start >= read_bytes;
        if (is_unread && !is_guilty) {
            task_return(task); /* not one byte of it was read */
        } else {
            task->state = TASK_HELD;
        }
    }
}

void worker_settle(struct worker *worker) {
    bool is_ending = worker->state == WORKER_DYING || worker->state == WORKER_DRAINING;
    if (!is_ending || worker->is_settling) return;
    if (worker->process != NULL || worker->is_leasing) return;
    if (worker->session_step == SESSION_OPENING || worker->session_step == SESSION_ENDING) return;

    worker->is_settling = true; /* a RETURN that ends at once would come back to here */
    bool is_through = true;
    for (uint32_t i = 0; i < worker->tasks_count; i++) {
        settle_task(worker, &worker->tasks[i]);
        enum task_state state = worker->tasks[i].state;
        is_through = is_through && (state == TASK_FREE || state == TASK_HELD);
    }
    worker->is_settling = false;
    if (!is_through) return;
    if (worker->session_step == SESSION_THERE) {
        worker_end_session(worker);
    } else {
        worker_handle(worker, WORKER_ON_ENDED);
    }
}

void worker_task_left(struct worker *worker) {
    if (worker->state == WORKER_DYING || worker->state == WORKER_DRAINING) {
        if (worker->state == WORKER_DRAINING) worker_handle(worker, WORKER_ON_EMPTY);
        worker_settle(worker);
        return;
    }
    if (worker_hands(worker) == 0) worker_handle(worker, WORKER_ON_EMPTY);
    worker_arm(worker);
    station_dispatch(worker->station);
}
