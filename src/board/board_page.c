/* SPDX-License-Identifier: Apache-2.0 */
/* board_page.c -- the stations, as a page that a browser asks for again every two seconds. */
#include "board/board_inside.h"

static const char head[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>takt</title>"
    "<meta http-equiv=\"refresh\" content=\"2\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;"
    "color:#222;background:#fff}table{border-collapse:collapse}th,td{padding:.3em .9em;"
    "text-align:right;border-bottom:1px solid #ddd}th:first-child,td:first-child,td:last-child,"
    "th:last-child{text-align:left}.bad{color:#b00020;font-weight:600}.dim{color:#777}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}.bad{color:#ff7b7b}"
    "th,td{border-color:#444}}</style></head><body>";

static void write_text(struct buffer *out, struct slice text) {
    for (size_t i = 0; i < text.count; i++) {
        char byte = text.bytes[i];
        switch (byte) {
        case '<': buffer_append_string(out, "&lt;"); break;
        case '>': buffer_append_string(out, "&gt;"); break;
        case '&': buffer_append_string(out, "&amp;"); break;
        case '"': buffer_append_string(out, "&quot;"); break;
        default: buffer_append_byte(out, byte);
        }
    }
}

static void write_cell(struct buffer *out, uint64_t count) {
    buffer_printf(out, "<td>%llu</td>", (unsigned long long)count);
}

/* The last column: what a person should know of this station. */
static void write_words(const struct station_view *view, const struct line_view *line,
                        const struct runtime_station_view *workers, struct buffer *out) {
    bool is_jammed = workers != NULL && workers->condition == STATION_JAMMED;
    if (is_jammed || (workers != NULL && workers->condition == STATION_PAUSING)) {
        buffer_append_string(out, "<span class=\"bad\">");
        buffer_append_string(out, is_jammed ? "jammed: " : "pausing: ");
        write_text(out, slice_from_string(workers->reason));
        buffer_append_string(out, "</span> ");
    }
    if (workers != NULL && workers->condition == STATION_STOPPED) {
        buffer_append_string(out, "<span class=\"bad\">stopped</span> ");
    }
    if (view->is_full) buffer_append_string(out, "<span class=\"bad\">full</span> ");
    if (view->is_gated && view->gate < line->stations_count) {
        buffer_append_string(out, "waits for room at ");
        write_text(out, line->stations[view->gate].name);
    }
}

static void write_station(const struct ask *ask, const struct line_view *line, uint32_t index,
                          struct buffer *out) {
    struct station_view view;
    struct runtime_station_view workers = {0};
    if (!broker_get_station(shard_broker(ask->shard), line->ref, index, &view)) return;
    bool runs = ask->board->runtime != NULL &&
                runtime_get_station(ask->board->runtime, line->ref, index, &workers);
    buffer_append_string(out, "<tr><td>");
    write_text(out, line->stations[index].name);
    buffer_append_string(out, "</td>");
    write_cell(out, view.queue.visible_count + view.queue.delayed_count);
    write_cell(out, view.queue.in_flight_count);
    write_cell(out, view.waiting_kits);
    write_cell(out, view.queue.counts.handed_on);
    write_cell(out, view.dead_count);
    if (runs) {
        buffer_printf(out, "<td>%u busy, %u idle</td><td>", workers.workers_busy,
                      workers.workers_idle);
    } else {
        buffer_append_string(out, "<td class=\"dim\">not run here</td><td>");
    }
    write_words(&view, line, runs ? &workers : NULL, out);
    buffer_append_string(out, "</td></tr>");
}

static void write_line(const struct ask *ask, const struct line_view *line, struct buffer *out) {
    buffer_append_string(out, "<h2>");
    write_text(out, line->name);
    buffer_append_string(out, "</h2><table><tr><th>station</th><th>waiting</th><th>in work</th>"
                              "<th>open kits</th><th>handed on</th><th>dead</th><th>workers</th>"
                              "<th></th></tr>");
    for (uint32_t i = 0; i < line->stations_count; i++) write_station(ask, line, i, out);
    buffer_append_string(out, "</table>");
}

void board_give_page(struct ask *ask) {
    const struct board *board = ask->board;
    struct buffer *out = &ask->body;
    struct broker_totals totals;
    struct line_view line;
    char now[WALL_TIME_TEXT_BYTES];
    broker_get_totals(shard_broker(board->shard), &totals);
    wall_time_text(shard_now(board->shard), now);
    ask->content_type = "text/html; charset=utf-8";
    buffer_append_string(out, head);
    buffer_printf(out,
                  "<h1>takt</h1><p class=\"dim\">%s, %s; %llu jobs running, %llu known; %llu "
                  "messages in %llu queues</p>",
                  now, board->is_ready ? "ready" : "not ready",
                  (unsigned long long)totals.jobs_running, (unsigned long long)totals.jobs_count,
                  (unsigned long long)totals.messages_count,
                  (unsigned long long)totals.queues_count);
    for (uint32_t i = 0; broker_line_at(shard_broker(board->shard), i, &line); i++) {
        write_line(ask, &line, out);
    }
    buffer_append_string(out, "<p class=\"dim\">The same as JSON: "
                              "<a href=\"/api/v1/status\">/api/v1/status</a>, "
                              "<a href=\"/api/v1/queues\">/api/v1/queues</a>, "
                              "<a href=\"/api/v1/jobs\">/api/v1/jobs</a></p></body></html>\n");
    ask_show(ask);
}
