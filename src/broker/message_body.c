/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/message_body.h"

#include "base/codec.h"

#include <errno.h>

#define VERSION 1u

enum { HAS_MD5 = 1, HAS_MORE = 2 }; /* HAS_MORE: a trace header or attributes */

void message_body_encode(struct buffer *out, const struct message_body *body) {
    CHECK(body->attributes_count <= MESSAGE_ATTRIBUTES_MAX);
    bool has_more = body->trace_header.count > 0 || body->attributes_count > 0;
    encode_u8(out, VERSION);
    encode_u8(out, (uint8_t)((body->has_md5 ? HAS_MD5 : 0u) | (has_more ? HAS_MORE : 0u)));
    if (body->has_md5) {
        buffer_append(out, slice_from(body->md5_text, sizeof body->md5_text));
        buffer_append(out, slice_from(body->md5_attributes, sizeof body->md5_attributes));
    }
    if (has_more) {
        encode_slice(out, body->trace_header);
        encode_u8(out, (uint8_t)body->attributes_count);
        for (uint32_t i = 0; i < body->attributes_count; i++) {
            encode_slice(out, body->attributes[i].name);
            encode_slice(out, body->attributes[i].type);
            encode_slice(out, body->attributes[i].value);
        }
    }
    buffer_append(out, body->text);
}

static void decode_attributes(struct decoder *in, struct message_body *out) {
    out->trace_header = decode_slice(in);
    out->attributes_count = decode_u8(in);
    if (out->attributes_count > MESSAGE_ATTRIBUTES_MAX) {
        in->failed = true;
        out->attributes_count = 0;
    }
    for (uint32_t i = 0; i < out->attributes_count; i++) {
        out->attributes[i].name = decode_slice(in);
        out->attributes[i].type = decode_slice(in);
        out->attributes[i].value = decode_slice(in);
    }
}

int message_body_decode(struct slice bytes, struct message_body *out) {
    struct decoder in = {.rest = bytes};
    *out = (struct message_body){0};
    uint8_t version = decode_u8(&in);
    uint8_t flags = decode_u8(&in);
    if (in.failed || version != VERSION || (flags & ~(HAS_MD5 | HAS_MORE)) != 0) return -EBADMSG;
    out->has_md5 = (flags & HAS_MD5) != 0;
    if (out->has_md5) {
        struct slice text = decode_bytes(&in, sizeof out->md5_text);
        struct slice attributes = decode_bytes(&in, sizeof out->md5_attributes);
        if (in.failed) return -EBADMSG;
        memcpy(out->md5_text, text.bytes, sizeof out->md5_text);
        memcpy(out->md5_attributes, attributes.bytes, sizeof out->md5_attributes);
    }
    if (flags & HAS_MORE) decode_attributes(&in, out);
    out->text = in.rest;
    return in.failed ? -EBADMSG : 0;
}

int message_body_text(struct slice bytes, struct slice *out) {
    struct message_body body;
    int result = message_body_decode(bytes, &body);
    *out = body.text;
    return result;
}
