/* SPDX-License-Identifier: Apache-2.0 */
#include "line/route.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>

struct door {
    struct allocator allocator;
    struct definition_files files;
    struct arena arena;
    struct route_match match;
};

static void door_open(struct door *door, const char *text) {
    door->allocator = allocator_system();
    struct definition_options options = {.allocator = &door->allocator};
    struct definition_source source = {
        .path = "t.yaml", .folder = "/t", .bytes = slice_from_string(text)};
    int rc = definition_read(&source, 1, &options, &door->files);
    if (rc < 0) (void)printf("%s\n", door->files.errors.list[0].text);
    EXPECT_INT(rc, 0);
    arena_open(&door->arena, &door->allocator, 1024 * 1024);
}

static void door_close(struct door *door) {
    arena_close(&door->arena);
    definition_close(&door->files);
}

static int find(struct door *door, const char *method, const char *path) {
    return route_find(&door->files, slice_from_string(method), slice_from_string(path),
                      &door->arena, &door->match);
}

/* The closest pattern wins: literals before params, from the left; params come decoded. */
TEST(route_find_takes_the_closest) {
    static const struct {
        const char *method;
        const char *path;
        const char *pattern;
        const char *param;
    } cases[] = {
        {"POST", "/", "/", NULL},
        {"POST", "/orders", "/orders", NULL},
        {"POST", "/%6Frders", "/orders", NULL},
        {"POST", "/orders/new", "/orders/new", NULL},
        {"POST", "/orders/a%20b%2Fc", "/orders/{id}", "a b/c"},
        {"POST", "/boxes/7", "/{kind}/{id}", "boxes"},
        {"PUT", "/orders/new", "/orders/{id}", "new"},
    };
    struct door door;
    door_open(&door, "line: t\n"
                     "gateway:\n"
                     "  POST /: { to: a }\n"
                     "  POST /orders: { to: a }\n"
                     "  PUT /orders/{id}: a\n"
                     "  POST /{kind}/{id}: a\n"
                     "  POST /orders/new: a\n"
                     "  POST /orders/{id}: a\n"
                     "stations: { a: { exec: ./a } }\n");
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        EXPECT_INT(find(&door, cases[i].method, cases[i].path), 0);
        EXPECT_STRING(door.match.route->pattern, cases[i].pattern);
        if (cases[i].param != NULL)
            EXPECT(slice_equal_string(door.match.params[0], cases[i].param));
    }
    door_close(&door);
}

/* What no route has is told apart from what one has with another method. */
TEST(route_find_says_what_is_missing) {
    struct door door;
    door_open(&door, "line: t\ngateway: { POST /orders: a, 'PUT /orders/{id}': a }\n"
                     "stations: { a: { exec: ./a } }\n");
    EXPECT_INT(find(&door, "POST", "/order"), -ENOENT);
    EXPECT_INT(find(&door, "POST", "/orders/"), -ENOENT);
    EXPECT_INT(find(&door, "PUT", "/orders/"), -ENOENT);
    EXPECT_INT(find(&door, "POST", "orders"), -ENOENT);
    EXPECT_INT(find(&door, "POST", ""), -ENOENT);
    EXPECT_INT(find(&door, "GET", "/orders"), -EPERM);
    EXPECT_STRING(door.match.route->method, "POST");
    EXPECT_INT(find(&door, "PUT", "/orders/%4"), -EINVAL);
    EXPECT_INT(find(&door, "PUT", "/orders/%zz"), -EINVAL);
    EXPECT_INT(find(&door, "PUT", "/orders/100%"), -EINVAL);
    door_close(&door);
}

/* `accept` compares type and subtype, whatever the case and the parameters. */
TEST(route_accepts_media_types) {
    struct door door;
    door_open(&door, "line: t\n"
                     "gateway:\n"
                     "  POST /some: { to: a, accept: [application/JSON, text/*] }\n"
                     "  POST /any: a\n"
                     "stations: { a: { exec: ./a } }\n");
    EXPECT_INT(find(&door, "POST", "/some"), 0);
    EXPECT(route_accepts(door.match.route, SLICE("Application/json; charset=utf-8")));
    EXPECT(route_accepts(door.match.route, SLICE("text/csv")));
    EXPECT(!route_accepts(door.match.route, SLICE("application/xml")));
    EXPECT(!route_accepts(door.match.route, SLICE("textual/csv")));
    EXPECT(!route_accepts(door.match.route, SLICE_EMPTY));
    EXPECT_INT(find(&door, "POST", "/any"), 0);
    EXPECT(route_accepts(door.match.route, SLICE_EMPTY));
    door_close(&door);
}

/* $request holds path, query and headers, decoded; of a name that comes twice the first. */
TEST(route_write_request_writes_json) {
    struct door door;
    door_open(&door, "line: t\ngateway: { 'POST /p/{company}/{month}': a }\n"
                     "stations: { a: { exec: ./a } }\n");
    EXPECT_INT(find(&door, "POST", "/p/caf%C3%A9/%221%22"), 0);
    struct route_header headers[] = {{SLICE("X-Shop"), SLICE("north")},
                                     {SLICE("x-shop"), SLICE("south")}};
    struct buffer out;
    buffer_open(&out, &door.allocator, 65536);
    EXPECT_INT(route_write_request(&door.match, SLICE("POST"), SLICE("a=1+2&b&a=3&c=%2&=x&%64=%26"),
                                   headers, 2, &door.arena, &out),
               0);
    buffer_append_byte(&out, '\0');
    EXPECT_STRING(out.bytes, "{\"method\":\"POST\",\"path\":{\"company\":\"caf\xc3\xa9\",\"month\":"
                             "\"\\\"1\\\"\"},\"query\":{\"a\":\"1 2\",\"b\":\"\",\"c\":\"%2\","
                             "\"d\":\"&\"},\"headers\":{\"x-shop\":\"north\"}}");
    buffer_close(&out);
    door_close(&door);
}

/* ---- route_take_order ---- */

static const char *take(const char *keys, const char *body, const char *request) {
    static char text[4096];
    struct door door;
    struct route_order order;
    (void)snprintf(text, sizeof text,
                   "line: t\ngateway:\n  POST /o: { to: a, %s }\nstations: { a: { exec: ./a } }\n",
                   keys);
    door_open(&door, text);
    int rc = route_take_order(&door.files.definitions->routes[0], slice_from_string(body),
                              slice_from_string(request), &door.arena, &order);
    if (rc == -EBADMSG) {
        (void)snprintf(text, sizeof text, "! %s", order.refusal);
    } else {
        (void)snprintf(text, sizeof text, "%.*s key=%.*s once=%.*s", SLICE_ARGS(order.body),
                       SLICE_ARGS(order.key), SLICE_ARGS(order.once));
    }
    door_close(&door);
    return text;
}

/* `with` makes the order; `require`, `key` and `once` see what it made. */
TEST(route_take_order_makes_the_order) {
    EXPECT_STRING(take("max_body: 1KiB", "any bytes", ""), "any bytes key= once=");
    EXPECT_STRING(take("key: .n, once: .id", " {\"n\":1.50,\"id\":\"\\u0061b\"} ", ""),
                  " {\"n\":1.50,\"id\":\"\\u0061b\"}  key=1.50 once=ab");
    EXPECT_STRING(take("key: .none", "{}", ""), "{} key= once=");
    EXPECT_STRING(take("with: '{n: .a, shop: $request.query.shop}', key: .n, require: { no shop: "
                       ".shop != null }",
                       "{\"a\":5}", "{\"query\":{\"shop\":\"x\"}}"),
                  "{\"n\":5,\"shop\":\"x\"} key=5 once=");
    EXPECT_STRING(
        take("key: $request.headers.\"x-id\"", "not json", "{\"headers\":{\"x-id\":\"k\"}}"),
        "not json key=k once=");
}

/* A refusal is in the file's own words, all that failed; what could not be asked says why. */
TEST(route_take_order_refuses_in_words) {
    const char *require =
        "require: { an order needs items: (.items | length) > 0, and a name: .name, "
        "and a city: .at.city != null }";
    EXPECT_STRING(take(require, "{\"items\":[1],\"name\":\"x\",\"at\":{\"city\":1}}", ""),
                  "{\"items\":[1],\"name\":\"x\",\"at\":{\"city\":1}} key= once=");
    EXPECT_STRING(take(require, "{\"items\":[],\"at\":5}", ""),
                  "! an order needs items; and a name; and a city (.at.city: cannot look up "
                  "\"city\" in a number)");
    EXPECT(strncmp(take(require, "{", ""), "! the body is not JSON: ", 24) == 0);
    EXPECT_STRING(take("key: .n", "{\"n\":[1]}", ""), "! `key`: .n must be a string or a number");
    EXPECT_STRING(take("once: .n", "{\"n\":\"\"}", ""), "! `once`: .n is empty");
    EXPECT_STRING(take("once: .n", "{\"n\":\"a\\u0000b\"}", ""),
                  "! `once`: .n holds a NUL character");
    char body[400];
    (void)snprintf(body, sizeof body, "{\"n\":\"%0256d\"}", 1);
    EXPECT(strncmp(take("once: .n", body, ""), "{", 1) == 0);
    (void)snprintf(body, sizeof body, "{\"n\":\"%0257d\"}", 1);
    EXPECT_STRING(take("once: .n", body, ""), "! `once`: .n is longer than 256 bytes");
}
