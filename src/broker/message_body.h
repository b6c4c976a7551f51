/* SPDX-License-Identifier: Apache-2.0 */
/* message_body.h -- what lies in the journal as one message's body: the text and what was sent
 * with it. */
#ifndef TAKT_BROKER_MESSAGE_BODY_H
#define TAKT_BROKER_MESSAGE_BODY_H

#include "base/buffer.h"
#include "base/check.h"

#define MESSAGE_ATTRIBUTES_MAX 10u

struct message_attribute {
    struct slice name;
    struct slice type;  /* "String", "Number.int", "Binary", … */
    struct slice value; /* bytes; Binary is decoded */
};

struct message_body {
    struct slice text;
    struct message_attribute attributes[MESSAGE_ATTRIBUTES_MAX]; /* in the order they came */
    uint32_t attributes_count;
    struct slice trace_header; /* AWSTraceHeader; empty: none */
    bool has_md5;              /* false for what stations hand on: computed when asked for */
    uint8_t md5_text[16];
    uint8_t md5_attributes[16]; /* all zero if there are none */
};

/* Format: u8 version 1, u8 flags, md5s if flagged, trace header, attributes, then the text to the
 * end. */
void message_body_encode(struct buffer *out, const struct message_body *body);
/* Slices point into `bytes`. -EBADMSG if it is not one. */
TAKT_MUST_USE int message_body_decode(struct slice bytes, struct message_body *out);
/* Only the text: cheap. */
TAKT_MUST_USE int message_body_text(struct slice bytes, struct slice *out);

#endif
