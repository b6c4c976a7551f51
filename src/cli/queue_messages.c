/* SPDX-License-Identifier: Apache-2.0 */
/* send, receive, peek: the messages of one queue. */
#include "cli/subcommand.h"

#include "base/json.h"
#include "cli/progress.h"
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>

#define REQUEST_BYTES_MAX (16u * 1024 * 1024)
#define INPUT_BYTES_MAX (2u * 1024 * 1024) /* a message is at most 1 MiB: the server says so */
#define BATCH_MAX 10u
#define BATCH_BYTES_MAX (1024u * 1024)

/* -1: not given. False: said on stderr. */
static bool read_seconds(const struct options *options, const char *option, int64_t *seconds) {
    *seconds = -1;
    const char *text = options_value(options, option);
    if (text == NULL) return true;
    int64_t ms = 0;
    if (!options_duration(text, &ms) || ms % 1000 != 0) {
        fprintf(stderr, "takt: --%s needs whole seconds with a unit, as 5s, not %s\n", option,
                text);
        return false;
    }
    *seconds = ms / 1000;
    return true;
}

static int send_one(struct client *client, const char *name, struct slice body, int64_t delay) {
    struct allocator allocator = allocator_system();
    struct buffer request;
    buffer_open(&request, &allocator, REQUEST_BYTES_MAX);
    queue_begin_request(&request, name);
    if (delay >= 0) buffer_printf(&request, ",\"DelaySeconds\":%lld", (long long)delay);
    buffer_append_string(&request, ",\"MessageBody\":");
    json_write_string(&request, body);
    buffer_append_string(&request, "}");
    int code = client_action(client, "SendMessage", buffer_slice(&request));
    buffer_close(&request);
    if (code == CLI_OK) printf("%s\n", client_text(client, client_body(client), "MessageId"));
    return code;
}

struct batch {
    struct client *client;
    const char *name;
    int64_t delay;
    struct buffer request;
    uint32_t count;
    uint64_t sent;
    uint64_t failed;
};

static int batch_flush(struct batch *batch) {
    if (batch->count == 0) return CLI_OK;
    buffer_append_string(&batch->request, "]}");
    int code = client_action(batch->client, "SendMessageBatch", buffer_slice(&batch->request));
    if (code == CLI_OK) {
        struct slice failed = json_member(client_body(batch->client), SLICE("Failed"));
        for (struct json_iterator i = json_iterate(failed); json_next(&i);) {
            fprintf(stderr, "takt queue send: line %llu: %s\n",
                    (unsigned long long)(batch->sent + batch->failed) + 1,
                    client_text(batch->client, i.value, "Message"));
            batch->failed++;
            batch->count--;
        }
        batch->sent += batch->count;
    }
    batch->count = 0;
    buffer_clear(&batch->request);
    return code;
}

static int batch_add(struct batch *batch, struct slice line) {
    if (batch->count == BATCH_MAX || batch->request.count + line.count > BATCH_BYTES_MAX) {
        int code = batch_flush(batch);
        if (code != CLI_OK) return code;
    }
    if (batch->count == 0) {
        queue_begin_request(&batch->request, batch->name);
        buffer_append_string(&batch->request, ",\"Entries\":[");
    } else {
        buffer_append_string(&batch->request, ",");
    }
    buffer_printf(&batch->request, "{\"Id\":\"%u\",", batch->count);
    if (batch->delay >= 0) {
        buffer_printf(&batch->request, "\"DelaySeconds\":%lld,", (long long)batch->delay);
    }
    buffer_append_string(&batch->request, "\"MessageBody\":");
    json_write_string(&batch->request, line);
    buffer_append_string(&batch->request, "}");
    batch->count++;
    return CLI_OK;
}

static int send_lines(struct client *client, const char *name, int64_t delay) {
    struct allocator allocator = allocator_system();
    struct batch batch = {.client = client, .name = name, .delay = delay};
    buffer_open(&batch.request, &allocator, REQUEST_BYTES_MAX);
    struct progress progress = progress_begin("sent", 0);
    char *line = NULL;
    size_t capacity = 0;
    int code = CLI_OK;
    ssize_t count = 0;
    while (code == CLI_OK && (count = getline(&line, &capacity, stdin)) > 0) {
        struct slice text = slice_trim(slice_from(line, (size_t)count));
        if (text.count > 0) code = batch_add(&batch, text);
        progress_set(&progress, batch.sent);
    }
    if (code == CLI_OK) code = batch_flush(&batch);
    progress_set(&progress, batch.sent);
    progress_end(&progress);
    free(line); /* getline's own */
    buffer_close(&batch.request);
    printf("%llu messages sent\n", (unsigned long long)batch.sent);
    return code == CLI_OK && batch.failed > 0 ? CLI_FAILED : code;
}

int queue_send(struct client *client, const struct options *options) {
    int64_t delay = -1;
    if (!read_seconds(options, "delay", &delay)) return CLI_USAGE;
    if (options_has(options, "ndjson")) return send_lines(client, options->words[0], delay);
    if (options->words_count == 2) {
        return send_one(client, options->words[0], slice_from_string(options->words[1]), delay);
    }
    char *input = arena_take(client_arena(client), INPUT_BYTES_MAX);
    if (input == NULL) return CLI_FAILED;
    size_t count = fread(input, 1, INPUT_BYTES_MAX, stdin);
    return send_one(client, options->words[0], slice_from(input, count), delay);
}

static int delete_received(struct client *client, const char *name, struct slice messages) {
    struct allocator allocator = allocator_system();
    struct buffer request;
    buffer_open(&request, &allocator, REQUEST_BYTES_MAX);
    queue_begin_request(&request, name);
    buffer_append_string(&request, ",\"Entries\":[");
    uint32_t count = 0;
    for (struct json_iterator i = json_iterate(messages); json_next(&i); count++) {
        buffer_printf(&request, "%s{\"Id\":\"%u\",\"ReceiptHandle\":%.*s}", count == 0 ? "" : ",",
                      count, SLICE_ARGS(json_member(i.value, SLICE("ReceiptHandle"))));
    }
    buffer_append_string(&request, "]}");
    int code = client_action(client, "DeleteMessageBatch", buffer_slice(&request));
    buffer_close(&request);
    return code;
}

static int print_received(struct client *client, const char *output, struct slice messages) {
    if (strcmp(output, "table") != 0) return table_print(client, output, messages, NULL, 0);
    for (struct json_iterator i = json_iterate(messages); json_next(&i);) {
        printf("%s\n", client_text(client, i.value, "Body"));
    }
    return CLI_OK;
}

int queue_receive(struct client *client, const struct options *options) {
    int64_t wait = -1;
    int64_t visibility = -1;
    if (!read_seconds(options, "wait", &wait) ||
        !read_seconds(options, "visibility", &visibility)) {
        return CLI_USAGE;
    }
    struct allocator allocator = allocator_system();
    struct buffer request;
    buffer_open(&request, &allocator, REQUEST_BYTES_MAX);
    queue_begin_request(&request, options->words[0]);
    uint64_t max = 0;
    if (!slice_to_u64(slice_from_string(options_value(options, "max")), 10, &max) || max == 0) {
        fprintf(stderr, "takt queue receive: --max is 1 to 10\n");
        buffer_close(&request);
        return CLI_USAGE;
    }
    buffer_printf(&request, ",\"MaxNumberOfMessages\":%llu", (unsigned long long)max);
    if (wait >= 0) buffer_printf(&request, ",\"WaitTimeSeconds\":%lld", (long long)wait);
    if (visibility >= 0) {
        buffer_printf(&request, ",\"VisibilityTimeout\":%lld", (long long)visibility);
    }
    buffer_append_string(&request, ",\"AttributeNames\":[\"All\"],\"MessageAttributeNames\":"
                                   "[\"All\"]}");
    int code = client_action(client, "ReceiveMessage", buffer_slice(&request));
    buffer_close(&request);
    if (code != CLI_OK) return code;
    char *answer = arena_copy(client_arena(client), client_body(client));
    struct slice messages = json_member(slice_from_string(answer), SLICE("Messages"));
    if (messages.count == 0) messages = SLICE("[]");
    code = print_received(client, options_value(options, "output"), messages);
    /* What was not shown is not deleted. */
    if (code != CLI_OK || fflush(stdout) != 0 || !options_has(options, "delete") ||
        json_count(messages) == 0) {
        return code;
    }
    return delete_received(client, options->words[0], messages);
}

int queue_peek(struct client *client, const struct options *options) {
    static const struct table_column columns[] = {
        {"STATE", "state", false}, {"SENT", "sent", false}, {"RECEIVED", "receive_count", true},
        {"ERROR", "error", false}, {"BODY", "body", false},
    };
    const char *path = arena_printf(client_arena(client), "/api/v1/queues/%s/messages?max=%s",
                                    client_escape(client, options->words[0]),
                                    client_escape(client, options_value(options, "max")));
    if (path == NULL) return CLI_FAILED;
    int code = client_api(client, "GET", path, SLICE_EMPTY);
    if (code != CLI_OK) return code;
    return table_print(client, options_value(options, "output"),
                       json_member(client_body(client), SLICE("messages")), columns,
                       ARRAY_COUNT(columns));
}
