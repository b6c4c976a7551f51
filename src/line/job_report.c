/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a report:
 *
 *   look   copy what the broker knows of the job, all at one moment
 *   wait   until everything applied by then is durable
 *   read   the bodies: its error, its result, then the chain of its history, newest first; of a long
 *          job, also the chain of its early steps, and what its stations said last
 *   write  the JSON (job_report_write.c)
 *
 * Between the look and a read, a body may be written again further on and its old place trimmed:
 * then the read fails with -ENOENT, and the report begins anew with another look. All steps are
 * counted; those at the old end of a history that is longer than the bounds allow are not shown.
 *
 * A body that the disk has damaged is left out, with the older ones of its chain, and that is told.
 */
#include "line/job_report_inside.h"

#include <errno.h>

#define LOOKS_MAX 4u
#define ARENA_BYTES_MAX (16u * 1024 * 1024)
#define SHOWN_BYTES_MAX (ARENA_BYTES_MAX / 2) /* what is counted must find room too */

enum report_stage {
    STAGE_ERROR,
    STAGE_RESULT,
    STAGE_HISTORY,
    STAGE_EARLY,
    STAGE_TALLIES,
    STAGE_END
};

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
    struct body_ref next;    /* of the chain */
    uint32_t tally;          /* whose error is read next */
    bool is_full;            /* no older steps are shown */
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

static int look_at_tallies(struct report *report) {
    struct report_look *look = &report->look;
    look->totals.arena = &report->arena;
    look->tallies_count =
        broker_job_totals(shard_broker(report->shard), look->job.ref, look->tallies);
    for (uint32_t i = 0; i < look->tallies_count; i++) {
        struct slice *name = &look->tallies[i].station_name;
        if (!copy_slice(&report->arena, *name, name)) return -ENOMEM;
    }
    return 0;
}

static int look_at_job(struct report *report) {
    arena_reset(&report->arena);
    report->look = (struct report_look){0};
    report->failure = 0;
    report->stage = STAGE_ERROR;
    report->tally = 0;
    report->is_full = false;
    report->looks_count++;
    struct report_look *look = &report->look;
    report->found = broker_find_job(shard_broker(report->shard), report->id, &look->job);
    if (!report->found) return 0;
    report->next = look->job.history;
    if (!copy_slice(&report->arena, look->job.key, &look->job.key)) return -ENOMEM;
    int rc = look_at_line(report);
    return rc < 0 ? rc : look_at_tallies(report);
}

/* ---- read ---- */

static bool is_long(const struct report *report) {
    return report->look.job.early.position != 0;
}

/* The next tally whose error is to be read: those before have none, and are added as they are. */
static struct body_ref next_tally(struct report *report) {
    struct report_look *look = &report->look;
    for (; report->tally < look->tallies_count; report->tally++) {
        const struct job_total *tally = &look->tallies[report->tally];
        if (tally->error_in.position != 0) return tally->error_in;
        job_totals_add(&look->totals, tally);
    }
    return (struct body_ref){0};
}

static struct body_ref body_of_stage(struct report *report) {
    const struct report_look *look = &report->look;
    switch (report->stage) {
    case STAGE_ERROR: return look->job.error;
    case STAGE_RESULT:
        if (look->job.result.count > JOB_REPORT_RESULT_BYTES_MAX) return (struct body_ref){0};
        return look->job.result;
    case STAGE_HISTORY:
    case STAGE_EARLY: return report->next;
    case STAGE_TALLIES: return next_tally(report);
    case STAGE_END: break;
    }
    CHECK_UNREACHABLE();
}

/* The next body that is there; false at the end. */
static bool next_body(struct report *report, struct body_ref *out) {
    while (report->failure == 0 && report->stage != STAGE_END) {
        *out = body_of_stage(report);
        if (out->position != 0) return true;
        if (report->stage == STAGE_HISTORY) report->next = report->look.job.early;
        report->stage++;
    }
    return false;
}

static bool has_room(const struct report *report, struct slice bytes) {
    return report->look.histories_count < JOB_HISTORY_CHAIN_MAX &&
           report->arena.used_bytes + bytes.count <= SHOWN_BYTES_MAX;
}

/* Shown, if there is room. Only a job that is not long is counted here. */
static void take_history(struct report *report, struct slice bytes) {
    struct report_look *look = &report->look;
    struct job_history_reader reader;
    struct slice copy;
    report->failure = job_history_open(bytes, &reader);
    if (report->failure < 0) return;
    report->next = reader.previous;
    if (!is_long(report)) look->left_out += reader.left_out;
    report->is_full = report->is_full || !has_room(report, bytes);
    if (!report->is_full && !copy_slice(&report->arena, bytes, &copy)) {
        report->failure = -ENOMEM;
        return;
    }
    if (!report->is_full) look->histories[look->histories_count++] = copy;
    if (!is_long(report)) {
        job_totals_add_body(&look->totals, &reader);
    } else if (report->is_full) {
        report->next = (struct body_ref){0};
    }
}

static void take_early(struct report *report, struct slice bytes) {
    struct report_look *look = &report->look;
    struct job_history_reader reader;
    report->failure = job_history_open(bytes, &reader);
    if (report->failure < 0) return;
    report->next = reader.previous;
    look->left_out += reader.left_out;
    job_totals_add_body(&look->totals, &reader);
}

static void take_tally(struct report *report, struct slice bytes) {
    struct job_total *tally = &report->look.tallies[report->tally++];
    tally->error = job_history_find_error(bytes, tally->station_name);
    job_totals_add(&report->look.totals, tally);
    tally->error = SLICE_EMPTY; /* it was borrowed */
}

static void take_text(struct report *report, struct slice bytes, struct slice *out) {
    if (!copy_slice(&report->arena, bytes, out)) report->failure = -ENOMEM;
    report->stage++;
}

/* Nothing can be told of what stands here. */
static void take_damaged(struct report *report) {
    report->look.is_damaged = true;
    if (report->stage == STAGE_TALLIES) {
        take_tally(report, SLICE_EMPTY);
    } else if (report->stage == STAGE_HISTORY || report->stage == STAGE_EARLY) {
        report->next = (struct body_ref){0};
    } else {
        report->stage++;
    }
}

static void take_body(struct report *report, int result, struct slice bytes) {
    if (result == -EBADMSG) {
        take_damaged(report);
        return;
    }
    report->failure = result;
    if (result < 0) return;
    switch (report->stage) {
    case STAGE_ERROR: take_text(report, bytes, &report->look.error); break;
    case STAGE_RESULT: take_text(report, bytes, &report->look.result); break;
    case STAGE_HISTORY: take_history(report, bytes); break;
    case STAGE_EARLY: take_early(report, bytes); break;
    case STAGE_TALLIES: take_tally(report, bytes); break;
    case STAGE_END: CHECK_UNREACHABLE();
    }
    if (report->look.totals.failed) report->failure = -ENOMEM;
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
