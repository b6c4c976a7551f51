/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include "failing_allocator.h"
#include "test.h"

/* Everything appended stands there in order. */
TEST(buffer_appends) {
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, 1000);
    buffer_append(&buffer, SLICE_EMPTY);
    EXPECT(slice_equal(buffer_slice(&buffer), SLICE_EMPTY));
    buffer_append(&buffer, SLICE("one "));
    buffer_append_string(&buffer, "two");
    buffer_append_byte(&buffer, ' ');
    buffer_printf(&buffer, "%d%s", 3, "!");
    EXPECT(!buffer.failed);
    EXPECT(slice_equal(buffer_slice(&buffer), SLICE("one two 3!")));
    buffer_drop_front(&buffer, 4);
    EXPECT(slice_equal(buffer_slice(&buffer), SLICE("two 3!")));
    buffer_drop_front(&buffer, 6);
    EXPECT_INT(buffer.count, 0);
    EXPECT_ABORT(buffer_drop_front(&buffer, 1));
    buffer_close(&buffer);
    EXPECT(buffer.bytes == NULL);
    buffer_append(&buffer, SLICE("again"));
    EXPECT(slice_equal(buffer_slice(&buffer), SLICE("again")));
    buffer_close(&buffer);
}

/* Growing over many sizes keeps the bytes, by append and by printf. */
TEST(buffer_grows) {
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, SIZE_MAX);
    for (int i = 0; i < 10000; i++) {
        buffer_printf(&buffer, "%05d", i);
        buffer_append(&buffer, SLICE(","));
    }
    EXPECT(!buffer.failed);
    EXPECT_INT(buffer.count, 60000);
    EXPECT_BYTES(buffer.bytes + (size_t)6 * 1234, "01234,", 6);
    buffer_clear(&buffer);
    buffer_printf(&buffer, "%100000d", 1);
    EXPECT_INT(buffer.count, 100000);
    buffer_close(&buffer);
}

/* Exactly bytes_max fit; one byte more adds nothing, fails, and stays failed until it is cleared. */
TEST(buffer_keeps_its_limit) {
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, 10);
    buffer_printf(&buffer, "%010d", 5);
    EXPECT(!buffer.failed);
    EXPECT_INT(buffer.count, 10);
    EXPECT(!buffer_reserve(&buffer, 1));
    EXPECT(!buffer.failed);
    buffer_append(&buffer, SLICE("x"));
    EXPECT(buffer.failed);
    EXPECT_INT(buffer.count, 10);
    buffer_clear(&buffer);
    buffer_append(&buffer, SLICE("12345678"));
    buffer_append(&buffer, SLICE("123"));
    buffer_append(&buffer, SLICE("1")); /* it would fit, but an earlier one is missing */
    EXPECT(buffer.failed);
    EXPECT(slice_equal(buffer_slice(&buffer), SLICE("12345678")));
    buffer_clear(&buffer);
    buffer_append(&buffer, SLICE("1234567"));
    buffer_printf(&buffer, "%d", 1234);
    EXPECT(buffer.failed);
    EXPECT(slice_equal(buffer_slice(&buffer), SLICE("1234567")));
    EXPECT(!buffer_reserve(&buffer, 0));
    buffer_close(&buffer);
    EXPECT(!buffer.failed);
}

/* When memory runs out at the n-th growth, what was there before is untouched. */
TEST(buffer_survives_running_out_of_memory) {
    for (size_t calls = 0; calls < 6; calls++) {
        struct failing_allocator failing = failing_allocator(calls);
        struct allocator allocator = failing_allocator_get(&failing);
        struct buffer buffer;
        buffer_open(&buffer, &allocator, SIZE_MAX);
        size_t appended = 0;
        for (; appended < 5000 && !buffer.failed; appended++) {
            buffer_append(&buffer, SLICE("0123456789"));
        }
        EXPECT(buffer.failed);
        EXPECT_INT(buffer.count, (appended - 1) * 10);
        buffer_printf(&buffer, "%d", 1);
        EXPECT_INT(buffer.count, (appended - 1) * 10);
        EXPECT(calls == 0 || memcmp(buffer.bytes + buffer.count - 10, "0123456789", 10) == 0);
        buffer_clear(&buffer);
        buffer_printf(&buffer, "%s", "");
        EXPECT(buffer.failed == (calls == 0));
        buffer_close(&buffer);
        EXPECT_INT(failing.live, 0);
    }
}
