/* SPDX-License-Identifier: Apache-2.0 */
/* receive_write.c -- a message as its receiver sees it. */
#include "sqs/receive.h"

#include "base/hash.h"
#include "broker/receipt.h"

#include <inttypes.h>
#include <stdio.h>

/* System attributes. Those of FIFO queues are known, but no message has them yet. */
enum system_attribute {
    SYSTEM_SENDER_ID,
    SYSTEM_SENT,
    SYSTEM_RECEIVE_COUNT,
    SYSTEM_FIRST_RECEIVED,
    SYSTEM_TRACE_HEADER,
    SYSTEM_DEAD_SOURCE,
    SYSTEM_ATTRIBUTES_WRITTEN, /* the others are never there */
    SYSTEM_SEQUENCE_NUMBER = SYSTEM_ATTRIBUTES_WRITTEN,
    SYSTEM_DEDUPLICATION_ID,
    SYSTEM_GROUP_ID,
    SYSTEM_ATTRIBUTES_COUNT
};

static const char *const system_names[SYSTEM_ATTRIBUTES_COUNT] = {
    [SYSTEM_SENDER_ID] = "SenderId",
    [SYSTEM_SENT] = "SentTimestamp",
    [SYSTEM_RECEIVE_COUNT] = "ApproximateReceiveCount",
    [SYSTEM_FIRST_RECEIVED] = "ApproximateFirstReceiveTimestamp",
    [SYSTEM_TRACE_HEADER] = "AWSTraceHeader",
    [SYSTEM_SEQUENCE_NUMBER] = "SequenceNumber",
    [SYSTEM_DEDUPLICATION_ID] = "MessageDeduplicationId",
    [SYSTEM_GROUP_ID] = "MessageGroupId",
    [SYSTEM_DEAD_SOURCE] = "DeadLetterQueueSourceArn",
};

static bool is_known(struct slice name) {
    if (slice_equal(name, SLICE("All"))) return true;
    for (size_t i = 0; i < SYSTEM_ATTRIBUTES_COUNT; i++) {
        if (slice_equal_string(name, system_names[i])) return true;
    }
    return false;
}

static bool check_names(const struct sqs_texts *names, struct sqs_fault *fault) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (is_known(names->items[i])) continue;
        struct slice excerpt = sqs_excerpt(names->items[i]);
        return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_NAME, "Unknown Attribute %.*s.",
                        SLICE_ARGS(excerpt));
    }
    return true;
}

bool receive_check_names(const struct receive_input *input, struct sqs_fault *fault) {
    return check_names(&input->attribute_names, fault) &&
           check_names(&input->system_attribute_names, fault);
}

static bool has_name(const struct sqs_texts *names, const char *name) {
    for (uint32_t i = 0; i < names->count; i++) {
        if (slice_equal(names->items[i], SLICE("All")) || slice_equal_string(names->items[i], name))
            return true;
    }
    return false;
}

/* The prefix is what stands before ".*": "Hel.*" is true for "Hello" too. */
bool receive_wants_attribute(const struct sqs_texts *names, struct slice name) {
    for (uint32_t i = 0; i < names->count; i++) {
        struct slice wanted = names->items[i];
        if (slice_equal(wanted, SLICE("All")) || slice_equal(wanted, name)) return true;
        if (slice_ends_with(wanted, SLICE(".*")) &&
            slice_starts_with(name, slice_from(wanted.bytes, wanted.count - 2)))
            return true;
    }
    return false;
}

/* Empty: it is no dead letter, or its queue is gone. */
static struct slice dead_source(const struct sqs_call *call, const struct answer_message *message) {
    struct queue_view origin;
    if (message->origin == 0 ||
        !broker_find_queue_number(shard_broker(call->sqs->shard), message->origin, &origin))
        return SLICE_EMPTY;
    return slice_from_string(sqs_queue_arn(call, origin.name));
}

/* Empty: this message has none. */
static struct slice system_value(const struct sqs_call *call, enum system_attribute which,
                                 const struct answer_message *message,
                                 const struct message_body *body, char digits[24]) {
    int64_t number = 0;
    switch (which) {
    case SYSTEM_SENDER_ID: return slice_from_string(call->sqs->account);
    case SYSTEM_TRACE_HEADER: return body->trace_header;
    case SYSTEM_DEAD_SOURCE: return dead_source(call, message);
    case SYSTEM_SENT: number = message->sent.ms; break;
    case SYSTEM_RECEIVE_COUNT: number = message->receive_count; break;
    case SYSTEM_FIRST_RECEIVED: number = message->first_received.ms; break;
    default: return SLICE_EMPTY;
    }
    int count = snprintf(digits, 24, "%" PRIi64, number);
    return slice_from(digits, (size_t)count);
}

static void write_system(const struct sqs_call *call, const struct receive_input *input,
                         const struct answer_message *message, const struct message_body *body,
                         struct sqs_writer *writer) {
    const struct sqs_protocol *protocol = writer->protocol;
    bool any = false;
    for (int which = 0; which < SYSTEM_ATTRIBUTES_WRITTEN; which++) {
        const char *name = system_names[which];
        if (!has_name(&input->attribute_names, name) &&
            !has_name(&input->system_attribute_names, name))
            continue;
        char digits[24];
        struct slice value =
            system_value(call, (enum system_attribute)which, message, body, digits);
        if (value.count == 0) continue;
        if (!any) protocol->map_begin(writer, SLICE("Attributes"));
        any = true;
        protocol->map_text(writer, SLICE("Attribute"), slice_from_string(name), value);
    }
    if (any) protocol->map_end(writer);
}

static void write_md5(struct sqs_writer *writer, struct slice name, const uint8_t md5[16]) {
    char text[32];
    hex_write(md5, 16, text);
    writer->protocol->text(writer, name, slice_from(text, sizeof text));
}

static void write_attribute(const struct message_attribute *attribute, struct sqs_writer *writer) {
    static const struct slice element = {"MessageAttribute", 16};
    const struct sqs_protocol *protocol = writer->protocol;
    protocol->map_item_begin(writer, element, attribute->name);
    if (slice_starts_with(attribute->type, SLICE("Binary"))) {
        protocol->bytes(writer, SLICE("BinaryValue"), attribute->value);
    } else {
        protocol->text(writer, SLICE("StringValue"), attribute->value);
    }
    protocol->text(writer, SLICE("DataType"), attribute->type);
    protocol->map_item_end(writer, element);
}

/* The checksum is over what is given out, so a part has another one than the whole. */
static void write_attributes(struct sqs *sqs, const struct sqs_texts *names,
                             const struct message_body *body, struct sqs_writer *writer) {
    struct message_attribute wanted[MESSAGE_ATTRIBUTES_MAX];
    uint32_t count = 0;
    if (names->count == 0) return;
    for (uint32_t i = 0; i < body->attributes_count; i++) {
        if (receive_wants_attribute(names, body->attributes[i].name))
            wanted[count++] = body->attributes[i];
    }
    if (count == 0) return;
    uint8_t md5[16];
    if (body->has_md5 && count == body->attributes_count) {
        memcpy(md5, body->md5_attributes, sizeof md5);
    } else {
        sqs_message_md5_attributes(sqs, wanted, count, md5);
    }
    write_md5(writer, SLICE("MD5OfMessageAttributes"), md5);
    writer->protocol->map_begin(writer, SLICE("MessageAttributes"));
    for (uint32_t i = 0; i < count; i++) write_attribute(&wanted[i], writer);
    writer->protocol->map_end(writer);
}

void receive_write_message(const struct sqs_call *call, const struct receive_input *input,
                           const struct answer_message *message, const struct message_body *body,
                           struct sqs_writer *writer) {
    static const struct slice element = {"Message", 7};
    struct sqs *sqs = call->sqs;
    const struct sqs_protocol *protocol = writer->protocol;
    struct receipt receipt = {.number = message->message.number,
                              .slot = message->message.slot,
                              .nonce = message->nonce,
                              .queue_slot = message->queue_slot};
    char handle[RECEIPT_TEXT_BYTES];
    char id[SQS_ID_BYTES];
    uint8_t md5[16];
    receipt_write(shard_broker(sqs->shard), &receipt, handle);
    sqs_id_write(message->id, id);
    if (body->has_md5) {
        memcpy(md5, body->md5_text, sizeof md5);
    } else {
        sqs_message_md5(sqs, body->text, md5);
    }
    protocol->item_begin(writer, element);
    protocol->text(writer, SLICE("MessageId"), slice_from(id, sizeof id));
    protocol->text(writer, SLICE("ReceiptHandle"), slice_from_string(handle));
    write_md5(writer, SLICE("MD5OfBody"), md5);
    protocol->text(writer, SLICE("Body"), body->text);
    write_system(call, input, message, body, writer);
    write_attributes(sqs, &input->message_attribute_names, body, writer);
    protocol->item_end(writer, element);
}
