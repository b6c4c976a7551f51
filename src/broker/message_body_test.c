/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/message_body.h"

#include "test.h"

#include <errno.h>

static void expect_slice(struct slice actual, struct slice expected) {
    EXPECT(slice_equal(actual, expected));
}

/* All that can be in one comes back; every shorter piece of it is refused or has less text. */
TEST(message_body_comes_back) {
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, SIZE_MAX);
    struct message_body body = {
        .text = SLICE("the text"),
        .attributes = {{SLICE("name"), SLICE("String"), SLICE("value")},
                       {SLICE("bytes"), SLICE("Binary"), SLICE("\0\1\2")}},
        .attributes_count = 2,
        .trace_header = SLICE("Root=1"),
        .has_md5 = true,
        .md5_text = {1, 2, 3},
        .md5_attributes = {4, 5, 6},
    };
    message_body_encode(&buffer, &body);
    struct message_body back;
    EXPECT_INT(message_body_decode(buffer_slice(&buffer), &back), 0);
    expect_slice(back.text, body.text);
    expect_slice(back.trace_header, body.trace_header);
    EXPECT_INT(back.attributes_count, 2);
    for (int i = 0; i < 2; i++) {
        expect_slice(back.attributes[i].name, body.attributes[i].name);
        expect_slice(back.attributes[i].type, body.attributes[i].type);
        expect_slice(back.attributes[i].value, body.attributes[i].value);
    }
    EXPECT(back.has_md5);
    EXPECT_BYTES(back.md5_text, body.md5_text, 16);
    EXPECT_BYTES(back.md5_attributes, body.md5_attributes, 16);
    struct slice text;
    EXPECT_INT(message_body_text(buffer_slice(&buffer), &text), 0);
    expect_slice(text, body.text);
    size_t head_count = buffer.count - body.text.count;
    for (size_t count = 0; count < buffer.count; count++) {
        int result = message_body_decode(slice_from(buffer.bytes, count), &back);
        EXPECT_INT(result, count < head_count ? -EBADMSG : 0);
    }
    buffer_close(&buffer);
}

/* What stations hand on has only a text: two bytes more than it. */
TEST(message_body_can_be_only_text) {
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    struct message_body back;
    buffer_open(&buffer, &allocator, SIZE_MAX);
    message_body_encode(&buffer, &(struct message_body){.text = SLICE("{}")});
    EXPECT_INT(buffer.count, 4);
    EXPECT_INT(message_body_decode(buffer_slice(&buffer), &back), 0);
    expect_slice(back.text, SLICE("{}"));
    EXPECT(!back.has_md5 && back.attributes_count == 0 && back.trace_header.count == 0);
    buffer_close(&buffer);
}

/* An unknown version, flag, or too many attributes. */
TEST(message_body_refuses_what_it_does_not_know) {
    struct message_body back;
    struct slice text;
    EXPECT_INT(message_body_decode(SLICE("\2\0x"), &back), -EBADMSG);
    EXPECT_INT(message_body_decode(SLICE("\1\4x"), &back), -EBADMSG);
    EXPECT_INT(message_body_decode(SLICE("\1\2\0\0\0\0\13"), &back), -EBADMSG);
    EXPECT_INT(message_body_text(SLICE(""), &text), -EBADMSG);
}
