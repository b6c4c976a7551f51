/* SPDX-License-Identifier: Apache-2.0 */
/* runtime.c -- the runtime's own life, and what may be asked of it.
 *
 *   open      the scratch folder is emptied, timers are made; the rest is the loop's
 *   lines     each is put in force (runtime_lines.c); then stations start their workers
 *   event     a station has messages: who is free leases them, in the batch that brought them;
 *             whether there should be more workers is looked at after it, among the chores
 *   stop      runtime_stop.c
 *
 * If the journal fails, whatever was handed out may come again: the workers are killed, and nothing
 * more is said to anybody.
 */
#include "line/runtime_inside.h"

#include <errno.h>
#include <stdio.h>

bool runtime_takes(const struct runtime *runtime) {
    return runtime->is_ready && !runtime->is_stopping && !runtime->is_failed &&
           !runtime->is_closing;
}

void runtime_want_chores(struct runtime *runtime) {
    struct env *env = runtime->env;
    env->ops->timer_set(env, runtime->chores, env->ops->now_mono(env));
}

static struct runtime_line *find_line(const struct runtime *runtime, struct broker_ref ref) {
    for (uint32_t i = 0; i < runtime->lines_put; i++) {
        struct runtime_line *line = &runtime->lines[i];
        if (line->ref.number == ref.number && line->ref.slot == ref.slot) return line;
    }
    return NULL;
}

static struct station *find_station(const struct runtime *runtime, struct broker_ref ref,
                                    uint32_t index) {
    struct runtime_line *line = find_line(runtime, ref);
    return line == NULL || index >= line->stations_opened ? NULL : &line->stations[index];
}

static void station_has_messages(void *context, struct broker_ref line, uint32_t index) {
    struct runtime *runtime = context;
    struct station *station = find_station(runtime, line, index);
    if (station == NULL || !runtime_takes(runtime)) return;
    station_dispatch(station);
    station_want_work(station);
}

static void free_runtime(struct runtime *runtime) {
    struct env *env = runtime->env;
    for (uint32_t i = 0; i < runtime->lines_count; i++) {
        struct runtime_line *line = &runtime->lines[i];
        for (uint32_t j = 0; j < line->stations_opened; j++) station_close(&line->stations[j]);
        env_free(env, line->stations);
    }
    env_free(env, runtime->lines);
    env->ops->close(env, runtime->scratch);
    env->ops->timer_close(env, runtime->grace);
    env->ops->timer_close(env, runtime->chores);
    env_free(env, runtime);
}

static void do_chores(void *context) {
    struct runtime *runtime = context;
    struct list_link todo; /* what is wanted meanwhile is for the next time */
    list_init(&todo);
    for (struct list_link *link = list_first(&runtime->work); link != NULL;
         link = list_first(&runtime->work)) {
        list_remove(link);
        list_append(&todo, link);
    }
    for (struct list_link *link = list_first(&todo); link != NULL; link = list_first(&todo)) {
        list_remove(link);
        station_scale(CONTAINER_OF(link, struct station, work));
    }
    if (runtime->is_closing) {
        if (!runtime->is_putting && runtime_workers_count(runtime) == 0) free_runtime(runtime);
        return;
    }
    runtime_stop_if_through(runtime);
}

/* ---- open and close --------------------------------------------------------------------------- */

static bool remove_old_kit(void *context, const char *name) {
    struct runtime *runtime = context;
    if (strncmp(name, "kit-", 4) != 0) return true;
    int rc = runtime->env->ops->unlink(runtime->env, runtime->scratch, name);
    if (rc < 0) {
        log_printf(runtime->log, LOG_WARNING, "cannot remove %s/%s of an earlier life: %s",
                   runtime->options.scratch, name, strerror(-rc));
    }
    return true;
}

static int open_scratch(struct runtime *runtime) {
    struct env *env = runtime->env;
    int rc = env->ops->open_directory(env, runtime->options.scratch, true, &runtime->scratch);
    if (rc < 0) return rc;
    return env->ops->list(env, runtime->scratch, remove_old_kit, runtime);
}

static int open_line(struct runtime *runtime, const struct definition *definition) {
    struct runtime_line *line = &runtime->lines[runtime->lines_count++];
    *line = (struct runtime_line){.runtime = runtime, .definition = definition};
    line->stations = env_alloc(runtime->env, definition->stations_count * sizeof line->stations[0]);
    if (line->stations == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < definition->stations_count; i++) {
        int rc = station_open(&line->stations[i], line, i);
        if (rc < 0) return rc;
        line->stations_opened++;
    }
    return 0;
}

static int open_lines(struct runtime *runtime) {
    const struct definition_files *files = runtime->options.files;
    size_t room = files->definitions_count > 0 ? files->definitions_count : 1;
    runtime->lines = env_alloc(runtime->env, room * sizeof runtime->lines[0]);
    if (runtime->lines == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        if (files->definitions[i].name == NULL) continue; /* plain queues alone */
        int rc = open_line(runtime, &files->definitions[i]);
        if (rc < 0) return rc;
    }
    return 0;
}

int runtime_open(const struct runtime_options *options, struct runtime **out) {
    struct env *env = shard_env(options->shard);
    struct runtime *runtime = env_alloc(env, sizeof *runtime);
    if (runtime == NULL) return -ENOMEM;
    *runtime = (struct runtime){.options = *options,
                                .env = env,
                                .log = shard_log(options->shard),
                                .shard = options->shard,
                                .processes = options->processes};
    if (runtime->processes == NULL) runtime->processes = worker_processes_real();
    list_init(&runtime->work);

    int rc = env->ops->timer_open(env, do_chores, runtime, &runtime->chores);
    if (rc < 0) goto fail;
    rc = env->ops->timer_open(env, runtime_grace_over, runtime, &runtime->grace);
    if (rc < 0) goto fail;
    rc = open_scratch(runtime);
    if (rc < 0) goto fail;
    rc = open_lines(runtime);
    if (rc < 0) goto fail;
    shard_on_station(runtime->shard, station_has_messages, runtime);
    runtime_put_lines(runtime);
    *out = runtime;
    return 0;

fail:
    free_runtime(runtime);
    return rc;
}

void runtime_close(struct runtime *runtime) {
    if (runtime == NULL) return;
    shard_on_station(runtime->shard, NULL, NULL);
    runtime_fail(runtime);
    runtime->is_closing = true;
    if (!runtime->is_putting && runtime_workers_count(runtime) == 0) free_runtime(runtime);
}

/* ---- what may be asked ------------------------------------------------------------------------ */

static void count_workers(const struct station *station, struct runtime_station_view *view) {
    struct list_link *link = station->workers.next;
    for (; link != &station->workers; link = link->next) {
        const struct worker *worker = CONTAINER_OF(link, struct worker, link);
        bool is_starting = worker->state == WORKER_STARTING || worker->state == WORKER_BACKING_OFF;
        if (is_starting) view->workers_starting++;
        if (worker->state == WORKER_IDLE) view->workers_idle++;
        if (worker->state == WORKER_BUSY) view->workers_busy++;
    }
}

/* The first worker that waits for its next start, if one does. */
static void note_pause(const struct station *station, struct runtime_station_view *view) {
    struct env *env = station_runtime(station)->env;
    int64_t now_ns = env->ops->now_mono(env).ns;
    int64_t wait_ns = 0;
    const char *reason = NULL;
    if (station->failures > 0 && station->retry_at.ns > now_ns) {
        wait_ns = station->retry_at.ns - now_ns;
        reason = station->reason;
    }
    struct list_link *link = station->workers.next;
    for (; link != &station->workers && reason == NULL; link = link->next) {
        const struct worker *worker = CONTAINER_OF(link, struct worker, link);
        bool is_down = worker->state == WORKER_DYING || worker->state == WORKER_BACKING_OFF;
        bool waits = worker->restart_at.ns != NEVER.ns && worker->restart_at.ns > now_ns;
        if (!is_down || worker->waits_for_station || !waits) continue;
        wait_ns = worker->restart_at.ns - now_ns;
        reason = worker->reason;
    }
    if (reason == NULL) return;
    view->condition = STATION_PAUSING;
    (void)snprintf(view->reason, sizeof view->reason, "%.*s", (int)sizeof view->reason - 1, reason);
    view->retry_at.ms = shard_now(station_runtime(station)->shard).ms + wait_ns / MS_NS;
}

bool runtime_get_station(const struct runtime *runtime, struct broker_ref line, uint32_t index,
                         struct runtime_station_view *out) {
    const struct station *station = find_station(runtime, line, index);
    if (station == NULL) return false;
    *out = (struct runtime_station_view){.condition = STATION_FINE,
                                         .workers_wanted = station->wanted,
                                         .scale = station->scale,
                                         .deaths = station->deaths,
                                         .handler_ms_mean = -1};
    if (station->handler_us_mean >= 0) out->handler_ms_mean = station->handler_us_mean / 1000;
    if (station->scale == 0) {
        out->condition = STATION_STOPPED; /* whatever else holds it up, a hand has to start it */
    } else if (station->is_jammed) {
        out->condition = STATION_JAMMED;
        memcpy(out->reason, station->reason, sizeof out->reason);
        out->retry_at = station->retry_at_wall;
    } else {
        note_pause(station, out);
    }
    count_workers(station, out);
    return true;
}

int runtime_scale(struct runtime *runtime, struct broker_ref line, uint32_t index, int32_t count) {
    struct station *station = find_station(runtime, line, index);
    if (station == NULL) return -ENOENT;
    if (count < -1 || count > (int32_t)STATION_WORKERS_MAX) return -ERANGE;
    if (station->kind == &handler_pass_on) return -EINVAL;
    station->scale = count;
    if (station->is_given_up) {
        station->is_given_up = false;
        station_start_worked(station);
        station->is_jammed = false;
    }
    station_want_work(station);
    station_dispatch(station);
    return 0;
}

const struct definition *runtime_definition(const struct runtime *runtime, struct broker_ref line) {
    const struct runtime_line *found = find_line(runtime, line);
    return found == NULL ? NULL : found->definition;
}
