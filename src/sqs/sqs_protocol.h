/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_protocol.h -- how a request is read and an answer written: a table of functions, so that
 * actions are the same in every protocol.
 */
#ifndef TAKT_SQS_SQS_PROTOCOL_H
#define TAKT_SQS_SQS_PROTOCOL_H

#include "base/buffer.h"
#include "http/server.h"
#include "sqs/sqs_error.h"
#include "sqs/sqs_shape.h"

/* What is known of a request before its action's shape is: in the request's arena. */
struct sqs_parsed {
    struct slice action;
    const void *form; /* the protocol's own */
};

/* One answer being written. The functions append; ask the buffer at the end whether it failed. */
struct sqs_writer {
    const struct sqs_protocol *protocol;
    struct buffer *out;
    struct slice action;
    struct slice request_id;
    bool has_result; /* the action answers with members, be there none this time */
    bool follows;    /* something stands before the next member */
};

struct sqs_protocol {
    const char *content_type;
    bool has_error_header; /* x-amzn-query-error: what the error is called in Query */
    /* Which action? False: *fault says why. */
    bool (*open)(const struct http_request *request, struct sqs_parsed *parsed,
                 struct sqs_fault *fault);
    /* Fill `input` (zeroed, of shape->bytes_count) from the request. Slices point into the request's
     * body or its arena. False: *fault says why. */
    bool (*read)(const struct http_request *request, const struct sqs_parsed *parsed,
                 const struct sqs_shape *shape, void *input, struct sqs_fault *fault);
    void (*write_fault)(struct buffer *out, const struct sqs_fault *fault, struct slice request_id);

    /* An answer is begin, members, end. */
    void (*begin)(struct sqs_writer *writer);
    void (*end)(struct sqs_writer *writer);
    void (*text)(struct sqs_writer *writer, struct slice name, struct slice value);
    void (*number)(struct sqs_writer *writer, struct slice name, int64_t value);
    void (*boolean)(struct sqs_writer *writer, struct slice name, bool value);
    void (*bytes)(struct sqs_writer *writer, struct slice name, struct slice value);
    /* A list called `list`, whose elements are called `element` where each has a name. Between
     * begin and end: list_text, or item_begin, members, item_end. */
    void (*list_begin)(struct sqs_writer *writer, struct slice list);
    void (*list_text)(struct sqs_writer *writer, struct slice element, struct slice value);
    void (*item_begin)(struct sqs_writer *writer, struct slice element);
    void (*item_end)(struct sqs_writer *writer, struct slice element);
    void (*list_end)(struct sqs_writer *writer);
    /* A map called `map`, its entries `element`. Between begin and end: map_text, or
     * map_item_begin, members, map_item_end. */
    void (*map_begin)(struct sqs_writer *writer, struct slice map);
    void (*map_text)(struct sqs_writer *writer, struct slice element, struct slice key,
                     struct slice value);
    void (*map_item_begin)(struct sqs_writer *writer, struct slice element, struct slice key);
    void (*map_item_end)(struct sqs_writer *writer, struct slice element);
    void (*map_end)(struct sqs_writer *writer);
};

extern const struct sqs_protocol sqs_protocol_json;  /* AWS JSON 1.0 */
extern const struct sqs_protocol sqs_protocol_query; /* parameters in, XML out */

/* The one that the request speaks, whatever else may be wrong with it. */
const struct sqs_protocol *sqs_protocol_of(const struct http_request *request);
/* Its content type without parameters. */
struct slice sqs_content_type(const struct http_request *request);

/* The field of that name in JSON, or NULL. */
const struct sqs_field *sqs_shape_find(const struct sqs_shape *shape, struct slice name);
/* The field whose element is called so in Query, or NULL. */
const struct sqs_field *sqs_shape_find_element(const struct sqs_shape *shape, struct slice element);
/* What the key of a map's entry is called in Query: tags have another word than the rest. */
struct slice sqs_shape_key_word(struct slice element);
/* Is everything given that is required? Called by readers, for the request itself: what is missing
 * in an entry of a batch is that entry's own fault. */
bool sqs_shape_check(const struct sqs_shape *shape, const void *input, struct sqs_fault *fault);
bool sqs_fail_unknown_parameter(struct slice name, struct sqs_fault *fault);

#endif
