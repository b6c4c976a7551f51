/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_queue_attributes.c -- a queue's attributes: one table of what may be set and what is read.
 *
 * Encryption is the disk's or the volume's business: its attributes are kept, checked and returned,
 * and change nothing. Of the two kinds at most one is on, as SQS has it.
 */
#include "base/json.h"
#include "sqs/message.h"
#include "sqs/sqs_settings.h"

#include <inttypes.h>
#include <stdio.h>

enum attribute_kind {
    ATTRIBUTE_SETTING,      /* a number in queue_settings */
    ATTRIBUTE_REDRIVE,      /* RedrivePolicy */
    ATTRIBUTE_READ_ONLY,    /* a number that the queue has */
    ATTRIBUTE_ARN,          /* QueueArn, read-only too */
    ATTRIBUTE_FIFO,         /* FifoQueue */
    ATTRIBUTE_FIFO_SETTING, /* of FIFO queues only, in the words of the real one, */
    ATTRIBUTE_FIFO_DETAIL,  /* which has two ways to say so */
    ATTRIBUTE_POLICY,       /* these are notes */
    ATTRIBUTE_ALLOWANCE,
    ATTRIBUTE_KMS_KEY,
    ATTRIBUTE_KMS_SECONDS,
    ATTRIBUTE_MANAGED_SSE,
};

struct attribute {
    const char *name;
    enum attribute_kind kind;
    uint32_t given; /* QUEUE_SET_…, of a setting */
    int64_t min;
    int64_t max;
    int64_t scale; /* the setting is so many times the attribute's value */
    int64_t (*get)(const struct queue_view *view);
};

static int64_t get_visibility(const struct queue_view *view) {
    return view->settings.visibility_ms / 1000;
}
static int64_t get_delay(const struct queue_view *view) {
    return view->settings.delay_ms / 1000;
}
static int64_t get_wait(const struct queue_view *view) {
    return view->settings.wait_ms / 1000;
}
static int64_t get_retention(const struct queue_view *view) {
    return view->settings.retention_ms / 1000;
}
static int64_t get_message_bytes(const struct queue_view *view) {
    return view->settings.message_bytes_max;
}
static int64_t get_visible(const struct queue_view *view) {
    return (int64_t)view->visible_count;
}
static int64_t get_in_flight(const struct queue_view *view) {
    return (int64_t)view->in_flight_count;
}
static int64_t get_delayed(const struct queue_view *view) {
    return (int64_t)view->delayed_count;
}
static int64_t get_created(const struct queue_view *view) {
    return view->created.ms / 1000;
}
static int64_t get_changed(const struct queue_view *view) {
    return view->changed.ms / 1000;
}

/* clang-format off */
static const struct attribute attributes[] = {
    {"VisibilityTimeout", ATTRIBUTE_SETTING, QUEUE_SET_VISIBILITY, 0, 43200, 1000, get_visibility},
    {"DelaySeconds", ATTRIBUTE_SETTING, QUEUE_SET_DELAY, 0, 900, 1000, get_delay},
    {"ReceiveMessageWaitTimeSeconds", ATTRIBUTE_SETTING, QUEUE_SET_WAIT, 0, 20, 1000, get_wait},
    {"MessageRetentionPeriod", ATTRIBUTE_SETTING, QUEUE_SET_RETENTION, 60, 1209600, 1000,
     get_retention},
    {"MaximumMessageSize", ATTRIBUTE_SETTING, QUEUE_SET_MESSAGE_BYTES, 1024, SQS_MESSAGE_BYTES_MAX,
     1, get_message_bytes},
    {"RedrivePolicy", ATTRIBUTE_REDRIVE, QUEUE_SET_DEAD, 0, 0, 0, NULL},
    {"ApproximateNumberOfMessages", ATTRIBUTE_READ_ONLY, 0, 0, 0, 0, get_visible},
    {"ApproximateNumberOfMessagesNotVisible", ATTRIBUTE_READ_ONLY, 0, 0, 0, 0, get_in_flight},
    {"ApproximateNumberOfMessagesDelayed", ATTRIBUTE_READ_ONLY, 0, 0, 0, 0, get_delayed},
    {"CreatedTimestamp", ATTRIBUTE_READ_ONLY, 0, 0, 0, 0, get_created},
    {"LastModifiedTimestamp", ATTRIBUTE_READ_ONLY, 0, 0, 0, 0, get_changed},
    {"QueueArn", ATTRIBUTE_ARN, 0, 0, 0, 0, NULL},
    {"Policy", ATTRIBUTE_POLICY, 0, 0, 0, 0, NULL},
    {"RedriveAllowPolicy", ATTRIBUTE_ALLOWANCE, 0, 0, 0, 0, NULL},
    {"KmsMasterKeyId", ATTRIBUTE_KMS_KEY, 0, 0, 0, 0, NULL},
    {"KmsDataKeyReusePeriodSeconds", ATTRIBUTE_KMS_SECONDS, 0, 60, 86400, 1, NULL},
    {"SqsManagedSseEnabled", ATTRIBUTE_MANAGED_SSE, 0, 0, 0, 0, NULL},
    {"FifoQueue", ATTRIBUTE_FIFO, 0, 0, 0, 0, NULL},
    {"ContentBasedDeduplication", ATTRIBUTE_FIFO_SETTING, 0, 0, 0, 0, NULL},
    {"DeduplicationScope", ATTRIBUTE_FIFO_DETAIL, 0, 0, 0, 0, NULL},
    {"FifoThroughputLimit", ATTRIBUTE_FIFO_DETAIL, 0, 0, 0, 0, NULL},
};
/* clang-format on */

#define KMS_KEY_BYTES_MAX 2048u

static const struct slice kms_key_name = {"KmsMasterKeyId", 14};
static const struct slice managed_sse_name = {"SqsManagedSseEnabled", 20};

static const struct attribute *find_attribute(struct slice name) {
    for (size_t i = 0; i < ARRAY_COUNT(attributes); i++) {
        if (slice_equal_string(name, attributes[i].name)) return &attributes[i];
    }
    return NULL;
}

static bool fail_unknown(struct slice name, struct sqs_fault *fault) {
    struct slice excerpt = sqs_excerpt(name);
    return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_NAME, "Unknown Attribute %.*s.",
                    SLICE_ARGS(excerpt));
}

/* ---- setting ---- */

static void put_setting(struct queue_settings *settings, uint32_t which, int64_t value) {
    switch (which) {
    case QUEUE_SET_VISIBILITY: settings->visibility_ms = value; break;
    case QUEUE_SET_DELAY: settings->delay_ms = value; break;
    case QUEUE_SET_WAIT: settings->wait_ms = value; break;
    case QUEUE_SET_RETENTION: settings->retention_ms = value; break;
    case QUEUE_SET_MESSAGE_BYTES: settings->message_bytes_max = (uint32_t)value; break;
    default: CHECK_UNREACHABLE();
    }
}

static bool read_number(const struct attribute *attribute, struct slice value, int64_t *out,
                        struct sqs_fault *fault) {
    if (slice_to_i64(value, attribute->min, attribute->max, out)) return true;
    return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_VALUE,
                    "Invalid value for the parameter %s. Reason: Must be an integer from "
                    "%" PRIi64 " to %" PRIi64 ".",
                    attribute->name, attribute->min, attribute->max);
}

static bool read_setting(const struct attribute *attribute, struct slice value,
                         struct command_queue *command, struct sqs_fault *fault) {
    int64_t number;
    if (!read_number(attribute, value, &number, fault)) return false;
    put_setting(&command->settings, attribute->given, number * attribute->scale);
    command->given |= attribute->given;
    return true;
}

/* FIFO queues are not built yet, so every queue is a standard one, whose name does not end so. */
static bool fail_fifo(const struct sqs_change *change, const struct attribute *attribute,
                      struct slice value) {
    struct sqs_fault *fault = change->fault;
    if (attribute->kind == ATTRIBUTE_FIFO_DETAIL) {
        return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_NAME,
                        "You can specify the %s only when FifoQueue is set to true.",
                        attribute->name);
    }
    if (attribute->kind == ATTRIBUTE_FIFO && change->is_new && slice_equal(value, SLICE("true"))) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "The name of a FIFO queue can only include alphanumeric characters, "
                        "hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in "
                        "length.");
    }
    return fail_unknown(slice_from_string(attribute->name), fault);
}

static bool read_kms_key(struct sqs_change *change, struct slice value) {
    if (!sqs_message_has_valid_characters(value) || value.count > KMS_KEY_BYTES_MAX) {
        return sqs_fail(change->fault, SQS_ERROR_ATTRIBUTE_VALUE,
                        "Invalid value for the parameter KmsMasterKeyId.");
    }
    sqs_change_note(change, kms_key_name, value.count == 0 ? SLICE_EMPTY : value);
    return true;
}

static bool read_managed_sse(struct sqs_change *change, struct slice value) {
    if (!slice_equal(value, SLICE("true")) && !slice_equal(value, SLICE("false"))) {
        return sqs_fail(change->fault, SQS_ERROR_ATTRIBUTE_VALUE,
                        "Invalid value for the parameter SqsManagedSseEnabled.");
    }
    sqs_change_note(change, managed_sse_name, value);
    return true;
}

/* Kept as it came, if it is sound; "" takes it away. */
static bool read_text(struct sqs_change *change, const struct attribute *attribute,
                      struct slice value, bool is_sound) {
    if (!is_sound) return false;
    sqs_change_note(change, slice_from_string(attribute->name),
                    value.count == 0 ? SLICE_EMPTY : value);
    return true;
}

static bool read_attribute(struct sqs_change *change, const struct sqs_pair *pair) {
    const struct attribute *attribute = find_attribute(pair->name);
    struct sqs_fault *fault = change->fault;
    int64_t number;
    if (attribute == NULL) return fail_unknown(pair->name, fault);
    switch (attribute->kind) {
    case ATTRIBUTE_SETTING: return read_setting(attribute, pair->value, change->command, fault);
    case ATTRIBUTE_REDRIVE:
        change->command->given |= attribute->given;
        return sqs_redrive_read(change, pair->value);
    case ATTRIBUTE_READ_ONLY:
    case ATTRIBUTE_ARN: return fail_unknown(pair->name, fault); /* as the real one says */
    case ATTRIBUTE_FIFO:
    case ATTRIBUTE_FIFO_SETTING:
    case ATTRIBUTE_FIFO_DETAIL: return fail_fifo(change, attribute, pair->value);
    case ATTRIBUTE_POLICY:
        return read_text(change, attribute, pair->value, sqs_policy_check(pair->value, fault));
    case ATTRIBUTE_ALLOWANCE:
        return read_text(change, attribute, pair->value,
                         sqs_redrive_allow_check(change->call, pair->value, fault));
    case ATTRIBUTE_KMS_KEY: return read_kms_key(change, pair->value);
    case ATTRIBUTE_KMS_SECONDS:
        return read_text(change, attribute, pair->value,
                         read_number(attribute, pair->value, &number, fault));
    case ATTRIBUTE_MANAGED_SSE: return read_managed_sse(change, pair->value);
    }
    CHECK_UNREACHABLE();
}

/* Of two kinds of encryption one: a key turns SQS's own off, and that is not turned on over it. */
static bool settle_encryption(struct sqs_change *change, const struct sqs_pairs *pairs) {
    bool has_key = sqs_change_find(change, kms_key_name).count > 0;
    bool gives_key = false;
    bool gives_managed = false;
    for (uint32_t i = 0; i < pairs->count; i++) {
        gives_key |= slice_equal(pairs->items[i].name, kms_key_name);
        gives_managed |= slice_equal(pairs->items[i].name, managed_sse_name) &&
                         slice_equal(pairs->items[i].value, SLICE("true"));
    }
    if (has_key && gives_managed) {
        return sqs_fail(change->fault, SQS_ERROR_ATTRIBUTE_NAME,
                        "You can use one type of server-side encryption (SSE) at one time. You can "
                        "either enable KMS SSE or SQS SSE.");
    }
    if (has_key && gives_key) sqs_change_note(change, managed_sse_name, SLICE("false"));
    return true;
}

uint32_t sqs_settings_notes_max(const struct sqs_pairs *pairs) {
    return pairs->count + 1; /* see settle_encryption */
}

bool sqs_settings_read(struct sqs_change *change, const struct sqs_pairs *pairs) {
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (!read_attribute(change, &pairs->items[i])) return false;
    }
    return settle_encryption(change, pairs);
}

/* ---- reading ---- */

static bool is_wanted(const struct sqs_texts *names, const char *name) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (slice_equal(names->items[i], SLICE("All")) || slice_equal_string(names->items[i], name))
            return true;
    }
    return false;
}

/* Of an attribute that is a note; bytes NULL: this queue has none. */
static struct slice note_value(const struct attribute *attribute, const struct queue_view *view) {
    struct slice value = queue_notes_find(view->notes, slice_from_string(attribute->name));
    if (value.bytes != NULL) return value;
    switch (attribute->kind) {
    case ATTRIBUTE_MANAGED_SSE: return SLICE("true"); /* of a queue that nobody has said it of */
    case ATTRIBUTE_KMS_SECONDS:
        return queue_notes_find(view->notes, kms_key_name).count > 0 ? SLICE("300") : SLICE_EMPTY;
    default: return SLICE_EMPTY;
    }
}

static bool write_attribute(const struct sqs_call *call, const struct attribute *attribute,
                            const struct queue_view *view, struct sqs_writer *writer,
                            struct sqs_fault *fault) {
    char digits[24];
    struct slice value = SLICE_EMPTY;
    const char *text = "";
    if (attribute->get != NULL) {
        int count = snprintf(digits, sizeof digits, "%" PRIi64, attribute->get(view));
        value = slice_from(digits, (size_t)count);
    } else if (attribute->kind == ATTRIBUTE_ARN) {
        text = sqs_queue_arn(call, view->name);
        value = slice_from_string(text);
    } else if (attribute->kind == ATTRIBUTE_REDRIVE) {
        if (view->settings.dead_queue.count > 0) text = sqs_redrive_text(call, view);
        value = slice_from_string(text);
    } else {
        value = note_value(attribute, view);
    }
    if (text == NULL) return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    if (value.count == 0) return true; /* this queue has none */
    writer->protocol->map_text(writer, SLICE("Attribute"), slice_from_string(attribute->name),
                               value);
    return true;
}

bool sqs_settings_write(const struct sqs_call *call, const struct sqs_texts *names,
                        const struct queue_view *view, struct sqs_writer *writer,
                        struct sqs_fault *fault) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (!slice_equal(names->items[i], SLICE("All")) && find_attribute(names->items[i]) == NULL)
            return fail_unknown(names->items[i], fault);
    }
    if (names->count == 0) return true;
    writer->protocol->map_begin(writer, SLICE("Attributes"));
    for (size_t i = 0; i < ARRAY_COUNT(attributes); i++) {
        if (!is_wanted(names, attributes[i].name)) continue;
        if (!write_attribute(call, &attributes[i], view, writer, fault)) return false;
    }
    writer->protocol->map_end(writer);
    return true;
}
