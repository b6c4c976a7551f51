/* SPDX-License-Identifier: Apache-2.0 */
#include "line/kit_writer.h"

#include "base/json.h"

#include <errno.h>

/* An open kit may be older than the file in force: what comes in numbers is an array, or values
 * would be lost. */
static bool is_array(const struct kit_writer *writer, uint32_t part) {
    return writer->join->parts[part].is_array || writer->counts[part] > 1;
}

static void end_part(struct kit_writer *writer) {
    if (writer->parts_begun == 0) return;
    uint32_t part = writer->parts_begun - 1;
    if (is_array(writer, part)) {
        buffer_append_byte(writer->out, ']');
    } else if (writer->values_written == 0) {
        buffer_append(writer->out, SLICE("null"));
    }
}

static void begin_next_part(struct kit_writer *writer) {
    end_part(writer);
    uint32_t part = writer->parts_begun++;
    int32_t station = writer->join->parts[part].station;
    CHECK(station >= 0 && (uint32_t)station < writer->definition->stations_count);
    if (part > 0) buffer_append_byte(writer->out, ',');
    json_write_string(writer->out, slice_from_string(writer->definition->stations[station].name));
    buffer_append_byte(writer->out, ':');
    if (is_array(writer, part)) buffer_append_byte(writer->out, '[');
    writer->values_written = 0;
}

void kit_writer_begin(struct kit_writer *writer, const struct definition *definition,
                      uint32_t station, const uint32_t *counts, struct buffer *out) {
    CHECK(station < definition->stations_count);
    *writer = (struct kit_writer){.definition = definition,
                                  .join = &definition->stations[station],
                                  .counts = counts,
                                  .out = out};
    buffer_append_byte(out, '{');
}

int kit_writer_add(struct kit_writer *writer, uint32_t part, struct slice value) {
    CHECK(part < writer->join->parts_count && part + 1 >= writer->parts_begun);
    if (!json_validate(value, NULL)) return -EINVAL;
    while (writer->parts_begun <= part) begin_next_part(writer);
    if (writer->values_written++ > 0) buffer_append_byte(writer->out, ',');
    buffer_append(writer->out, json_trim(value));
    return 0;
}

void kit_writer_end(struct kit_writer *writer) {
    while (writer->parts_begun < writer->join->parts_count) begin_next_part(writer);
    end_part(writer);
    buffer_append_byte(writer->out, '}');
}
