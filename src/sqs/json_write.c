/* SPDX-License-Identifier: Apache-2.0 */
/* json_write.c -- AWS JSON 1.0: answers, and the table of the protocol.
 *
 * Maps are objects, lists are arrays of what they hold; elements have no names here.
 */
#include "base/json.h"
#include "sqs/base64.h"
#include "sqs/json_protocol.h"

#include <inttypes.h>

static void next(struct sqs_writer *writer) {
    if (writer->follows) buffer_append_byte(writer->out, ',');
    writer->follows = true;
}

static void write_name(struct sqs_writer *writer, struct slice name) {
    next(writer);
    json_write_string(writer->out, name);
    buffer_append_byte(writer->out, ':');
}

static void open_bracket(struct sqs_writer *writer, char bracket) {
    buffer_append_byte(writer->out, bracket);
    writer->follows = false;
}

static void close_bracket(struct sqs_writer *writer, char bracket) {
    buffer_append_byte(writer->out, bracket);
    writer->follows = true;
}

static void begin(struct sqs_writer *writer) {
    open_bracket(writer, '{');
}

static void end(struct sqs_writer *writer) {
    close_bracket(writer, '}');
}

static void write_text(struct sqs_writer *writer, struct slice name, struct slice value) {
    write_name(writer, name);
    json_write_string(writer->out, value);
}

static void write_number(struct sqs_writer *writer, struct slice name, int64_t value) {
    write_name(writer, name);
    buffer_printf(writer->out, "%" PRIi64, value);
}

static void write_boolean(struct sqs_writer *writer, struct slice name, bool value) {
    write_name(writer, name);
    buffer_append(writer->out, value ? SLICE("true") : SLICE("false"));
}

static void write_bytes(struct sqs_writer *writer, struct slice name, struct slice value) {
    write_name(writer, name);
    buffer_append_byte(writer->out, '"');
    base64_write(writer->out, value);
    buffer_append_byte(writer->out, '"');
}

static void list_begin(struct sqs_writer *writer, struct slice list) {
    write_name(writer, list);
    open_bracket(writer, '[');
}

static void list_text(struct sqs_writer *writer, struct slice element, struct slice value) {
    (void)element;
    next(writer);
    json_write_string(writer->out, value);
}

static void item_begin(struct sqs_writer *writer, struct slice element) {
    (void)element;
    next(writer);
    open_bracket(writer, '{');
}

static void item_end(struct sqs_writer *writer, struct slice element) {
    (void)element;
    close_bracket(writer, '}');
}

static void list_end(struct sqs_writer *writer) {
    close_bracket(writer, ']');
}

static void map_begin(struct sqs_writer *writer, struct slice map) {
    write_name(writer, map);
    open_bracket(writer, '{');
}

static void map_text(struct sqs_writer *writer, struct slice element, struct slice key,
                     struct slice value) {
    (void)element;
    write_text(writer, key, value);
}

static void map_item_begin(struct sqs_writer *writer, struct slice element, struct slice key) {
    (void)element;
    write_name(writer, key);
    open_bracket(writer, '{');
}

static void map_end(struct sqs_writer *writer) {
    close_bracket(writer, '}');
}

/* What any service may say has the namespace of the framework, what only SQS says has its own. */
static void write_fault(struct buffer *out, const struct sqs_fault *fault,
                        struct slice request_id) {
    (void)request_id;
    buffer_append(out, SLICE("{\"__type\":\""));
    if (strchr(fault->type, '#') == NULL) buffer_append(out, SLICE("com.amazonaws.sqs#"));
    buffer_append_string(out, fault->type);
    buffer_append(out, SLICE("\",\"message\":"));
    json_write_string(out, fault->words);
    buffer_append_byte(out, '}');
}

const struct sqs_protocol sqs_protocol_json = {
    .content_type = "application/x-amz-json-1.0",
    .has_error_header = true,
    .open = json_open_request,
    .read = json_read_request,
    .write_fault = write_fault,
    .begin = begin,
    .end = end,
    .text = write_text,
    .number = write_number,
    .boolean = write_boolean,
    .bytes = write_bytes,
    .list_begin = list_begin,
    .list_text = list_text,
    .item_begin = item_begin,
    .item_end = item_end,
    .list_end = list_end,
    .map_begin = map_begin,
    .map_text = map_text,
    .map_item_begin = map_item_begin,
    .map_item_end = item_end,
    .map_end = map_end,
};
