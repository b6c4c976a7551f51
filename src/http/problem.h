/* SPDX-License-Identifier: Apache-2.0 */
/* problem.h -- an error as RFC 9457 writes it: application/problem+json.
 *
 *     {"status": 429, "code": "line-full", "detail": "station kitchen has reached its WIP limit"}
 */
#ifndef TAKT_HTTP_PROBLEM_H
#define TAKT_HTTP_PROBLEM_H

#include "http/server.h"

#define PROBLEM_BYTES_MAX (48u * 1024 * 1024)

struct problem {
    int status;
    const char *code;                  /* borrowed; for programs: one word of a closed list */
    struct slice detail;               /* borrowed; for people; U+FFFD where it is no UTF-8 */
    struct slice members;              /* borrowed; more of the object: `"job":"4f…","x":1` */
    const struct http_header *headers; /* borrowed */
    uint32_t headers_count;
};

/* Fill an answer; its body lies in the arena. Without memory it is a short plain text. */
void problem_write(struct arena *arena, const struct problem *problem,
                   struct http_response *response);

#endif
