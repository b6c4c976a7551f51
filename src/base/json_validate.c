/* SPDX-License-Identifier: Apache-2.0 */
/* json_validate.c -- one pass over the text, one step a token.
 *
 * The state says what may come next; a bit for each open container says whether it is an object.
 *
 *               scan_value                    scan_after
 *   WANT_VALUE ------------> AFTER_VALUE ------------------> DONE (no container is open)
 *     ^   | [                  ^    | ,  in an array:  WANT_VALUE
 *     |   v                    |    |    in an object: WANT_NAME
 *     |  WANT_FIRST_VALUE ---->|    v ] }
 *     |                  ]     |<---'
 *     |   { WANT_FIRST_NAME -->|
 *     |                  }
 *     '---- scan_name (name and colon)
 */
#include "base/json.h"
#include "base/json_scan.h"

enum state {
    WANT_VALUE,
    WANT_FIRST_VALUE, /* or the end of the array */
    WANT_NAME,
    WANT_FIRST_NAME, /* or the end of the object */
    AFTER_VALUE,
    DONE,
    FAILED,
};

struct scan {
    const unsigned char *at;
    const unsigned char *end;
    const char *message;
    unsigned depth;
    uint64_t objects[JSON_DEPTH_MAX / 64];
};

_Static_assert(JSON_DEPTH_MAX % 64 == 0, "a bit for each open container");

/* Leaves `at` where the error is. */
static enum state fail(struct scan *scan, const char *message) {
    scan->message = scan->at == scan->end ? "unexpected end of the text" : message;
    return FAILED;
}

static void skip_space(struct scan *scan) {
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t')) {
        scan->at++;
    }
}

static bool next_is(const struct scan *scan, char byte) {
    return scan->at < scan->end && *scan->at == (unsigned char)byte;
}

static bool next_is_digit(const struct scan *scan) {
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

/* Four hexadecimal digits. */
static bool scan_unit(struct scan *scan, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        unsigned char byte = scan->at < scan->end ? *scan->at : 0;
        unsigned char letter = byte | 0x20;
        uint32_t digit;
        if (byte >= '0' && byte <= '9') {
            digit = (uint32_t)byte - '0';
        } else if (letter >= 'a' && letter <= 'f') {
            digit = (uint32_t)letter - 'a' + 10;
        } else {
            fail(scan, "invalid digit in a \\u escape");
            return false;
        }
        *unit = *unit << 4 | digit;
    }
    return true;
}

static bool scan_unicode_escape(struct scan *scan, const unsigned char *escape) {
    uint32_t unit;
    if (!scan_unit(scan, &unit)) return false;
    if (unit < 0xD800 || unit > 0xDFFF) return true;

    bool paired = false;
    if (unit <= 0xDBFF) { /* the first half of a pair */
        if (scan->at == scan->end) {
            fail(scan, "");
            return false;
        }
        if (scan->end - scan->at >= 2 && scan->at[0] == '\\' && scan->at[1] == 'u') {
            scan->at += 2;
            if (!scan_unit(scan, &unit)) return false;
            paired = unit >= 0xDC00 && unit <= 0xDFFF;
        }
    }
    if (paired) return true;
    scan->at = escape;
    fail(scan, "lone surrogate in a string");
    return false;
}

/* From the backslash on. */
static bool scan_escape(struct scan *scan) {
    const unsigned char *escape = scan->at++;
    unsigned char byte = scan->at < scan->end ? *scan->at : 0;
    switch (byte) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': scan->at++; return true;
    case 'u': scan->at++; return scan_unicode_escape(scan, escape);
    default: fail(scan, "invalid escape in a string"); return false;
    }
}

static bool scan_characters(struct scan *scan) {
    while (scan->at < scan->end && *scan->at >= 0x80) {
        size_t step = slice_utf8_step(slice_from(scan->at, (size_t)(scan->end - scan->at)));
        if (step == 0) {
            fail(scan, "invalid UTF-8 in a string");
            return false;
        }
        scan->at += step;
    }
    return true;
}

/* From behind the opening quote to behind the closing one. */
static bool scan_string(struct scan *scan) {
    for (;;) {
        scan->at = json_plain_end(scan->at, scan->end);
        if (next_is(scan, '"')) {
            scan->at++;
            return true;
        }
        if (next_is(scan, '\\')) {
            if (!scan_escape(scan)) return false;
        } else if (scan->at < scan->end && *scan->at >= 0x80) {
            if (!scan_characters(scan)) return false;
        } else {
            fail(scan, "control character in a string");
            return false;
        }
    }
}

static bool scan_digits(struct scan *scan) {
    if (!next_is_digit(scan)) {
        fail(scan, "a digit is missing");
        return false;
    }
    while (next_is_digit(scan)) {
        scan->at++;
    }
    return true;
}

static enum state scan_number(struct scan *scan) {
    if (next_is(scan, '-')) scan->at++;
    if (next_is(scan, '0')) {
        scan->at++;
        if (next_is_digit(scan)) return fail(scan, "a number with a leading zero");
    } else if (!scan_digits(scan)) {
        return FAILED;
    }
    if (next_is(scan, '.')) {
        scan->at++;
        if (!scan_digits(scan)) return FAILED;
    }
    if (next_is(scan, 'e') || next_is(scan, 'E')) {
        scan->at++;
        if (next_is(scan, '+') || next_is(scan, '-')) scan->at++;
        if (!scan_digits(scan)) return FAILED;
    }
    return AFTER_VALUE;
}

static enum state scan_word(struct scan *scan, const char *word) {
    for (; *word != '\0'; word++, scan->at++) {
        if (!next_is(scan, *word)) return fail(scan, "unknown word");
    }
    return AFTER_VALUE;
}

static enum state open_container(struct scan *scan, bool is_object) {
    if (scan->depth == JSON_DEPTH_MAX) return fail(scan, "nested too deeply");
    uint64_t bit = (uint64_t)1 << (scan->depth % 64);
    uint64_t *word = &scan->objects[scan->depth / 64];
    *word = is_object ? *word | bit : *word & ~bit;
    scan->depth++;
    scan->at++;
    return is_object ? WANT_FIRST_NAME : WANT_FIRST_VALUE;
}

static enum state close_container(struct scan *scan) {
    scan->depth--;
    scan->at++;
    return AFTER_VALUE;
}

static enum state scan_value(struct scan *scan) {
    switch (*scan->at) {
    case '{': return open_container(scan, true);
    case '[': return open_container(scan, false);
    case '"': scan->at++; return scan_string(scan) ? AFTER_VALUE : FAILED;
    case 't': return scan_word(scan, "true");
    case 'f': return scan_word(scan, "false");
    case 'n': return scan_word(scan, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return scan_number(scan);
    default: return fail(scan, "a value is missing");
    }
}

static enum state scan_name(struct scan *scan) {
    if (!next_is(scan, '"')) return fail(scan, "a member name is missing");
    scan->at++;
    if (!scan_string(scan)) return FAILED;
    skip_space(scan);
    if (!next_is(scan, ':')) return fail(scan, "a colon is missing");
    scan->at++;
    return WANT_VALUE;
}

static enum state scan_after(struct scan *scan) {
    if (scan->depth == 0) return fail(scan, "text after the value");
    unsigned top = scan->depth - 1;
    bool in_object = (scan->objects[top / 64] >> (top % 64) & 1) != 0;
    if (next_is(scan, ',')) {
        scan->at++;
        return in_object ? WANT_NAME : WANT_VALUE;
    }
    if (next_is(scan, in_object ? '}' : ']')) return close_container(scan);
    return fail(scan, in_object ? "a comma or a closing brace is missing"
                                : "a comma or a closing bracket is missing");
}

/* White space has been skipped. */
static enum state scan_token(struct scan *scan, enum state state) {
    if (scan->at == scan->end) {
        return state == AFTER_VALUE && scan->depth == 0 ? DONE : fail(scan, "");
    }
    switch (state) {
    case WANT_FIRST_VALUE: return next_is(scan, ']') ? close_container(scan) : scan_value(scan);
    case WANT_VALUE: return scan_value(scan);
    case WANT_FIRST_NAME: return next_is(scan, '}') ? close_container(scan) : scan_name(scan);
    case WANT_NAME: return scan_name(scan);
    case AFTER_VALUE: return scan_after(scan);
    case DONE:
    case FAILED: break;
    }
    CHECK_UNREACHABLE();
}

bool json_validate(struct slice text, struct json_error *error) {
    const unsigned char *start = (const unsigned char *)(text.count == 0 ? "" : text.bytes);
    struct scan scan = {.at = start, .end = start + text.count};
    enum state state = WANT_VALUE;
    while (state != DONE && state != FAILED) {
        skip_space(&scan);
        state = scan_token(&scan, state);
    }
    if (state == DONE) return true;
    if (error != NULL) {
        *error = (struct json_error){.offset = (size_t)(scan.at - start), .message = scan.message};
    }
    return false;
}
