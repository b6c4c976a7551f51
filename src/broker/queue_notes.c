/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/queue_notes.h"

#include "base/codec.h"

#define COUNT_BYTES 4u

bool queue_notes_next(struct slice *rest, struct queue_note *out) {
    if (rest->count == 0) return false;
    struct decoder in = {.rest = *rest};
    out->name = decode_slice(&in);
    out->value = decode_slice(&in);
    if (in.failed) return false;
    if (out->value.bytes == NULL) out->value = SLICE(""); /* empty is not missing */
    *rest = in.rest;
    return true;
}

struct slice queue_notes_find(struct slice notes, struct slice name) {
    struct queue_note note;
    while (queue_notes_next(&notes, &note)) {
        if (slice_equal(note.name, name)) return note.value;
    }
    return SLICE_EMPTY;
}

bool queue_notes_are_sound(struct slice notes) {
    if (notes.count > QUEUE_NOTES_BYTES_MAX) return false;
    struct slice before = SLICE_EMPTY;
    struct queue_note note;
    uint32_t count = 0;
    for (; queue_notes_next(&notes, &note); count++) {
        if (slice_compare(note.name, before) <= 0) return false;
        before = note.name;
    }
    return notes.count == 0 && count <= QUEUE_NOTES_MAX;
}

size_t queue_notes_bytes_max(struct slice notes, const struct queue_note *changes,
                             uint32_t changes_count) {
    size_t bytes_count = notes.count;
    for (uint32_t i = 0; i < changes_count; i++) {
        bytes_count += 2 * COUNT_BYTES + changes[i].name.count + changes[i].value.count;
    }
    return bytes_count;
}

/* The change with the least name behind `after`, the last one of that name; or NULL. */
static const struct queue_note *next_change(const struct queue_note *changes, uint32_t count,
                                            struct slice after) {
    const struct queue_note *next = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (slice_compare(changes[i].name, after) <= 0) continue;
        if (next == NULL || slice_compare(changes[i].name, next->name) <= 0) next = &changes[i];
    }
    return next;
}

static size_t put(char *out, struct slice text) {
    encode_u32_at(out, (uint32_t)text.count);
    if (text.count > 0) memcpy(out + COUNT_BYTES, text.bytes, text.count);
    return COUNT_BYTES + text.count;
}

size_t queue_notes_write(char *out, struct slice notes, const struct queue_note *changes,
                         uint32_t changes_count, uint32_t *count) {
    size_t bytes_count = 0;
    struct queue_note present;
    bool has_present = queue_notes_next(&notes, &present);
    const struct queue_note *change = next_change(changes, changes_count, SLICE_EMPTY);
    *count = 0;
    while (has_present || change != NULL) {
        int order = !has_present     ? 1
                    : change == NULL ? -1
                                     : slice_compare(present.name, change->name);
        const struct queue_note *next = order < 0 ? &present : change;
        if (next->value.bytes != NULL) {
            bytes_count += put(out + bytes_count, next->name);
            bytes_count += put(out + bytes_count, next->value);
            ++*count;
        }
        if (order >= 0) change = next_change(changes, changes_count, change->name);
        if (order <= 0) has_present = queue_notes_next(&notes, &present);
    }
    return bytes_count;
}
