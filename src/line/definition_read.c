/* SPDX-License-Identifier: Apache-2.0 */
/* From files to definitions: each file to trees, each tree to a definition, and last what all of
 * them must agree on: names of lines and queues, and paths.
 */
#include "broker/command.h"
#include "line/definition_internal.h"

#include <errno.h>
#include <stdlib.h>

#define KEEP_MIN_MS 60000

/* ---- One document ---- */

/* These are read in the order that they need each other, not in the file's. */
static void read_in_turn(struct definition_reader *reader, const struct tree_node *node,
                         void *definition) {
    (void)reader;
    (void)node;
    (void)definition;
}

static const struct key document_keys[] = {
    {"line", read_in_turn},     {"gateway", read_in_turn}, {"stations", read_in_turn},
    {"queues", read_in_turn},   {"result", read_in_turn},  {"keep", read_in_turn},
    {"defaults", read_in_turn}, {"hops", read_in_turn},    {"budget", NULL},
    {"schedules", NULL},        {"secrets", NULL},         {"removed", NULL},
};

static void read_keep_jobs(struct definition_reader *reader, const struct tree_node *node,
                           void *definition) {
    (void)value_duration(reader, node, KEEP_MIN_MS, 365 * DAY_MS,
                         &((struct definition *)definition)->keep_jobs_ms);
}

static void read_result(struct definition_reader *reader, const struct tree_node *node) {
    struct definition *definition = reader->definition;
    definition->result = DEFINITION_NONE;
    if (node != NULL) {
        (void)value_station(reader, node, &definition->result);
        return;
    }
    uint32_t ends_count = 0;
    for (uint32_t i = 0; i < definition->stations_count; i++) {
        if (reader->stations[i].next_count > 0) continue;
        definition->result = (int32_t)i;
        ends_count++;
    }
    if (ends_count != 1) definition->result = DEFINITION_NONE;
}

static const struct tree_node *value_of(const struct tree_node *root, const char *name) {
    const struct tree_item *item = key_item(root, name);
    return item == NULL ? NULL : item->value;
}

static void read_line(struct definition_reader *reader, const struct tree_node *root) {
    static const struct key keep_keys[] = {{"jobs", read_keep_jobs}};
    struct definition *definition = reader->definition;
    const struct tree_node *name = value_of(root, "line");
    const struct tree_node *stations = value_of(root, "stations");
    const struct tree_node *gateway = value_of(root, "gateway");
    const struct tree_node *keep = value_of(root, "keep");
    const struct tree_node *hops = value_of(root, "hops");
    if (name == NULL) {
        READ_ERROR(reader, root->place, "`line` is missing: the name of this line");
    } else {
        (void)value_name(reader, name, "line", &definition->name);
    }
    if (stations == NULL) {
        READ_ERROR(reader, root->place, "`stations` is missing: a line has at least one");
        return;
    }
    station_read_all(reader, stations, value_of(root, "defaults"));
    if (gateway != NULL) gateway_read(reader, gateway);
    read_result(reader, value_of(root, "result"));
    if (keep != NULL) {
        keys_read(reader, keep, "`keep`", keep_keys, ARRAY_COUNT(keep_keys), definition);
    }
    if (hops != NULL) (void)value_count(reader, hops, 1, BROKER_HOPS_MAX, &definition->hops_max);
}

static void read_keys(struct definition_reader *reader, const struct tree_node *root) {
    for (const struct tree_item *item = root->items; item != NULL; item = item->next) {
        if (slice_starts_with(item->key->text, SLICE("x-"))) continue;
        (void)key_find(reader, item, document_keys, ARRAY_COUNT(document_keys));
    }
}

/* A document that holds nothing but queues has no line. */
static bool has_line(const struct tree_node *root) {
    static const char *const names[] = {"line", "stations", "gateway", "result", "defaults"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (key_item(root, names[i]) != NULL) return true;
    }
    return key_item(root, "queues") == NULL;
}

static int read_document(struct definition_reader *reader, const struct tree_document *document,
                         struct definition *definition) {
    uint32_t errors_before = reader->errors->count;
    const struct tree_node *root = document->root;
    *definition = (struct definition){.place = root->place,
                                      .source = document->source,
                                      .folder = reader->folder,
                                      .result = DEFINITION_NONE,
                                      .keep_jobs_ms = 7 * DAY_MS,
                                      .hops_max = BROKER_HOPS_MAX};
    reader->definition = definition;
    reader->stations = NULL;
    if (root->kind != TREE_MAP) {
        READ_ERROR(reader, root->place, "a line file is a map: `line`, `stations`, `gateway`, …");
        return 0;
    }
    reader->stations = reader_take(reader, DEFINITION_STATIONS_MAX, sizeof *reader->stations);
    reader->station_nodes =
        reader_take(reader, DEFINITION_STATIONS_MAX, sizeof(const struct tree_node *));
    if (reader->stations == NULL || reader->station_nodes == NULL) return -ENOMEM;
    definition->stations = reader->stations;
    read_keys(reader, root);
    if (has_line(root)) read_line(reader, root);
    const struct tree_node *queues = value_of(root, "queues");
    if (queues != NULL) queue_read_plain(reader, queues);
    /* A mistyped target would make stations seem unreachable: first things first. */
    if (reader->errors->count == errors_before && !reader->is_out_of_memory) {
        graph_conclude(reader);
    }
    return reader->is_out_of_memory ? -ENOMEM : 0;
}

/* ---- All documents together ---- */

static int compare_queues(const void *a, const void *b) {
    const struct definition_queue *queue_a = *(const struct definition_queue *const *)a;
    const struct definition_queue *queue_b = *(const struct definition_queue *const *)b;
    int order = strcmp(queue_a->name, queue_b->name);
    if (order != 0) return order;
    const struct definition_place *place_a = &queue_a->place;
    const struct definition_place *place_b = &queue_b->place;
    if (place_a->file != place_b->file) return place_a->file < place_b->file ? -1 : 1;
    if (place_a->line != place_b->line) return place_a->line < place_b->line ? -1 : 1;
    return 0;
}

static size_t count_queues(const struct definition_files *files) {
    size_t count = 0;
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        count +=
            files->definitions[i].queues_count + 2 * (size_t)files->definitions[i].stations_count;
    }
    return count;
}

/* Every queue by name; a station's dead-letter queue stands in the list as a queue of its own. Those
 * whose names could not be read are left out. */
static const struct definition_queue **list_queues(struct definition_reader *reader,
                                                   const struct definition_files *files,
                                                   size_t *out_count) {
    size_t max = count_queues(files);
    const struct definition_queue **list =
        reader_take(reader, max, sizeof(const struct definition_queue *));
    if (list == NULL) return NULL;
    size_t count = 0;
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        const struct definition *definition = &files->definitions[i];
        for (uint32_t j = 0; j < definition->queues_count; j++) {
            list[count++] = &definition->queues[j];
        }
        for (uint32_t j = 0; j < definition->stations_count; j++) {
            const struct definition_queue *queue = &definition->stations[j].queue;
            if (definition->name == NULL || queue->name == NULL || queue->dead_name == NULL)
                continue;
            struct definition_queue *dead = reader_take(reader, 1, sizeof *dead);
            if (dead == NULL) return NULL;
            *dead = (struct definition_queue){.place = definition->stations[j].place,
                                              .name = queue->dead_name};
            list[count++] = queue;
            list[count++] = dead;
        }
    }
    qsort(list, count, sizeof(const struct definition_queue *), compare_queues);
    *out_count = count;
    return list;
}

static bool queue_exists(const struct definition_queue *const *list, size_t count,
                         const char *name) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(list[middle]->name, name);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static void check_dead(struct definition_reader *reader, const struct definition_queue *queue,
                       const struct definition_queue *const *list, size_t count) {
    if (queue->dead_name == NULL) return;
    if (strcmp(queue->dead_name, queue->name) == 0) {
        READ_ERROR(reader, queue->place, "queue `%s` cannot be its own dead-letter queue",
                   queue->name);
    } else if (!queue_exists(list, count, queue->dead_name)) {
        const char *names[64];
        size_t names_count = count < ARRAY_COUNT(names) ? count : ARRAY_COUNT(names);
        for (size_t i = 0; i < names_count; i++) names[i] = list[i]->name;
        READ_ERROR(reader, queue->place, "there is no queue `%s` for the dead letters of `%s`%s",
                   queue->dead_name, queue->name,
                   suggest(reader, slice_from_string(queue->dead_name), names, names_count));
    }
}

static bool has_error(const struct definition_reader *reader, struct definition_place place) {
    for (uint32_t i = 0; i < reader->errors->count; i++) {
        const struct definition_place *other = &reader->errors->list[i].place;
        bool is_there = other->file == place.file && other->line == place.line;
        if (is_there && other->column == place.column) return true;
    }
    return false;
}

static void check_queues(struct definition_reader *reader, const struct definition_files *files,
                         bool has_all) {
    size_t count = 0;
    const struct definition_queue **list = list_queues(reader, files, &count);
    if (list == NULL) return;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(list[i - 1]->name, list[i]->name) != 0) continue;
        if (has_error(reader, list[i]->place)) continue; /* said: a key given twice */
        READ_ERROR(reader, list[i]->place, "the queue name `%s` is taken, in %s:%u", list[i]->name,
                   files->paths[list[i - 1]->place.file], list[i - 1]->place.line);
    }
    for (uint32_t i = 0; i < files->definitions_count && has_all; i++) {
        for (uint32_t j = 0; j < files->definitions[i].queues_count; j++) {
            check_dead(reader, &files->definitions[i].queues[j], list, count);
        }
    }
}

static void check_line_names(struct definition_reader *reader,
                             const struct definition_files *files) {
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        const struct definition *definition = &files->definitions[i];
        for (uint32_t j = 0; j < i && definition->name != NULL; j++) {
            const struct definition *other = &files->definitions[j];
            if (other->name == NULL || strcmp(other->name, definition->name) != 0) continue;
            READ_ERROR(reader, definition->place, "there is a line `%s` already, in %s:%u",
                       definition->name, files->paths[other->place.file], other->place.line);
            break;
        }
    }
}

static bool routes_collide(const struct definition_route *a, const struct definition_route *b) {
    if (a->method == NULL || b->method == NULL) return false; /* they could not be read */
    if (strcmp(a->method, b->method) != 0 || a->segments_count != b->segments_count) return false;
    for (uint32_t i = 0; i < a->segments_count; i++) {
        if (a->segments[i].is_param != b->segments[i].is_param) return false;
        if (a->segments[i].is_param) continue;
        if (strcmp(a->segments[i].text, b->segments[i].text) != 0) return false;
    }
    return true;
}

static void check_route(struct definition_reader *reader, const struct definition_files *files,
                        const struct definition_route *route) {
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        for (uint32_t j = 0; j < files->definitions[i].routes_count; j++) {
            const struct definition_route *other = &files->definitions[i].routes[j];
            if (other == route) return; /* only those before it */
            if (!routes_collide(route, other)) continue;
            READ_ERROR(reader, route->place, "`%s %s` is the same route as that in %s:%u",
                       route->method, route->pattern, files->paths[other->place.file],
                       other->place.line);
            return;
        }
    }
}

static void check_routes(struct definition_reader *reader, const struct definition_files *files) {
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        for (uint32_t j = 0; j < files->definitions[i].routes_count; j++) {
            check_route(reader, files, &files->definitions[i].routes[j]);
        }
    }
}

/* All that does not follow from another mistake: two lines of one name have all their queues in
 * common, and a queue that could not be read is no target for dead letters. */
static void check_all(struct definition_reader *reader, const struct definition_files *files) {
    uint32_t before = reader->errors->count;
    check_routes(reader, files);
    uint32_t names_before = reader->errors->count;
    check_line_names(reader, files);
    if (reader->errors->count == names_before) check_queues(reader, files, before == 0);
}

/* ---- Files ---- */

static int read_file(struct definition_reader *reader, const struct definition_source *source,
                     uint32_t file, struct definition_files *files,
                     struct definition *definitions) {
    struct definition_place start = {.file = file, .line = 1, .column = 1};
    if (source->bytes.count > DEFINITION_FILE_BYTES_MAX) {
        READ_ERROR(reader, start, "the file is larger than %u KiB",
                   DEFINITION_FILE_BYTES_MAX / 1024);
        return 0;
    }
    const char *bytes = reader_copy(reader, source->bytes);
    reader->folder = reader_copy(reader, slice_from_string(source->folder));
    if (bytes == NULL || reader->folder == NULL) return -ENOMEM;
    struct tree_document *documents = NULL;
    uint32_t count = 0;
    uint32_t errors_before = reader->errors->count;
    int rc = tree_read(reader->arena, file, slice_from(bytes, source->bytes.count), reader->errors,
                       &documents, &count);
    if (rc == 0 && count == 0 && reader->errors->count == errors_before) {
        READ_ERROR(reader, start, "the file is empty");
    }
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        if (files->definitions_count == DEFINITION_LINES_MAX) {
            READ_ERROR(reader, documents[i].root->place, "more than %u lines",
                       DEFINITION_LINES_MAX);
            return 0;
        }
        rc = read_document(reader, &documents[i], &definitions[files->definitions_count++]);
    }
    return rc;
}

int definition_read(const struct definition_source *sources, uint32_t sources_count,
                    const struct definition_options *options, struct definition_files *files) {
    CHECK(sources_count <= DEFINITION_FILES_MAX);
    *files = (struct definition_files){.paths_count = sources_count};
    arena_open(&files->arena, options->allocator, DEFINITION_ARENA_BYTES_MAX);
    struct definition_reader reader = {
        .arena = &files->arena, .errors = &files->errors, .options = options};
    const char **paths = reader_take(&reader, sources_count, sizeof *paths);
    struct definition *definitions =
        reader_take(&reader, DEFINITION_LINES_MAX, sizeof *definitions);
    if (paths == NULL || definitions == NULL) return -ENOMEM;
    files->paths = paths;
    files->definitions = definitions;
    for (uint32_t i = 0; i < sources_count; i++) {
        paths[i] = reader_copy(&reader, slice_from_string(sources[i].path));
        if (paths[i] == NULL) return -ENOMEM;
    }
    for (uint32_t i = 0; i < sources_count; i++) {
        int rc = read_file(&reader, &sources[i], i, files, definitions);
        if (rc < 0) return rc;
    }
    check_all(&reader, files);
    if (reader.is_out_of_memory) return -ENOMEM;
    return files->errors.count == 0 ? 0 : -EINVAL;
}

void definition_close(struct definition_files *files) {
    arena_close(&files->arena);
}

int32_t definition_find_station(const struct definition *definition, struct slice name) {
    for (uint32_t i = 0; i < definition->stations_count; i++) {
        if (slice_equal_string(name, definition->stations[i].name)) return (int32_t)i;
    }
    return DEFINITION_NONE;
}
