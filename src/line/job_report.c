/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a report:
 *
 *   look   copy what the broker knows of the job, all at one moment
 *   wait   until everything applied by then is durable
 *   read   the bodies: its error, its result, then the chain of its history, newest first
 *   write  the JSON (job_report_write.c)
 *
 * Between the look and a read, a body may be written again further on and its old place trimmed:
 * then the read fails with -ENOENT, and the report begins anew with another look. A history that is
 * longer than the bounds allow is cut at its old end.
 */
#include "line/job_report_inside.h"

#include <errno.h>

#define LOOKS_MAX 4u
#define ARENA_BYTES_MAX (16u * 1024 * 1024)

enum report_stage { STAGE_ERROR, STAGE_RESULT, STAGE_HISTORY, STAGE_END };

struct report {
    struct shard *shard;
    job_report_fn *done;
    void *context;
    uint8_t id[16];
    uint32_t looks_count;
    struct arena arena;
    struct report_look look;
    bool found;
    enum report_stage stage; /* of the body that is read next */
    struct body_ref history; /* the next of the chain */
    int failure;
    bool is_reading; /* inside shard_read_body */
    bool is_read;    /* …which has called back already */
};

static void finish(struct report *report, bool found, bool failed, struct slice json) {
    struct env *env = shard_env(report->shard);
    report->done(report->context, found, failed, json);
    arena_close(&report->arena);
    env_free(env, report);
}

/* ---- look ---- */

static bool copy_slice(struct arena *arena, struct slice slice, struct slice *out) {
    char *bytes = arena_copy(arena, slice);
    *out = slice_from(bytes, bytes == NULL ? 0 : slice.count);
    return bytes != NULL;
}

static int look_at_line(struct report *report) {
    struct report_look *look = &report->look;
    struct line_view line;
    /* A line that was taken out of the file stays in the broker while it has jobs. */
    if (!broker_get_line(shard_broker(report->shard), look->job.line, &line)) return 0;
    if (!copy_slice(&report->arena, line.name, &look->line)) return -ENOMEM;
    look->stations_count = line.stations_count;
    for (uint32_t i = 0; i < line.stations_count; i++) {
        if (!copy_slice(&report->arena, line.stations[i].name, &look->stations[i])) return -ENOMEM;
    }
    broker_job_places(shard_broker(report->shard), look->job.ref, look->places);
    return 0;
}

static int look_at_job(struct report *report) {
    arena_reset(&report->arena);
    report->look = (struct report_look){0};
    report->failure = 0;
    report->stage = STAGE_ERROR;
    report->looks_count++;
    struct report_look *look = &report->look;
    report->found = broker_find_job(shard_broker(report->shard), report->id, &look->job);
    if (!report->found) return 0;
    report->history = look->job.history;
    if (!copy_slice(&report->arena, look->job.key, &look->job.key)) return -ENOMEM;
    return look_at_line(report);
}

/* ---- read ---- */

/* The next body that is there; false at the end. */
static bool next_body(struct report *report, struct body_ref *out) {
    const struct report_look *look = &report->look;
    while (report->failure == 0 && report->stage != STAGE_END) {
        if (report->stage == STAGE_ERROR) {
            *out = look->job.error;
        } else if (report->stage == STAGE_RESULT) {
            *out = look->job.result;
            if (out->count > JOB_REPORT_RESULT_BYTES_MAX) out->position = 0;
        } else {
            *out = report->history;
        }
        if (out->position != 0) return true;
        report->stage++;
    }
    return false;
}

/* False: no room for it. */
static bool take_history(struct report *report, struct slice bytes) {
    struct report_look *look = &report->look;
    struct slice copy;
    struct job_history_reader reader;
    if (look->histories_count == JOB_HISTORY_CHAIN_MAX) return false;
    if (!copy_slice(&report->arena, bytes, &copy)) return false;
    report->failure = job_history_open(copy, &reader);
    if (report->failure < 0) return true;
    look->histories[look->histories_count++] = copy;
    report->history = reader.previous;
    return true;
}

static void take_body(struct report *report, int result, struct slice bytes) {
    struct report_look *look = &report->look;
    report->failure = result;
    if (result < 0) return;
    switch (report->stage) {
    case STAGE_ERROR:
    case STAGE_RESULT: {
        struct slice *out = report->stage == STAGE_ERROR ? &look->error : &look->result;
        if (!copy_slice(&report->arena, bytes, out)) report->failure = -ENOMEM;
        report->stage++;
        break;
    }
    case STAGE_HISTORY:
        look->is_cut = !take_history(report, bytes);
        if (look->is_cut) report->stage++;
        break;
    case STAGE_END: CHECK_UNREACHABLE();
    }
}

static void wait_for_look(struct report *report);

/* ---- write ---- */

static void end(struct report *report) {
    if (report->failure == -ENOENT && report->looks_count < LOOKS_MAX) {
        report->failure = look_at_job(report);
        if (report->failure == 0) {
            wait_for_look(report);
            return;
        }
    }
    struct buffer text;
    buffer_open(&text, &shard_env(report->shard)->allocator, JOB_REPORT_BYTES_MAX);
    if (report->failure == 0) job_report_write(&report->look, &text);
    bool failed = report->failure < 0 || text.failed;
    if (failed && report->failure != -ECANCELED) {
        log_printf(shard_log(report->shard), LOG_ERROR,
                   "cannot tell where a job is: %s; who asked is told to try again",
                   strerror(report->failure < 0 ? -report->failure : ENOMEM));
    }
    finish(report, true, failed, failed ? SLICE_EMPTY : buffer_slice(&text));
    buffer_close(&text);
}

static void read_bodies(struct report *report);

static void on_body(void *context, int result, struct slice bytes) {
    struct report *report = context;
    take_body(report, result, bytes);
    if (report->is_reading) {
        report->is_read = true; /* the loop below goes on: no recursion along the chain */
    } else {
        read_bodies(report);
    }
}

static void read_bodies(struct report *report) {
    struct body_ref ref;
    while (next_body(report, &ref)) {
        report->is_reading = true;
        report->is_read = false;
        shard_read_body(report->shard, ref, on_body, report);
        report->is_reading = false;
        if (!report->is_read) return; /* on_body comes back to here */
    }
    end(report);
}

static void on_durable(void *context, bool failed) {
    struct report *report = context;
    if (failed || !report->found) {
        finish(report, report->found, failed, SLICE_EMPTY);
    } else {
        read_bodies(report);
    }
}

static void wait_for_look(struct report *report) {
    shard_when_durable(report->shard, on_durable, report);
}

void job_report_read(struct shard *shard, const uint8_t id[16], job_report_fn *done,
                     void *context) {
    struct env *env = shard_env(shard);
    struct report *report = env_alloc(env, sizeof *report);
    if (report == NULL) {
        done(context, true, true, SLICE_EMPTY);
        return;
    }
    report->shard = shard;
    report->done = done;
    report->context = context;
    memcpy(report->id, id, sizeof report->id);
    arena_open(&report->arena, &env->allocator, ARENA_BYTES_MAX);
    if (look_at_job(report) < 0) {
        finish(report, true, true, SLICE_EMPTY);
    } else {
        wait_for_look(report);
    }
}
