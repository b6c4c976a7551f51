/* SPDX-License-Identifier: Apache-2.0 */
/* board_peek.c -- what lies in a queue, without receiving it:
 *
 *   look    copy what the broker says of the first messages
 *   wait    until everything applied by then is durable
 *   read    each message's body, then its error, one after the other
 *
 * A message whose body has moved or is gone meanwhile is shown without it; so is a kit, which has
 * none of its own, and a message whose body is damaged on the disk: that one says so. What is not UTF-8 is shown with U+FFFD.
 */
#include "board/board_inside.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/json_object.h"
#include "broker/message_body.h"

#include <errno.h>

/* A page of the largest messages would be 100 MiB: behind this no further message is begun. */
#define PEEK_BYTES_MAX (8u * 1024 * 1024)

enum peek_stage { PEEK_HEAD, PEEK_BODY, PEEK_ERROR };

struct peek {
    struct peek_message messages[BOARD_PEEK_MAX];
    uint32_t messages_count;
    uint32_t index;
    enum peek_stage stage; /* what is written next */
    bool is_reading;
    bool is_read;
};

static void write_id(struct buffer *out, const uint8_t id[16]) {
    static const uint8_t group_ends[] = {4, 6, 8, 10, 16};
    char text[36];
    size_t count = 0;
    size_t from = 0;
    for (size_t i = 0; i < ARRAY_COUNT(group_ends); i++) {
        if (i > 0) text[count++] = '-';
        hex_write(id + from, group_ends[i] - from, text + count);
        count += 2 * (group_ends[i] - from);
        from = group_ends[i];
    }
    json_object_text(out, "id", slice_from(text, count)); /* as SQS clients see it */
}

static void write_head(const struct peek_message *message, struct buffer *out) {
    static const uint8_t none[16] = {0};
    char job[32];
    json_array_next(out);
    buffer_append_byte(out, '{');
    write_id(out, message->message.id);
    json_object_text(out, "state",
                     message->in_flight ? SLICE("in_flight")
                     : message->delayed ? SLICE("delayed")
                                        : SLICE("visible"));
    json_object_number(out, "receive_count", message->message.receive_count);
    json_object_time(out, "sent", message->message.sent);
    json_object_time(out, "first_received", message->message.first_received);
    if (memcmp(message->job_id, none, sizeof none) == 0) return;
    hex_write(message->job_id, sizeof message->job_id, job);
    json_object_text(out, "job", slice_from(job, sizeof job));
}

static void write_body(struct slice bytes, struct buffer *out) {
    struct message_body body;
    if (message_body_decode(bytes, &body) < 0) return;
    json_object_number(out, "bytes", (int64_t)body.text.count);
    json_object_text(out, "body", body.text);
    if (body.attributes_count == 0) return;
    json_object_name(out, "attributes");
    buffer_append_byte(out, '{');
    for (uint32_t i = 0; i < body.attributes_count; i++) {
        const struct message_attribute *attribute = &body.attributes[i];
        if (i > 0) buffer_append_byte(out, ',');
        json_write_string(out, attribute->name);
        buffer_append_string(out, ":{");
        json_object_text(out, "type", attribute->type);
        json_object_text(out, "value", attribute->value);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, '}');
}

static void take(struct ask *ask, int result, struct slice bytes) {
    struct peek *peek = ask->more;
    if (result == 0 && peek->stage == PEEK_BODY) write_body(bytes, &ask->body);
    if (result == 0 && peek->stage == PEEK_ERROR) json_object_text(&ask->body, "error", bytes);
    if (result == -EBADMSG && peek->stage == PEEK_BODY) {
        json_object_bool(&ask->body, "damaged", true);
    }
}

/* On to what comes after the body or the error that was read or is not there. */
static void step(struct ask *ask) {
    struct peek *peek = ask->more;
    if (peek->stage == PEEK_BODY) {
        peek->stage = PEEK_ERROR;
        return;
    }
    buffer_append_byte(&ask->body, '}');
    peek->stage = PEEK_HEAD;
    peek->index++;
}

/* The next body to read; false at the end. */
static bool next_ref(struct ask *ask, struct body_ref *out) {
    struct peek *peek = ask->more;
    while (peek->index < peek->messages_count) {
        const struct peek_message *message = &peek->messages[peek->index];
        if (peek->stage == PEEK_HEAD) {
            if (ask->body.count > PEEK_BYTES_MAX) return false;
            write_head(message, &ask->body);
            peek->stage = PEEK_BODY;
        }
        *out = peek->stage == PEEK_BODY ? message->message.body : message->error;
        if (out->position != 0) return true;
        step(ask);
    }
    return false;
}

static void read_next(struct ask *ask);

static void on_body(void *context, int result, struct slice bytes) {
    struct ask *ask = context;
    struct peek *peek = ask->more;
    bool is_inside = peek->is_reading;
    peek->is_read = true;
    if (is_inside) {
        take(ask, result, bytes);
        return;
    }
    if (!visit_back(&ask->visit)) return;
    take(ask, result, bytes);
    step(ask);
    read_next(ask);
}

/* A call is counted only when it has not come back within it. */
static void read_next(struct ask *ask) {
    struct peek *peek = ask->more;
    struct body_ref ref;
    while (next_ref(ask, &ref)) {
        peek->is_reading = true;
        peek->is_read = false;
        shard_read_body(ask->shard, ref, on_body, ask);
        peek->is_reading = false;
        if (!peek->is_read) {
            visit_call(&ask->visit);
            return;
        }
        step(ask);
    }
    buffer_append_byte(&ask->body, ']');
    if (peek->index < peek->messages_count) json_object_bool(&ask->body, "cut", true);
    buffer_append_string(&ask->body, "}\n");
    ask_answer(ask);
}

static void on_durable(void *context, bool failed) {
    struct ask *ask = context;
    if (!visit_back(&ask->visit)) return;
    if (failed) {
        ask_refuse_unavailable(ask);
    } else {
        buffer_append_string(&ask->body, "{\"messages\":[");
        read_next(ask);
    }
}

void board_peek_queue(struct ask *ask) {
    const struct broker *broker = shard_broker(ask->shard);
    struct queue_view view;
    uint64_t max = 0;
    if (!ask_number(ask, "max", BOARD_PEEK_DEFAULT, BOARD_PEEK_MAX, &max)) return;
    if (!broker_find_queue(broker, ask->parts[1], &view)) {
        ask_refuse_result(ask, BROKER_QUEUE_NOT_FOUND, "");
        return;
    }
    struct peek *peek = env_alloc(ask->env, sizeof *peek);
    ask->more = peek;
    if (peek == NULL) {
        ask_refuse_result(ask, BROKER_NO_MEMORY, "");
        return;
    }
    peek->messages_count = broker_peek(broker, ask->parts[1], peek->messages, (uint32_t)max);
    visit_call(&ask->visit);
    shard_when_durable(ask->shard, on_durable, ask);
}
