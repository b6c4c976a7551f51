/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_error.h -- a no to the client, as both protocols can write it: type, code, status, words.
 *
 * What the broker refuses has its own list (broker/result.h); here stand the refusals that only the
 * endpoint knows.
 */
#ifndef TAKT_SQS_SQS_ERROR_H
#define TAKT_SQS_SQS_ERROR_H

#include "base/arena.h"
#include "broker/result.h"

#include <stdarg.h>

/* The namespace of types that are not SQS's own; they have other names there than in Query. */
#define CORAL "com.amazon.coral.service#"

/* clang-format off */
#define SQS_ERRORS(X)                                                                              \
    X(MISSING_PARAMETER, CORAL "MissingRequiredParameterException", "MissingParameter", 400)       \
    X(PARAMETER_VALUE, CORAL "InvalidParameterValueException", "InvalidParameterValue", 400)       \
    X(ATTRIBUTE_NAME, "InvalidAttributeName", "InvalidAttributeName", 400)                         \
    X(ATTRIBUTE_VALUE, "InvalidAttributeValue", "InvalidAttributeValue", 400)                      \
    X(ADDRESS, "InvalidAddress", "InvalidAddress", 404)                                            \
    X(MESSAGE_CONTENTS, "InvalidMessageContents", "InvalidMessageContents", 400)                   \
    X(BATCH_EMPTY, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400)           \
    X(BATCH_TOO_MANY, "TooManyEntriesInBatchRequest",                                              \
      "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400)                                  \
    X(BATCH_ID, "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400)          \
    X(BATCH_NOT_DISTINCT, "BatchEntryIdsNotDistinct",                                              \
      "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400)                                      \
    X(BATCH_TOO_LONG, "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400)    \
    X(OVER_LIMIT, "OverLimit", "OverLimit", 403)                                                   \
    X(PURGE_IN_PROGRESS, "PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress",    \
      403)                                                                                         \
    X(UNSUPPORTED_OPERATION, "UnsupportedOperation",                                               \
      "AWS.SimpleQueueService.UnsupportedOperation", 400)                                          \
    X(RESOURCE, "ResourceNotFoundException", "ResourceNotFoundException", 404)                     \
    X(UNKNOWN_OPERATION, CORAL "UnknownOperationException", "InvalidAction", 400)                  \
    X(SERIALIZATION, CORAL "SerializationException", "MalformedInput", 400)                        \
    X(QUERY_STRING, "MalformedQueryString", "MalformedQueryString", 400)                           \
    X(MISSING_ACTION, "MissingAction", "MissingAction", 400)                                       \
    X(VERSION, "NoSuchVersion", "NoSuchVersion", 400)                                              \
    X(ACCESS_DENIED, "AccessDenied", "AccessDenied", 403)                                          \
    X(METHOD, "InvalidHttpMethod", "InvalidHttpMethod", 405)                                       \
    X(INTERNAL, "InternalFailure", "InternalFailure", 500)
/* clang-format on */

enum sqs_error {
#define SQS_ERROR_ENUM(name, type, code, status) SQS_ERROR_##name,
    SQS_ERRORS(SQS_ERROR_ENUM)
#undef SQS_ERROR_ENUM
};

struct sqs_fault {
    struct arena *arena; /* kept: the words are made there */
    const char *type;    /* NULL: no fault */
    const char *code;
    int status;
    struct slice words;
    const char *query_words; /* where Query has others; else NULL */
};

static inline struct sqs_fault sqs_fault_none(struct arena *arena) {
    return (struct sqs_fault){.arena = arena};
}
/* Both say false, so that a check can end with `return sqs_fail(fault, …)`. */
bool sqs_fail(struct sqs_fault *fault, enum sqs_error error, const char *format, ...)
    TAKT_PRINTF(3, 4);
/* detail: borrowed; empty: the result's own words. */
bool sqs_fail_result(struct sqs_fault *fault, enum broker_result result, struct slice detail);

/* What a client sent, short enough for a sentence. */
struct slice sqs_excerpt(struct slice text);

#endif
