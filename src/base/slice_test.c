/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include "test.h"

/* Comparing looks at the bytes and the count, and NULL is an empty slice. */
TEST(slice_compares) {
    EXPECT(slice_equal(SLICE_EMPTY, SLICE("")));
    EXPECT(!slice_equal(SLICE("a"), SLICE("b")));
    EXPECT(slice_equal_string(SLICE("abc"), "abc"));
    EXPECT(slice_equal_ignore_case(SLICE("Content-LENGTH"), SLICE("content-length")));
    EXPECT(!slice_equal_ignore_case(SLICE("["), SLICE("{"))); /* differ by 0x20, no letters */
    EXPECT(!slice_equal_ignore_case(SLICE("ab"), SLICE("abc")));
    EXPECT(slice_compare(SLICE("a"), SLICE("ab")) < 0);
    EXPECT(slice_compare(SLICE("b"), SLICE("ab")) > 0);
    EXPECT(slice_compare(SLICE("\xff"), SLICE("a")) > 0);
    EXPECT_INT(slice_compare(SLICE_EMPTY, SLICE("")), 0);
}

/* Prefixes and suffixes, with the empty one and one that is too long. */
TEST(slice_starts_and_ends) {
    EXPECT(slice_starts_with(SLICE("queue/1"), SLICE("queue")));
    EXPECT(slice_starts_with(SLICE("a"), SLICE_EMPTY));
    EXPECT(!slice_starts_with(SLICE("que"), SLICE("queue")));
    EXPECT(slice_ends_with(SLICE("a.fifo"), SLICE(".fifo")));
    EXPECT(!slice_ends_with(SLICE("fifo"), SLICE(".fifo")));
    EXPECT(!slice_ends_with(SLICE("a.fifo"), SLICE(".fif")));
    EXPECT(slice_ends_with(SLICE_EMPTY, SLICE_EMPTY));
}

/* Skipping stops at the end; trimming takes white space at both ends only. */
TEST(slice_skips_and_trims) {
    EXPECT(slice_equal(slice_skip(SLICE("hello"), 2), SLICE("llo")));
    EXPECT_INT(slice_skip(SLICE("hello"), 9).count, 0);
    EXPECT(slice_skip(SLICE_EMPTY, 1).bytes == NULL);
    EXPECT(slice_equal(slice_trim(SLICE(" \t a b\r\n")), SLICE("a b")));
    EXPECT_INT(slice_trim(SLICE(" \n")).count, 0);
}

/* The cut is at the first separator; without one the head is everything. */
TEST(slice_cuts_at_the_first_separator) {
    struct slice head, tail;
    EXPECT(slice_cut(SLICE("a=b=c"), '=', &head, &tail));
    EXPECT(slice_equal(head, SLICE("a")));
    EXPECT(slice_equal(tail, SLICE("b=c")));
    EXPECT(slice_cut(SLICE("a="), '=', &head, &tail));
    EXPECT_INT(tail.count, 0);
    EXPECT(!slice_cut(SLICE("abc"), '=', &head, &tail));
    EXPECT(slice_equal(head, SLICE("abc")));
    EXPECT_INT(tail.count, 0);
    EXPECT(!slice_cut(SLICE_EMPTY, '=', &head, &tail));
}

/* Numbers up to the last one that fits, and nothing that is not all digits. */
TEST(slice_reads_unsigned_numbers) {
    uint64_t value = 7;
    EXPECT(slice_to_u64(SLICE("18446744073709551615"), UINT64_MAX, &value));
    EXPECT(value == UINT64_MAX);
    EXPECT(slice_to_u64(SLICE("000012"), 12, &value));
    EXPECT_INT(value, 12);
    EXPECT(!slice_to_u64(SLICE("18446744073709551616"), UINT64_MAX, &value));
    EXPECT(!slice_to_u64(SLICE("99999999999999999999999"), UINT64_MAX, &value));
    EXPECT(!slice_to_u64(SLICE("13"), 12, &value));
    EXPECT(!slice_to_u64(SLICE(""), 12, &value));
    EXPECT(!slice_to_u64(SLICE("+1"), 12, &value));
    EXPECT(!slice_to_u64(SLICE("-1"), 12, &value));
    EXPECT(!slice_to_u64(SLICE("1 "), 12, &value));
    EXPECT_INT(value, 12); /* untouched by every failure */
}

/* The same with a sign, down to the smallest. */
TEST(slice_reads_signed_numbers) {
    int64_t value = 7;
    EXPECT(slice_to_i64(SLICE("-9223372036854775808"), INT64_MIN, INT64_MAX, &value));
    EXPECT(value == INT64_MIN);
    EXPECT(slice_to_i64(SLICE("9223372036854775807"), INT64_MIN, INT64_MAX, &value));
    EXPECT(value == INT64_MAX);
    EXPECT(slice_to_i64(SLICE("-0"), 0, 1, &value));
    EXPECT_INT(value, 0);
    EXPECT(!slice_to_i64(SLICE("9223372036854775808"), INT64_MIN, INT64_MAX, &value));
    EXPECT(!slice_to_i64(SLICE("-9223372036854775809"), INT64_MIN, INT64_MAX, &value));
    EXPECT(!slice_to_i64(SLICE("-11"), -10, 10, &value));
    EXPECT(!slice_to_i64(SLICE("11"), -10, 10, &value));
    EXPECT(!slice_to_i64(SLICE("-"), -10, 10, &value));
    EXPECT(!slice_to_i64(SLICE("--1"), -10, 10, &value));
}

/* Every lead byte's limits: overlong forms, surrogates and what lies above U+10FFFF are refused. */
TEST(slice_knows_utf8) {
    EXPECT(slice_is_utf8(SLICE_EMPTY));
    EXPECT(slice_is_utf8(SLICE("plain\0text, longer than eight")));
    EXPECT(slice_is_utf8(SLICE("12345678\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80")));
    EXPECT(slice_is_utf8(SLICE("\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF")));
    EXPECT(!slice_is_utf8(SLICE("\x80")));
    EXPECT(!slice_is_utf8(SLICE("\xC1\xBF")));
    EXPECT(!slice_is_utf8(SLICE("\xE0\x9F\xBF")));
    EXPECT(!slice_is_utf8(SLICE("\xED\xA0\x80")));
    EXPECT(!slice_is_utf8(SLICE("\xF0\x8F\xBF\xBF")));
    EXPECT(!slice_is_utf8(SLICE("\xF4\x90\x80\x80")));
    EXPECT(!slice_is_utf8(SLICE("\xF5\x80\x80\x80")));
    EXPECT(!slice_is_utf8(SLICE("1234567\xC3")));
    EXPECT(!slice_is_utf8(SLICE("12345678\xE2\x82")));
    EXPECT(!slice_is_utf8(SLICE("\xE2\x82\x41")));
}

/* Every code point, encoded, is one step as long as its encoding, but for the surrogates. */
TEST(slice_steps_over_every_code_point) {
    for (uint32_t code = 0; code <= 0x110000; code++) {
        char text[4] = {(char)code, 0, 0, 0};
        size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        for (size_t i = count - 1; count > 1 && i > 0; i--) {
            text[i] = (char)(0x80 | ((code >> (6 * (count - 1 - i))) & 0x3F));
        }
        if (count > 1) text[0] = (char)((0xF00 >> count) | (code >> (6 * (count - 1))));
        bool valid = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        size_t step = slice_utf8_step(slice_from(text, count));
        if (step != (valid ? count : 0)) EXPECT_INT(code, -1);
        if (slice_utf8_step(slice_from(text, count - 1)) != 0) EXPECT_INT(code, -1);
    }
}
