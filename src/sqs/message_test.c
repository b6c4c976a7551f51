/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/message.h"

#include "base/hash.h"
#include "test.h"

#include <stdlib.h>

static struct sqs open_md5(void) {
    return (struct sqs){.md5 = EVP_MD_fetch(NULL, "MD5", NULL), .md5_context = EVP_MD_CTX_new()};
}

static void close_md5(struct sqs *sqs) {
    EVP_MD_CTX_free(sqs->md5_context);
    EVP_MD_free(sqs->md5);
}

static void expect_hex(const uint8_t md5[16], const char *hex) {
    char text[33] = "";
    hex_write(md5, 16, text);
    EXPECT_STRING(text, hex);
}

/* RFC 1321's vectors: the context is used again and again. */
TEST(message_md5_knows_the_vectors) {
    struct sqs sqs = open_md5();
    uint8_t md5[16];
    sqs_message_md5(&sqs, SLICE_EMPTY, md5);
    expect_hex(md5, "d41d8cd98f00b204e9800998ecf8427e");
    sqs_message_md5(&sqs, SLICE("message digest"), md5);
    expect_hex(md5, "f96b697d7cb7938d525a2f31aaf161d0");
    sqs_message_md5(&sqs, SLICE("abc"), md5);
    expect_hex(md5, "900150983cd24fb0d6963f7d28e17f72");
    close_md5(&sqs);
}

/* The checksum that the real service gave for these attributes (as recorded by others' tests); the
 * order in which they come does not matter. */
TEST(message_md5_of_attributes_is_the_real_ones) {
    static const struct message_attribute one[] = {
        {SLICE("timestamp"), SLICE("Number"), SLICE("1493147359900")}};
    static const struct message_attribute two[] = {
        {SLICE("timestamp"), SLICE("Number.xx"), SLICE("1493147359900")},
        {SLICE("b"), SLICE("Binary"), SLICE("\x00\x01\xFF")},
        {SLICE("a"), SLICE("String"), SLICE("v")}};
    static const struct message_attribute other[] = {
        {SLICE("a"), SLICE("String"), SLICE("v")},
        {SLICE("b"), SLICE("Binary"), SLICE("\x00\x01\xFF")},
        {SLICE("timestamp"), SLICE("Number.xx"), SLICE("1493147359900")}};
    struct sqs sqs = open_md5();
    uint8_t md5[16];
    uint8_t again[16];
    sqs_message_md5_attributes(&sqs, one, 1, md5);
    expect_hex(md5, "235c5c510d26fb653d073faed50ae77c");
    sqs_message_md5_attributes(&sqs, two, 3, md5);
    sqs_message_md5_attributes(&sqs, other, 3, again);
    EXPECT_BYTES(md5, again, 16);
    close_md5(&sqs);
}

/* One spoilt character is found wherever it stands, whatever stands around it. */
TEST(message_characters_are_found_anywhere) {
    static const char *const spoilt[] = {"\x01", "\x08",         "\x0B",
                                         "\x1F", "\xEF\xBF\xBE", "\xEF\xBF\xBF"};
    static const char *const fine[] = {"\t",
                                       "\n",
                                       "\r",
                                       " ",
                                       "\x7F",
                                       "\xEF\xBF\xBD",
                                       "\xEE\x80\x80",
                                       "\xEF\x80\x80",
                                       "\xF0\x9F\x98\x80",
                                       "\xC3\xAF"};
    char text[64];
    EXPECT(sqs_message_has_valid_characters(SLICE_EMPTY));
    EXPECT(!sqs_message_has_valid_characters(SLICE("a\0b")));
    for (size_t at = 0; at < 40; at++) {
        for (size_t i = 0; i < ARRAY_COUNT(spoilt); i++) {
            size_t count = strlen(spoilt[i]);
            memset(text, at % 2 == 0 ? 'x' : '\n', sizeof text);
            memcpy(text + at, spoilt[i], count);
            EXPECT(!sqs_message_has_valid_characters(slice_from(text, 48)));
            EXPECT(!sqs_message_has_valid_characters(slice_from(text, at + count)));
        }
        for (size_t i = 0; i < ARRAY_COUNT(fine); i++) {
            size_t count = strlen(fine[i]);
            memset(text, 'x', sizeof text);
            memcpy(text + at, fine[i], count);
            EXPECT(sqs_message_has_valid_characters(slice_from(text, 48)));
            EXPECT(sqs_message_has_valid_characters(slice_from(text, at + count)));
        }
    }
}

/* What counts against the limits: the text, and names, types and values of the attributes. */
TEST(message_counts_its_bytes) {
    static const struct sqs_attribute attributes[] = {
        {.name = SLICE("name"), .type = SLICE("String"), .text = SLICE("four")},
        {.name = SLICE("b"), .type = SLICE("Binary"), .bytes = SLICE("\0\0\0")}};
    struct message_input input = {.text = SLICE("hello"),
                                  .attributes = {attributes, 2},
                                  .system_attributes = {attributes, 1}};
    EXPECT_INT(sqs_message_counted_bytes(&input), 5 + 14 + 10);
}
