/* SPDX-License-Identifier: Apache-2.0 */
/* definition_internal.h -- what the files definition_*.c share while a line file is read.
 *
 * Each document is read in three steps: its keys (definition_station.c and its neighbours), its
 * graph (definition_graph.c), and what several documents must agree on (definition_read.c). A
 * value that cannot be read adds an error and leaves its default, so that one run finds all.
 */
#ifndef TAKT_LINE_DEFINITION_INTERNAL_H
#define TAKT_LINE_DEFINITION_INTERNAL_H

#include "line/definition_tree.h"

#define NAME_BYTES_MAX 31u
#define TEXT_BYTES_MAX 65536u
#define WORDS_MAX 256u
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

struct definition_reader {
    struct arena *arena;
    struct definition_errors *errors;
    const struct definition_options *options;
    const char *folder;
    struct definition *definition;
    struct definition_station *stations; /* definition->stations, while it is filled */
    const struct tree_node **station_nodes;
    bool is_out_of_memory;
    bool in_defaults; /* the texts read now are of `defaults`, not of a station */
};

#define READ_ERROR(reader, place, ...)                                                             \
    definition_add_error((reader)->errors, (reader)->arena, place, __VA_ARGS__)

/* ---- definition_keys.c: which key is meant ---- */

typedef void read_key_fn(struct definition_reader *reader, const struct tree_node *value,
                         void *target);
/* A key with a function of its own, or one whose value is simply a duration, a count or a size, into
 * a field of the target; with neither, line.md has it and this version does not. */
enum key_value { KEY_NONE, KEY_DURATION, KEY_COUNT, KEY_BYTES };
struct key {
    const char *name;
    read_key_fn *read;
    enum key_value value;
    size_t offset; /* of the field: int64_t for a duration (ms), else uint32_t */
    int64_t min;
    int64_t max;
};
#define KEY_OF(key_name, kind, type, field, at_least, at_most)                                     \
    {                                                                                              \
        .name = (key_name), .value = (kind), .offset = offsetof(struct type, field),               \
        .min = (at_least), .max = (at_most)                                                        \
    }
/* The key's entry; NULL, with an error, if it is unknown or not built. */
const struct key *key_find(struct definition_reader *reader, const struct tree_item *item,
                           const struct key *keys, size_t keys_count);
/* Read every member of a map by its key; anything but a map is an error. */
void keys_read(struct definition_reader *reader, const struct tree_node *node, const char *what,
               const struct key *keys, size_t keys_count, void *target);
/* The member of that name, or NULL. */
const struct tree_item *key_item(const struct tree_node *map, const char *name);
/* `; did you mean "x"?` for the nearest of the names, or "". In the arena. */
const char *suggest(struct definition_reader *reader, struct slice word, const char *const *names,
                    size_t names_count);

/* ---- definition_values.c: what a value means. False: an error was added ---- */

/* A text with ${NAME} replaced. */
bool value_text(struct definition_reader *reader, const struct tree_node *node, struct slice *out);
bool value_name(struct definition_reader *reader, const struct tree_node *node, const char *what,
                const char **out);
bool name_is_good(struct slice name);
bool value_duration(struct definition_reader *reader, const struct tree_node *node, int64_t min_ms,
                    int64_t max_ms, int64_t *out);
/* `a..b`, or one for both. */
bool value_duration_range(struct definition_reader *reader, const struct tree_node *node,
                          int64_t min_ms, int64_t max_ms, int64_t *out_min, int64_t *out_max);
bool value_bytes(struct definition_reader *reader, const struct tree_node *node, uint32_t min,
                 uint32_t max, uint32_t *out);
bool value_count(struct definition_reader *reader, const struct tree_node *node, uint32_t min,
                 uint32_t max, uint32_t *out);
bool slice_to_count(struct slice text, uint32_t min, uint32_t max, uint32_t *out);
bool value_expression(struct definition_reader *reader, const struct tree_node *node,
                      unsigned allowed, const struct expression **out);
/* One of the names; its index. */
bool value_choice(struct definition_reader *reader, const struct tree_node *node,
                  const char *const *names, size_t names_count, size_t *out);
/* A station of this line. */
bool value_station(struct definition_reader *reader, const struct tree_node *node, int32_t *out);
/* 90000 → "90s", the largest unit that is exact. `text` holds at least 32 bytes. */
void duration_print(int64_t ms, char *text, size_t text_bytes);
void bytes_print(uint64_t count, char *text, size_t text_bytes);
/* Memory from the reader's arena; NULL sets is_out_of_memory. */
void *reader_take(struct definition_reader *reader, size_t count, size_t size);
char *reader_copy(struct definition_reader *reader, struct slice text);

/* ---- One file for each part of a document ---- */

void station_read_all(struct definition_reader *reader, const struct tree_node *stations,
                      const struct tree_node *defaults);
void handler_read_exec(struct definition_reader *reader, const struct tree_node *node,
                       void *station);
void handler_read_stream(struct definition_reader *reader, const struct tree_node *node,
                         void *station);
void handler_read_cwd(struct definition_reader *reader, const struct tree_node *node,
                      void *station);
void handler_read_env(struct definition_reader *reader, const struct tree_node *node,
                      void *station);
/* After all keys of the station: the program is there, and its options have a handler. */
void handler_check(struct definition_reader *reader, struct definition_station *station,
                   const struct tree_node *node);
void next_read(struct definition_reader *reader, const struct tree_node *node, void *station);
void queue_read_of_station(struct definition_reader *reader, const struct tree_node *node,
                           void *station);
void queue_read_plain(struct definition_reader *reader, const struct tree_node *node);
void queue_complete_station(struct definition_reader *reader, struct definition_station *station);
void gateway_read(struct definition_reader *reader, const struct tree_node *node);
/* What follows from `next`, `join` and `wip_limit`, and what is wrong with it. */
void graph_conclude(struct definition_reader *reader);

#endif
