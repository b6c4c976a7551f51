/* SPDX-License-Identifier: Apache-2.0 */
/* message.c -- the rules for one message, and its way into the broker's form. */
#include "sqs/message.h"

#include "base/hash.h"

#include <inttypes.h>

#define ATTRIBUTE_NAME_BYTES_MAX 256u
#define ATTRIBUTE_TYPE_BYTES_MAX 256u

#define EACH_BYTE(byte) ((byte)*0x0101010101010101u)

/* Eight bytes at once: none below a space, and none that begins U+FFFE or U+FFFF. */
static bool is_plain_word(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    uint64_t other = word ^ EACH_BYTE(0xEFu);
    uint64_t is_control = (word - EACH_BYTE(0x20u)) & ~word;
    uint64_t is_begin = (other - EACH_BYTE(0x01u)) & ~other;
    return ((is_control | is_begin) & EACH_BYTE(0x80u)) == 0;
}

/* XML 1.0: no control characters but tab, line feed and carriage return; not U+FFFE and U+FFFF. */
bool sqs_message_has_valid_characters(struct slice text) {
    const unsigned char *bytes = (const unsigned char *)text.bytes;
    for (size_t i = 0; i < text.count; i++) {
        while (text.count - i >= 8 && is_plain_word(text.bytes + i)) i += 8;
        if (i == text.count) break;
        unsigned char byte = bytes[i];
        if (byte >= 0x20 && byte != 0xEF) continue;
        if (byte == '\t' || byte == '\n' || byte == '\r') continue;
        if (byte < 0x20) return false;
        if (i + 2 < text.count && bytes[i + 1] == 0xBF && bytes[i + 2] >= 0xBE) return false;
    }
    return true;
}

static struct slice value_of(const struct sqs_attribute *attribute) {
    return attribute->bytes.bytes != NULL ? attribute->bytes : attribute->text;
}

uint64_t sqs_message_counted_bytes(const struct message_input *input) {
    uint64_t count = input->text.count;
    for (uint32_t i = 0; i < input->attributes.count; i++) {
        const struct sqs_attribute *attribute = &input->attributes.items[i];
        count += attribute->name.count + attribute->type.count + value_of(attribute).count;
    }
    return count;
}

static bool fail_attribute(struct slice name, const char *reason, struct sqs_fault *fault) {
    struct slice excerpt = sqs_excerpt(name);
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE, "The message attribute '%.*s' %s",
                    SLICE_ARGS(excerpt), reason);
}

static bool fail_characters(struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_MESSAGE_CONTENTS,
                    "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 "
                    "to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF");
}

static bool check_attribute_name(struct slice name, struct sqs_fault *fault) {
    if (name.count == 0 || name.count > ATTRIBUTE_NAME_BYTES_MAX)
        return fail_attribute(name, "must have a name of 1 to 256 characters.", fault);
    for (size_t i = 0; i < name.count; i++) {
        char c = name.bytes[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
        if (!is_good) {
            return fail_attribute(name,
                                  "has a name with other characters than A-Z, a-z, 0-9, "
                                  "underscore, hyphen and period.",
                                  fault);
        }
    }
    if (name.bytes[0] == '.' || name.bytes[name.count - 1] == '.' ||
        memmem(name.bytes, name.count, "..", 2) != NULL) {
        return fail_attribute(
            name, "has a name that begins or ends with a period, or has two in a row.", fault);
    }
    struct slice aws = slice_from(name.bytes, name.count < 4 ? name.count : 4);
    struct slice amazon = slice_from(name.bytes, name.count < 7 ? name.count : 7);
    if (slice_equal_ignore_case(aws, SLICE("AWS.")) ||
        slice_equal_ignore_case(amazon, SLICE("Amazon.")))
        return fail_attribute(name, "has a name that begins with AWS. or Amazon.", fault);
    return true;
}

/* A sign, digits with at most one point, an exponent: what a Number may be. */
static bool is_number(struct slice text) {
    text = slice_trim(text);
    size_t i = 0;
    size_t digits = 0;
    if (i < text.count && (text.bytes[i] == '-' || text.bytes[i] == '+')) i++;
    bool has_point = false;
    for (; i < text.count; i++) {
        if (text.bytes[i] >= '0' && text.bytes[i] <= '9') {
            digits++;
        } else if (text.bytes[i] == '.' && !has_point) {
            has_point = true;
        } else {
            break;
        }
    }
    if (digits == 0) return false;
    if (i == text.count) return true;
    int64_t exponent;
    struct slice rest = slice_skip(text, i + 1);
    if (slice_starts_with(rest, SLICE("+"))) rest = slice_skip(rest, 1);
    return (text.bytes[i] == 'e' || text.bytes[i] == 'E') &&
           slice_to_i64(rest, -400, 400, &exponent);
}

/* "String", or "String." and a label of the sender's own. */
static bool is_type(struct slice type, struct slice base) {
    if (!slice_starts_with(type, base)) return false;
    return type.count == base.count || type.bytes[base.count] == '.';
}

static bool check_attribute_value(const struct sqs_attribute *attribute, struct sqs_fault *fault) {
    struct slice name = attribute->name;
    bool is_binary = is_type(attribute->type, SLICE("Binary"));
    bool is_numeric = is_type(attribute->type, SLICE("Number"));
    if (attribute->type.count == 0)
        return fail_attribute(name, "must contain a non-empty message attribute type.", fault);
    if (attribute->has_lists) {
        return sqs_fail(fault, SQS_ERROR_UNSUPPORTED_OPERATION,
                        "Message attribute list values in SendMessage operation are not "
                        "supported.");
    }
    if (!is_binary && !is_numeric && !is_type(attribute->type, SLICE("String"))) {
        return fail_attribute(name,
                              "has an invalid message attribute type, the set of supported type "
                              "prefixes is Binary, Number, and String.",
                              fault);
    }
    if (attribute->type.count > ATTRIBUTE_TYPE_BYTES_MAX)
        return fail_attribute(name, "has a type of more than 256 characters.", fault);
    if (!sqs_message_has_valid_characters(attribute->type) ||
        !sqs_message_has_valid_characters(attribute->text))
        return fail_characters(fault);
    struct slice value = is_binary ? attribute->bytes : attribute->text;
    struct slice other = is_binary ? attribute->text : attribute->bytes;
    if (value.count == 0 && other.bytes == NULL) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Message (user) attribute '%.*s' must contain a non-empty value of type "
                        "'%s'.",
                        SLICE_ARGS(sqs_excerpt(name)), is_binary ? "Binary" : "String");
    }
    if (value.count == 0 || other.bytes != NULL) {
        return fail_attribute(name,
                              is_binary
                                  ? "must contain a non-empty BinaryValue, and no other value."
                                  : "must contain a non-empty StringValue, and no other "
                                    "value.",
                              fault);
    }
    if (is_numeric && !is_number(value))
        return fail_attribute(name, "has a value that is not a number.", fault);
    return true;
}

static bool check_attributes(const struct sqs_attributes *attributes, struct sqs_fault *fault) {
    if (attributes->count > MESSAGE_ATTRIBUTES_MAX) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Number of message attributes [%" PRIu32 "] exceeds the allowed maximum "
                        "[%u].",
                        attributes->count, MESSAGE_ATTRIBUTES_MAX);
    }
    for (uint32_t i = 0; i < attributes->count; i++) {
        if (!check_attribute_name(attributes->items[i].name, fault)) return false;
        if (!check_attribute_value(&attributes->items[i], fault)) return false;
        for (uint32_t k = 0; k < i; k++) {
            if (slice_equal(attributes->items[i].name, attributes->items[k].name))
                return fail_attribute(attributes->items[i].name, "comes twice.", fault);
        }
    }
    return true;
}

static bool check_system_attributes(const struct sqs_attributes *attributes,
                                    struct sqs_fault *fault) {
    for (uint32_t i = 0; i < attributes->count; i++) {
        const struct sqs_attribute *attribute = &attributes->items[i];
        struct slice excerpt = sqs_excerpt(attribute->name);
        if (!slice_equal(attribute->name, SLICE("AWSTraceHeader")) || i > 0) {
            return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                            "Message system attribute name '%.*s' is not valid: there is only "
                            "AWSTraceHeader, once.",
                            SLICE_ARGS(excerpt));
        }
        if (!slice_equal(attribute->type, SLICE("String"))) {
            return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                            "The message system attribute 'AWSTraceHeader' must be of type "
                            "String.");
        }
        if (!check_attribute_value(attribute, fault)) return false;
    }
    return true;
}

static bool fail_not_built(const char *parameter, struct slice value, struct sqs_fault *fault) {
    struct slice excerpt = sqs_excerpt(value);
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Value %.*s for parameter %s is invalid. Reason: Message groups, fair queues "
                    "and FIFO queues are not built yet in takt.",
                    SLICE_ARGS(excerpt), parameter);
}

static bool check_message(const struct message_input *input, enum sqs_error missing,
                          struct sqs_fault *fault) {
    if (input->text.count == 0)
        return sqs_fail(fault, missing, "The request must contain the parameter MessageBody.");
    if (input->group_id.bytes != NULL)
        return fail_not_built("MessageGroupId", input->group_id, fault);
    if (input->deduplication_id.bytes != NULL)
        return fail_not_built("MessageDeduplicationId", input->deduplication_id, fault);
    if (!sqs_check_range(&input->delay_seconds, "DelaySeconds", 0, 900,
                         "DelaySeconds must be >= 0 and <= 900.", fault))
        return false;
    if (!sqs_message_has_valid_characters(input->text)) return fail_characters(fault);
    if (!check_attributes(&input->attributes, fault) ||
        !check_system_attributes(&input->system_attributes, fault))
        return false;
    if (sqs_message_counted_bytes(input) > SQS_MESSAGE_BYTES_MAX) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "One or more parameters are invalid. Reason: Message must be shorter than "
                        "%u bytes.",
                        SQS_MESSAGE_BYTES_MAX);
    }
    return true;
}

static void copy_attributes(const struct sqs_attributes *from, struct message_attribute *to) {
    for (uint32_t i = 0; i < from->count; i++) {
        to[i] = (struct message_attribute){.name = from->items[i].name,
                                           .type = from->items[i].type,
                                           .value = value_of(&from->items[i])};
    }
}

bool sqs_message_make(struct sqs *sqs, const struct message_input *input, enum sqs_error missing,
                      struct buffer *out, struct message_sums *sums, struct sqs_fault *fault) {
    if (!check_message(input, missing, fault)) return false;
    struct message_body body = {.text = input->text, .has_md5 = true};
    body.attributes_count = input->attributes.count;
    copy_attributes(&input->attributes, body.attributes);
    sqs_message_md5(sqs, input->text, body.md5_text);
    *sums = (struct message_sums){.has_attributes = body.attributes_count > 0,
                                  .has_system_attributes = input->system_attributes.count > 0};
    if (sums->has_attributes)
        sqs_message_md5_attributes(sqs, body.attributes, body.attributes_count,
                                   body.md5_attributes);
    if (sums->has_system_attributes) {
        struct message_attribute trace;
        copy_attributes(&input->system_attributes, &trace);
        body.trace_header = trace.value;
        sqs_message_md5_attributes(sqs, &trace, 1, sums->system_attributes);
    }
    memcpy(sums->text, body.md5_text, sizeof sums->text);
    memcpy(sums->attributes, body.md5_attributes, sizeof sums->attributes);
    message_body_encode(out, &body);
    if (out->failed) return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    return true;
}

static void write_md5(struct sqs_writer *writer, struct slice name, const uint8_t md5[16]) {
    char text[32];
    hex_write(md5, 16, text);
    writer->protocol->text(writer, name, slice_from(text, sizeof text));
}

struct command_send_entry sqs_message_entry(const struct message_input *input) {
    return (struct command_send_entry){
        .counted_bytes = (uint32_t)sqs_message_counted_bytes(input),
        .delay_ms = input->delay_seconds.is_given ? input->delay_seconds.value * 1000 : -1,
    };
}

void sqs_message_write_sums(struct sqs_writer *writer, const struct message_sums *sums) {
    write_md5(writer, SLICE("MD5OfMessageBody"), sums->text);
    if (sums->has_attributes) write_md5(writer, SLICE("MD5OfMessageAttributes"), sums->attributes);
    if (sums->has_system_attributes)
        write_md5(writer, SLICE("MD5OfMessageSystemAttributes"), sums->system_attributes);
}

bool sqs_message_fail_too_large(const struct sqs *sqs, struct slice queue,
                                struct sqs_fault *fault) {
    struct queue_view view;
    uint32_t bytes_max = SQS_MESSAGE_BYTES_MAX;
    if (broker_find_queue(shard_broker(sqs->shard), queue, &view))
        bytes_max = view.settings.message_bytes_max;
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "One or more parameters are invalid. Reason: Message must be shorter than "
                    "%" PRIu32 " bytes.",
                    bytes_max);
}
