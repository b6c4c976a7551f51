/* SPDX-License-Identifier: Apache-2.0 */
#include "line/kit_writer.h"

#include "test.h"

#include <errno.h>

/* delivery joins what counter split: kitchen (each), cashier and gift (not each). */
static const struct definition_part parts[] = {{.station = 1, .is_array = true},
                                               {.station = 2, .is_array = false},
                                               {.station = 3, .is_array = false}};
static const struct definition_station stations[] = {
    {.name = "counter"},
    {.name = "kitchen"},
    {.name = "cashier"},
    {.name = "gift"},
    {.name = "delivery", .parts = parts, .parts_count = 3},
};
static const struct definition bakery = {.stations = stations, .stations_count = 5};

struct value {
    uint32_t part;
    const char *text;
};

static void expect_kit(const struct value *values, uint32_t values_count, const char *expected) {
    struct allocator allocator = allocator_system();
    struct buffer out;
    buffer_open(&out, &allocator, 4096);
    uint32_t counts[3] = {0};
    for (uint32_t i = 0; i < values_count; i++) counts[values[i].part]++;
    struct kit_writer writer;
    kit_writer_begin(&writer, &bakery, 4, counts, &out);
    for (uint32_t i = 0; i < values_count; i++) {
        struct slice text = slice_from_string(values[i].text);
        EXPECT_INT(kit_writer_add(&writer, values[i].part, text), 0);
    }
    kit_writer_end(&writer);
    buffer_append_byte(&out, '\0');
    EXPECT(!out.failed);
    EXPECT_STRING(out.bytes, expected);
    buffer_close(&out);
}

/* An array for an `each`, the value otherwise, null for a way that was not taken. */
TEST(kit_writer_puts_values_together) {
    expect_kit(NULL, 0, "{\"kitchen\":[],\"cashier\":null,\"gift\":null}");
    struct value all[] = {{0, "{\"n\": 1}"}, {0, "2"}, {1, " true\n"}, {2, "\"x\""}};
    expect_kit(all, 4, "{\"kitchen\":[{\"n\": 1},2],\"cashier\":true,\"gift\":\"x\"}");
    struct value one[] = {{0, "1"}};
    expect_kit(one, 1, "{\"kitchen\":[1],\"cashier\":null,\"gift\":null}");
    struct value last[] = {{2, "[]"}};
    expect_kit(last, 1, "{\"kitchen\":[],\"cashier\":null,\"gift\":[]}");
}

/* Nothing is lost when more comes than the file foresees. */
TEST(kit_writer_keeps_every_value) {
    struct value twice[] = {{1, "1"}, {1, "2"}};
    expect_kit(twice, 2, "{\"kitchen\":[],\"cashier\":[1,2],\"gift\":null}");
}

/* A part that is not JSON is refused. */
TEST(kit_writer_refuses_what_is_not_json) {
    struct allocator allocator = allocator_system();
    struct buffer out;
    buffer_open(&out, &allocator, 4096);
    uint32_t counts[3] = {1, 0, 0};
    struct kit_writer writer;
    kit_writer_begin(&writer, &bakery, 4, counts, &out);
    EXPECT_INT(kit_writer_add(&writer, 0, SLICE("bread")), -EINVAL);
    EXPECT_INT(kit_writer_add(&writer, 0, SLICE("")), -EINVAL);
    buffer_close(&out);
}
