/* SPDX-License-Identifier: Apache-2.0 */
/* libyaml's events, made into trees with an explicit stack: a file may nest as it likes without
 * using ours. An alias is a second pointer to one node, so that no file grows by being read; only
 * `<<` copies members, and those count as nodes.
 */
#include "line/definition_tree.h"

#include <errno.h>
#include <yaml.h>

#define DOCUMENTS_MAX DEFINITION_LINES_MAX

struct anchor {
    struct slice name;
    struct tree_node *node;
};

struct level {
    struct tree_node *node;
    const struct tree_node *key; /* of a map: waits for its value */
};

struct tree_reader {
    struct arena *arena;
    struct definition_errors *errors;
    uint32_t file;
    struct slice bytes;
    yaml_parser_t parser;
    uint32_t nodes_count;
    uint32_t levels_count;
    struct level levels[TREE_DEPTH_MAX];
    uint32_t anchors_count;
    struct anchor anchors[TREE_ANCHORS_MAX];
    struct tree_node *root;
    uint32_t document_line; /* where the document that is read began; from 0 */
    uint32_t begin_lines[DOCUMENTS_MAX];
    struct tree_document *documents;
    uint32_t documents_count;
};

static struct definition_place place_of(const struct tree_reader *reader, yaml_mark_t mark) {
    return (struct definition_place){
        .file = reader->file, .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
}

/* Says what is wrong and gives -EINVAL: this file is not read further. */
#define GIVE_UP(reader, place, ...)                                                                \
    (definition_add_error((reader)->errors, (reader)->arena, place, __VA_ARGS__), -EINVAL)

/* ---- Building ---- */

static struct tree_item *find_item(const struct tree_node *map, struct slice name) {
    for (struct tree_item *item = map->items; item != NULL; item = item->next) {
        if (slice_equal(item->key->text, name)) return item;
    }
    return NULL;
}

static int add_item(struct tree_reader *reader, struct tree_node *parent,
                    const struct tree_node *key, const struct tree_node *value, bool is_merged) {
    if (++reader->nodes_count > TREE_NODES_MAX) {
        return GIVE_UP(reader, parent->place, "the file is too large: more than %u values",
                       TREE_NODES_MAX);
    }
    if (parent->kind == TREE_MAP && parent->items_count == TREE_MAP_ITEMS_MAX) {
        return GIVE_UP(reader, parent->place, "more than %u keys in one map", TREE_MAP_ITEMS_MAX);
    }
    struct tree_item *item = arena_take(reader->arena, sizeof *item);
    if (item == NULL) return -ENOMEM;
    *item = (struct tree_item){.key = key, .value = value, .is_merged = is_merged};
    if (parent->last == NULL)
        parent->items = item;
    else
        parent->last->next = item;
    parent->last = item;
    parent->items_count++;
    return 0;
}

/* A value has come: put it where it belongs. */
static int attach(struct tree_reader *reader, struct tree_node *node) {
    if (reader->levels_count == 0) {
        reader->root = node;
        return 0;
    }
    struct level *level = &reader->levels[reader->levels_count - 1];
    if (level->node->kind == TREE_LIST) return add_item(reader, level->node, NULL, node, false);
    if (level->key != NULL) {
        const struct tree_node *key = level->key;
        level->key = NULL;
        return add_item(reader, level->node, key, node, false);
    }
    if (node->kind != TREE_TEXT) {
        return GIVE_UP(reader, node->place,
                       "a key must be a text (if this is an expression that starts with { or [, it "
                       "must stand in single quotes)");
    }
    level->key = node;
    const struct tree_item *first = find_item(level->node, node->text);
    if (first != NULL) {
        definition_add_error(reader->errors, reader->arena, node->place,
                             "`%.*s` is given twice, first in line %u", SLICE_ARGS(node->text),
                             first->key->place.line);
    }
    return 0;
}

static int merge_from(struct tree_reader *reader, struct tree_node *map,
                      const struct tree_node *from) {
    if (from->kind != TREE_MAP) {
        definition_add_error(reader->errors, reader->arena, from->place,
                             "`<<` takes a map, or a list of maps");
        return 0;
    }
    int rc = 0;
    for (const struct tree_item *item = from->items; item != NULL && rc == 0; item = item->next) {
        if (find_item(map, item->key->text) != NULL) continue;
        rc = add_item(reader, map, item->key, item->value, true);
    }
    return rc;
}

/* The map is complete: take its `<<` out and add what is not given beside it. */
static int resolve_merge(struct tree_reader *reader, struct tree_node *map) {
    struct tree_item *previous = NULL;
    struct tree_item *merge = map->items;
    while (merge != NULL && !(merge->key->is_plain && slice_equal(merge->key->text, SLICE("<<")))) {
        previous = merge;
        merge = merge->next;
    }
    if (merge == NULL) return 0;
    if (previous == NULL)
        map->items = merge->next;
    else
        previous->next = merge->next;
    if (map->last == merge) map->last = previous;
    map->items_count--;
    if (merge->value->kind != TREE_LIST) return merge_from(reader, map, merge->value);
    int rc = 0;
    for (const struct tree_item *item = merge->value->items; item != NULL && rc == 0;
         item = item->next) {
        rc = merge_from(reader, map, item->value);
    }
    return rc;
}

static int remember_anchor(struct tree_reader *reader, const yaml_char_t *name,
                           struct tree_node *node) {
    if (name == NULL) return 0;
    if (reader->anchors_count == TREE_ANCHORS_MAX) {
        return GIVE_UP(reader, node->place, "more than %u anchors", TREE_ANCHORS_MAX);
    }
    struct slice text = slice_from_string((const char *)name);
    const char *copy = arena_copy(reader->arena, text);
    if (copy == NULL) return -ENOMEM;
    reader->anchors[reader->anchors_count++] =
        (struct anchor){.name = slice_from(copy, text.count), .node = node};
    return 0;
}

/* ---- Events ---- */

static int make_node(struct tree_reader *reader, const yaml_event_t *event, enum tree_kind kind,
                     struct tree_node **out) {
    if (++reader->nodes_count > TREE_NODES_MAX) {
        return GIVE_UP(reader, place_of(reader, event->start_mark),
                       "the file is too large: more than %u values", TREE_NODES_MAX);
    }
    struct tree_node *node = arena_take(reader->arena, sizeof *node);
    if (node == NULL) return -ENOMEM;
    *node = (struct tree_node){.kind = kind, .place = place_of(reader, event->start_mark)};
    *out = node;
    return 0;
}

static int refuse_tag(struct tree_reader *reader, const yaml_event_t *event,
                      const yaml_char_t *tag) {
    if (tag == NULL) return 0;
    definition_add_error(reader->errors, reader->arena, place_of(reader, event->start_mark),
                         "tags such as `!!str` mean nothing in a line file");
    return 0;
}

static int read_text(struct tree_reader *reader, const yaml_event_t *event) {
    struct tree_node *node = NULL;
    int rc = make_node(reader, event, TREE_TEXT, &node);
    if (rc == 0) rc = remember_anchor(reader, event->data.scalar.anchor, node);
    if (rc == 0) rc = refuse_tag(reader, event, event->data.scalar.tag);
    if (rc < 0) return rc;
    struct slice text =
        slice_from((const char *)event->data.scalar.value, event->data.scalar.length);
    const char *copy = arena_copy(reader->arena, text);
    if (copy == NULL) return -ENOMEM;
    if (text.count > 0 && memchr(text.bytes, '\0', text.count) != NULL) {
        definition_add_error(reader->errors, reader->arena, node->place,
                             "a text cannot hold a NUL character");
    }
    node->text = slice_from(copy, text.count);
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->quotes_count = node->is_plain ? 0 : 1;
    size_t columns = 0; /* libyaml counts characters */
    for (size_t i = 0; i < text.count; i++) columns += (text.bytes[i] & 0xC0) != 0x80;
    node->is_one_to_one = event->start_mark.line == event->end_mark.line &&
                          event->end_mark.column - event->start_mark.column ==
                              columns + 2 * (size_t)node->quotes_count;
    return attach(reader, node);
}

static int read_begin(struct tree_reader *reader, const yaml_event_t *event, enum tree_kind kind,
                      const yaml_char_t *anchor, const yaml_char_t *tag) {
    if (reader->levels_count == TREE_DEPTH_MAX) {
        return GIVE_UP(reader, place_of(reader, event->start_mark),
                       "more than %u lists and maps in each other", TREE_DEPTH_MAX);
    }
    struct tree_node *node = NULL;
    int rc = make_node(reader, event, kind, &node);
    if (rc == 0) rc = remember_anchor(reader, anchor, node);
    if (rc == 0) rc = refuse_tag(reader, event, tag);
    if (rc == 0) rc = attach(reader, node);
    if (rc < 0) return rc;
    node->is_open = true;
    reader->levels[reader->levels_count++] = (struct level){.node = node};
    return 0;
}

static int read_end(struct tree_reader *reader) {
    CHECK(reader->levels_count > 0); /* libyaml pairs its events */
    struct tree_node *node = reader->levels[--reader->levels_count].node;
    node->is_open = false;
    return node->kind == TREE_MAP ? resolve_merge(reader, node) : 0;
}

static int read_alias(struct tree_reader *reader, const yaml_event_t *event) {
    struct slice name = slice_from_string((const char *)event->data.alias.anchor);
    struct definition_place place = place_of(reader, event->start_mark);
    for (uint32_t i = reader->anchors_count; i > 0; i--) { /* the latest of a name counts */
        const struct anchor *anchor = &reader->anchors[i - 1];
        if (!slice_equal(anchor->name, name)) continue;
        if (anchor->node->is_open) {
            return GIVE_UP(reader, place, "`*%.*s` stands inside of what it names",
                           SLICE_ARGS(name));
        }
        return attach(reader, anchor->node);
    }
    return GIVE_UP(reader, place, "there is no anchor `&%.*s` before this", SLICE_ARGS(name));
}

/* The bytes from the beginning of one line to that of another; both from 0. */
static struct slice cut_lines(struct slice bytes, uint32_t from, uint32_t to) {
    size_t begin = 0;
    size_t position = 0;
    for (uint32_t line = 0; line < to && position < bytes.count; line++) {
        if (line == from) begin = position;
        const char *end = memchr(bytes.bytes + position, '\n', bytes.count - position);
        position = end == NULL ? bytes.count : (size_t)(end - bytes.bytes) + 1;
    }
    return slice_from(bytes.bytes + begin, position - begin);
}

static int end_document(struct tree_reader *reader) {
    const struct tree_node *root = reader->root;
    reader->root = NULL;
    bool is_empty =
        root == NULL || (root->kind == TREE_TEXT && root->is_plain && root->text.count == 0);
    if (is_empty) return 0;
    if (reader->documents_count == DOCUMENTS_MAX) {
        return GIVE_UP(reader, root->place, "more than %u lines in one file", DOCUMENTS_MAX);
    }
    reader->begin_lines[reader->documents_count] = reader->document_line;
    reader->documents[reader->documents_count++] = (struct tree_document){.root = root};
    return 0;
}

/* A document reaches to the next one, so that nothing of the file is lost between them. */
static void cut_sources(struct tree_reader *reader) {
    for (uint32_t i = 0; i < reader->documents_count; i++) {
        bool is_last = i + 1 == reader->documents_count;
        reader->documents[i].source = cut_lines(reader->bytes, reader->begin_lines[i],
                                                is_last ? UINT32_MAX : reader->begin_lines[i + 1]);
    }
}

static void begin_document(struct tree_reader *reader, const yaml_event_t *event) {
    /* What stands before the first one (comments) belongs to it. */
    reader->document_line = reader->documents_count == 0 ? 0 : (uint32_t)event->start_mark.line;
    reader->anchors_count = 0;
    reader->root = NULL;
}

static int read_event(struct tree_reader *reader, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT: begin_document(reader, event); return 0;
    case YAML_DOCUMENT_END_EVENT: return end_document(reader);
    case YAML_SCALAR_EVENT: return read_text(reader, event);
    case YAML_ALIAS_EVENT: return read_alias(reader, event);
    case YAML_SEQUENCE_START_EVENT:
        return read_begin(reader, event, TREE_LIST, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return read_begin(reader, event, TREE_MAP, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: return read_end(reader);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT: return 0;
    }
    CHECK_UNREACHABLE();
}

/* What a syntax error most often means in a file full of expressions. */
static const char *hint_for(const char *problem) {
    if (strstr(problem, "mapping values") != NULL) {
        return " (text that holds `: ` must stand in single quotes)";
    }
    if (strstr(problem, "cannot start any token") != NULL) {
        return " (a text that starts with such a character must stand in single quotes; a tab is "
               "not indentation)";
    }
    if (strstr(problem, "expected ',' or") != NULL) {
        return " (an expression that holds , { } [ or ] must stand in single quotes)";
    }
    return "";
}

static int syntax_error(struct tree_reader *reader) {
    const yaml_parser_t *parser = &reader->parser;
    if (parser->error == YAML_MEMORY_ERROR) return -ENOMEM;
    struct definition_place place = place_of(reader, parser->problem_mark);
    const char *problem = parser->problem == NULL ? "unreadable" : parser->problem;
    if (parser->error == YAML_READER_ERROR) {
        struct slice before = slice_from(reader->bytes.bytes, parser->problem_offset);
        uint32_t line = 1;
        for (size_t i = 0; i < before.count && i < reader->bytes.count; i++) {
            line += before.bytes[i] == '\n';
        }
        place = (struct definition_place){.file = reader->file, .line = line, .column = 1};
    }
    return GIVE_UP(reader, place, "not YAML: %s%s", problem, hint_for(problem));
}

static int read_all(struct tree_reader *reader) {
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)reader->bytes.bytes,
                                 reader->bytes.count);
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    int rc = 0;
    bool is_done = false;
    while (rc == 0 && !is_done) { /* each event takes bytes, or is one of a few that end things */
        yaml_event_t event;
        if (yaml_parser_parse(&reader->parser, &event) == 0) return syntax_error(reader);
        is_done = event.type == YAML_STREAM_END_EVENT;
        rc = read_event(reader, &event);
        yaml_event_delete(&event);
    }
    return rc;
}

int tree_read(struct arena *arena, uint32_t file, struct slice bytes,
              struct definition_errors *errors, struct tree_document **documents,
              uint32_t *documents_count) {
    struct tree_reader *reader = arena_take(arena, sizeof *reader);
    if (reader == NULL) return -ENOMEM;
    *reader = (struct tree_reader){.arena = arena, .errors = errors, .file = file, .bytes = bytes};
    reader->documents = arena_take_array(arena, DOCUMENTS_MAX, sizeof(struct tree_document));
    if (reader->documents == NULL || yaml_parser_initialize(&reader->parser) == 0) return -ENOMEM;
    int rc = read_all(reader);
    yaml_parser_delete(&reader->parser);
    cut_sources(reader);
    *documents = reader->documents;
    *documents_count = reader->documents_count;
    return rc == -ENOMEM ? rc : 0;
}
