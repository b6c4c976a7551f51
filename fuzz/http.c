/* SPDX-License-Identifier: Apache-2.0 */
/* http.c -- any bytes, in any pieces, from clients that come and go, to the HTTP server.
 *
 * An input is what the clients send. 0xFF begins an order to the network, one byte and its value:
 *
 *   n   deliver what stands before         c N  go on as client N      h    end of stream
 *   x   reset                              t N  N tenths of a second pass
 *   w N the socket takes N * 8 bytes more  W    all                    m N  N allocations are left
 *   p   the handler keeps what comes       a    …and answers the oldest
 *   s   the server stops
 *
 * Everything is sound memory (the sanitizers), and each connection's own checks hold after every
 * step. Without orders but n and c, the requests do not depend on where the bytes were cut:
 * servers that disagree with themselves about that are how requests are smuggled.
 */
#include "fuzz/fuzz.h"
#include "fuzz/with/choices.h"
#include "fuzz/with/network.h"

#include "base/hash.h"
#include "http/problem.h"
#include "http/server_internal.h"
#include "http/visit.h"
#include "test.h"

#include <stdlib.h>

#define ORDER 0xFFu
#define KEPT_MAX 16u
#define BIG_BYTES (96u * 1024)

struct run {
    struct network network;
    struct http_server *server;
    struct http_request *kept[KEPT_MAX];
    uint32_t kept_count;
    bool is_keeping;
    bool is_plain; /* no order but n and c */
    bool is_bytewise;
    uint64_t seen[NETWORK_CLIENTS_MAX]; /* a hash of all requests of each place */
    uint32_t places[NETWORK_CLIENTS_MAX];
    bool has_place[NETWORK_CLIENTS_MAX];
    uint32_t current;
    char big[BIG_BYTES];
};

/* ---- the handler ---- */

static void mix(uint64_t *hash, struct slice slice) {
    *hash = hash64_seeded(slice, *hash + slice.count);
}

static uint64_t *seen_of(struct run *run, struct http_request *request) {
    const uv_tcp_t *tcp = &CONTAINER_OF(request, struct exchange, request)->connection->tcp;
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        if (run->network.clients[i].tcp == tcp) return &run->seen[i];
    }
    EXPECT(false); /* a request of nobody */
    return NULL;
}

static size_t body_bytes_max(void *context, const struct http_request *request) {
    (void)context;
    if (slice_starts_with(request->path, SLICE("/small"))) return 10;
    return slice_starts_with(request->path, SLICE("/any")) ? SIZE_MAX : 64u * 1024;
}

static void answer(struct run *run, struct http_request *request) {
    struct slice status_text;
    uint64_t status = 200;
    bool is_given = http_query_value(request, SLICE("status"), &status_text) &&
                    slice_to_u64(status_text, 599, &status) && status >= 200;
    struct slice value = http_request_header(request, SLICE("x-echo"));
    struct http_header header = {SLICE("X-Echo"), value};
    struct http_response response = {
        .status = is_given ? (int)status : 200,
        .content_type = http_request_has_header(request, SLICE("accept")) ? "text/plain" : NULL,
        .headers = &header,
        .headers_count = value.count > 0,
        .body = request->body,
    };
    if (slice_starts_with(request->path, SLICE("/big"))) {
        response.body = slice_from(run->big, sizeof run->big);
    }
    struct problem problem = {.status = 422, .code = "no", .detail = request->query};
    if (slice_starts_with(request->path, SLICE("/problem"))) {
        problem_write(request->arena, &problem, &response);
    }
    http_respond(request, &response);
}

static void on_request(void *context, struct http_request *request) {
    struct run *run = context;
    uint64_t *seen = seen_of(run, request);
    mix(seen, request->method);
    mix(seen, request->target);
    mix(seen, request->body);
    for (uint32_t i = 0; i < request->headers_count; i++) {
        mix(seen, request->headers[i].name);
        mix(seen, request->headers[i].value);
    }
    struct slice decoded;
    if (http_decode_percent(request->arena, request->path, &decoded)) mix(seen, decoded);
    if (!run->is_keeping || run->kept_count == KEPT_MAX) {
        answer(run, request);
        return;
    }
    run->kept[run->kept_count++] = request;
}

static void on_closed(void *context, struct http_request *request) {
    struct run *run = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->kept_count; i++) {
        if (run->kept[i] != request) run->kept[count++] = run->kept[i];
    }
    EXPECT_INT(count + 1, run->kept_count);
    run->kept_count = count;
}

static void on_refused(void *context, struct arena *arena, int status,
                       struct http_response *response) {
    (void)context;
    problem_write(arena, &(struct problem){.status = status, .code = "refused"}, response);
}

static void on_too_large(void *context, const struct http_request *request,
                         struct http_response *response) {
    (void)context;
    EXPECT(request->method.count > 0);
    response->body = request->path;
}

static const struct http_handler handler = {.body_bytes_max = body_bytes_max,
                                            .on_request = on_request,
                                            .on_closed = on_closed,
                                            .on_refused = on_refused,
                                            .on_too_large = on_too_large};

/* ---- a run ---- */

static void check(struct run *run) {
    if (run->server == NULL) return;
    struct list_link *head = &run->server->connections;
    for (struct list_link *link = head->next; link != head; link = link->next) {
        connection_check(CONTAINER_OF(link, struct connection, link));
    }
}

static bool open_run(struct run *run) {
    network_open(&run->network);
    struct http_server_options options = {.env = run->network.env,
                                          .address = "127.0.0.1:0",
                                          .handler = &handler,
                                          .context = run,
                                          .connections_max = 6,
                                          .idle_timeout_ms = 2000};
    EXPECT_INT(http_server_open(&options, &run->server), 0);
    EXPECT_STRING(http_server_address(run->server), "127.0.0.1:9324");
    return true;
}

static void close_run(struct run *run) {
    check(run);
    http_server_close(run->server);
    run->server = NULL;
    EXPECT_INT(run->kept_count, 0);
    network_close(&run->network);
}

static void deliver(struct run *run, const uint8_t *bytes, size_t count) {
    if (count == 0) return;
    if (!run->has_place[run->current]) {
        run->has_place[run->current] = network_connect(&run->network, &run->places[run->current]);
        if (!run->has_place[run->current]) return;
    }
    uint32_t place = run->places[run->current];
    size_t step = run->is_bytewise ? 1 : count;
    for (size_t i = 0; i < count; i += step) {
        network_send(&run->network, place, bytes + i, step);
        network_settle(&run->network);
        check(run);
    }
}

static void answer_oldest(struct run *run) {
    if (run->kept_count == 0) return;
    struct http_request *oldest = run->kept[0];
    run->kept_count--;
    memmove(run->kept, run->kept + 1, run->kept_count * sizeof run->kept[0]);
    answer(run, oldest);
}

/* What is done to the client whose turn it is. */
static void obey_about_client(struct run *run, uint8_t order, uint8_t value) {
    if (!run->has_place[run->current]) return;
    uint32_t place = run->places[run->current];
    switch (order) {
    case 'h': network_end(&run->network, place, 0); break;
    case 'x':
        network_leave(&run->network, place);
        run->has_place[run->current] = false;
        break;
    case 'w': network_set_room(&run->network, place, value * 8u); break;
    case 'W': network_set_room(&run->network, place, SIZE_MAX); break;
    default: break;
    }
}

static void obey(struct run *run, uint8_t order, uint8_t value) {
    if (order == 'n') return;
    if (order == 'c') {
        run->current = value % NETWORK_CLIENTS_MAX;
        return;
    }
    run->is_plain = false;
    switch (order) {
    case 't': network_pass_ms(&run->network, value * 100u); break;
    case 'm': run->network.allocations_left = value; break;
    case 'p': run->is_keeping = !run->is_keeping; break;
    case 'a': answer_oldest(run); break;
    case 's': http_server_stop(run->server); break;
    default: obey_about_client(run, order, value); break;
    }
    network_settle(&run->network);
    check(run);
}

static void play(struct run *run, const uint8_t *bytes, size_t count) {
    size_t begin = 0;
    size_t at = 0;
    while (at < count) {
        if (bytes[at] != ORDER || at + 2 >= count) {
            at++;
            continue;
        }
        deliver(run, bytes + begin, at - begin);
        obey(run, bytes[at + 1], bytes[at + 2]);
        at += 3;
        begin = at;
    }
    deliver(run, bytes + begin, count - begin);
}

static struct run *make_run(bool is_bytewise) {
    struct run *run = calloc(1, sizeof *run);
    EXPECT(run != NULL);
    run->is_plain = true;
    run->is_bytewise = is_bytewise;
    memset(run->big, 'b', sizeof run->big);
    EXPECT(open_run(run));
    return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct run *run = make_run(false);
    play(run, bytes, count);
    close_run(run);
    if (run->is_plain) {
        struct run *other = make_run(true);
        play(other, bytes, count);
        close_run(other);
        EXPECT_BYTES(run->seen, other->seen, sizeof run->seen);
        free(other);
    }
    free(run);
    return 0;
}
