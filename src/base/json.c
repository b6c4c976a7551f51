/* SPDX-License-Identifier: Apache-2.0 */
/* json.c -- finds its way in a text that json_validate has accepted.
 *
 * Nothing is looked at twice and nothing is checked again, but no function reads behind the end
 * of its slice whatever the slice holds.
 */
#include "base/json.h"

struct slice json_trim(struct slice text) {
    return slice_trim(text); /* JSON has the same four kinds of white space */
}

enum json_type json_type(struct slice value) {
    value = json_trim(value);
    if (value.count == 0) return JSON_NONE;
    switch (value.bytes[0]) {
    case '{': return JSON_OBJECT;
    case '[': return JSON_ARRAY;
    case '"': return JSON_STRING;
    case 't': return JSON_TRUE;
    case 'f': return JSON_FALSE;
    case 'n': return JSON_NULL;
    default: return JSON_NUMBER;
    }
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* From the opening quote to behind the closing one: the first quote behind an even number of
 * backslashes. */
static const char *skip_string(const char *at, const char *end) {
    const char *first = at + 1;
    for (at = first; at < end; at++) {
        at = memchr(at, '"', (size_t)(end - at));
        if (at == NULL) return end;
        const char *before = at;
        while (before > first && before[-1] == '\\') {
            before--;
        }
        if ((at - before) % 2 == 0) return at + 1;
    }
    return end;
}

/* From the opening bracket to behind the closing one. */
static const char *skip_container(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        char byte = *at;
        if (byte == '"') {
            at = skip_string(at, end);
            continue;
        }
        at++;
        if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '}' || byte == ']') {
            depth--;
            if (depth == 0) return at;
        }
    }
    return end;
}

static const char *skip_value(const char *at, const char *end) {
    if (at == end) return end;
    if (*at == '"') return skip_string(at, end);
    if (*at == '{' || *at == '[') return skip_container(at, end);
    while (at < end && *at != ',' && *at != ']' && *at != '}' && *at != ' ' && *at != '\n' &&
           *at != '\r' && *at != '\t') {
        at++;
    }
    return at;
}

struct json_iterator json_iterate(struct slice array_or_object) {
    struct slice value = json_trim(array_or_object);
    enum json_type type = json_type(value);
    if (type != JSON_ARRAY && type != JSON_OBJECT) return (struct json_iterator){0};
    return (struct json_iterator){.rest = slice_skip(value, 1), .is_object = type == JSON_OBJECT};
}

bool json_next(struct json_iterator *iterator) {
    if (iterator->rest.count == 0) return false;
    const char *at = iterator->rest.bytes;
    const char *end = at + iterator->rest.count;
    at = skip_space(at, end);
    if (at < end && *at == ',') at = skip_space(at + 1, end);
    if (at == end || *at == ']' || *at == '}') {
        iterator->rest = SLICE_EMPTY;
        return false;
    }
    if (iterator->is_object) {
        const char *name_end = skip_string(at, end);
        iterator->name = slice_from(at, (size_t)(name_end - at));
        at = skip_space(name_end, end);
        if (at < end) at = skip_space(at + 1, end); /* the colon */
    }
    const char *value_end = skip_value(at, end);
    iterator->value = slice_from(at, (size_t)(value_end - at));
    iterator->rest = slice_from(value_end, (size_t)(end - value_end));
    return true;
}

struct slice json_member(struct slice object, struct slice name) {
    struct slice found = SLICE_EMPTY;
    if (json_type(object) != JSON_OBJECT) return found;
    for (struct json_iterator i = json_iterate(object); json_next(&i);) {
        if (json_string_equal(i.name, name)) found = i.value;
    }
    return found;
}

/* Where the members that are whole end: at the object's last comma, or at its end. */
static size_t whole_members_end(struct slice object, size_t offset) {
    size_t whole = 0;
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < offset && i < object.count; i++) {
        char byte = object.bytes[i];
        if (in_string) {
            if (byte == '\\') i++; /* whatever is escaped, it does not end the string */
            in_string = byte != '"';
            continue;
        }
        in_string = byte == '"';
        if (byte == '{' || byte == '[') depth++;
        if (byte == '}' || byte == ']') depth--;
        if (depth == 0) return i;
        if (byte == ',' && depth == 1) whole = i;
    }
    return whole;
}

struct slice json_member_before(struct slice text, size_t offset, struct slice name) {
    const char *end = text.bytes + text.count;
    const char *start = skip_space(text.bytes, end);
    size_t skipped = (size_t)(start - text.bytes);
    struct slice object = slice_skip(text, skipped);
    if (offset <= skipped || json_type(object) != JSON_OBJECT) return SLICE_EMPTY;
    size_t whole = whole_members_end(object, offset - skipped);
    return json_member(slice_from(object.bytes, whole), name);
}

struct slice json_element(struct slice array, size_t index) {
    if (json_type(array) != JSON_ARRAY) return SLICE_EMPTY;
    for (struct json_iterator i = json_iterate(array); json_next(&i); index--) {
        if (index == 0) return i.value;
    }
    return SLICE_EMPTY;
}

size_t json_count(struct slice array_or_object) {
    size_t count = 0;
    for (struct json_iterator i = json_iterate(array_or_object); json_next(&i);) {
        count++;
    }
    return count;
}
