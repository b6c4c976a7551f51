/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.c -- the capacity doubles, up to bytes_max and one byte more: buffer_printf writes
 * straight into the buffer, and vsnprintf wants room for its terminator.
 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>

#define BUFFER_CAPACITY_MIN 64u

void buffer_open(struct buffer *buffer, const struct allocator *allocator, size_t bytes_max) {
    /* The halving makes every sum below safe from overflow. */
    if (bytes_max > SIZE_MAX / 2 - 1) bytes_max = SIZE_MAX / 2 - 1;
    *buffer = (struct buffer){.allocator = allocator, .bytes_max = bytes_max};
}

void buffer_close(struct buffer *buffer) {
    allocator_give_back(buffer->allocator, buffer->bytes);
    buffer_open(buffer, buffer->allocator, buffer->bytes_max);
}

void buffer_clear(struct buffer *buffer) {
    buffer->count = 0;
    buffer->failed = false;
}

bool buffer_reserve(struct buffer *buffer, size_t more_count) {
    if (buffer->failed || more_count > buffer->bytes_max - buffer->count) return false;
    size_t needed = buffer->count + more_count + 1;
    if (needed <= buffer->capacity) return true;

    size_t capacity =
        buffer->capacity < BUFFER_CAPACITY_MIN / 2 ? BUFFER_CAPACITY_MIN : buffer->capacity * 2;
    if (capacity > buffer->bytes_max + 1) capacity = buffer->bytes_max + 1;
    if (capacity < needed) capacity = needed;
    char *bytes = allocator_resize_array(buffer->allocator, buffer->bytes, capacity, 1);
    if (bytes == NULL) return false;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(struct buffer *buffer, struct slice slice) {
    if (!buffer_reserve(buffer, slice.count)) {
        buffer->failed = true;
        return;
    }
    if (slice.count == 0) return;
    memcpy(buffer->bytes + buffer->count, slice.bytes, slice.count);
    buffer->count += slice.count;
}

void buffer_append_string(struct buffer *buffer, const char *string) {
    buffer_append(buffer, slice_from_string(string));
}

void buffer_append_byte(struct buffer *buffer, char byte) {
    buffer_append(buffer, slice_from(&byte, 1));
}

void buffer_printf(struct buffer *buffer, const char *format, ...) {
    if (!buffer_reserve(buffer, 0)) {
        buffer->failed = true;
        return;
    }
    size_t room = buffer->capacity - buffer->count;
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(buffer->bytes + buffer->count, room, format, arguments);
    va_end(arguments);
    CHECK(count >= 0); /* the format is ours, and no result is near INT_MAX */

    if (!buffer_reserve(buffer, (size_t)count)) {
        buffer->failed = true;
        return;
    }
    if ((size_t)count >= room) { /* it was cut: once more, now that there is room */
        va_start(arguments, format);
        vsnprintf(buffer->bytes + buffer->count, (size_t)count + 1, format, arguments);
        va_end(arguments);
    }
    buffer->count += (size_t)count;
}

void buffer_drop_front(struct buffer *buffer, size_t count) {
    CHECK(count <= buffer->count);
    if (count == 0) return;
    buffer->count -= count;
    memmove(buffer->bytes, buffer->bytes + count, buffer->count);
}
