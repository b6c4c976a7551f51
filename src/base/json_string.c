/* SPDX-License-Identifier: Apache-2.0 */
/* json_string.c -- the text of JSON strings: read in pieces, compared and written. */
#include "base/json.h"
#include "base/json_scan.h"

/* What is between the quotes. False if raw is no string. */
static bool inside(struct slice raw, struct slice *out) {
    raw = json_trim(raw);
    if (raw.count < 2 || raw.bytes[0] != '"') return false;
    *out = slice_from(raw.bytes + 1, raw.count - 2);
    return true;
}

static bool has_escapes(struct slice text) {
    return text.count > 0 && memchr(text.bytes, '\\', text.count) != NULL;
}

static uint32_t read_unit(const char *digits) {
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char byte = (unsigned char)digits[i];
        unit = unit << 4 | ((byte & 0x0Fu) + (byte >> 6) * 9u); /* a letter has bit 6 set */
    }
    return unit;
}

static size_t write_utf8(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t count = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = count - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)((0xF00u >> count & 0xFF) | code);
    return count;
}

/* The bytes of the escape at the start of text. */
struct escape {
    size_t raw_count;
    size_t count;
    char bytes[4];
};

static struct escape read_escape(struct slice text) {
    static const char names[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    struct escape escape = {.raw_count = 2, .count = 1};
    if (text.count < 2) return (struct escape){.raw_count = text.count}; /* never in a valid text */
    char name = text.bytes[1];
    if (name != 'u') {
        const char *found = memchr(names, name, sizeof names - 1);
        escape.bytes[0] = found == NULL ? name : meanings[found - names];
        return escape;
    }
    if (text.count < 6) return (struct escape){.raw_count = text.count};
    uint32_t code = read_unit(text.bytes + 2);
    escape.raw_count = 6;
    if (code >= 0xD800 && code <= 0xDBFF && text.count >= 12) {
        uint32_t low = read_unit(text.bytes + 8);
        code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
        escape.raw_count = 12;
    }
    escape.count = write_utf8(code, escape.bytes);
    return escape;
}

/* Hands out a text in pieces that need no more resolving. */
struct pieces {
    struct slice rest;
    struct escape escape; /* what the piece points to if it was one */
};

static struct slice next_piece(struct pieces *pieces) {
    struct slice rest = pieces->rest;
    const char *backslash = rest.count == 0 ? NULL : memchr(rest.bytes, '\\', rest.count);
    size_t plain_count = backslash == NULL ? rest.count : (size_t)(backslash - rest.bytes);
    if (plain_count > 0 || rest.count == 0) {
        pieces->rest = slice_skip(rest, plain_count);
        return slice_from(rest.bytes, plain_count);
    }
    pieces->escape = read_escape(rest);
    pieces->rest = slice_skip(rest, pieces->escape.raw_count);
    return slice_from(pieces->escape.bytes, pieces->escape.count);
}

bool json_string(struct arena *arena, struct slice raw, struct slice *out) {
    struct slice text;
    if (!inside(raw, &text)) return false;
    if (!has_escapes(text)) {
        *out = text;
        return true;
    }
    char *bytes = arena_take(arena, text.count); /* no escape is shorter than its meaning */
    if (bytes == NULL) return false;
    size_t count = 0;
    struct pieces pieces = {.rest = text};
    while (pieces.rest.count > 0) {
        struct slice piece = next_piece(&pieces);
        memcpy(bytes + count, piece.bytes, piece.count);
        count += piece.count;
    }
    *out = slice_from(bytes, count);
    return true;
}

/* Both as they stand between the quotes, with or without escapes. */
static bool same_text(struct pieces *a, struct pieces *b) {
    struct slice left = next_piece(a);
    struct slice right = next_piece(b);
    for (;;) {
        size_t common = left.count < right.count ? left.count : right.count;
        if (common == 0) return left.count == right.count; /* one has ended */
        if (memcmp(left.bytes, right.bytes, common) != 0) return false;
        left = slice_skip(left, common);
        right = slice_skip(right, common);
        if (left.count == 0) left = next_piece(a);
        if (right.count == 0) right = next_piece(b);
    }
}

bool json_string_equal(struct slice raw, struct slice text) {
    struct slice left;
    if (!inside(raw, &left)) return false;
    if (!has_escapes(left)) return slice_equal(left, text);
    struct pieces pieces = {.rest = left};
    while (pieces.rest.count > 0) {
        struct slice piece = next_piece(&pieces);
        if (!slice_starts_with(text, piece)) return false;
        text = slice_skip(text, piece.count);
    }
    return text.count == 0;
}

static bool strings_equal(struct slice a, struct slice b) {
    struct slice left, right;
    if (!inside(a, &left) || !inside(b, &right)) return false;
    if (!has_escapes(left) && !has_escapes(right)) return slice_equal(left, right);
    struct pieces left_pieces = {.rest = left};
    struct pieces right_pieces = {.rest = right};
    return same_text(&left_pieces, &right_pieces);
}

static bool numbers_equal(struct slice a, struct slice b) {
    double left, right;
    bool left_fits = json_to_double(a, &left);
    bool right_fits = json_to_double(b, &right);
    if (left_fits && right_fits) return left == right;
    if (left_fits || right_fits) return false;
    /* Both are above the largest double: infinite for jq, with the sign they have. */
    return (json_trim(a).bytes[0] == '-') == (json_trim(b).bytes[0] == '-');
}

bool json_scalar_equal(struct slice a, struct slice b) {
    enum json_type type_a = json_type(a);
    enum json_type type_b = json_type(b);
    if (type_a == JSON_NONE) type_a = JSON_NULL;
    if (type_b == JSON_NONE) type_b = JSON_NULL;
    if (type_a != type_b) return false;
    switch (type_a) {
    case JSON_NONE:
    case JSON_NULL:
    case JSON_FALSE:
    case JSON_TRUE: return true;
    case JSON_NUMBER: return numbers_equal(a, b);
    case JSON_STRING: return strings_equal(a, b);
    case JSON_ARRAY:
    case JSON_OBJECT: break;
    }
    return false;
}

static void write_escape(struct buffer *out, unsigned char byte) {
    switch (byte) {
    case '"': buffer_append(out, SLICE("\\\"")); break;
    case '\\': buffer_append(out, SLICE("\\\\")); break;
    case '\b': buffer_append(out, SLICE("\\b")); break;
    case '\f': buffer_append(out, SLICE("\\f")); break;
    case '\n': buffer_append(out, SLICE("\\n")); break;
    case '\r': buffer_append(out, SLICE("\\r")); break;
    case '\t': buffer_append(out, SLICE("\\t")); break;
    default: buffer_printf(out, "\\u%04x", (unsigned)byte); break;
    }
}

void json_write_string(struct buffer *out, struct slice text) {
    const unsigned char *at = (const unsigned char *)(text.count == 0 ? "" : text.bytes);
    const unsigned char *end = at + text.count;
    const unsigned char *written = at; /* up to here */
    buffer_append_byte(out, '"');
    while ((at = json_plain_end(at, end)) < end) {
        size_t step = *at < 0x80 ? 0 : slice_utf8_step(slice_from(at, (size_t)(end - at)));
        if (step > 0) { /* a good character goes with the bytes around it */
            at += step;
            continue;
        }
        buffer_append(out, slice_from(written, (size_t)(at - written)));
        if (*at < 0x80) {
            write_escape(out, *at);
        } else {
            buffer_append(out, SLICE("\xEF\xBF\xBD")); /* U+FFFD */
        }
        at++;
        written = at;
    }
    buffer_append(out, slice_from(written, (size_t)(end - written)));
    buffer_append_byte(out, '"');
}
