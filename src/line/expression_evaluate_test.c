/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions against values; what jq 1.6 prints for the same is what is expected here. */
#include "line/expression.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>

#define ALL                                                                                        \
    (EXPRESSION_BIT(EXPRESSION_IN) | EXPRESSION_BIT(EXPRESSION_ORDER) |                            \
     EXPRESSION_BIT(EXPRESSION_OUT) | EXPRESSION_BIT(EXPRESSION_INDEX) |                           \
     EXPRESSION_BIT(EXPRESSION_JOB))

static struct allocator memory;
static struct arena arena;
static char answer[8192];

/* The value, or "! " and why it failed, or "? " and why it is refused. */
static const char *evaluate(const char *text, const char *dot) {
    memory = allocator_system();
    arena_open(&arena, &memory, 16u * 1024 * 1024);
    struct expression *expression = NULL;
    struct expression_error error = {0};
    struct expression_scope scope = {0};
    scope.inputs[EXPRESSION_DOT].bytes = slice_from_string(dot);
    scope.inputs[EXPRESSION_DOT].name = "the output of a";
    scope.inputs[EXPRESSION_ORDER].bytes = SLICE(" {\"n\" : 12345678901234567890} ");
    scope.inputs[EXPRESSION_ORDER].name = "the order";
    scope.inputs[EXPRESSION_JOB].bytes = SLICE("\"j1\"");
    struct slice value = SLICE_EMPTY;
    const char *failure = NULL;
    int rc = expression_compile(&arena, slice_from_string(text), ALL, &expression, &error);
    if (rc == -EINVAL) {
        (void)snprintf(answer, sizeof answer, "? %zu %s", error.offset, error.message);
    } else if (rc == 0) {
        rc = expression_evaluate(expression, &scope, &arena, &value, &failure);
        if (rc == -EBADMSG) (void)snprintf(answer, sizeof answer, "! %s", failure);
        if (rc == 0) (void)snprintf(answer, sizeof answer, "%.*s", SLICE_ARGS(value));
    }
    if (rc == -ENOMEM) (void)snprintf(answer, sizeof answer, "out of memory");
    arena_close(&arena);
    return answer;
}

#define IS(text, dot, value) EXPECT_STRING(evaluate(text, dot), value)

/* A path gives the bytes that came; through null and past the end it gives null. */
TEST(expression_paths) {
    const char *dot = "{\"a\":{\"b\":[1, 2.50 ,{\"x y\":\"\\u00e9\"}]},\"a\\u0062\":7,\"n\":null}";
    IS(".", " [1, 2] ", "[1, 2]");
    IS(".a.b", dot, "[1, 2.50 ,{\"x y\":\"\\u00e9\"}]");
    IS(".a.b[1]", dot, "2.50");
    IS(".a.b[-1].\"x y\"", dot, "\"\\u00e9\"");
    IS(".a[\"b\"] [0]", dot, "? 8 an operator must come here, not `[`");
    IS(".[\"a\"].b.[0]", dot, "1");
    IS(".ab", dot, "7");
    IS(".none.more[3].still", dot, "null");
    IS(".n.x", dot, "null");
    IS(".a.b[9]", dot, "null");
    IS(".a.b[-9]", dot, "null");
    IS("$order.n", dot, "12345678901234567890");
    IS("$in.x", dot, "null");
    IS("$index", dot, "null");
    IS("$job", dot, "\"j1\"");
    IS(".a.b.c", dot, "! .a.b.c: cannot look up \"c\" in an array");
    IS(".ab.c", dot, "! .ab.c: cannot look up \"c\" in a number");
    IS(".a[0]", dot, "! .a[0]: cannot take element 0 of an object");
}

/* jq's order of types, exact integers, numbers by value, strings by characters. */
TEST(expression_comparisons) {
    IS("null < false and false < true and true < 0 and 0 < \"\" and \"\" < [] and [] < {}", "1",
       "true");
    IS(".a == 1", "{\"a\":1.0}", "true");
    IS(".a == 1e2", "{\"a\":100}", "true");
    IS(".a < .b", "{\"a\":9007199254740992,\"b\":9007199254740993}", "true");
    IS(".a == \"b\"", "{\"a\":\"\\u0062\"}", "true");
    IS(".a >= \"b\"", "{\"a\":\"a\"}", "false");
    IS(".a != .b", "{\"a\":\"1\",\"b\":1}", "true");
    IS(".none == null", "{}", "true");
    IS(".a > 0", "{\"a\":null}", "false");
    IS(".a > -5", "{\"a\":-3}", "true");
    IS(".a == .b", "{\"a\":[1],\"b\":[1]}",
       "! comparing two arrays needs jq, which this version does not have yet: `== .b`");
    IS(".a == .b", "{\"a\":[1],\"b\":{}}", "false");
}

/* `and` binds tighter than `or`; the right side is not looked at when the left decides. */
TEST(expression_logic) {
    IS("true or true and false", "1", "true");
    IS("(true or true) and false", "1", "false");
    IS(".a and .a.b", "{\"a\":false}", "false");
    IS(".a or .a.b", "{\"a\":5}", "true");
    IS(".a and .a.b", "{\"a\":5}", "! .a.b: cannot look up \"b\" in a number");
    IS("0 and \"\"", "1", "true");
    IS("null or false", "1", "false");
    IS(".a | not", "{\"a\":0}", "false");
    IS("(.a == 1 | not) and (.b | not)", "{\"a\":2}", "true");
    IS(".a == 1 and .b == 2 or .c == 3", "{\"a\":1,\"b\":1,\"c\":3}", "true");
}

/* length: of null 0, of text its characters, of a number its size; a boolean has none. */
TEST(expression_length) {
    IS(".a | length", "{\"a\":[1,[2,3]]}", "2");
    IS("(.items | length) > 0", "{\"items\":[]}", "false");
    IS(".a | length", "{}", "0");
    IS(".a | length", "{\"a\":\"gr\\u00f6\xc3\x9f\"}", "4");
    IS(".a | length", "{\"a\":-2.5}", "2.5");
    IS("length", "{\"a\":1,\"b\":2}", "2");
    IS(".a | length", "{\"a\":true}", "! a boolean has no length");
    IS(".a | length > 1 and .[0] == 7", "{\"a\":[7,8]}", "true");
}

/* What is made is new; what is put into it are the bytes that came. */
TEST(expression_construction) {
    IS("{number, total, card}", "{\"number\":7,\"total\":1.10,\"card\":{ \"a\" : 1 },\"z\":0}",
       "{\"number\":7,\"total\":1.10,\"card\":{ \"a\" : 1 }}");
    IS("{name: .c.name, n: 1, \"a b\": [.x, 2, [], {}], $job}", "{\"c\":{\"name\":\"Li\"}}",
       "{\"name\":\"Li\",\"n\":1,\"a b\":[null,2,[],{}],\"job\":\"j1\"}");
    IS("{n: .a | length, m: (.a == 1)}", "{\"a\":[1]}", "{\"n\":1,\"m\":false}");
    IS("{a: {b: {c: .}}}", "1", "{\"a\":{\"b\":{\"c\":1}}}");
    IS("{big: .a}", "{\"a\":123456789012345678901234567890.5}",
       "{\"big\":123456789012345678901234567890.5}");
    IS("{a, b: .b}.a", "{\"a\":5}", "? 10 an operator must come here, not `.`");
    IS("({a, b: .b}).a", "{\"a\":5}", "5");
    IS("{\"a\\\"b\"}", "{\"a\\\"b\":3}", "{\"a\\\"b\":3}");
    IS("[.a | length]", "{\"a\":[1]}", "[1]");
}

/* A value that is not JSON fails when it is looked at, with the reason, and not before. */
TEST(expression_input_that_is_not_json) {
    EXPECT(strncmp(evaluate(".a", "{\"a\":"), "! the output of a is not JSON: ", 31) == 0);
    EXPECT(strncmp(evaluate(".", ""), "! the output of a is not JSON: ", 31) == 0);
    IS("$job", "not json", "\"j1\"");
}

/* Brackets in brackets have an end, and so has the text; neither is found by crashing. */
TEST(expression_limits) {
    char text[EXPRESSION_BYTES_MAX + 2];
    memset(text, '(', 33);
    memset(text + 33, '1', 1);
    memset(text + 34, ')', 33);
    text[67] = '\0';
    IS(text, "1", "? 32 the expression has too many brackets in brackets");
    IS(text + 1, "1", "? 65 `)` closes nothing");
    memset(text, ' ', sizeof text);
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    IS(text, "1", "? 0 the expression is longer than 4096 bytes");
    size_t used = 0;
    for (int i = 0; i < 600; i++) {
        memcpy(text + used, "1|", 2);
        used += 2;
    }
    memcpy(text + used, "1", 2);
    IS(text, "1", "? 0 the expression is too long");
    /* As deep and as wide as is allowed, every bracket with a pipe of its own. */
    used = 0;
    for (int i = 0; i < 32; i++) {
        memcpy(text + used, ".|(", 3);
        used += 3;
    }
    text[used++] = '.';
    memset(text + used, ')', 32);
    text[used + 32] = '\0';
    IS(text, "5", "5");
}

/* Any text is compiled or refused: every prefix of a long expression, and each with a byte
 * changed. */
TEST(expression_compile_survives_any_text) {
    const char *whole =
        "{a: (.b[0].\"x y\" == -1.5e3 and ($order.n | length) > 2 | not), \"c\": [1, "
        "{d}, $in.x[\"q\"]], e: null}";
    char text[256];
    size_t count = strlen(whole);
    for (size_t i = 0; i <= count; i++) {
        memcpy(text, whole, i);
        text[i] = '\0';
        EXPECT(evaluate(text, "{}")[0] != '\0');
        memcpy(text, whole, count + 1);
        for (int c = 1; i < count && c < 128; c++) {
            text[i] = (char)c;
            EXPECT(evaluate(text, "{}")[0] != '\0');
        }
    }
}
