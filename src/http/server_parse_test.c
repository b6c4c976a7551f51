/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken for a request, and what is not. */
#include "http_fixture.h"

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
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
         "Transfer-Encoding: chunked\r\n\r\n"),
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
