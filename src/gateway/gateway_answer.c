/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_answer.c -- what a client is told, in HTTP:
 *
 *   202 the order is durable (or: its job still runs)   200 the result   204 done, without a result
 *   404 no such job            422 rejected (waited for), or another order under a used key
 *   409 the result of a job that was rejected or failed   502 it failed (waited for)
 *   429 the line is full       503 takt can promise nothing now
 *
 * Errors are application/problem+json; those about a job name it.
 */
#include "gateway/gateway_inside.h"

#include "base/hash.h"
#include "base/json.h"

#include <stdio.h>

#define RETRY_AFTER_S_MAX 60u
#define JOB_URL_BYTES_MAX 64u

/* ---- problems ---- */

struct retry_header {
    char seconds[16];
    struct http_header header;
};

static void write_refusal(struct arena *arena, const struct problem *problem,
                          uint32_t retry_after_s, struct retry_header *retry,
                          struct http_response *response) {
    problem_write(arena, problem, response);
    if (retry_after_s == 0) return;
    (void)snprintf(retry->seconds, sizeof retry->seconds, "%u", retry_after_s);
    retry->header = (struct http_header){SLICE("Retry-After"), slice_from_string(retry->seconds)};
    response->headers = &retry->header;
    response->headers_count = 1;
}

void answer_problem_later(struct http_request *request, int status, const char *code,
                          struct slice detail, uint32_t retry_after_s) {
    struct problem problem = {.status = status, .code = code, .detail = detail};
    struct http_response response;
    struct retry_header retry;
    write_refusal(request->arena, &problem, retry_after_s, &retry, &response);
    http_respond(request, &response);
}

void answer_problem(struct http_request *request, int status, const char *code,
                    struct slice detail) {
    answer_problem_later(request, status, code, detail, 0);
}

void order_refuse(struct order *order, int status, const char *code, struct slice detail,
                  uint32_t retry_after_s) {
    struct problem problem = {.status = status, .code = code, .detail = detail};
    struct http_response response;
    struct retry_header retry;
    write_refusal(order->visit.request->arena, &problem, retry_after_s, &retry, &response);
    visit_answer(&order->visit, &response);
}

/* ---- 429: which station, and when to come again ---- */

/* By Little's law: the oldest has waited through the whole backlog, so one place opens about every
 * wait / backlog. A station that stands still sends its clients away for longer and longer. */
static uint32_t seconds_to_a_place(const struct order *order, const struct station_view *station) {
    int64_t oldest_ms = station->queue.oldest_sent.ms;
    int64_t waited_ms = oldest_ms == 0 ? 0 : shard_now(order->shard).ms - oldest_ms;
    if (waited_ms <= 0 || station->wip_count == 0) return 1;
    uint64_t seconds = (uint64_t)waited_ms / station->wip_count / 1000 + 1;
    return seconds > RETRY_AFTER_S_MAX ? RETRY_AFTER_S_MAX : (uint32_t)seconds;
}

static void refuse_full(struct order *order, const struct broker_answer *answer) {
    const struct broker *broker = shard_broker(order->shard);
    struct station_view station = {0};
    struct line_view line;
    struct slice words = slice_from_string(answer->detail);
    uint32_t seconds = 1;
    if (words.count == 0) words = slice_from_string(broker_result_words(answer->result));
    if (broker_get_station(broker, order->line, order->station, &station) &&
        broker_get_line(broker, order->line, &line) && (station.is_full || station.is_gated)) {
        uint32_t full = station.is_full ? order->station : station.gate;
        if (full != order->station) {
            (void)broker_get_station(broker, order->line, full, &station);
        }
        const struct line_station *settings = &line.stations[full];
        char *text = arena_printf(order->visit.request->arena,
                                  "station %.*s has reached its WIP limit of %u",
                                  SLICE_ARGS(settings->name), settings->wip_limit);
        if (text != NULL) words = slice_from_string(text);
        seconds = seconds_to_a_place(order, &station);
    }
    order_refuse(order, 429, "line-full", words, seconds);
}

void order_refuse_result(struct order *order, const struct broker_answer *answer) {
    struct slice words = slice_from_string(answer->detail);
    if (words.count == 0) words = slice_from_string(broker_result_words(answer->result));
    switch (answer->result) {
    case BROKER_LINE_FULL: refuse_full(order, answer); break;
    case BROKER_ONCE_CONFLICT: order_refuse(order, 422, "key-used", words, 0); break;
    case BROKER_TOO_LARGE: order_refuse(order, 413, "too-large", words, 0); break;
    case BROKER_NO_ROOM: order_refuse(order, 503, "no-room", words, 30); break;
    case BROKER_NO_MEMORY: order_refuse(order, 503, "no-memory", words, 5); break;
    case BROKER_BUSY: order_refuse(order, 503, "busy", words, 1); break;
    case BROKER_UNAVAILABLE: order_refuse(order, 503, "unavailable", words, 5); break;
    default: order_refuse(order, 500, "refused", words, 0);
    }
}

/* ---- answers about a job ---- */

struct job_text {
    char id[33];
    char url[JOB_URL_BYTES_MAX];
};

static struct job_text job_text(const struct order *order) {
    struct job_text text = {0};
    hex_write(order->job_id, sizeof order->job_id, text.id);
    (void)snprintf(text.url, sizeof text.url, "/jobs/%s", text.id);
    return text;
}

static void add_header(struct http_response *response, struct http_header *headers,
                       const char *name, const char *value) {
    CHECK(response->headers_count < GATEWAY_HEADERS_MAX);
    headers[response->headers_count++] =
        (struct http_header){slice_from_string(name), slice_from_string(value)};
    response->headers = headers;
}

/* Location, and what was done about Prefer. */
static void answer_about_job(struct order *order, const struct job_text *text,
                             struct http_response *response, uint32_t retry_after_s) {
    struct http_header headers[GATEWAY_HEADERS_MAX];
    char seconds[16];
    char applied[32];
    add_header(response, headers, "Location", text->url);
    add_header(response, headers, "Cache-Control", "no-store");
    if (order->wait_s > 0) {
        (void)snprintf(applied, sizeof applied, "wait=%u", order->wait_s);
        add_header(response, headers, "Preference-Applied", applied);
    }
    if (retry_after_s > 0) {
        (void)snprintf(seconds, sizeof seconds, "%u", retry_after_s);
        add_header(response, headers, "Retry-After", seconds);
    }
    visit_answer(&order->visit, response);
}

void order_accept(struct order *order, const char *state, uint32_t retry_after_s) {
    struct job_text text = job_text(order);
    char body[192];
    int count = snprintf(body, sizeof body, "{\"job\":\"%s\",\"url\":\"%s\",\"state\":\"%s\"}\n",
                         text.id, text.url, state);
    CHECK(count > 0 && (size_t)count < sizeof body);
    struct http_response response = {
        .status = 202, .content_type = "application/json", .body = slice_from(body, (size_t)count)};
    answer_about_job(order, &text, &response, retry_after_s);
}

void order_give_result(struct order *order, struct slice result) {
    struct job_text text = job_text(order);
    bool is_json = json_validate(result, NULL);
    struct http_response response = {.status = 200,
                                     .content_type =
                                         is_json ? "application/json" : "application/octet-stream",
                                     .body = result};
    if (result.count == 0) response = (struct http_response){.status = 204};
    answer_about_job(order, &text, &response, 0);
}

void order_give_report(struct order *order, struct slice json) {
    struct http_header header = {SLICE("Cache-Control"), SLICE("no-store")};
    struct http_response response = {.status = 200,
                                     .content_type = "application/json",
                                     .headers = &header,
                                     .headers_count = 1,
                                     .body = json};
    visit_answer(&order->visit, &response);
}

/* A redrive may have revived it since the last look: then it runs. */
void order_give_end(struct order *order, struct slice report) {
    struct slice state = json_member(report, SLICE("state"));
    if (json_string_equal(state, SLICE("running"))) {
        order_accept(order, "running", 1);
        return;
    }
    if (json_string_equal(state, SLICE("done"))) {
        gateway_tell_result(order);
        return;
    }
    struct arena *arena = order->visit.request->arena;
    bool is_rejected = json_string_equal(state, SLICE("rejected"));
    const char *reason_name = is_rejected ? "reason" : "error";
    struct slice reason = json_member(report, slice_from_string(reason_name));
    struct slice detail = SLICE_EMPTY;
    if (!json_string(arena, reason, &detail) || detail.count == 0) {
        detail = is_rejected ? SLICE("the job was rejected, without a reason")
                             : SLICE("the job failed, without words");
    }
    struct job_text text = job_text(order);
    struct buffer members;
    buffer_open(&members, &order->env->allocator, PROBLEM_BYTES_MAX);
    buffer_printf(&members, "\"job\":\"%s\",\"url\":\"%s\",\"state\":\"%s\",\"%s\":", text.id,
                  text.url, is_rejected ? "rejected" : "failed", reason_name);
    json_write_string(&members, detail);
    if (!is_rejected) {
        buffer_append_string(&members, ",\"report\":");
        buffer_append(&members, report);
    }
    struct problem problem = {.status = !order->is_waiting ? 409
                                        : is_rejected      ? 422
                                                           : 502,
                              .code = is_rejected ? "job-rejected" : "job-failed",
                              .detail = detail,
                              .members = members.failed ? SLICE_EMPTY : buffer_slice(&members)};
    struct http_response response;
    problem_write(arena, &problem, &response);
    answer_about_job(order, &text, &response, 0);
    buffer_close(&members);
}

/* ---- GET / ---- */

void gateway_list_routes(const struct gateway *gateway, struct http_request *request) {
    struct buffer text;
    const char *between = "";
    buffer_open(&text, &shard_env(gateway->shard)->allocator, 8 * 1024 * 1024);
    buffer_append_string(&text, "{\"routes\":[");
    for (uint32_t i = 0; i < gateway->files->definitions_count; i++) {
        const struct definition *definition = &gateway->files->definitions[i];
        for (uint32_t j = 0; j < definition->routes_count; j++) {
            const struct definition_route *route = &definition->routes[j];
            buffer_printf(&text, "%s{\"method\":\"%s\",\"path\":", between, route->method);
            json_write_string(&text, slice_from_string(route->pattern));
            buffer_printf(&text, ",\"line\":\"%s\",\"to\":\"%s\"}", definition->name,
                          definition->stations[route->station].name);
            between = ",";
        }
    }
    buffer_append_string(&text, "],\"jobs\":\"/jobs/{id}\",\"results\":\"/jobs/{id}/result\"}\n");
    if (text.failed) {
        answer_problem_later(request, 503, "no-memory", SLICE("takt is out of memory for this"), 1);
    } else {
        struct http_response response = {
            .status = 200, .content_type = "application/json", .body = buffer_slice(&text)};
        http_respond(request, &response);
    }
    buffer_close(&text);
}
