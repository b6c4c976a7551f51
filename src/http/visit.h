/* SPDX-License-Identifier: Apache-2.0 */
/* visit.h -- a request whose answer waits for calls that cannot be cancelled.
 *
 * A command, a read or a report comes back when it comes back; the client may be gone by then. A
 * visit outlives its request until the last call is back, and is ended exactly once.
 */
#ifndef TAKT_HTTP_VISIT_H
#define TAKT_HTTP_VISIT_H

#include "http/server.h"

struct visit {
    struct http_request *request;        /* NULL: answered, or the client is gone */
    uint32_t calls_count;                /* under way */
    void (*on_end)(struct visit *visit); /* neither request nor call is left: free it */
};

/* request->context becomes the visit. on_end: kept. */
void visit_begin(struct visit *visit, struct http_request *request,
                 void (*on_end)(struct visit *visit));
/* A call goes out. */
void visit_call(struct visit *visit);
/* A call is back. False: there is nobody to answer; the visit may be gone. */
TAKT_MUST_USE bool visit_back(struct visit *visit);
/* Answer. The visit may be gone after it. */
void visit_answer(struct visit *visit, const struct http_response *response);
/* The client is gone (http_handler.on_closed). The visit may be gone after it. */
void visit_leave(struct visit *visit);

#endif
