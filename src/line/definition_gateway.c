/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of a line's gateway: `METHOD /path/{param}: { to: STATION, … }`. */
#include "line/definition_internal.h"

#define ALLOWED EXPRESSION_BIT(EXPRESSION_REQUEST)
#define SEGMENTS_MAX 32u
#define REQUIRES_MAX 64u
#define ACCEPTS_MAX 64u

static void read_to(struct definition_reader *reader, const struct tree_node *node, void *target) {
    (void)value_station(reader, node, &((struct definition_route *)target)->station);
}

static bool media_type_is_good(struct slice text) {
    struct slice type;
    struct slice subtype;
    if (!slice_cut(text, '/', &type, &subtype) || type.count == 0 || subtype.count == 0) {
        return false;
    }
    for (size_t i = 0; i < text.count; i++) {
        if (text.bytes[i] <= ' ' || text.bytes[i] == ';' || text.bytes[i] == ',') return false;
    }
    return memchr(subtype.bytes, '/', subtype.count) == NULL;
}

static const char *read_media_type(struct definition_reader *reader, const struct tree_node *node) {
    struct slice text;
    if (!value_text(reader, node, &text)) return NULL;
    if (!media_type_is_good(text)) {
        READ_ERROR(reader, node->place, "`%.*s` is not a media type, as in application/json",
                   SLICE_ARGS(text));
        return NULL;
    }
    char *copy = reader_copy(reader, text);
    for (char *c = copy; c != NULL && *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    }
    return copy;
}

static void read_accept(struct definition_reader *reader, const struct tree_node *node,
                        void *target) {
    struct definition_route *route = target;
    uint32_t count = node->kind == TREE_LIST ? node->items_count : 1;
    if (node->kind == TREE_MAP || count == 0 || count > ACCEPTS_MAX) {
        READ_ERROR(reader, node->place, "`accept` takes a media type, or a list of 1 to %u",
                   ACCEPTS_MAX);
        return;
    }
    const char **accept = reader_take(reader, count, sizeof *accept);
    if (accept == NULL) return;
    uint32_t found = 0;
    const struct tree_item *item = node->kind == TREE_LIST ? node->items : NULL;
    for (uint32_t i = 0; i < count; i++) {
        accept[found] = read_media_type(reader, item == NULL ? node : item->value);
        found += accept[found] != NULL;
        if (item != NULL) item = item->next;
    }
    route->accept = accept;
    route->accept_count = found;
}

static void read_max_body(struct definition_reader *reader, const struct tree_node *node,
                          void *target) {
    (void)value_bytes(reader, node, 1, DEFINITION_MESSAGE_BYTES_MAX,
                      &((struct definition_route *)target)->body_bytes_max);
}

static void read_door_expression(struct definition_reader *reader, const struct tree_node *node,
                                 struct definition_route *route, const struct expression **out) {
    if (!value_expression(reader, node, ALLOWED, out)) return;
    if ((expression_uses(*out) & ALLOWED) != 0) route->uses_request = true;
}

static void read_require(struct definition_reader *reader, const struct tree_node *node,
                         void *target) {
    struct definition_route *route = target;
    if (node->kind != TREE_MAP || node->items_count > REQUIRES_MAX) {
        READ_ERROR(reader, node->place,
                   "`require` takes a map, at most %u: what the client is told, and the condition",
                   REQUIRES_MAX);
        return;
    }
    struct definition_require *require = reader_take(reader, node->items_count, sizeof *require);
    if (require == NULL) return;
    uint32_t count = 0;
    for (const struct tree_item *item = node->items; item != NULL; item = item->next) {
        require[count].text = reader_copy(reader, item->key->text);
        read_door_expression(reader, item->value, route, &require[count].condition);
        count++;
    }
    route->require = require;
    route->require_count = count;
}

static void read_with(struct definition_reader *reader, const struct tree_node *node,
                      void *target) {
    read_door_expression(reader, node, target, &((struct definition_route *)target)->with);
}

static void read_key(struct definition_reader *reader, const struct tree_node *node, void *target) {
    read_door_expression(reader, node, target, &((struct definition_route *)target)->key);
}

static void read_once(struct definition_reader *reader, const struct tree_node *node,
                      void *target) {
    read_door_expression(reader, node, target, &((struct definition_route *)target)->once);
}

static const struct key route_keys[] = {
    {"to", read_to},     {"accept", read_accept}, {"max_body", read_max_body},
    {"with", read_with}, {"key", read_key},       {"require", read_require},
    {"once", read_once}, {"tenant", NULL},        {"auth", NULL},
    {"answer", NULL},    {"cors", NULL},
};

/* ---- METHOD /path ---- */

static bool literal_is_good(struct slice text) {
    for (size_t i = 0; i < text.count; i++) {
        char c = text.bytes[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL);
        if (!is_good) return false;
    }
    return text.count > 0;
}

static bool param_is_good(struct slice name) {
    for (size_t i = 0; i < name.count; i++) {
        char c = name.bytes[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.count > 0 && name.count <= NAME_BYTES_MAX;
}

static bool read_segment(struct definition_reader *reader, struct definition_route *route,
                         struct slice text, struct definition_segment *out) {
    bool is_param = text.count > 2 && text.bytes[0] == '{' && text.bytes[text.count - 1] == '}';
    struct slice name = is_param ? slice_from(text.bytes + 1, text.count - 2) : text;
    if (is_param ? !param_is_good(name) : !literal_is_good(name)) {
        READ_ERROR(reader, route->place,
                   "`%.*s` is no part of a path: plain characters, or a whole {param}",
                   SLICE_ARGS(text));
        return false;
    }
    for (uint32_t i = 0; is_param && i < route->segments_count; i++) {
        if (!route->segments[i].is_param || !slice_equal_string(name, route->segments[i].text)) {
            continue;
        }
        READ_ERROR(reader, route->place, "the path has {%.*s} twice", SLICE_ARGS(name));
        return false;
    }
    if (is_param && ++route->params_count > DEFINITION_PARAMS_MAX) {
        READ_ERROR(reader, route->place, "a path has at most %u params", DEFINITION_PARAMS_MAX);
        return false;
    }
    *out = (struct definition_segment){.text = reader_copy(reader, name), .is_param = is_param};
    return out->text != NULL;
}

static bool read_pattern(struct definition_reader *reader, struct definition_route *route) {
    struct definition_segment *segments = reader_take(reader, SEGMENTS_MAX, sizeof *segments);
    if (segments == NULL) return false;
    route->segments = segments;
    struct slice rest = slice_from_string(route->pattern);
    if (rest.count == 0 || rest.bytes[0] != '/') {
        READ_ERROR(reader, route->place, "a path starts with /: `POST /orders`");
        return false;
    }
    rest = slice_skip(rest, 1);
    bool has_more = rest.count > 0;
    while (has_more) {
        struct slice segment;
        has_more = slice_cut(rest, '/', &segment, &rest);
        if (route->segments_count == SEGMENTS_MAX) {
            READ_ERROR(reader, route->place, "a path has at most %u parts", SEGMENTS_MAX);
            return false;
        }
        if (!read_segment(reader, route, segment, &segments[route->segments_count])) return false;
        route->segments_count++;
    }
    if (route->segments_count > 0 && !segments[0].is_param &&
        strcmp(segments[0].text, "jobs") == 0) {
        READ_ERROR(reader, route->place, "/jobs is takt's own: where a job can be looked at");
        return false;
    }
    return true;
}

static bool read_method(struct definition_reader *reader, const struct tree_node *node,
                        struct definition_route *route) {
    static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET"};
    struct slice method;
    struct slice path;
    struct slice text;
    if (!value_text(reader, node, &text)) return false;
    bool has_path = slice_cut(text, ' ', &method, &path);
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        if (slice_equal_string(method, methods[i])) route->method = methods[i];
    }
    if (!has_path || route->method == NULL) {
        READ_ERROR(reader, node->place,
                   "`%.*s` is not a method and a path, as in `POST /orders` (POST, PUT, PATCH, "
                   "DELETE or GET)%s",
                   SLICE_ARGS(text),
                   route->method != NULL ? ""
                                         : suggest(reader, method, methods, ARRAY_COUNT(methods)));
        return false;
    }
    route->pattern = reader_copy(reader, slice_trim(path));
    return route->pattern != NULL && read_pattern(reader, route);
}

static void read_route(struct definition_reader *reader, const struct tree_item *item,
                       struct definition_route *route) {
    *route = (struct definition_route){.place = item->key->place,
                                       .station = DEFINITION_NONE,
                                       .body_bytes_max = DEFINITION_MESSAGE_BYTES_MAX};
    if (!read_method(reader, item->key, route)) route->method = NULL;
    if (item->value->kind == TREE_TEXT) {
        read_to(reader, item->value, route);
        return;
    }
    keys_read(reader, item->value, "a route", route_keys, ARRAY_COUNT(route_keys), route);
    if (item->value->kind == TREE_MAP && key_item(item->value, "to") == NULL) {
        READ_ERROR(reader, item->key->place, "a route needs `to`: the station its orders go to");
    }
}

void gateway_read(struct definition_reader *reader, const struct tree_node *node) {
    if (node->kind != TREE_MAP || node->items_count > DEFINITION_ROUTES_MAX) {
        READ_ERROR(reader, node->place,
                   "`gateway` must be a map of routes, at most %u: `POST /orders: {to: STATION}`",
                   DEFINITION_ROUTES_MAX);
        return;
    }
    struct definition_route *routes = reader_take(reader, node->items_count, sizeof *routes);
    if (routes == NULL) return;
    uint32_t count = 0;
    for (const struct tree_item *item = node->items; item != NULL; item = item->next) {
        read_route(reader, item, &routes[count++]);
    }
    reader->definition->routes = routes;
    reader->definition->routes_count = count;
}
