/* SPDX-License-Identifier: Apache-2.0 */
/* message_md5.c -- the checksums that SDKs compare.
 *
 * MD5OfMessageAttributes, over the attributes in the order of their names:
 *
 *   u32 big-endian, name   u32 big-endian, type   u8 1: text, 2: bytes   u32 big-endian, value
 */
#include "sqs/message.h"

static void add(struct sqs *sqs, const void *bytes, size_t count) {
    /* A digest in memory fails only when it is used in a wrong way. */
    CHECK(EVP_DigestUpdate(sqs->md5_context, bytes, count) == 1);
}

static void add_with_count(struct sqs *sqs, struct slice slice) {
    uint8_t count[4] = {(uint8_t)(slice.count >> 24), (uint8_t)(slice.count >> 16),
                        (uint8_t)(slice.count >> 8), (uint8_t)slice.count};
    add(sqs, count, sizeof count);
    if (slice.count > 0) add(sqs, slice.bytes, slice.count);
}

static void begin(struct sqs *sqs) {
    CHECK(EVP_DigestInit_ex2(sqs->md5_context, sqs->md5, NULL) == 1);
}

static void end(struct sqs *sqs, uint8_t out[16]) {
    unsigned count = 0;
    CHECK(EVP_DigestFinal_ex(sqs->md5_context, out, &count) == 1 && count == 16);
}

void sqs_message_md5(struct sqs *sqs, struct slice bytes, uint8_t out[16]) {
    begin(sqs);
    if (bytes.count > 0) add(sqs, bytes.bytes, bytes.count);
    end(sqs, out);
}

void sqs_message_md5_attributes(struct sqs *sqs, const struct message_attribute *attributes,
                                uint32_t count, uint8_t out[16]) {
    const struct message_attribute *sorted[MESSAGE_ATTRIBUTES_MAX];
    CHECK(count <= MESSAGE_ATTRIBUTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && slice_compare(sorted[at - 1]->name, attributes[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &attributes[i];
    }
    begin(sqs);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t transport = slice_starts_with(sorted[i]->type, SLICE("Binary")) ? 2 : 1;
        add_with_count(sqs, sorted[i]->name);
        add_with_count(sqs, sorted[i]->type);
        add(sqs, &transport, 1);
        add_with_count(sqs, sorted[i]->value);
    }
    end(sqs, out);
}
