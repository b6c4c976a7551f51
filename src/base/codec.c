/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c -- copies and swaps, not casts: the compiler makes one move of them, and no byte order or
 * alignment of the machine gets into a file. (Of a loop over shifted bytes gcc 12 makes a loop.)
 */
#include "base/codec.h"

#include <endian.h>
#include <string.h>

static void store_u16(char *bytes, uint16_t value) {
    uint16_t stored = htole16(value);
    memcpy(bytes, &stored, sizeof stored);
}

static uint16_t load_u16(const char *bytes) {
    uint16_t stored;
    memcpy(&stored, bytes, sizeof stored);
    return le16toh(stored);
}

void encode_u32_at(char *bytes, uint32_t value) {
    uint32_t stored = htole32(value);
    memcpy(bytes, &stored, sizeof stored);
}
void encode_u64_at(char *bytes, uint64_t value) {
    uint64_t stored = htole64(value);
    memcpy(bytes, &stored, sizeof stored);
}
uint32_t decode_u32_at(const char *bytes) {
    uint32_t stored;
    memcpy(&stored, bytes, sizeof stored);
    return le32toh(stored);
}
uint64_t decode_u64_at(const char *bytes) {
    uint64_t stored;
    memcpy(&stored, bytes, sizeof stored);
    return le64toh(stored);
}

void encode_u8(struct buffer *out, uint8_t value) {
    buffer_append_byte(out, (char)value);
}
void encode_u16(struct buffer *out, uint16_t value) {
    char bytes[2];
    store_u16(bytes, value);
    buffer_append(out, slice_from(bytes, sizeof bytes));
}
void encode_u32(struct buffer *out, uint32_t value) {
    char bytes[4];
    encode_u32_at(bytes, value);
    buffer_append(out, slice_from(bytes, sizeof bytes));
}
void encode_u64(struct buffer *out, uint64_t value) {
    char bytes[8];
    encode_u64_at(bytes, value);
    buffer_append(out, slice_from(bytes, sizeof bytes));
}
void encode_i64(struct buffer *out, int64_t value) {
    encode_u64(out, (uint64_t)value);
}

void encode_slice(struct buffer *out, struct slice value) {
    CHECK(value.count <= UINT32_MAX);
    encode_u32(out, (uint32_t)value.count);
    buffer_append(out, value);
}

struct slice decode_bytes(struct decoder *decoder, size_t count) {
    if (decoder->failed || count > decoder->rest.count) {
        decoder->failed = true;
        decoder->rest = SLICE_EMPTY;
        return SLICE_EMPTY;
    }
    struct slice bytes = slice_from(decoder->rest.bytes, count);
    if (count > 0) decoder->rest.bytes += count; /* they may be NULL, and NULL takes no addition */
    decoder->rest.count -= count;
    return bytes;
}

/* The next bytes, or zeros past the end. */
static const char *next(struct decoder *decoder, size_t count) {
    static const char zeros[8];
    struct slice bytes = decode_bytes(decoder, count);
    return bytes.count == count ? bytes.bytes : zeros;
}

uint8_t decode_u8(struct decoder *decoder) {
    return (uint8_t)*next(decoder, 1);
}
uint16_t decode_u16(struct decoder *decoder) {
    return load_u16(next(decoder, 2));
}
uint32_t decode_u32(struct decoder *decoder) {
    return decode_u32_at(next(decoder, 4));
}
uint64_t decode_u64(struct decoder *decoder) {
    return decode_u64_at(next(decoder, 8));
}
int64_t decode_i64(struct decoder *decoder) {
    return (int64_t)decode_u64(decoder);
}

struct slice decode_slice(struct decoder *decoder) {
    return decode_bytes(decoder, decode_u32(decoder));
}
