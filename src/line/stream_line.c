/* SPDX-License-Identifier: Apache-2.0 */
#include "line/stream_line.h"

#include <inttypes.h>

static void write_base64(struct buffer *out, struct slice bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)bytes.bytes;
    for (size_t i = 0; i < bytes.count; i += 3) {
        size_t left = bytes.count - i;
        uint32_t group = (uint32_t)in[i] << 16;
        if (left > 1) group |= (uint32_t)in[i + 1] << 8;
        if (left > 2) group |= in[i + 2];
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63], '=', '='};
        if (left > 1) text[2] = digits[group >> 6 & 63];
        if (left > 2) text[3] = digits[group & 63];
        buffer_append(out, slice_from(text, sizeof text));
    }
}

/* In JSON a line break can only stand between values: inside a string it is escaped. */
static void write_json_in_one_line(struct buffer *out, struct slice body) {
    size_t start = out->count;
    buffer_append(out, body);
    if (out->failed) return;
    for (size_t i = start; i < out->count; i++) {
        if (out->bytes[i] == '\n' || out->bytes[i] == '\r') out->bytes[i] = ' ';
    }
}

static void write_member(struct buffer *out, const char *name, struct slice text) {
    buffer_printf(out, ",\"%s\":", name);
    json_write_string(out, text);
}

void stream_line_write(struct buffer *out, const struct stream_message *message) {
    buffer_printf(out, "{\"id\":\"%" PRIu64 "\"", message->id);
    write_member(out, "task", message->task);
    write_member(out, "job", message->job);
    write_member(out, "station", message->station);
    buffer_printf(out, ",\"attempt\":%" PRIu32, message->attempt);
    if (message->body_file.count > 0) {
        write_member(out, "body_file", message->body_file);
    } else if (json_validate(message->body, NULL)) {
        buffer_append_string(out, ",\"body\":");
        write_json_in_one_line(out, json_trim(message->body));
    } else {
        buffer_append_string(out, ",\"body_base64\":\"");
        write_base64(out, message->body);
        buffer_append_byte(out, '"');
    }
    buffer_append_string(out, "}\n");
}

/* The id is a string as it was sent; a handler that made a number of it means the same. */
static bool read_id(struct slice raw, uint64_t *id) {
    if (raw.count > 2 && raw.bytes[0] == '"') {
        raw = slice_from(raw.bytes + 1, raw.count - 2);
    }
    return slice_to_u64(raw, UINT64_MAX, id);
}

/* A handler that prints NaN or half a character has answered all the same: waiting for more would
 * only end in a timeout that says nothing. */
static struct stream_answer read_broken(struct slice line, const struct json_error *error) {
    struct stream_answer answer = {.kind = STREAM_LOG, .error = *error};
    struct slice id = json_member_before(line, error->offset, SLICE("id"));
    if (read_id(id, &answer.id)) answer.kind = STREAM_BROKEN;
    return answer;
}

struct stream_answer stream_line_read(struct slice line) {
    static const struct {
        const char *name;
        enum stream_answer_kind kind;
    } members[] = {
        {"output", STREAM_OUTPUT},
        {"outputs", STREAM_OUTPUTS},
        {"error", STREAM_ERROR},
        {"reject", STREAM_REJECT},
    };
    struct stream_answer answer = {.kind = STREAM_LOG};
    struct slice object = json_trim(line);
    if (object.count == 0 || object.bytes[0] != '{') return answer;
    struct json_error error;
    if (!json_validate(line, &error)) return read_broken(line, &error);
    if (!read_id(json_member(object, SLICE("id")), &answer.id)) return answer;

    answer.kind = STREAM_WRONG;
    for (size_t i = 0; i < ARRAY_COUNT(members); i++) {
        struct slice value = json_member(object, slice_from_string(members[i].name));
        if (json_type(value) == JSON_NONE) continue;
        answer.kind = members[i].kind;
        answer.value = value;
        break;
    }
    bool is_object = json_type(answer.value) == JSON_OBJECT;
    if (answer.kind == STREAM_OUTPUTS && !is_object) answer.kind = STREAM_WRONG;
    return answer;
}
