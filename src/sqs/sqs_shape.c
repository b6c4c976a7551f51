/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_shape.c -- finds fields, and those that should be there. */
#include "sqs/sqs_protocol.h"

const struct sqs_field *sqs_shape_find(const struct sqs_shape *shape, struct slice name) {
    for (uint32_t i = 0; i < shape->fields_count; i++) {
        if (slice_equal(shape->fields[i].name, name)) return &shape->fields[i];
    }
    return NULL;
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
