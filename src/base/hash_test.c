/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "test.h"

/* The published XXH3 values of no bytes: what a file holds must be readable for ever. */
TEST(hash_is_xxh3) {
    EXPECT(hash64(SLICE_EMPTY) == 0x2D06800538D394C2u);
    EXPECT(hash64_seeded(SLICE(""), 0) == 0x2D06800538D394C2u);
    static const uint8_t expected[16] = {0x99, 0xAA, 0x06, 0xD3, 0x01, 0x47, 0x98, 0xD8,
                                         0x60, 0x01, 0xC3, 0x24, 0x46, 0x8D, 0x49, 0x7F};
    uint8_t out[16];
    hash128_seeded(SLICE_EMPTY, 0, out);
    EXPECT_BYTES(out, expected, 16);
}

/* The seed and every byte count. */
TEST(hash_depends_on_all_input) {
    EXPECT(hash64(SLICE("abc")) == hash64_seeded(SLICE("abc"), 0));
    EXPECT(hash64_seeded(SLICE("abc"), 1) != hash64_seeded(SLICE("abc"), 2));
    EXPECT(hash64(SLICE("abc")) != hash64(SLICE("abd")));
    uint8_t one[16], two[16];
    hash128_seeded(SLICE("abc"), 1, one);
    hash128_seeded(SLICE("abc"), 2, two);
    EXPECT(memcmp(one, two, 16) != 0);
}

/* Hexadecimal there and back; the reader takes both cases and nothing else. */
TEST(hash_hex) {
    static const uint8_t bytes[4] = {0x00, 0x9A, 0xBC, 0xFF};
    char text[8];
    hex_write(bytes, 4, text);
    EXPECT_BYTES(text, "009abcff", 8);
    uint8_t back[4];
    EXPECT(hex_read(slice_from(text, 8), back, 4));
    EXPECT_BYTES(back, bytes, 4);
    EXPECT(hex_read(SLICE("009ABCFF"), back, 4));
    EXPECT_BYTES(back, bytes, 4);
    EXPECT(hex_read(SLICE_EMPTY, back, 0));
    EXPECT(!hex_read(SLICE("009abcf"), back, 4));
    EXPECT(!hex_read(SLICE("009abcff0"), back, 4));
    EXPECT(!hex_read(SLICE("009abcfg"), back, 4));
    EXPECT(!hex_read(SLICE("0x9abcff"), back, 4));
}
