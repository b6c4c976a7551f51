/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_door.c -- a request becomes an order, an order a job:
 *
 *   accept     415, in the file's own words
 *   route      `with`, `require` (400 in the file's own words), `key` and `once` (route.h)
 *   repeat     `once` or an Idempotency-Key name the order; see below
 *   submit     one record; the answer is released when it is durable
 *   answer     202; or with Prefer: wait=SECONDS the job's end, at the latest then a 202
 *
 * Which key counts. Where the file says `once`, it decides: it is the promise of who wrote the file,
 * and a client that sends another Idempotency-Key with the same payment must not be charged twice.
 * Elsewhere the header does. Either is known to its route alone. What was asked is hashed (method,
 * path, query, body), so that another order under a key that was used is told from a repeated one.
 */
#include "gateway/gateway_inside.h"

#include "base/hash.h"
#include "broker/message_body.h"

#include <errno.h>

#define NS_PER_S INT64_C(1000000000)
#define ROOM_FOR_HEAD_BYTES 64u /* what message_body_encode puts before a text */

static void refuse(struct order *order, int status, const char *code, struct slice detail) {
    order_refuse(order, status, code, detail, 0);
}

static void refuse_memory(struct order *order) {
    order_refuse(order, 503, "no-memory", SLICE("takt is out of memory for this"), 1);
}

/* ---- Prefer: wait=SECONDS ---- */

/* RFC 7240: what is not understood is left alone. Above the maximum, that is waited. */
static uint32_t wait_of(const struct http_request *request) {
    struct slice rest = http_request_header(request, SLICE("prefer"));
    while (rest.count > 0) {
        struct slice preference;
        struct slice parameters;
        struct slice name;
        struct slice value;
        (void)slice_cut(rest, ',', &preference, &rest);
        (void)slice_cut(preference, ';', &preference, &parameters);
        (void)slice_cut(preference, '=', &name, &value);
        value = slice_trim(value);
        uint64_t seconds = 0;
        if (!slice_equal_ignore_case(slice_trim(name), SLICE("wait"))) continue;
        if (!slice_to_u64(value, UINT64_MAX, &seconds)) return 0;
        return seconds > GATEWAY_WAIT_S_MAX ? GATEWAY_WAIT_S_MAX : (uint32_t)seconds;
    }
    return 0;
}

static void on_waited(void *context) {
    struct order *order = context;
    order_stop_waiting(order);
    order_accept(order, "running", 1);
}

static void on_job_end(void *context, struct broker_ref job) {
    struct order *order = context;
    (void)job;
    order->watch = NULL;
    order_stop_waiting(order);
    order->is_waiting = true;
    gateway_tell_result(order);
}

/* Waiting is a courtesy: without memory for it the order is accepted all the same. */
static void wait_for_job(struct order *order) {
    struct env *env = order->env;
    order->watch = shard_watch_job(order->shard, order->job_ref, on_job_end, order);
    if (order->watch == NULL || env->ops->timer_open(env, on_waited, order, &order->timer) < 0) {
        order_stop_waiting(order);
        order_accept(order, "accepted", 0);
        return;
    }
    struct mono_time when = env->ops->now_mono(env);
    when.ns += (int64_t)order->wait_s * NS_PER_S;
    env->ops->timer_set(env, order->timer, when);
}

/* ---- submit ---- */

static void on_started(void *context, const struct broker_answer *answer) {
    struct order *order = context;
    if (!visit_back(&order->visit)) return;
    if (answer->result != BROKER_OK) {
        order_refuse_result(order, answer);
        return;
    }
    memcpy(order->job_id, answer->job_start.id, sizeof order->job_id);
    order->job_ref = answer->job_start.job;
    if (order->wait_s > 0) {
        wait_for_job(order);
    } else {
        order_accept(order, "accepted", 0);
    }
}

/* The line in force and its station: the file's indexes need not be the broker's. */
static bool find_station(struct order *order) {
    const struct definition *definition = order->match.definition;
    struct slice name = slice_from_string(definition->stations[order->match.route->station].name);
    struct line_view line;
    if (!broker_find_line(shard_broker(order->shard), slice_from_string(definition->name), &line)) {
        return false;
    }
    order->line = line.ref;
    for (uint32_t i = 0; i < line.stations_count; i++) {
        order->station = i;
        if (slice_equal(line.stations[i].name, name)) return true;
    }
    return false;
}

static void submit(struct order *order, const struct route_order *taken, struct slice once) {
    struct http_request *request = order->visit.request;
    struct buffer body;
    buffer_open(&body, &order->env->allocator, taken->body.count + ROOM_FOR_HEAD_BYTES);
    message_body_encode(&body, &(struct message_body){.text = taken->body});
    if (body.failed) {
        buffer_close(&body);
        refuse_memory(order);
        return;
    }
    uint64_t hash = hash64(request->method);
    hash = hash64_seeded(request->target, hash);
    hash = hash64_seeded(request->body, hash);
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = order->line,
                                            .station = order->station,
                                            .body = buffer_slice(&body),
                                            .key = taken->key,
                                            .once = once,
                                            .request_hash = hash}};
    visit_call(&order->visit);
    shard_submit(order->shard, &command, on_started, order);
    buffer_close(&body);
}

/* ---- repeat ---- */

/* The header's text, without the quotes that its draft wants and many clients leave out; empty if
 * there is no such header. False: it is there and names nothing, or is too long. */
static bool read_idempotency_key(const struct http_request *request, struct slice *out) {
    struct slice name = SLICE("idempotency-key");
    *out = SLICE_EMPTY;
    if (!http_request_has_header(request, name)) return true;
    struct slice text = slice_trim(http_request_header(request, name));
    if (text.count >= 2 && text.bytes[0] == '"' && text.bytes[text.count - 1] == '"') {
        text = slice_from(text.bytes + 1, text.count - 2);
    }
    *out = text;
    return text.count > 0 && text.count <= ROUTE_KEY_BYTES_MAX;
}

/* "POST /orders\nonce\nTEXT": the broker's key is a station's, and takes any bytes. */
static struct slice scoped_key(struct order *order, const char *kind, struct slice text) {
    const struct definition_route *route = order->match.route;
    struct arena *arena = order->visit.request->arena;
    char *head = arena_printf(arena, "%s %s\n%s\n", route->method, route->pattern, kind);
    size_t head_count = head == NULL ? 0 : strlen(head);
    char *bytes = head == NULL ? NULL : arena_take(arena, head_count + text.count);
    if (bytes == NULL) return SLICE_EMPTY;
    memcpy(bytes, head, head_count);
    memcpy(bytes + head_count, text.bytes, text.count);
    return slice_from(bytes, head_count + text.count);
}

static void start_job(struct order *order, const struct route_order *taken) {
    struct slice header = SLICE_EMPTY;
    if (!read_idempotency_key(order->visit.request, &header)) {
        refuse(order, 400, "bad-idempotency-key",
               SLICE("an Idempotency-Key has 1 to 256 characters"));
        return;
    }
    struct slice once = SLICE_EMPTY;
    if (taken->once.count > 0 || header.count > 0) {
        once = taken->once.count > 0 ? scoped_key(order, "once", taken->once)
                                     : scoped_key(order, "key", header);
        if (once.count == 0) {
            refuse_memory(order);
            return;
        }
    }
    submit(order, taken, once);
}

/* ---- route ---- */

/* $request, if an expression of the route looks at it. */
static int write_request(const struct http_request *request, const struct route_match *match,
                         struct buffer *out) {
    if (!match->route->uses_request) return 0;
    struct route_header *headers =
        arena_take_array(request->arena, request->headers_count + 1, sizeof *headers);
    if (headers == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < request->headers_count; i++) {
        headers[i] = (struct route_header){request->headers[i].name, request->headers[i].value};
    }
    return route_write_request(match, request->method, request->query, headers,
                               request->headers_count, request->arena, out);
}

static void take(struct order *order) {
    struct http_request *request = order->visit.request;
    struct buffer about;
    struct route_order taken;
    buffer_open(&about, &order->env->allocator, 8 * HTTP_HEADERS_BYTES_MAX);
    int rc = write_request(request, &order->match, &about);
    if (rc == 0) {
        rc = route_take_order(order->match.route, request->body, buffer_slice(&about),
                              request->arena, &taken);
    }
    if (rc == -EBADMSG) {
        refuse(order, 400, "order-refused", slice_from_string(taken.refusal));
    } else if (rc < 0) {
        refuse_memory(order);
    } else {
        start_job(order, &taken); /* the key may be a slice of `about` */
    }
    buffer_close(&about);
}

bool gateway_refuses_type(const struct http_request *request, const struct definition_route *route,
                          struct http_response *response) {
    struct slice type = http_request_header(request, SLICE("content-type"));
    if (route_accepts(route, type)) return false;
    struct buffer words;
    buffer_open(&words, request->arena->allocator, 64 * 1024);
    buffer_printf(&words, "%s %s takes ", route->method, route->pattern);
    for (uint32_t i = 0; i < route->accept_count; i++) {
        const char *between = i == 0 ? "" : i + 1 == route->accept_count ? " or " : ", ";
        buffer_printf(&words, "%s%s", between, route->accept[i]);
    }
    buffer_append_string(&words, ", not ");
    buffer_append(&words, type.count > 0 ? type : SLICE("a body without a Content-Type"));
    problem_write(request->arena,
                  &(struct problem){
                      .status = 415, .code = "type-not-accepted", .detail = buffer_slice(&words)},
                  response);
    buffer_close(&words);
    return true;
}

void gateway_take_order(struct gateway *gateway, struct http_request *request,
                        const struct route_match *match) {
    struct http_response response;
    if (gateway->is_ready && gateway_refuses_type(request, match->route, &response)) {
        http_respond(request, &response);
        return;
    }
    struct order *order = order_begin(gateway, request);
    if (order == NULL) return;
    order->match = *match;
    order->wait_s = wait_of(request);
    if (!gateway->is_ready || !find_station(order)) {
        order_refuse(order, 503, "not-ready", SLICE("takt is starting or stopping; try again"), 1);
    } else {
        take(order);
    }
}
