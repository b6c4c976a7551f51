/* SPDX-License-Identifier: Apache-2.0 */
/* `next`: a name, a map with `to`, a list of these, or {first: [list]}; {else: NAME} comes last. */
#include "line/definition_internal.h"

#define ALLOWED                                                                                    \
    (EXPRESSION_BIT(EXPRESSION_IN) | EXPRESSION_BIT(EXPRESSION_ORDER) |                            \
     EXPRESSION_BIT(EXPRESSION_OUT) | EXPRESSION_BIT(EXPRESSION_INDEX) |                           \
     EXPRESSION_BIT(EXPRESSION_JOB))

static void read_target(struct definition_reader *reader, const struct tree_node *node,
                        void *target) {
    struct definition_next *next = target;
    struct slice text;
    if (!value_text(reader, node, &text)) return;
    if (slice_equal(text, SLICE("end"))) {
        next->station = DEFINITION_NONE;
    } else if (slice_starts_with(text, SLICE("queue:"))) {
        READ_ERROR(reader, node->place, "`queue:NAME` is not built yet in this version of takt");
    } else if (text.count > 0 && memchr(text.bytes, '/', text.count) != NULL) {
        READ_ERROR(reader, node->place, "`LINE/STATION` is not built yet in this version of takt");
    } else {
        (void)value_station(reader, node, &next->station);
    }
}

static void read_else(struct definition_reader *reader, const struct tree_node *node,
                      void *target) {
    ((struct definition_next *)target)->is_else = true;
    read_target(reader, node, target);
}

static void read_each(struct definition_reader *reader, const struct tree_node *node, void *next) {
    (void)value_expression(reader, node, ALLOWED, &((struct definition_next *)next)->each);
}

static void read_when(struct definition_reader *reader, const struct tree_node *node, void *next) {
    (void)value_expression(reader, node, ALLOWED, &((struct definition_next *)next)->when);
}

static void read_with(struct definition_reader *reader, const struct tree_node *node, void *next) {
    (void)value_expression(reader, node, ALLOWED, &((struct definition_next *)next)->with);
}

static void refuse_first(struct definition_reader *reader, const struct tree_node *node,
                         void *next) {
    (void)next;
    READ_ERROR(reader, node->place, "`first` stands alone: next: {first: [list]}");
}

static const struct key next_keys[] = {
    {"to", read_target}, {"else", read_else},     {"each", read_each}, {"when", read_when},
    {"with", read_with}, {"first", refuse_first}, {"after", NULL},     {"at", NULL},
};

static void read_entry(struct definition_reader *reader, const struct tree_node *node,
                       struct definition_next *next) {
    *next = (struct definition_next){.place = node->place, .station = DEFINITION_NONE};
    if (node->kind == TREE_TEXT) {
        read_target(reader, node, next);
        return;
    }
    keys_read(reader, node, "an entry of `next`", next_keys, ARRAY_COUNT(next_keys), next);
    if (node->kind != TREE_MAP) return;
    bool has_to = key_item(node, "to") != NULL;
    if (has_to == (key_item(node, "else") != NULL)) {
        READ_ERROR(reader, node->place, "%s",
                   has_to ? "`to` and `else` in one entry: write {else: STATION}"
                          : "an entry of `next` needs `to`: where it goes");
    }
    if (next->is_else && next->when != NULL) {
        READ_ERROR(reader, node->place, "`else` is taken when nothing else was: it has no `when`");
    }
}

/* The list of entries in any form of `next`; a lone entry stands for itself. */
static const struct tree_node *entries_of(struct definition_reader *reader,
                                          const struct tree_node *node,
                                          struct definition_station *station) {
    const struct tree_item *first = key_item(node, "first");
    if (first == NULL) return node;
    if (node->items_count > 1) refuse_first(reader, first->key, NULL);
    if (first->value->kind != TREE_LIST) {
        READ_ERROR(reader, first->value->place, "`first` takes a list");
        return NULL;
    }
    station->next_mode = DEFINITION_NEXT_FIRST;
    return first->value;
}

static void check_else(struct definition_reader *reader, const struct definition_next *next,
                       uint32_t count) {
    bool is_needed = count > 1;
    for (uint32_t i = 0; i < count; i++) {
        if (next[i].is_else && i + 1 < count) {
            READ_ERROR(reader, next[i].place, "`else` comes last, and once");
        } else if (next[i].is_else && !is_needed) {
            READ_ERROR(reader, next[i].place,
                       "`else` is never taken: what stands before it must have a `when`");
        }
        is_needed = is_needed && next[i].when != NULL;
    }
}

/* In {first: …} nothing behind an entry that is always taken can be reached. */
static void check_first(struct definition_reader *reader, const struct definition_next *next,
                        uint32_t count) {
    for (uint32_t i = 0; i + 1 < count; i++) {
        if (next[i].when != NULL || next[i].is_else || next[i + 1].is_else) continue;
        READ_ERROR(reader, next[i + 1].place,
                   "this is never taken: the entry before it has no `when`");
        return;
    }
}

void next_read(struct definition_reader *reader, const struct tree_node *node, void *target) {
    struct definition_station *station = target;
    const struct tree_node *list = entries_of(reader, node, station);
    if (list == NULL) return;
    uint32_t count = list->kind == TREE_LIST ? list->items_count : 1;
    if (count == 0 || count > DEFINITION_NEXT_MAX) {
        READ_ERROR(reader, list->place, "`next` needs 1 to %u entries", DEFINITION_NEXT_MAX);
        return;
    }
    struct definition_next *next = reader_take(reader, count, sizeof *next);
    if (next == NULL) return;
    if (list->kind == TREE_LIST) {
        uint32_t i = 0;
        for (const struct tree_item *item = list->items; item != NULL; item = item->next) {
            read_entry(reader, item->value, &next[i++]);
        }
    } else {
        read_entry(reader, list, next);
    }
    station->next = next;
    station->next_count = count;
    check_else(reader, next, count);
    if (station->next_mode == DEFINITION_NEXT_FIRST) check_first(reader, next, count);
}
