/* SPDX-License-Identifier: Apache-2.0 */
/* http_fixture.h -- a real HTTP server on loopback and its clients, for unit tests.
 *
 * The clients are non-blocking sockets in the same thread; the loop is turned until what must
 * follow has followed, or PATIENCE_MS have passed.
 */
#ifndef TAKT_TEST_HTTP_FIXTURE_H
#define TAKT_TEST_HTTP_FIXTURE_H

#include "http/server.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define OPEN_MAX_TEST 256
#define PATIENCE_MS 5000 /* a test that waits so long has failed */
#define BODY_MAX (3u * 1024 * 1024)

/* What the handler does and has seen. */
struct fixture {
    struct env *env;
    struct http_server *server;
    bool parks;          /* keep the request instead of answering it */
    bool answers_others; /* and answer the oldest one that is kept */
    bool refuses_in_words;
    uint32_t requests_count;
    uint32_t closed_count;
    uint32_t refused_count;
    struct http_request *open[OPEN_MAX_TEST];
    uint32_t open_count;
    char last[256]; /* "METHOD path?query header=x-test body-bytes:sum" */
    size_t body_max;
    char *big_answer;
    size_t big_answer_bytes;
};

struct client {
    int fd;
    char *bytes;
    size_t count;
    size_t capacity;
    bool ended;
};

static inline size_t body_bytes_max(void *context, const struct http_request *request) {
    (void)request;
    return ((struct fixture *)context)->body_max;
}

static inline unsigned sum_of(struct slice slice) {
    unsigned sum = 0;
    for (size_t i = 0; i < slice.count; i++) sum = sum * 31 + (unsigned char)slice.bytes[i];
    return sum;
}

static inline void answer(struct fixture *fixture, struct http_request *request) {
    struct http_response response = {
        .status = slice_equal_string(request->path, "/none") ? 204 : 200,
        .content_type = "text/plain",
        .body = request->body.count > 0 ? request->body : SLICE("hello"),
    };
    if (slice_equal_string(request->path, "/big"))
        response.body = slice_from(fixture->big_answer, fixture->big_answer_bytes);
    http_respond(request, &response);
}

static inline void on_request(void *context, struct http_request *request) {
    struct fixture *fixture = context;
    struct slice test = http_request_header(request, SLICE("X-TEST"));
    fixture->requests_count++;
    snprintf(fixture->last, sizeof fixture->last, "%.*s %.*s?%.*s %.*s %zu:%u",
             SLICE_ARGS(request->method), SLICE_ARGS(request->path), SLICE_ARGS(request->query),
             SLICE_ARGS(test), request->body.count, sum_of(request->body));
    if (!fixture->parks) {
        answer(fixture, request);
        return;
    }
    if (fixture->answers_others && fixture->open_count > 0) {
        struct http_request *oldest = fixture->open[0];
        fixture->open_count--;
        memmove(fixture->open, fixture->open + 1,
                fixture->open_count * sizeof(struct http_request *));
        answer(fixture, oldest);
    }
    CHECK(fixture->open_count < OPEN_MAX_TEST);
    fixture->open[fixture->open_count++] = request;
}

static inline void on_closed(void *context, struct http_request *request) {
    struct fixture *fixture = context;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fixture->open_count; i++) {
        if (fixture->open[i] != request) fixture->open[kept++] = fixture->open[i];
    }
    CHECK(kept + 1 == fixture->open_count);
    fixture->open_count = kept;
    fixture->closed_count++;
}

static inline void on_refused(void *context, struct arena *arena, int status,
                              struct http_response *response) {
    struct fixture *fixture = context;
    fixture->refused_count++;
    char *text = arena_printf(arena, "refused with %d", status);
    response->content_type = "text/x-words";
    response->body = slice_from_string(text);
}

static const struct http_handler handler = {
    .body_bytes_max = body_bytes_max, .on_request = on_request, .on_closed = on_closed};
static const struct http_handler handler_with_words = {.body_bytes_max = body_bytes_max,
                                                       .on_request = on_request,
                                                       .on_closed = on_closed,
                                                       .on_refused = on_refused};

static inline void fixture_open(struct fixture *fixture, struct http_server_options options) {
    if (fixture->body_max == 0) fixture->body_max = BODY_MAX;
    EXPECT_INT(env_open_real(&fixture->env), 0);
    options.env = fixture->env;
    options.address = "127.0.0.1:0";
    options.handler = fixture->refuses_in_words ? &handler_with_words : &handler;
    options.context = fixture;
    EXPECT_INT(http_server_open(&options, &fixture->server), 0);
}

static inline void fixture_close(struct fixture *fixture) {
    http_server_close(fixture->server);
    env_close_real(fixture->env); /* finds what was left open */
}

static inline struct client client_open(const struct fixture *fixture) {
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
    int on = 1; /* or the second piece of a request waits for an acknowledgement */
    EXPECT_INT(setsockopt(client.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    const char *colon = strrchr(http_server_address(fixture->server), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    int rc = connect(client.fd, (struct sockaddr *)&address, sizeof address);
    EXPECT(rc == 0 || errno == EINPROGRESS);
    struct pollfd ready = {.fd = client.fd, .events = POLLOUT};
    EXPECT_INT(poll(&ready, 1, PATIENCE_MS), 1);
    return client;
}

static inline void client_close(struct client *client) {
    if (client->fd >= 0) close(client->fd);
    free(client->bytes);
    *client = (struct client){.fd = -1};
}

static inline void client_read(struct client *client) {
    for (;;) {
        if (client->capacity - client->count < 65536) {
            client->capacity = client->capacity * 2 + 131072;
            client->bytes = realloc(client->bytes, client->capacity);
            CHECK(client->bytes != NULL);
        }
        size_t room = client->capacity - client->count - 1;
        ssize_t got = recv(client->fd, client->bytes + client->count, room, 0);
        if (got > 0) client->count += (size_t)got;
        if (got == 0 || (got < 0 && errno != EAGAIN)) client->ended = true;
        client->bytes[client->count] = '\0';
        if (got <= 0) return;
    }
}

static inline void turn(struct fixture *fixture) {
    uv_run(env_loop_real(fixture->env), UV_RUN_NOWAIT);
}

/* Waits for the client or the server to have something, then turns the loop. */
static inline void pump(struct fixture *fixture, struct client *client) {
    uv_loop_t *loop = env_loop_real(fixture->env);
    struct pollfd ready[2] = {
        {.fd = client->ended ? -1 : client->fd, .events = POLLIN},
        {.fd = uv_backend_fd(loop), .events = POLLIN},
    };
    int timeout_ms = uv_backend_timeout(loop);
    poll(ready, 2, timeout_ms >= 0 && timeout_ms < 20 ? timeout_ms : 20);
    turn(fixture);
    if (!client->ended) client_read(client);
}

static inline void client_send(struct fixture *fixture, struct client *client, const char *bytes,
                               size_t count) {
    size_t sent = 0;
    for (int i = 0; sent < count && i < 100000 && !client->ended; i++) {
        ssize_t rc = send(client->fd, bytes + sent, count - sent, MSG_NOSIGNAL);
        if (rc > 0) sent += (size_t)rc;
        if (rc < 0) pump(fixture, client);
    }
}

static inline void say(struct fixture *fixture, struct client *client, const char *text) {
    client_send(fixture, client, text, strlen(text));
}

static inline int64_t now_ms(void) {
    return (int64_t)(uv_hrtime() / 1000000);
}

/* Until the client has received `text`, so many times. */
static inline bool hears(struct fixture *fixture, struct client *client, const char *text,
                         int times) {
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end;) {
        pump(fixture, client);
        int found = 0;
        const char *at = client->bytes;
        while (at != NULL && (at = strstr(at, text)) != NULL) {
            found++;
            at += strlen(text);
        }
        if (found == times) return true;
        if (client->ended) return false;
    }
    return false;
}

static inline bool sees_end(struct fixture *fixture, struct client *client) {
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && !client->ended;)
        pump(fixture, client);
    return client->ended;
}

static inline bool reaches(struct fixture *fixture, struct client *client, const uint32_t *number,
                           uint32_t wanted) {
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && *number != wanted;)
        pump(fixture, client);
    return *number == wanted;
}

/* One client says `text` to a fresh server and must be answered with `status` and an end. */
static inline void expect_refusal(const char *text, const char *status) {
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client, text);
    if (!hears(&fixture, &client, status, 1)) EXPECT_STRING(text, "is refused");
    EXPECT(hears(&fixture, &client, "Connection: close\r\n", 1));
    EXPECT(sees_end(&fixture, &client));
    EXPECT_INT(fixture.requests_count, 0);
    client_close(&client);
    fixture_close(&fixture);
}

#endif
