/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way of an action, on a journal that is durable when told: what is answered, and when.
 * The wire's rules, one by one, are in test/sqs/. */
#include "sqs/sqs.h"

#include "shard_kit.h"

#include <errno.h>

struct shard_kit *kit_now;

/* One client: its requests, and the answers that it got. */
struct fake_client {
    struct shard_kit *kit;
    struct sqs *sqs;
    struct allocator allocator;
    struct http_header headers[3];
    char target[64];
    uint32_t answers_count;
    int status;
    char body[8192];
    char error[96];
};
static struct fake_client client;

struct fake_request {
    struct http_request request;
    struct arena arena;
};

/* Stands in for the server's. */
void http_respond(struct http_request *request, const struct http_response *response) {
    struct fake_request *fake = CONTAINER_OF(request, struct fake_request, request);
    EXPECT(response->body.count < sizeof client.body);
    client.answers_count++;
    client.status = response->status;
    (void)snprintf(client.body, sizeof client.body, "%.*s", SLICE_ARGS(response->body));
    client.error[0] = '\0';
    for (uint32_t i = 0; i < response->headers_count; i++) {
        if (slice_equal(response->headers[i].name, SLICE("x-amzn-query-error")))
            (void)snprintf(client.error, sizeof client.error, "%.*s",
                           SLICE_ARGS(response->headers[i].value));
    }
    arena_close(&fake->arena);
    free(fake);
}

static void open_client(void) {
    memset(&client, 0, sizeof client);
    client.kit = kit_open();
    client.allocator = allocator_system();
    struct sqs_options options = {.shard = client.kit->shard};
    EXPECT_INT(sqs_open(&options, &client.sqs), 0);
}

static void close_client(void) {
    sqs_close(client.sqs);
    kit_close(client.kit);
}

static struct fake_request *ask(const char *action, const char *body) {
    struct fake_request *fake = calloc(1, sizeof *fake);
    EXPECT(fake != NULL);
    arena_open(&fake->arena, &client.allocator, HTTP_ARENA_BYTES_MAX);
    (void)snprintf(client.target, sizeof client.target, "AmazonSQS.%s", action);
    client.headers[0] = (struct http_header){SLICE("Host"), SLICE("here:1")};
    client.headers[1] =
        (struct http_header){SLICE("Content-Type"), SLICE("application/x-amz-json-1.0")};
    client.headers[2] =
        (struct http_header){SLICE("X-Amz-Target"), slice_from_string(client.target)};
    fake->request = (struct http_request){.method = SLICE("POST"),
                                          .path = SLICE("/"),
                                          .headers = client.headers,
                                          .headers_count = 3,
                                          .body = slice_from_string(body),
                                          .arena = &fake->arena};
    sqs_handler()->on_request(client.sqs, &fake->request);
    return fake;
}

/* As the server does when a client goes away. */
static void leave(struct fake_request *fake) {
    sqs_handler()->on_closed(client.sqs, &fake->request);
    arena_close(&fake->arena);
    free(fake);
}

/* Ask, make durable, and expect an answer with this status. */
static const char *done(const char *action, const char *body, int status) {
    uint32_t before = client.answers_count;
    (void)ask(action, body);
    kit_commit(client.kit);
    (void)machine_run(client.kit->machine);
    EXPECT_INT(client.answers_count, before + 1);
    EXPECT_INT(client.status, status);
    return client.body;
}

static bool has(const char *part) {
    return strstr(client.body, part) != NULL;
}

/* A send is answered when it is durable, and not before. */
TEST(sqs_answers_a_send_when_it_is_durable) {
    open_client();
    EXPECT_STRING(done("CreateQueue", "{\"QueueName\":\"q\"}", 200),
                  "{\"QueueUrl\":\"http://here:1/000000000000/q\"}");
    (void)ask("SendMessage", "{\"QueueUrl\":\"q\",\"MessageBody\":\"hello\"}");
    (void)machine_run(client.kit->machine);
    EXPECT_INT(client.answers_count, 1);
    kit_commit(client.kit);
    EXPECT_INT(client.answers_count, 2);
    EXPECT_INT(client.status, 200);
    EXPECT(has("\"MD5OfMessageBody\":\"5d41402abc4b2a76b9719d911017c592\""));
    close_client();
}

/* A view rests on what was applied before it, so it waits as well; so does a no. */
TEST(sqs_holds_views_and_refusals_too) {
    static const char *const asked[][2] = {
        {"GetQueueUrl", "{\"QueueName\":\"q\"}"},
        {"GetQueueUrl", "{\"QueueName\":\"none\"}"},
        {"ListQueues", "{}"},
        {"GetQueueAttributes", "{\"QueueUrl\":\"q\",\"AttributeNames\":[\"All\"]}"},
        {"SendMessageBatch",
         "{\"QueueUrl\":\"q\",\"Entries\":[{\"Id\":\"a\",\"MessageBody\":\"\"}]}"},
    };
    open_client();
    kit_create(client.kit, "q", 1);
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) (void)ask(asked[i][0], asked[i][1]);
    (void)machine_run(client.kit->machine);
    EXPECT_INT(client.answers_count, 0);
    kit_commit(client.kit);
    EXPECT_INT(client.answers_count, ARRAY_COUNT(asked));
    close_client();
}

/* A message is received with its text and its checksum, under a handle that deletes it. */
TEST(sqs_gives_out_and_deletes_a_message) {
    open_client();
    kit_create(client.kit, "q", 1);
    (void)done("SendMessage", "{\"QueueUrl\":\"q\",\"MessageBody\":\"a\\u00e9\\n\"}", 200);
    (void)done("ReceiveMessage", "{\"QueueUrl\":\"q\"}", 200);
    EXPECT(has("\"Body\":\"a\xC3\xA9\\n\""));
    const char *at = strstr(client.body, "\"ReceiptHandle\":\"");
    EXPECT(at != NULL);
    char body[256];
    int count = (int)strcspn(at + 17, "\"");
    (void)snprintf(body, sizeof body, "{\"QueueUrl\":\"q\",\"ReceiptHandle\":\"%.*s\"}", count,
                   at + 17);
    EXPECT_STRING(done("DeleteMessage", body, 200), "{}");
    EXPECT_INT(kit_view(client.kit, "q").in_flight_count, 0);
    EXPECT_STRING(done("ReceiveMessage", "{\"QueueUrl\":\"q\"}", 200), "{}");
    close_client();
}

/* Who waits and goes away gets nothing; the next one gets the message, received for the first
 * time. */
TEST(sqs_forgets_a_receiver_that_went_away) {
    open_client();
    kit_create(client.kit, "q", 1);
    kit_commit(client.kit);
    struct fake_request *gone =
        ask("ReceiveMessage", "{\"QueueUrl\":\"q\",\"WaitTimeSeconds\":20}");
    (void)machine_run(client.kit->machine);
    leave(gone);
    kit_send(client.kit, "q", 2);
    kit_commit(client.kit);
    EXPECT_INT(client.answers_count, 0);
    EXPECT_INT(kit_view(client.kit, "q").visible_count, 1);
    (void)done("ReceiveMessage", "{\"QueueUrl\":\"q\",\"AttributeNames\":[\"All\"]}", 200);
    EXPECT(has("\"ApproximateReceiveCount\":\"1\""));
    close_client();
}

/* Messages that were decided for a client that left before the answer go back, uncounted. */
TEST(sqs_gives_back_what_nobody_took) {
    open_client();
    kit_create(client.kit, "q", 1);
    kit_send(client.kit, "q", 2);
    kit_commit(client.kit);
    struct fake_request *gone = ask("ReceiveMessage", "{\"QueueUrl\":\"q\"}");
    EXPECT_INT(kit_view(client.kit, "q").in_flight_count, 1);
    leave(gone);
    kit_commit(client.kit);
    EXPECT_INT(client.answers_count, 0);
    EXPECT_INT(kit_view(client.kit, "q").visible_count, 1);
    (void)done("ReceiveMessage", "{\"QueueUrl\":\"q\",\"AttributeNames\":[\"All\"]}", 200);
    EXPECT(has("\"ApproximateReceiveCount\":\"1\""));
    close_client();
}

/* So do those whose client left while their bodies were read. */
TEST(sqs_gives_back_what_nobody_reads) {
    open_client();
    kit_create(client.kit, "q", 1);
    kit_send(client.kit, "q", 2);
    kit_send(client.kit, "q", 3);
    kit_commit(client.kit);
    client.kit->between.is_cold = true;
    struct fake_request *gone =
        ask("ReceiveMessage", "{\"QueueUrl\":\"q\",\"MaxNumberOfMessages\":10}");
    kit_commit(client.kit);
    EXPECT_INT(client.answers_count, 0);
    leave(gone);
    EXPECT_INT(kit_view(client.kit, "q").in_flight_count, 2);
    EXPECT_INT(between_read_all(&client.kit->between), 2);
    EXPECT_INT(kit_view(client.kit, "q").visible_count, 2);
    kit_commit(client.kit);
    EXPECT_INT(client.answers_count, 0);
    close_client();
}

/* A client that leaves while its command is under way is not answered, whatever the command. */
TEST(sqs_answers_nobody_who_left) {
    static const char *const asked[][2] = {
        {"CreateQueue", "{\"QueueName\":\"new\"}"},
        {"SendMessage", "{\"QueueUrl\":\"q\",\"MessageBody\":\"x\"}"},
        {"SendMessageBatch",
         "{\"QueueUrl\":\"q\",\"Entries\":[{\"Id\":\"a\",\"MessageBody\":\"x\"}]}"},
        {"SendMessageBatch",
         "{\"QueueUrl\":\"q\",\"Entries\":[{\"Id\":\"a\",\"MessageBody\":\"\"}]}"},
        {"SetQueueAttributes", "{\"QueueUrl\":\"q\",\"Attributes\":{\"DelaySeconds\":\"1\"}}"},
        {"GetQueueAttributes", "{\"QueueUrl\":\"q\"}"},
        {"GetQueueUrl", "{\"QueueName\":\"none\"}"},
        {"DeleteMessage", "{\"QueueUrl\":\"q\",\"ReceiptHandle\":\"wrong\"}"},
        {"PurgeQueue", "{\"QueueUrl\":\"q\"}"},
        {"DeleteQueue", "{\"QueueUrl\":\"q\"}"},
    };
    open_client();
    kit_create(client.kit, "q", 1);
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) leave(ask(asked[i][0], asked[i][1]));
    kit_commit(client.kit);
    (void)machine_run(client.kit->machine);
    EXPECT_INT(client.answers_count, 0);
    close_client();
}

/* The endpoint may be closed while answers are on their way: the last one frees it. */
TEST(sqs_may_be_closed_with_calls_under_way) {
    open_client();
    kit_create(client.kit, "q", 1);
    leave(ask("SendMessage", "{\"QueueUrl\":\"q\",\"MessageBody\":\"x\"}"));
    leave(ask("ListQueues", "{}"));
    close_client();
    EXPECT_INT(client.answers_count, 0);
}

/* When the journal has failed, nothing is answered well: 503, in the shape of SQS. */
TEST(sqs_says_when_it_cannot_promise) {
    open_client();
    kit_create(client.kit, "q", 1);
    kit_commit(client.kit);
    (void)ask("SendMessage", "{\"QueueUrl\":\"q\",\"MessageBody\":\"x\"}");
    (void)ask("ListQueues", "{}");
    between_fail(&client.kit->between, -EIO);
    (void)machine_run(client.kit->machine);
    EXPECT_INT(client.answers_count, 2);
    EXPECT_INT(client.status, 503);
    EXPECT(has("\"__type\":\"com.amazonaws.sqs#ServiceUnavailable\""));
    EXPECT_STRING(client.error, "ServiceUnavailable;Receiver");
    (void)ask("GetQueueUrl", "{\"QueueName\":\"q\"}");
    (void)machine_run(client.kit->machine);
    EXPECT_INT(client.status, 503);
    close_client();
}

/* Options that cannot be are refused; others are in every URL and ARN. */
TEST(sqs_takes_an_account_and_a_region) {
    struct shard_kit *kit = kit_open();
    struct sqs *sqs = NULL;
    struct sqs_options long_one = {.shard = kit->shard,
                                   .account = "12345678901234567890123456789012"};
    EXPECT_INT(sqs_open(&long_one, &sqs), -EINVAL);
    struct sqs_options empty = {.shard = kit->shard, .region = ""};
    EXPECT_INT(sqs_open(&empty, &sqs), -EINVAL);
    kit_close(kit);

    open_client();
    sqs_close(client.sqs);
    struct sqs_options options = {
        .shard = client.kit->shard, .account = "111122223333", .region = "mars-1"};
    EXPECT_INT(sqs_open(&options, &client.sqs), 0);
    EXPECT_STRING(done("CreateQueue", "{\"QueueName\":\"q\"}", 200),
                  "{\"QueueUrl\":\"http://here:1/111122223333/q\"}");
    EXPECT_STRING(
        done("GetQueueAttributes", "{\"QueueUrl\":\"q\",\"AttributeNames\":[\"QueueArn\"]}", 200),
        "{\"Attributes\":{\"QueueArn\":\"arn:aws:sqs:mars-1:111122223333:q\"}}");
    close_client();
}
