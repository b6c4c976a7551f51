/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* XXH3 may be given NULL only in its newest versions. */
static const void *bytes_of(struct slice slice) {
    return slice.count == 0 ? "" : slice.bytes;
}

uint64_t hash64(struct slice slice) {
    return XXH3_64bits(bytes_of(slice), slice.count);
}

uint64_t hash64_seeded(struct slice slice, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes_of(slice), slice.count, seed);
}

void hash128_seeded(struct slice slice, uint64_t seed, uint8_t out[16]) {
    XXH128_canonical_t canonical; /* big-endian: the same bytes on every machine */
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes_of(slice), slice.count, seed));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

void hex_write(const uint8_t *bytes, size_t count, char *out) {
    static const char digits[16] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 0x0F];
    }
}

/* 0 to 15, or -1. */
static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool hex_read(struct slice text, uint8_t *out, size_t count) {
    if (text.count / 2 != count || text.count % 2 != 0) return false;
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(text.bytes[2 * i]);
        int low = hex_digit(text.bytes[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
