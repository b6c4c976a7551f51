/* SPDX-License-Identifier: Apache-2.0 */
/* station_start.c -- when a station's workers do not start: pauses that grow, one try at a time, a
 * jam that is said once, and its end.
 *
 * The first failure is tried again at once: a crash at the start may be chance. After five in a
 * row, or as soon as the program itself cannot be executed, the station is jammed. Its messages stay
 * where they are, and pay nothing. What ends the row, and the jam, stands in worker.c.
 */
#include "line/runtime_inside.h"

#include <stdio.h>

static struct mono_time now_of(const struct station *station) {
    struct env *env = station_runtime(station)->env;
    return env->ops->now_mono(env);
}

int64_t station_backoff_ms(struct station *station, uint32_t step) {
    struct env *env = station_runtime(station)->env;
    int64_t ms = (int64_t)WORKER_BACKOFF_MS_MIN << (step < 16 ? step : 16);
    if (ms > WORKER_BACKOFF_MS_MAX) ms = WORKER_BACKOFF_MS_MAX;
    /* Jitter, so that what fell together does not rise together. */
    uint32_t random;
    env->ops->random(env, &random, sizeof random);
    return ms - (int64_t)(random % (uint32_t)(ms / 4 + 1));
}

bool station_may_start(const struct station *station) {
    if (station->is_given_up) return false;
    if (station->failures == 0) return true;
    return station->prober == NULL && station->retry_at.ns <= now_of(station).ns;
}

static void say_failure(struct station *station, const struct worker *worker, bool is_new,
                        int64_t delay_ms) {
    /* Once a jam: the board shows each further try. */
    enum log_level level = is_new || !station->is_jammed ? LOG_WARNING : LOG_DEBUG;
    char name[WORKER_NAME_BYTES];
    snprintf(name, sizeof name, "%s", worker != NULL ? worker->name : station->definition->name);
    const char *note = is_new ? " (the station is jammed; its messages wait at no cost)" : "";
    log_printf(station_runtime(station)->log, level,
               "cannot start worker `%s`: %s; next try in %.1f s%s", name, station->reason,
               (double)delay_ms / 1000.0, note);
}

static void note_life(struct station *station, const struct worker *worker, struct mono_time now) {
    int64_t life_ms = (now.ns - worker->started_at.ns) / MS_NS;
    if (life_ms > WORKER_START_MS_MAX) life_ms = WORKER_START_MS_MAX;
    if (life_ms > station->failed_life_ms) station->failed_life_ms = life_ms;
}

void station_start_failed(struct station *station, struct worker *worker, const char *reason,
                          bool is_final) {
    struct runtime *runtime = station_runtime(station);
    struct mono_time now = now_of(station);
    if (worker != NULL && worker->kind->has_process) note_life(station, worker, now);
    station->failures++;
    station->prober = NULL;
    snprintf(station->reason, sizeof station->reason, "%s", reason);

    bool is_jam = is_final || station->failures >= STATION_FAILURES_MAX;
    bool is_new = is_jam && !station->is_jammed;
    station->is_jammed = station->is_jammed || is_jam;
    int64_t delay_ms = 0;
    if (station->failures > 1 || is_jam) {
        delay_ms = station_backoff_ms(station, station->failures - (station->failures > 1 ? 2 : 1));
    }
    station->retry_at.ns = now.ns + delay_ms * MS_NS;
    station->retry_at_wall.ms = shard_now(runtime->shard).ms + delay_ms;
    say_failure(station, worker, is_new, delay_ms);
    runtime->env->ops->timer_set(runtime->env, station->timer, station->retry_at);
}

void station_start_worked(struct station *station) {
    station->prober = NULL;
    if (station->failures == 0 || station->is_given_up) return;
    if (station->is_jammed) {
        log_printf(station_runtime(station)->log, LOG_INFO, "station `%s` works again",
                   station->definition->name);
    }
    station->failures = 0;
    station->failed_life_ms = 0;
    station->is_jammed = false;
    station->reason[0] = '\0';
    station_want_work(station);
}

/* It tried, and came to nothing that tells: somebody else may. */
void station_prober_left(struct station *station, const struct worker *worker) {
    if (station->prober != worker) return;
    station->prober = NULL;
    if (station->failures > 0) station_want_work(station);
}

void station_give_up(struct station *station, const struct worker *worker) {
    station->is_given_up = true;
    station->is_jammed = true;
    station->retry_at_wall.ms = 0;
    snprintf(station->reason, sizeof station->reason,
             "worker `%s` asked not to be started again (exit 125)", worker->name);
    log_printf(station_runtime(station)->log, LOG_ERROR,
               "worker `%s` asked not to be started again (exit 125): no worker of `%s` is, until "
               "the station is scaled by hand",
               worker->name, station->definition->name);
}
