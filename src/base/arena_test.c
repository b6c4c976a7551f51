/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "failing_allocator.h"
#include "test.h"

/* Pieces of every size are aligned, zeroed and apart from each other. */
TEST(arena_gives_zeroed_aligned_pieces) {
    struct failing_allocator failing = failing_allocator(SIZE_MAX);
    struct allocator allocator = failing_allocator_get(&failing);
    struct arena arena;
    arena_open(&arena, &allocator, 1024 * 1024);
    static char zeros[1000];
    for (int round = 0; round < 3; round++) {
        char *pieces[1000];
        for (size_t i = 0; i < 1000; i++) {
            pieces[i] = arena_take(&arena, i);
            EXPECT(pieces[i] != NULL);
            EXPECT_INT((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
            EXPECT_BYTES(pieces[i], zeros, i);
            memset(pieces[i], (int)(i % 255) + 1, i);
        }
        for (size_t i = 1; i < 1000; i++) {
            EXPECT_INT((unsigned char)pieces[i][0], i % 255 + 1);
            EXPECT_INT((unsigned char)pieces[i][i - 1], i % 255 + 1);
        }
        arena_reset(&arena);
        EXPECT_INT(arena.used_bytes, 0);
        EXPECT_INT(failing.live, 1); /* one block is kept */
    }
    arena_close(&arena);
    EXPECT_INT(failing.live, 0);
}

/* The sum of all pieces stays within bytes_max, and after a reset it is there again. */
TEST(arena_keeps_its_limit) {
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 100 * 1000);
    EXPECT(arena_take(&arena, 100 * 1000 + 1) == NULL);
    EXPECT(arena_take(&arena, 60 * 1000) != NULL);
    EXPECT(arena_take(&arena, 60 * 1000) == NULL);
    EXPECT(arena_take(&arena, 40 * 1000) != NULL);
    EXPECT(arena_take(&arena, 1) == NULL);
    EXPECT(arena_take(&arena, SIZE_MAX) == NULL);
    EXPECT(arena_take_array(&arena, SIZE_MAX / 2, 3) == NULL);
    arena_reset(&arena);
    EXPECT(arena_take_array(&arena, 10, 10 * 1000) != NULL);
    arena_close(&arena);
    EXPECT(arena.blocks == NULL);
    EXPECT(arena_take(&arena, 10) != NULL); /* it may be used again */
    arena_close(&arena);
}

/* A large block is not kept for the next request. */
TEST(arena_gives_large_blocks_back) {
    struct failing_allocator failing = failing_allocator(SIZE_MAX);
    struct allocator allocator = failing_allocator_get(&failing);
    struct arena arena;
    arena_open(&arena, &allocator, SIZE_MAX);
    EXPECT(arena_take(&arena, 1000 * 1000) != NULL);
    arena_reset(&arena);
    EXPECT_INT(failing.live, 0);
    arena_close(&arena);
}

/* Copies are terminated, also the empty one and one with a NUL inside. */
TEST(arena_copies_and_prints) {
    struct allocator allocator = allocator_system();
    struct arena arena;
    arena_open(&arena, &allocator, 10000);
    EXPECT_STRING(arena_copy(&arena, slice_from("hello", 4)), "hell");
    EXPECT_STRING(arena_copy(&arena, SLICE_EMPTY), "");
    EXPECT_BYTES(arena_copy(&arena, SLICE("a\0b")), "a\0b", 4);
    EXPECT_STRING(arena_printf(&arena, "%s/%d", "queue", 7), "queue/7");
    EXPECT(arena_printf(&arena, "%20000d", 7) == NULL);
    arena_close(&arena);
}

/* When memory runs out at the n-th block, what was taken before stays good and nothing leaks. */
TEST(arena_survives_running_out_of_memory) {
    for (size_t calls = 0; calls < 5; calls++) {
        struct failing_allocator failing = failing_allocator(calls);
        struct allocator allocator = failing_allocator_get(&failing);
        struct arena arena;
        arena_open(&arena, &allocator, SIZE_MAX);
        char *last = NULL;
        for (char *piece = arena_take(&arena, 3000); piece != NULL;
             piece = arena_take(&arena, 3000)) {
            piece[2999] = 'x';
            last = piece;
        }
        EXPECT((last == NULL) == (calls == 0));
        EXPECT(last == NULL || last[2999] == 'x');
        EXPECT_INT(failing.live, calls);
        EXPECT(arena_copy(&arena, slice_from(last, last == NULL ? 0 : 3000)) == NULL || calls > 0);
        arena_close(&arena);
        EXPECT_INT(failing.live, 0);
    }
}
