/* SPDX-License-Identifier: Apache-2.0 */
#include "base/codec.h"

#include "failing_allocator.h"
#include "test.h"

/* The bytes on disk are little-endian, and what is read is what was written. */
TEST(codec_round_trip) {
    struct allocator allocator = allocator_system();
    struct buffer out;
    buffer_open(&out, &allocator, 1000);
    encode_u8(&out, 0xFE);
    encode_u16(&out, 0x1234);
    encode_u32(&out, 0xDEADBEEF);
    encode_u64(&out, 0x0102030405060708);
    encode_i64(&out, INT64_MIN);
    encode_slice(&out, SLICE("body"));
    encode_slice(&out, SLICE_EMPTY);
    static const char expected[] = "\xFE"
                                   "\x34\x12"
                                   "\xEF\xBE\xAD\xDE"
                                   "\x08\x07\x06\x05\x04\x03\x02\x01"
                                   "\0\0\0\0\0\0\0\x80"
                                   "\4\0\0\0body"
                                   "\0\0\0\0";
    EXPECT_INT(out.count, sizeof expected - 1);
    EXPECT_BYTES(out.bytes, expected, out.count);

    struct decoder decoder = {.rest = buffer_slice(&out)};
    EXPECT_INT(decode_u8(&decoder), 0xFE);
    EXPECT_INT(decode_u16(&decoder), 0x1234);
    EXPECT_INT(decode_u32(&decoder), 0xDEADBEEF);
    EXPECT_INT(decode_u64(&decoder), 0x0102030405060708);
    EXPECT(decode_i64(&decoder) == INT64_MIN);
    EXPECT(slice_equal(decode_slice(&decoder), SLICE("body")));
    EXPECT_INT(decode_slice(&decoder).count, 0);
    EXPECT(!decoder.failed);
    EXPECT_INT(decoder.rest.count, 0);
    buffer_close(&out);
}

/* Numbers written in place. */
TEST(codec_writes_in_place) {
    char bytes[8];
    encode_u32_at(bytes, 0x89ABCDEF);
    EXPECT_BYTES(bytes, "\xEF\xCD\xAB\x89", 4);
    EXPECT_INT(decode_u32_at(bytes), 0x89ABCDEF);
    encode_u64_at(bytes, UINT64_MAX - 1);
    EXPECT(decode_u64_at(bytes) == UINT64_MAX - 1);
}

/* Reading past the end fails, gives zeros, and everything behind fails too, even if it would fit. */
TEST(codec_stops_at_the_end) {
    struct decoder decoder = {.rest = SLICE("\1\2\3")};
    EXPECT_INT(decode_u32(&decoder), 0);
    EXPECT(decoder.failed);
    EXPECT_INT(decode_u8(&decoder), 0);
    EXPECT_INT(decode_bytes(&decoder, 0).count, 0);
    EXPECT(decoder.failed);

    decoder = (struct decoder){.rest = SLICE("\xFF\xFF\xFF\xFF"
                                             "abc")};
    EXPECT_INT(decode_slice(&decoder).count, 0); /* it claims 4 GiB */
    EXPECT(decoder.failed);

    decoder = (struct decoder){.rest = SLICE_EMPTY};
    EXPECT_INT(decode_bytes(&decoder, 0).count, 0);
    EXPECT(!decoder.failed);
    EXPECT_INT(decode_u64(&decoder), 0);
    EXPECT(decoder.failed);
}

/* Without memory the buffer says so. */
TEST(codec_reports_a_failed_buffer) {
    struct failing_allocator failing = failing_allocator(0);
    struct allocator allocator = failing_allocator_get(&failing);
    struct buffer out;
    buffer_open(&out, &allocator, 1000);
    encode_slice(&out, SLICE("body"));
    EXPECT(out.failed);
    EXPECT_INT(out.count, 0);
    buffer_close(&out);
}
