/* SPDX-License-Identifier: Apache-2.0 */
/* station.c -- one station: who is given what waits, and how many workers there are.
 *
 * What no worker can take is not leased: a worker asks for exactly what it has hands for. What
 * waits is spread over all who are free, rather than piled on the first.
 */
#include "line/autoscaler.h"
#include "line/runtime_inside.h"

#define STARTS_IN_A_ROW_MAX 4u /* then the loop gets its turn: a start takes about a millisecond */

struct runtime *station_runtime(const struct station *station) {
    return station->line->runtime;
}

static unsigned expressions_used(const struct definition_station *definition) {
    unsigned uses = 0;
    if (definition->with != NULL) uses |= expression_uses(definition->with);
    for (uint32_t i = 0; i < definition->next_count; i++) {
        const struct definition_next *next = &definition->next[i];
        if (next->each != NULL) uses |= expression_uses(next->each);
        if (next->when != NULL) uses |= expression_uses(next->when);
        if (next->with != NULL) uses |= expression_uses(next->with);
    }
    return uses;
}

static void set_workers(struct station *station) {
    const struct definition_station *definition = station->definition;
    switch (definition->handler) {
    case DEFINITION_HANDLER_NONE:
        station->kind = &handler_pass_on;
        station->concurrency = PASS_ON_CONCURRENCY;
        station->workers_min = station->workers_max = 1;
        return;
    case DEFINITION_HANDLER_EXEC: station->kind = &handler_exec; break;
    case DEFINITION_HANDLER_STREAM: station->kind = &handler_stream; break;
    }
    const struct worker_processes *processes = station_runtime(station)->processes;
    station->concurrency = definition->concurrency > 0 ? definition->concurrency : 1;
    station->workers_min = definition->workers_min;
    station->workers_max = definition->workers_max;
    if (station->workers_max == DEFINITION_WORKERS_BUDGET) {
        uint32_t budget = 2 * processes->processors_count(processes->context);
        station->workers_max = budget < 4 ? 4 : budget;
        if (station->workers_max < station->workers_min) {
            station->workers_max = station->workers_min;
        }
    }
}

static void retry_time(void *context) {
    struct station *station = context;
    station_want_work(station);
    station_dispatch(station);
}

int station_open(struct station *station, struct runtime_line *line, uint32_t index) {
    struct env *env = line->runtime->env;
    *station = (struct station){.line = line,
                                .definition = &line->definition->stations[index],
                                .index = index,
                                .scale = -1,
                                .handler_us_mean = -1};
    list_init(&station->work);
    list_init(&station->workers);
    station->uses = expressions_used(station->definition);
    set_workers(station);
    return env->ops->timer_open(env, retry_time, station, &station->timer);
}

void station_close(struct station *station) {
    CHECK(list_is_empty(&station->workers));
    struct env *env = station_runtime(station)->env;
    list_remove(&station->work);
    env->ops->timer_close(env, station->timer);
}

void station_want_work(struct station *station) {
    struct runtime *runtime = station_runtime(station);
    if (list_is_empty(&station->work)) list_append(&runtime->work, &station->work);
    runtime_want_chores(runtime);
}

/* A quarter of the newest, three quarters of what was before. */
void station_handled(struct station *station, int64_t handling_ns) {
    int64_t us = handling_ns / 1000;
    bool is_first = station->handler_us_mean < 0;
    station->handler_us_mean = is_first ? us : (3 * station->handler_us_mean + us) / 4;
}

/* ---- who is given what waits ------------------------------------------------------------------ */

static bool get_view(const struct station *station, struct station_view *view) {
    const struct broker *broker = shard_broker(station_runtime(station)->shard);
    return broker_get_station(broker, station->line->ref, station->index, view);
}

/* How many messages may be given out now. While programs cannot be started, `exec` tries one. */
static uint64_t count_to_give(const struct station *station) {
    struct station_view view;
    if (!runtime_takes(station_runtime(station)) || !get_view(station, &view)) return 0;
    if (view.is_gated || station->scale == 0) return 0;
    uint64_t visible = view.queue.visible_count;
    if (station->kind != &handler_exec || station->failures == 0) return visible;
    return visible > 0 && station_may_start(station) ? 1 : 0;
}

static uint32_t count_free_workers(const struct station *station) {
    uint32_t count = 0;
    struct list_link *link = station->workers.next;
    for (; link != &station->workers; link = link->next) {
        if (worker_room(CONTAINER_OF(link, struct worker, link)) > 0) count++;
    }
    return count;
}

/* One round over those who hold nothing, or over the others. */
static void dispatch_round(struct station *station, bool to_empty, uint64_t share) {
    struct list_link *link = station->workers.next;
    for (; link != &station->workers; link = link->next) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        uint32_t room = worker_room(worker);
        if (room == 0 || (worker_hands(worker) == 0) != to_empty) continue;
        uint64_t to_give = count_to_give(station);
        if (to_give == 0) return;
        bool is_probe = station->kind == &handler_exec && station->failures > 0;
        if (is_probe) station->prober = worker;
        worker_lease(worker, room < share ? room : (uint32_t)share, to_give);
    }
}

void station_dispatch(struct station *station) {
    uint64_t to_give = count_to_give(station);
    if (to_give == 0) return;
    uint32_t free_count = count_free_workers(station);
    if (free_count > 0) {
        uint64_t share = (to_give + free_count - 1) / free_count;
        dispatch_round(station, true, share);
        dispatch_round(station, false, share);
    }
    station_want_work(station); /* there may be more than these can take */
}

/* ---- how many workers there are --------------------------------------------------------------- */

/* Those that are there or come back by themselves. */
static bool counts(const struct worker *worker) {
    return worker->state != WORKER_DRAINING && worker->state != WORKER_RETIRED;
}

static uint32_t count_workers(const struct station *station, uint32_t *busy_count) {
    uint32_t count = 0;
    *busy_count = 0;
    struct list_link *link = station->workers.next;
    for (; link != &station->workers; link = link->next) {
        const struct worker *worker = CONTAINER_OF(link, struct worker, link);
        if (counts(worker)) count++;
        if (worker->state == WORKER_BUSY) (*busy_count)++;
    }
    return count;
}

static uint32_t count_wanted(struct station *station, uint32_t now_count, uint32_t busy_count) {
    struct station_view view = {0};
    if (!runtime_takes(station_runtime(station)) || !get_view(station, &view)) return 0;
    if (station->scale >= 0) return (uint32_t)station->scale;
    struct autoscaler_input input = {
        .workers_min = station->workers_min,
        .workers_max = station->workers_max,
        .concurrency = station->concurrency,
        .visible_count = view.is_gated ? 0 : view.queue.visible_count,
        .in_flight_count = view.queue.in_flight_count,
        .workers_now = now_count,
        .workers_busy = busy_count,
    };
    return autoscaler_wanted(&input);
}

/* The lowest number that is free; workers stand in the list by number. */
static bool add_worker(struct station *station) {
    uint32_t number = 1;
    struct list_link *place = station->workers.next;
    for (; place != &station->workers; place = place->next) {
        if (CONTAINER_OF(place, struct worker, link)->number != number) break;
        number++;
    }
    struct worker *worker = worker_open(station, number);
    if (worker == NULL) return false;
    list_insert_before(place, &worker->link);
    station->workers_count++;
    worker_handle(worker, WORKER_ON_START);
    return true;
}

static void start_more(struct station *station, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        bool may_start = !station->kind->has_process || station_may_start(station);
        if (!may_start) return; /* the station's timer comes back to it */
        if (i == STARTS_IN_A_ROW_MAX) {
            station_want_work(station);
            return;
        }
        if (!add_worker(station)) {
            station_start_failed(station, NULL, "out of memory", false);
            return;
        }
    }
}

static bool may_go(const struct station *station, const struct worker *worker) {
    if (worker->state == WORKER_BACKING_OFF || worker->state == WORKER_DOWN) return true;
    if (worker->state != WORKER_IDLE || worker->is_leasing) return false;
    return station->scale >= 0 || worker->has_idled_out;
}

/* From the last one on: numbers stay small. */
static void stop_some(struct station *station, uint32_t count) {
    struct list_link *link = station->workers.previous;
    while (count > 0 && link != &station->workers) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        link = link->previous;
        if (!may_go(station, worker)) continue;
        worker_handle(worker, WORKER_ON_STOP);
        count--;
    }
}

/* Those whose start waits for the station. */
static void wake_waiting(struct station *station) {
    struct list_link *link = station->workers.next;
    while (link != &station->workers && station_may_start(station)) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        link = link->next;
        if (worker->state == WORKER_BACKING_OFF && worker->waits_for_station) {
            worker_handle(worker, WORKER_ON_START);
        }
    }
}

static void close_retired(struct station *station) {
    struct list_link *link = station->workers.next;
    while (link != &station->workers) {
        struct worker *worker = CONTAINER_OF(link, struct worker, link);
        link = link->next;
        if (worker->state == WORKER_RETIRED && !worker_is_under_way(worker)) worker_close(worker);
    }
}

void station_scale(struct station *station) {
    close_retired(station);
    uint32_t busy_count;
    uint32_t now_count = count_workers(station, &busy_count);
    station->wanted = count_wanted(station, now_count, busy_count);
    if (!runtime_takes(station_runtime(station))) return;
    if (now_count > station->wanted) {
        stop_some(station, now_count - station->wanted);
    } else {
        start_more(station, station->wanted - now_count);
    }
    wake_waiting(station);
}
