/* SPDX-License-Identifier: Apache-2.0 */
/* Which key is meant. A key that nobody knows is never ignored: it is a typing mistake, a word of
 * another tool, or a part of takt that this version does not have.
 */
#include "line/definition_internal.h"

#define WORD_BYTES_MAX 40u /* longer ones get no suggestion */

/* What other tools call it. */
static const struct {
    const char *theirs;
    const char *ours;
} pointers[] = {
    {"environment", "`env`"},
    {"working_dir", "`cwd`"},
    {"workdir", "`cwd`"},
    {"replicas", "`workers`"},
    {"scale", "`workers`"},
    {"containerConcurrency", "`concurrency`"},
    {"BatchSize", "`batch.size`"},
    {"MaximumBatchingWindowInSeconds", "`batch.window`"},
    {"depends_on", "`next` of the station before"},
    {"needs", "`next` of the station before"},
    {"command", "`exec` or `stream`"},
    {"entrypoint", "`exec` or `stream`"},
    {"image", "`stream: podman run -i --rm IMAGE`"},
    {"services", "`stations`"},
    {"steps", "`stations`"},
    {"jobs", "`stations`"},
    {"routes", "`gateway`"},
    {"VisibilityTimeout", "`visibility`"},
    {"MessageRetentionPeriod", "`retention`"},
    {"DelaySeconds", "`delay`"},
    {"MaximumMessageSize", "`max_message`"},
    {"maxReceiveCount", "`dead.after`"},
    {"RedrivePolicy", "`dead`"},
    {"deadLetterTargetArn", "`dead.to`"},
    {"maxRetries", "`retry.attempts`"},
    {"retries", "`retry.attempts`"},
};

static char lower(char c) {
    if (c >= 'A' && c <= 'Z') return (char)(c + 32);
    return c;
}

/* Insertions, deletions and replacements from one word to the other; letters' case is free. */
static size_t edit_distance(struct slice a, struct slice b) {
    size_t row[WORD_BYTES_MAX + 1];
    if (a.count > WORD_BYTES_MAX || b.count > WORD_BYTES_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b.count; j++) row[j] = j;
    for (size_t i = 1; i <= a.count; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.count; j++) {
            size_t above = row[j];
            size_t replaced = diagonal + (lower(a.bytes[i - 1]) != lower(b.bytes[j - 1]));
            size_t shorter = (above < row[j - 1] ? above : row[j - 1]) + 1;
            row[j] = replaced < shorter ? replaced : shorter;
            diagonal = above;
        }
    }
    return row[b.count];
}

/* The index of the nearest name that is near enough to be meant (one letter in a short word, three
 * in a long one), or names_count. */
static size_t nearest(struct slice word, const char *const *names, size_t names_count) {
    size_t best = names_count;
    size_t best_distance = word.count < 4 ? 2 : (word.count < 7 ? 3 : 4);
    for (size_t i = 0; i < names_count; i++) {
        size_t distance = edit_distance(word, slice_from_string(names[i]));
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = i;
    }
    return best;
}

const char *suggest(struct definition_reader *reader, struct slice word, const char *const *names,
                    size_t names_count) {
    size_t best = nearest(word, names, names_count);
    if (best == names_count) return "";
    const char *text = arena_printf(reader->arena, "; did you mean \"%s\"?", names[best]);
    if (text == NULL) reader->is_out_of_memory = true;
    return text == NULL ? "" : text;
}

static void refuse_key(struct definition_reader *reader, const struct tree_node *node,
                       const struct key *keys, size_t keys_count) {
    for (size_t i = 0; i < ARRAY_COUNT(pointers); i++) {
        if (!slice_equal_string(node->text, pointers[i].theirs)) continue;
        READ_ERROR(reader, node->place, "unknown key `%s`; in a line file this is %s",
                   pointers[i].theirs, pointers[i].ours);
        return;
    }
    const char *names[64];
    CHECK(keys_count <= ARRAY_COUNT(names));
    for (size_t i = 0; i < keys_count; i++) names[i] = keys[i].name;
    READ_ERROR(reader, node->place, "unknown key `%.*s`%s", SLICE_ARGS(node->text),
               suggest(reader, node->text, names, keys_count));
}

const struct key *key_find(struct definition_reader *reader, const struct tree_item *item,
                           const struct key *keys, size_t keys_count) {
    for (size_t i = 0; i < keys_count; i++) {
        if (!slice_equal_string(item->key->text, keys[i].name)) continue;
        if (keys[i].read != NULL || keys[i].value != KEY_NONE) return &keys[i];
        READ_ERROR(reader, item->key->place, "`%s` is not built yet in this version of takt",
                   keys[i].name);
        return NULL;
    }
    refuse_key(reader, item->key, keys, keys_count);
    return NULL;
}

static void read_value(struct definition_reader *reader, const struct key *key,
                       const struct tree_node *node, void *target) {
    void *field = (char *)target + key->offset;
    uint32_t min = (uint32_t)key->min;
    uint32_t max = (uint32_t)key->max;
    switch (key->value) {
    case KEY_NONE: key->read(reader, node, target); break;
    case KEY_DURATION: (void)value_duration(reader, node, key->min, key->max, field); break;
    case KEY_COUNT: (void)value_count(reader, node, min, max, field); break;
    case KEY_BYTES: (void)value_bytes(reader, node, min, max, field); break;
    }
}

void keys_read(struct definition_reader *reader, const struct tree_node *node, const char *what,
               const struct key *keys, size_t keys_count, void *target) {
    if (node->kind != TREE_MAP) {
        READ_ERROR(reader, node->place, "%s must be a map of keys and values", what);
        return;
    }
    for (const struct tree_item *item = node->items; item != NULL; item = item->next) {
        const struct key *key = key_find(reader, item, keys, keys_count);
        if (key != NULL) read_value(reader, key, item->value, target);
    }
}

const struct tree_item *key_item(const struct tree_node *map, const char *name) {
    if (map == NULL || map->kind != TREE_MAP) return NULL;
    for (const struct tree_item *item = map->items; item != NULL; item = item->next) {
        if (slice_equal_string(item->key->text, name)) return item;
    }
    return NULL;
}
