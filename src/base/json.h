/* SPDX-License-Identifier: Apache-2.0 */
/* json.h -- reads JSON as slices of the bytes that came, and writes JSON text.
 *
 * A value is a slice of the input: what takt hands on are the bytes that came, never a re-print.
 * json_validate must have accepted the whole text before anything else is called on it or on a
 * part of it; the others then cannot fail for bad syntax. RFC 8259, UTF-8 only, no recursion.
 */
#ifndef TAKT_BASE_JSON_H
#define TAKT_BASE_JSON_H

#include "base/arena.h"
#include "base/buffer.h"

#define JSON_DEPTH_MAX 128

enum json_type {
    JSON_NONE, /* no value: a missing member, an empty slice */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json_error {
    size_t offset;       /* of the first byte that cannot be, or where the character or the escape
                            that cannot be begins; the count of the text if it ends too early */
    const char *message; /* a static text, lower case, no full stop */
};

/* Exactly one value, with white space around it. Refuses a nesting deeper than JSON_DEPTH_MAX,
 * invalid UTF-8, a byte order mark and lone surrogate escapes. error may be NULL. */
TAKT_MUST_USE bool json_validate(struct slice text, struct json_error *error);

/* The value without white space around it. */
struct slice json_trim(struct slice text);
enum json_type json_type(struct slice value);
/* The raw value of a member (the last one if a name comes twice), or an empty slice. */
struct slice json_member(struct slice object, struct slice name);
/* Of a text that json_validate has refused at `offset`: as json_member, of the members that stand
 * whole before there. Empty too if the text begins with no object. */
struct slice json_member_before(struct slice text, size_t offset, struct slice name);
/* The raw value of element `index`, or an empty slice. */
struct slice json_element(struct slice array, size_t index);
size_t json_count(struct slice array_or_object);

/* for (struct json_iterator i = json_iterate(value); json_next(&i);) … i.name (raw, with quotes;
 * empty in an array), i.value (raw). */
struct json_iterator {
    struct slice rest;
    struct slice name;
    struct slice value;
    bool is_object;
};
struct json_iterator json_iterate(struct slice array_or_object);
bool json_next(struct json_iterator *iterator);

/* The text of a raw string with its escapes resolved, UTF-8, in the arena (or a slice of the input
 * if it has none). It may hold NUL bytes (from \u0000). False if out of memory, or no string. */
TAKT_MUST_USE bool json_string(struct arena *arena, struct slice raw, struct slice *out);
/* True if the raw string's text is `text` (escapes resolved; no allocation). */
bool json_string_equal(struct slice raw, struct slice text);
/* An integer written without fraction or exponent, within the bounds; false for all else. */
bool json_to_i64(struct slice raw, int64_t min, int64_t max, int64_t *out);
/* The nearest double, in every locale. False if it is no number, or above the largest double. */
bool json_to_double(struct slice raw, double *out);
/* Compare two scalar values as jq 1.6 does for ==: numbers by value (as doubles), strings by text,
 * and no value at all (JSON_NONE) is null. False for arrays and objects. */
bool json_scalar_equal(struct slice a, struct slice b);

/* Writing: straight into a buffer. */
void json_write_string(struct buffer *out, struct slice text); /* with quotes; escapes as needed;
                                                                  each byte of invalid UTF-8 becomes
                                                                  U+FFFD */
void json_write_i64(struct buffer *out, int64_t value);

#endif
