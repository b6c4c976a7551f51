/* SPDX-License-Identifier: Apache-2.0 */
/* The machine that runs what expression_compile.c made. Every operation takes and leaves raw JSON
 * values; an input is checked to be JSON when the first operation looks at it, and only then.
 */
#include "line/expression_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define DOTS_MAX (EXPRESSION_DEPTH_MAX + 2) /* one open `|` for each open bracket */

struct machine {
    struct expression_scope *scope;
    struct arena *arena;
    const char **failure;
    uint32_t values_count;
    uint32_t dots_count;
    struct slice dots[DOTS_MAX];
    struct slice values[EXPRESSION_OPERATIONS_MAX];
};

static const char *const type_names[] = {
    [JSON_NONE] = "nothing",   [JSON_NULL] = "null",        [JSON_FALSE] = "a boolean",
    [JSON_TRUE] = "a boolean", [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string",
    [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
};

TAKT_PRINTF(2, 3)
static int fail(struct machine *machine, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *machine->failure = arena_copy(machine->arena, slice_from_string(text));
    return *machine->failure == NULL ? -ENOMEM : -EBADMSG;
}

bool expression_is_true(struct slice value) {
    enum json_type type = json_type(value);
    return type != JSON_NONE && type != JSON_NULL && type != JSON_FALSE;
}

static struct slice to_bool(bool value) {
    return value ? SLICE("true") : SLICE("false");
}

static struct slice *top(struct machine *machine) {
    return &machine->values[machine->values_count - 1];
}

static struct slice pop(struct machine *machine) {
    return machine->values[--machine->values_count];
}

static int push(struct machine *machine, struct slice value) {
    /* No operation pushes more than one value. */
    CHECK(machine->values_count < EXPRESSION_OPERATIONS_MAX);
    machine->values[machine->values_count++] = value;
    return 0;
}

static int load_input(struct machine *machine, enum expression_variable variable,
                      struct slice *out) {
    struct expression_input *input = &machine->scope->inputs[variable];
    if (input->name == NULL && input->bytes.count == 0) {
        *out = SLICE("null");
        return 0;
    }
    struct json_error error = {0};
    if (input->seen == EXPRESSION_UNSEEN) {
        input->seen =
            json_validate(input->bytes, &error) ? EXPRESSION_IS_JSON : EXPRESSION_NOT_JSON;
    }
    const char *name = input->name == NULL ? "the value" : input->name;
    if (input->seen == EXPRESSION_NOT_JSON && error.message != NULL) {
        return fail(machine, "%s is not JSON: %s at byte %zu", name, error.message, error.offset);
    }
    if (input->seen == EXPRESSION_NOT_JSON) return fail(machine, "%s is not JSON", name);
    *out = json_trim(input->bytes);
    return 0;
}

static int load_dot(struct machine *machine, struct slice *out) {
    if (machine->dots_count == 0) return load_input(machine, EXPRESSION_DOT, out);
    *out = machine->dots[machine->dots_count - 1];
    return 0;
}

static int push_variable(struct machine *machine, const struct operation *operation) {
    struct slice value;
    int rc = operation->argument == EXPRESSION_DOT
                 ? load_dot(machine, &value)
                 : load_input(machine, (enum expression_variable)operation->argument, &value);
    return rc < 0 ? rc : push(machine, value);
}

static int take_field(struct machine *machine, const struct operation *operation) {
    struct slice *value = top(machine);
    enum json_type type = json_type(*value);
    if (type != JSON_OBJECT && type != JSON_NULL) {
        return fail(machine, "%.*s: cannot look up \"%.*s\" in %s", SLICE_ARGS(operation->source),
                    SLICE_ARGS(operation->text), type_names[type]);
    }
    struct slice member = type == JSON_NULL ? SLICE_EMPTY : json_member(*value, operation->text);
    *value = member.count == 0 ? SLICE("null") : json_trim(member);
    return 0;
}

static int take_element(struct machine *machine, const struct operation *operation) {
    struct slice *value = top(machine);
    enum json_type type = json_type(*value);
    if (type != JSON_ARRAY && type != JSON_NULL) {
        return fail(machine, "%.*s: cannot take element %lld of %s", SLICE_ARGS(operation->source),
                    (long long)operation->index, type_names[type]);
    }
    int64_t index = operation->index;
    if (type == JSON_ARRAY && index < 0) index += (int64_t)json_count(*value);
    struct slice element =
        type == JSON_NULL || index < 0 ? SLICE_EMPTY : json_element(*value, (size_t)index);
    *value = element.count == 0 ? SLICE("null") : json_trim(element);
    return 0;
}

static size_t count_characters(struct slice text) {
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) count += (text.bytes[i] & 0xC0) != 0x80;
    return count;
}

static int push_length(struct machine *machine) {
    struct slice value;
    int rc = load_dot(machine, &value);
    if (rc < 0) return rc;
    enum json_type type = json_type(value);
    if (type == JSON_FALSE || type == JSON_TRUE) return fail(machine, "a boolean has no length");
    if (type == JSON_NUMBER) { /* jq: its absolute value */
        return push(machine, value.bytes[0] == '-' ? slice_skip(value, 1) : value);
    }
    size_t count = 0;
    if (type == JSON_ARRAY || type == JSON_OBJECT) count = json_count(value);
    if (type == JSON_STRING) {
        struct slice text;
        if (!json_string(machine->arena, value, &text)) return -ENOMEM;
        count = count_characters(text);
    }
    const char *number = arena_printf(machine->arena, "%zu", count);
    return number == NULL ? -ENOMEM : push(machine, slice_from_string(number));
}

static int compare_numbers(struct machine *machine, struct slice a, struct slice b, int *order) {
    int64_t exact_a = 0;
    int64_t exact_b = 0;
    if (json_to_i64(a, INT64_MIN, INT64_MAX, &exact_a) &&
        json_to_i64(b, INT64_MIN, INT64_MAX, &exact_b)) {
        *order = (exact_a > exact_b) - (exact_a < exact_b);
        return 0;
    }
    double double_a = 0;
    double double_b = 0;
    bool a_fits = json_to_double(a, &double_a);
    if (!a_fits || !json_to_double(b, &double_b)) {
        return fail(machine, "the number %.*s is too large to be compared",
                    SLICE_ARGS(a_fits ? b : a));
    }
    *order = (double_a > double_b) - (double_a < double_b);
    return 0;
}

static int compare_values(struct machine *machine, const struct operation *operation,
                          struct slice a, struct slice b, int *order) {
    enum json_type type_a = json_type(a);
    enum json_type type_b = json_type(b);
    /* The types stand in jq's order. */
    _Static_assert(JSON_NULL < JSON_FALSE && JSON_FALSE < JSON_TRUE && JSON_TRUE < JSON_NUMBER &&
                       JSON_NUMBER < JSON_STRING && JSON_STRING < JSON_ARRAY &&
                       JSON_ARRAY < JSON_OBJECT,
                   "values of different types are compared by their types");
    *order = (type_a > type_b) - (type_a < type_b);
    if (*order != 0) return 0;
    if (type_a == JSON_NUMBER) return compare_numbers(machine, a, b, order);
    if (type_a == JSON_STRING) {
        struct slice text_a;
        struct slice text_b;
        if (!json_string(machine->arena, a, &text_a) || !json_string(machine->arena, b, &text_b)) {
            return -ENOMEM;
        }
        *order = slice_compare(text_a, text_b);
        return 0;
    }
    if (type_a < JSON_ARRAY) return 0;
    return fail(machine, "comparing two %s needs jq, which this version does not have yet: `%.*s`",
                type_a == JSON_ARRAY ? "arrays" : "objects", SLICE_ARGS(operation->source));
}

static int push_comparison(struct machine *machine, const struct operation *operation) {
    struct slice b = pop(machine);
    struct slice a = pop(machine);
    int order = 0;
    int rc = compare_values(machine, operation, a, b, &order);
    if (rc < 0) return rc;
    bool result = false;
    switch ((enum comparison)operation->argument) {
    case COMPARISON_EQUAL: result = order == 0; break;
    case COMPARISON_NOT_EQUAL: result = order != 0; break;
    case COMPARISON_LESS: result = order < 0; break;
    case COMPARISON_LESS_OR_EQUAL: result = order <= 0; break;
    case COMPARISON_GREATER: result = order > 0; break;
    case COMPARISON_GREATER_OR_EQUAL: result = order >= 0; break;
    }
    return push(machine, to_bool(result));
}

/* Replace the last values by one object or array that holds them. */
static int make(struct machine *machine, const struct operation *operation) {
    bool is_object = operation->kind == OPERATION_OBJECT;
    uint32_t count = operation->argument * (is_object ? 2 : 1);
    machine->values_count -= count;
    const struct slice *parts = &machine->values[machine->values_count];
    size_t bytes_count = 2 + (count == 0 ? 0 : count - 1);
    for (uint32_t i = 0; i < count; i++) bytes_count += parts[i].count;
    if (bytes_count > EXPRESSION_MADE_BYTES_MAX) {
        return fail(machine, "what it makes is larger than %u KiB",
                    EXPRESSION_MADE_BYTES_MAX / 1024);
    }
    char *bytes = arena_take(machine->arena, bytes_count);
    if (bytes == NULL) return -ENOMEM;
    char *end = bytes;
    *end++ = is_object ? '{' : '[';
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) *end++ = is_object && i % 2 == 1 ? ':' : ',';
        memcpy(end, parts[i].bytes, parts[i].count);
        end += parts[i].count;
    }
    *end = is_object ? '}' : ']';
    return push(machine, slice_from(bytes, bytes_count));
}

static int push_not(struct machine *machine) {
    struct slice value;
    int rc = load_dot(machine, &value);
    return rc < 0 ? rc : push(machine, to_bool(!expression_is_true(value)));
}

/* Returns 0 or less as all do, or the number of the operation to go on with. */
static int run(struct machine *machine, const struct operation *operation) {
    switch (operation->kind) {
    case OPERATION_VARIABLE: return push_variable(machine, operation);
    case OPERATION_CONSTANT: return push(machine, operation->text);
    case OPERATION_FIELD: return take_field(machine, operation);
    case OPERATION_ELEMENT: return take_element(machine, operation);
    case OPERATION_LENGTH: return push_length(machine);
    case OPERATION_NOT: return push_not(machine);
    case OPERATION_COMPARE: return push_comparison(machine, operation);
    case OPERATION_SKIP_FALSE:
    case OPERATION_SKIP_TRUE: {
        bool is_true = expression_is_true(pop(machine));
        if (is_true != (operation->kind == OPERATION_SKIP_TRUE)) return 0;
        int rc = push(machine, to_bool(is_true));
        return rc < 0 ? rc : (int)operation->argument;
    }
    case OPERATION_TO_BOOL: *top(machine) = to_bool(expression_is_true(*top(machine))); return 0;
    case OPERATION_PIPE_BEGIN:
        CHECK(machine->dots_count < DOTS_MAX);
        machine->dots[machine->dots_count++] = pop(machine);
        return 0;
    case OPERATION_PIPE_END: machine->dots_count--; return 0;
    case OPERATION_OBJECT:
    case OPERATION_ARRAY: return make(machine, operation);
    }
    CHECK_UNREACHABLE();
}

int expression_evaluate(const struct expression *expression, struct expression_scope *scope,
                        struct arena *arena, struct slice *out, const char **failure) {
    struct machine machine;
    machine.scope = scope;
    machine.arena = arena;
    machine.failure = failure;
    machine.values_count = 0;
    machine.dots_count = 0;
    uint32_t i = 0;
    while (i < expression->operations_count) { /* every jump goes forward */
        int rc = run(&machine, &expression->operations[i]);
        if (rc < 0) return rc;
        i = rc > 0 ? (uint32_t)rc : i + 1;
    }
    CHECK(machine.values_count == 1);
    *out = machine.values[0];
    return 0;
}
