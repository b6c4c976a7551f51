/* SPDX-License-Identifier: Apache-2.0 */
/* stream_line.h -- the lines that takt and a `stream` worker exchange.
 *
 * To the worker, one line a message:
 *   {"id":"7","task":"JOB/kitchen/3","job":"JOB","station":"kitchen","attempt":1,"body":…}
 * with `body_base64` instead of `body` for a body that is not JSON, and `body_file` (a path) for a
 * kit that is too large for a line. A JSON body is the bytes that came, but for line breaks between
 * its parts, which become spaces.
 *
 * From the worker: {"id":"7","output":…} or {"id":"7","outputs":{…}}, {"id":"7","error":…},
 * {"id":"7","reject":…}. A line that names a message and then is not JSON is an answer too, a wrong
 * one. Whatever else it says is a line for the log.
 */
#ifndef TAKT_LINE_STREAM_LINE_H
#define TAKT_LINE_STREAM_LINE_H

#include "base/json.h"

#define STREAM_LINE_BYTES_MAX (33u * 1024 * 1024)

struct stream_message {
    uint64_t id; /* of this message on this worker */
    struct slice task;
    struct slice job;
    struct slice station;
    uint32_t attempt;
    struct slice body;
    struct slice body_file; /* not empty: a path, instead of `body` */
};

/* Write the line with its newline. */
void stream_line_write(struct buffer *out, const struct stream_message *message);

enum stream_answer_kind {
    STREAM_LOG, /* no answer: a line for the log */
    STREAM_OUTPUT,
    STREAM_OUTPUTS, /* value: an object from stations to values */
    STREAM_ERROR,
    STREAM_REJECT,
    STREAM_WRONG,  /* names a message but says nothing about it, or `outputs` that is no object */
    STREAM_BROKEN, /* names a message, and is not JSON: `error` */
};
struct stream_answer {
    enum stream_answer_kind kind;
    uint64_t id;
    struct slice value;      /* raw, of the line */
    struct json_error error; /* STREAM_BROKEN: its offset is the line's */
};

/* line: borrowed, without its newline. */
struct stream_answer stream_line_read(struct slice line);

#endif
