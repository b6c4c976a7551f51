/* SPDX-License-Identifier: Apache-2.0 */
/* line.c -- a line file of any bytes: read, explained, read again; then a request and a message go
 * through its expressions and routes.
 *
 * An input is a line file, and behind lines of "%%%": what a handler puts out, a request's first
 * line ("POST /orders?x=1 text/plain"), and the request's body.
 *
 * A file is either understood or refused with at least one mistake in words. What was understood
 * is understood again in the same way from a document's own bytes.
 */
#include "fuzz/fuzz.h"

#include "line/route.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>

#define TEXT_BYTES_MAX (4u * 1024 * 1024)

static const char *variable(void *context, const char *name) {
    (void)context;
    if (strcmp(name, "PATH") == 0) return "relative:/bin:/usr/bin";
    if (strcmp(name, "SHOP") == 0) return "north";
    return strcmp(name, "NOTHING") == 0 ? "" : NULL;
}

static enum definition_program program(void *context, const char *path) {
    (void)context;
    if (path[0] != '/' || strstr(path, "missing") != NULL) return DEFINITION_PROGRAM_MISSING;
    return strstr(path, "notexec") != NULL ? DEFINITION_PROGRAM_NOT_EXECUTABLE
                                           : DEFINITION_PROGRAM_FOUND;
}

/* The next part of the input, up to a line "%%%". */
static struct slice cut(struct slice *rest) {
    static const struct slice mark = {"\n%%%\n", 5};
    struct slice part = *rest;
    const char *found =
        rest->count == 0 ? NULL : memmem(rest->bytes, rest->count, mark.bytes, mark.count);
    if (found == NULL) {
        *rest = SLICE_EMPTY;
    } else {
        part.count = (size_t)(found - rest->bytes);
        *rest = slice_skip(*rest, part.count + mark.count);
    }
    return part;
}

static void explain(const struct definition *definition, struct buffer *out) {
    buffer_clear(out);
    definition_explain(definition, out);
    EXPECT(!out->failed);
}

/* The document's own bytes say the same. */
static void read_again(const struct allocator *allocator, const struct definition *definition) {
    struct definition_options options = {.allocator = allocator, .variable = variable};
    struct definition_source source = {
        .path = "again", .folder = definition->folder, .bytes = definition->source};
    struct definition_files files;
    EXPECT_INT(definition_read(&source, 1, &options, &files), 0);
    EXPECT_INT(files.definitions_count, 1);
    struct buffer first;
    struct buffer second;
    buffer_open(&first, allocator, TEXT_BYTES_MAX);
    buffer_open(&second, allocator, TEXT_BYTES_MAX);
    explain(definition, &first);
    explain(&files.definitions[0], &second);
    EXPECT(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    buffer_close(&first);
    buffer_close(&second);
    definition_close(&files);
}

static bool is_inside(struct slice inner, struct slice outer) {
    return (uintptr_t)inner.bytes >= (uintptr_t)outer.bytes &&
           (uintptr_t)inner.bytes + inner.count <= (uintptr_t)outer.bytes + outer.count;
}

static void check_outputs(const struct route_message *message, const struct route_result *result) {
    const struct definition *definition = message->definition;
    const struct definition_station *station = &definition->stations[message->station];
    uint64_t bytes_count = 0;
    for (uint32_t i = 0; i < result->outputs_count; i++) {
        const struct route_output *output = &result->outputs[i];
        EXPECT(output->station < (int)definition->stations_count);
        EXPECT(output->next_index < station->next_count);
        bytes_count += output->body.count;
        const struct definition_next *next = &station->next[output->next_index];
        if (next->with == NULL && !message->by_station) {
            EXPECT(is_inside(output->body, message->output));
        }
    }
    EXPECT(bytes_count == result->bytes_count && bytes_count <= ROUTE_OUTPUT_BYTES_MAX);
}

static void pass_stations(const struct allocator *allocator, const struct definition *definition,
                          struct slice output, struct slice order) {
    for (uint32_t i = 0; i < definition->stations_count * 2; i++) {
        struct arena arena;
        arena_open(&arena, allocator, ROUTE_ARENA_BYTES_MAX);
        struct route_message message = {.definition = definition,
                                        .station = i / 2,
                                        .input = order,
                                        .order = order,
                                        .output = output,
                                        .job = SLICE("j-1"),
                                        .by_station = i % 2 == 1};
        struct route_result result;
        int rc = route_outputs(&message, &arena, &result);
        if (rc == 0) check_outputs(&message, &result);
        if (rc != 0) EXPECT(rc == -EBADMSG && result.failure != NULL);
        struct slice passed;
        const char *failure = NULL;
        if (definition->stations[i / 2].handler == DEFINITION_HANDLER_NONE) {
            rc = route_pass_on(&message, &arena, &passed, &failure);
            EXPECT(rc == 0 || (rc == -EBADMSG && failure != NULL));
        }
        arena_close(&arena);
    }
}

static void take_order(const struct route_match *match, struct slice method, struct slice query,
                       struct slice body, struct arena *arena) {
    const struct route_header headers[] = {{SLICE("X-One"), SLICE("a \"b\"")},
                                           {SLICE("x-two"), SLICE("\xff\x01")},
                                           {SLICE("X-ONE"), SLICE("again")}};
    struct buffer request;
    buffer_open(&request, arena->allocator, TEXT_BYTES_MAX);
    if (match->route->uses_request) {
        int rc = route_write_request(match, method, query, headers, ARRAY_COUNT(headers), arena,
                                     &request);
        EXPECT_INT(rc, 0);
        EXPECT(json_validate(buffer_slice(&request), NULL));
    }
    struct route_order order;
    int rc = route_take_order(match->route, body, buffer_slice(&request), arena, &order);
    if (rc == 0) {
        EXPECT(order.key.count <= ROUTE_KEY_BYTES_MAX && order.once.count <= ROUTE_KEY_BYTES_MAX);
    } else {
        EXPECT(rc == -EBADMSG && order.refusal != NULL);
    }
    buffer_close(&request);
}

static void pass_door(const struct allocator *allocator, const struct definition_files *files,
                      struct slice line, struct slice body) {
    struct arena arena;
    struct slice method;
    struct slice target;
    struct slice type;
    struct slice path;
    struct slice query;
    arena_open(&arena, allocator, ROUTE_ARENA_BYTES_MAX);
    slice_cut(line, ' ', &method, &target);
    slice_cut(target, ' ', &target, &type);
    slice_cut(target, '?', &path, &query);
    struct route_match match;
    int rc = route_find(files, method, path, &arena, &match);
    EXPECT(rc == 0 || rc == -ENOENT || rc == -EPERM || rc == -EINVAL);
    if (rc == 0) {
        (void)route_accepts(match.route, type);
        take_order(&match, method, query, body, &arena);
    }
    arena_close(&arena);
}

/* Each route, by a request made for it. */
static void pass_own_doors(const struct allocator *allocator, const struct definition_files *files,
                           const struct definition *definition, struct slice body) {
    for (uint32_t i = 0; i < definition->routes_count; i++) {
        const struct definition_route *route = &definition->routes[i];
        struct arena arena;
        struct route_match match;
        arena_open(&arena, allocator, ROUTE_ARENA_BYTES_MAX);
        if (strchr(route->pattern, '%') == NULL) {
            int rc = route_find(files, slice_from_string(route->method),
                                slice_from_string(route->pattern), &arena, &match);
            EXPECT_INT(rc, 0);
            take_order(&match, slice_from_string(route->method), SLICE("x=%31&y&=&x=2"), body,
                       &arena);
        }
        arena_close(&arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct allocator allocator = allocator_system();
    struct slice rest = slice_from(bytes, count);
    struct slice text = cut(&rest);
    struct slice output = cut(&rest);
    struct slice line = cut(&rest);
    struct definition_options options = {
        .allocator = &allocator, .variable = variable, .program = program};
    struct definition_source source = {.path = "f.yaml", .folder = "/line", .bytes = text};
    struct definition_files files;
    struct buffer words;
    buffer_open(&words, &allocator, TEXT_BYTES_MAX);
    int rc = definition_read(&source, 1, &options, &files);
    if (rc < 0) {
        EXPECT_INT(rc, -EINVAL);
        EXPECT(files.errors.count > 0);
        definition_print_errors(&files, &words);
        EXPECT(!words.failed && slice_is_utf8(buffer_slice(&words)));
    }
    for (uint32_t i = 0; rc == 0 && i < files.definitions_count; i++) {
        read_again(&allocator, &files.definitions[i]);
        pass_stations(&allocator, &files.definitions[i], output, rest);
        pass_own_doors(&allocator, &files, &files.definitions[i], rest);
    }
    if (rc == 0) pass_door(&allocator, &files, line, rest);
    buffer_close(&words);
    definition_close(&files);
    return 0;
}
