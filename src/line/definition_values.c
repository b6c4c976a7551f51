/* SPDX-License-Identifier: Apache-2.0 */
/* What a value means is said by its key, never guessed from its looks: `no` is a text, `010` is
 * ten, `1e3` is not a number, and `30` is not a duration.
 */
#include "line/definition_internal.h"

#include <errno.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};
/* From small to large: printing takes the last that is exact. */
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", DAY_MS},
};
static const struct unit byte_units[] = {
    {"B", 1},
    {"KiB", 1024},
    {"MiB", 1048576},
    {"GiB", 1073741824},
};

void *reader_take(struct definition_reader *reader, size_t count, size_t size) {
    void *memory = arena_take_array(reader->arena, count == 0 ? 1 : count, size);
    if (memory == NULL) reader->is_out_of_memory = true;
    return memory;
}

char *reader_copy(struct definition_reader *reader, struct slice text) {
    char *copy = arena_copy(reader->arena, text);
    if (copy == NULL) reader->is_out_of_memory = true;
    return copy;
}

/* ---- ${NAME} ---- */

static bool variable_name_is_good(struct slice name) {
    if (name.count == 0 || (name.bytes[0] >= '0' && name.bytes[0] <= '9')) return false;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.bytes[i];
        bool is_good =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
        if (!is_good) return false;
    }
    return true;
}

/* What stands for the inside of one ${…}. */
static bool replace_one(struct definition_reader *reader, const struct tree_node *node,
                        struct slice inside, struct slice *out) {
    struct slice name;
    struct slice rest;
    bool has_more = slice_cut(inside, ':', &name, &rest);
    bool is_form = !has_more || (rest.count > 0 && (rest.bytes[0] == '-' || rest.bytes[0] == '?'));
    if (!variable_name_is_good(name) || !is_form) {
        READ_ERROR(reader, node->place,
                   "`${%.*s}` is none of ${NAME}, ${NAME:-default} and ${NAME:?message}",
                   SLICE_ARGS(inside));
        return false;
    }
    const char *copy = reader_copy(reader, name);
    if (copy == NULL) return false;
    const char *value = reader->options->variable == NULL
                            ? NULL
                            : reader->options->variable(reader->options->context, copy);
    if (value != NULL && (value[0] != '\0' || !has_more)) {
        *out = slice_from_string(value);
        return true;
    }
    if (has_more && rest.bytes[0] == '-') {
        *out = slice_skip(rest, 1);
        return true;
    }
    if (has_more) {
        struct slice message = slice_skip(rest, 1);
        READ_ERROR(reader, node->place, "${%s}: %.*s", copy,
                   message.count == 0 ? (int)sizeof "is not set" - 1 : (int)message.count,
                   message.count == 0 ? "is not set" : message.bytes);
        return false;
    }
    READ_ERROR(reader, node->place,
               "${%s} is not set in the environment (a default is written ${%s:-default})", copy,
               copy);
    return false;
}

static bool replace_all(struct definition_reader *reader, const struct tree_node *node,
                        struct buffer *buffer) {
    struct slice rest = node->text;
    while (rest.count > 0) {
        const char *begin = memmem(rest.bytes, rest.count, "${", 2);
        size_t before = begin == NULL ? rest.count : (size_t)(begin - rest.bytes);
        buffer_append(buffer, slice_from(rest.bytes, before));
        rest = slice_skip(rest, before);
        if (rest.count == 0) break;
        struct slice inside;
        struct slice after;
        if (!slice_cut(slice_skip(rest, 2), '}', &inside, &after)) {
            READ_ERROR(reader, node->place, "`${` has no `}` behind it");
            return false;
        }
        struct slice value;
        if (!replace_one(reader, node, inside, &value)) return false;
        buffer_append(buffer, value);
        rest = after;
    }
    return true;
}

bool value_text(struct definition_reader *reader, const struct tree_node *node, struct slice *out) {
    if (node->kind != TREE_TEXT) {
        READ_ERROR(reader, node->place, "a text must stand here, not a %s",
                   node->kind == TREE_LIST ? "list" : "map");
        return false;
    }
    *out = node->text;
    if (node->text.count == 0 || memmem(node->text.bytes, node->text.count, "${", 2) == NULL) {
        return true;
    }
    struct buffer buffer;
    buffer_open(&buffer, reader->arena->allocator, TEXT_BYTES_MAX);
    bool is_good = replace_all(reader, node, &buffer);
    if (is_good && buffer.failed) {
        READ_ERROR(reader, node->place, "with its variables replaced, this is too long");
        is_good = false;
    }
    if (is_good) {
        const char *copy = reader_copy(reader, buffer_slice(&buffer));
        is_good = copy != NULL;
        *out = slice_from(copy, buffer.count);
    }
    buffer_close(&buffer);
    return is_good;
}

/* ---- Names ---- */

bool name_is_good(struct slice name) {
    if (name.count == 0 || name.count > NAME_BYTES_MAX) return false;
    if (name.bytes[0] < 'a' || name.bytes[0] > 'z') return false;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
    }
    return true;
}

bool value_name(struct definition_reader *reader, const struct tree_node *node, const char *what,
                const char **out) {
    struct slice text;
    if (!value_text(reader, node, &text)) return false;
    if (!name_is_good(text)) {
        READ_ERROR(reader, node->place,
                   "`%.*s` cannot name a %s: a letter, then letters, digits and `-`, all lower "
                   "case, at most %u",
                   SLICE_ARGS(text), what, NAME_BYTES_MAX);
        return false;
    }
    *out = reader_copy(reader, text);
    return *out != NULL;
}

bool value_choice(struct definition_reader *reader, const struct tree_node *node,
                  const char *const *names, size_t names_count, size_t *out) {
    struct slice text;
    if (!value_text(reader, node, &text)) return false;
    for (size_t i = 0; i < names_count; i++) {
        if (!slice_equal_string(text, names[i])) continue;
        *out = i;
        return true;
    }
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < names_count && used < sizeof list; i++) {
        const char *between = i == 0 ? "" : (i + 1 == names_count ? " or " : ", ");
        int count = snprintf(list + used, sizeof list - used, "%s%s", between, names[i]);
        used += count < 0 ? 0 : (size_t)count;
    }
    READ_ERROR(reader, node->place, "`%.*s` is not %s%s", SLICE_ARGS(text), list,
               suggest(reader, text, names, names_count));
    return false;
}

bool value_station(struct definition_reader *reader, const struct tree_node *node, int32_t *out) {
    struct slice text;
    if (!value_text(reader, node, &text)) return false;
    const char *names[DEFINITION_STATIONS_MAX];
    uint32_t count = reader->definition->stations_count;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = reader->stations[i].name;
        if (!slice_equal_string(text, names[i])) continue;
        *out = (int32_t)i;
        return true;
    }
    READ_ERROR(reader, node->place, "there is no station `%.*s`%s", SLICE_ARGS(text),
               suggest(reader, text, names, count));
    return false;
}

/* ---- Numbers ---- */

bool slice_to_count(struct slice text, uint32_t min, uint32_t max, uint32_t *out) {
    uint64_t value = 0;
    if (!slice_to_u64(text, max, &value) || value < min) return false;
    *out = (uint32_t)value;
    return true;
}

bool value_count(struct definition_reader *reader, const struct tree_node *node, uint32_t min,
                 uint32_t max, uint32_t *out) {
    struct slice text;
    if (!value_text(reader, node, &text)) return false;
    if (slice_to_count(text, min, max, out)) return true;
    READ_ERROR(reader, node->place, "`%.*s` is not a whole number from %u to %u", SLICE_ARGS(text),
               min, max);
    return false;
}

static void print_with_unit(int64_t value, const struct unit *units, size_t units_count, char *text,
                            size_t text_bytes) {
    size_t best = 0;
    for (size_t i = 0; i < units_count && value != 0; i++) {
        if (value % units[i].factor == 0) best = i;
    }
    if (value == 0) best = 1 < units_count ? 1 : 0;
    (void)snprintf(text, text_bytes, "%lld%s", (long long)(value / units[best].factor),
                   units[best].name);
}

void duration_print(int64_t ms, char *text, size_t text_bytes) {
    print_with_unit(ms, duration_units, ARRAY_COUNT(duration_units), text, text_bytes);
}

void bytes_print(uint64_t count, char *text, size_t text_bytes) {
    print_with_unit((int64_t)count, byte_units, ARRAY_COUNT(byte_units), text, text_bytes);
}

/* Digits and a unit. False, with an error, if it is not that. Above INT64_MAX is INT64_MAX. */
static bool read_with_unit(struct definition_reader *reader, const struct tree_node *node,
                           struct slice text, const struct unit *units, size_t units_count,
                           int64_t *out) {
    size_t digits = 0;
    while (digits < text.count && text.bytes[digits] >= '0' && text.bytes[digits] <= '9') digits++;
    struct slice name = slice_skip(text, digits);
    bool is_duration = units == duration_units;
    if (digits > 0 && name.count == 0) {
        READ_ERROR(reader, node->place, "`%.*s` needs a unit: %s", SLICE_ARGS(text),
                   is_duration ? "ms, s, m, h or d, as in 30s" : "B, KiB, MiB or GiB, as in 64KiB");
        return false;
    }
    for (size_t i = 0; i < units_count && digits > 0; i++) {
        if (!slice_equal_string(name, units[i].name)) continue;
        uint64_t count = 0;
        uint64_t max = (uint64_t)(INT64_MAX / units[i].factor);
        bool fits = slice_to_u64(slice_from(text.bytes, digits), max, &count);
        *out = fits ? (int64_t)count * units[i].factor : INT64_MAX;
        return true;
    }
    READ_ERROR(reader, node->place, "`%.*s` is not a %s", SLICE_ARGS(text),
               is_duration ? "duration: a whole number and ms, s, m, h or d, as in 30s"
                           : "size: a whole number and B, KiB, MiB or GiB, as in 64KiB");
    return false;
}

static bool duration_from(struct definition_reader *reader, const struct tree_node *node,
                          struct slice text, int64_t min_ms, int64_t max_ms, int64_t *out) {
    int64_t value = 0;
    if (!read_with_unit(reader, node, text, duration_units, ARRAY_COUNT(duration_units), &value)) {
        return false;
    }
    if (value < min_ms || value > max_ms) {
        char min[32];
        char max[32];
        duration_print(min_ms, min, sizeof min);
        duration_print(max_ms, max, sizeof max);
        READ_ERROR(reader, node->place, "`%.*s` must lie between %s and %s", SLICE_ARGS(text), min,
                   max);
        return false;
    }
    *out = value;
    return true;
}

bool value_duration(struct definition_reader *reader, const struct tree_node *node, int64_t min_ms,
                    int64_t max_ms, int64_t *out) {
    struct slice text;
    return value_text(reader, node, &text) &&
           duration_from(reader, node, text, min_ms, max_ms, out);
}

bool value_duration_range(struct definition_reader *reader, const struct tree_node *node,
                          int64_t min_ms, int64_t max_ms, int64_t *out_min, int64_t *out_max) {
    struct slice text;
    if (!value_text(reader, node, &text)) return false;
    const char *dots = memmem(text.bytes, text.count, "..", 2);
    struct slice first = text;
    struct slice second = text;
    if (dots != NULL) {
        first.count = (size_t)(dots - text.bytes);
        second = slice_skip(text, first.count + 2);
    }
    int64_t low = 0;
    int64_t high = 0;
    if (!duration_from(reader, node, first, min_ms, max_ms, &low)) return false;
    if (!duration_from(reader, node, second, min_ms, max_ms, &high)) return false;
    if (low > high) {
        READ_ERROR(reader, node->place, "`%.*s`: a range goes from the smaller to the larger",
                   SLICE_ARGS(text));
        return false;
    }
    *out_min = low;
    *out_max = high;
    return true;
}

bool value_bytes(struct definition_reader *reader, const struct tree_node *node, uint32_t min,
                 uint32_t max, uint32_t *out) {
    struct slice text;
    int64_t value = 0;
    if (!value_text(reader, node, &text)) return false;
    if (!read_with_unit(reader, node, text, byte_units, ARRAY_COUNT(byte_units), &value)) {
        return false;
    }
    if (value < min || value > max) {
        char low[32];
        char high[32];
        bytes_print(min, low, sizeof low);
        bytes_print(max, high, sizeof high);
        READ_ERROR(reader, node->place, "`%.*s` must lie between %s and %s", SLICE_ARGS(text), low,
                   high);
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* ---- Expressions ---- */

bool value_expression(struct definition_reader *reader, const struct tree_node *node,
                      unsigned allowed, const struct expression **out) {
    if (node->kind != TREE_TEXT) {
        READ_ERROR(reader, node->place,
                   "an expression that starts with %s must stand in single quotes: YAML takes it "
                   "for a %s",
                   node->kind == TREE_LIST ? "[" : "{", node->kind == TREE_LIST ? "list" : "map");
        return false;
    }
    struct expression *expression = NULL;
    struct expression_error error = {0};
    int rc = expression_compile(reader->arena, node->text, allowed, &expression, &error);
    if (rc == -ENOMEM) reader->is_out_of_memory = true;
    if (rc == 0) {
        *out = expression;
        return true;
    }
    struct definition_place place = node->place;
    if (node->is_one_to_one) {
        place.column += node->quotes_count;
        for (size_t i = 0; i < error.offset && i < node->text.count; i++) {
            place.column += (node->text.bytes[i] & 0xC0) != 0x80;
        }
    }
    if (rc == -EINVAL) READ_ERROR(reader, place, "%s", error.message);
    return false;
}
