/* SPDX-License-Identifier: Apache-2.0 */
/* message.h -- a message as SQS takes and gives it: its rules, its checksums, its encoded body. */
#ifndef TAKT_SQS_MESSAGE_H
#define TAKT_SQS_MESSAGE_H

#include "broker/message_body.h"
#include "sqs/sqs_inside.h"

/* What SendMessage takes, and what one entry of SendMessageBatch is. */
struct message_input {
    struct slice queue_url; /* SendMessage only */
    struct slice id;        /* an entry only */
    struct slice text;
    struct slice group_id;
    struct slice deduplication_id;
    struct sqs_integer delay_seconds;
    struct sqs_attributes attributes;
    struct sqs_attributes system_attributes;
};

#define MESSAGE_INPUT_FIELDS                                                                       \
    SQS_FIELD(message_input, text, "MessageBody", SQS_TEXT),                                       \
        SQS_FIELD(message_input, delay_seconds, "DelaySeconds", SQS_INTEGER),                      \
        SQS_FIELD_LIST(message_input, attributes, "MessageAttributes", "MessageAttribute",         \
                       SQS_ATTRIBUTES),                                                            \
        SQS_FIELD_LIST(message_input, system_attributes, "MessageSystemAttributes",                \
                       "MessageSystemAttribute", SQS_ATTRIBUTES),                                  \
        SQS_FIELD(message_input, group_id, "MessageGroupId", SQS_TEXT),                            \
        SQS_FIELD(message_input, deduplication_id, "MessageDeduplicationId", SQS_TEXT)

/* What its sender is told. */
struct message_sums {
    uint8_t text[16];
    uint8_t attributes[16];
    uint8_t system_attributes[16];
    bool has_attributes;
    bool has_system_attributes;
};

/* Body and attributes as SQS counts them against the limits. */
uint64_t sqs_message_counted_bytes(const struct message_input *input);
/* Check the rules, and append the body as the broker stores it to `out`.
 * missing: which error it is when there is no body (a batch has another one). */
bool sqs_message_make(struct sqs *sqs, const struct message_input *input, enum sqs_error missing,
                      struct buffer *out, struct message_sums *sums, struct sqs_fault *fault);
/* What the broker is told of it, but for the body. */
struct command_send_entry sqs_message_entry(const struct message_input *input);
/* The members that a sender's answer has besides the id. */
void sqs_message_write_sums(struct sqs_writer *writer, const struct message_sums *sums);

/* XML 1.0 characters only; text is well-formed UTF-8. */
bool sqs_message_has_valid_characters(struct slice text);
/* "N must be shorter" for the queue's own limit, after the broker has said TOO_LARGE. */
bool sqs_message_fail_too_large(const struct sqs *sqs, struct slice queue, struct sqs_fault *fault);

/* ---- message_md5.c ---- */

void sqs_message_md5(struct sqs *sqs, struct slice bytes, uint8_t out[16]);
/* Of attributes as SQS defines it: sorted by name, each of name, type and value with its length. */
void sqs_message_md5_attributes(struct sqs *sqs, const struct message_attribute *attributes,
                                uint32_t count, uint8_t out[16]);

#endif
