/* SPDX-License-Identifier: Apache-2.0 */
/* server_query.c -- what a handler asks a request. */
#include "http/server.h"

static const struct http_header *find_header(const struct http_request *request,
                                             struct slice name) {
    for (uint32_t i = 0; i < request->headers_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (header->name.count == name.count && slice_equal_ignore_case(header->name, name))
            return header;
    }
    return NULL;
}

struct slice http_request_header(const struct http_request *request, struct slice name) {
    const struct http_header *header = find_header(request, name);
    return header == NULL ? SLICE_EMPTY : header->value;
}

bool http_request_has_header(const struct http_request *request, struct slice name) {
    return find_header(request, name) != NULL;
}

/* 0 to 15, or -1. */
static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool http_decode_percent(struct arena *arena, struct slice text, struct slice *out) {
    if (text.count == 0 || memchr(text.bytes, '%', text.count) == NULL) {
        *out = text;
        return true;
    }
    char *bytes = arena_take(arena, text.count);
    if (bytes == NULL) return false;
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        if (text.bytes[i] != '%') {
            bytes[count++] = text.bytes[i];
            continue;
        }
        if (text.count - i < 3) return false;
        int high = hex_digit(text.bytes[i + 1]);
        int low = hex_digit(text.bytes[i + 2]);
        if (high < 0 || low < 0) return false;
        bytes[count++] = (char)(high * 16 + low);
        i += 2;
    }
    *out = slice_from(bytes, count);
    return true;
}

bool http_query_value(const struct http_request *request, struct slice name, struct slice *out) {
    struct slice rest = request->query;
    while (rest.count > 0) {
        struct slice pair;
        struct slice key;
        struct slice value;
        slice_cut(rest, '&', &pair, &rest);
        slice_cut(pair, '=', &key, &value);
        if (!http_decode_percent(request->arena, key, &key)) continue;
        if (slice_equal(key, name)) return http_decode_percent(request->arena, value, out);
    }
    return false;
}
