/* SPDX-License-Identifier: Apache-2.0 */
/* line_put.c -- a line file comes into force. */
#include "base/hash.h"
#include "broker/lines_decide.h"

uint32_t line_find(const struct broker *broker, struct slice name) {
    const struct pool *lines = &broker->pools[THING_LINE];
    for (uint32_t slot = pool_next_taken(lines, 0); slot != BROKER_NONE;
         slot = pool_next_taken(lines, slot + 1)) {
        const struct line *line = line_at(broker, slot);
        if (slice_equal(slice_from(line->name, line->name_count), name)) return slot;
    }
    return BROKER_NONE;
}

/* Waiting messages, dead letters, kits: what a removed station would leave without a home. */
static bool has_backlog(const struct broker *broker, const struct line_station_state *state) {
    const struct queue *queue = queue_at(broker, state->queue);
    const struct queue *dead_queue = queue_at(broker, state->dead_queue);
    if (station_wip(broker, queue) > 0 || station_wip(broker, dead_queue) > 0) return true;
    if (queue->sessions_count > 0 || queue->waiting_kits > 0) return true;
    const struct pool *splits = &broker->pools[THING_SPLIT];
    for (uint32_t slot = pool_next_taken(splits, 0); slot != BROKER_NONE;
         slot = pool_next_taken(splits, slot + 1)) {
        const struct split *split = split_at(broker, slot);
        if (split->join == state->queue || split->opener == state->queue) return true;
    }
    const struct pool *pieces = &broker->pools[THING_PIECE];
    for (uint32_t slot = pool_next_taken(pieces, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pieces, slot + 1)) {
        if (piece_at(broker, slot)->from == state->queue) return true;
    }
    return broker->pools[THING_ROLL].count > 0; /* a roll may go there: it is soon over */
}

/* The queue is there, but not as this station's. */
static bool name_is_taken(struct deciding *deciding, const struct line *line, struct slice name,
                          enum queue_kind kind) {
    const struct queue *queue = queue_find(deciding->broker, name);
    if (queue == NULL) return false;
    bool is_ours = line != NULL && queue->kind == kind && queue->line_number == line->thing.number;
    if (is_ours) return false;
    refuse_printf(deciding, BROKER_QUEUE_EXISTS,
                  "There is already a queue %.*s that is not a station's of this line.",
                  SLICE_ARGS(name));
    return true;
}

/* False: refused. */
static bool names_are_free(struct deciding *deciding, const struct line *line) {
    const struct command_line_put *put = &deciding->command->line_put;
    for (uint32_t i = 0; i < put->stations_count; i++) {
        if (put->stations[i].queue.count > BROKER_NAME_BYTES_MAX ||
            put->stations[i].dead_queue.count > BROKER_NAME_BYTES_MAX ||
            put->stations[i].queue.count == 0 || put->stations[i].dead_queue.count == 0) {
            refuse_printf(deciding, BROKER_VALUE_INVALID, "A queue's name has 1 to %u bytes.",
                          BROKER_NAME_BYTES_MAX);
            return false;
        }
        if (name_is_taken(deciding, line, put->stations[i].queue, QUEUE_STATION)) return false;
        if (name_is_taken(deciding, line, put->stations[i].dead_queue, QUEUE_STATION_DEAD)) {
            return false;
        }
    }
    return true;
}

/* False: refused. */
static bool removed_are_empty(struct deciding *deciding, const struct line *line) {
    const struct command_line_put *put = &deciding->command->line_put;
    for (uint32_t i = 0; line != NULL && i < line->stations_count; i++) {
        const struct line_station_state *state = &line->stations[i];
        bool stays = line_names_queue(put, state->settings.queue) &&
                     line_names_queue(put, state->settings.dead_queue);
        if (stays || !has_backlog(deciding->broker, state)) continue;
        refuse_printf(deciding, BROKER_VALUE_INVALID,
                      "The station %.*s is not in the new file, but jobs still need it.",
                      SLICE_ARGS(state->settings.name));
        return false;
    }
    return true;
}

static bool is_same(const struct deciding *deciding, const struct line *line) {
    const struct command_line_put *put = &deciding->command->line_put;
    if (put->keep_jobs_ms != line->keep_jobs_ms || put->stations_count != line->stations_count) {
        return false;
    }
    if (line->file.count != put->file.count ||
        line->file.checksum32 != body_checksum32(put->file)) {
        return false;
    }
    struct buffer a;
    struct buffer b;
    buffer_open(&a, deciding->broker->allocator, SIZE_MAX);
    buffer_open(&b, deciding->broker->allocator, SIZE_MAX);
    for (uint32_t i = 0; i < put->stations_count; i++) {
        line_station_encode(&a, &put->stations[i]);
        line_station_encode(&b, &line->stations[i].settings);
    }
    bool same = !a.failed && !b.failed && slice_equal(buffer_slice(&a), buffer_slice(&b));
    buffer_close(&a);
    buffer_close(&b);
    return same;
}

void decide_line_put(struct deciding *deciding) {
    const struct command_line_put *put = &deciding->command->line_put;
    const struct broker *broker = deciding->broker;
    if (put->name.count == 0 || put->name.count > BROKER_NAME_BYTES_MAX ||
        put->stations_count == 0 || put->stations_count > BROKER_STATIONS_MAX) {
        refuse_printf(deciding, BROKER_VALUE_INVALID, "A line has a name and 1 to %u stations.",
                      BROKER_STATIONS_MAX);
        return;
    }
    uint32_t slot = line_find(broker, put->name);
    const struct line *line = slot == BROKER_NONE ? NULL : line_at(broker, slot);
    struct broker_ref ref = ref_at(broker, THING_LINE, slot);
    if (line != NULL && is_same(deciding, line)) {
        deciding->decision->answer.line_put.line = ref;
        return;
    }
    if (!names_are_free(deciding, line) || !removed_are_empty(deciding, line)) return;
    record_begin(deciding, RECORD_LINE_PUT);
    if (line == NULL) ref = new_line_ref(deciding);
    effect_line(deciding, put, ref, record_body(deciding, put->file));
    deciding->decision->answer.line_put.line = ref;
}
