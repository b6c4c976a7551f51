/* SPDX-License-Identifier: Apache-2.0 */
/* A real server on loopback; clients are non-blocking sockets in the same thread, and the loop is
 * turned until what must follow has followed. */
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

#define OPEN_MAX_TEST 8
#define PATIENCE_MS 5000 /* a test that waits so long has failed */
#define BODY_MAX (3u * 1024 * 1024)

/* What the handler does and has seen. */
struct fixture {
    struct env *env;
    struct http_server *server;
    bool parks; /* keep the request instead of answering it */
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

static size_t body_bytes_max(void *context, const struct http_request *request) {
    (void)request;
    return ((struct fixture *)context)->body_max;
}

static unsigned sum_of(struct slice slice) {
    unsigned sum = 0;
    for (size_t i = 0; i < slice.count; i++) sum = sum * 31 + (unsigned char)slice.bytes[i];
    return sum;
}

static void answer(struct fixture *fixture, struct http_request *request) {
    struct http_response response = {
        .status = slice_equal_string(request->path, "/none") ? 204 : 200,
        .content_type = "text/plain",
        .body = request->body.count > 0 ? request->body : SLICE("hello"),
    };
    if (slice_equal_string(request->path, "/big"))
        response.body = slice_from(fixture->big_answer, fixture->big_answer_bytes);
    http_respond(request, &response);
}

static void on_request(void *context, struct http_request *request) {
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
    CHECK(fixture->open_count < OPEN_MAX_TEST);
    fixture->open[fixture->open_count++] = request;
}

static void on_closed(void *context, struct http_request *request) {
    struct fixture *fixture = context;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < fixture->open_count; i++) {
        if (fixture->open[i] != request) fixture->open[kept++] = fixture->open[i];
    }
    CHECK(kept + 1 == fixture->open_count);
    fixture->open_count = kept;
    fixture->closed_count++;
}

static void on_refused(void *context, struct arena *arena, int status,
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

static void fixture_open(struct fixture *fixture, struct http_server_options options) {
    if (fixture->body_max == 0) fixture->body_max = BODY_MAX;
    EXPECT_INT(env_open_real(&fixture->env), 0);
    options.env = fixture->env;
    options.address = "127.0.0.1:0";
    options.handler = fixture->refuses_in_words ? &handler_with_words : &handler;
    options.context = fixture;
    EXPECT_INT(http_server_open(&options, &fixture->server), 0);
}

static void fixture_close(struct fixture *fixture) {
    http_server_close(fixture->server);
    env_close_real(fixture->env); /* finds what was left open */
}

static struct client client_open(const struct fixture *fixture) {
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

static void client_close(struct client *client) {
    if (client->fd >= 0) close(client->fd);
    free(client->bytes);
    *client = (struct client){.fd = -1};
}

static void client_read(struct client *client) {
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

static void turn(struct fixture *fixture) {
    uv_run(env_loop_real(fixture->env), UV_RUN_NOWAIT);
}

/* Waits for the client or the server to have something, then turns the loop. */
static void pump(struct fixture *fixture, struct client *client) {
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

static void client_send(struct fixture *fixture, struct client *client, const char *bytes,
                        size_t count) {
    size_t sent = 0;
    for (int i = 0; sent < count && i < 100000 && !client->ended; i++) {
        ssize_t rc = send(client->fd, bytes + sent, count - sent, MSG_NOSIGNAL);
        if (rc > 0) sent += (size_t)rc;
        if (rc < 0) pump(fixture, client);
    }
}

static void say(struct fixture *fixture, struct client *client, const char *text) {
    client_send(fixture, client, text, strlen(text));
}

static int64_t now_ms(void) {
    return (int64_t)(uv_hrtime() / 1000000);
}

/* Until the client has received `text`, so many times. */
static bool hears(struct fixture *fixture, struct client *client, const char *text, int times) {
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

static bool sees_end(struct fixture *fixture, struct client *client) {
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && !client->ended;)
        pump(fixture, client);
    return client->ended;
}

static bool reaches(struct fixture *fixture, struct client *client, const uint32_t *number,
                    uint32_t wanted) {
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && *number != wanted;)
        pump(fixture, client);
    return *number == wanted;
}

/* One client says `text` to a fresh server and must be answered with `status` and an end. */
static void expect_refusal(const char *text, const char *status) {
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

/* A plain request is answered, and the connection serves the next one too. */
TEST(a_connection_serves_one_request_after_the_other) {
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client, "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\nx-test:  value \r\n\r\n");
    EXPECT(hears(&fixture, &client, "hello", 1));
    EXPECT_STRING(fixture.last, "GET /a/b?c=d value 0:0");
    EXPECT(strstr(client.bytes, "HTTP/1.1 200 OK\r\nDate: ") == client.bytes);
    EXPECT(strstr(client.bytes, "\r\nContent-Length: 5\r\n\r\nhello") != NULL);
    EXPECT(strstr(client.bytes, "Connection:") == NULL);
    say(&fixture, &client, "POST http://x:1/p HTTP/1.1\r\nHost: x\r\ncontent-length: 3\r\n\r\nabc");
    EXPECT(hears(&fixture, &client, "abc", 1));
    EXPECT_STRING(fixture.last, "POST /p?  3:96354");
    client_close(&client);
    fixture_close(&fixture);
}

/* A request cut in two at any byte is the same request. */
TEST(a_request_may_be_cut_anywhere) {
    static const char *const requests[] = {
        "\r\nPOST /x?y HTTP/1.1\r\nHost: x\r\nX-Test: t\r\nContent-Length: 5\r\n\r\nabcde",
        "POST /x?y HTTP/1.1\r\nHost: x\r\nX-Test: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2;e=f\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: t\r\n\r\n",
    };
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    uint32_t wanted = 0;
    for (size_t r = 0; r < ARRAY_COUNT(requests); r++) {
        size_t count = strlen(requests[r]);
        for (size_t cut = 1; cut < count; cut++) {
            fixture.last[0] = '\0';
            client_send(&fixture, &client, requests[r], cut);
            turn(&fixture);
            turn(&fixture);
            client_send(&fixture, &client, requests[r] + cut, count - cut);
            EXPECT(reaches(&fixture, &client, &fixture.requests_count, ++wanted));
            EXPECT_STRING(fixture.last, "POST /x?y t 5:92599395");
        }
    }
    EXPECT(hears(&fixture, &client, "\r\n\r\nabcde", (int)wanted));
    client_close(&client);
    fixture_close(&fixture);
}

/* Pipelined requests are answered in order, each after the one before. */
TEST(pipelined_requests_are_answered_in_order) {
    struct fixture fixture = {.parks = true};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client,
        "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        "POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nthree");
    static const char *const bodies[] = {"one", "two", "three"};
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT(reaches(&fixture, &client, &fixture.requests_count, i + 1));
        EXPECT_INT(fixture.open_count, 1);
        struct http_request *request = fixture.open[0];
        EXPECT(slice_equal_string(request->body, bodies[i]));
        fixture.open_count = 0;
        answer(&fixture, request);
        EXPECT_INT(fixture.requests_count, i + 1); /* never from inside http_respond */
        EXPECT(hears(&fixture, &client, bodies[i], 1));
    }
    client_close(&client);
    fixture_close(&fixture);
}

/* Many pipelined requests, whose answers the client does not read for a while, are all
 * answered; meanwhile the server does not take them all in. */
TEST(a_client_that_does_not_read_is_not_read_from) {
    struct fixture fixture = {.big_answer_bytes = 200000};
    fixture.big_answer = calloc(1, fixture.big_answer_bytes);
    memset(fixture.big_answer, 'x', fixture.big_answer_bytes);
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    static const char request[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    for (int i = 0; i < 100; i++) EXPECT(send(client.fd, request, sizeof request - 1, 0) > 0);
    for (int i = 0; i < 1000; i++) turn(&fixture);
    EXPECT(fixture.requests_count < 60);
    EXPECT(reaches(&fixture, &client, &fixture.requests_count, 100));
    EXPECT(hears(&fixture, &client, "HTTP/1.1 200 OK", 100));
    client_close(&client);
    fixture_close(&fixture);
    free(fixture.big_answer);
}

/* A body of some megabytes arrives whole, with a length and in chunks, and goes back whole. */
TEST(a_big_body_arrives_whole) {
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    char *body = malloc(BODY_MAX);
    for (size_t i = 0; i < BODY_MAX; i++) body[i] = (char)('a' + i * 7 % 26);
    for (int chunked = 0; chunked < 2; chunked++) {
        struct client client = client_open(&fixture);
        char head[128];
        snprintf(head, sizeof head, "PUT /p HTTP/1.1\r\nHost: x\r\n%s%u\r\n\r\n",
                 chunked ? "Transfer-Encoding: chunked\r\nX-Size: " : "Content-Length: ", BODY_MAX);
        say(&fixture, &client, head);
        for (size_t at = 0; at < BODY_MAX; at += 4096) {
            if (chunked) say(&fixture, &client, "1000\r\n");
            client_send(&fixture, &client, body + at, 4096);
            if (chunked) say(&fixture, &client, "\r\n");
        }
        if (chunked) say(&fixture, &client, "0\r\n\r\n");
        say(&fixture, &client, "GET /end HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT(hears(&fixture, &client, "\r\n\r\nhello", 1));
        const char *echo = strstr(client.bytes, "\r\n\r\n") + 4;
        EXPECT_BYTES(echo, body, BODY_MAX);
        client_close(&client);
    }
    free(body);
    fixture_close(&fixture);
}

/* Above the handler's limit: 413 before the body is read when its length is told, during it when
 * it comes in chunks. The client that sends it all nevertheless still gets to read the answer. */
TEST(a_body_too_large_is_refused) {
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n",
    };
    for (int i = 0; i < 2; i++) {
        struct fixture fixture = {.body_max = 100, .refuses_in_words = true};
        fixture_open(&fixture, (struct http_server_options){0});
        struct client client = client_open(&fixture);
        say(&fixture, &client, heads[i]);
        char body[100];
        memset(body, 'b', sizeof body);
        if (i == 1) {
            client_send(&fixture, &client, body, 100);
            turn(&fixture);
            EXPECT_INT(fixture.refused_count, 0);
            say(&fixture, &client, "\r\n1\r\nb");
        }
        EXPECT(hears(&fixture, &client, "HTTP/1.1 413 Payload Too Large\r\n", 1));
        EXPECT(hears(&fixture, &client, "refused with 413", 1));
        client_send(&fixture, &client, body, 100);
        EXPECT(sees_end(&fixture, &client));
        EXPECT_INT(fixture.requests_count, 0);
        EXPECT_INT(fixture.refused_count, 1);
        client_close(&client);
        fixture_close(&fixture);
    }
}

/* Sixty-four headers are taken; one more, or too many bytes, is 431. */
TEST(too_many_headers_are_refused) {
    for (int many = 0; many < 2; many++) {
        struct fixture fixture = {0};
        fixture_open(&fixture, (struct http_server_options){0});
        struct client client = client_open(&fixture);
        say(&fixture, &client, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 1; i < 64 + many; i++) say(&fixture, &client, "A: b\r\n");
        say(&fixture, &client, "\r\n");
        EXPECT(hears(&fixture, &client, many ? "HTTP/1.1 431 " : "HTTP/1.1 200 OK", 1));
        client_close(&client);
        fixture_close(&fixture);
    }
    char *long_head = malloc(HTTP_HEADERS_BYTES_MAX + 100);
    memset(long_head, 'a', HTTP_HEADERS_BYTES_MAX + 99);
    long_head[HTTP_HEADERS_BYTES_MAX + 99] = '\0';
    static const char start[] = "GET / HTTP/1.1\r\nHost: ";
    memcpy(long_head, start, sizeof start - 1);
    expect_refusal(long_head, "HTTP/1.1 431 ");
    /* The same, but at its end: it fits. */
    memcpy(long_head + HTTP_HEADERS_BYTES_MAX - 4, "\r\n\r\n", 5);
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client, long_head);
    EXPECT(hears(&fixture, &client, "HTTP/1.1 200 OK", 1));
    client_close(&client);
    fixture_close(&fixture);
    free(long_head);
}

/* What is not HTTP/1.1, or could be read in two ways, is refused. */
TEST(bad_requests_are_refused) {
    static const char *const bad[] = {
        "\x16\x03\x01 tls",
        "get / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n Content-Length: 4\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nBad Name: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Transfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "fffffffffffffffff\r\n",
    };
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) expect_refusal(bad[i], "HTTP/1.1 400 Bad");
    expect_refusal("GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ");
    expect_refusal("GET / HTTP/3.7\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ");
    expect_refusal("GET / HTTP/0.9\r\nHost: x\r\n\r\n", "HTTP/1.1 505 ");
    expect_refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505 ");
}

/* A large request that came behind another one, while reading was paused, arrives whole with its
 * headers, although its bytes have moved. */
TEST(a_large_request_behind_another_one_arrives_whole) {
    struct fixture fixture = {.parks = true};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    static char body[100000];
    memset(body, 'b', sizeof body);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "PUT /2?q value %zu:%u", sizeof body,
             sum_of(slice_from(body, sizeof body)));
    say(&fixture, &client,
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
        "PUT /2?q HTTP/1.1\r\nX-Test: value\r\nContent-Length: 100000\r\nHost: x\r\n\r\n");
    client_send(&fixture, &client, body, sizeof body);
    EXPECT(reaches(&fixture, &client, &fixture.requests_count, 1));
    EXPECT_STRING(fixture.last, "GET /1?  0:0");
    for (int i = 0; i < 10; i++) turn(&fixture);
    EXPECT(slice_equal_string(fixture.open[0]->path, "/1"));
    fixture.open_count = 0;
    fixture.parks = false;
    answer(&fixture, fixture.open[0]);
    EXPECT(reaches(&fixture, &client, &fixture.requests_count, 2));
    EXPECT_STRING(fixture.last, wanted);
    EXPECT(hears(&fixture, &client, "Content-Length: 100000\r\n", 1));
    client_close(&client);
    fixture_close(&fixture);
}

/* A client that offers another protocol is answered in this one. */
TEST(an_upgrade_is_not_taken) {
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    for (int i = 0; i < 2; i++)
        say(&fixture, &client,
            "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n"
            "Content-Length: 2\r\n\r\nok"
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n");
    EXPECT(hears(&fixture, &client, "\r\n\r\nhello", 2));
    EXPECT(hears(&fixture, &client, "\r\n\r\nok", 2));
    client_close(&client);
    fixture_close(&fixture);
}

/* HEAD and 204 have no body, and the next answer is where it is expected. */
TEST(some_answers_have_no_body) {
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client,
        "HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(hears(&fixture, &client, "\r\n\r\n", 2));
    EXPECT(strstr(client.bytes, "Content-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n") != NULL);
    EXPECT(strstr(client.bytes, "hello") == NULL);
    client_close(&client);
    fixture_close(&fixture);
}

/* "Connection: close" and HTTP/1.0 end the connection; HTTP/1.0 may ask to keep it. */
TEST(a_connection_ends_when_the_client_asks) {
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    };
    for (int i = 0; i < 3; i++) {
        struct fixture fixture = {0};
        fixture_open(&fixture, (struct http_server_options){0});
        struct client client = client_open(&fixture);
        say(&fixture, &client, requests[i]);
        EXPECT(hears(&fixture, &client, "hello", 1));
        if (i < 2) {
            EXPECT(strstr(client.bytes, "Connection: close\r\n") != NULL);
            EXPECT(sees_end(&fixture, &client));
        } else {
            EXPECT(strstr(client.bytes, "Connection: keep-alive\r\n") != NULL);
            say(&fixture, &client, requests[i]);
            EXPECT(hears(&fixture, &client, "hello", 2));
        }
        client_close(&client);
        fixture_close(&fixture);
    }
}

/* A client that waits for leave to send its body gets it, or is refused at once. */
TEST(expect_continue_is_answered) {
    struct fixture fixture = {.body_max = 3};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client,
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    EXPECT(hears(&fixture, &client, "HTTP/1.1 100 Continue\r\n\r\n", 1));
    say(&fixture, &client, "abc");
    EXPECT(hears(&fixture, &client, "\r\n\r\nabc", 1));
    say(&fixture, &client,
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    EXPECT(hears(&fixture, &client, "HTTP/1.1 413 ", 1));
    EXPECT(hears(&fixture, &client, "100 Continue", 1));
    client_close(&client);
    fixture_close(&fixture);
}

/* A client that goes away while its request is parked is noticed: when it closes, when it shuts
 * down its sending side, and when so much waits behind the request that reading has paused. */
TEST(a_client_that_goes_away_is_noticed) {
    for (int how = 0; how < 3; how++) {
        struct fixture fixture = {.parks = true};
        fixture_open(&fixture, (struct http_server_options){.idle_timeout_ms = 100});
        struct client client = client_open(&fixture);
        struct client other = client_open(&fixture);
        say(&fixture, &client, "GET /parked HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT(reaches(&fixture, &other, &fixture.requests_count, 1));
        for (int i = 0; how == 2 && i < 3000; i++)
            EXPECT(send(client.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, MSG_NOSIGNAL) > 0);
        for (int i = 0; i < 10; i++) turn(&fixture);
        EXPECT_INT(fixture.closed_count, 0);
        if (how == 0) client_close(&client);
        if (how >= 1) EXPECT_INT(shutdown(client.fd, SHUT_WR), 0);
        EXPECT(reaches(&fixture, &other, &fixture.closed_count, 1));
        EXPECT_INT(fixture.requests_count, 1);
        EXPECT_INT(fixture.open_count, 0);
        client_close(&client);
        client_close(&other);
        fixture_close(&fixture);
        EXPECT_INT(fixture.closed_count, 1);
    }
}

/* A parked request outlives the idle timeout. */
TEST(a_parked_request_may_wait) {
    struct fixture fixture = {.parks = true};
    fixture_open(&fixture, (struct http_server_options){.idle_timeout_ms = 30});
    struct client client = client_open(&fixture);
    struct client idle = client_open(&fixture);
    say(&fixture, &client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(sees_end(&fixture, &idle)); /* so the timeout has passed */
    EXPECT_INT(idle.count, 0);
    EXPECT_INT(fixture.open_count, 1);
    answer(&fixture, fixture.open[0]);
    EXPECT(hears(&fixture, &client, "hello", 1));
    client_close(&client);
    client_close(&idle);
    fixture_close(&fixture);
    EXPECT_INT(fixture.closed_count, 0);
}

/* Half a head, or half a body, gets 408 after the timeout. */
TEST(a_slow_request_is_refused) {
    static const char *const halves[] = {
        "GET / HTTP/1.1\r\nHo",
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    };
    for (int i = 0; i < 2; i++) {
        struct fixture fixture = {.refuses_in_words = true};
        fixture_open(&fixture, (struct http_server_options){.idle_timeout_ms = 30});
        struct client client = client_open(&fixture);
        say(&fixture, &client, halves[i]);
        EXPECT(hears(&fixture, &client, "HTTP/1.1 408 Request Timeout\r\n", 1));
        EXPECT(sees_end(&fixture, &client));
        EXPECT_INT(fixture.refused_count, 1);
        client_close(&client);
        fixture_close(&fixture);
    }
}

/* A client that never reads its answer is given up: its place is free for another one. */
TEST(a_client_that_never_reads_is_closed) {
    struct fixture fixture = {.big_answer_bytes = 32u * 1024 * 1024};
    fixture.big_answer = calloc(1, fixture.big_answer_bytes);
    fixture_open(&fixture,
                 (struct http_server_options){.idle_timeout_ms = 40, .connections_max = 1});
    struct client client = client_open(&fixture);
    struct client other = {.fd = -1, .ended = true};
    static const char request[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    EXPECT(send(client.fd, request, sizeof request - 1, 0) > 0);
    EXPECT(reaches(&fixture, &other, &fixture.requests_count, 1));
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && fixture.requests_count == 1;) {
        client_close(&other);
        other = client_open(&fixture);
        say(&fixture, &other, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT(hears(&fixture, &other, "HTTP/1.1 ", 1));
    }
    EXPECT_INT(fixture.requests_count, 2);
    client_close(&client);
    client_close(&other);
    fixture_close(&fixture);
    free(fixture.big_answer);
}

/* Above connections_max a client gets 503; after one has gone there is room again. */
TEST(too_many_connections_are_refused) {
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){.connections_max = 2});
    struct client clients[3];
    for (int i = 0; i < 3; i++) clients[i] = client_open(&fixture);
    EXPECT(hears(&fixture, &clients[2], "HTTP/1.1 503 Service Unavailable", 1));
    EXPECT(sees_end(&fixture, &clients[2]));
    client_close(&clients[2]);
    client_close(&clients[0]);
    for (int i = 0; i < 10; i++) turn(&fixture);
    clients[0] = client_open(&fixture);
    say(&fixture, &clients[0], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(hears(&fixture, &clients[0], "hello", 1));
    client_close(&clients[0]);
    client_close(&clients[1]);
    fixture_close(&fixture);
}

/* Stopped: idle connections end, an open request is still answered, new clients are not taken. */
TEST(a_stopped_server_finishes_its_answers) {
    struct fixture fixture = {.parks = true};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    struct client idle = client_open(&fixture);
    say(&fixture, &client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(reaches(&fixture, &client, &fixture.requests_count, 1));
    http_server_stop(fixture.server);
    http_server_stop(fixture.server);
    EXPECT(sees_end(&fixture, &idle));
    EXPECT_INT(fixture.open_count, 1);
    answer(&fixture, fixture.open[0]);
    EXPECT(hears(&fixture, &client, "hello", 1));
    EXPECT(strstr(client.bytes, "Connection: close\r\n") != NULL);
    EXPECT(sees_end(&fixture, &client));
    client_close(&client);
    client_close(&idle);
    fixture_close(&fixture);
}

/* Closing the server tells the handler of each open request, once. */
TEST(closing_the_server_closes_open_requests) {
    struct fixture fixture = {.parks = true};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = client_open(&fixture);
        say(&fixture, &clients[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n");
    }
    EXPECT(reaches(&fixture, &clients[0], &fixture.requests_count, 3));
    http_server_close(fixture.server);
    EXPECT_INT(fixture.closed_count, 3);
    EXPECT_INT(fixture.open_count, 0);
    env_close_real(fixture.env);
    EXPECT_INT(fixture.closed_count, 3);
    for (int i = 0; i < 3; i++) client_close(&clients[i]);
}

/* Random bytes, and requests with random damage, leave the server alive and well. */
TEST(garbage_does_no_harm) {
    static const char sound[] =
        "POST /x?y HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: "
        "100-continue\r\n\r\n"
        "2;e=f\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: t\r\n\r\n"
        "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd";
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 1000; round++) {
        char bytes[sizeof sound];
        memcpy(bytes, sound, sizeof sound);
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            if (round % 4 == 0 || seed % 64 == 0) bytes[i] = (char)(seed >> 32);
        }
        struct client client = client_open(&fixture);
        size_t cut = (size_t)(seed >> 20) % sizeof bytes;
        client_send(&fixture, &client, bytes, cut);
        turn(&fixture);
        client_send(&fixture, &client, bytes + cut, sizeof bytes - cut);
        for (int i = 0; i < 4; i++) turn(&fixture);
        client_read(&client);
        EXPECT(client.count == 0 || memcmp(client.bytes, "HTTP/1.1 ", 9) == 0);
        client_close(&client);
    }
    struct client client = client_open(&fixture);
    say(&fixture, &client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(hears(&fixture, &client, "hello", 1));
    client_close(&client);
    fixture_close(&fixture);
}

/* One allocation fails, the countdown-th from now. */
struct failing {
    struct allocator inner;
    int countdown;
};

static void *failing_resize(void *context, void *memory, size_t bytes_count) {
    struct failing *failing = context;
    if (bytes_count > 0 && failing->countdown-- == 0) return NULL;
    return failing->inner.resize(failing->inner.context, memory, bytes_count);
}

/* A request that needs each kind of memory, on a server whose n-th allocation fails. True if one
 * did. */
static bool serve_without_memory(struct fixture *fixture, struct failing *failing) {
    static const char request[] = "PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n";
    static const char body[40000] = {0};
    struct client client = client_open(fixture);
    client_send(fixture, &client, request, sizeof request - 1);
    client_send(fixture, &client, body, sizeof body);
    for (int i = 0; i < 20 && !client.ended; i++) turn(fixture);
    bool has_failed = failing->countdown < 0;
    if (!has_failed) EXPECT(hears(fixture, &client, "HTTP/1.1 200 OK", 1));
    client_close(&client);
    failing->countdown = -1;
    client = client_open(fixture);
    say(fixture, &client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(hears(fixture, &client, "hello", 1));
    client_close(&client);
    return has_failed;
}

/* Whichever allocation fails, that client alone is failed: the next one is served, nothing leaks. */
TEST(running_out_of_memory_fails_one_client) {
    int served_count = 0;
    bool has_failed = true;
    for (int n = 0; n < 50 && has_failed; n++) {
        struct fixture fixture = {.body_max = BODY_MAX, .big_answer_bytes = 8u * 1024 * 1024};
        fixture.big_answer = calloc(1, fixture.big_answer_bytes);
        EXPECT_INT(env_open_real(&fixture.env), 0);
        struct failing failing = {.inner = fixture.env->allocator, .countdown = n};
        fixture.env->allocator = (struct allocator){.resize = failing_resize, .context = &failing};
        struct http_server_options options = {.env = fixture.env,
                                              .address = "127.0.0.1:0",
                                              .handler = &handler,
                                              .context = &fixture,
                                              .idle_timeout_ms = 40};
        int rc = http_server_open(&options, &fixture.server);
        EXPECT(rc == 0 || (rc == -ENOMEM && failing.countdown < 0));
        if (rc == 0) {
            has_failed = serve_without_memory(&fixture, &failing);
            served_count++;
        }
        fixture.env->allocator = failing.inner;
        fixture_close(&fixture);
        free(fixture.big_answer);
    }
    EXPECT(!has_failed); /* the last round had all it asked for */
    EXPECT(served_count > 5);
}

/* A header value cannot begin another header. */
TEST(line_breaks_do_not_leave_in_a_header) {
    struct fixture fixture = {.parks = true};
    fixture_open(&fixture, (struct http_server_options){0});
    struct client client = client_open(&fixture);
    say(&fixture, &client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT(reaches(&fixture, &client, &fixture.requests_count, 1));
    struct http_header header = {SLICE("X-A"), SLICE("b\r\nX-C: d")};
    http_respond(fixture.open[0],
                 &(struct http_response){.status = 299, .headers = &header, .headers_count = 1});
    EXPECT(hears(&fixture, &client, "X-A: b  X-C: d\r\n", 1));
    EXPECT(strstr(client.bytes, "HTTP/1.1 299 ") == client.bytes);
    EXPECT(strstr(client.bytes, "Content-Length: 0\r\n") != NULL);
    client_close(&client);
    fixture_close(&fixture);
}

/* An address that cannot be read, or is taken, is said. */
TEST(addresses_are_checked) {
    static const char *const bad[] = {"",        "127.0.0.1",   "127.0.0.1:",      ":80",
                                      "host:80", "[::1:80",     "127.0.0.1:65536", "::1:80",
                                      "[]:80",   "[1.2.3.4]:80"};
    struct fixture fixture = {0};
    fixture_open(&fixture, (struct http_server_options){0});
    struct http_server_options options = {
        .env = fixture.env, .handler = &handler, .context = &fixture};
    struct http_server *server = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        options.address = bad[i];
        EXPECT_INT(http_server_open(&options, &server), -EINVAL);
    }
    options.address = http_server_address(fixture.server);
    EXPECT_INT(http_server_open(&options, &server), -EADDRINUSE);
    EXPECT(server == NULL);
    fixture_close(&fixture);
    http_server_close(NULL);
}

static struct arena arena_for_test(struct allocator *allocator) {
    struct arena arena;
    *allocator = allocator_system();
    arena_open(&arena, allocator, 4096);
    return arena;
}

TEST(percent_sequences_are_decoded) {
    struct allocator allocator;
    struct arena arena = arena_for_test(&allocator);
    struct slice out = SLICE_EMPTY;
    EXPECT(http_decode_percent(&arena, SLICE("a%20b+%C3%a9%00"), &out));
    EXPECT_INT(out.count, 7);
    EXPECT_BYTES(out.bytes, "a b+\xc3\xa9\0", 7);
    EXPECT(http_decode_percent(&arena, SLICE(""), &out));
    EXPECT_INT(out.count, 0);
    static const char *const broken[] = {"%", "%2", "a%", "%zz", "%2g", "%%20"};
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++)
        EXPECT(!http_decode_percent(&arena, slice_from_string(broken[i]), &out));
    arena_close(&arena);
    arena_open(&arena, &allocator, 0);
    EXPECT(!http_decode_percent(&arena, SLICE("%20"), &out)); /* no memory */
    arena_close(&arena);
}

TEST(query_parameters_are_found) {
    struct allocator allocator;
    struct arena arena = arena_for_test(&allocator);
    struct http_request request = {.query = SLICE("a=1&b=x%26y&a=2&%63=3&d&e=%zz&="),
                                   .arena = &arena};
    struct slice out = SLICE_EMPTY;
    EXPECT(http_query_value(&request, SLICE("a"), &out) && slice_equal_string(out, "1"));
    EXPECT(http_query_value(&request, SLICE("b"), &out) && slice_equal_string(out, "x&y"));
    EXPECT(http_query_value(&request, SLICE("c"), &out) && slice_equal_string(out, "3"));
    EXPECT(http_query_value(&request, SLICE("d"), &out) && out.count == 0);
    EXPECT(!http_query_value(&request, SLICE("e"), &out));
    EXPECT(!http_query_value(&request, SLICE("f"), &out));
    arena_close(&arena);
}
