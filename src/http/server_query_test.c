/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "http/server.h"
#include "test.h"

static struct arena arena_for_test(struct allocator *allocator) {
    struct arena arena;
    *allocator = allocator_system();
    arena_open(&arena, allocator, 4096);
    return arena;
}

TEST(percent_sequences_are_decoded) {
    struct allocator allocator;
    struct arena arena = arena_for_test(&allocator);
    struct slice out = SLICE_EMPTY;
    EXPECT(http_decode_percent(&arena, SLICE("a%20b+%C3%a9%00"), &out));
    EXPECT_INT(out.count, 7);
    EXPECT_BYTES(out.bytes, "a b+\xc3\xa9\0", 7);
    EXPECT(http_decode_percent(&arena, SLICE(""), &out));
    EXPECT_INT(out.count, 0);
    static const char *const broken[] = {"%", "%2", "a%", "%zz", "%2g", "%%20"};
    for (size_t i = 0; i < ARRAY_COUNT(broken); i++)
        EXPECT(!http_decode_percent(&arena, slice_from_string(broken[i]), &out));
    arena_close(&arena);
    arena_open(&arena, &allocator, 0);
    EXPECT(!http_decode_percent(&arena, SLICE("%20"), &out)); /* no memory */
    arena_close(&arena);
}

TEST(query_parameters_are_found) {
    struct allocator allocator;
    struct arena arena = arena_for_test(&allocator);
    struct http_request request = {.query = SLICE("a=1&b=x%26y&a=2&%63=3&d&e=%zz&="),
                                   .arena = &arena};
    struct slice out = SLICE_EMPTY;
    EXPECT(http_query_value(&request, SLICE("a"), &out) && slice_equal_string(out, "1"));
    EXPECT(http_query_value(&request, SLICE("b"), &out) && slice_equal_string(out, "x&y"));
    EXPECT(http_query_value(&request, SLICE("c"), &out) && slice_equal_string(out, "3"));
    EXPECT(http_query_value(&request, SLICE("d"), &out) && out.count == 0);
    EXPECT(!http_query_value(&request, SLICE("e"), &out));
    EXPECT(!http_query_value(&request, SLICE("f"), &out));
    arena_close(&arena);
}

/* An empty header is there all the same. */
TEST(an_empty_header_is_told_from_none) {
    const struct http_header headers[] = {{SLICE("Some-Key"), SLICE("")}, {SLICE("A"), SLICE("b")}};
    struct http_request request = {.headers = headers, .headers_count = ARRAY_COUNT(headers)};
    EXPECT(http_request_has_header(&request, SLICE("some-key")));
    EXPECT_INT(http_request_header(&request, SLICE("some-key")).count, 0);
    EXPECT(http_request_has_header(&request, SLICE("a")));
    EXPECT(!http_request_has_header(&request, SLICE("some")));
}
