/* SPDX-License-Identifier: Apache-2.0 */
/* `takt queue …`: what changes a queue goes through the SQS actions, as any client's would. */
#include "cli/subcommand.h"

#include "base/json.h"

static const struct option plain_options[] = {SUBCOMMAND_SERVER, SUBCOMMAND_END};
static const struct option list_options[] = {
    SUBCOMMAND_SERVER,
    SUBCOMMAND_OUTPUT,
    {"prefix", "TEXT", "only names that start so", NULL},
    SUBCOMMAND_END,
};
static const struct option create_options[] = {
    SUBCOMMAND_SERVER,
    {"visibility", "DURATION", "how long a received message stays hidden", NULL},
    {"retention", "DURATION", "how long a message is kept", NULL},
    {"delay", "DURATION", "how long a new message waits", NULL},
    {"wait", "DURATION", "how long an empty receive waits", NULL},
    {"max-message", "SIZE", "the largest message: bytes, or as 256KiB", NULL},
    {"dead", "QUEUE", "where messages go that were received too often", NULL},
    {"dead-after", "COUNT", "…after so many receives", "10"},
    SUBCOMMAND_END,
};
static const struct option purge_options[] = {
    SUBCOMMAND_SERVER,
    {"yes", NULL, "do not ask", NULL},
    SUBCOMMAND_END,
};
static const struct option send_options[] = {
    SUBCOMMAND_SERVER,
    {"ndjson", NULL, "each line of the input is a message", NULL},
    {"delay", "DURATION", "how long it waits", NULL},
    SUBCOMMAND_END,
};
static const struct option receive_options[] = {
    SUBCOMMAND_SERVER,
    {"output", "table|json|ndjson", "table: the bodies alone", "table"},
    {"max", "COUNT", "1 to 10", "1"},
    {"wait", "DURATION", "up to 20s", NULL},
    {"visibility", "DURATION", "how long they stay hidden", NULL},
    {"delete", NULL, "delete them once they are printed", NULL},
    SUBCOMMAND_END,
};
static const struct option peek_options[] = {
    SUBCOMMAND_SERVER,
    SUBCOMMAND_OUTPUT,
    {"max", "COUNT", "1 to 100", "10"},
    SUBCOMMAND_END,
};

static const struct subcommand table[] = {
    {"list", "", "queues, and what is in them", list_options, 0, 0, queue_list},
    {"create", "NAME", "make a queue", create_options, 1, 1, queue_create},
    {"delete", "NAME", "delete a queue with all in it", purge_options, 1, 1, queue_delete},
    {"purge", "NAME", "delete all that is in it", purge_options, 1, 1, queue_purge},
    {"send", "NAME [BODY]", "send BODY, or standard input", send_options, 1, 2, queue_send},
    {"receive", "NAME", "receive messages", receive_options, 1, 1, queue_receive},
    {"peek", "NAME", "look without receiving", peek_options, 1, 1, queue_peek},
    {"redrive", "NAME", "dead letters back to where they came from", plain_options, 1, 1,
     queue_redrive},
};

int cli_queue(int argc, char **argv) {
    return subcommand_run("queue", table, ARRAY_COUNT(table), argc, argv);
}

void queue_begin_request(struct buffer *out, const char *name) {
    buffer_append_string(out, "{\"QueueUrl\":");
    json_write_string(out, slice_from_string(name));
}
