/* SPDX-License-Identifier: Apache-2.0 */
/* board_jobs.c -- jobs, newest first, and one of them. */
#include "board/board_inside.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/json_object.h"
#include "line/job_report.h"

static const char *const state_names[] = {[JOB_RUNNING] = "running",
                                          [JOB_DONE] = "done",
                                          [JOB_FAILED] = "failed",
                                          [JOB_REJECTED] = "rejected"};

static void write_job(const struct ask *ask, const struct job_view *job, struct buffer *out) {
    struct line_view line;
    char id[32];
    hex_write(job->id, sizeof job->id, id);
    buffer_append_byte(out, '{');
    json_object_text(out, "id", slice_from(id, sizeof id));
    if (broker_get_line(shard_broker(ask->shard), job->line, &line)) {
        json_object_text(out, "line", line.name);
    }
    if (job->key.count > 0) json_object_text(out, "key", job->key);
    json_object_text(out, "state", slice_from_string(state_names[job->state]));
    json_object_time(out, "started", job->started);
    json_object_time(out, "ended", job->ended);
    json_object_number(out, "living", (int64_t)job->living_count);
    json_object_number(out, "dead", (int64_t)job->dead_count);
    buffer_append_byte(out, '}');
}

/* -1: any; -2: no such state. */
static int read_state(struct slice text) {
    if (text.count == 0) return -1;
    for (size_t i = 0; i < ARRAY_COUNT(state_names); i++) {
        if (slice_equal_string(text, state_names[i])) return (int)i;
    }
    return -2;
}

/* `next` says where the following page begins; a page may have less than `limit`, or nothing, when
 * many jobs had to be looked at for it. */
void board_list_jobs(struct ask *ask) {
    const struct broker *broker = shard_broker(ask->shard);
    struct slice key = ask_text(ask, "key");
    int state = read_state(ask_text(ask, "state"));
    uint64_t limit = 0;
    uint64_t before = 0;
    if (state == -2) {
        ask_refuse(ask, 400, "bad-value", SLICE("state is running, done, failed or rejected"));
        return;
    }
    if (!ask_number(ask, "limit", BOARD_PAGE_DEFAULT, BOARD_PAGE_MAX, &limit)) return;
    if (!ask_number(ask, "before", 0, UINT64_MAX, &before)) return;
    struct job_view job;
    uint64_t found = 0;
    buffer_append_string(&ask->body, "{\"jobs\":[");
    bool is_more = broker_next_job(broker, before, key, &job);
    for (uint32_t i = 0; i < BOARD_JOBS_SCAN_MAX && found < limit && is_more; i++) {
        before = job.ref.number;
        if (state < 0 || (int)job.state == state) {
            json_array_next(&ask->body);
            write_job(ask, &job, &ask->body);
            found++;
        }
        is_more = broker_next_job(broker, before, key, &job);
    }
    buffer_append_byte(&ask->body, ']');
    if (is_more) buffer_printf(&ask->body, ",\"next\":\"%llu\"", (unsigned long long)before);
    buffer_append_string(&ask->body, "}\n");
    ask_show(ask);
}

static void on_report(void *context, bool found, bool failed, struct slice json) {
    struct ask *ask = context;
    if (!visit_back(&ask->visit)) return;
    if (failed) {
        ask_refuse_unavailable(ask);
        return;
    }
    if (!found) {
        ask_refuse_result(ask, BROKER_JOB_NOT_FOUND, "");
        return;
    }
    buffer_append(&ask->body, json);
    buffer_append_byte(&ask->body, '\n');
    ask_answer(ask);
}

void board_give_job(struct ask *ask) {
    const struct broker *broker = shard_broker(ask->shard);
    struct slice name = ask->parts[1];
    struct job_view job = {0};
    uint8_t id[16];
    bool is_id = hex_read(name, id, sizeof id) && broker_find_job(broker, id, &job);
    /* What looks like an id may still be an order's own key. */
    if (!is_id && broker_next_job(broker, 0, name, &job)) memcpy(id, job.id, sizeof id);
    if (!is_id && job.ref.number == 0) memset(id, 0, sizeof id);
    visit_call(&ask->visit);
    job_report_read(ask->shard, id, on_report, ask);
}
