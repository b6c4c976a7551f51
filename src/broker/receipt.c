/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.c -- 36 bytes, hexadecimal would be too long for 71 chars: base64url, 48 chars.
 *
 *   u64 number, u32 slot, u32 nonce, u32 queue slot, 16 bytes HMAC-SHA256 of these, cut
 */
#include "broker/receipt.h"

#include "base/codec.h"
#include "broker/broker_state.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define FIELDS_BYTES 20u
#define TAG_BYTES 16u
#define BYTES (FIELDS_BYTES + TAG_BYTES)
#define TEXT_CHARS (BYTES / 3 * 4)

_Static_assert(BYTES % 3 == 0, "no padding in the text");
_Static_assert(TEXT_CHARS < RECEIPT_TEXT_BYTES, "with the terminating zero");

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The seed also makes message ids, which everybody sees: what is hashed differs in its length. */
static void make_tag(const struct broker *broker, const uint8_t fields[FIELDS_BYTES],
                     uint8_t tag[TAG_BYTES]) {
    const struct root *root = root_at(broker, 0);
    uint8_t whole[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    const void *made =
        HMAC(EVP_sha256(), root->seed, sizeof root->seed, fields, FIELDS_BYTES, whole, &count);
    CHECK(made != NULL && count >= TAG_BYTES);
    memcpy(tag, whole, TAG_BYTES);
}

void receipt_write(const struct broker *broker, const struct receipt *receipt,
                   char out[RECEIPT_TEXT_BYTES]) {
    uint8_t bytes[BYTES];
    encode_u64_at((char *)bytes, receipt->number);
    encode_u32_at((char *)bytes + 8, receipt->slot);
    encode_u32_at((char *)bytes + 12, receipt->nonce);
    encode_u32_at((char *)bytes + 16, receipt->queue_slot);
    make_tag(broker, bytes, bytes + FIELDS_BYTES);
    for (size_t i = 0; i < BYTES / 3; i++) {
        const uint8_t *in = bytes + 3 * i;
        uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        for (size_t k = 0; k < 4; k++) out[4 * i + k] = digits[group >> (18 - 6 * k) & 0x3F];
    }
    out[TEXT_CHARS] = '\0';
}

static bool decode_group(const char *text, uint8_t out[3]) {
    uint32_t group = 0;
    for (size_t k = 0; k < 4; k++) {
        const char *digit = text[k] == '\0' ? NULL : strchr(digits, text[k]);
        if (digit == NULL) return false;
        group = group << 6 | (uint32_t)(digit - digits);
    }
    out[0] = (uint8_t)(group >> 16);
    out[1] = (uint8_t)(group >> 8);
    out[2] = (uint8_t)group;
    return true;
}

bool receipt_read(const struct broker *broker, struct slice text, struct receipt *out) {
    uint8_t bytes[BYTES];
    uint8_t tag[TAG_BYTES];
    if (text.count != TEXT_CHARS || broker_is_new(broker)) return false;
    for (size_t i = 0; i < BYTES / 3; i++) {
        if (!decode_group(text.bytes + 4 * i, bytes + 3 * i)) return false;
    }
    make_tag(broker, bytes, tag);
    if (CRYPTO_memcmp(tag, bytes + FIELDS_BYTES, TAG_BYTES) != 0) return false;
    *out = (struct receipt){.number = decode_u64_at((char *)bytes),
                            .slot = decode_u32_at((char *)bytes + 8),
                            .nonce = decode_u32_at((char *)bytes + 12),
                            .queue_slot = decode_u32_at((char *)bytes + 16)};
    return true;
}
