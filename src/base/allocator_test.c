/* SPDX-License-Identifier: Apache-2.0 */
#include "base/allocator.h"

#include "failing_allocator.h"
#include "test.h"

#include <string.h>

/* What is taken is zeroed, even if the memory was used before, and keeps its bytes when resized. */
TEST(allocator_takes_zeroed_memory) {
    struct allocator system = allocator_system();
    char *bytes = allocator_take(&system, 100);
    EXPECT(bytes != NULL);
    char zeros[100] = {0};
    EXPECT_BYTES(bytes, zeros, 100);
    memset(bytes, 7, 100);
    bytes = allocator_resize_array(&system, bytes, 1000, 10);
    EXPECT(bytes != NULL);
    EXPECT_INT(bytes[99], 7);
    allocator_give_back(&system, bytes);
    allocator_give_back(&system, NULL);
}

/* No bytes are no failure: NULL always means out of memory. */
TEST(allocator_takes_nothing) {
    struct allocator system = allocator_system();
    void *memory = allocator_take(&system, 0);
    EXPECT(memory != NULL);
    EXPECT(allocator_resize_array(&system, memory, 0, 8) == NULL); /* frees it */
}

/* A product that does not fit is refused, and the old memory stays. */
TEST(allocator_refuses_overflow) {
    struct failing_allocator failing = failing_allocator(1);
    struct allocator allocator = failing_allocator_get(&failing);
    void *memory = allocator_take(&allocator, 8);
    EXPECT(memory != NULL);
    EXPECT(allocator_resize_array(&allocator, memory, SIZE_MAX / 4, 8) == NULL);
    EXPECT_INT(failing.live, 1);
    EXPECT(allocator_resize_array(&allocator, memory, 2, 8) == NULL); /* out of memory */
    EXPECT(allocator_take(&allocator, 8) == NULL);
    allocator_give_back(&allocator, memory);
    EXPECT_INT(failing.live, 0);
}
