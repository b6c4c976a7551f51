/* SPDX-License-Identifier: Apache-2.0 */
/* base64.c -- three bytes become four letters, and back. */
#include "sqs/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* 0 to 63, or 64 if it is none. */
static uint32_t value_of(char letter) {
    if (letter >= 'A' && letter <= 'Z') return (uint32_t)(letter - 'A');
    if (letter >= 'a' && letter <= 'z') return (uint32_t)(letter - 'a') + 26;
    if (letter >= '0' && letter <= '9') return (uint32_t)(letter - '0') + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : 64;
}

bool base64_read(struct arena *arena, struct slice text, struct slice *out) {
    if (text.count % 4 != 0) return false;
    size_t count = text.count;
    for (int i = 0; i < 2 && count > 0 && text.bytes[count - 1] == '='; i++) count--;
    char *bytes = arena_take(arena, text.count / 4 * 3);
    if (bytes == NULL) return false;

    size_t written = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t value = value_of(text.bytes[i]);
        if (value == 64) return false;
        bits = bits << 6 | value;
        if (i % 4 > 0) bytes[written++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xFF);
    }
    *out = slice_from(bytes, written);
    return true;
}

void base64_write(struct buffer *out, struct slice bytes) {
    if (!buffer_reserve(out, (bytes.count + 2) / 3 * 4)) {
        out->failed = true;
        return;
    }
    char *end = out->bytes + out->count;
    for (size_t i = 0; i < bytes.count; i += 3) {
        size_t left = bytes.count - i;
        uint32_t bits = (uint32_t)(uint8_t)bytes.bytes[i] << 16;
        if (left > 1) bits |= (uint32_t)(uint8_t)bytes.bytes[i + 1] << 8;
        if (left > 2) bits |= (uint8_t)bytes.bytes[i + 2];
        *end++ = letters[bits >> 18];
        *end++ = letters[bits >> 12 & 63];
        *end++ = left > 1 ? letters[bits >> 6 & 63] : '=';
        *end++ = left > 2 ? letters[bits & 63] : '=';
    }
    out->count = (size_t)(end - out->bytes);
}
