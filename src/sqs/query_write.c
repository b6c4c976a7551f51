/* SPDX-License-Identifier: Apache-2.0 */
/* query_write.c -- the Query protocol: answers in XML, and the table of the protocol.
 *
 * Lists and maps are flat: their elements stand where they would, each under its own name.
 */
#include "sqs/base64.h"
#include "sqs/query_protocol.h"

#include <inttypes.h>

#define NAMESPACE "http://queue.amazonaws.com/doc/2012-11-05/"

/* ---- XML ------------------------------------------------------------------------------------- */

/* A carriage return would be read as a line feed. */
static const char *escape_of(unsigned char byte) {
    switch (byte) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\r': return "&#xD;";
    default: return NULL;
    }
}

/* How many bytes the character at the start has, if XML 1.0 has it; else 0. */
static size_t character_step(struct slice rest) {
    const unsigned char *bytes = (const unsigned char *)rest.bytes;
    if (bytes[0] < 0x80) return bytes[0] >= 0x20 || bytes[0] == '\t' || bytes[0] == '\n';
    size_t step = slice_utf8_step(rest);
    bool is_none = step == 3 && bytes[0] == 0xEF && bytes[1] == 0xBF && bytes[2] >= 0xBE;
    return is_none ? 0 : step; /* U+FFFE and U+FFFF */
}

/* What no client can send but a station's program can put out (bytes that are not text) becomes the
 * replacement character: XML has no way to say it. */
static void write_escaped(struct buffer *out, struct slice text) {
    size_t written = 0;
    size_t at = 0;
    while (at < text.count) {
        const char *escape = escape_of((unsigned char)text.bytes[at]);
        size_t step = escape != NULL ? 0 : character_step(slice_skip(text, at));
        if (step > 0) {
            at += step;
            continue;
        }
        buffer_append(out, slice_from(text.bytes + written, at - written));
        buffer_append_string(out, escape != NULL ? escape : "&#xFFFD;");
        written = ++at;
    }
    if (at > written) buffer_append(out, slice_from(text.bytes + written, at - written));
}

static void open_tag(struct buffer *out, struct slice name) {
    buffer_append_byte(out, '<');
    buffer_append(out, name);
    buffer_append_byte(out, '>');
}

static void close_tag(struct buffer *out, struct slice name) {
    buffer_append(out, SLICE("</"));
    buffer_append(out, name);
    buffer_append_byte(out, '>');
}

static void write_element(struct buffer *out, struct slice name, struct slice text) {
    open_tag(out, name);
    write_escaped(out, text);
    close_tag(out, name);
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void begin(struct sqs_writer *writer) {
    buffer_append(writer->out, SLICE("<?xml version=\"1.0\"?><"));
    buffer_append(writer->out, writer->action);
    buffer_append(writer->out, SLICE("Response xmlns=\"" NAMESPACE "\">"));
    if (!writer->has_result) return;
    buffer_append_byte(writer->out, '<');
    buffer_append(writer->out, writer->action);
    buffer_append(writer->out, SLICE("Result>"));
}

static void end(struct sqs_writer *writer) {
    if (writer->has_result) {
        buffer_append(writer->out, SLICE("</"));
        buffer_append(writer->out, writer->action);
        buffer_append(writer->out, SLICE("Result>"));
    }
    buffer_append(writer->out, SLICE("<ResponseMetadata>"));
    write_element(writer->out, SLICE("RequestId"), writer->request_id);
    buffer_append(writer->out, SLICE("</ResponseMetadata></"));
    buffer_append(writer->out, writer->action);
    buffer_append(writer->out, SLICE("Response>"));
}

static void write_text(struct sqs_writer *writer, struct slice name, struct slice value) {
    write_element(writer->out, name, value);
}

static void write_number(struct sqs_writer *writer, struct slice name, int64_t value) {
    open_tag(writer->out, name);
    buffer_printf(writer->out, "%" PRIi64, value);
    close_tag(writer->out, name);
}

static void write_boolean(struct sqs_writer *writer, struct slice name, bool value) {
    write_element(writer->out, name, value ? SLICE("true") : SLICE("false"));
}

static void write_bytes(struct sqs_writer *writer, struct slice name, struct slice value) {
    open_tag(writer->out, name);
    base64_write(writer->out, value);
    close_tag(writer->out, name);
}

static void begin_nothing(struct sqs_writer *writer, struct slice name) {
    (void)writer;
    (void)name;
}

static void end_nothing(struct sqs_writer *writer) {
    (void)writer;
}

static void item_begin(struct sqs_writer *writer, struct slice element) {
    open_tag(writer->out, element);
}

static void item_end(struct sqs_writer *writer, struct slice element) {
    close_tag(writer->out, element);
}

static void map_text(struct sqs_writer *writer, struct slice element, struct slice key,
                     struct slice value) {
    open_tag(writer->out, element);
    write_element(writer->out, sqs_shape_key_word(element), key);
    write_element(writer->out, SLICE("Value"), value);
    close_tag(writer->out, element);
}

static void map_item_begin(struct sqs_writer *writer, struct slice element, struct slice key) {
    open_tag(writer->out, element);
    write_element(writer->out, sqs_shape_key_word(element), key);
    open_tag(writer->out, SLICE("Value"));
}

static void map_item_end(struct sqs_writer *writer, struct slice element) {
    close_tag(writer->out, SLICE("Value"));
    close_tag(writer->out, element);
}

static void write_fault(struct buffer *out, const struct sqs_fault *fault,
                        struct slice request_id) {
    struct slice words =
        fault->query_words == NULL ? fault->words : slice_from_string(fault->query_words);
    buffer_append(out,
                  SLICE("<?xml version=\"1.0\"?><ErrorResponse xmlns=\"" NAMESPACE "\"><Error>"));
    write_element(out, SLICE("Type"), fault->status < 500 ? SLICE("Sender") : SLICE("Receiver"));
    write_element(out, SLICE("Code"), slice_from_string(fault->code));
    write_element(out, SLICE("Message"), words);
    buffer_append(out, SLICE("<Detail/></Error>"));
    write_element(out, SLICE("RequestId"), request_id);
    buffer_append(out, SLICE("</ErrorResponse>"));
}

const struct sqs_protocol sqs_protocol_query = {
    .content_type = "text/xml",
    .has_error_header = false,
    .open = query_open_request,
    .read = query_read_request,
    .write_fault = write_fault,
    .begin = begin,
    .end = end,
    .text = write_text,
    .number = write_number,
    .boolean = write_boolean,
    .bytes = write_bytes,
    .list_begin = begin_nothing,
    .list_text = write_text,
    .item_begin = item_begin,
    .item_end = item_end,
    .list_end = end_nothing,
    .map_begin = begin_nothing,
    .map_text = map_text,
    .map_item_begin = map_item_begin,
    .map_item_end = map_item_end,
    .map_end = end_nothing,
};
