/* SPDX-License-Identifier: Apache-2.0 */
#include "board/board.h"

#include "door_kit.h"

struct sqs_seen {
    uint32_t requests_count;
    uint32_t closed_count;
    bool parks;
};

static size_t sqs_body_bytes_max(void *context, const struct http_request *request) {
    (void)context;
    (void)request;
    return 8192;
}

static void sqs_on_request(void *context, struct http_request *request) {
    struct sqs_seen *seen = context;
    EXPECT(request->context == NULL); /* it is the handler's own */
    request->context = seen;
    seen->requests_count++;
    if (seen->parks) return;
    http_respond(request, &(struct http_response){.status = 200, .body = SLICE("from sqs")});
}

static void sqs_on_closed(void *context, struct http_request *request) {
    EXPECT(request->context == context);
    ((struct sqs_seen *)context)->closed_count++;
}

static const struct http_handler sqs_like = {
    .body_bytes_max = sqs_body_bytes_max, .on_request = sqs_on_request, .on_closed = sqs_on_closed};

struct board_kit {
    struct door_kit door;
    struct board *board;
    struct sqs_seen sqs;
};

static void open_board(struct board_kit *kit) {
    *kit = (struct board_kit){0};
    door_open(&kit->door);
    struct board_options options = {
        .shard = kit->door.shard, .sqs = &sqs_like, .sqs_context = &kit->sqs, .version = "1.2.3"};
    EXPECT_INT(board_open(&options, &kit->board), 0);
    board_set_ready(kit->board, true);
    door_listen(&kit->door, board_handler(), kit->board);
}

static void close_board(struct board_kit *kit) {
    http_server_close(kit->door.fixture.server);
    board_close(kit->board);
    door_close(&kit->door);
}

static void expect(struct board_kit *kit, const char *request, int status, const char *first,
                   const char *second) {
    door_expect(&kit->door, request, "", "", status, first, second);
}

/* The probes say whether takt lives and whether it is ready, whatever name they call it by. */
TEST(board_answers_probes) {
    struct board_kit kit;
    open_board(&kit);
    expect(&kit, "GET /livez", 200, "ok", NULL);
    expect(&kit, "GET /readyz", 200, "ok", NULL);
    board_set_ready(kit.board, false);
    door_expect(&kit.door, "GET /readyz", "Host: 10.0.0.7:9325\r\n", "", 503, "not ready", NULL);
    expect(&kit, "GET /livez", 200, "ok", NULL);
    close_board(&kit);
}

/* A request that is asked for under a foreign name, or that a foreign page sends, is refused; one
 * of the board's own address is not. */
TEST(board_keeps_other_sites_out) {
    static const char *const foreign_hosts[] = {
        "Host: evil.example\r\n",  "Host: 127.evil.example\r\n", "Host: localhost.evil.example\r\n",
        "Host: 10.0.0.1:9325\r\n", "Host: [::2]:9325\r\n",       "Host: \r\n"};
    static const char *const own_hosts[] = {"Host: localhost:9325\r\n", "Host: 127.0.0.1\r\n",
                                            "Host: [::1]:9325\r\n", "Host: LOCALHOST\r\n"};
    struct board_kit kit;
    open_board(&kit);
    for (size_t i = 0; i < ARRAY_COUNT(foreign_hosts); i++) {
        door_expect(&kit.door, "GET /api/v1/status", foreign_hosts[i], "", 403, "foreign", NULL);
    }
    for (size_t i = 0; i < ARRAY_COUNT(own_hosts); i++) {
        door_expect(&kit.door, "GET /api/v1/status", own_hosts[i], "", 200, "version", NULL);
    }
    door_create_queue(&kit.door, "q", NULL);
    const char *redrive = "POST /api/v1/queues/q/redrive";
    door_expect(&kit.door, redrive, "Host: localhost:1\r\nOrigin: http://evil.example\r\n", "", 403,
                "foreign", NULL);
    door_expect(&kit.door, redrive, "Host: localhost:1\r\nOrigin: http://localhost:2\r\n", "", 403,
                "foreign", NULL);
    door_expect(&kit.door, redrive, "Host: localhost:1\r\nOrigin: null\r\n", "", 403, "foreign",
                NULL);
    door_expect(&kit.door, redrive, "Host: localhost:1\r\nOrigin: http://localhost:1\r\n", "", 200,
                "\"moved\":0", NULL);
    door_expect(&kit.door, redrive, "", "", 200, "\"moved\":0", NULL);
    door_expect(&kit.door, "POST /",
                "Host: localhost:1\r\nOrigin: http://evil.example\r\n"
                "X-Amz-Target: AmazonSQS.PurgeQueue\r\n",
                "{}", 403, "foreign", NULL);
    EXPECT_INT(kit.sqs.requests_count, 0);
    close_board(&kit);
}

/* What has X-Amz-Target is the SQS handler's, to its end: also when its client goes away. */
TEST(board_mounts_the_sqs_handler) {
    struct board_kit kit;
    open_board(&kit);
    const char *target = "X-Amz-Target: AmazonSQS.ListQueues\r\n";
    char large[8001];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    door_expect(&kit.door, "POST /", target, "{}", 200, "from sqs", NULL);
    door_expect(&kit.door, "POST /", target, large, 200, "from sqs", NULL);
    door_expect(&kit.door, "POST /api/v1/queues/q/redrive", "", large, 413, "too large", NULL);
    EXPECT_INT(kit.sqs.requests_count, 2);
    kit.sqs.parks = true;
    struct client client = door_ask(&kit.door, "POST /", target, "{}");
    EXPECT(reaches(&kit.door.fixture, &client, &kit.sqs.requests_count, 3));
    client_close(&client);
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && kit.sqs.closed_count == 0;)
        door_turn(&kit.door);
    EXPECT_INT(kit.sqs.closed_count, 1);
    close_board(&kit);
}

/* Unknown paths, wrong methods and bad values are told apart. */
TEST(board_refuses_in_words) {
    struct board_kit kit;
    open_board(&kit);
    expect(&kit, "GET /nowhere", 404, "/api/v1/", NULL);
    expect(&kit, "GET /api/v1/nothing", 404, "not-found", NULL);
    expect(&kit, "GET /api/v1/", 404, "not-found", NULL);
    expect(&kit, "DELETE /api/v1/status", 405, "Allow: GET", NULL);
    expect(&kit, "GET /api/v1/queues?limit=many", 400, "limit is a number from 0 to 1000", NULL);
    expect(&kit, "GET /api/v1/queues/none", 404, "does not exist", NULL);
    expect(&kit, "GET /api/v1/queues/none/messages", 404, "does not exist", NULL);
    expect(&kit, "POST /api/v1/queues/none/redrive", 404, "does not exist", NULL);
    expect(&kit, "GET /api/v1/jobs?state=lost", 400, "running, done, failed or rejected", NULL);
    expect(&kit, "GET /api/v1/jobs/00000000000000000000000000000000", 404, "no such job", NULL);
    door_expect(&kit.door, "PUT /api/v1/stations/l/s/scale", "", "{\"workers\":1001}", 400,
                "0 to 1000", NULL);
    door_expect(&kit.door, "PUT /api/v1/stations/l/s/scale", "", "{\"workers\":1}", 404,
                "no such station", NULL);
    close_board(&kit);
}

/* Queues are listed in order, page by page, with what they hold. */
TEST(board_lists_queues) {
    struct board_kit kit;
    open_board(&kit);
    door_create_queue(&kit.door, "b", NULL);
    door_create_queue(&kit.door, "a", "b");
    door_create_queue(&kit.door, "c", NULL);
    door_send(&kit.door, "a", "one");
    door_send(&kit.door, "a", "two");
    expect(&kit, "GET /api/v1/queues?limit=2", 200, "{\"queues\":[{\"name\":\"a\"",
           "\"next\":\"b\"");
    expect(&kit, "GET /api/v1/queues?limit=2&after=b", 200, "[{\"name\":\"c\"", "]}\n");
    expect(&kit, "GET /api/v1/queues?prefix=x", 200, "{\"queues\":[]}", NULL);
    expect(&kit, "GET /api/v1/queues/a", 200, "\"kind\":\"plain\",\"visible\":2,\"in_flight\":0",
           "\"dead_queue\":\"b\",\"dead_after\":1");
    expect(&kit, "GET /api/v1/status", 200, "\"version\":\"1.2.3\"", "\"messages\":2");
    expect(&kit, "GET /api/v1/status", 200, "\"loop\":{\"turns\":", "\"turn_us_max\":");
    expect(&kit, "GET /", 200, "text/html", "2 messages in 3 queues");
    close_board(&kit);
}

/* A look into a queue shows each message whole, and takes none. */
TEST(board_peeks_without_receiving) {
    struct board_kit kit;
    open_board(&kit);
    door_create_queue(&kit.door, "a", NULL);
    expect(&kit, "GET /api/v1/queues/a/messages", 200, "{\"messages\":[]}", NULL);
    door_send(&kit.door, "a", "say \"one\"");
    door_send(&kit.door, "a", "two");
    const char *first = "\"state\":\"visible\",\"receive_count\":0";
    const char *body = "\"bytes\":9,\"body\":\"say \\\"one\\\"\",\"attributes\":{\"colour\":"
                       "{\"type\":\"String\",\"value\":\"red\"}}},{\"id\"";
    expect(&kit, "GET /api/v1/queues/a/messages?max=2", 200, first, body);
    expect(&kit, "GET /api/v1/queues/a/messages?max=1", 200, "one", "\"red\"}}}]}\n");
    expect(&kit, "GET /api/v1/queues/a", 200, "\"visible\":2,\"in_flight\":0", "\"received\":0");
    close_board(&kit);
}

static void receive_all(struct board_kit *kit, const char *queue) {
    struct command command = {
        .kind = COMMAND_RECEIVE,
        .receive = {.queue = slice_from_string(queue), .messages_max = 10, .visibility_ms = 0}};
    (void)door_submit(&kit->door, &command, door_answered);
}

/* Dead letters go back to where they came from; what is asked for bounds how many. */
TEST(board_redrives_dead_letters) {
    struct board_kit kit;
    open_board(&kit);
    door_create_queue(&kit.door, "dead", NULL);
    door_create_queue(&kit.door, "work", "dead");
    for (int i = 0; i < 5; i++) door_send(&kit.door, "work", "x");
    receive_all(&kit, "work"); /* the one receive that is allowed */
    receive_all(&kit, "work");
    expect(&kit, "GET /api/v1/queues/dead", 200, "\"visible\":5", NULL);
    expect(&kit, "POST /api/v1/queues/dead/redrive?max=2", 200, "{\"moved\":2,\"more\":false}",
           NULL);
    expect(&kit, "GET /api/v1/queues/dead", 200, "\"visible\":3", NULL);
    expect(&kit, "POST /api/v1/queues/dead/redrive", 200, "{\"moved\":3,\"more\":false}", NULL);
    expect(&kit, "GET /api/v1/queues/work", 200, "\"visible\":5", NULL);
    close_board(&kit);
}

/* A client that goes away while its answer waits for the disk leaves nothing behind (the sanitizer
 * would find it), also when the board is gone before the shard. */
TEST(board_forgets_clients_that_left) {
    static const char *const requests[] = {"GET /api/v1/status", "GET /api/v1/queues/a/messages",
                                           "GET /api/v1/jobs/x", "POST /api/v1/queues/a/redrive"};
    struct board_kit kit;
    open_board(&kit);
    door_create_queue(&kit.door, "a", NULL);
    door_send(&kit.door, "a", "one");
    struct client clients[ARRAY_COUNT(requests)];
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) {
        clients[i] = door_ask(&kit.door, requests[i], "", "");
    }
    turn(&kit.door.fixture); /* some requests are in, no answer is out */
    close_board(&kit);
    for (size_t i = 0; i < ARRAY_COUNT(requests); i++) client_close(&clients[i]);
}
