/* SPDX-License-Identifier: Apache-2.0 */
/* board_queues.c -- queues as they are, and dead letters sent back. */
#include "board/board_inside.h"

#include "base/json.h"
#include "base/json_object.h"

static const char *const kind_names[] = {
    [QUEUE_PLAIN] = "plain", [QUEUE_STATION] = "station", [QUEUE_STATION_DEAD] = "station_dead"};

static void write_counts(const struct queue_counts *counts, struct buffer *out) {
    json_object_number(out, "sent", (int64_t)counts->sent);
    json_object_number(out, "received", (int64_t)counts->received);
    json_object_number(out, "deleted", (int64_t)counts->deleted);
    json_object_number(out, "handed_on", (int64_t)counts->handed_on);
    json_object_number(out, "expired", (int64_t)counts->expired);
    json_object_number(out, "purged", (int64_t)counts->purged);
    json_object_number(out, "dead", (int64_t)counts->dead);
    json_object_number(out, "redriven", (int64_t)counts->redriven);
    json_object_number(out, "withdrawn", (int64_t)counts->withdrawn);
}

static void write_settings(const struct queue_view *view, struct buffer *out) {
    const struct queue_settings *settings = &view->settings;
    json_object_name(out, "settings");
    buffer_append_byte(out, '{');
    if (view->kind == QUEUE_PLAIN) {
        json_object_number(out, "visibility_ms", settings->visibility_ms);
        json_object_number(out, "wait_ms", settings->wait_ms);
    }
    json_object_number(out, "delay_ms", settings->delay_ms);
    json_object_number(out, "retention_ms", settings->retention_ms);
    json_object_number(out, "message_bytes_max", settings->message_bytes_max);
    if (settings->dead_queue.count > 0) {
        json_object_text(out, "dead_queue", settings->dead_queue);
        if (view->kind == QUEUE_PLAIN) {
            json_object_number(out, "dead_after", settings->dead_after);
        }
    }
    buffer_append_byte(out, '}');
}

static void write_queue(const struct ask *ask, const struct queue_view *view, struct buffer *out) {
    struct line_view line;
    buffer_append_byte(out, '{');
    json_object_text(out, "name", view->name);
    json_object_text(out, "kind", slice_from_string(kind_names[view->kind]));
    if (view->kind != QUEUE_PLAIN && broker_get_line(shard_broker(ask->shard), view->line, &line) &&
        view->station < line.stations_count) {
        json_object_text(out, "line", line.name);
        json_object_text(out, "station", line.stations[view->station].name);
    }
    json_object_number(out, "visible", (int64_t)view->visible_count);
    json_object_number(out, "in_flight", (int64_t)view->in_flight_count);
    json_object_number(out, "delayed", (int64_t)view->delayed_count);
    json_object_time(out, "oldest", view->oldest_sent);
    json_object_time(out, "created", view->created);
    json_object_time(out, "changed", view->changed);
    write_counts(&view->counts, out);
    write_settings(view, out);
    buffer_append_byte(out, '}');
}

void board_list_queues(struct ask *ask) {
    const struct broker *broker = shard_broker(ask->shard);
    struct slice prefix = ask_text(ask, "prefix");
    struct slice after = ask_text(ask, "after");
    struct queue_view view;
    uint64_t limit = 0;
    if (!ask_number(ask, "limit", BOARD_PAGE_DEFAULT, BOARD_PAGE_MAX, &limit)) return;
    buffer_append_string(&ask->body, "{\"queues\":[");
    bool is_more = broker_next_queue(broker, after, prefix, &view);
    for (uint64_t i = 0; i < limit && is_more; i++) {
        json_array_next(&ask->body);
        write_queue(ask, &view, &ask->body);
        after = view.name;
        is_more = broker_next_queue(broker, after, prefix, &view);
    }
    buffer_append_byte(&ask->body, ']');
    if (is_more) json_object_text(&ask->body, "next", after);
    buffer_append_string(&ask->body, "}\n");
    ask_show(ask);
}

void board_give_queue(struct ask *ask) {
    struct queue_view view;
    if (!broker_find_queue(shard_broker(ask->shard), ask->parts[1], &view)) {
        ask_refuse_result(ask, BROKER_QUEUE_NOT_FOUND, "");
        return;
    }
    write_queue(ask, &view, &ask->body);
    buffer_append_byte(&ask->body, '\n');
    ask_show(ask);
}

/* ---- redrive: one command after the other, up to what was there at the beginning, so that what
 * dies again meanwhile does not keep it going for ever ---- */

struct redrive {
    uint64_t left;
    uint64_t moved;
    uint32_t steps_count;
};

static void redrive_next(struct ask *ask);

static void finish_redrive(struct ask *ask, bool is_more) {
    const struct redrive *redrive = ask->more;
    buffer_append_byte(&ask->body, '{');
    json_object_number(&ask->body, "moved", (int64_t)redrive->moved);
    json_object_bool(&ask->body, "more", is_more);
    buffer_append_string(&ask->body, "}\n");
    ask_answer(ask); /* the last command's answer was released: all of it is durable */
}

static void on_redriven(void *context, const struct broker_answer *answer) {
    struct ask *ask = context;
    if (!visit_back(&ask->visit)) return; /* it stops where it is */
    struct redrive *redrive = ask->more;
    bool is_good = answer->result == BROKER_OK;
    if (!is_good && answer->result != BROKER_NOTHING && redrive->moved == 0) {
        ask_refuse_result(ask, answer->result, answer->detail);
        return;
    }
    uint64_t moved = is_good ? answer->step.count : 0;
    redrive->moved += moved;
    redrive->left -= moved < redrive->left ? moved : redrive->left;
    bool is_more = is_good && answer->step.more && moved > 0;
    if (is_more && redrive->left > 0 && ++redrive->steps_count < BOARD_REDRIVE_STEPS_MAX) {
        redrive_next(ask);
    } else {
        finish_redrive(ask, is_more && redrive->left > 0);
    }
}

static void redrive_next(struct ask *ask) {
    const struct redrive *redrive = ask->more;
    uint32_t max = redrive->left < BROKER_STEP_MAX ? (uint32_t)redrive->left : BROKER_STEP_MAX;
    struct command command = {.kind = COMMAND_REDRIVE,
                              .redrive = {.queue = ask->parts[1], .messages_max = max}};
    visit_call(&ask->visit);
    shard_submit(ask->shard, &command, on_redriven, ask);
}

void board_redrive_queue(struct ask *ask) {
    struct queue_view view;
    uint64_t max = 0;
    if (!ask_number(ask, "max", UINT32_MAX, UINT32_MAX, &max)) return;
    if (!broker_find_queue(shard_broker(ask->shard), ask->parts[1], &view)) {
        ask_refuse_result(ask, BROKER_QUEUE_NOT_FOUND, "");
        return;
    }
    struct redrive *redrive = env_alloc(ask->env, sizeof *redrive);
    if (redrive == NULL) {
        ask_refuse_result(ask, BROKER_NO_MEMORY, "");
        return;
    }
    redrive->left = view.visible_count < max ? view.visible_count : max;
    ask->more = redrive;
    /* A queue that has no dead letters is refused in words, be it empty. */
    if (redrive->left == 0 && view.kind != QUEUE_STATION) {
        finish_redrive(ask, false);
    } else {
        redrive_next(ask);
    }
}
