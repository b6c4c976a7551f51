/* SPDX-License-Identifier: Apache-2.0 */
/* kit_writer.h -- puts the values of a kit together as one JSON object. Reads nothing itself. */
#ifndef TAKT_LINE_KIT_WRITER_H
#define TAKT_LINE_KIT_WRITER_H

#include "line/definition.h"

struct kit_writer {
    const struct definition *definition; /* borrowed until kit_writer_end */
    const struct definition_station *join;
    const uint32_t *counts; /* borrowed: how many values will come for each of join->parts */
    struct buffer *out;
    uint32_t parts_begun;
    uint32_t values_written; /* of the part begun last */
};

void kit_writer_begin(struct kit_writer *writer, const struct definition *definition,
                      uint32_t station, const uint32_t *counts, struct buffer *out);
/* part: index in the join's parts, never less than the one before. 0; -EINVAL: not JSON. */
TAKT_MUST_USE int kit_writer_add(struct kit_writer *writer, uint32_t part, struct slice value);
/* Write what has not come (null, or an empty array) and the end. Ask out->failed then. */
void kit_writer_end(struct kit_writer *writer);

#endif
