/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h -- numbers and bytes to and from disk order: little-endian, field by field. */
#ifndef TAKT_BASE_CODEC_H
#define TAKT_BASE_CODEC_H

#include "base/buffer.h"

#include <endian.h>
#include <string.h>

void encode_u8(struct buffer *out, uint8_t value);
void encode_u16(struct buffer *out, uint16_t value);
void encode_u32(struct buffer *out, uint32_t value);
void encode_u64(struct buffer *out, uint64_t value);
void encode_i64(struct buffer *out, int64_t value);
/* A u32 count, then the bytes. */
void encode_slice(struct buffer *out, struct slice value);

void encode_u32_at(char *bytes, uint32_t value);
void encode_u64_at(char *bytes, uint64_t value);

/* Reading stands here, to be inlined: a start does it some hundred million times. Copies and swaps,
 * not casts: the compiler makes one move of them, and no byte order or alignment of the machine gets
 * into a file. (Of a loop over shifted bytes gcc 12 makes a loop.) */
static inline uint32_t decode_u32_at(const char *bytes) {
    uint32_t stored;
    memcpy(&stored, bytes, sizeof stored);
    return le32toh(stored);
}
static inline uint64_t decode_u64_at(const char *bytes) {
    uint64_t stored;
    memcpy(&stored, bytes, sizeof stored);
    return le64toh(stored);
}

/* Reading past the end sets `failed` and gives zeros from there on; ask once at the end. */
struct decoder {
    struct slice rest; /* borrowed; what is not yet read */
    bool failed;
};

/* Borrowed from the input. */
static inline struct slice decode_bytes(struct decoder *decoder, size_t count) {
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
static inline uint8_t decode_u8(struct decoder *decoder) {
    struct slice bytes = decode_bytes(decoder, 1);
    return bytes.count == 0 ? 0 : (uint8_t)bytes.bytes[0];
}
static inline uint16_t decode_u16(struct decoder *decoder) {
    struct slice bytes = decode_bytes(decoder, 2);
    uint16_t stored = 0;
    if (bytes.count > 0) memcpy(&stored, bytes.bytes, sizeof stored);
    return le16toh(stored);
}
static inline uint32_t decode_u32(struct decoder *decoder) {
    struct slice bytes = decode_bytes(decoder, 4);
    return bytes.count == 0 ? 0 : decode_u32_at(bytes.bytes);
}
static inline uint64_t decode_u64(struct decoder *decoder) {
    struct slice bytes = decode_bytes(decoder, 8);
    return bytes.count == 0 ? 0 : decode_u64_at(bytes.bytes);
}
static inline int64_t decode_i64(struct decoder *decoder) {
    return (int64_t)decode_u64(decoder);
}
/* As encode_slice wrote it; borrowed from the input. */
static inline struct slice decode_slice(struct decoder *decoder) {
    return decode_bytes(decoder, decode_u32(decoder));
}

#endif
