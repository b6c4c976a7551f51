/* SPDX-License-Identifier: Apache-2.0 */
/* One station with the `next` of each test, one message, and where its outputs go:
 * "TARGET[index]=body" each, or why it failed. */
#include "line/route.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>

struct stage {
    struct allocator allocator;
    struct definition_files files;
    struct arena arena;
    struct route_result result;
};

static char text[65536];

static void stage_open(struct stage *stage, const char *next) {
    (void)snprintf(text, sizeof text,
                   "line: t\n"
                   "gateway: { POST /a: a, POST /b: b, POST /c: c }\n"
                   "stations:\n"
                   "  a: { exec: ./a, next: %s }\n"
                   "  b: { exec: ./b }\n"
                   "  c: { next: b, with: '{v: .x, o: $order.n}' }\n",
                   next);
    stage->allocator = allocator_system();
    struct definition_options options = {.allocator = &stage->allocator};
    struct definition_source source = {
        .path = "t.yaml", .folder = "/t", .bytes = slice_from_string(text)};
    int rc = definition_read(&source, 1, &options, &stage->files);
    if (rc < 0) (void)printf("%s\n", stage->files.errors.list[0].text);
    EXPECT_INT(rc, 0);
    arena_open(&stage->arena, &stage->allocator, ROUTE_ARENA_BYTES_MAX);
}

static void stage_close(struct stage *stage) {
    arena_close(&stage->arena);
    definition_close(&stage->files);
}

static struct route_message message_of(const struct stage *stage, struct slice output) {
    return (struct route_message){.definition = stage->files.definitions,
                                  .station = 0,
                                  .input = SLICE("{\"x\":\"in\"}"),
                                  .order = SLICE("{\"n\":1.50}"),
                                  .output = output,
                                  .job = SLICE("j-1")};
}

static const char *describe(const struct stage *stage, int rc) {
    const struct route_result *result = &stage->result;
    if (rc == -EBADMSG) return result->failure;
    if (rc < 0) return "out of memory";
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < result->outputs_count; i++) {
        const struct route_output *output = &result->outputs[i];
        char index[16] = "";
        if (output->each_index != ROUTE_EACH_NONE) {
            (void)snprintf(index, sizeof index, "[%u]", output->each_index);
        }
        int count = snprintf(
            text + used, sizeof text - used, "%s%s%s=%.*s", i == 0 ? "" : " ",
            output->station < 0 ? "end" : stage->files.definitions->stations[output->station].name,
            index, SLICE_ARGS(output->body));
        used += (size_t)count;
    }
    return text;
}

static void check(const char *next, const char *output, const char *expected) {
    struct stage stage;
    stage_open(&stage, next);
    struct route_message message = message_of(&stage, slice_from_string(output));
    int rc = route_outputs(&message, &stage.arena, &stage.result);
    EXPECT_STRING(describe(&stage, rc), expected);
    stage_close(&stage);
}

static void check_by_station(const char *next, const char *outputs, const char *expected) {
    struct stage stage;
    stage_open(&stage, next);
    struct route_message message = message_of(&stage, slice_from_string(outputs));
    message.by_station = true;
    int rc = route_outputs(&message, &stage.arena, &stage.result);
    EXPECT_STRING(describe(&stage, rc), expected);
    stage_close(&stage);
}

/* Without expressions any bytes go on as they are. */
TEST(route_outputs_passes_any_bytes) {
    check("b", "not { json", "b=not { json");
    check("[b, c, end]", " 1.0 ", "b= 1.0  c= 1.0  end= 1.0 ");
    check("b", "", "b=");
}

/* A list sends to every entry whose `when` is true. */
TEST(route_outputs_takes_every_entry) {
    check("[{to: b, when: .a}, {to: c, when: .b}]", "{\"a\":1,\"b\":0}",
          "b={\"a\":1,\"b\":0} c={\"a\":1,\"b\":0}");
    check("[{to: b, when: .a}, {to: c, when: .b}]", "{\"b\":[]}", "c={\"b\":[]}");
    check("[{to: b, when: .a}, {else: c}]", "{\"a\":false}", "c={\"a\":false}");
    check("[{to: b, when: .a}, {else: c}]", "{\"a\":true}", "b={\"a\":true}");
    check("[{to: b, when: .a}, {to: c, when: .b}]", "{}",
          "nothing in `next` of a matched, and there is no `else`");
}

/* {first: …} sends to one, and does not look at what comes behind it. */
TEST(route_outputs_takes_the_first_entry) {
    check("{first: [{to: b, when: .a}, {to: c, each: .list, when: .x}, {else: end}]}", "{\"a\":1}",
          "b={\"a\":1}");
    check("{first: [{to: b, when: .a}, {to: c, each: .list, when: .x}, {else: end}]}",
          "{\"list\":[{\"x\":0},{}]}", "c[0]={\"x\":0}");
    check("{first: [{to: b, when: .a}, {to: c, each: .list, when: .x}, {else: end}]}",
          "{\"list\":[{}]}", "end={\"list\":[{}]}");
    check("{first: [{to: b, when: .a}, {to: c, when: .b}]}", "{}",
          "nothing in `next` of a matched, and there is no `else`");
}

/* `each` gives each element as it came, then `when` and `with` see the element as `.`. */
TEST(route_outputs_splits) {
    check("{to: b, each: .items}", "{\"items\":[ 1.0,\t{\"a\" : 2} ,null]}",
          "b[0]=1.0 b[1]={\"a\" : 2} b[2]=null");
    check("{to: b, each: .}", "[]", "");
    check("{to: b, each: .items, when: .q > 1, with: '{q, i: $index, all: $out.n, o: $order.n, x: "
          "$in.x, j: $job}'}",
          "{\"n\":9,\"items\":[{\"q\":1},{\"q\":2}]}",
          "b[1]={\"q\":2,\"i\":1,\"all\":9,\"o\":1.50,\"x\":\"in\",\"j\":\"j-1\"}");
    check("{to: b, each: .items, with: $index}", "{\"items\":[7,7,7]}", "b[0]=0 b[1]=1 b[2]=2");
    check("{to: b, each: .items, when: .q}", "{\"items\":[{},{}]}", "");
    check("[{to: b, each: .items, when: .q}, {else: c}]", "{\"items\":[{},{}]}",
          "c={\"items\":[{},{}]}");
    check("[{to: b, each: .items, when: .q}, {else: c}]", "{\"items\":[]}", "c={\"items\":[]}");
    check("[{to: b, each: .x}, {to: c, each: .y}]", "{\"x\":[1],\"y\":[2,3]}",
          "b[0]=1 c[0]=2 c[1]=3");
    check("{to: b, with: '{n: .a, i: $index}'}", "{\"a\":12345678901234567890}",
          "b={\"n\":12345678901234567890,\"i\":null}");
}

/* A message that does not fit says which expression on which way, and why. */
TEST(route_outputs_fails_in_words) {
    check(
        "{to: b, when: .a}", "{\"a\":",
        "`when` of the way from a to b: the output of a is not JSON: unexpected end of the text at "
        "byte 5");
    check("{to: b, each: .a}", "{\"a\":5}", "`each` of the way from a to b: `.a` is not an array");
    check("{to: b, each: .a}", "{}", "`each` of the way from a to b: `.a` is not an array");
    check("{to: end, with: .a.b}", "{\"a\":\"s\"}",
          "`with` of the way from a to end: .a.b: cannot look up \"b\" in a string");
}

/* A handler that names its targets decides itself; what it names must be in `next`. */
TEST(route_outputs_by_station) {
    const char *next = "[{to: b, each: .list}, {to: c, when: .x}, {to: end, when: .y}]";
    check_by_station(next, "{\"b\":{\"list\":[1,2]},\"c\":{\"x\":true}}",
                     "b[0]=1 b[1]=2 c={\"x\":true}");
    check_by_station(next, "{}", "");
    check_by_station(next, "{\"d\":1}", "a gave an output for \"d\", which is not in its `next`");
    check_by_station(next, "[1]", "the outputs of a are not an object of stations and values");
    check_by_station("[{to: b, when: .x}, {else: c}]", "{\"b\":{\"x\":1},\"c\":2}",
                     "b={\"x\":1} c=2");
    check_by_station("b", "{\"b\":null}", "b=null");
}

/* As many outputs as are allowed, and one more. */
TEST(route_outputs_bounds_the_count) {
    struct stage stage;
    stage_open(&stage, "{to: b, each: .}");
    struct buffer body;
    buffer_open(&body, &stage.allocator, 4u * 1024 * 1024);
    buffer_append_byte(&body, '[');
    for (uint32_t i = 0; i < ROUTE_OUTPUTS_MAX; i++)
        buffer_append_string(&body, i == 0 ? "1" : ",1");
    buffer_append_byte(&body, ']');
    struct route_message message = message_of(&stage, buffer_slice(&body));
    EXPECT_INT(route_outputs(&message, &stage.arena, &stage.result), 0);
    EXPECT_INT(stage.result.outputs_count, ROUTE_OUTPUTS_MAX);
    EXPECT_INT(stage.result.bytes_count, ROUTE_OUTPUTS_MAX);
    EXPECT_INT(stage.result.outputs[ROUTE_OUTPUTS_MAX - 1].each_index, ROUTE_OUTPUTS_MAX - 1);
    body.count--;
    buffer_append_string(&body, ",1]");
    message.output = buffer_slice(&body);
    int rc = route_outputs(&message, &stage.arena, &stage.result);
    EXPECT_STRING(describe(&stage, rc), "a has more than 1000000 outputs");
    buffer_close(&body);
    stage_close(&stage);
}

/* Outputs that are too large together are refused, however small the output they come from. */
TEST(route_outputs_bounds_the_bytes) {
    struct stage stage;
    stage_open(&stage, "{to: b, each: .list, with: $out.big}");
    struct buffer body;
    buffer_open(&body, &stage.allocator, 4u * 1024 * 1024);
    buffer_append_string(&body, "{\"big\":\"");
    for (int i = 0; i < 1024 * 1024 - 2; i++) buffer_append_byte(&body, 'x');
    buffer_append_string(&body,
                         "\",\"list\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,"
                         "22,23,24,25,26,27,28,29,30,31,32]}");
    struct route_message message = message_of(&stage, buffer_slice(&body));
    EXPECT_INT(route_outputs(&message, &stage.arena, &stage.result), 0);
    EXPECT_INT(stage.result.bytes_count, ROUTE_OUTPUT_BYTES_MAX);
    body.count -= 2;
    buffer_append_string(&body, ",33]}");
    message.output = buffer_slice(&body);
    int rc = route_outputs(&message, &stage.arena, &stage.result);
    EXPECT_STRING(describe(&stage, rc), "the outputs of a are larger than 32 MiB together");
    buffer_close(&body);
    stage_close(&stage);
}

/* An output that the next queue would not take fails here, in words. */
TEST(route_outputs_bounds_each_body) {
    struct stage stage;
    stage_open(&stage, "[b, {to: end, with: '[., .]'}]");
    struct buffer body;
    buffer_open(&body, &stage.allocator, 4u * 1024 * 1024);
    for (uint32_t i = 0; i < DEFINITION_MESSAGE_BYTES_MAX; i++) buffer_append_byte(&body, '1');
    struct route_message message = message_of(&stage, buffer_slice(&body));
    int rc = route_outputs(&message, &stage.arena, &stage.result);
    EXPECT_STRING(describe(&stage, rc),
                  "`with` of the way from a to end: what it makes is larger than 1024 KiB");
    buffer_append_byte(&body, '1');
    message.output = buffer_slice(&body);
    rc = route_outputs(&message, &stage.arena, &stage.result);
    EXPECT_STRING(describe(&stage, rc), "an output of a for b has 1048577 bytes, and its queue "
                                        "takes at most 1048576");
    buffer_close(&body);
    stage_close(&stage);
}

/* A full arena is the message's failure, not a reason to try for ever. */
TEST(route_outputs_says_when_its_room_is_used_up) {
    struct stage stage;
    stage_open(&stage, "{to: b, each: ., with: '[.]'}");
    struct arena small;
    arena_open(&small, &stage.allocator, 65536);
    struct buffer body;
    buffer_open(&body, &stage.allocator, 65536);
    buffer_append_byte(&body, '[');
    for (int i = 0; i < 2500; i++) buffer_append_string(&body, i == 0 ? "1" : ",1");
    buffer_append_byte(&body, ']');
    struct route_message message = message_of(&stage, buffer_slice(&body));
    EXPECT_INT(route_outputs(&message, &small, &stage.result), -EBADMSG);
    EXPECT_STRING(stage.result.failure,
                  "deciding where its outputs go takes more memory than is allowed");
    buffer_close(&body);
    arena_close(&small);
    stage_close(&stage);
}

/* A station without a handler hands its input on, or what `with` makes of it. */
TEST(route_pass_on_makes_the_output) {
    struct stage stage;
    stage_open(&stage, "b");
    struct route_message message = message_of(&stage, SLICE_EMPTY);
    struct slice output;
    const char *failure = NULL;
    EXPECT_INT(route_pass_on(&message, &stage.arena, &output, &failure), 0);
    EXPECT(slice_equal(output, message.input));
    message.station = 2;
    EXPECT_INT(route_pass_on(&message, &stage.arena, &output, &failure), 0);
    EXPECT(slice_equal_string(output, "{\"v\":\"in\",\"o\":1.50}"));
    message.input = SLICE("[1]");
    EXPECT_INT(route_pass_on(&message, &stage.arena, &output, &failure), -EBADMSG);
    EXPECT_STRING(failure, "`with` of c: .x: cannot look up \"x\" in an array");
    stage_close(&stage);
}
