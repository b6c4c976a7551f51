/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.c -- requests come in here, and find their way.
 *
 *   GET /jobs/ID, GET /jobs/ID/result   takt's own: no line file can take these paths
 *   a route of a line's file            an order (gateway_door.c)
 *   GET /                               the routes there are, unless a file has it
 */
#include "gateway/gateway_inside.h"

#include "base/hash.h"

#include <errno.h>
#include <stdio.h>

/* So much is read of the body of a request that nothing here wants, to say so in words. */
#define UNWANTED_BODY_BYTES_MAX (64u * 1024)

static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

int gateway_open(const struct gateway_options *options, struct gateway **out) {
    struct gateway *gateway = env_alloc(shard_env(options->shard), sizeof *gateway);
    if (gateway == NULL) return -ENOMEM;
    gateway->shard = options->shard;
    gateway->files = options->files;
    *out = gateway;
    return 0;
}

void gateway_close(struct gateway *gateway) {
    if (gateway != NULL) env_free(shard_env(gateway->shard), gateway);
}

void gateway_set_ready(struct gateway *gateway, bool ready) {
    gateway->is_ready = ready;
}

/* ---- the life of an order's memory ---- */

static void order_end(struct visit *visit) {
    struct order *order = CONTAINER_OF(visit, struct order, visit);
    order_stop_waiting(order);
    env_free(order->env, order);
}

struct order *order_begin(struct gateway *gateway, struct http_request *request) {
    struct env *env = shard_env(gateway->shard);
    struct order *order = env_alloc(env, sizeof *order);
    if (order == NULL) {
        answer_problem_later(request, 503, "no-memory", SLICE("takt is out of memory for this"), 1);
        return NULL;
    }
    order->shard = gateway->shard;
    order->env = env;
    visit_begin(&order->visit, request, order_end);
    return order;
}

void order_stop_waiting(struct order *order) {
    if (order->watch != NULL) shard_watch_cancel(order->watch);
    order->watch = NULL;
    order->env->ops->timer_close(order->env, order->timer);
    order->timer = NULL;
}

static void on_closed(void *context, struct http_request *request) {
    (void)context;
    struct order *order = CONTAINER_OF(request->context, struct order, visit);
    order_stop_waiting(order);
    visit_leave(&order->visit);
}

/* ---- takt's own paths ---- */

/* /jobs/ID or /jobs/ID/result; false: it is another path. */
static bool is_job_path(struct slice path, struct slice *id, struct slice *rest) {
    if (!slice_starts_with(path, SLICE("/jobs/"))) return false;
    (void)slice_cut(slice_skip(path, strlen("/jobs/")), '/', id, rest);
    return true;
}

static void refuse_method(struct http_request *request, const char *allow, struct slice detail) {
    struct http_header header = {SLICE("Allow"), slice_from_string(allow)};
    struct problem problem = {.status = 405,
                              .code = "method-not-allowed",
                              .detail = detail,
                              .headers = &header,
                              .headers_count = 1};
    struct http_response response;
    problem_write(request->arena, &problem, &response);
    http_respond(request, &response);
}

static bool is_read(const struct http_request *request) {
    return slice_equal(request->method, SLICE("GET")) ||
           slice_equal(request->method, SLICE("HEAD"));
}

static void tell_job(struct gateway *gateway, struct http_request *request, struct slice id,
                     struct slice rest) {
    uint8_t job_id[16];
    bool is_whole = id.count + strlen("/jobs/") == request->path.count;
    bool is_result = slice_equal(rest, SLICE("result"));
    if ((!is_whole && !is_result) || !hex_read(id, job_id, sizeof job_id)) {
        answer_problem(request, 404, "job-not-found",
                       SLICE("there is no such job, or it is no longer remembered"));
        return;
    }
    if (!is_read(request)) {
        refuse_method(request, "GET, HEAD", SLICE("a job can only be looked at here"));
        return;
    }
    struct order *order = order_begin(gateway, request);
    if (order == NULL) return;
    memcpy(order->job_id, job_id, sizeof job_id);
    if (is_whole) {
        gateway_tell_job(order);
    } else {
        gateway_tell_result(order);
    }
}

/* ---- paths of the files ---- */

static int find_route(const struct gateway *gateway, const struct http_request *request,
                      struct slice method, struct route_match *match) {
    return route_find(gateway->files, method, request->path, request->arena, match);
}

static void refuse_other_method(const struct gateway *gateway, struct http_request *request) {
    char allow[64] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        struct route_match match;
        if (find_route(gateway, request, slice_from_string(methods[i]), &match) != 0) continue;
        int count =
            snprintf(allow + used, sizeof allow - used, "%s%s", used == 0 ? "" : ", ", methods[i]);
        CHECK(count > 0 && (size_t)count < sizeof allow - used); /* all of them fit */
        used += (size_t)count;
    }
    char *detail = arena_printf(request->arena, "%.*s takes %s, not %.*s",
                                SLICE_ARGS(request->path), allow, SLICE_ARGS(request->method));
    refuse_method(request, allow,
                  detail == NULL ? SLICE("not with this method") : slice_from_string(detail));
}

static void on_request(void *context, struct http_request *request) {
    struct gateway *gateway = context;
    struct slice id;
    struct slice rest;
    if (is_job_path(request->path, &id, &rest)) {
        tell_job(gateway, request, id, rest);
        return;
    }
    struct route_match match;
    int rc = find_route(gateway, request, request->method, &match);
    if (rc == 0) {
        gateway_take_order(gateway, request, &match);
    } else if (rc != -ENOMEM && is_read(request) && slice_equal(request->path, SLICE("/"))) {
        gateway_list_routes(gateway, request);
    } else if (rc == -EPERM) {
        refuse_other_method(gateway, request);
    } else if (rc == -EINVAL) {
        answer_problem(request, 400, "bad-path", SLICE("the path is badly percent-encoded"));
    } else if (rc == -ENOMEM) {
        answer_problem_later(request, 503, "no-memory", SLICE("takt is out of memory for this"), 1);
    } else {
        answer_problem(request, 404, "route-not-found",
                       SLICE("no line takes orders here; GET / tells where"));
    }
}

/* ---- bodies that are too large, and other refusals ---- */

static size_t body_bytes_max(void *context, const struct http_request *request) {
    const struct gateway *gateway = context;
    struct route_match match;
    int rc = find_route(gateway, request, request->method, &match);
    return rc == 0 ? match.route->body_bytes_max : UNWANTED_BODY_BYTES_MAX;
}

/* A body that no order can have need not come. */
static bool refuses_head(void *context, const struct http_request *request,
                         struct http_response *response) {
    const struct gateway *gateway = context;
    struct route_match match;
    struct slice id;
    struct slice rest;
    if (!gateway->is_ready || is_job_path(request->path, &id, &rest)) return false;
    return find_route(gateway, request, request->method, &match) == 0 &&
           gateway_refuses_type(request, match.route, response);
}

/* As a line file has it: 64KiB. */
static char *size_text(struct arena *arena, uint32_t bytes_count) {
    const uint32_t mib = 1024 * 1024;
    if (bytes_count % mib == 0) return arena_printf(arena, "%uMiB", bytes_count / mib);
    if (bytes_count % 1024 == 0) return arena_printf(arena, "%uKiB", bytes_count / 1024);
    return arena_printf(arena, "%u bytes", bytes_count);
}

static void on_too_large(void *context, const struct http_request *request,
                         struct http_response *response) {
    const struct gateway *gateway = context;
    struct route_match match;
    const char *words = "a body of this size is not wanted here";
    if (find_route(gateway, request, request->method, &match) == 0) {
        const char *size = size_text(request->arena, match.route->body_bytes_max);
        words = arena_printf(request->arena, "the body is larger than the max_body of %s %s: %s",
                             match.route->method, match.route->pattern, size == NULL ? "" : size);
    }
    problem_write(
        request->arena,
        &(struct problem){.status = 413, .code = "too-large", .detail = slice_from_string(words)},
        response);
}

static void on_refused(void *context, struct arena *arena, int status,
                       struct http_response *response) {
    (void)context;
    const char *words = status == 408   ? "the request did not come in time"
                        : status == 431 ? "the request's headers are too large"
                        : status == 503 ? "takt has too many connections; try again"
                        : status == 505 ? "takt speaks HTTP/1.1"
                                        : "this is not a request that can be read";
    problem_write(arena,
                  &(struct problem){
                      .status = status, .code = "bad-request", .detail = slice_from_string(words)},
                  response);
}

const struct http_handler *gateway_handler(void) {
    static const struct http_handler handler = {.body_bytes_max = body_bytes_max,
                                                .refuses_head = refuses_head,
                                                .on_request = on_request,
                                                .on_closed = on_closed,
                                                .on_refused = on_refused,
                                                .on_too_large = on_too_large};
    return &handler;
}
