/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.h -- bytes that grow at the end.
 *
 * A failed append (out of memory, above bytes_max) sets `failed` and adds nothing; later appends
 * are ignored, so that a caller may write a whole answer and ask once at its end.
 */
#ifndef TAKT_BASE_BUFFER_H
#define TAKT_BASE_BUFFER_H

#include "base/allocator.h"
#include "base/slice.h"

struct buffer {
    const struct allocator *allocator; /* kept until buffer_close */
    char *bytes;
    size_t count;
    size_t capacity;
    size_t bytes_max;
    bool failed;
};

void buffer_open(struct buffer *buffer, const struct allocator *allocator, size_t bytes_max);
void buffer_close(struct buffer *buffer); /* frees; may be opened again */
void buffer_clear(struct buffer *buffer); /* count 0, not failed, memory kept */
/* Make room for more_count bytes, at `bytes + count`. False: no room, or failed before; `failed`
 * is left as it is. */
TAKT_MUST_USE bool buffer_reserve(struct buffer *buffer, size_t more_count);
/* slice: borrowed; not of this buffer itself, whose bytes may move. */
void buffer_append(struct buffer *buffer, struct slice slice);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_printf(struct buffer *buffer, const char *format, ...) TAKT_PRINTF(2, 3);
/* Drop the first `count` bytes, of those that are there (moves the rest to the front). */
void buffer_drop_front(struct buffer *buffer, size_t count);
static inline struct slice buffer_slice(const struct buffer *buffer) {
    return (struct slice){buffer->bytes, buffer->count};
}

#endif
