/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static bool valid(struct slice text) {
    /* A copy of exact size, so that the sanitizer sees a read behind the end. */
    char *copy = malloc(text.count == 0 ? 1 : text.count);
    EXPECT(copy != NULL);
    if (text.count > 0) memcpy(copy, text.bytes, text.count);
    struct json_error error = {.message = NULL};
    bool accepted = json_validate(slice_from(copy, text.count), &error);
    EXPECT(accepted == json_validate(slice_from(copy, text.count), NULL));
    EXPECT(accepted == (error.message == NULL));
    EXPECT(error.offset <= text.count);
    free(copy);
    return accepted;
}

static const char *const valid_texts[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "10",
    "1.5",
    "-0.0",
    "0e1",
    "1E+2",
    "1e-2",
    "1.25e10",
    "123456789012345678901234567890",
    "\"\"",
    "\"a\"",
    "[]",
    "{}",
    "[[]]",
    "[{}]",
    " \t\r\n[ ]\n",
    "{ }",
    "[1,2]",
    "[ 1 , 2 ]",
    "{\"a\":1}",
    "{ \"a\" : 1 , \"b\" : [ ] }",
    "{\"a\":1,\"a\":2}",
    "{\"\":0}",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u0000\"",
    "\"\\uD83D\\uDE00\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uFFFF\\ue000\\ud7ff\"",
    "\"\x7f\"",
    "\"\xc2\x80\xe0\xa0\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"",
    "\"12345678\xc3\xa4 12345678\"",
    "[1,[2,[3,{\"a\":[{\"b\":null}]}]],true]",
    "[\"]\",\"}\",\"\\\"]\"]",
};

/* Every kind of value, alone and nested, with white space everywhere. */
TEST(json_accepts_what_rfc_8259_accepts) {
    for (size_t i = 0; i < ARRAY_COUNT(valid_texts); i++) {
        if (!valid(slice_from_string(valid_texts[i]))) EXPECT_STRING(valid_texts[i], "valid");
    }
}

static const char *const invalid_texts[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "NaN",
    "Infinity",
    "-",
    "-a",
    "+1",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "1.e1",
    "1e",
    "1e+",
    "1E-",
    "0x10",
    "1_0",
    "\"",
    "\"a",
    "'a'",
    "\"\\",
    "\"\\\"",
    "\"\\x41\"",
    "\"\\a\"",
    "\"\\u\"",
    "\"\\u12\"",
    "\"\\u123g\"",
    "\"\\u 123\"",
    "\"\\U0041\"",
    "\"\\uD800\"",
    "\"\\uDC00\"",
    "\"\\uD800\\uD800\"",
    "\"\\uD800\\n\"",
    "\"\\uD800x\"",
    "\"\\uD83D\\u0041\"",
    "\"\\uDE00\\uD83D\"",
    "\"\\uD83D\\uDE0\"",
    "\"\t\"",
    "\"\n\"",
    "\"\x1f\"",
    "\"1234567\x01\"",
    "[",
    "]",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[,]",
    "[1 2]",
    "[1,,2]",
    "[1}",
    "[]]",
    "[1:2]",
    "{",
    "}",
    "{a:1}",
    "{1:1}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1",
    "{\"a\":1,}",
    "{\"a\":1,,\"b\":2}",
    "{,}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1]",
    "{\"a\"::1}",
    "{[]:1}",
    "{\"a\",1}",
    "1 2",
    "{}{}",
    "[]1",
    "\"a\"\"b\"",
    "/* */1",
    "1//",
    "\v1",
    "\f1",
    "\xa0",
    ("\xc2\xa0"
     "1"),
    ("\xef\xbb\xbf"
     "1"),
    "\"\x80\"",
    "\"\xc0\x80\"",
    "\"\xc3\"",
    "\"\xc3",
    "\"\xe0\x80\x80\"",
    "\"\xed\xa0\x80\"",
    "\"\xf4\x90\x80\x80\"",
    "\"\xff\"",
    "\"\xe2\x82\"",
    "[\xc3\xa4]",
};

/* One thing wrong in each: nothing of it may pass. */
TEST(json_refuses_what_rfc_8259_refuses) {
    for (size_t i = 0; i < ARRAY_COUNT(invalid_texts); i++) {
        if (valid(slice_from_string(invalid_texts[i]))) EXPECT_STRING(invalid_texts[i], "invalid");
    }
    EXPECT(!valid(SLICE_EMPTY));
    EXPECT(!valid(SLICE("1\0")));
    EXPECT(!valid(SLICE("\0")));
    EXPECT(!valid(SLICE("\"a\0b\"")));
    EXPECT(!valid(SLICE("\"\\\0\"")));
}

/* No prefix of an object is a text, and the error is at its end or at the broken character. */
TEST(json_refuses_every_prefix) {
    struct slice text =
        SLICE("{\"n\\u00e4\\ud83d\\ude00me\":[1.5e+3,true,null,\"\xe2\x82\xac\\n\"],"
              " \"b\" : {\"c\":-0.25}}");
    EXPECT(valid(text));
    for (size_t count = 0; count < text.count; count++) {
        struct json_error error = {0};
        EXPECT(!valid(slice_from(text.bytes, count)));
        EXPECT(!json_validate(slice_from(text.bytes, count), &error));
        bool in_character = strcmp(error.message, "invalid UTF-8 in a string") == 0;
        bool in_pair = strcmp(error.message, "lone surrogate in a string") == 0;
        if (!in_character && !in_pair) {
            EXPECT_STRING(error.message, "unexpected end of the text");
            EXPECT_INT(error.offset, count);
        }
    }
}

/* The depth is bounded, for both kinds and for their mixture, and closed ones do not count. */
TEST(json_bounds_the_depth) {
    char text[6 * JSON_DEPTH_MAX + 64];
    for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        for (size_t objects = 0; objects < 3; objects++) {
            size_t count = 0;
            char closing[JSON_DEPTH_MAX + 1];
            for (size_t i = 0; i < depth; i++) {
                bool object = objects == 2 ? i * i % 7 < 3 : objects == 1;
                bool innermost = i + 1 == depth;
                const char *opening = !object ? "[" : innermost ? "{" : "{\"\":";
                count += (size_t)snprintf(text + count, sizeof text - count, "%s", opening);
                closing[i] = object ? '}' : ']';
            }
            for (size_t i = depth; i > 0; i--) {
                text[count++] = closing[i - 1];
            }
            EXPECT(valid(slice_from(text, count)) == (depth <= JSON_DEPTH_MAX));
            text[count - 1] = closing[0] == '}' ? ']' : '}';
            EXPECT(!valid(slice_from(text, count)));
        }
    }
    char wide[3 * 500 + 1] = "[";
    for (size_t i = 0; i < 500; i++) {
        memcpy(wide + 1 + 3 * i, i == 499 ? "[]]" : "[],", 3);
    }
    EXPECT(valid(slice_from(wide, sizeof wide)));
}

/* The place of an error is the first byte that cannot be. */
TEST(json_says_where_it_is_wrong) {
    static const struct {
        const char *text;
        size_t offset;
        const char *message;
    } cases[] = {
        {"", 0, "unexpected end of the text"},
        {"  [1, x]", 6, "a value is missing"},
        {"[1 2]", 3, "a comma or a closing bracket is missing"},
        {"{\"a\":1]", 6, "a comma or a closing brace is missing"},
        {"{\"a\" 1}", 5, "a colon is missing"},
        {"{\"a\":1,}", 7, "a member name is missing"},
        {"trux", 3, "unknown word"},
        {"012", 1, "a number with a leading zero"},
        {"1.x", 2, "a digit is missing"},
        {"1 2", 2, "text after the value"},
        {"\"ab\ncd\"", 3, "control character in a string"},
        {"\"ab\\qcd\"", 4, "invalid escape in a string"},
        {"\"\\u00G0\"", 5, "invalid digit in a \\u escape"},
        {"\"a\\uDC00\"", 2, "lone surrogate in a string"},
        {"\"abcdefghij\xff\"", 11, "invalid UTF-8 in a string"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct json_error error = {0};
        EXPECT(!json_validate(slice_from_string(cases[i].text), &error));
        EXPECT_INT(error.offset, cases[i].offset);
        EXPECT_STRING(error.message, cases[i].message);
    }
}

/* A byte that may not stand in a string is found at each place of a long one. */
TEST(json_sees_every_byte_of_a_string) {
    static const unsigned char bad[] = {0x00, 0x01, 0x1f, 0x80, 0xff, '"'};
    char text[42];
    for (size_t place = 1; place < sizeof text - 1; place++) {
        for (size_t i = 0; i < sizeof bad; i++) {
            memset(text, i % 2 == 0 ? ' ' : '~', sizeof text);
            text[0] = text[sizeof text - 1] = '"';
            EXPECT(valid(slice_from(text, sizeof text)));
            text[place] = (char)bad[i];
            EXPECT(!valid(slice_from(text, sizeof text)));
        }
    }
}
