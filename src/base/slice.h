/* SPDX-License-Identifier: Apache-2.0 */
/* slice.h -- bytes that somebody else owns: a pointer and a count, not terminated. */
#ifndef TAKT_BASE_SLICE_H
#define TAKT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *bytes; /* borrowed; may be NULL if count is 0 */
    size_t count;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})
#define SLICE_EMPTY ((struct slice){NULL, 0})
/* For printf("%.*s", SLICE_ARGS(slice)). */
#define SLICE_ARGS(slice) (int)(slice).count, (slice).count == 0 ? "" : (slice).bytes

static inline struct slice slice_from(const void *bytes, size_t count) {
    return (struct slice){bytes, count};
}
static inline struct slice slice_from_string(const char *string) {
    return (struct slice){string, string == NULL ? 0 : strlen(string)};
}
static inline bool slice_equal(struct slice a, struct slice b) {
    return a.count == b.count && (a.count == 0 || memcmp(a.bytes, b.bytes, a.count) == 0);
}
static inline bool slice_equal_string(struct slice a, const char *b) {
    return slice_equal(a, slice_from_string(b));
}
bool slice_equal_ignore_case(struct slice a, struct slice b); /* ASCII only */
bool slice_starts_with(struct slice slice, struct slice prefix);
bool slice_ends_with(struct slice slice, struct slice suffix);
/* <0, 0, >0 as memcmp; a prefix is less than what it is a prefix of. */
int slice_compare(struct slice a, struct slice b);
/* The slice without its first `count` bytes (at most all of them). */
struct slice slice_skip(struct slice slice, size_t count);
/* Without ASCII space, tab, CR and LF at both ends. */
struct slice slice_trim(struct slice slice);
/* Cut at the first `separator`: *head is what stands before it, *tail what stands after. False if
 * there is none; then *head is the whole and *tail is empty. */
bool slice_cut(struct slice slice, char separator, struct slice *head, struct slice *tail);
/* Decimal digits only, no sign, no space. False if empty, not a number or above `max`. */
bool slice_to_u64(struct slice slice, uint64_t max, uint64_t *out);
/* The same with an optional '-' in front. */
bool slice_to_i64(struct slice slice, int64_t min, int64_t max, int64_t *out);
/* True if the bytes are well-formed UTF-8 (no surrogates, no overlong forms). NUL is allowed. */
bool slice_is_utf8(struct slice slice);
/* How many bytes (1 to 4) the well-formed UTF-8 character at the start has; 0 if there is none. */
size_t slice_utf8_step(struct slice slice);

#endif
