/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "failing_allocator.h"
#include "test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static struct slice checked(struct slice text) {
    EXPECT(json_validate(text, NULL));
    return text;
}

/* Each type is known by its first byte, whatever white space is around it. */
TEST(json_knows_types) {
    EXPECT_INT(json_type(SLICE(" null ")), JSON_NULL);
    EXPECT_INT(json_type(SLICE("true")), JSON_TRUE);
    EXPECT_INT(json_type(SLICE("false")), JSON_FALSE);
    EXPECT_INT(json_type(SLICE("-1")), JSON_NUMBER);
    EXPECT_INT(json_type(SLICE("7")), JSON_NUMBER);
    EXPECT_INT(json_type(SLICE("\"\"")), JSON_STRING);
    EXPECT_INT(json_type(SLICE("\n[]")), JSON_ARRAY);
    EXPECT_INT(json_type(SLICE("{}")), JSON_OBJECT);
    EXPECT_INT(json_type(SLICE_EMPTY), JSON_NONE);
    EXPECT(slice_equal(json_trim(SLICE("\t[1, 2]\r\n ")), SLICE("[1, 2]")));
}

/* Members and elements come in order, raw: the bytes that came, without what is around them. */
TEST(json_iterates) {
    struct slice text = checked(SLICE(" { \"a\" : [ 1, {\"x\":\"]}\\\"\"} ] "
                                      ",\"b\\\"\\\\\":\"q\\\\\" , \"c\":-1.5e3,\"d\": null }\n"));
    static const char *const names[] = {"\"a\"", "\"b\\\"\\\\\"", "\"c\"", "\"d\""};
    static const char *const values[] = {"[ 1, {\"x\":\"]}\\\"\"} ]", "\"q\\\\\"", "-1.5e3",
                                         "null"};
    size_t count = 0;
    for (struct json_iterator i = json_iterate(text); json_next(&i); count++) {
        EXPECT(count < 4);
        EXPECT(slice_equal_string(i.name, names[count]));
        EXPECT(slice_equal_string(i.value, values[count]));
    }
    EXPECT_INT(count, 4);
    EXPECT_INT(json_count(text), 4);

    struct slice array = checked(SLICE("[1,\"two\" , [3] ,{},true]"));
    EXPECT_INT(json_count(array), 5);
    EXPECT(slice_equal(json_element(array, 0), SLICE("1")));
    EXPECT(slice_equal(json_element(array, 1), SLICE("\"two\"")));
    EXPECT(slice_equal(json_element(array, 2), SLICE("[3]")));
    EXPECT(slice_equal(json_element(array, 4), SLICE("true")));
    EXPECT_INT(json_element(array, 5).count, 0);
    struct json_iterator i = json_iterate(array);
    EXPECT(json_next(&i));
    EXPECT_INT(i.name.count, 0);
}

/* Empty containers and scalars have nothing to iterate over, and going on stays at the end. */
TEST(json_iterates_over_nothing) {
    static const char *const texts[] = {"[]", "{}", " [ ] ", "{ }", "1", "\"[1]\"", "null", ""};
    for (size_t t = 0; t < ARRAY_COUNT(texts); t++) {
        struct json_iterator i = json_iterate(slice_from_string(texts[t]));
        EXPECT(!json_next(&i));
        EXPECT(!json_next(&i));
        EXPECT_INT(json_count(slice_from_string(texts[t])), 0);
    }
}

/* A member is found by its text, escapes or not; the last of a name counts; the wrong type has
 * none. */
TEST(json_finds_members) {
    struct slice text =
        checked(SLICE("{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3,\"\":4,\"\\u0000x\":5,\"c\":6}"));
    EXPECT(slice_equal(json_member(text, SLICE("a")), SLICE("3")));
    EXPECT(slice_equal(json_member(json_member(text, SLICE("b")), SLICE("a")), SLICE("2")));
    EXPECT(slice_equal(json_member(text, SLICE("")), SLICE("4")));
    EXPECT(slice_equal(json_member(text, SLICE("\0x")), SLICE("5")));
    EXPECT_INT(json_member(text, SLICE("x")).count, 0);
    EXPECT_INT(json_member(SLICE("[1]"), SLICE("a")).count, 0);
    EXPECT_INT(json_member(SLICE_EMPTY, SLICE("a")).count, 0);
    EXPECT_INT(json_element(text, 0).count, 0);
}

/* Nothing is read behind the end, even of a text that was never validated. */
TEST(json_stays_within_a_broken_text) {
    static const char *const texts[] = {
        "[\"a", "{\"a",  "{\"a\"",   "{\"a\":", "{\"a\":[",
        "[[[1", "[\"\\", "{\"a\\\"", "[tru",    "{\"a\":{\"b\":\"c\\\"}"};
    for (size_t t = 0; t < ARRAY_COUNT(texts); t++) {
        size_t count = strlen(texts[t]);
        char copy[32];
        char *start = copy + sizeof copy - count; /* its end is the end of the memory */
        memcpy(start, texts[t], count);
        EXPECT(json_count(slice_from(start, count)) <= 2);
    }
}

/* Strings without escapes are a part of the input, those with escapes are resolved. */
TEST(json_resolves_strings) {
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 10000);
    struct slice raw = checked(SLICE("\"plain \xe2\x82\xac\""));
    struct slice out;
    EXPECT(json_string(&arena, raw, &out));
    EXPECT(out.bytes == raw.bytes + 1);
    EXPECT(slice_equal(out, SLICE("plain \xe2\x82\xac")));
    EXPECT_INT(arena.used_bytes, 0);

    EXPECT(json_string(&arena, checked(SLICE("\"\"")), &out));
    EXPECT_INT(out.count, 0);
    EXPECT(json_string(&arena, checked(SLICE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"")), &out));
    EXPECT(slice_equal(out, SLICE("\"\\/\b\f\n\r\t")));
    EXPECT(json_string(&arena, checked(SLICE("\"a\\u0000b\\u00E4\\u20ac\\uFfFf.\"")), &out));
    EXPECT(slice_equal(out, SLICE("a\0b\xc3\xa4\xe2\x82\xac\xef\xbf\xbf.")));
    EXPECT(json_string(&arena, checked(SLICE("\"\\uD83D\\uDE00\\ud800\\udc00\\uDBFF\\uDFFF\"")),
                       &out));
    EXPECT(slice_equal(out, SLICE("\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    EXPECT(!json_string(&arena, SLICE("12"), &out));
    EXPECT(!json_string(&arena, SLICE_EMPTY, &out));
    arena_close(&arena);
}

/* Without memory a string with escapes cannot be given, one without still can. */
TEST(json_string_needs_memory_for_escapes) {
    struct failing_allocator failing = failing_allocator(0);
    struct allocator allocator = failing_allocator_get(&failing);
    struct arena arena;
    arena_open(&arena, &allocator, 10000);
    struct slice out;
    EXPECT(json_string(&arena, SLICE("\"abc\""), &out));
    EXPECT(!json_string(&arena, SLICE("\"a\\nc\""), &out));
    arena_close(&arena);
}

/* Equal to the text, not to its beginning, and not to more than it. */
TEST(json_compares_strings) {
    EXPECT(json_string_equal(SLICE("\"abc\""), SLICE("abc")));
    EXPECT(json_string_equal(SLICE("\"\""), SLICE_EMPTY));
    EXPECT(!json_string_equal(SLICE("\"abc\""), SLICE("ab")));
    EXPECT(!json_string_equal(SLICE("\"ab\""), SLICE("abc")));
    EXPECT(json_string_equal(SLICE("\"a\\u0062\\n\""), SLICE("ab\n")));
    EXPECT(!json_string_equal(SLICE("\"a\\u0062\\n\""), SLICE("ab")));
    EXPECT(!json_string_equal(SLICE("\"a\\u0062\\n\""), SLICE("ab\nc")));
    EXPECT(json_string_equal(SLICE("\"\\u0000\""), SLICE("\0")));
    EXPECT(!json_string_equal(SLICE("1"), SLICE("1")));
}

/* Integers within the bounds; nothing else is rounded to one. */
TEST(json_reads_integers) {
    int64_t value = 5;
    EXPECT(json_to_i64(SLICE("9223372036854775807"), INT64_MIN, INT64_MAX, &value));
    EXPECT(value == INT64_MAX);
    EXPECT(json_to_i64(SLICE("-9223372036854775808"), INT64_MIN, INT64_MAX, &value));
    EXPECT(value == INT64_MIN);
    EXPECT(json_to_i64(SLICE("-0"), 0, 9, &value));
    EXPECT_INT(value, 0);
    static const char *const others[] = {"9223372036854775808",
                                         "-9223372036854775809",
                                         "1.0",
                                         "1e1",
                                         "99999999999999999999999999999999",
                                         "\"1\"",
                                         "null",
                                         "[1]",
                                         ""};
    for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
        EXPECT(!json_to_i64(slice_from_string(others[i]), INT64_MIN, INT64_MAX, &value));
    }
    EXPECT(!json_to_i64(SLICE("10"), 0, 9, &value));
    EXPECT(!json_to_i64(SLICE("-1"), 0, 9, &value));
    EXPECT_INT(value, 0);
}

static void expect_double(const char *text, double expected) {
    double value = 12345;
    if (!json_to_double(slice_from_string(text), &value)) EXPECT_STRING(text, "a double");
    /* Bit by bit, since 0 and -0 are equal. */
    uint64_t value_bits;
    uint64_t expected_bits;
    memcpy(&value_bits, &value, sizeof value);
    memcpy(&expected_bits, &expected, sizeof expected);
    if (value_bits != expected_bits) EXPECT_STRING(text, "the right double");
}

/* The nearest double, bit by bit: short and long ones, the limits, and the hard middles. */
TEST(json_reads_doubles) {
    expect_double("0", 0.0);
    expect_double("-0", -0.0);
    expect_double("0.0e999999999999999999999", 0.0);
    expect_double("1.5", 1.5);
    expect_double("-2.5e-3", -2.5e-3);
    expect_double("0.1", 0.1);
    expect_double("123456789012345e22", 123456789012345e22);
    expect_double("1e23", 1e23);
    expect_double("12345678901234567890", 12345678901234567890.0);
    expect_double("9007199254740993", 9007199254740992.0);
    expect_double("9007199254740993.00000000000000000000000000000000001", 9007199254740994.0);
    expect_double("2.2250738585072011e-308", 2.2250738585072011e-308);
    expect_double("1.7976931348623157e308", DBL_MAX);
    expect_double("4.9e-324", 4.9406564584124654e-324);
    expect_double("1e-400", 0.0);
    expect_double("-1e-99999999999999999999", -0.0);
    double value;
    EXPECT(!json_to_double(SLICE("1e309"), &value));
    EXPECT(!json_to_double(SLICE("-1e99999999999999999999"), &value));
    EXPECT(!json_to_double(SLICE("\"1\""), &value));
    EXPECT(!json_to_double(SLICE("null"), &value));
    EXPECT(!json_to_double(SLICE_EMPTY, &value));
}

/* A number of many digits: zeros in front and behind, and a last digit that decides. */
TEST(json_reads_long_doubles) {
    static char text[3000];
    memset(text, '0', sizeof text);
    memcpy(text, "0.", 2);
    memcpy(text + 2000, "15e1999", 8);
    expect_double(text, 1.5);

    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17);
    text[2500] = '\0';
    expect_double(text, 9007199254740992.0); /* the middle: to the even one */
    text[2499] = '1';
    expect_double(text, 9007199254740994.0);

    memset(text, '0', sizeof text);
    text[0] = '7';
    memcpy(text + 2001, "e-2000", 7);
    expect_double(text, 7.0);
}

/* The middle between the two smallest doubles has more than 750 digits, and each of them counts:
 * the middle itself goes to the even one, a bit less to the lower, a bit more to the upper. */
TEST(json_reads_the_longest_middle) {
    char text[1200];
    int count = snprintf(text, sizeof text, "%.1075Lf", ldexpl(3, -1075));
    EXPECT_INT(count, 1077);
    expect_double(text, ldexp(2, -1074));
    text[count - 1]--; /* the last digit is a 5 */
    expect_double(text, ldexp(1, -1074));

    snprintf(text, sizeof text, "%.1075Lf", ldexpl(5, -1075));
    expect_double(text, ldexp(2, -1074));
    memcpy(text + count, "0001", 5);
    expect_double(text, ldexp(3, -1074));
}

/* Doubles printed with all their digits come back as themselves. */
TEST(json_doubles_round_trip) {
    uint64_t bits = 0x123456789ABCDEFu;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        char text[64];
        snprintf(text, sizeof text, "%.17g", value);
        expect_double(text, value);
    }
}

/* As jq's ==: by value and by text, never across types. */
TEST(json_compares_scalars) {
    EXPECT(json_scalar_equal(SLICE("1"), SLICE("1.0")));
    EXPECT(json_scalar_equal(SLICE("100"), SLICE("1e2")));
    EXPECT(json_scalar_equal(SLICE("0"), SLICE("-0")));
    EXPECT(json_scalar_equal(SLICE("9007199254740992"), SLICE("9007199254740993")));
    EXPECT(!json_scalar_equal(SLICE("1"), SLICE("2")));
    EXPECT(json_scalar_equal(SLICE("1e999"), SLICE("2e999")));
    EXPECT(!json_scalar_equal(SLICE("1e999"), SLICE("-1e999")));
    EXPECT(!json_scalar_equal(SLICE("1e999"), SLICE("1")));
    EXPECT(json_scalar_equal(SLICE("\"a\\u0062c\\n\""), SLICE("\"\\u0061bc\\u000a\"")));
    EXPECT(json_scalar_equal(SLICE("\"\""), SLICE("\"\"")));
    EXPECT(!json_scalar_equal(SLICE("\"a\\u0062\""), SLICE("\"abc\"")));
    EXPECT(!json_scalar_equal(SLICE("\"abc\""), SLICE("\"a\\u0062\"")));
    EXPECT(!json_scalar_equal(SLICE("\"1\""), SLICE("1")));
    EXPECT(json_scalar_equal(SLICE("true"), SLICE("true")));
    EXPECT(!json_scalar_equal(SLICE("true"), SLICE("false")));
    EXPECT(json_scalar_equal(SLICE("null"), SLICE_EMPTY));
    EXPECT(!json_scalar_equal(SLICE("null"), SLICE("false")));
    EXPECT(!json_scalar_equal(SLICE("[]"), SLICE("[]")));
    EXPECT(!json_scalar_equal(SLICE("{}"), SLICE("{}")));
}

static void expect_written(struct slice text, struct slice expected) {
    struct allocator allocator = allocator_system();
    struct buffer out;
    buffer_open(&out, &allocator, 10000);
    json_write_string(&out, text);
    EXPECT_INT(out.count, expected.count);
    EXPECT_BYTES(out.bytes, expected.bytes, expected.count);
    EXPECT(json_validate(buffer_slice(&out), NULL));
    buffer_close(&out);
}

/* What is written is valid JSON, and only what must be escaped is. */
TEST(json_writes_strings) {
    expect_written(SLICE_EMPTY, SLICE("\"\""));
    expect_written(SLICE("plain / \x7f \xe2\x82\xac \xf0\x9f\x98\x80"),
                   SLICE("\"plain / \x7f \xe2\x82\xac \xf0\x9f\x98\x80\""));
    expect_written(SLICE("\"\\\b\f\n\r\t\1\x1f\0x"),
                   SLICE("\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000x\""));
    expect_written(SLICE("a\xff"
                         "b\xc3"),
                   SLICE("\"a\xEF\xBF\xBD"
                         "b\xEF\xBF\xBD\""));
    expect_written(SLICE("\xed\xa0\x80"), SLICE("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""));
}

/* Any bytes that are UTF-8 come back from the text they were written to. */
TEST(json_strings_round_trip) {
    struct allocator allocator = allocator_system();
    struct arena arena;
    struct buffer out;
    arena_open(&arena, &allocator, 100000);
    buffer_open(&out, &allocator, 100000);
    static const char *const parts[] = {
        "a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xf0\x9f\x98\x80", "12345678", "u0041", "/"};
    uint64_t random = 42;
    for (int round = 0; round < 2000; round++) {
        char text[128];
        size_t count = 0;
        for (int i = 0; i < round % 12; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            const char *part = parts[(random >> 33) % ARRAY_COUNT(parts)];
            memcpy(text + count, part, strlen(part));
            count += strlen(part);
        }
        buffer_clear(&out);
        arena_reset(&arena);
        json_write_string(&out, slice_from(text, count));
        struct slice back;
        EXPECT(json_validate(buffer_slice(&out), NULL));
        EXPECT(json_string(&arena, buffer_slice(&out), &back));
        EXPECT(slice_equal(back, slice_from(text, count)));
        EXPECT(json_string_equal(buffer_slice(&out), slice_from(text, count)));
    }
    arena_close(&arena);
    buffer_close(&out);
}

/* Integers down to the smallest; and a buffer without memory says that it failed. */
TEST(json_writes_integers) {
    struct failing_allocator failing = failing_allocator(SIZE_MAX);
    struct allocator allocator = failing_allocator_get(&failing);
    static const int64_t values[] = {0, 7, -1, 1234567890, INT64_MAX, INT64_MIN};
    static const char *const texts[] = {
        "0", "7", "-1", "1234567890", "9223372036854775807", "-9223372036854775808"};
    struct buffer out;
    buffer_open(&out, &allocator, 100);
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        buffer_clear(&out);
        json_write_i64(&out, values[i]);
        EXPECT(slice_equal_string(buffer_slice(&out), texts[i]));
    }
    buffer_close(&out);
    failing.calls_left = 0;
    json_write_string(&out, SLICE("text"));
    EXPECT(out.failed);
    EXPECT_INT(out.count, 0);
    buffer_close(&out);
}

/* Of a text that is wrong somewhere, the members before that place can be read. */
TEST(json_reads_members_before_an_error) {
    static const struct {
        const char *text;
        const char *value; /* of "a" */
    } cases[] = {
        {" {\"a\": 1, \"b\": x}", "1"},
        {"{\"b\":[{\"a\":2},\"\\\",\"],\"a\":{\"c\":1},\"d\":\"\\q\"}", "{\"c\":1}"},
        {"{\"a\":1} x", "1"},
        {"{\"a\":1}}", "1"},
        {"{\"a\":1", ""}, /* it could be the beginning of 12 */
        {"{\"b\":{\"a\":1,\"c\":x}}", ""},
        {"{\"b\":x,\"a\":1}", ""},
        {"[{\"a\":1},x]", ""},
        {"{", ""},
        {"  ", ""},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct slice text = slice_from_string(cases[i].text);
        struct json_error error;
        EXPECT(!json_validate(text, &error));
        struct slice value = json_member_before(text, error.offset, SLICE("a"));
        EXPECT(slice_equal_string(value, cases[i].value));
    }
}
