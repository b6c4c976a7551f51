/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/query_protocol.h"
#include "sqs_reading_kit.h"

static bool read_with(struct reading *reading, struct allocator allocator, const char *url,
                      const char *body) {
    struct http_header type = {SLICE("Content-Type"),
                               SLICE("application/x-www-form-urlencoded; charset=utf-8")};
    open_reading(reading, allocator);
    struct http_request request = {.method = SLICE("POST"),
                                   .query = slice_from_string(url),
                                   .body = slice_from_string(body),
                                   .headers = &type,
                                   .headers_count = 1,
                                   .arena = &reading->arena};
    struct sqs_parsed parsed = {.form = NULL};
    return query_open_request(&request, &parsed, &reading->fault) &&
           query_read_request(&request, &parsed, &outer_shape, &reading->outer, &reading->fault);
}

static bool read_body(struct reading *reading, const char *body) {
    return read_with(reading, allocator_system(), "Action=Test&Version=2012-11-05", body);
}

static void expect_refusal(const char *body, const char *code, const char *words) {
    struct reading reading;
    bool is_read = read_body(&reading, body);
    expect_fault(&reading, is_read, code, words);
}

static const char everything[] =
    "Text=a%c3%A9+%26&Number=-7&Line.1=x&Line.2=&Pair.1.Name=k&Pair.1.Value=v%3D"
    "&Attribute.2.Value.StringListValue.1=l&Attribute.2.Name=b&Attribute.2.Value.StringValue=s"
    "&Attribute.1.Value.BinaryValue=Zm9v&Attribute.1.Name=a&Attribute.1.Value.DataType=Binary"
    "&&Entry.1.Id=1&Entry.1.Number=3&Entry.2.Id=2&Entry.1.Attribute.1.Name=in";

/* Every kind of field finds its place, whatever the order in which its parts come. */
TEST(query_read_fills_every_kind) {
    struct reading reading;
    EXPECT(read_body(&reading, everything));
    const struct outer *outer = &reading.outer;
    EXPECT(slice_equal(outer->text, SLICE("a\xC3\xA9 &")));
    EXPECT(outer->number.is_given && outer->number.value == -7);
    EXPECT_INT(outer->texts.count, 2);
    EXPECT(slice_equal(outer->texts.items[0], SLICE("x")));
    EXPECT(outer->texts.items[1].bytes != NULL && outer->texts.items[1].count == 0);
    EXPECT_INT(outer->pairs.count, 1);
    EXPECT(slice_equal(outer->pairs.items[0].name, SLICE("k")));
    EXPECT(slice_equal(outer->pairs.items[0].value, SLICE("v=")));
    EXPECT_INT(outer->attributes.count, 2);
    EXPECT(slice_equal(outer->attributes.items[0].bytes, SLICE("foo")));
    EXPECT(outer->attributes.items[0].text.bytes == NULL);
    EXPECT(!outer->attributes.items[0].has_lists);
    EXPECT(outer->attributes.items[1].type.bytes == NULL);
    EXPECT(outer->attributes.items[1].has_lists);
    EXPECT_INT(outer->entries.count, 2);
    const struct inner *entries = outer->entries.items;
    EXPECT(entries[0].number.is_given && entries[0].number.value == 3);
    EXPECT_INT(entries[0].attributes.count, 1);
    EXPECT(slice_equal(entries[0].attributes.items[0].name, SLICE("in")));
    EXPECT(slice_equal(entries[1].id, SLICE("2")) && !entries[1].number.is_given);
    arena_close(&reading.arena);
}

/* Items stand in the order of their numbers, with gaps or without, entries with what is theirs. */
TEST(query_read_sorts_by_number) {
    struct reading reading;
    EXPECT(read_body(&reading, "Text=x&Line.30=c&Line.4=a&Line.5=b&Line.31=d"
                               "&Entry.9.Id=z&Entry.2.Id=y&Entry.9.Attribute.1.Name=nine"));
    const struct outer *outer = &reading.outer;
    EXPECT_INT(outer->texts.count, 4);
    for (uint32_t i = 0; i < 4; i++) EXPECT_INT(outer->texts.items[i].bytes[0], "abcd"[i]);
    const struct inner *entries = outer->entries.items;
    EXPECT(slice_equal(entries[0].id, SLICE("y")) && entries[0].attributes.count == 0);
    EXPECT(slice_equal(entries[1].id, SLICE("z")) && entries[1].attributes.count == 1);
    arena_close(&reading.arena);
}

/* A list or map of one may leave its number out. Parameters may stand in the URL. */
TEST(query_read_takes_older_forms) {
    struct reading reading;
    EXPECT(read_with(&reading, allocator_system(), "Action=Test&Line=a&Text=x",
                     "Pair.Name=k&Pair.Value=v&Signature=s&Entries="));
    EXPECT_INT(reading.outer.texts.count, 1);
    EXPECT(slice_equal(reading.outer.pairs.items[0].value, SLICE("v")));
    arena_close(&reading.arena);
}

/* What is wrong is named. */
TEST(query_read_names_what_is_wrong) {
    static const char *const unknown[] = {
        "Colour",
        "Texts",
        "text",
        "Text.1",
        "Text.",
        "Number.x",
        "Line.0",
        "Line.1.2",
        "Line.1x",
        "Pair.1.Key",
        "Pair.1",
        "Attribute.1",
        "Entry.Id",
        "Entry.1",
        "Entry.1.Colour",
        "Entry.0.Id",
        "Attribute.1.Value.Colour",
        "Line.1000001",
        "Entry.1.Id.1",
    };
    for (size_t i = 0; i < ARRAY_COUNT(unknown); i++) {
        char body[128];
        char words[128];
        (void)snprintf(body, sizeof body, "Text=x&%s=1", unknown[i]);
        (void)snprintf(words, sizeof words, "Unknown parameter %s.", unknown[i]);
        expect_refusal(body, "InvalidParameterValue", words);
    }
    expect_refusal("Text=", "MissingParameter", "The request must contain the parameter Text.");
    expect_refusal("Number=2147483648", "MalformedInput", "Number must be an integer of 32 bits.");
    expect_refusal("Number=", "MalformedInput", "Number must be an integer of 32 bits.");
    expect_refusal("Attribute.1.Value.BinaryValue=%3F", "MalformedInput",
                   "Attribute.1.Value.BinaryValue must be base64.");
    expect_refusal("Pair.3.Value=v&Text=x", "MissingParameter",
                   "The request must contain the parameter Pair.3.Name.");
    expect_refusal("Pair.1.Name=v&Text=x", "MissingParameter",
                   "The request must contain the parameter Pair.1.Value.");
    expect_refusal("Attribute.1.Value.DataType=v&Text=x", "MissingParameter",
                   "The request must contain the parameter Attribute.1.Name.");
    expect_refusal("Pair.1.Name=k&Pair.1.Value=&Pair.2.Name=k&Pair.2.Value=",
                   "InvalidParameterValue", "Pair k comes twice.");
    expect_refusal("Text=a&Text=b", "MalformedQueryString", "The parameter Text comes twice.");
    expect_refusal("Line.1=a&Line.1=b", "MalformedQueryString",
                   "The parameter Line.1 comes twice.");
    expect_refusal("Number=1&Number=1", "MalformedQueryString",
                   "The parameter Number comes twice.");
    expect_refusal("Action=Other", "MalformedQueryString", "The parameter Action comes twice.");
}

/* Broken encodings, and bytes that are not UTF-8, are refused by the parameter's name. */
TEST(query_read_refuses_broken_encodings) {
    static const char *const broken[] = {"%", "%4", "%zz", "a%g0", "%%"};
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++) {
        char body[32];
        (void)snprintf(body, sizeof body, "Text=%s", broken[i]);
        expect_refusal(body, "MalformedQueryString",
                       "The parameter Text is not percent-encoded as a form's are.");
    }
    expect_refusal("Text=%ff", "MalformedQueryString", "The parameter Text is not UTF-8.");
    expect_refusal("%c3=1", "MalformedQueryString", "The parameter %c3 is not UTF-8.");
    expect_refusal("%4=1", "MalformedQueryString",
                   "The parameter %4 is not percent-encoded as a form's are.");
}

/* The action must be named, and the version must be the one there is. */
TEST(query_read_checks_action_and_version) {
    struct reading reading;
    bool is_read = read_with(&reading, allocator_system(), "Version=2012-11-05", "Text=x");
    expect_fault(&reading, is_read, "MissingAction",
                 "The request must contain the parameter Action.");
    is_read = read_with(&reading, allocator_system(), "Action=a&Version=2009-02-01", "Text=x");
    expect_fault(&reading, is_read, "NoSuchVersion",
                 "The requested version ( 2009-02-01 ) is not valid: it is 2012-11-05.");
    EXPECT(read_with(&reading, allocator_system(), "Action=a", "Text=x"));
    arena_close(&reading.arena);
}

/* A list of any length is counted, and only ten entries are kept; others end at their maximum. */
TEST(query_read_has_maxima) {
    static char body[64 * 1024];
    size_t count = (size_t)snprintf(body, sizeof body, "Text=x");
    for (int i = 1; i <= 37; i++)
        count += (size_t)snprintf(body + count, sizeof body - count, "&Entry.%d.Id=a", i);
    struct reading reading;
    EXPECT(read_body(&reading, body));
    EXPECT_INT(reading.outer.entries.count, 37);
    arena_close(&reading.arena);

    count = (size_t)snprintf(body, sizeof body, "Text=x");
    for (int i = 1; i <= 1001; i++)
        count += (size_t)snprintf(body + count, sizeof body - count, "&Line.%d=a", i);
    expect_refusal(body, "InvalidParameterValue", "Line has more than 1000 items.");

    memset(body, '&', 5000);
    body[5000] = '\0';
    expect_refusal(body, "MalformedQueryString", "The request has more than 4096 parameters.");
}

/* Without memory it says so, wherever the memory ends. */
TEST(query_read_says_when_there_is_no_memory) {
    for (size_t calls = 0; calls < 30; calls++) {
        struct failing_allocator failing = failing_allocator(calls);
        struct reading reading;
        bool is_read = read_with(&reading, failing_allocator_get(&failing), "Action=a", everything);
        if (!is_read) EXPECT_STRING(reading.fault.type, "ServiceUnavailable");
        arena_close(&reading.arena);
        EXPECT_INT(failing.live, 0);
        if (calls == 0) EXPECT(!is_read);
        if (is_read) return;
    }
    EXPECT(false);
}
