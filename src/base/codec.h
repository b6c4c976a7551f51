/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h -- numbers and bytes to and from disk order: little-endian, field by field. */
#ifndef TAKT_BASE_CODEC_H
#define TAKT_BASE_CODEC_H

#include "base/buffer.h"

void encode_u8(struct buffer *out, uint8_t value);
void encode_u16(struct buffer *out, uint16_t value);
void encode_u32(struct buffer *out, uint32_t value);
void encode_u64(struct buffer *out, uint64_t value);
void encode_i64(struct buffer *out, int64_t value);
/* A u32 count, then the bytes. */
void encode_slice(struct buffer *out, struct slice value);

void encode_u32_at(char *bytes, uint32_t value);
void encode_u64_at(char *bytes, uint64_t value);
uint32_t decode_u32_at(const char *bytes);
uint64_t decode_u64_at(const char *bytes);

/* Reading past the end sets `failed` and gives zeros from there on; ask once at the end. */
struct decoder {
    struct slice rest; /* borrowed; what is not yet read */
    bool failed;
};
uint8_t decode_u8(struct decoder *decoder);
uint16_t decode_u16(struct decoder *decoder);
uint32_t decode_u32(struct decoder *decoder);
uint64_t decode_u64(struct decoder *decoder);
int64_t decode_i64(struct decoder *decoder);
struct slice decode_slice(struct decoder *decoder); /* borrowed from the input */
struct slice decode_bytes(struct decoder *decoder, size_t count);

#endif
