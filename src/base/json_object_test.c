/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_object.h"

#include "test.h"

/* Members and elements get their commas wherever objects and arrays begin and end. */
TEST(json_object_separates_members_and_elements) {
    struct allocator allocator = allocator_system();
    struct buffer out;
    buffer_open(&out, &allocator, 1024);
    buffer_append_byte(&out, '{');
    json_object_text(&out, "name", SLICE("a\"{"));
    json_object_name(&out, "list");
    buffer_append_byte(&out, '[');
    for (int i = 0; i < 2; i++) {
        json_array_next(&out);
        buffer_append_byte(&out, '{');
        json_object_number(&out, "n", i);
        json_object_bool(&out, "odd", i == 1);
        buffer_append_byte(&out, '}');
    }
    buffer_append_byte(&out, ']');
    json_object_time(&out, "never", (struct wall_time){0});
    json_object_time(&out, "then", (struct wall_time){1});
    buffer_append_byte(&out, '}');
    buffer_append_byte(&out, '\0');
    EXPECT_STRING(out.bytes, "{\"name\":\"a\\\"{\",\"list\":[{\"n\":0,\"odd\":false},{\"n\":1,"
                             "\"odd\":true}],\"then\":\"1970-01-01T00:00:00.001Z\"}");
    buffer_close(&out);
}
