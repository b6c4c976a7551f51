/* SPDX-License-Identifier: Apache-2.0 */
/* kit.c -- what a kit holds. The parts of a split are put into its order once, when it closes: by
 * their indexes from the split inwards, then by number. */
#include "broker/lines_decide.h"

/* The indexes of a part below the split, from the outside in; gives how many. */
static uint32_t part_path(const struct broker *broker, uint32_t message, uint32_t split,
                          uint32_t out[BROKER_SPLIT_DEPTH_MAX]) {
    const struct piece *piece = message_piece(broker, message_at(broker, message));
    uint32_t inward[BROKER_SPLIT_DEPTH_MAX];
    uint32_t depth = 0;
    uint32_t index = piece->index;
    uint32_t at = piece->path_split;
    while (at != BROKER_NONE) {
        CHECK(depth < BROKER_SPLIT_DEPTH_MAX);
        inward[depth++] = index;
        if (at == split) break;
        index = split_at(broker, at)->parent_index;
        at = split_at(broker, at)->parent_split;
    }
    for (uint32_t i = 0; i < depth; i++) out[i] = inward[depth - 1 - i];
    return depth;
}

static bool part_is_before(const struct broker *broker, uint32_t split, uint32_t a, uint32_t b) {
    uint32_t a_path[BROKER_SPLIT_DEPTH_MAX];
    uint32_t b_path[BROKER_SPLIT_DEPTH_MAX];
    uint32_t a_depth = part_path(broker, a, split, a_path);
    uint32_t b_depth = part_path(broker, b, split, b_path);
    for (uint32_t i = 0; i < a_depth && i < b_depth; i++) {
        if (a_path[i] != b_path[i]) return a_path[i] < b_path[i];
    }
    if (a_depth != b_depth) return a_depth < b_depth;
    return message_at(broker, a)->thing.number < message_at(broker, b)->thing.number;
}

static uint32_t *next_of(const struct broker *broker, uint32_t message) {
    return &message_piece(broker, message_at(broker, message))->next;
}

/* One ordered list of two; `next` alone is kept up. */
static uint32_t merge(const struct broker *broker, uint32_t split, uint32_t a, uint32_t b) {
    uint32_t first = BROKER_NONE;
    uint32_t *link = &first;
    while (a != BROKER_NONE && b != BROKER_NONE) {
        bool takes_b = part_is_before(broker, split, b, a);
        uint32_t *from = takes_b ? &b : &a;
        *link = *from;
        link = next_of(broker, *from);
        *from = *link;
    }
    *link = a != BROKER_NONE ? a : b;
    return first;
}

/* Bottom up: runs[i] holds 2^i parts in order, or none. */
void kit_sort_parts(struct broker *broker, uint32_t slot) {
    struct split *split = split_at(broker, slot);
    uint32_t runs[32];
    for (uint32_t i = 0; i < ARRAY_COUNT(runs); i++) runs[i] = BROKER_NONE;
    for (uint32_t at = split->parts_first; at != BROKER_NONE;) {
        uint32_t run = at;
        at = *next_of(broker, run);
        *next_of(broker, run) = BROKER_NONE;
        uint32_t i = 0;
        for (; runs[i] != BROKER_NONE; i++) {
            run = merge(broker, slot, runs[i], run);
            runs[i] = BROKER_NONE;
        }
        runs[i] = run;
    }
    uint32_t all = BROKER_NONE;
    for (uint32_t i = 0; i < ARRAY_COUNT(runs); i++) {
        if (runs[i] != BROKER_NONE) all = merge(broker, slot, runs[i], all);
    }
    split->parts_first = all;
    split->parts_last = BROKER_NONE;
    for (uint32_t at = all; at != BROKER_NONE; at = *next_of(broker, at)) {
        message_piece(broker, message_at(broker, at))->previous = split->parts_last;
        split->parts_last = at;
    }
}

uint32_t broker_kit_parts(const struct broker *broker, struct broker_ref ref, uint32_t first,
                          struct kit_part *out, uint32_t max) {
    const struct message *message = thing_find(broker, THING_MESSAGE, ref);
    if (message == NULL || !message->is_kit) return 0;
    const struct split *split = split_at(broker, message_piece(broker, message)->kit_split);
    uint32_t at = split->parts_first;
    for (uint32_t i = 0; at != BROKER_NONE && i < first; i++) at = *next_of(broker, at);
    for (uint32_t i = 0; at != BROKER_NONE && i < max; i++) {
        const struct piece *piece = message_piece(broker, message_at(broker, at));
        uint32_t path[BROKER_SPLIT_DEPTH_MAX];
        (void)part_path(broker, at, piece->counting_split, path);
        out[i] = (struct kit_part){
            .from = queue_at(broker, piece->from)->station,
            .each = piece->is_each,
            .index = path[0],
            .body = message_body_ref(message_at(broker, at)),
        };
        at = piece->next;
    }
    return split->parts_count;
}
