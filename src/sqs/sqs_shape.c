/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_shape.c -- finds fields, and says which should be there. */
#include "sqs/sqs_protocol.h"

const struct sqs_field *sqs_shape_find(const struct sqs_shape *shape, struct slice name) {
    for (uint32_t i = 0; i < shape->fields_count; i++) {
        if (slice_equal(shape->fields[i].name, name)) return &shape->fields[i];
    }
    return NULL;
}

const struct sqs_field *sqs_shape_find_element(const struct sqs_shape *shape,
                                               struct slice element) {
    for (uint32_t i = 0; i < shape->fields_count; i++) {
        if (slice_equal(shape->fields[i].element, element)) return &shape->fields[i];
    }
    return NULL;
}

struct slice sqs_shape_key_word(struct slice element) {
    return slice_equal(element, SLICE("Tag")) ? SLICE("Key") : SLICE("Name");
}

bool sqs_fail_unknown_parameter(struct slice name, struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE, "Unknown parameter %.*s.",
                    SLICE_ARGS(sqs_excerpt(name)));
}

static bool is_given(const struct sqs_field *field, const void *input) {
    const void *at = (const char *)input + field->offset;
    switch (field->kind) {
    case SQS_TEXT: return ((const struct slice *)at)->count > 0;
    case SQS_INTEGER: return ((const struct sqs_integer *)at)->is_given;
    case SQS_TEXTS: return ((const struct sqs_texts *)at)->count > 0;
    case SQS_PAIRS: return ((const struct sqs_pairs *)at)->count > 0;
    case SQS_ATTRIBUTES: return ((const struct sqs_attributes *)at)->count > 0;
    case SQS_ENTRIES: return ((const struct sqs_entries *)at)->count > 0;
    }
    CHECK_UNREACHABLE();
}

bool sqs_shape_check(const struct sqs_shape *shape, const void *input, struct sqs_fault *fault) {
    for (uint32_t i = 0; i < shape->fields_count; i++) {
        const struct sqs_field *field = &shape->fields[i];
        if (!field->is_required || is_given(field, input)) continue;
        return sqs_fail(fault, SQS_ERROR_MISSING_PARAMETER,
                        "The request must contain the parameter %.*s.", SLICE_ARGS(field->name));
    }
    return true;
}
