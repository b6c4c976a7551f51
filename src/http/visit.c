/* SPDX-License-Identifier: Apache-2.0 */
#include "http/visit.h"

static void end_if_over(struct visit *visit) {
    if (visit->request == NULL && visit->calls_count == 0) visit->on_end(visit);
}

void visit_begin(struct visit *visit, struct http_request *request,
                 void (*on_end)(struct visit *visit)) {
    *visit = (struct visit){.request = request, .on_end = on_end};
    request->context = visit;
}

void visit_call(struct visit *visit) {
    CHECK(visit->request != NULL);
    visit->calls_count++;
}

bool visit_back(struct visit *visit) {
    CHECK(visit->calls_count > 0);
    visit->calls_count--;
    if (visit->request != NULL) return true;
    end_if_over(visit);
    return false;
}

void visit_answer(struct visit *visit, const struct http_response *response) {
    struct http_request *request = visit->request;
    CHECK(request != NULL);
    visit->request = NULL;
    http_respond(request, response);
    end_if_over(visit);
}

void visit_leave(struct visit *visit) {
    CHECK(visit->request != NULL);
    visit->request = NULL;
    end_if_over(visit);
}
