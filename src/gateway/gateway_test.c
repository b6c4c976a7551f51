/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway.h"

#include "door_kit.h"

static const char bakery[] = "line: bakery\n"
                             "gateway:\n"
                             "  POST /orders:\n"
                             "    to: counter\n"
                             "    accept: [application/json, text/*]\n"
                             "    max_body: 2KiB\n"
                             "    key: .number\n"
                             "    require:\n"
                             "      the total must be above zero: .total > 0\n"
                             "      an order has a number: .number != null\n"
                             "  POST /payments: { to: counter, once: .id }\n"
                             "  PUT /anything/{name}: { to: counter }\n"
                             "stations:\n"
                             "  counter: { exec: /bin/true, wip_limit: 3, retry: 2 }\n";

#define COUNTER 0u
#define ORDER "{\"number\":7,\"total\":12}"

struct gateway_kit {
    struct door_kit door;
    struct gateway *gateway;
    char job[33]; /* of the last answer that named one */
};

static void listen_gateway(struct gateway_kit *kit) {
    struct gateway_options options = {.shard = kit->door.shard, .files = &kit->door.files};
    EXPECT_INT(gateway_open(&options, &kit->gateway), 0);
    gateway_set_ready(kit->gateway, true);
    door_listen(&kit->door, gateway_handler(), kit->gateway);
}

static void open_gateway(struct gateway_kit *kit) {
    *kit = (struct gateway_kit){0};
    door_open(&kit->door);
    door_put_line(&kit->door, bakery);
    listen_gateway(kit);
}

static void close_gateway(struct gateway_kit *kit) {
    http_server_close(kit->door.fixture.server);
    gateway_close(kit->gateway);
    door_close(&kit->door);
}

static void take_job(struct gateway_kit *kit, const struct client *client) {
    const char *place = strstr(client->bytes, "Location: /jobs/");
    EXPECT(place != NULL);
    snprintf(kit->job, sizeof kit->job, "%.32s", place + strlen("Location: /jobs/"));
}

/* Ask, and expect a job: kit->job. */
static void expect_job(struct gateway_kit *kit, const char *request, const char *headers,
                       const char *body) {
    struct client client = door_ask(&kit->door, request, headers, body);
    EXPECT(door_hears(&kit->door, &client));
    if (strncmp(client.bytes, "HTTP/1.1 202 ", 13) != 0) EXPECT_STRING(client.bytes, "202");
    take_job(kit, &client);
    char wanted[160];
    snprintf(wanted, sizeof wanted,
             "{\"job\":\"%s\",\"url\":\"/jobs/%s\",\"state\":\"accepted\"}\n", kit->job, kit->job);
    EXPECT_STRING(strstr(client.bytes, "{"), wanted);
    client_close(&client);
}

static void expect_about_job(struct gateway_kit *kit, const char *more, int status,
                             const char *first, const char *second) {
    char request[96];
    snprintf(request, sizeof request, "GET /jobs/%s%s", kit->job, more);
    door_expect(&kit->door, request, "", "", status, first, second);
}

static void expect(struct gateway_kit *kit, const char *request, const char *headers,
                   const char *body, int status, const char *first, const char *second) {
    door_expect(&kit->door, request, headers, body, status, first, second);
}

/* An order becomes a job that can be looked at under the URL that was given. */
TEST(gateway_makes_jobs_of_orders) {
    struct gateway_kit kit;
    open_gateway(&kit);
    expect_job(&kit, "POST /orders", "Content-Type: application/json; charset=utf-8\r\n", ORDER);
    expect_about_job(&kit, "", 200, "\"line\":\"bakery\",\"key\":\"7\",\"state\":\"running\"",
                     "\"waiting\":[{\"station\":\"counter\",\"waiting\":1,");
    expect_about_job(&kit, "/result", 202, "Retry-After: 1", "\"state\":\"running\"");
    expect_job(&kit, "PUT /anything/a%20b", "", "no JSON: nothing looks at it");
    expect(&kit, "GET /", "", "", 200, "{\"method\":\"POST\",\"path\":\"/orders\"", "bakery");
    close_gateway(&kit);
}

/* A body of a type that is not taken is not waited for: the answer comes with the headers. */
static void expect_early_415(struct gateway_kit *kit) {
    struct client client = client_open(&kit->door.fixture);
    say(&kit->door.fixture, &client,
        "POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
        "Content-Length: 2000\r\nExpect: 100-continue\r\n\r\n");
    EXPECT(door_hears(&kit->door, &client));
    EXPECT(strncmp(client.bytes, "HTTP/1.1 415 ", 13) == 0);
    EXPECT(strstr(client.bytes, "POST /orders takes application/json or text/*") != NULL);
    EXPECT(strstr(client.bytes, "Connection: close") != NULL);
    client_close(&client);
}

/* What cannot become a job is refused in words, the file's own where it has some. */
TEST(gateway_refuses_in_words) {
    struct gateway_kit kit;
    open_gateway(&kit);
    const char *json = "Content-Type: application/json\r\n";
    char large[2100];
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    expect(&kit, "POST /orders", json, "{\"total\":0}", 400,
           "\"detail\":\"the total must be above zero; an order has a number\"",
           "Content-Type: application/problem+json");
    expect(&kit, "POST /orders", json, "{\"total\"", 400, "JSON", NULL);
    expect(&kit, "POST /orders", "Content-Type: image/png\r\n", ORDER, 415,
           "POST /orders takes application/json or text/*, not image/png", NULL);
    expect(&kit, "POST /orders", "", ORDER, 415, "not a body without a Content-Type", NULL);
    expect_early_415(&kit);
    expect(&kit, "POST /orders", json, large, 413, "larger than the max_body of POST /orders: 2KiB",
           NULL);
    expect(&kit, "GET /orders", "", "", 405, "Allow: POST\r\n", "/orders takes POST, not GET");
    expect(&kit, "POST /nowhere", "", "{}", 404, "route-not-found", NULL);
    expect(&kit, "POST /anything/%zz", "", "{}", 400, "percent-encoded", NULL);
    expect(&kit, "POST /orders", "Content-Type: text/plain\r\nIdempotency-Key: \"\"\r\n", ORDER,
           400, "1 to 256", NULL);
    expect(&kit, "POST /orders", "Content-Type: text/plain\r\nIdempotency-Key:\r\n", ORDER, 400,
           "1 to 256", NULL);
    expect(&kit, "POST /orders", "Content-Type: text/plain\r\nIdempotency-Key:  \r\n", ORDER, 400,
           "1 to 256", NULL);
    expect(&kit, "GET /jobs/7", "", "", 404, "there is no such job", NULL);
    expect(&kit, "GET /jobs/00000000000000000000000000000000", "", "", 404, "no such job", NULL);
    expect(&kit, "GET /jobs/00000000000000000000000000000000/result", "", "", 404, "no such", NULL);
    expect(&kit, "DELETE /jobs/00000000000000000000000000000000", "", "", 405, "Allow: GET", NULL);
    gateway_set_ready(kit.gateway, false);
    expect(&kit, "POST /orders", json, ORDER, 503, "Retry-After: 1", "starting or stopping");
    close_gateway(&kit);
}

/* A repeated request is the same job; another one under its key is a conflict; a key is known to
 * its route alone, and `once` counts more than the header. */
TEST(gateway_knows_repeated_orders) {
    struct gateway_kit kit;
    open_gateway(&kit);
    const char *key = "Content-Type: text/json\r\nIdempotency-Key: \"k-1\"\r\n";
    char first[33];
    expect_job(&kit, "POST /orders", key, ORDER);
    snprintf(first, sizeof first, "%s", kit.job);
    expect_job(&kit, "POST /orders", key, ORDER);
    EXPECT_STRING(kit.job, first);
    expect_job(&kit, "POST /orders", "Content-Type: text/json\r\nIdempotency-Key: k-1\r\n", ORDER);
    EXPECT_STRING(kit.job, first);
    expect(&kit, "POST /orders", key, "{\"number\":8,\"total\":12}", 422, "key-used", NULL);
    expect(&kit, "POST /orders?again", key, ORDER, 422, "key-used", NULL);

    expect_job(&kit, "PUT /anything/x", "Idempotency-Key: k-1\r\n", ORDER);
    EXPECT(strcmp(kit.job, first) != 0);
    expect_job(&kit, "POST /payments", "Idempotency-Key: k-1\r\n", "{\"id\":\"k-1\"}");
    EXPECT(strcmp(kit.job, first) != 0);
    snprintf(first, sizeof first, "%s", kit.job);
    expect_job(&kit, "POST /payments", "Idempotency-Key: k-2\r\n", "{\"id\":\"k-1\"}");
    EXPECT_STRING(kit.job, first);
    expect(&kit, "POST /payments", "", "{\"id\":\"k-1\",\"sum\":2}", 422, "key-used", NULL);
    close_gateway(&kit);
}

/* At its WIP limit the line sends clients away and says which station it is, but still knows an
 * order that it has. */
TEST(gateway_sends_away_from_a_full_line) {
    struct gateway_kit kit;
    open_gateway(&kit);
    expect_job(&kit, "POST /payments", "", "{\"id\":1}");
    for (int i = 0; i < 2; i++) expect_job(&kit, "PUT /anything/x", "", "x");
    expect(&kit, "PUT /anything/x", "", "x", 429, "Retry-After: 1\r\n",
           "station counter has reached its WIP limit of 3");
    expect_job(&kit, "POST /payments", "", "{\"id\":1}");
    close_gateway(&kit);
}

/* ---- Prefer: wait ---- */

static struct client ask_and_wait(struct gateway_kit *kit, const char *prefer) {
    char headers[128];
    snprintf(headers, sizeof headers, "Prefer: %s\r\n", prefer);
    struct client client = door_ask(&kit->door, "PUT /anything/x", headers, "order");
    door_open_session(&kit->door, COUNTER);
    door_lease(&kit->door);
    return client;
}

static void expect_answer(struct gateway_kit *kit, struct client *client, const char *status,
                          const char *text) {
    EXPECT(door_hears(&kit->door, client));
    if (strncmp(client->bytes + strlen("HTTP/1.1 "), status, 3) != 0)
        EXPECT_STRING(client->bytes, status);
    if (strstr(client->bytes, text) == NULL) EXPECT_STRING(client->bytes, text);
    EXPECT(strstr(client->bytes, "Preference-Applied: wait=") != NULL);
    take_job(kit, client);
    client_close(client);
}

/* Who waits is given the result as the handler gave it. */
TEST(gateway_waits_for_the_result) {
    struct gateway_kit kit;
    open_gateway(&kit);
    struct client client = ask_and_wait(&kit, "respond-async, wait=20");
    door_end(&kit.door, COMMAND_COMPLETE, "{ \"bread\" : 1.0 }");
    expect_answer(&kit, &client, "200", "Content-Length: 17\r\n\r\n{ \"bread\" : 1.0 }");
    expect_about_job(&kit, "/result", 200, "Content-Type: application/json\r\n",
                     "{ \"bread\" : 1.0 }");
    expect_about_job(&kit, "", 200, "\"state\":\"done\"", "\"result\":{ \"bread\" : 1.0 }");
    expect_about_job(&kit, "", 200, "\"waiting\":[],\"steps\":[{\"station\":\"counter\",",
                     "\"attempt\":1,\"queued\":\"20");

    client = ask_and_wait(&kit, "wait=500");
    door_end(&kit.door, COMMAND_COMPLETE, "plain <text>");
    expect_answer(&kit, &client, "200", "Content-Type: application/octet-stream\r\n");
    expect_about_job(&kit, "", 200, "\"result_bytes\":12,\"result\":\"plain <text>\"", NULL);

    client = ask_and_wait(&kit, "wait=20");
    door_end(&kit.door, COMMAND_COMPLETE, "");
    expect_answer(&kit, &client, "204", "Preference-Applied: wait=20\r\n");
    close_gateway(&kit);
}

/* A reject and a failure are told to who waits, and later, in the handler's own words. */
TEST(gateway_tells_rejects_and_failures) {
    struct gateway_kit kit;
    open_gateway(&kit);
    struct client client = ask_and_wait(&kit, "wait=20");
    door_end(&kit.door, COMMAND_REJECT, "no \"street\" given");
    expect_answer(&kit, &client, "422",
                  "\"state\":\"rejected\",\"reason\":\"no \\\"street\\\" given\"}\n");
    expect_about_job(&kit, "", 200, "\"state\":\"rejected\"",
                     "\"reason\":\"no \\\"street\\\" given\"");
    expect_about_job(&kit, "/result", 409, "job-rejected", "no \\\"street\\\" given");

    client = ask_and_wait(&kit, "wait=20");
    door_end(&kit.door, COMMAND_FAIL, "the oven is cold");
    door_lease(&kit.door);
    door_end(&kit.door, COMMAND_FAIL, "the oven is off");
    expect_answer(&kit, &client, "502", "\"report\":{\"id\":");
    expect_about_job(&kit, "", 200, "\"outcome\":\"failed\",\"error\":\"the oven is cold\"",
                     "\"outcome\":\"dead\",\"error\":\"the oven is off\"");
    expect_about_job(&kit, "", 200, "\"in_kit\":0,\"dead\":1}", "],\"error\":\"the oven is off\"");
    expect_about_job(&kit, "/result", 409, "\"detail\":\"the oven is off\"", "job-failed");
    close_gateway(&kit);
}

/* When the wait is over the job runs on, and its URL is the answer. */
TEST(gateway_waits_no_longer_than_asked) {
    struct gateway_kit kit;
    open_gateway(&kit);
    struct client client = ask_and_wait(&kit, "wait=1");
    expect_answer(&kit, &client, "202", "\"state\":\"running\"}\n");
    door_end(&kit.door, COMMAND_COMPLETE, "late");
    expect_about_job(&kit, "/result", 200, "late", NULL);
    close_gateway(&kit);
}

/* Clients that leave before their answer leave nothing behind (the sanitizer would find it): one
 * that waits for a job's end, and some whose answer waits for the disk while takt is taken down. */
TEST(gateway_forgets_clients_that_left) {
    static const char *const requests[] = {"PUT /anything/x", "GET /jobs/", "GET /jobs/"};
    struct gateway_kit kit;
    open_gateway(&kit);
    struct client client = ask_and_wait(&kit, "wait=20");
    client_close(&client);
    for (int i = 0; i < 5; i++) door_turn(&kit.door);
    door_end(&kit.door, COMMAND_COMPLETE, "nobody hears it");
    for (int i = 0; i < 5; i++) door_turn(&kit.door);

    struct client clients[ARRAY_COUNT(requests)];
    expect_job(&kit, "PUT /anything/x", "", "x");
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        char request[96];
        snprintf(request, sizeof request, "%s%s%s", requests[i], i == 0 ? "" : kit.job,
                 i == 2 ? "/result" : "");
        clients[i] = door_ask(&kit.door, request, "Prefer: wait=5\r\n", "");
    }
    turn(&kit.door.fixture);
    close_gateway(&kit);
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) client_close(&clients[i]);
}

/* What a job went through is told in the same words after a restart. */
TEST(gateway_tells_the_same_after_a_restart) {
    struct gateway_kit kit;
    open_gateway(&kit);
    expect_job(&kit, "PUT /anything/x", "Idempotency-Key: k\r\n", "order");
    door_open_session(&kit.door, COUNTER);
    door_lease(&kit.door);
    door_end(&kit.door, COMMAND_FAIL, "the oven is cold");

    http_server_close(kit.door.fixture.server);
    gateway_close(kit.gateway);
    shard_close(kit.door.shard);
    env_run_real(kit.door.fixture.env);
    struct env *old = kit.door.fixture.env; /* the definition's memory is its allocator's */
    door_start(&kit.door);
    listen_gateway(&kit);
    expect_about_job(&kit, "", 200, "\"attempt\":1,",
                     "\"outcome\":\"failed\",\"error\":\"the oven is cold\"");
    char job[33];
    snprintf(job, sizeof job, "%s", kit.job);
    expect_job(&kit, "PUT /anything/x", "Idempotency-Key: k\r\n", "order");
    EXPECT_STRING(kit.job, job);
    close_gateway(&kit);
    env_close_real(old);
}
