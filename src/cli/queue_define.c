/* SPDX-License-Identifier: Apache-2.0 */
/* list, create, delete, purge, redrive: queues as a whole. */
#include "cli/subcommand.h"

#include "base/json.h"
#include "cli/table.h"

#include <stdio.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX 65536u

int queue_list(struct client *client, const struct options *options) {
    static const struct table_column columns[] = {
        {"NAME", "name", false},      {"KIND", "kind", false},
        {"VISIBLE", "visible", true}, {"IN FLIGHT", "in_flight", true},
        {"DELAYED", "delayed", true}, {"SENT", "sent", true},
        {"DELETED", "deleted", true}, {"HANDED ON", "handed_on", true},
        {"DEAD", "dead", true},
    };
    const char *prefix = options_value(options, "prefix");
    const char *path = arena_printf(client_arena(client), "/api/v1/queues?limit=1000&prefix=%s&",
                                    client_escape(client, prefix == NULL ? "" : prefix));
    if (path == NULL) return CLI_FAILED;
    struct slice rows;
    int code = client_pages(client, path, "queues", "after", UINT64_MAX, &rows);
    if (code != CLI_OK) return code;
    return table_print(client, options_value(options, "output"), rows, columns,
                       ARRAY_COUNT(columns));
}

/* One attribute of CreateQueue; false: the value cannot be read (said). */
static bool add_seconds(struct buffer *out, const struct options *options, const char *option,
                        const char *attribute) {
    const char *text = options_value(options, option);
    if (text == NULL) return true;
    int64_t ms = 0;
    if (!options_duration(text, &ms) || ms % 1000 != 0) {
        fprintf(stderr, "takt queue create: --%s needs whole seconds with a unit, as 30s, not %s\n",
                option, text);
        return false;
    }
    buffer_printf(out, "\"%s\":\"%lld\",", attribute, (long long)(ms / 1000));
    return true;
}

static bool add_max_message(struct buffer *out, const struct options *options) {
    const char *text = options_value(options, "max-message");
    if (text == NULL) return true;
    uint64_t bytes_count = 0;
    if (!options_size(text, &bytes_count)) {
        fprintf(stderr,
                "takt queue create: --max-message needs bytes, or a size as 256KiB, not %s\n",
                text);
        return false;
    }
    buffer_printf(out, "\"MaximumMessageSize\":\"%llu\",", (unsigned long long)bytes_count);
    return true;
}

static void add_redrive(struct buffer *out, const struct options *options) {
    const char *dead = options_value(options, "dead");
    if (dead == NULL) return;
    char policy[512];
    (void)snprintf(policy, sizeof policy,
                   "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:%s\","
                   "\"maxReceiveCount\":%s}",
                   dead, options_value(options, "dead-after"));
    buffer_append_string(out, "\"RedrivePolicy\":");
    json_write_string(out, slice_from_string(policy));
    buffer_append_string(out, ",");
}

int queue_create(struct client *client, const struct options *options) {
    struct allocator allocator = allocator_system();
    struct buffer request;
    buffer_open(&request, &allocator, REQUEST_BYTES_MAX);
    buffer_append_string(&request, "{\"QueueName\":");
    json_write_string(&request, slice_from_string(options->words[0]));
    buffer_append_string(&request, ",\"Attributes\":{");
    size_t empty = request.count;
    int code = CLI_USAGE;
    if (add_seconds(&request, options, "visibility", "VisibilityTimeout") &&
        add_seconds(&request, options, "retention", "MessageRetentionPeriod") &&
        add_seconds(&request, options, "delay", "DelaySeconds") &&
        add_seconds(&request, options, "wait", "ReceiveMessageWaitTimeSeconds") &&
        add_max_message(&request, options)) {
        add_redrive(&request, options);
        if (request.count > empty) request.count--; /* the last comma */
        buffer_append_string(&request, "}}");
        code = client_action(client, "CreateQueue", buffer_slice(&request));
        if (code == CLI_OK) printf("%s\n", client_text(client, client_body(client), "QueueUrl"));
    }
    buffer_close(&request);
    return code;
}

/* Asks on a terminal; elsewhere --yes is needed. */
static bool is_sure(const struct options *options, const char *what) {
    if (options_has(options, "yes")) return true;
    if (isatty(STDIN_FILENO) != 1) {
        fprintf(stderr, "takt: without a terminal to ask on, this needs --yes\n");
        return false;
    }
    fprintf(stderr, "%s %s: are you sure? [y/N] ", what, options->words[0]);
    char answer[16] = "";
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static int act_on_queue(struct client *client, const char *action, const char *name) {
    struct allocator allocator = allocator_system();
    struct buffer request;
    buffer_open(&request, &allocator, REQUEST_BYTES_MAX);
    queue_begin_request(&request, name);
    buffer_append_string(&request, "}");
    int code = client_action(client, action, buffer_slice(&request));
    buffer_close(&request);
    return code;
}

int queue_delete(struct client *client, const struct options *options) {
    if (!is_sure(options, "delete the queue")) return CLI_FAILED;
    return act_on_queue(client, "DeleteQueue", options->words[0]);
}

int queue_purge(struct client *client, const struct options *options) {
    if (!is_sure(options, "delete all messages of")) return CLI_FAILED;
    return act_on_queue(client, "PurgeQueue", options->words[0]);
}

int queue_redrive(struct client *client, const struct options *options) {
    const char *path = arena_printf(client_arena(client), "/api/v1/queues/%s/redrive",
                                    client_escape(client, options->words[0]));
    if (path == NULL) return CLI_FAILED;
    int64_t moved = 0;
    for (;;) {
        int code = client_api(client, "POST", path, SLICE("{}"));
        if (code != CLI_OK) return code;
        moved += client_number(client_body(client), "moved");
        if (json_type(json_member(client_body(client), SLICE("more"))) != JSON_TRUE) break;
    }
    printf("%lld message%s sent back\n", (long long)moved, moved == 1 ? "" : "s");
    return CLI_OK;
}
