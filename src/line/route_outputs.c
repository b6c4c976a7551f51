/* SPDX-License-Identifier: Apache-2.0 */
/* The decision after a station: entry by entry of `next`, as far as its mode goes; in each entry
 * `each`, then for the value or every element `when`, then `with`. Later entries are not looked at
 * once {first: …} has its one. A station whose entries have no expressions never looks into its
 * output.
 */
#include "line/route.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum outcome {
    OUTCOME_NOT_TAKEN,
    OUTCOME_TAKEN,
    OUTCOME_FILTERED, /* `each` was an array, and `when` let nothing of it by */
};

struct router {
    const struct route_message *message;
    const struct definition_station *station;
    struct arena *arena;
    struct route_result *result;
    struct expression_scope scope;
    uint32_t outputs_max;
    bool is_prepared; /* the scope is filled in only if an expression needs it */
    struct slice named[DEFINITION_NEXT_MAX]; /* by_station: the value for the entry, or empty */
};

TAKT_PRINTF(2, 3)
static int fail(struct router *router, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    router->result->failure = arena_copy(router->arena, slice_from_string(text));
    return router->result->failure == NULL ? -ENOMEM : -EBADMSG;
}

/* Fill in what `$in`, `$order`, `$out` and `$job` stand for. */
static int prepare(struct router *router) {
    if (router->is_prepared) return 0;
    const struct route_message *message = router->message;
    const char *name = router->station->name;
    struct expression_input *inputs = router->scope.inputs;
    inputs[EXPRESSION_IN].bytes = message->input;
    inputs[EXPRESSION_IN].name = arena_printf(router->arena, "the input of %s", name);
    inputs[EXPRESSION_ORDER].bytes = message->order;
    inputs[EXPRESSION_ORDER].name = "the order";
    inputs[EXPRESSION_OUT].bytes = message->output;
    inputs[EXPRESSION_OUT].name = arena_printf(router->arena, "the output of %s", name);
    inputs[EXPRESSION_DOT] = inputs[EXPRESSION_OUT];

    struct buffer job;
    buffer_open(&job, router->arena->allocator, 6 * message->job.count + 16);
    json_write_string(&job, message->job);
    const char *copy = job.failed ? NULL : arena_copy(router->arena, buffer_slice(&job));
    inputs[EXPRESSION_JOB].bytes = slice_from_string(copy);
    inputs[EXPRESSION_JOB].name = "the job's id";
    buffer_close(&job);
    if (copy == NULL || inputs[EXPRESSION_IN].name == NULL || inputs[EXPRESSION_OUT].name == NULL) {
        return -ENOMEM;
    }
    router->is_prepared = true;
    return 0;
}

static const char *target_name(const struct router *router, const struct definition_next *next) {
    return next->station < 0 ? "end" : router->message->definition->stations[next->station].name;
}

/* Evaluate one expression of an entry; its failure is told with the entry's place. */
static int evaluate(struct router *router, const struct definition_next *next, const char *key,
                    const struct expression *expression, struct slice *out) {
    const char *failure = NULL;
    int rc = prepare(router);
    if (rc == 0) {
        rc = expression_evaluate(expression, &router->scope, router->arena, out, &failure);
    }
    if (rc != -EBADMSG) return rc;
    return fail(router, "`%s` of the way from %s to %s: %s", key, router->station->name,
                target_name(router, next), failure);
}

static void set_dot(struct router *router, struct slice bytes) {
    router->scope.inputs[EXPRESSION_DOT].bytes = bytes;
    router->scope.inputs[EXPRESSION_DOT].seen = EXPRESSION_IS_JSON;
}

/* `.` of an entry before `each`: the whole output, or what the handler named for the target. */
static int set_dot_of_entry(struct router *router, uint32_t index) {
    int rc = prepare(router);
    if (rc < 0) return rc;
    if (router->message->by_station)
        set_dot(router, router->named[index]);
    else
        router->scope.inputs[EXPRESSION_DOT] = router->scope.inputs[EXPRESSION_OUT];
    return 0;
}

/* ---- Room ---- */

/* Make room for `more` outputs, as far as the limit allows. The count of an array is known before
 * its elements are looked at, so that large splits grow the list once. */
static int reserve(struct router *router, size_t more) {
    struct route_result *result = router->result;
    size_t needed = result->outputs_count + more;
    if (needed > ROUTE_OUTPUTS_MAX) needed = ROUTE_OUTPUTS_MAX;
    if (needed <= router->outputs_max) return 0;
    if (needed < 2 * (size_t)router->outputs_max) needed = 2 * (size_t)router->outputs_max;
    struct route_output *outputs = arena_take_array(router->arena, needed, sizeof *outputs);
    if (outputs == NULL) return -ENOMEM;
    if (result->outputs_count > 0) {
        memcpy(outputs, result->outputs, result->outputs_count * sizeof *outputs);
    }
    result->outputs = outputs;
    router->outputs_max = (uint32_t)needed;
    return 0;
}

static int evaluate_each(struct router *router, uint32_t index, struct slice *array) {
    const struct definition_next *next = &router->station->next[index];
    int rc = set_dot_of_entry(router, index);
    if (rc == 0) rc = evaluate(router, next, "each", next->each, array);
    if (rc < 0) return rc;
    if (json_type(*array) == JSON_ARRAY) return reserve(router, json_count(*array));
    return fail(router, "`each` of the way from %s to %s: `%.*s` is not an array",
                router->station->name, target_name(router, next),
                SLICE_ARGS(expression_text(next->each)));
}

/* ---- Outputs ---- */

static int add_output(struct router *router, uint32_t index, uint32_t each_index,
                      struct slice body) {
    struct route_result *result = router->result;
    int32_t target = router->station->next[index].station;
    const struct definition_queue *queue =
        target < 0 ? NULL : &router->message->definition->stations[target].queue;
    if (queue != NULL && body.count > queue->message_bytes_max) {
        return fail(router, "an output of %s for %s has %zu bytes, and its queue takes at most %u",
                    router->station->name, target_name(router, &router->station->next[index]),
                    body.count, queue->message_bytes_max);
    }
    if (result->outputs_count == ROUTE_OUTPUTS_MAX) {
        return fail(router, "%s has more than %u outputs", router->station->name,
                    ROUTE_OUTPUTS_MAX);
    }
    result->bytes_count += body.count;
    if (result->bytes_count > ROUTE_OUTPUT_BYTES_MAX) {
        return fail(router, "the outputs of %s are larger than %u MiB together",
                    router->station->name, ROUTE_OUTPUT_BYTES_MAX / 1024 / 1024);
    }
    CHECK(result->outputs_count < router->outputs_max);
    result->outputs[result->outputs_count++] = (struct route_output){
        .body = body,
        .each_index = each_index,
        .station = (int16_t)target,
        .next_index = (uint16_t)index,
    };
    return 0;
}

/* `when` and `with` on what `.` is now. */
static int try_value(struct router *router, uint32_t index, uint32_t each_index, struct slice value,
                     bool *was_taken) {
    const struct definition_next *next = &router->station->next[index];
    if (next->when != NULL) {
        struct slice condition;
        int rc = evaluate(router, next, "when", next->when, &condition);
        if (rc < 0) return rc;
        if (!expression_is_true(condition)) return 0;
    }
    if (next->with != NULL) {
        int rc = evaluate(router, next, "with", next->with, &value);
        if (rc < 0) return rc;
    }
    *was_taken = true;
    return add_output(router, index, each_index, value);
}

/* `.` and $index for one element. */
static int set_element(struct router *router, const struct definition_next *next,
                       struct slice value, uint32_t each_index) {
    unsigned uses = (next->when == NULL ? 0 : expression_uses(next->when)) |
                    (next->with == NULL ? 0 : expression_uses(next->with));
    set_dot(router, value);
    if ((uses & EXPRESSION_BIT(EXPRESSION_INDEX)) == 0) return 0;
    /* In the arena, because `with: $index` gives a slice of it. */
    const char *number = arena_printf(router->arena, "%u", each_index);
    if (number == NULL) return -ENOMEM;
    router->scope.inputs[EXPRESSION_INDEX] = (struct expression_input){
        .bytes = slice_from_string(number), .name = "$index", .seen = EXPRESSION_IS_JSON};
    return 0;
}

static int take_elements(struct router *router, uint32_t index, bool *was_taken) {
    uint32_t each_index = 0;
    struct slice array;
    int rc = evaluate_each(router, index, &array);
    if (rc < 0) return rc;
    struct json_iterator i = json_iterate(array);
    for (; rc == 0 && json_next(&i); each_index++) {
        struct slice value = json_trim(i.value);
        rc = set_element(router, &router->station->next[index], value, each_index);
        if (rc == 0) rc = try_value(router, index, each_index, value, was_taken);
    }
    return rc;
}

static int take_entry(struct router *router, uint32_t index, enum outcome *outcome) {
    const struct definition_next *next = &router->station->next[index];
    bool was_taken = false;
    if (next->each != NULL) {
        int rc = take_elements(router, index, &was_taken);
        router->scope.inputs[EXPRESSION_INDEX] = (struct expression_input){0};
        /* Nothing to filter is no filter's work: an empty array is an output of none. */
        if (next->when == NULL) was_taken = true;
        *outcome = was_taken ? OUTCOME_TAKEN : OUTCOME_FILTERED;
        return rc;
    }
    if (next->when != NULL || next->with != NULL) {
        int rc = set_dot_of_entry(router, index);
        if (rc < 0) return rc;
    }
    int rc = reserve(router, 1);
    if (rc < 0) return rc;
    struct slice value =
        router->message->by_station ? router->named[index] : router->message->output;
    rc = try_value(router, index, ROUTE_EACH_NONE, value, &was_taken);
    *outcome = was_taken ? OUTCOME_TAKEN : OUTCOME_NOT_TAKEN;
    return rc;
}

static bool is_skipped(const struct router *router, uint32_t index) {
    return router->message->by_station && router->named[index].count == 0;
}

static int take_entries(struct router *router) {
    bool any_taken = false;
    bool any_filtered = false;
    for (uint32_t i = 0; i < router->station->next_count; i++) {
        const struct definition_next *next = &router->station->next[i];
        if (is_skipped(router, i)) continue;
        if (next->is_else && any_taken && !router->message->by_station) continue;
        enum outcome outcome = OUTCOME_NOT_TAKEN;
        int rc = take_entry(router, i, &outcome);
        if (rc < 0) return rc;
        any_taken = any_taken || outcome == OUTCOME_TAKEN;
        any_filtered = any_filtered || outcome == OUTCOME_FILTERED;
        bool is_first = router->station->next_mode == DEFINITION_NEXT_FIRST;
        if (is_first && outcome == OUTCOME_TAKEN && !router->message->by_station) break;
    }
    if (any_taken || any_filtered || router->message->by_station) return 0;
    return fail(router, "nothing in `next` of %s matched, and there is no `else`",
                router->station->name);
}

/* ---- "outputs": {STATION: value} ---- */

static int find_named(struct router *router) {
    int rc = prepare(router);
    if (rc < 0) return rc;
    struct json_error error;
    const char *name = router->station->name;
    if (!json_validate(router->message->output, &error)) {
        return fail(router, "the outputs of %s are not JSON: %s at byte %zu", name, error.message,
                    error.offset);
    }
    struct slice object = json_trim(router->message->output);
    router->scope.inputs[EXPRESSION_OUT].seen = EXPRESSION_IS_JSON;
    if (json_type(object) != JSON_OBJECT) {
        return fail(router, "the outputs of %s are not an object of stations and values", name);
    }
    for (struct json_iterator i = json_iterate(object); json_next(&i);) {
        bool is_known = false;
        for (uint32_t j = 0; j < router->station->next_count; j++) {
            const struct definition_next *next = &router->station->next[j];
            if (!json_string_equal(i.name, slice_from_string(target_name(router, next)))) continue;
            router->named[j] = json_trim(i.value);
            is_known = true;
        }
        if (!is_known) {
            return fail(router, "%s gave an output for %.*s, which is not in its `next`", name,
                        SLICE_ARGS(i.name));
        }
    }
    return 0;
}

int route_outputs(const struct route_message *message, struct arena *arena,
                  struct route_result *result) {
    CHECK(message->station < message->definition->stations_count);
    struct router router;
    memset(&router, 0, sizeof router);
    router.message = message;
    router.station = &message->definition->stations[message->station];
    router.arena = arena;
    router.result = result;
    *result = (struct route_result){0};
    if (router.station->next_count == 0 && !message->by_station) return 0;
    if (message->by_station) {
        int rc = find_named(&router);
        if (rc < 0) return rc;
    }
    int rc = take_entries(&router);
    /* The arena is full rather than the machine: trying again would not help this message. */
    if (rc == -ENOMEM && arena->used_bytes > arena->bytes_max / 2) {
        result->failure = "deciding where its outputs go takes more memory than is allowed";
        rc = -EBADMSG;
    }
    return rc;
}

int route_pass_on(const struct route_message *message, struct arena *arena, struct slice *output,
                  const char **failure) {
    struct route_result result = {0};
    struct router router;
    memset(&router, 0, sizeof router);
    router.message = message;
    router.station = &message->definition->stations[message->station];
    router.arena = arena;
    router.result = &result;
    *output = message->input;
    if (router.station->with == NULL) return 0;
    int rc = prepare(&router);
    if (rc < 0) return rc;
    router.scope.inputs[EXPRESSION_DOT] = router.scope.inputs[EXPRESSION_IN];
    const char *why = NULL;
    rc = expression_evaluate(router.station->with, &router.scope, arena, output, &why);
    if (rc == -EBADMSG) rc = fail(&router, "`with` of %s: %s", router.station->name, why);
    *failure = result.failure;
    return rc;
}
