/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/job_totals.h"

static struct slice copy(struct job_totals *totals, struct slice text) {
    char *bytes = arena_copy(totals->arena, text);
    if (bytes == NULL) totals->failed = true;
    return slice_from(bytes, bytes == NULL ? 0 : text.count);
}

/* That of the station, or a new one. The last one has no name and is for all stations beyond. */
static struct job_total *find(struct job_totals *totals, struct slice name) {
    for (uint32_t i = 0; i < totals->count; i++) {
        if (slice_equal(totals->list[i].station_name, name)) return &totals->list[i];
    }
    if (totals->count == JOB_TOTALS_MAX) return &totals->list[JOB_TOTALS_MAX - 1];
    bool is_last = totals->count == JOB_TOTALS_MAX - 1;
    struct job_total *made = &totals->list[totals->count++];
    *made = (struct job_total){.station_name = copy(totals, is_last ? SLICE_EMPTY : name)};
    return made;
}

void job_totals_add(struct job_totals *totals, const struct job_total *more) {
    struct job_total *total = find(totals, more->station_name);
    for (uint32_t i = 0; i < STEP_OUTCOMES_COUNT; i++) total->counts[i] += more->counts[i];
    if (total->first.ms == 0 || more->first.ms < total->first.ms) total->first = more->first;
    if (more->last.ms > total->last.ms) total->last = more->last;
    if (more->error.count > 0 && more->error_at.ms >= total->error_at.ms) {
        total->error_at = more->error_at;
        total->error = copy(totals, more->error);
    }
}

void job_totals_add_body(struct job_totals *totals, struct job_history_reader *reader) {
    struct job_total total;
    struct job_step step;
    while (job_history_next_total(reader, &total)) job_totals_add(totals, &total);
    while (job_history_next(reader, &step)) {
        total = job_step_total(&step);
        job_totals_add(totals, &total);
    }
}

uint64_t job_totals_steps(const struct job_totals *totals) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < totals->count; i++) {
        for (uint32_t k = 0; k < STEP_OUTCOMES_COUNT; k++) count += totals->list[i].counts[k];
    }
    return count;
}

static bool is_later(const struct job_total *a, const struct job_total *b) {
    if (a->first.ms != b->first.ms) return a->first.ms > b->first.ms;
    return a->last.ms > b->last.ms;
}

void job_totals_sort(struct job_totals *totals) {
    for (uint32_t i = 1; i < totals->count; i++) {
        struct job_total one = totals->list[i];
        uint32_t at = i;
        for (; at > 0 && is_later(&totals->list[at - 1], &one); at--) {
            totals->list[at] = totals->list[at - 1];
        }
        totals->list[at] = one;
    }
}
