/* SPDX-License-Identifier: Apache-2.0 */
/* job_report_write.c -- a look at a job becomes JSON. */
#include "line/job_report_inside.h"

#include "base/hash.h"
#include "base/json.h"

#include <stdio.h>

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

static void write_name(struct buffer *out, const char *name) {
    if (out->count > 0 && out->bytes[out->count - 1] != '{') buffer_append_byte(out, ',');
    buffer_printf(out, "\"%s\":", name);
}

static void write_text(struct buffer *out, const char *name, struct slice text) {
    if (text.count == 0) return;
    write_name(out, name);
    json_write_string(out, text);
}

static void write_number(struct buffer *out, const char *name, int64_t value) {
    write_name(out, name);
    json_write_i64(out, value);
}

static void write_time(struct buffer *out, const char *name, struct wall_time time) {
    if (time.ms == 0) return;
    char text[WALL_TIME_TEXT_BYTES];
    wall_time_text(time, text);
    write_name(out, name);
    buffer_printf(out, "\"%s\"", text);
}

static void write_places(const struct report_look *look, struct buffer *out) {
    const char *between = "";
    write_name(out, "waiting");
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < look->stations_count; i++) {
        const struct job_place *place = &look->places[i];
        if (place->waiting + place->in_flight + place->in_kit + place->dead == 0) continue;
        buffer_append_string(out, between);
        between = ",";
        buffer_append_byte(out, '{');
        write_text(out, "station", look->stations[i]);
        write_number(out, "waiting", place->waiting);
        write_number(out, "in_flight", place->in_flight);
        write_number(out, "in_kit", place->in_kit);
        write_number(out, "dead", place->dead);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static struct slice station_of(const struct report_look *look, const struct job_step *step) {
    if (step->station_name.count > 0) return step->station_name;
    return step->station < look->stations_count ? look->stations[step->station] : SLICE_EMPTY;
}

/* As TAKT_TASK has it. */
static void write_task(const struct report_look *look, const struct job_step *step,
                       struct buffer *out) {
    char id[32];
    char text[512];
    struct slice station = station_of(look, step);
    hex_write(look->job.id, sizeof look->job.id, id);
    int count = snprintf(text, sizeof text, "%.32s/%.*s%s%.*s", id, SLICE_ARGS(station),
                         step->task_path.count > 0 ? "/" : "", SLICE_ARGS(step->task_path));
    if (count > 0 && (size_t)count < sizeof text) {
        write_text(out, "task", slice_from(text, (size_t)count));
    }
}

static void write_step(const struct report_look *look, const struct job_step *step,
                       struct buffer *out) {
    buffer_append_byte(out, '{');
    write_text(out, "station", station_of(look, step));
    write_task(look, step, out);
    if (step->attempt > 0) write_number(out, "attempt", step->attempt);
    write_time(out, "queued", step->queued);
    write_time(out, "started", step->started);
    write_time(out, "ended", step->ended);
    bool is_known = (size_t)step->outcome < ARRAY_COUNT(outcome_names);
    write_text(out, "outcome",
               slice_from_string(is_known ? outcome_names[step->outcome] : "unknown"));
    if (step->outcome == STEP_DONE) write_number(out, "outputs", step->outputs_count);
    write_text(out, "error", step->error);
    buffer_append_byte(out, '}');
}

/* Bodies are newest first, steps in a body newest last. */
static void write_steps(const struct report_look *look, struct buffer *out) {
    uint32_t left_out = look->is_cut ? 1 : 0;
    const char *between = "";
    write_name(out, "steps");
    buffer_append_byte(out, '[');
    for (uint32_t i = look->histories_count; i > 0; i--) {
        struct job_history_reader reader;
        struct job_step step;
        int rc = job_history_open(look->histories[i - 1], &reader);
        CHECK(rc == 0); /* it was looked at when it was read */
        left_out += reader.left_out;
        while (job_history_next(&reader, &step)) {
            buffer_append_string(out, between);
            between = ",";
            write_step(look, &step, out);
        }
    }
    buffer_append_byte(out, ']');
    if (left_out > 0) write_number(out, "steps_left_out", left_out);
}

static void write_result(const struct report_look *look, struct buffer *out) {
    if (look->job.result.position == 0) return;
    write_number(out, "result_bytes", look->job.result.count);
    if (look->job.result.count > JOB_REPORT_RESULT_BYTES_MAX) return;
    write_name(out, "result");
    if (json_validate(look->result, NULL)) {
        buffer_append(out, json_trim(look->result));
    } else {
        json_write_string(out, look->result);
    }
}

void job_report_write(const struct report_look *look, struct buffer *out) {
    char id[32];
    hex_write(look->job.id, sizeof look->job.id, id);
    buffer_append_byte(out, '{');
    write_text(out, "id", slice_from(id, sizeof id));
    write_text(out, "line", look->line);
    write_text(out, "key", look->job.key);
    write_text(out, "state", slice_from_string(state_names[look->job.state]));
    write_time(out, "started", look->job.started);
    write_time(out, "ended", look->job.ended);
    write_places(look, out);
    write_steps(look, out);
    write_text(out, look->job.state == JOB_REJECTED ? "reason" : "error", look->error);
    write_result(look, out);
    buffer_append_string(out, "}");
}
