/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_tags.c -- a queue's tags: kept as notes "tag:KEY". */
#include "sqs/message.h"
#include "sqs/sqs_settings.h"

#define KEY_CHARACTERS_MAX 128u
#define VALUE_CHARACTERS_MAX 256u

static const struct slice prefix = {SQS_TAG_PREFIX, sizeof SQS_TAG_PREFIX - 1};

static size_t count_characters(struct slice text) {
    size_t count = 0;
    for (size_t i = 0; i < text.count; i++) count += ((unsigned char)text.bytes[i] & 0xC0) != 0x80;
    return count;
}

static bool check_key(struct slice key, struct sqs_fault *fault) {
    size_t count = count_characters(key);
    if (count < 1 || count > KEY_CHARACTERS_MAX) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Tag keys must be between 1 and %u characters in length.",
                        KEY_CHARACTERS_MAX);
    }
    struct slice begin = slice_from(key.bytes, key.count < 4 ? key.count : 4);
    if (slice_equal_ignore_case(begin, SLICE("aws:"))) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Tag keys cannot start with the prefix \"aws:\".");
    }
    if (sqs_message_has_valid_characters(key)) return true;
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE, "A tag key has a character that is invalid.");
}

static bool check_value(struct slice value, struct sqs_fault *fault) {
    if (count_characters(value) > VALUE_CHARACTERS_MAX) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Tag values must be between 0 and %u characters in length.",
                        VALUE_CHARACTERS_MAX);
    }
    if (sqs_message_has_valid_characters(value)) return true;
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "A tag value has a character that is invalid.");
}

static bool add_note(struct sqs_change *change, struct slice key, struct slice value) {
    const char *name =
        arena_printf(sqs_call_arena(change->call), SQS_TAG_PREFIX "%.*s", SLICE_ARGS(key));
    if (name == NULL) return sqs_fail_result(change->fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    sqs_change_note(change, slice_from(name, prefix.count + key.count), value);
    return true;
}

/* How many there will be: those that are there and stay, and those that are new. */
static uint32_t count_after(const struct sqs_change *change) {
    uint32_t count = 0;
    struct slice rest = change->is_new ? SLICE_EMPTY : change->present.notes;
    struct queue_note note;
    while (queue_notes_next(&rest, &note)) count += slice_starts_with(note.name, prefix);
    for (uint32_t i = 0; i < change->command->notes_count; i++) {
        if (!slice_starts_with(change->notes[i].name, prefix)) continue;
        bool is_there =
            !change->is_new &&
            queue_notes_find(change->present.notes, change->notes[i].name).bytes != NULL;
        count += !is_there;
    }
    return count;
}

bool sqs_tags_read(struct sqs_change *change, const struct sqs_pairs *tags) {
    for (uint32_t i = 0; i < tags->count; i++) {
        const struct sqs_pair *tag = &tags->items[i];
        struct slice value = tag->value.bytes == NULL ? SLICE("") : tag->value;
        if (!check_key(tag->name, change->fault) || !check_value(value, change->fault) ||
            !add_note(change, tag->name, value))
            return false;
    }
    if (tags->count == 0 || count_after(change) <= SQS_TAGS_MAX) return true;
    return sqs_fail(change->fault, SQS_ERROR_PARAMETER_VALUE, "Too many tags added for queue %.*s.",
                    SLICE_ARGS(change->command->name));
}

bool sqs_tags_remove(struct sqs_change *change, const struct sqs_texts *keys) {
    for (uint32_t i = 0; i < keys->count; i++) {
        if (!add_note(change, keys->items[i], SLICE_EMPTY)) return false;
    }
    return true;
}

void sqs_tags_write(const struct queue_view *view, struct sqs_writer *writer) {
    struct slice rest = view->notes;
    struct queue_note note;
    writer->protocol->map_begin(writer, SLICE("Tags"));
    while (queue_notes_next(&rest, &note)) {
        if (!slice_starts_with(note.name, prefix)) continue;
        writer->protocol->map_text(writer, SLICE("Tag"), slice_skip(note.name, prefix.count),
                                   note.value);
    }
    writer->protocol->map_end(writer);
}
