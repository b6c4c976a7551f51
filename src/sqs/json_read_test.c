/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/json_protocol.h"
#include "sqs_reading_kit.h"

static bool read_with(struct reading *reading, struct allocator allocator, const char *body) {
    open_reading(reading, allocator);
    struct http_request request = {.body = slice_from_string(body), .arena = &reading->arena};
    return json_read_request(&request, NULL, &outer_shape, &reading->outer, &reading->fault);
}

static bool read_body(struct reading *reading, const char *body) {
    return read_with(reading, allocator_system(), body);
}

static void expect_refusal(const char *body, const char *code, const char *words) {
    struct reading reading;
    bool is_read = read_body(&reading, body);
    expect_fault(&reading, is_read, code, words);
}

static const char everything[] =
    "{\"Text\":\"a\\u00e9\",\"Number\":-7,\"Texts\":[\"x\",\"\"],"
    "\"Pairs\":{\"k\":\"v\",\"n\":null},"
    "\"Attributes\":{\"a\":{\"DataType\":\"Binary\",\"BinaryValue\":\"Zm9v\"},"
    "\"b\":{\"StringValue\":\"s\",\"DataType\":null,\"StringListValues\":[\"l\"]}},"
    "\"Ent\\u0072ies\":[{\"Id\":\"1\",\"Number\":3},{\"Id\":\"2\"}]}";

/* Every kind of field finds its place; a name may have escapes; null is not given. */
TEST(json_read_fills_every_kind) {
    struct reading reading;
    EXPECT(read_body(&reading, everything));
    const struct outer *outer = &reading.outer;
    EXPECT(slice_equal(outer->text, SLICE("a\xC3\xA9")));
    EXPECT(outer->number.is_given && outer->number.value == -7);
    EXPECT_INT(outer->texts.count, 2);
    EXPECT(slice_equal(outer->texts.items[0], SLICE("x")));
    EXPECT_INT(outer->texts.items[1].count, 0);
    EXPECT_INT(outer->pairs.count, 1);
    EXPECT(slice_equal(outer->pairs.items[0].name, SLICE("k")));
    EXPECT(slice_equal(outer->pairs.items[0].value, SLICE("v")));
    EXPECT_INT(outer->attributes.count, 2);
    EXPECT(slice_equal(outer->attributes.items[0].bytes, SLICE("foo")));
    EXPECT(outer->attributes.items[0].text.bytes == NULL);
    EXPECT(!outer->attributes.items[0].has_lists);
    EXPECT(outer->attributes.items[1].type.bytes == NULL);
    EXPECT(outer->attributes.items[1].has_lists);
    EXPECT_INT(outer->entries.count, 2);
    const struct inner *entries = outer->entries.items;
    EXPECT(entries[0].number.is_given && entries[0].number.value == 3);
    EXPECT(slice_equal(entries[1].id, SLICE("2")) && !entries[1].number.is_given);
    arena_close(&reading.arena);
}

/* What is wrong is named. */
TEST(json_read_names_what_is_wrong) {
    expect_refusal("{\"Text\":\"\"}", "MissingParameter",
                   "The request must contain the parameter Text.");
    expect_refusal("{\"Text\":1}", "MalformedInput", "Text must be a string.");
    expect_refusal("{\"Number\":2147483648}", "MalformedInput",
                   "Number must be an integer of 32 bits.");
    expect_refusal("{\"Number\":1.0}", "MalformedInput", "Number must be an integer of 32 bits.");
    expect_refusal("{\"Texts\":{}}", "MalformedInput", "Texts must be a list.");
    expect_refusal("{\"Texts\":[1]}", "MalformedInput", "Texts must be a string.");
    expect_refusal("{\"Pairs\":[]}", "MalformedInput", "Pairs must be an object.");
    expect_refusal("{\"Pairs\":{\"k\":1}}", "MalformedInput", "k must be a string.");
    expect_refusal("{\"Attributes\":{\"a\":1}}", "MalformedInput", "a must be an object.");
    expect_refusal("{\"Entries\":{}}", "MalformedInput", "Entries must be a list.");
    expect_refusal("{\"Entries\":[{\"Text\":\"x\"}]}", "InvalidParameterValue",
                   "Unknown parameter Text.");
}

/* A list of any length is counted, and only ten entries are kept. */
TEST(json_read_counts_more_entries_than_it_keeps) {
    char body[4096] = "{\"Text\":\"x\",\"Entries\":[{}";
    for (int i = 0; i < 500; i++) strncat(body, ",{}", 4);
    strncat(body, "]}", 3);
    struct reading reading;
    EXPECT(read_body(&reading, body));
    EXPECT_INT(reading.outer.entries.count, 501);
    arena_close(&reading.arena);

    char many[8192] = "{\"Text\":\"x\",\"Texts\":[\"\"";
    for (int i = 0; i < 1000; i++) strncat(many, ",\"\"", 5);
    strncat(many, "]}", 3);
    expect_refusal(many, "InvalidParameterValue", "Texts has more than 1000 items.");
}

/* Without memory it says so, wherever the memory ends. */
TEST(json_read_says_when_there_is_no_memory) {
    for (size_t calls = 0; calls < 20; calls++) {
        struct failing_allocator failing = failing_allocator(calls);
        struct reading reading;
        bool is_read = read_with(&reading, failing_allocator_get(&failing), everything);
        if (!is_read) EXPECT_STRING(reading.fault.type, "ServiceUnavailable");
        arena_close(&reading.arena);
        EXPECT_INT(failing.live, 0);
        if (calls == 0) EXPECT(!is_read);
        if (is_read) return;
    }
    EXPECT(false);
}
