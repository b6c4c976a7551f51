/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/base64.h"

#include "failing_allocator.h"
#include "test.h"

/* The vectors of RFC 4648, in both directions. */
TEST(base64_knows_the_vectors) {
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"},
                                             {"\xFB\xFF\xFE", "+//+"}};
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 1 << 20);
    struct buffer buffer;
    buffer_open(&buffer, &allocator, 1 << 20);
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        struct slice plain = slice_from_string(vectors[i][0]);
        struct slice text = slice_from_string(vectors[i][1]);
        struct slice read;
        EXPECT(base64_read(&arena, text, &read));
        EXPECT(slice_equal(read, plain));
        buffer_clear(&buffer);
        base64_write(&buffer, plain);
        EXPECT(slice_equal(buffer_slice(&buffer), text));
    }
    buffer_close(&buffer);
    arena_close(&arena);
}

/* What is not base64 is refused: a wrong length, a wrong letter, padding in the middle. */
TEST(base64_refuses_other_text) {
    static const char *const texts[] = {
        "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9-", "Zm 9"};
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 1 << 20);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct slice read;
        EXPECT(!base64_read(&arena, slice_from_string(texts[i]), &read));
    }
    arena_close(&arena);
}

/* Without memory nothing is written, and the buffer says so. */
TEST(base64_says_when_there_is_no_memory) {
    struct failing_allocator failing = failing_allocator(0);
    struct allocator allocator = failing_allocator_get(&failing);
    struct arena arena;
    arena_open(&arena, &allocator, 1 << 20);
    struct buffer buffer;
    buffer_open(&buffer, &allocator, 1 << 20);
    struct slice read;
    EXPECT(!base64_read(&arena, SLICE("Zm9v"), &read));
    base64_write(&buffer, SLICE("foo"));
    EXPECT(buffer.failed);
    buffer_close(&buffer);
    arena_close(&arena);
}
