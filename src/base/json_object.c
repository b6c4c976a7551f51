/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_object.h"

#include "base/json.h"

/* A value never ends in an opening bracket, so that the byte before tells. */
static void separate(struct buffer *out, char opening) {
    if (out->count > 0 && out->bytes[out->count - 1] != opening) buffer_append_byte(out, ',');
}

void json_object_name(struct buffer *out, const char *name) {
    separate(out, '{');
    buffer_append_byte(out, '"');
    buffer_append_string(out, name);
    buffer_append_string(out, "\":");
}

void json_object_text(struct buffer *out, const char *name, struct slice text) {
    json_object_name(out, name);
    json_write_string(out, text);
}

void json_object_number(struct buffer *out, const char *name, int64_t value) {
    json_object_name(out, name);
    json_write_i64(out, value);
}

void json_object_bool(struct buffer *out, const char *name, bool value) {
    json_object_name(out, name);
    buffer_append_string(out, value ? "true" : "false");
}

void json_object_time(struct buffer *out, const char *name, struct wall_time time) {
    if (time.ms == 0) return;
    char text[WALL_TIME_TEXT_BYTES];
    wall_time_text(time, text);
    json_object_text(out, name, slice_from_string(text));
}

void json_array_next(struct buffer *out) {
    separate(out, '[');
}
