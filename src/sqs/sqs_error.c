/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_error.c -- refusals become types, codes and sentences. */
#include "sqs/sqs_error.h"

#include <stdio.h>

#define EXCERPT_BYTES_MAX 256u
#define WORDS_BYTES_MAX 1024u /* cut there */

struct error_shape {
    const char *type;
    const char *code;
    int status;
};

static const struct error_shape shapes[] = {
#define SQS_ERROR_SHAPE(name, type, code, status) [SQS_ERROR_##name] = {type, code, status},
    SQS_ERRORS(SQS_ERROR_SHAPE)
#undef SQS_ERROR_SHAPE
};

static const char queue_not_found_in_query[] =
    "The specified queue does not exist for this wsdl version.";

bool sqs_fail(struct sqs_fault *fault, enum sqs_error error, const char *format, ...) {
    char words[WORDS_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    CHECK(count >= 0); /* the formats are ours */
    if ((size_t)count >= sizeof words) count = (int)sizeof words - 1;

    const struct error_shape *shape = &shapes[error];
    fault->type = shape->type;
    fault->code = shape->code;
    fault->status = shape->status;
    fault->query_words = NULL;
    char *copy = arena_copy(fault->arena, slice_from(words, (size_t)count));
    fault->words = copy == NULL ? SLICE_EMPTY : slice_from(copy, (size_t)count);
    return false;
}

bool sqs_fail_result(struct sqs_fault *fault, enum broker_result result, struct slice detail) {
    fault->type = broker_result_type(result);
    fault->code = broker_result_query_code(result);
    if (strcmp(fault->code, shapes[SQS_ERROR_PARAMETER_VALUE].code) == 0)
        fault->type = shapes[SQS_ERROR_PARAMETER_VALUE].type;
    fault->status = broker_result_status(result);
    fault->words = slice_from_string(broker_result_words(result));
    fault->query_words = result == BROKER_QUEUE_NOT_FOUND ? queue_not_found_in_query : NULL;
    if (detail.count > 0) {
        char *copy = arena_copy(fault->arena, detail);
        if (copy != NULL) fault->words = slice_from(copy, detail.count);
    }
    return false;
}

struct slice sqs_excerpt(struct slice text) {
    return slice_from(text.bytes, text.count < EXCERPT_BYTES_MAX ? text.count : EXCERPT_BYTES_MAX);
}
