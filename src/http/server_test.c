/* SPDX-License-Identifier: Apache-2.0 */
/* The life of connections: answers, ends, clients that go away, limits, failures. */
#include "http_fixture.h"

#define RANDOM_CLIENTS 4

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

/* Between b's and c's requests, which answer a's, a's own input is read: its bytes wait to be parsed
 * once, not twice. */
TEST(a_connection_is_ready_once) {
    struct fixture fixture = {.parks = true, .answers_others = true};
    fixture_open(&fixture, (struct http_server_options){0});
    static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    struct client a = client_open(&fixture);
    struct client b = client_open(&fixture);
    struct client c = client_open(&fixture);
    say(&fixture, &a, request);
    EXPECT(reaches(&fixture, &a, &fixture.requests_count, 1));
    for (int i = 0; i < 3; i++) say(&fixture, &a, request);
    for (int i = 0; i < 10; i++) turn(&fixture);
    EXPECT_INT(fixture.requests_count, 1);
    say(&fixture, &b, request);
    say(&fixture, &a, request);
    say(&fixture, &c, request);
    EXPECT(reaches(&fixture, &a, &fixture.requests_count, 5)); /* a, b, a, c, a */
    EXPECT_INT(fixture.open_count, 1);
    fixture.parks = fixture.answers_others = false;
    answer(&fixture, fixture.open[0]);
    EXPECT(hears(&fixture, &a, "hello", 5));
    client_close(&a);
    client_close(&b);
    client_close(&c);
    fixture_close(&fixture);
}

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 8;
}

/* One random step of one of the clients, which all send the same stream of requests in pieces. */
static void step_randomly(struct fixture *fixture, struct client *client, size_t *sent,
                          struct slice stream, uint64_t *seed, uint32_t *answered_count) {
    uint64_t choice = next_random(seed) % 100;
    if (choice < 50) {
        size_t count = (size_t)(next_random(seed) % (next_random(seed) % 3 == 0 ? 6000 : 60));
        if (count > stream.count - *sent) count = stream.count - *sent;
        ssize_t rc = count == 0 ? 0 : send(client->fd, stream.bytes + *sent, count, MSG_NOSIGNAL);
        if (rc > 0) *sent += (size_t)rc;
    } else if (choice < 75 && fixture->open_count > 0) {
        uint32_t at = (uint32_t)(next_random(seed) % fixture->open_count);
        struct http_request *request = fixture->open[at];
        fixture->open[at] = fixture->open[--fixture->open_count];
        ++*answered_count;
        answer(fixture, request);
    } else if (choice < 95) {
        turn(fixture);
        client_read(client);
    } else if (choice == 95 || client->ended) {
        client_close(client);
        *client = client_open(fixture);
        *sent = 0;
    } else if (choice == 96) {
        shutdown(client->fd, SHUT_WR);
    }
}

/* Clients that send, wait, read and leave at random, and a handler that answers at random: each
 * request that it was given is answered or closed, once. */
TEST(every_request_ends_once) {
    static const char pieces[] =
        "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
        "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n";
    static char stream[200 * sizeof pieces];
    for (size_t i = 0; i < 200; i++)
        memcpy(stream + i * (sizeof pieces - 1), pieces, sizeof pieces - 1);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct fixture fixture = {.parks = true};
        fixture_open(&fixture, (struct http_server_options){0});
        struct client clients[RANDOM_CLIENTS];
        size_t sent[RANDOM_CLIENTS] = {0};
        uint32_t answered_count = 0;
        uint64_t random = seed * 0x9e3779b97f4a7c15u;
        for (int i = 0; i < RANDOM_CLIENTS; i++) clients[i] = client_open(&fixture);
        for (int i = 0; i < 2000; i++) {
            size_t at = next_random(&random) % RANDOM_CLIENTS;
            step_randomly(&fixture, &clients[at], &sent[at],
                          slice_from(stream, 200 * (sizeof pieces - 1)), &random, &answered_count);
            EXPECT_INT(fixture.requests_count,
                       answered_count + fixture.closed_count + fixture.open_count);
        }
        EXPECT(answered_count > 50);
        for (int i = 0; i < RANDOM_CLIENTS; i++) client_close(&clients[i]);
        fixture_close(&fixture);
        EXPECT_INT(fixture.requests_count, answered_count + fixture.closed_count);
    }
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
