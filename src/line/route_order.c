/* SPDX-License-Identifier: Apache-2.0 */
/* What a request becomes at the door: `with`, then every `require`, then `key` and `once`. */
#include "line/route.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define REFUSAL_BYTES_MAX 4096u

struct door {
    const struct definition_route *route;
    struct arena *arena;
    struct route_order *order;
    struct expression_scope scope;
};

TAKT_PRINTF(2, 3)
static int refuse(struct door *door, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    door->order->refusal = arena_copy(door->arena, slice_from_string(text));
    return door->order->refusal == NULL ? -ENOMEM : -EBADMSG;
}

static int make_body(struct door *door) {
    const char *failure = NULL;
    if (door->route->with == NULL) return 0;
    int rc = expression_evaluate(door->route->with, &door->scope, door->arena, &door->order->body,
                                 &failure);
    if (rc == -EBADMSG) return refuse(door, "`with`: %s", failure);
    if (rc < 0) return rc;
    door->scope.inputs[EXPRESSION_DOT] = (struct expression_input){
        .bytes = door->order->body, .name = "the order", .seen = EXPRESSION_IS_JSON};
    return 0;
}

/* All that do not hold, so that a client hears everything at once. */
static int check_requires(struct door *door) {
    struct buffer text;
    buffer_open(&text, door->arena->allocator, REFUSAL_BYTES_MAX);
    int rc = 0;
    bool has_failed = false;
    for (uint32_t i = 0; i < door->route->require_count && rc == 0; i++) {
        const struct definition_require *require = &door->route->require[i];
        struct slice condition;
        const char *failure = NULL;
        rc = expression_evaluate(require->condition, &door->scope, door->arena, &condition,
                                 &failure);
        if (rc == -EBADMSG && door->scope.inputs[EXPRESSION_DOT].seen == EXPRESSION_NOT_JSON) {
            rc = refuse(door, "%s", failure); /* said once, not for every condition */
            break;
        }
        if (rc == -ENOMEM || (rc == 0 && expression_is_true(condition))) continue;
        has_failed = true;
        buffer_append_string(&text, text.count == 0 ? "" : "; ");
        buffer_append_string(&text, require->text);
        if (rc == -EBADMSG) buffer_printf(&text, " (%s)", failure);
        rc = 0;
    }
    if (rc == 0 && has_failed) {
        struct slice words = text.count > 0 ? buffer_slice(&text) : SLICE("refused");
        door->order->refusal = arena_copy(door->arena, words);
        rc = door->order->refusal == NULL ? -ENOMEM : -EBADMSG;
    }
    buffer_close(&text);
    return rc;
}

/* A string's text, or a number's digits as they came. Null is none. */
static int make_key(struct door *door, const char *name, const struct expression *expression,
                    struct slice *out) {
    *out = SLICE_EMPTY;
    if (expression == NULL) return 0;
    const char *failure = NULL;
    struct slice value;
    int rc = expression_evaluate(expression, &door->scope, door->arena, &value, &failure);
    if (rc == -EBADMSG) return refuse(door, "`%s`: %s", name, failure);
    if (rc < 0) return rc;
    enum json_type type = json_type(value);
    if (type == JSON_NULL) return 0;
    struct slice words = expression_text(expression);
    if (type == JSON_STRING) {
        if (!json_string(door->arena, value, &value)) return -ENOMEM;
    } else if (type != JSON_NUMBER) {
        return refuse(door, "`%s`: %.*s must be a string or a number", name, SLICE_ARGS(words));
    }
    if (value.count == 0) return refuse(door, "`%s`: %.*s is empty", name, SLICE_ARGS(words));
    if (value.count > ROUTE_KEY_BYTES_MAX) {
        return refuse(door, "`%s`: %.*s is longer than %u bytes", name, SLICE_ARGS(words),
                      ROUTE_KEY_BYTES_MAX);
    }
    if (memchr(value.bytes, '\0', value.count) != NULL) {
        return refuse(door, "`%s`: %.*s holds a NUL character", name, SLICE_ARGS(words));
    }
    *out = value;
    return 0;
}

int route_take_order(const struct definition_route *route, struct slice body, struct slice request,
                     struct arena *arena, struct route_order *order) {
    struct door door = {.route = route, .arena = arena, .order = order};
    *order = (struct route_order){.body = body};
    door.scope.inputs[EXPRESSION_DOT] =
        (struct expression_input){.bytes = body, .name = "the body"};
    door.scope.inputs[EXPRESSION_REQUEST] =
        (struct expression_input){.bytes = request, .name = "$request"};
    int rc = make_body(&door);
    if (rc == 0) rc = check_requires(&door);
    if (rc == 0) rc = make_key(&door, "key", route->key, &order->key);
    if (rc == 0) rc = make_key(&door, "once", route->once, &order->once);
    return rc;
}
