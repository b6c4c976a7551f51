/* SPDX-License-Identifier: Apache-2.0 */
#include "http/visit.h"

#include "http/problem.h"

#include "test.h"

static uint32_t ends_count; /* of the visits of one test */

static void on_end(struct visit *visit) {
    EXPECT(visit->request == NULL);
    EXPECT_INT(visit->calls_count, 0);
    ends_count++;
}

/* A visit whose client leaves is over when its last call is back, not before, and once. */
TEST(visit_outlives_its_request) {
    struct http_request request = {0};
    struct visit visit;
    ends_count = 0;
    visit_begin(&visit, &request, on_end);
    EXPECT(request.context == &visit);
    visit_call(&visit);
    visit_call(&visit);
    EXPECT(visit_back(&visit)); /* there is somebody to answer */
    visit_leave(&visit);
    EXPECT_INT(ends_count, 0);
    EXPECT(!visit_back(&visit));
    EXPECT_INT(ends_count, 1);
}

/* Without a call under way the client takes the visit along. */
TEST(visit_ends_with_its_request) {
    struct http_request request = {0};
    struct visit visit;
    ends_count = 0;
    visit_begin(&visit, &request, on_end);
    visit_leave(&visit);
    EXPECT_INT(ends_count, 1);
    EXPECT_ABORT(visit_leave(&visit));
}

/* A problem names its status and its code, escapes its words, and carries further members. */
TEST(problem_is_written_as_rfc_9457_says) {
    struct allocator allocator = allocator_system();
    struct arena arena;
    struct http_response response;
    arena_open(&arena, &allocator, 4096);
    struct problem problem = {.status = 409,
                              .code = "taken",
                              .detail = SLICE("it is \"taken\""),
                              .members = SLICE("\"job\":\"7\"")};
    problem_write(&arena, &problem, &response);
    EXPECT_INT(response.status, 409);
    EXPECT_STRING(response.content_type, "application/problem+json");
    EXPECT_STRING(response.body.bytes, "{\"status\":409,\"code\":\"taken\",\"detail\":\"it is "
                                       "\\\"taken\\\"\",\"job\":\"7\"}\n");
    arena_close(&arena);
}

/* Without memory the status still goes out. */
TEST(problem_without_memory_is_plain_text) {
    struct allocator allocator = allocator_system();
    struct arena arena;
    struct http_response response;
    arena_open(&arena, &allocator, 8);
    problem_write(&arena, &(struct problem){.status = 503, .code = "x", .detail = SLICE("y")},
                  &response);
    EXPECT_INT(response.status, 503);
    EXPECT_STRING(response.content_type, "text/plain");
    arena_close(&arena);
}
