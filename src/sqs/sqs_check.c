/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_check.c -- rules that several actions share. */
#include "sqs/sqs_inside.h"

#include <inttypes.h>

#define ENTRY_ID_BYTES_MAX 80u

bool sqs_check_range(const struct sqs_integer *integer, const char *name, int64_t min, int64_t max,
                     const char *reason, struct sqs_fault *fault) {
    if (!integer->is_given || (integer->value >= min && integer->value <= max)) return true;
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Value %" PRIi64 " for parameter %s is invalid. Reason: %s", integer->value,
                    name, reason);
}

bool sqs_check_batch(const struct sqs_entries *entries, const char *kind, struct sqs_fault *fault) {
    if (entries->count == 0) {
        return sqs_fail(fault, SQS_ERROR_BATCH_EMPTY,
                        "There should be at least one %s in the request.", kind);
    }
    if (entries->count > BROKER_BATCH_MAX) {
        return sqs_fail(fault, SQS_ERROR_BATCH_TOO_MANY,
                        "Maximum number of entries per request are %u. You have sent %" PRIu32 ".",
                        BROKER_BATCH_MAX, entries->count);
    }
    return true;
}

static bool is_entry_id(struct slice id) {
    if (id.count == 0 || id.count > ENTRY_ID_BYTES_MAX) return false;
    for (size_t i = 0; i < id.count; i++) {
        char c = id.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool is_among(struct slice id, const struct slice *ids, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (slice_equal(id, ids[i])) return true;
    }
    return false;
}

bool sqs_check_batch_ids(const struct slice *ids, uint32_t count, const char *kind,
                         struct sqs_fault *fault) {
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i].bytes == NULL) {
            return sqs_fail(fault, SQS_ERROR_MISSING_PARAMETER,
                            "The request must contain the parameter %s.%" PRIu32 ".Id.", kind,
                            i + 1);
        }
        if (!is_entry_id(ids[i])) {
            return sqs_fail(fault, SQS_ERROR_BATCH_ID,
                            "A batch entry id can only contain alphanumeric characters, hyphens "
                            "and underscores. It can be at most 80 letters long.");
        }
        if (is_among(ids[i], ids, i)) {
            return sqs_fail(fault, SQS_ERROR_BATCH_NOT_DISTINCT, "Id %.*s repeated.",
                            SLICE_ARGS(ids[i]));
        }
    }
    return true;
}
