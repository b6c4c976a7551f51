/* SPDX-License-Identifier: Apache-2.0 */
/* query_form.c -- application/x-www-form-urlencoded: names and values, decoded at once into one
 * piece of memory, which is at most as long as what came. */
#include "sqs/query_protocol.h"

/* 0 to 15, or -1. */
static int hex_digit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

/* How many bytes of `out` it takes; SIZE_MAX: a broken sequence. */
static size_t decode(struct slice text, char *out) {
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) {
        char c = text.bytes[i];
        if (c == '%') {
            int high = text.count - i < 3 ? -1 : hex_digit(text.bytes[i + 1]);
            int low = text.count - i < 3 ? -1 : hex_digit(text.bytes[i + 2]);
            if (high < 0 || low < 0) return SIZE_MAX;
            out[count++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[count++] = c == '+' ? ' ' : c;
        }
    }
    return count;
}

static bool fail_encoding(struct slice raw_name, struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_QUERY_STRING,
                    "The parameter %.*s is not percent-encoded as a form's are.",
                    SLICE_ARGS(sqs_excerpt(raw_name)));
}

/* `memory` has room for as many bytes as `pair` has; what was used of it is given back in *used. */
static bool read_pair(struct slice pair, char *memory, struct query_param *out, size_t *used,
                      struct sqs_fault *fault) {
    struct slice raw_name;
    struct slice raw_value;
    (void)slice_cut(pair, '=', &raw_name, &raw_value);
    size_t name_count = decode(raw_name, memory);
    if (name_count == SIZE_MAX) return fail_encoding(raw_name, fault);
    out->name = slice_from(memory, name_count);
    char *value = memory + name_count;
    size_t value_count = decode(raw_value, value);
    if (value_count == SIZE_MAX) return fail_encoding(raw_name, fault);
    out->value = slice_from(value, value_count);
    if (!slice_is_utf8(out->name) || !slice_is_utf8(out->value)) {
        return sqs_fail(fault, SQS_ERROR_QUERY_STRING, "The parameter %.*s is not UTF-8.",
                        SLICE_ARGS(sqs_excerpt(raw_name)));
    }
    *used = name_count + value_count;
    return true;
}

static uint32_t count_pairs(struct slice text) {
    uint32_t count = text.count > 0;
    for (size_t i = 0; i < text.count; i++) count += text.bytes[i] == '&';
    return count;
}

static bool read_pairs(struct slice text, char *memory, struct query_form *out,
                       struct sqs_fault *fault) {
    size_t at = 0;
    while (text.count > 0) {
        struct slice pair;
        size_t used = 0;
        (void)slice_cut(text, '&', &pair, &text);
        if (pair.count == 0) continue;
        if (!read_pair(pair, memory + at, &out->params[out->count], &used, fault)) return false;
        out->count++;
        at += used;
    }
    return true;
}

bool query_form_read(const struct http_request *request, struct query_form *out,
                     struct sqs_fault *fault) {
    bool is_form = slice_equal_ignore_case(sqs_content_type(request),
                                           SLICE("application/x-www-form-urlencoded"));
    struct slice body = is_form ? request->body : SLICE_EMPTY;
    uint32_t pairs_count = count_pairs(request->query) + count_pairs(body);
    if (pairs_count > QUERY_PARAMS_MAX) {
        return sqs_fail(fault, SQS_ERROR_QUERY_STRING, "The request has more than %u parameters.",
                        QUERY_PARAMS_MAX);
    }
    *out = (struct query_form){0};
    out->params = arena_take_array(request->arena, (size_t)pairs_count + 1, sizeof *out->params);
    char *memory = arena_take(request->arena, request->query.count + body.count + 1);
    if (out->params == NULL || memory == NULL)
        return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    return read_pairs(request->query, memory, out, fault) &&
           read_pairs(body, memory + request->query.count, out, fault);
}
