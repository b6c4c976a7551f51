/* SPDX-License-Identifier: Apache-2.0 */
/* codec.c -- shifts, not casts: the compiler makes one move of them, and no byte order or
 * alignment of the machine gets into a file.
 */
#include "base/codec.h"

static void store(char *bytes, uint64_t value, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (char)(unsigned char)(value >> (8 * i));
    }
}

static uint64_t load(const char *bytes, size_t count) {
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    }
    return value;
}

static void encode(struct buffer *out, uint64_t value, size_t count) {
    char bytes[8];
    store(bytes, value, count);
    buffer_append(out, slice_from(bytes, count));
}

void encode_u8(struct buffer *out, uint8_t value) {
    encode(out, value, 1);
}
void encode_u16(struct buffer *out, uint16_t value) {
    encode(out, value, 2);
}
void encode_u32(struct buffer *out, uint32_t value) {
    encode(out, value, 4);
}
void encode_u64(struct buffer *out, uint64_t value) {
    encode(out, value, 8);
}
void encode_i64(struct buffer *out, int64_t value) {
    encode(out, (uint64_t)value, 8);
}

void encode_slice(struct buffer *out, struct slice value) {
    CHECK(value.count <= UINT32_MAX);
    encode_u32(out, (uint32_t)value.count);
    buffer_append(out, value);
}

void encode_u32_at(char *bytes, uint32_t value) {
    store(bytes, value, 4);
}
void encode_u64_at(char *bytes, uint64_t value) {
    store(bytes, value, 8);
}
uint32_t decode_u32_at(const char *bytes) {
    return (uint32_t)load(bytes, 4);
}
uint64_t decode_u64_at(const char *bytes) {
    return load(bytes, 8);
}

struct slice decode_bytes(struct decoder *decoder, size_t count) {
    if (decoder->failed || count > decoder->rest.count) {
        decoder->failed = true;
        decoder->rest = SLICE_EMPTY;
        return SLICE_EMPTY;
    }
    struct slice bytes = slice_from(decoder->rest.bytes, count);
    decoder->rest = slice_skip(decoder->rest, count);
    return bytes;
}

static uint64_t decode(struct decoder *decoder, size_t count) {
    struct slice bytes = decode_bytes(decoder, count);
    return load(bytes.bytes, bytes.count); /* 0 for the empty slice of a failure */
}

uint8_t decode_u8(struct decoder *decoder) {
    return (uint8_t)decode(decoder, 1);
}
uint16_t decode_u16(struct decoder *decoder) {
    return (uint16_t)decode(decoder, 2);
}
uint32_t decode_u32(struct decoder *decoder) {
    return (uint32_t)decode(decoder, 4);
}
uint64_t decode_u64(struct decoder *decoder) {
    return decode(decoder, 8);
}
int64_t decode_i64(struct decoder *decoder) {
    return (int64_t)decode(decoder, 8);
}

struct slice decode_slice(struct decoder *decoder) {
    return decode_bytes(decoder, decode_u32(decoder));
}
