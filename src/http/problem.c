/* SPDX-License-Identifier: Apache-2.0 */
#include "http/problem.h"

#include "base/json.h"

void problem_write(struct arena *arena, const struct problem *problem,
                   struct http_response *response) {
    struct buffer text;
    buffer_open(&text, arena->allocator, PROBLEM_BYTES_MAX);
    buffer_append_string(&text, "{\"status\":");
    json_write_i64(&text, problem->status);
    buffer_append_string(&text, ",\"code\":");
    json_write_string(&text, slice_from_string(problem->code));
    buffer_append_string(&text, ",\"detail\":");
    json_write_string(&text, problem->detail);
    if (problem->members.count > 0) {
        buffer_append_byte(&text, ',');
        buffer_append(&text, problem->members);
    }
    buffer_append_string(&text, "}\n");
    char *bytes = text.failed ? NULL : arena_copy(arena, buffer_slice(&text));

    *response = (struct http_response){.status = problem->status,
                                       .content_type = "application/problem+json",
                                       .headers = problem->headers,
                                       .headers_count = problem->headers_count};
    if (bytes != NULL) {
        response->body = slice_from(bytes, text.count);
    } else {
        response->content_type = "text/plain";
        response->body = SLICE("The request failed, and there is no memory to say why.\n");
    }
    buffer_close(&text);
}
