/* SPDX-License-Identifier: Apache-2.0 */
/* result.h -- what a client is told: the one closed list, each with its wire name (SQS's error
 * type in JSON), SQS's older query code, HTTP status, and the default words. */
#ifndef TAKT_BROKER_RESULT_H
#define TAKT_BROKER_RESULT_H

/* clang-format off */
#define BROKER_RESULTS(X)                                                                          \
    X(OK, "", "", 200, "")                                                                         \
    X(QUEUE_NOT_FOUND, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400,        \
      "The specified queue does not exist.")                                                       \
    X(QUEUE_EXISTS, "QueueNameExists", "QueueAlreadyExists", 400,                                  \
      "A queue already exists with the same name and a different value for an attribute.")         \
    X(HANDLE_INVALID, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404,                     \
      "The input receipt handle is invalid.")                                                      \
    X(NOT_IN_FLIGHT, "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400,       \
      "The message referred to isn't in flight.")                                                  \
    X(OVER_LIMIT, "OverLimit", "OverLimit", 403,                                                   \
      "Too many messages are in flight in this queue.")                                            \
    X(VALUE_INVALID, "InvalidParameterValue", "InvalidParameterValue", 400,                        \
      "A value is not valid.")                                                                     \
    X(MESSAGE_GONE, "InvalidParameterValue", "InvalidParameterValue", 400,                         \
      "The message does not exist or is not available for visibility timeout change.")             \
    X(TOO_LARGE, "InvalidParameterValue", "InvalidParameterValue", 400,                            \
      "The message is larger than the queue takes.")                                               \
    X(UNSUPPORTED, "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400,     \
      "This queue belongs to a station of a line, which does not take this operation.")            \
    X(NO_ROOM, "ServiceUnavailable", "ServiceUnavailable", 503,                                    \
      "The disk has no room for this: it is kept for what is already here.")                       \
    X(NO_MEMORY, "ServiceUnavailable", "ServiceUnavailable", 503,                                  \
      "takt has reached its limit of memory for this.")                                            \
    X(BUSY, "ServiceUnavailable", "ServiceUnavailable", 503,                                       \
      "takt is busy: too much is on its way to the disk. Try again.")                              \
    X(UNAVAILABLE, "ServiceUnavailable", "ServiceUnavailable", 503,                                \
      "takt cannot promise anything now: its journal has failed or it is stopping.")               \
    X(LINE_FULL, "LineFull", "LineFull", 429,                                                      \
      "The line is full: a station has reached its WIP limit.")                                    \
    X(ONCE_CONFLICT, "IdempotencyConflict", "IdempotencyConflict", 422,                            \
      "Another order was sent under this key.")                                                    \
    X(JOB_NOT_FOUND, "JobNotFound", "JobNotFound", 404, "There is no such job.")                   \
    X(LEASE_LOST, "LeaseLost", "LeaseLost", 409,                                                   \
      "The message is no longer in this worker's hands.")                                          \
    X(NOTHING, "", "", 200, "There was nothing to do.")
/* clang-format on */

enum broker_result {
#define BROKER_RESULT_ENUM(name, type, code, status, words) BROKER_##name,
    BROKER_RESULTS(BROKER_RESULT_ENUM)
#undef BROKER_RESULT_ENUM
        BROKER_RESULTS_COUNT
};

const char *broker_result_type(enum broker_result result);
const char *broker_result_query_code(enum broker_result result);
int broker_result_status(enum broker_result result);
const char *broker_result_words(enum broker_result result);

#endif
