/* SPDX-License-Identifier: Apache-2.0 */
/* query_open.c -- which action a request in the Query protocol names, and whether it may.
 *
 * Such a request is one that a page of any web site can make an operator's browser send, as a form
 * or as the address of a picture. Browsers say so, in headers that the page cannot change; programs
 * send none of them. What only another site's page can have asked for is refused.
 */
#include "sqs/query_protocol.h"

#define VERSION "2012-11-05"

static bool is_of_another_site(const struct http_request *request) {
    struct slice site = http_request_header(request, SLICE("sec-fetch-site"));
    bool is_told = site.count > 0 && !slice_equal(site, SLICE("none")) &&
                   !slice_equal(site, SLICE("same-origin"));
    return is_told || http_request_has_header(request, SLICE("origin"));
}

/* A parameter that has its place outside of actions: at most once. bytes NULL: not given. */
static bool take_common(const struct query_form *form, struct slice name, struct slice *out,
                        struct sqs_fault *fault) {
    *out = SLICE_EMPTY;
    for (uint32_t i = 0; i < form->count; i++) {
        if (!slice_equal(form->params[i].name, name)) continue;
        if (out->bytes != NULL) {
            return sqs_fail(fault, SQS_ERROR_QUERY_STRING, "The parameter %.*s comes twice.",
                            SLICE_ARGS(name));
        }
        *out = form->params[i].value;
    }
    return true;
}

bool query_open_request(const struct http_request *request, struct sqs_parsed *parsed,
                        struct sqs_fault *fault) {
    if (is_of_another_site(request)) {
        return sqs_fail(fault, SQS_ERROR_ACCESS_DENIED,
                        "Pages of web sites cannot use the Query protocol here.");
    }
    struct query_form *form = arena_take(request->arena, sizeof *form);
    if (form == NULL) return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    struct slice version;
    if (!query_form_read(request, form, fault) ||
        !take_common(form, SLICE("Action"), &parsed->action, fault) ||
        !take_common(form, SLICE("Version"), &version, fault))
        return false;
    if (parsed->action.count == 0) {
        return sqs_fail(fault, SQS_ERROR_MISSING_ACTION,
                        "The request must contain the parameter Action.");
    }
    if (version.bytes != NULL && !slice_equal(version, SLICE(VERSION))) {
        return sqs_fail(fault, SQS_ERROR_VERSION,
                        "The requested version ( %.*s ) is not valid: it is " VERSION ".",
                        SLICE_ARGS(sqs_excerpt(version)));
    }
    parsed->form = form;
    return true;
}
