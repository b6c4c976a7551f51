/* SPDX-License-Identifier: Apache-2.0 */
/* json_read.c -- AWS JSON 1.0: one pass to validate, one over the members.
 *
 * Texts without escapes are slices of the request's body. A member that is null counts as not
 * given. A wrong type is the fault of the whole request, as the real service has it.
 */
#include "sqs/json_protocol.h"

#include "base/json.h"
#include "broker/command.h"
#include "sqs/base64.h"

struct reader {
    struct arena *arena;
    struct sqs_fault *fault;
};

static bool fail_memory(struct reader *reader) {
    return sqs_fail_result(reader->fault, BROKER_NO_MEMORY, SLICE_EMPTY);
}

static bool fail_type(struct reader *reader, struct slice name, const char *type) {
    struct slice excerpt = sqs_excerpt(name);
    return sqs_fail(reader->fault, SQS_ERROR_SERIALIZATION, "%.*s must be %s.", SLICE_ARGS(excerpt),
                    type);
}

static bool read_text(struct reader *reader, struct slice name, struct slice raw,
                      struct slice *out) {
    if (json_type(raw) != JSON_STRING) return fail_type(reader, name, "a string");
    return json_string(reader->arena, raw, out) || fail_memory(reader);
}

static bool read_name(struct reader *reader, struct slice raw, struct slice *out) {
    return json_string(reader->arena, raw, out) || fail_memory(reader);
}

static bool read_integer(struct reader *reader, struct slice name, struct slice raw,
                         struct sqs_integer *out) {
    if (!json_to_i64(raw, INT32_MIN, INT32_MAX, &out->value))
        return fail_type(reader, name, "an integer of 32 bits");
    out->is_given = true;
    return true;
}

/* Room for what a list or a map holds, its count checked before; NULL if there is a fault. */
static void *take_items(struct reader *reader, struct slice name, struct slice raw,
                        enum json_type type, size_t size) {
    if (json_type(raw) != type) {
        fail_type(reader, name, type == JSON_ARRAY ? "a list" : "an object");
        return NULL;
    }
    size_t count = json_count(raw);
    if (count > SQS_ITEMS_MAX) {
        sqs_fail(reader->fault, SQS_ERROR_PARAMETER_VALUE, "%.*s has more than %u items.",
                 SLICE_ARGS(name), SQS_ITEMS_MAX);
        return NULL;
    }
    void *items = arena_take_array(reader->arena, count, size);
    if (items == NULL) fail_memory(reader);
    return items;
}

static bool read_texts(struct reader *reader, struct slice name, struct slice raw,
                       struct sqs_texts *out) {
    struct slice *items = take_items(reader, name, raw, JSON_ARRAY, sizeof *items);
    if (items == NULL) return false;
    *out = (struct sqs_texts){.items = items};
    for (struct json_iterator i = json_iterate(raw); json_next(&i);) {
        if (!read_text(reader, name, i.value, &items[out->count++])) return false;
    }
    return true;
}

static bool read_pairs(struct reader *reader, struct slice name, struct slice raw,
                       struct sqs_pairs *out) {
    struct sqs_pair *items = take_items(reader, name, raw, JSON_OBJECT, sizeof *items);
    if (items == NULL) return false;
    *out = (struct sqs_pairs){.items = items};
    for (struct json_iterator i = json_iterate(raw); json_next(&i);) {
        if (json_type(i.value) == JSON_NULL) continue;
        struct sqs_pair *pair = &items[out->count++];
        if (!read_name(reader, i.name, &pair->name) ||
            !read_text(reader, pair->name, i.value, &pair->value))
            return false;
    }
    return true;
}

static bool read_bytes(struct reader *reader, struct slice name, struct slice raw,
                       struct slice *out) {
    struct slice text = {.bytes = NULL};
    if (!read_text(reader, name, raw, &text)) return false;
    return base64_read(reader->arena, text, out) || fail_type(reader, name, "base64");
}

static bool read_attribute_member(struct reader *reader, struct slice raw_name, struct slice raw,
                                  struct sqs_attribute *out) {
    struct slice name;
    if (!read_name(reader, raw_name, &name)) return false;
    if (slice_equal(name, SLICE("DataType"))) return read_text(reader, name, raw, &out->type);
    if (slice_equal(name, SLICE("StringValue"))) return read_text(reader, name, raw, &out->text);
    if (slice_equal(name, SLICE("BinaryValue"))) return read_bytes(reader, name, raw, &out->bytes);
    if (slice_equal(name, SLICE("StringListValues")) ||
        slice_equal(name, SLICE("BinaryListValues"))) {
        out->has_lists |= json_count(raw) > 0;
        return true;
    }
    struct slice excerpt = sqs_excerpt(name);
    return sqs_fail(reader->fault, SQS_ERROR_PARAMETER_VALUE,
                    "A message attribute has no member %.*s.", SLICE_ARGS(excerpt));
}

static bool read_attributes(struct reader *reader, struct slice name, struct slice raw,
                            struct sqs_attributes *out) {
    struct sqs_attribute *items = take_items(reader, name, raw, JSON_OBJECT, sizeof *items);
    if (items == NULL) return false;
    *out = (struct sqs_attributes){.items = items};
    for (struct json_iterator i = json_iterate(raw); json_next(&i);) {
        struct sqs_attribute *attribute = &items[out->count++];
        if (!read_name(reader, i.name, &attribute->name)) return false;
        if (json_type(i.value) != JSON_OBJECT)
            return fail_type(reader, attribute->name, "an object");
        for (struct json_iterator k = json_iterate(i.value); json_next(&k);) {
            if (json_type(k.value) == JSON_NULL) continue;
            if (!read_attribute_member(reader, k.name, k.value, attribute)) return false;
        }
    }
    return true;
}

static bool read_value(struct reader *reader, const struct sqs_field *field, struct slice raw,
                       void *input) {
    void *at = (char *)input + field->offset;
    switch (field->kind) {
    case SQS_TEXT: return read_text(reader, field->name, raw, at);
    case SQS_INTEGER: return read_integer(reader, field->name, raw, at);
    case SQS_TEXTS: return read_texts(reader, field->name, raw, at);
    case SQS_PAIRS: return read_pairs(reader, field->name, raw, at);
    case SQS_ATTRIBUTES: return read_attributes(reader, field->name, raw, at);
    case SQS_ENTRIES: break; /* only at the top: see read_member */
    }
    CHECK_UNREACHABLE();
}

/* NULL: *fault says that there is no such parameter. */
static const struct sqs_field *find_field(struct reader *reader, const struct sqs_shape *shape,
                                          struct slice raw_name) {
    struct slice name;
    if (!read_name(reader, raw_name, &name)) return NULL;
    const struct sqs_field *field = sqs_shape_find(shape, name);
    if (field == NULL) sqs_fail_unknown_parameter(name, reader->fault);
    return field;
}

static bool read_entry(struct reader *reader, const struct sqs_shape *shape, struct slice raw,
                       void *entry) {
    if (json_type(raw) != JSON_OBJECT) return fail_type(reader, SLICE("An entry"), "an object");
    for (struct json_iterator i = json_iterate(raw); json_next(&i);) {
        const struct sqs_field *field = find_field(reader, shape, i.name);
        if (field == NULL) return false;
        if (json_type(i.value) == JSON_NULL) continue;
        if (!read_value(reader, field, i.value, entry)) return false;
    }
    return true;
}

static bool read_entries(struct reader *reader, const struct sqs_field *field, struct slice raw,
                         struct sqs_entries *out) {
    if (json_type(raw) != JSON_ARRAY) return fail_type(reader, field->name, "a list");
    size_t size = field->entry->bytes_count;
    char *items = arena_take_array(reader->arena, BROKER_BATCH_MAX, size);
    if (items == NULL) return fail_memory(reader);
    *out = (struct sqs_entries){.items = items};
    for (struct json_iterator i = json_iterate(raw); json_next(&i); out->count++) {
        if (out->count >= BROKER_BATCH_MAX) continue; /* counted, for the refusal's words */
        if (!read_entry(reader, field->entry, i.value, items + out->count * size)) return false;
    }
    return true;
}

static bool read_member(struct reader *reader, const struct sqs_field *field, struct slice raw,
                        void *input) {
    if (json_type(raw) == JSON_NULL) return true;
    if (field->kind != SQS_ENTRIES) return read_value(reader, field, raw, input);
    return read_entries(reader, field, raw, (void *)((char *)input + field->offset));
}

bool json_open_request(const struct http_request *request, struct sqs_parsed *parsed,
                       struct sqs_fault *fault) {
    static const struct slice prefix = {"AmazonSQS.", 10};
    if (!slice_equal(request->method, SLICE("POST")))
        return sqs_fail(fault, SQS_ERROR_METHOD, "A request in AWS JSON 1.0 is a POST.");
    struct slice target = http_request_header(request, SLICE("x-amz-target"));
    if (!slice_starts_with(target, prefix)) {
        return sqs_fail(fault, SQS_ERROR_UNKNOWN_OPERATION,
                        target.count == 0
                            ? "The request has no X-Amz-Target header, which names the operation."
                            : "The X-Amz-Target header does not begin with AmazonSQS.");
    }
    /* Not optional: a page in a browser cannot send it to us without being asked for permission. */
    if (!slice_equal_ignore_case(sqs_content_type(request), SLICE("application/x-amz-json-1.0"))) {
        return sqs_fail(fault, SQS_ERROR_SERIALIZATION,
                        "The Content-Type must be application/x-amz-json-1.0.");
    }
    parsed->action = slice_skip(target, prefix.count);
    return true;
}

bool json_read_request(const struct http_request *request, const struct sqs_parsed *parsed,
                       const struct sqs_shape *shape, void *input, struct sqs_fault *fault) {
    (void)parsed;
    struct reader reader = {.arena = request->arena, .fault = fault};
    struct json_error error = {0};
    if (!json_validate(request->body, &error)) {
        return sqs_fail(fault, SQS_ERROR_SERIALIZATION,
                        "The request is not valid JSON: %s, at byte %zu.", error.message,
                        error.offset);
    }
    if (json_type(request->body) != JSON_OBJECT)
        return fail_type(&reader, SLICE("The request"), "a JSON object");
    for (struct json_iterator i = json_iterate(request->body); json_next(&i);) {
        const struct sqs_field *field = find_field(&reader, shape, i.name);
        if (field == NULL || !read_member(&reader, field, i.value, input)) return false;
    }
    return sqs_shape_check(shape, input, fault);
}
