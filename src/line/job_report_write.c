/* SPDX-License-Identifier: Apache-2.0 */
/* job_report_write.c -- a look at a job becomes JSON. */
#include "line/job_report_inside.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/json_object.h"

static const char *const state_names[] = {
    [JOB_RUNNING] = "running",
    [JOB_DONE] = "done",
    [JOB_FAILED] = "failed",
    [JOB_REJECTED] = "rejected",
};
static const char *const outcome_names[] = {
    [STEP_DONE] = "done",         [STEP_FAILED] = "failed",   [STEP_DEAD] = "dead",
    [STEP_REJECTED] = "rejected", [STEP_EXPIRED] = "expired", [STEP_LATE] = "late",
    [STEP_REDRIVEN] = "redriven",
};

static void write_text(struct buffer *out, const char *name, struct slice text) {
    if (text.count > 0) json_object_text(out, name, text);
}

static void write_places(const struct report_look *look, struct buffer *out) {
    json_object_name(out, "waiting");
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < look->stations_count; i++) {
        const struct job_place *place = &look->places[i];
        if (place->waiting + place->in_flight + place->in_kit + place->dead == 0) continue;
        json_array_next(out);
        buffer_append_byte(out, '{');
        write_text(out, "station", look->stations[i]);
        json_object_number(out, "waiting", place->waiting);
        json_object_number(out, "in_flight", place->in_flight);
        json_object_number(out, "in_kit", place->in_kit);
        json_object_number(out, "dead", place->dead);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static struct slice station_of(const struct report_look *look, const struct job_step *step) {
    if (step->station_name.count > 0) return step->station_name;
    return step->station < look->stations_count ? look->stations[step->station] : SLICE_EMPTY;
}

static void write_step(const struct report_look *look, const struct job_step *step,
                       struct buffer *out) {
    buffer_append_byte(out, '{');
    write_text(out, "station", station_of(look, step));
    write_text(out, "task", step->task_path);
    if (step->attempt > 0) json_object_number(out, "attempt", step->attempt);
    json_object_time(out, "queued", step->queued);
    json_object_time(out, "started", step->started);
    json_object_time(out, "ended", step->ended);
    bool is_known = (size_t)step->outcome < ARRAY_COUNT(outcome_names);
    write_text(out, "outcome",
               slice_from_string(is_known ? outcome_names[step->outcome] : "unknown"));
    if (step->outcome == STEP_DONE) json_object_number(out, "outputs", step->outputs_count);
    write_text(out, "error", step->error);
    buffer_append_byte(out, '}');
}

/* Bodies are newest first, steps in a body newest last. */
static uint64_t write_steps(const struct report_look *look, struct buffer *out) {
    uint64_t shown = 0;
    json_object_name(out, "steps");
    buffer_append_byte(out, '[');
    for (uint32_t i = look->histories_count; i > 0; i--) {
        struct job_history_reader reader;
        struct job_step step;
        int rc = job_history_open(look->histories[i - 1], &reader);
        CHECK(rc == 0); /* it was looked at when it was read */
        for (; job_history_next(&reader, &step); shown++) {
            json_array_next(out);
            write_step(look, &step, out);
        }
    }
    buffer_append_byte(out, ']');
    return shown;
}

static void write_total(const struct job_total *total, struct buffer *out) {
    static const enum job_step_outcome attempts[] = {STEP_DONE, STEP_FAILED, STEP_DEAD,
                                                     STEP_REJECTED};
    int64_t attempts_count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(attempts); i++) attempts_count += total->counts[attempts[i]];
    buffer_append_byte(out, '{');
    write_text(out, "station", total->station_name);
    json_object_number(out, "attempts", attempts_count);
    for (size_t i = 0; i < STEP_OUTCOMES_COUNT; i++) {
        if (total->counts[i] > 0) json_object_number(out, outcome_names[i], total->counts[i]);
    }
    json_object_time(out, "first", total->first);
    json_object_time(out, "last", total->last);
    write_text(out, "error", total->error);
    buffer_append_byte(out, '}');
}

static void write_stations(struct report_look *look, uint64_t shown, struct buffer *out) {
    uint64_t all = job_totals_steps(&look->totals) + look->left_out;
    if (all > shown) json_object_number(out, "steps_left_out", (int64_t)(all - shown));
    job_totals_sort(&look->totals);
    json_object_name(out, "stations");
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < look->totals.count; i++) {
        json_array_next(out);
        write_total(&look->totals.list[i], out);
    }
    buffer_append_byte(out, ']');
}

static void write_result(const struct report_look *look, struct buffer *out) {
    if (look->job.result.position == 0) return;
    json_object_number(out, "result_bytes", look->job.result.count);
    if (look->job.result.count > JOB_REPORT_RESULT_BYTES_MAX) return;
    json_object_name(out, "result");
    if (json_validate(look->result, NULL)) {
        buffer_append(out, json_trim(look->result));
    } else {
        json_write_string(out, look->result);
    }
}

void job_report_write(struct report_look *look, struct buffer *out) {
    char id[32];
    hex_write(look->job.id, sizeof look->job.id, id);
    buffer_append_byte(out, '{');
    write_text(out, "id", slice_from(id, sizeof id));
    write_text(out, "line", look->line);
    write_text(out, "key", look->job.key);
    write_text(out, "state", slice_from_string(state_names[look->job.state]));
    json_object_time(out, "started", look->job.started);
    json_object_time(out, "ended", look->job.ended);
    if (look->is_damaged) json_object_bool(out, "damaged", true);
    write_places(look, out);
    write_stations(look, write_steps(look, out), out);
    write_text(out, look->job.state == JOB_REJECTED ? "reason" : "error", look->error);
    write_result(look, out);
    buffer_append_string(out, "}");
}
