/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_queue_attributes.c -- a queue's attributes: one table of what may be set and what is read.
 *
 * What takt has not built yet is refused by its name: a policy or a key that is stored and not
 * obeyed would be a lie. Setting such a thing to "" removes what is not there, which is true.
 */
#include "base/json.h"
#include "sqs/sqs_inside.h"

#include <inttypes.h>
#include <stdio.h>

#define DEAD_AFTER_DEFAULT 10 /* receives, where the redrive policy does not say */
#define DEAD_AFTER_MAX 1000

enum attribute_kind {
    ATTRIBUTE_SETTING,     /* a number in queue_settings */
    ATTRIBUTE_REDRIVE,     /* RedrivePolicy */
    ATTRIBUTE_READ_ONLY,   /* a number that the queue has */
    ATTRIBUTE_ARN,         /* QueueArn, read-only too */
    ATTRIBUTE_FIFO,        /* of FIFO queues, which are not built yet */
    ATTRIBUTE_MISSING,     /* not built yet; "" is allowed */
    ATTRIBUTE_MISSING_ANY, /* not built yet, whatever its value is */
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
    {"FifoQueue", ATTRIBUTE_FIFO, 0, 0, 0, 0, NULL},
    {"ContentBasedDeduplication", ATTRIBUTE_FIFO, 0, 0, 0, 0, NULL},
    {"DeduplicationScope", ATTRIBUTE_FIFO, 0, 0, 0, 0, NULL},
    {"FifoThroughputLimit", ATTRIBUTE_FIFO, 0, 0, 0, 0, NULL},
    {"Policy", ATTRIBUTE_MISSING, 0, 0, 0, 0, NULL},
    {"RedriveAllowPolicy", ATTRIBUTE_MISSING, 0, 0, 0, 0, NULL},
    {"KmsMasterKeyId", ATTRIBUTE_MISSING, 0, 0, 0, 0, NULL},
    {"KmsDataKeyReusePeriodSeconds", ATTRIBUTE_MISSING_ANY, 0, 0, 0, 0, NULL},
    {"SqsManagedSseEnabled", ATTRIBUTE_MISSING_ANY, 0, 0, 0, 0, NULL},
};
/* clang-format on */

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

static bool read_setting(const struct attribute *attribute, struct slice value,
                         struct command_queue *command, struct sqs_fault *fault) {
    int64_t number;
    if (!slice_to_i64(value, attribute->min, attribute->max, &number)) {
        return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_VALUE,
                        "Invalid value for the parameter %s. Reason: Must be an integer from "
                        "%" PRIi64 " to %" PRIi64 ".",
                        attribute->name, attribute->min, attribute->max);
    }
    put_setting(&command->settings, attribute->given, number * attribute->scale);
    return true;
}

static bool fail_redrive(struct slice policy, const char *reason, struct sqs_fault *fault) {
    struct slice excerpt = sqs_excerpt(policy);
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Value %.*s for parameter RedrivePolicy is invalid. Reason: %s",
                    SLICE_ARGS(excerpt), reason);
}

/* A number, or a number in a string: both are used. */
static bool read_dead_after(struct arena *arena, struct slice raw, int64_t *out) {
    if (json_type(raw) == JSON_NONE) {
        *out = DEAD_AFTER_DEFAULT;
        return true;
    }
    struct slice text = raw;
    if (json_type(raw) == JSON_STRING && !json_string(arena, raw, &text)) return false;
    return slice_to_i64(text, 1, DEAD_AFTER_MAX, out);
}

static bool check_redrive_members(struct slice policy, struct sqs_fault *fault) {
    for (struct json_iterator i = json_iterate(policy); json_next(&i);) {
        if (!json_string_equal(i.name, SLICE("deadLetterTargetArn")) &&
            !json_string_equal(i.name, SLICE("maxReceiveCount"))) {
            return fail_redrive(policy, "Only deadLetterTargetArn and maxReceiveCount are allowed.",
                                fault);
        }
    }
    return true;
}

static bool read_redrive(const struct sqs_call *call, struct slice policy,
                         struct command_queue *command, struct sqs_fault *fault) {
    struct queue_settings *settings = &command->settings;
    settings->dead_queue = SLICE_EMPTY;
    settings->dead_after = 0;
    if (policy.count == 0) return true; /* takes the policy away */
    if (!json_validate(policy, NULL) || json_type(policy) != JSON_OBJECT)
        return fail_redrive(policy, "Redrive policy is not a valid JSON map.", fault);
    if (!check_redrive_members(policy, fault)) return false;

    struct arena *arena = sqs_call_arena(call);
    struct slice raw_arn = json_member(policy, SLICE("deadLetterTargetArn"));
    struct slice arn;
    if (json_type(raw_arn) == JSON_NONE)
        return fail_redrive(policy, "Redrive policy does not contain deadLetterTargetArn.", fault);
    if (!json_string(arena, raw_arn, &arn) || !sqs_arn_read(call, arn, &settings->dead_queue))
        return fail_redrive(policy, "Invalid value for deadLetterTargetArn.", fault);
    int64_t dead_after;
    if (!read_dead_after(arena, json_member(policy, SLICE("maxReceiveCount")), &dead_after)) {
        return fail_redrive(policy,
                            "Invalid value for maxReceiveCount: valid values are from 1 to 1000 "
                            "both inclusive.",
                            fault);
    }
    settings->dead_after = (uint32_t)dead_after;
    struct queue_view view;
    if (!broker_find_queue(shard_broker(call->sqs->shard), settings->dead_queue, &view))
        return fail_redrive(policy, "Dead letter target does not exist.", fault);
    return true;
}

static bool read_attribute(const struct sqs_call *call, const struct sqs_pair *pair,
                           struct command_queue *command, struct sqs_fault *fault) {
    const struct attribute *attribute = find_attribute(pair->name);
    if (attribute == NULL) return fail_unknown(pair->name, fault);
    switch (attribute->kind) {
    case ATTRIBUTE_SETTING:
        if (!read_setting(attribute, pair->value, command, fault)) return false;
        break;
    case ATTRIBUTE_REDRIVE:
        if (!read_redrive(call, pair->value, command, fault)) return false;
        break;
    case ATTRIBUTE_READ_ONLY:
    case ATTRIBUTE_ARN: return fail_unknown(pair->name, fault); /* as the real one says */
    case ATTRIBUTE_FIFO:
        return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_NAME,
                        "Unknown Attribute %s. It belongs to FIFO queues, which are not built yet "
                        "in takt.",
                        attribute->name);
    case ATTRIBUTE_MISSING:
        if (pair->value.count == 0) break;
        __attribute__((fallthrough));
    case ATTRIBUTE_MISSING_ANY:
        return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_NAME,
                        "Unknown Attribute %s. It is not built yet in takt.", attribute->name);
    }
    command->given |= attribute->given;
    return true;
}

bool sqs_settings_read(const struct sqs_call *call, const struct sqs_pairs *pairs,
                       struct command_queue *command, struct sqs_fault *fault) {
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (!read_attribute(call, &pairs->items[i], command, fault)) return false;
    }
    return true;
}

/* ---- reading ---- */

static bool is_wanted(const struct sqs_texts *names, const char *name) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (slice_equal(names->items[i], SLICE("All")) || slice_equal_string(names->items[i], name))
            return true;
    }
    return false;
}

/* NULL: out of memory. */
static const char *redrive_text(const struct sqs_call *call, const struct queue_view *view) {
    const char *arn = sqs_queue_arn(call, view->settings.dead_queue);
    if (arn == NULL) return NULL;
    return arena_printf(sqs_call_arena(call),
                        "{\"deadLetterTargetArn\":\"%s\",\"maxReceiveCount\":%" PRIu32 "}", arn,
                        view->settings.dead_after);
}

static bool write_attribute(const struct sqs_call *call, const struct attribute *attribute,
                            const struct queue_view *view, struct sqs_writer *writer,
                            struct sqs_fault *fault) {
    char digits[24];
    const char *value = digits;
    if (attribute->get != NULL) {
        snprintf(digits, sizeof digits, "%" PRIi64, attribute->get(view));
    } else if (attribute->kind == ATTRIBUTE_ARN) {
        value = sqs_queue_arn(call, view->name);
    } else if (attribute->kind == ATTRIBUTE_REDRIVE && view->settings.dead_queue.count > 0) {
        value = redrive_text(call, view);
    } else {
        return true; /* this queue has none */
    }
    if (value == NULL) return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    writer->protocol->map_text(writer, SLICE("Attribute"), slice_from_string(attribute->name),
                               slice_from_string(value));
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
