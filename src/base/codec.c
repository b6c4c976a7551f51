/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

static void store_u16(char *bytes, uint16_t value) {
    uint16_t stored = htole16(value);
    memcpy(bytes, &stored, sizeof stored);
}

void encode_u32_at(char *bytes, uint32_t value) {
    uint32_t stored = htole32(value);
    memcpy(bytes, &stored, sizeof stored);
}
void encode_u64_at(char *bytes, uint64_t value) {
    uint64_t stored = htole64(value);
    memcpy(bytes, &stored, sizeof stored);
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
