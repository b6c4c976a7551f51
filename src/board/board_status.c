/* SPDX-License-Identifier: Apache-2.0 */
/* board_status.c -- lines, stations and their workers, the journal. */
#include "board/board_inside.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/json_object.h"

#define WORKERS_MAX 1000

static const char *const condition_names[] = {
    [STATION_FINE] = "fine",
    [STATION_JAMMED] = "jammed",
    [STATION_PAUSING] = "pausing",
    [STATION_STOPPED] = "stopped",
};

/* ---- stations ---- */

static void write_workers(const struct runtime_station_view *view, struct buffer *out) {
    json_object_text(out, "condition", slice_from_string(condition_names[view->condition]));
    if (view->reason[0] != '\0') json_object_text(out, "reason", slice_from_string(view->reason));
    json_object_time(out, "retry_at", view->retry_at);
    json_object_name(out, "workers");
    buffer_append_byte(out, '{');
    json_object_number(out, "wanted", view->workers_wanted);
    json_object_number(out, "starting", view->workers_starting);
    json_object_number(out, "idle", view->workers_idle);
    json_object_number(out, "busy", view->workers_busy);
    json_object_name(out, "scale");
    if (view->scale < 0) {
        buffer_append_string(out, "null");
    } else {
        json_write_i64(out, view->scale);
    }
    json_object_number(out, "deaths", (int64_t)view->deaths);
    buffer_append_byte(out, '}');
    if (view->handler_ms_mean >= 0) {
        json_object_number(out, "handler_ms_mean", view->handler_ms_mean);
    }
}

static void write_station(const struct ask *ask, const struct line_view *line, uint32_t index,
                          struct buffer *out) {
    struct station_view view;
    if (!broker_get_station(shard_broker(ask->shard), line->ref, index, &view)) return;
    const struct line_station *settings = &line->stations[index];
    json_array_next(out);
    buffer_append_byte(out, '{');
    json_object_text(out, "line", line->name);
    json_object_text(out, "station", settings->name);
    json_object_text(out, "queue", settings->queue);
    json_object_text(out, "dead_queue", settings->dead_queue);
    json_object_number(out, "waiting", (int64_t)view.queue.visible_count);
    json_object_number(out, "delayed", (int64_t)view.queue.delayed_count);
    json_object_number(out, "in_flight", (int64_t)view.queue.in_flight_count);
    json_object_number(out, "waiting_kits", (int64_t)view.waiting_kits);
    json_object_number(out, "dead", (int64_t)view.dead_count);
    json_object_time(out, "oldest", view.queue.oldest_sent);
    json_object_number(out, "handed_on", (int64_t)view.queue.counts.handed_on);
    json_object_number(out, "wip", (int64_t)view.wip_count);
    if (settings->wip_limit > 0) json_object_number(out, "wip_limit", settings->wip_limit);
    json_object_bool(out, "full", view.is_full);
    if (view.is_gated && view.gate < line->stations_count) {
        json_object_text(out, "blocked_by", line->stations[view.gate].name);
    }
    struct runtime_station_view workers;
    if (ask->board->runtime != NULL &&
        runtime_get_station(ask->board->runtime, line->ref, index, &workers)) {
        write_workers(&workers, out);
    }
    buffer_append_byte(out, '}');
}

static void write_stations(const struct ask *ask, const struct line_view *line,
                           struct buffer *out) {
    for (uint32_t i = 0; i < line->stations_count; i++) write_station(ask, line, i, out);
}

void board_give_stations(struct ask *ask) {
    struct line_view line;
    buffer_append_string(&ask->body, "{\"stations\":[");
    for (uint32_t i = 0; broker_line_at(shard_broker(ask->shard), i, &line); i++) {
        write_stations(ask, &line, &ask->body);
    }
    buffer_append_string(&ask->body, "]}\n");
    ask_show(ask);
}

/* ---- status ---- */

static void write_lines(const struct ask *ask, struct buffer *out) {
    struct line_view line;
    json_object_name(out, "lines");
    buffer_append_byte(out, '[');
    for (uint32_t i = 0; broker_line_at(shard_broker(ask->shard), i, &line); i++) {
        json_array_next(out);
        buffer_append_byte(out, '{');
        json_object_text(out, "name", line.name);
        json_object_bool(out, "running",
                         ask->board->runtime != NULL &&
                             runtime_definition(ask->board->runtime, line.ref) != NULL);
        json_object_name(out, "stations");
        buffer_append_byte(out, '[');
        write_stations(ask, &line, out);
        buffer_append_string(out, "]}");
    }
    buffer_append_byte(out, ']');
}

static void write_journal(const struct ask *ask, struct buffer *out) {
    struct journal_status status;
    shard_get_journal_status(ask->shard, &status);
    json_object_name(out, "journal");
    buffer_append_byte(out, '{');
    json_object_number(out, "first", (int64_t)status.lsn_first);
    json_object_number(out, "appended", (int64_t)status.lsn_appended);
    json_object_number(out, "durable", (int64_t)status.lsn_durable);
    json_object_number(out, "epoch", (int64_t)status.epoch);
    json_object_number(out, "bytes_used", (int64_t)status.bytes_used);
    /* Without a limit it is a number that no reader of JSON holds exactly. */
    if (status.bytes_room < UINT64_C(1) << 53) {
        json_object_number(out, "bytes_room", (int64_t)status.bytes_room);
    }
    json_object_number(out, "commits", (int64_t)status.commits_count);
    json_object_number(out, "commit_us_last", status.commit_ns_last / 1000);
    json_object_text(out, "durability", status.synced ? SLICE("fsync") : SLICE("none"));
    if (status.failure != 0) {
        json_object_text(out, "failure", slice_from_string(strerror(-status.failure)));
    }
    buffer_append_byte(out, '}');
}

static void write_totals(const struct ask *ask, struct buffer *out) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(ask->shard), &totals);
    json_object_name(out, "totals");
    buffer_append_byte(out, '{');
    json_object_number(out, "messages", (int64_t)totals.messages_count);
    json_object_number(out, "queues", (int64_t)totals.queues_count);
    json_object_number(out, "jobs", (int64_t)totals.jobs_count);
    json_object_number(out, "jobs_running", (int64_t)totals.jobs_running);
    json_object_number(out, "workers", (int64_t)totals.sessions_count);
    json_object_number(out, "memory_bytes", (int64_t)totals.memory_bytes);
    buffer_append_byte(out, '}');
}

static void write_loop(const struct ask *ask, struct buffer *out) {
    struct env_turns turns;
    if (!env_get_turns(ask->env, &turns)) return;
    json_object_name(out, "loop");
    buffer_append_byte(out, '{');
    json_object_number(out, "turns", (int64_t)turns.count);
    json_object_number(out, "turn_us_max", turns.longest_ns / 1000);
    json_object_number(out, "turn_us_max_recent", turns.recent_longest_ns / 1000);
    json_object_number(out, "turn_cpu_us_max", turns.cpu_longest_ns / 1000);
    json_object_number(out, "turns_above_5_ms", (int64_t)turns.above_5_ms_count);
    json_object_number(out, "turns_cpu_above_5_ms", (int64_t)turns.cpu_above_5_ms_count);
    buffer_append_byte(out, '}');
}

void board_give_status(struct ask *ask) {
    const struct board *board = ask->board;
    struct buffer *out = &ask->body;
    int64_t uptime_ns = ask->env->ops->now_mono(ask->env).ns - board->opened.ns;
    buffer_append_byte(out, '{');
    json_object_text(out, "version", slice_from_string(board->version));
    json_object_bool(out, "ready", board->is_ready && !shard_has_failed(board->shard));
    json_object_time(out, "time", shard_now(board->shard));
    json_object_number(out, "uptime_ms", uptime_ns / 1000000);
    write_lines(ask, out);
    write_journal(ask, out);
    write_totals(ask, out);
    write_loop(ask, out);
    buffer_append_string(out, "}\n");
    ask_show(ask);
}

/* ---- digest ---- */

/* Two takts that give the same have the same state, to the last field that a command can read: what
 * an operator compares before and after a restart. It walks the whole state while the loop stands
 * still: to be asked by hand, not by a monitor. */
void board_give_digest(struct ask *ask) {
    uint8_t digest[16];
    char text[32];
    const struct broker *broker = shard_broker(ask->shard);
    struct journal_status status;
    shard_get_journal_status(ask->shard, &status);
    broker_digest(broker, digest);
    hex_write(digest, sizeof digest, text);
    buffer_append_byte(&ask->body, '{');
    json_object_text(&ask->body, "digest", slice_from(text, sizeof text));
    json_object_number(&ask->body, "appended", (int64_t)status.lsn_appended);
    buffer_append_string(&ask->body, "}\n");
    ask_show(ask);
}

/* ---- scale ---- */

/* {"workers": 3} or null, which is -1. */
static bool read_scale(struct slice body, int64_t *out) {
    if (!json_validate(body, NULL) || json_type(json_trim(body)) != JSON_OBJECT) return false;
    struct slice workers = json_member(json_trim(body), SLICE("workers"));
    *out = -1;
    if (json_type(workers) == JSON_NULL) return true;
    return json_to_i64(workers, 0, WORKERS_MAX, out);
}

static bool find_station(const struct ask *ask, struct broker_ref *line, uint32_t *station) {
    struct line_view view;
    if (!broker_find_line(shard_broker(ask->shard), ask->parts[1], &view)) return false;
    *line = view.ref;
    for (uint32_t i = 0; i < view.stations_count; i++) {
        *station = i;
        if (slice_equal(view.stations[i].name, ask->parts[2])) return true;
    }
    return false;
}

void board_scale_station(struct ask *ask) {
    struct broker_ref line;
    uint32_t station = 0;
    int64_t count = -1;
    if (!read_scale(ask->visit.request->body, &count)) {
        ask_refuse(ask, 400, "bad-value",
                   SLICE("the body is {\"workers\": N}, 0 to 1000, or null for as the file says"));
        return;
    }
    bool is_there = ask->board->runtime != NULL && find_station(ask, &line, &station);
    int rc = is_there ? runtime_scale(ask->board->runtime, line, station, (int32_t)count) : -1;
    if (rc < 0) {
        ask_refuse(ask, 404, "not-found", SLICE("no such station runs here"));
        return;
    }
    buffer_append_byte(&ask->body, '{');
    json_object_text(&ask->body, "line", ask->parts[1]);
    json_object_text(&ask->body, "station", ask->parts[2]);
    json_object_name(&ask->body, "workers");
    if (count < 0) {
        buffer_append_string(&ask->body, "null");
    } else {
        json_write_i64(&ask->body, count);
    }
    buffer_append_string(&ask->body, "}\n");
    ask_answer(ask); /* it is no record: a restart goes by the file again */
}
