/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: the plain ones of `queues:`, and the settings of a station's own. SQS's names, units and
 * ranges, with the units written out.
 */
#include "line/definition_internal.h"

#define QUEUE_NAME_BYTES_MAX 80u
#define RECEIVE_COUNT_MAX 1000u

static bool queue_name_is_good(struct slice name) {
    if (name.count == 0 || name.count > QUEUE_NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.bytes[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
        if (!is_good) return false;
    }
    return true;
}

static const char *read_queue_name(struct definition_reader *reader, const struct tree_node *node) {
    struct slice text;
    if (!value_text(reader, node, &text)) return NULL;
    if (slice_ends_with(text, SLICE(".fifo"))) {
        READ_ERROR(reader, node->place, "a FIFO queue is not built yet in this version of takt");
    } else if (!queue_name_is_good(text)) {
        READ_ERROR(reader, node->place,
                   "`%.*s` cannot name a queue: letters, digits, `-` and `_`, at most %u",
                   SLICE_ARGS(text), QUEUE_NAME_BYTES_MAX);
    } else {
        return reader_copy(reader, text);
    }
    return NULL;
}

static void read_name(struct definition_reader *reader, const struct tree_node *node, void *queue) {
    const char *name = read_queue_name(reader, node);
    if (name != NULL) ((struct definition_queue *)queue)->name = name;
}

#define KEY_VISIBILITY                                                                             \
    KEY_OF("visibility", KEY_DURATION, definition_queue, visibility_ms, 0, DAY_MS / 2)
#define KEY_RETENTION                                                                              \
    KEY_OF("retention", KEY_DURATION, definition_queue, retention_ms, 60000, 14 * DAY_MS)
#define KEY_DELAY KEY_OF("delay", KEY_DURATION, definition_queue, delay_ms, 0, 900000)
#define KEY_MAX_MESSAGE                                                                            \
    KEY_OF("max_message", KEY_BYTES, definition_queue, message_bytes_max, 1024,                    \
           DEFINITION_MESSAGE_BYTES_MAX)

static void read_dead_to(struct definition_reader *reader, const struct tree_node *node,
                         void *queue) {
    ((struct definition_queue *)queue)->dead_name = read_queue_name(reader, node);
}

static void read_dead(struct definition_reader *reader, const struct tree_node *node, void *queue) {
    static const struct key keys[] = {
        {"to", read_dead_to},
        KEY_OF("after", KEY_COUNT, definition_queue, dead_after, 1, RECEIVE_COUNT_MAX),
    };
    keys_read(reader, node, "`dead`", keys, ARRAY_COUNT(keys), queue);
    if (node->kind == TREE_MAP && key_item(node, "to") == NULL) {
        READ_ERROR(reader, node->place, "`dead` needs `to`: the queue for what fails");
    }
}

void queue_read_of_station(struct definition_reader *reader, const struct tree_node *node,
                           void *target) {
    static const struct key keys[] = {
        {"name", read_name}, KEY_RETENTION,   KEY_DELAY,       KEY_MAX_MESSAGE,
        {"fifo", NULL},      {"group", NULL}, {"dedup", NULL}, {"tenant", NULL},
    };
    struct definition_station *station = target;
    keys_read(reader, node, "`queue`", keys, ARRAY_COUNT(keys), &station->queue);
}

void queue_complete_station(struct definition_reader *reader, struct definition_station *station) {
    struct definition_queue *queue = &station->queue;
    queue->place = station->place;
    if (queue->retention_ms == 0) queue->retention_ms = 14 * DAY_MS;
    if (queue->message_bytes_max == 0) queue->message_bytes_max = DEFINITION_MESSAGE_BYTES_MAX;
    const char *line = reader->definition->name;
    if (queue->name == NULL) {
        queue->name = arena_printf(reader->arena, "%s_%s", line == NULL ? "" : line, station->name);
    }
    queue->dead_name =
        queue->name == NULL ? NULL : arena_printf(reader->arena, "%s_dead", queue->name);
    if (queue->dead_name == NULL) {
        reader->is_out_of_memory = true;
    } else if (strlen(queue->dead_name) > QUEUE_NAME_BYTES_MAX) {
        READ_ERROR(reader, station->place,
                   "the name of its dead-letter queue, `%s`, is longer than %u", queue->dead_name,
                   QUEUE_NAME_BYTES_MAX);
    }
}

void queue_read_plain(struct definition_reader *reader, const struct tree_node *node) {
    static const struct key keys[] = {
        KEY_VISIBILITY, KEY_RETENTION,   KEY_DELAY,       KEY_MAX_MESSAGE,  {"dead", read_dead},
        {"fifo", NULL}, {"group", NULL}, {"dedup", NULL}, {"tenant", NULL},
    };
    if (node->kind != TREE_MAP || node->items_count > DEFINITION_QUEUES_MAX) {
        READ_ERROR(reader, node->place, "`queues` must be a map of names and settings, at most %u",
                   DEFINITION_QUEUES_MAX);
        return;
    }
    struct definition_queue *queues = reader_take(reader, node->items_count, sizeof *queues);
    if (queues == NULL) return;
    uint32_t count = 0;
    for (const struct tree_item *item = node->items; item != NULL; item = item->next) {
        struct definition_queue *queue = &queues[count];
        *queue = (struct definition_queue){.place = item->key->place,
                                           .name = read_queue_name(reader, item->key),
                                           .visibility_ms = 30000,
                                           .retention_ms = 4 * DAY_MS,
                                           .message_bytes_max = DEFINITION_MESSAGE_BYTES_MAX,
                                           .dead_after = 10};
        bool is_empty =
            item->value->kind == TREE_TEXT && item->value->is_plain && item->value->text.count == 0;
        if (!is_empty) {
            keys_read(reader, item->value, "a queue", keys, ARRAY_COUNT(keys), queue);
        }
        if (queue->name != NULL) count++;
    }
    reader->definition->queues = queues;
    reader->definition->queues_count = count;
}
