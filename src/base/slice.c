/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

static unsigned char lower(char byte) {
    unsigned char value = (unsigned char)byte;
    return value >= 'A' && value <= 'Z' ? (unsigned char)(value + ('a' - 'A')) : value;
}

bool slice_equal_ignore_case(struct slice a, struct slice b) {
    if (a.count != b.count) return false;
    for (size_t i = 0; i < a.count; i++) {
        if (lower(a.bytes[i]) != lower(b.bytes[i])) return false;
    }
    return true;
}

bool slice_starts_with(struct slice slice, struct slice prefix) {
    if (prefix.count > slice.count) return false;
    return slice_equal(slice_from(slice.bytes, prefix.count), prefix);
}

bool slice_ends_with(struct slice slice, struct slice suffix) {
    if (suffix.count > slice.count) return false;
    return slice_equal(slice_skip(slice, slice.count - suffix.count), suffix);
}

int slice_compare(struct slice a, struct slice b) {
    size_t common = a.count < b.count ? a.count : b.count;
    int order = common == 0 ? 0 : memcmp(a.bytes, b.bytes, common);
    if (order != 0) return order;
    return (a.count > b.count) - (a.count < b.count);
}

struct slice slice_skip(struct slice slice, size_t count) {
    if (count == 0) return slice; /* bytes may be NULL: nothing is to be added to it */
    if (count > slice.count) count = slice.count;
    return slice_from(slice.count == 0 ? slice.bytes : slice.bytes + count, slice.count - count);
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct slice slice_trim(struct slice slice) {
    while (slice.count > 0 && is_space(slice.bytes[0])) {
        slice = slice_skip(slice, 1);
    }
    while (slice.count > 0 && is_space(slice.bytes[slice.count - 1])) {
        slice.count--;
    }
    return slice;
}

bool slice_cut(struct slice slice, char separator, struct slice *head, struct slice *tail) {
    const char *found = slice.count == 0 ? NULL : memchr(slice.bytes, separator, slice.count);
    if (found == NULL) {
        *head = slice;
        *tail = SLICE_EMPTY;
        return false;
    }
    size_t head_count = (size_t)(found - slice.bytes);
    *head = slice_from(slice.bytes, head_count);
    *tail = slice_skip(slice, head_count + 1);
    return true;
}

bool slice_to_u64(struct slice slice, uint64_t max, uint64_t *out) {
    if (slice.count == 0) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < slice.count; i++) {
        unsigned digit = (unsigned)(unsigned char)slice.bytes[i] - '0';
        if (digit > 9) return false;
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (value > max) return false;
    *out = value;
    return true;
}

bool slice_to_i64(struct slice slice, int64_t min, int64_t max, int64_t *out) {
    bool negative = slice.count > 0 && slice.bytes[0] == '-';
    if (negative) slice = slice_skip(slice, 1);
    uint64_t magnitude;
    uint64_t magnitude_max = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    if (!slice_to_u64(slice, magnitude_max, &magnitude)) return false;

    int64_t value;
    if (!negative) {
        value = (int64_t)magnitude;
    } else { /* -magnitude, without overflow at INT64_MIN */
        value = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
    }
    if (value < min || value > max) return false;
    *out = value;
    return true;
}

/* The bounds of the second byte keep out overlong forms (E0, F0), surrogates (ED) and what lies
 * above U+10FFFF (F4): table 3-7 of the Unicode standard. */
size_t slice_utf8_step(struct slice slice) {
    if (slice.count == 0) return 0;
    const unsigned char *bytes = (const unsigned char *)slice.bytes;
    unsigned char lead = bytes[0];
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;

    size_t count = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (slice.count < count) return 0;
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high) return 0;
    for (size_t i = 2; i < count; i++) {
        if ((bytes[i] & 0xC0) != 0x80) return 0;
    }
    return count;
}

static bool begins_with_eight_ascii(struct slice slice) {
    uint64_t eight;
    if (slice.count < sizeof eight) return false;
    memcpy(&eight, slice.bytes, sizeof eight);
    return (eight & 0x8080808080808080u) == 0;
}

bool slice_is_utf8(struct slice slice) {
    while (slice.count > 0) {
        size_t step = begins_with_eight_ascii(slice) ? 8 : slice_utf8_step(slice);
        if (step == 0) return false;
        slice = slice_skip(slice, step);
    }
    return true;
}
