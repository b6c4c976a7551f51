/* SPDX-License-Identifier: Apache-2.0 */
/* board_safety.c -- a page of another web site, open in the operator's browser, must not run takt.
 *
 * The board has no keys yet and listens on loopback only, but a browser on this machine reaches it.
 * Two things that a page cannot lie about tell it apart:
 *
 *   Host     must name loopback. A site whose own name was made to point to 127.0.0.1 (DNS
 *            rebinding) still sends its name.
 *   Origin   of a request that may change something must be this very address. Browsers send it with
 *            every such request; other clients send none.
 *
 * What a foreign page may still do is ask for what changes nothing, and not read the answer.
 */
#include "board/board_inside.h"

/* Without the port. */
static struct slice host_name(struct slice host) {
    if (host.count > 0 && host.bytes[0] == '[') {
        const char *end = memchr(host.bytes, ']', host.count);
        return end == NULL ? SLICE_EMPTY : slice_from(host.bytes, (size_t)(end - host.bytes) + 1);
    }
    struct slice name;
    struct slice port;
    (void)slice_cut(host, ':', &name, &port);
    return name;
}

/* 127.0.0.1, but not 127.evil.example. */
static bool is_loopback_number(struct slice name) {
    if (!slice_starts_with(name, SLICE("127."))) return false;
    for (size_t i = 0; i < name.count; i++) {
        bool is_digit = name.bytes[i] >= '0' && name.bytes[i] <= '9';
        if (!is_digit && name.bytes[i] != '.') return false;
    }
    return true;
}

static bool is_loopback(struct slice host) {
    struct slice name = host_name(host);
    return slice_equal_ignore_case(name, SLICE("localhost")) || slice_equal(name, SLICE("[::1]")) ||
           is_loopback_number(name);
}

static bool is_own_origin(struct slice origin, struct slice host) {
    struct slice scheme = SLICE("http://");
    return slice_starts_with(origin, scheme) &&
           slice_equal_ignore_case(slice_skip(origin, scheme.count), host);
}

const char *board_refusal(const struct http_request *request) {
    struct slice host = http_request_header(request, SLICE("host"));
    struct slice origin = http_request_header(request, SLICE("origin"));
    if (!is_loopback(host)) {
        return "the board is asked for as localhost, 127.0.0.1 or [::1], by no other name";
    }
    bool changes_nothing =
        slice_equal(request->method, SLICE("GET")) || slice_equal(request->method, SLICE("HEAD"));
    if (!changes_nothing && origin.count > 0 && !is_own_origin(origin, host)) {
        return "pages of other web sites cannot change anything here";
    }
    return NULL;
}
