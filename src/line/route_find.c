/* SPDX-License-Identifier: Apache-2.0 */
/* Which route a request takes. The routes of all lines are tried in turn: a few dozen at most, and
 * most differ in their first segment.
 */
#include "line/route.h"

#include <errno.h>

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Resolve %XX; a slice of the input if there is none. */
static int decode(struct arena *arena, struct slice text, struct slice *out) {
    *out = text;
    if (text.count == 0 || memchr(text.bytes, '%', text.count) == NULL) return 0;
    char *bytes = arena_take(arena, text.count);
    if (bytes == NULL) return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        if (text.bytes[i] != '%') {
            bytes[count++] = text.bytes[i];
            continue;
        }
        int high = i + 2 < text.count ? hex_value(text.bytes[i + 1]) : -1;
        int low = high < 0 ? -1 : hex_value(text.bytes[i + 2]);
        if (low < 0) return -EINVAL;
        bytes[count++] = (char)(high * 16 + low);
        i += 2;
    }
    *out = slice_from(bytes, count);
    return 0;
}

/* The decoded segments of a request's path. */
struct path {
    uint32_t count;
    struct slice segments[32];
};

static int split_path(struct arena *arena, struct slice path, struct path *out) {
    out->count = 0;
    if (path.count == 0 || path.bytes[0] != '/') return -ENOENT;
    struct slice rest = slice_skip(path, 1);
    bool has_more = rest.count > 0;
    while (has_more) {
        struct slice segment;
        has_more = slice_cut(rest, '/', &segment, &rest);
        if (out->count == ARRAY_COUNT(out->segments)) return -ENOENT;
        int rc = decode(arena, segment, &out->segments[out->count]);
        if (rc < 0) return rc;
        out->count++;
    }
    return 0;
}

static bool path_fits(const struct definition_route *route, const struct path *path) {
    if (route->segments_count != path->count) return false;
    for (uint32_t i = 0; i < path->count; i++) {
        const struct definition_segment *segment = &route->segments[i];
        if (segment->is_param ? path->segments[i].count == 0
                              : !slice_equal_string(path->segments[i], segment->text)) {
            return false;
        }
    }
    return true;
}

/* True if `a` has a literal where they differ first. */
static bool is_closer(const struct definition_route *a, const struct definition_route *b) {
    for (uint32_t i = 0; i < a->segments_count; i++) {
        if (a->segments[i].is_param != b->segments[i].is_param) return b->segments[i].is_param;
    }
    return false;
}

static void take_params(const struct path *path, struct route_match *match) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < path->count; i++) {
        if (match->route->segments[i].is_param) match->params[count++] = path->segments[i];
    }
}

int route_find(const struct definition_files *files, struct slice method, struct slice path,
               struct arena *arena, struct route_match *match) {
    struct path split;
    *match = (struct route_match){0};
    int rc = split_path(arena, path, &split);
    if (rc < 0) return rc;
    bool has_method = false;
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        const struct definition *definition = &files->definitions[i];
        for (uint32_t j = 0; j < definition->routes_count; j++) {
            const struct definition_route *route = &definition->routes[j];
            if (!path_fits(route, &split)) continue;
            bool same_method = slice_equal_string(method, route->method);
            bool is_better = match->route == NULL || (same_method && !has_method) ||
                             (same_method == has_method && is_closer(route, match->route));
            if (!is_better) continue;
            has_method = same_method;
            match->definition = definition;
            match->route = route;
        }
    }
    if (match->route == NULL) return -ENOENT;
    take_params(&split, match);
    return has_method ? 0 : -EPERM;
}

static bool media_type_fits(struct slice wanted, struct slice type) {
    struct slice wanted_main;
    struct slice wanted_sub;
    struct slice main_type;
    struct slice sub;
    (void)slice_cut(wanted, '/', &wanted_main, &wanted_sub);
    (void)slice_cut(type, '/', &main_type, &sub);
    bool any_main = slice_equal(wanted_main, SLICE("*"));
    bool any_sub = slice_equal(wanted_sub, SLICE("*"));
    return (any_main || slice_equal_ignore_case(wanted_main, main_type)) &&
           (any_sub || slice_equal_ignore_case(wanted_sub, sub));
}

bool route_accepts(const struct definition_route *route, struct slice content_type) {
    if (route->accept_count == 0) return true;
    struct slice type;
    struct slice parameters;
    (void)slice_cut(content_type, ';', &type, &parameters);
    type = slice_trim(type);
    if (type.count == 0) type = SLICE("application/octet-stream");
    for (uint32_t i = 0; i < route->accept_count; i++) {
        if (media_type_fits(slice_from_string(route->accept[i]), type)) return true;
    }
    return false;
}

/* ---- $request ---- */

/* Writes members so that the first of a name counts: json_member takes the last, so that they are
 * written only if the name is new. */
struct members {
    struct buffer *out;
    const char *between;
    uint32_t count;
    struct slice names[128];
};

static void write_member(struct members *members, struct slice name, struct slice value) {
    for (uint32_t i = 0; i < members->count; i++) {
        if (slice_equal(members->names[i], name)) return;
    }
    if (members->count == ARRAY_COUNT(members->names)) return;
    members->names[members->count++] = name;
    buffer_append_string(members->out, members->between);
    json_write_string(members->out, name);
    buffer_append_byte(members->out, ':');
    json_write_string(members->out, value);
    members->between = ",";
}

/* A query's `+` is a space; what is badly encoded stays as it came. */
static int decode_query(struct arena *arena, struct slice text, struct slice *out) {
    if (text.count > 0 && memchr(text.bytes, '+', text.count) != NULL) {
        char *copy = arena_copy(arena, text);
        if (copy == NULL) return -ENOMEM;
        for (size_t i = 0; i < text.count; i++) {
            if (copy[i] == '+') copy[i] = ' ';
        }
        text = slice_from(copy, text.count);
    }
    int rc = decode(arena, text, out);
    if (rc == -EINVAL) *out = text;
    return rc == -ENOMEM ? rc : 0;
}

static int write_query(struct arena *arena, struct slice query, struct buffer *out) {
    struct members members = {.out = out, .between = ""};
    struct slice rest = query;
    while (rest.count > 0) {
        struct slice pair;
        struct slice name;
        struct slice value;
        (void)slice_cut(rest, '&', &pair, &rest);
        (void)slice_cut(pair, '=', &name, &value);
        int rc = decode_query(arena, name, &name);
        if (rc == 0) rc = decode_query(arena, value, &value);
        if (rc < 0) return rc;
        if (name.count > 0) write_member(&members, name, value);
    }
    return 0;
}

static int write_headers(struct arena *arena, const struct route_header *headers,
                         size_t headers_count, struct buffer *out) {
    struct members members = {.out = out, .between = ""};
    for (size_t i = 0; i < headers_count; i++) {
        char *name = arena_copy(arena, headers[i].name);
        if (name == NULL) return -ENOMEM;
        for (size_t j = 0; j < headers[i].name.count; j++) {
            if (name[j] >= 'A' && name[j] <= 'Z') name[j] = (char)(name[j] + 32);
        }
        write_member(&members, slice_from(name, headers[i].name.count), headers[i].value);
    }
    return 0;
}

int route_write_request(const struct route_match *match, struct slice method, struct slice query,
                        const struct route_header *headers, size_t headers_count,
                        struct arena *arena, struct buffer *out) {
    buffer_append_string(out, "{\"method\":");
    json_write_string(out, method);
    buffer_append_string(out, ",\"path\":{");
    struct members params = {.out = out, .between = ""};
    uint32_t count = 0;
    for (uint32_t i = 0; i < match->route->segments_count; i++) {
        const struct definition_segment *segment = &match->route->segments[i];
        if (!segment->is_param) continue;
        write_member(&params, slice_from_string(segment->text), match->params[count++]);
    }
    buffer_append_string(out, "},\"query\":{");
    int rc = write_query(arena, query, out);
    buffer_append_string(out, "},\"headers\":{");
    if (rc == 0) rc = write_headers(arena, headers, headers_count, out);
    buffer_append_string(out, "}}");
    return rc == 0 && out->failed ? -ENOMEM : rc;
}
