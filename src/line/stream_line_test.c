/* SPDX-License-Identifier: Apache-2.0 */
#include "line/stream_line.h"

#include "test.h"

static struct stream_message message_of(struct slice body) {
    return (struct stream_message){.id = 7,
                                   .task = SLICE("j/kitchen/3"),
                                   .job = SLICE("j"),
                                   .station = SLICE("kitchen"),
                                   .attempt = 2,
                                   .body = body};
}

static void expect_line(const struct stream_message *message, const char *end) {
    static const char begin[] = "{\"id\":\"7\",\"task\":\"j/kitchen/"
                                "3\",\"job\":\"j\",\"station\":\"kitchen\",\"attempt\":2,";
    struct allocator allocator = allocator_system();
    struct buffer out;
    buffer_open(&out, &allocator, 4096);
    stream_line_write(&out, message);
    buffer_append_byte(&out, '\0');
    EXPECT(!out.failed);
    EXPECT_BYTES(out.bytes, begin, sizeof begin - 1);
    EXPECT_STRING(out.bytes + sizeof begin - 1, end);
    buffer_close(&out);
}

/* A JSON body goes into the line as the bytes that came; its line breaks would end the line. */
TEST(stream_line_carries_json_as_it_came) {
    struct stream_message message = message_of(SLICE(" {\"a\": 1e400,\r\n \"b\":\"x\\ny\"}\n"));
    expect_line(&message, "\"body\":{\"a\": 1e400,   \"b\":\"x\\ny\"}}\n");
    message = message_of(SLICE("null"));
    expect_line(&message, "\"body\":null}\n");
}

/* A body that is not JSON is base64, of each length of the last group. */
TEST(stream_line_carries_bytes_as_base64) {
    static const struct {
        struct slice body;
        const char *end;
    } cases[] = {
        {SLICE(""), "\"body_base64\":\"\"}\n"},
        {SLICE("x"), "\"body_base64\":\"eA==\"}\n"},
        {SLICE("xy"), "\"body_base64\":\"eHk=\"}\n"},
        {SLICE("x\nz"), "\"body_base64\":\"eAp6\"}\n"},
        {SLICE("\xff\xfe\xfd\x00"), "\"body_base64\":\"//79AA==\"}\n"},
        {SLICE("{\"a\":1} x"), "\"body_base64\":\"eyJhIjoxfSB4\"}\n"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct stream_message message = message_of(cases[i].body);
        expect_line(&message, cases[i].end);
    }
}

/* A large kit is named, not carried. */
TEST(stream_line_names_a_file) {
    struct stream_message message = message_of(SLICE_EMPTY);
    message.body_file = SLICE("/tmp/a \"kit\"");
    expect_line(&message, "\"body_file\":\"/tmp/a \\\"kit\\\"\"}\n");
}

/* What a worker says is an answer only if it is an object that names a message. */
TEST(stream_line_reads_answers) {
    static const struct {
        const char *line;
        enum stream_answer_kind kind;
        const char *value;
    } cases[] = {
        {"{\"id\":\"7\",\"output\":{\"n\": 1.0}}", STREAM_OUTPUT, "{\"n\": 1.0}"},
        {" {\"id\": 7, \"output\": null}\r", STREAM_OUTPUT, "null"},
        {"{\"output\":[1, 2],\"id\":\"7\"}", STREAM_OUTPUT, "[1, 2]"},
        {"{\"id\":\"7\",\"outputs\":{}}", STREAM_OUTPUTS, "{}"},
        {"{\"id\":\"7\",\"outputs\":[]}", STREAM_WRONG, NULL},
        {"{\"id\":\"7\",\"error\":\"no flour\"}", STREAM_ERROR, "\"no flour\""},
        {"{\"id\":\"7\",\"reject\":{\"why\":1}}", STREAM_REJECT, "{\"why\":1}"},
        {"{\"id\":\"7\"}", STREAM_WRONG, NULL},
        {"{\"id\":\"seven\",\"output\":1}", STREAM_LOG, NULL},
        {"{\"id\":\"-7\",\"output\":1}", STREAM_LOG, NULL},
        {"{\"id\":[7],\"output\":1}", STREAM_LOG, NULL},
        {"{\"output\":1}", STREAM_LOG, NULL},
        {"[7]", STREAM_LOG, NULL},
        {"baking", STREAM_LOG, NULL},
        {"", STREAM_LOG, NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct stream_answer answer = stream_line_read(slice_from_string(cases[i].line));
        EXPECT_INT(answer.kind, cases[i].kind);
        if (answer.kind != STREAM_LOG) EXPECT_INT(answer.id, 7);
        if (cases[i].value != NULL) EXPECT(slice_equal_string(answer.value, cases[i].value));
    }
}

/* What names a message and then is not JSON is a wrong answer, and says what is wrong and where; if
 * it is wrong before its id is whole, nobody knows whose it is. */
TEST(stream_line_reads_broken_answers) {
    static const struct {
        const char *line;
        enum stream_answer_kind kind;
        size_t offset;
    } cases[] = {
        {"{\"id\": \"7\", \"output\": NaN}", STREAM_BROKEN, 22},
        {"{\"id\": 7, \"output\": [1, Infinity]}", STREAM_BROKEN, 24},
        {" {\"id\":\"7\",\"output\":\"\\ud83d\"}", STREAM_BROKEN, 21},
        {"{\"id\":\"7\",\"output\":\"\xff\"}", STREAM_BROKEN, 20},
        {"{\"id\":\"7\",\"output\":1", STREAM_BROKEN, 20},
        {"{\"id\":\"7\",\"output\":1} x", STREAM_BROKEN, 22},
        {"{\"id\":\"7\"}}", STREAM_BROKEN, 10},
        {"{\"output\":{\"a\":[1,\"},\\\"\"]},\"id\":\"7\",\"error\":-}", STREAM_BROKEN, 45},
        {"{\"output\":NaN,\"id\":\"7\"}", STREAM_LOG, 0},
        {"{\"output\":{\"id\":\"7\",\"a\":NaN}}", STREAM_LOG, 0},
        {"{\"id\":\"7", STREAM_LOG, 0},
        {"{\"id\":7", STREAM_LOG, 0},
        {"{\"id\":\"seven\",\"output\":NaN}", STREAM_LOG, 0},
        {"{", STREAM_LOG, 0},
        {"[{\"id\":\"7\",\"output\":NaN}", STREAM_LOG, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct stream_answer answer = stream_line_read(slice_from_string(cases[i].line));
        EXPECT_INT(answer.kind, cases[i].kind);
        if (answer.kind != STREAM_BROKEN) continue;
        EXPECT_INT(answer.id, 7);
        EXPECT_INT(answer.error.offset, cases[i].offset);
        EXPECT(answer.error.message[0] != '\0');
    }
}
