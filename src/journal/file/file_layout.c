/* SPDX-License-Identifier: Apache-2.0 */
/* file_layout.c -- byte for byte.
 *
 *   segment header: 0 magic, 8 u32 format, 12 zero, 16 u64 number, 24 u64 capacity, 32 u64 checksum
 *   reach:          at 512 and at 1024: 0 u64 segment number, 8 u64 reach, 16 u64 checksum; or zeros
 *   batch header:   0 u32 magic, 4 u32 records, 8 u64 segment number, 16 u64 offset, 24 u64 epoch,
 *                   32 u64 first LSN, 40 u64 durable, 48 u64 bytes of bodies, 56 u32 bytes of
 *                   records, 60 u32 1 if all before was durable, 64 u64 checksum of the records, 72 u64 checksum of 0 to 71
 */
#include "journal/file/file_layout.h"

#include "base/codec.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT_CHECKED_BYTES 32u
#define REACH_CHECKED_BYTES 16u
#define REACH_STEP_BYTES 512u
#define BATCH_MAGIC_BYTES (sizeof FILE_BATCH_MAGIC - 1)
#define BATCH_CHECKED_BYTES 72u
#define NUMBERS_END (UINT64_C(1) << 62)

static const char segment_magic[8] = {'T', 'A', 'K', 'T', 's', 'e', 'g', '\n'};

static void name_write(uint64_t number, const char *kind, char name[FILE_NAME_BYTES]) {
    snprintf(name, FILE_NAME_BYTES, "%016llx.%s", (unsigned long long)number, kind);
}

static uint64_t name_read(const char *name, struct slice ending) {
    struct slice text = slice_from_string(name);
    if (text.count != 16 + ending.count || !slice_ends_with(text, ending)) return 0;
    uint8_t bytes[8];
    if (!hex_read(slice_from(name, 16), bytes, sizeof bytes)) return 0;
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof bytes; i++) number = number << 8 | bytes[i];
    return number;
}

void file_name_write(uint64_t number, char name[FILE_NAME_BYTES]) {
    name_write(number, "segment", name);
}

uint64_t file_name_read(const char *name) {
    return name_read(name, SLICE(".segment"));
}

void file_summary_name_write(uint64_t number, char name[FILE_NAME_BYTES]) {
    name_write(number, "summary", name);
}

uint64_t file_summary_name_read(const char *name) {
    return name_read(name, SLICE(".summary"));
}

uint64_t file_reach_offset(uint32_t slot) {
    CHECK(slot < FILE_REACH_SLOTS);
    return (slot + 1) * REACH_STEP_BYTES;
}

void file_reach_encode(char *out, uint64_t seed, uint64_t number, uint64_t reach) {
    encode_u64_at(out, number);
    encode_u64_at(out + 8, reach);
    encode_u64_at(out + 16, hash64_seeded(slice_from(out, REACH_CHECKED_BYTES), seed));
}

void file_segment_header_encode(char *out, uint64_t seed, uint64_t number,
                                const struct file_segment_header *header) {
    memset(out, 0, FILE_SEGMENT_HEADER_BYTES);
    memcpy(out, segment_magic, sizeof segment_magic);
    encode_u32_at(out + 8, FILE_FORMAT);
    encode_u64_at(out + 16, number);
    encode_u64_at(out + 24, header->capacity);
    encode_u64_at(out + 32, hash64_seeded(slice_from(out, SEGMENT_CHECKED_BYTES), seed));
    file_reach_encode(out + file_reach_offset(0), seed, number, header->reach);
}

/* 0: never written. UINT64_MAX: not readable. */
static uint64_t reach_decode(const char *at, uint64_t seed, uint64_t number) {
    static const char zeros[FILE_REACH_BYTES];
    if (memcmp(at, zeros, sizeof zeros) == 0) return 0;
    uint64_t checksum = hash64_seeded(slice_from(at, REACH_CHECKED_BYTES), seed);
    bool is_right = decode_u64_at(at + 16) == checksum && decode_u64_at(at) == number;
    return is_right ? decode_u64_at(at + 8) : UINT64_MAX;
}

/* The larger one counts. One that cannot be read may have been the larger. */
static void reaches_decode(struct slice bytes, uint64_t seed, uint64_t number,
                           struct file_segment_header *out) {
    out->reach = 0;
    out->reach_slot = 0;
    for (uint32_t slot = 0; slot < FILE_REACH_SLOTS; slot++) {
        uint64_t offset = file_reach_offset(slot);
        uint64_t reach = UINT64_MAX;
        if (bytes.count >= offset + FILE_REACH_BYTES) {
            reach = reach_decode(bytes.bytes + offset, seed, number);
        }
        if (reach <= out->reach) continue;
        out->reach = reach;
        out->reach_slot = slot;
    }
    if (out->reach == 0 || out->reach > out->capacity) out->reach = out->capacity;
}

bool file_segment_header_decode(struct slice bytes, uint64_t seed, uint64_t number,
                                struct file_segment_header *out) {
    if (bytes.count < SEGMENT_CHECKED_BYTES + 8) return false;
    const char *at = bytes.bytes;
    if (memcmp(at, segment_magic, sizeof segment_magic) != 0) return false;
    uint64_t checksum = hash64_seeded(slice_from(at, SEGMENT_CHECKED_BYTES), seed);
    if (decode_u64_at(at + 32) != checksum) return false;
    uint32_t format = decode_u32_at(at + 8);
    if (format < FILE_FORMAT_OLDEST || format > FILE_FORMAT) return false;
    if (decode_u64_at(at + 16) != number) return false;
    *out = (struct file_segment_header){.capacity = decode_u64_at(at + 24)};
    reaches_decode(bytes, seed, number, out);
    return true;
}

void file_batch_header_encode(char *out, uint64_t seed, const struct file_batch_header *header) {
    memcpy(out, FILE_BATCH_MAGIC, BATCH_MAGIC_BYTES);
    encode_u32_at(out + 4, header->records_count);
    encode_u64_at(out + 8, header->number);
    encode_u64_at(out + 16, header->offset);
    encode_u64_at(out + 24, header->epoch);
    encode_u64_at(out + 32, header->lsn_first);
    encode_u64_at(out + 40, header->durable);
    encode_u64_at(out + 48, header->bodies_bytes);
    encode_u32_at(out + 56, header->records_bytes);
    encode_u32_at(out + 60, header->follows_durable ? 1 : 0);
    encode_u64_at(out + 64, header->records_checksum);
    encode_u64_at(out + 72, hash64_seeded(slice_from(out, BATCH_CHECKED_BYTES), seed));
}

bool file_batch_header_is_likely(const char *bytes, uint64_t number) {
    return memcmp(bytes, FILE_BATCH_MAGIC, BATCH_MAGIC_BYTES) == 0 &&
           decode_u64_at(bytes + 8) == number;
}

/* LSNs and epochs count from 1, by one: no disk lives to see these. They must not overflow either. */
static bool are_possible(const struct file_batch_header *header) {
    return header->lsn_first > 0 && header->lsn_first < NUMBERS_END &&
           header->durable < NUMBERS_END && header->epoch < NUMBERS_END;
}

bool file_batch_header_decode(struct slice bytes, uint64_t seed, uint64_t number, uint64_t offset,
                              struct file_batch_header *out) {
    if (bytes.count < FILE_BATCH_HEADER_BYTES) return false;
    const char *at = bytes.bytes;
    if (!file_batch_header_is_likely(at, number)) return false;
    if (decode_u64_at(at + 72) != hash64_seeded(slice_from(at, BATCH_CHECKED_BYTES), seed)) {
        return false;
    }
    *out = (struct file_batch_header){
        .records_count = decode_u32_at(at + 4),
        .number = decode_u64_at(at + 8),
        .offset = decode_u64_at(at + 16),
        .epoch = decode_u64_at(at + 24),
        .lsn_first = decode_u64_at(at + 32),
        .durable = decode_u64_at(at + 40),
        .bodies_bytes = decode_u64_at(at + 48),
        .records_bytes = decode_u32_at(at + 56),
        .follows_durable = decode_u32_at(at + 60) == 1,
        .records_checksum = decode_u64_at(at + 64),
    };
    return out->offset == offset && are_possible(out);
}

uint64_t file_batch_bytes(uint64_t bodies_bytes, uint64_t records_bytes) {
    uint64_t bytes = FILE_BATCH_HEADER_BYTES + bodies_bytes + records_bytes;
    return (bytes + FILE_BATCH_ALIGN - 1) / FILE_BATCH_ALIGN * FILE_BATCH_ALIGN;
}

bool file_frame_next(struct slice *records, struct file_frame *out) {
    struct decoder decoder = {.rest = *records};
    uint32_t bytes_count = decode_u32(&decoder);
    uint32_t bodies_count = decode_u32(&decoder);
    if (decoder.failed || bodies_count > JOURNAL_RECORD_BODIES_MAX) return false;
    out->bodies_count = bodies_count;
    out->bodies = decode_bytes(&decoder, (size_t)bodies_count * FILE_FRAME_BODY_BYTES);
    out->bytes = decode_bytes(&decoder, bytes_count);
    if (decoder.failed) return false;
    *records = decoder.rest;
    return true;
}

void file_frame_body(const struct file_frame *frame, uint32_t index, struct body_ref *out) {
    CHECK(index < frame->bodies_count);
    const char *at = frame->bodies.bytes + (size_t)index * FILE_FRAME_BODY_BYTES;
    /* Little-endian: its lower half comes first. */
    *out = (struct body_ref){.count = decode_u32_at(at), .checksum32 = decode_u32_at(at + 4)};
}

bool file_frame_body_is_given_up(const struct file_frame *frame, uint32_t index) {
    CHECK(index < frame->bodies_count);
    return decode_u64_at(frame->bodies.bytes + (size_t)index * FILE_FRAME_BODY_BYTES + 4) == 0;
}

uint64_t file_frame_ref(const struct file_frame *frame, uint32_t index, uint64_t position,
                        struct body_ref *out) {
    file_frame_body(frame, index, out);
    uint64_t next = position + out->count;
    if (file_frame_body_is_given_up(frame, index)) *out = body_ref_of(body_given_up(), position);
    out->position = position;
    return next;
}
