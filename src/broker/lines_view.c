/* SPDX-License-Identifier: Apache-2.0 */
/* lines_view.c -- lines, stations and jobs as plain values; and the events of stations. */
#include "broker/handoff.h"

/* ---- lines ------------------------------------------------------------------------------------ */

static bool line_fill(const struct broker *broker, uint32_t slot, struct line_view *out) {
    if (slot == BROKER_NONE) return false;
    const struct line *line = line_at(broker, slot);
    *out = (struct line_view){
        .ref = ref_at(broker, THING_LINE, slot),
        .name = slice_from(line->name, line->name_count),
        .file = line->file,
        .stations_count = line->stations_count,
        .stations = line->view,
    };
    return true;
}

bool broker_find_line(const struct broker *broker, struct slice name, struct line_view *out) {
    return line_fill(broker, line_find(broker, name), out);
}
bool broker_get_line(const struct broker *broker, struct broker_ref ref, struct line_view *out) {
    if (thing_find(broker, THING_LINE, ref) == NULL) return false;
    return line_fill(broker, ref.slot, out);
}
bool broker_line_at(const struct broker *broker, uint32_t index, struct line_view *out) {
    /* Lines are never removed, so their slots are 0, 1, 2, … */
    if (pool_find(&broker->pools[THING_LINE], index) == NULL) return false;
    return line_fill(broker, index, out);
}

bool broker_get_station(const struct broker *broker, struct broker_ref ref, uint32_t index,
                        struct station_view *out) {
    const struct line *line = thing_find(broker, THING_LINE, ref);
    if (line == NULL || index >= line->stations_count) return false;
    struct station station = station_at(broker, line, index);
    *out = (struct station_view){
        .dead_count = store_count(queue_store(broker, station.dead_queue)),
        .wip_count = station_wip(broker, station.queue),
        .waiting_kits = station.queue->waiting_kits,
        .sessions_count = station.queue->sessions_count,
        .is_full = station_is_full(broker, line, index),
        .gate = station_full_gate(broker, line, index),
    };
    out->is_gated = out->gate != BROKER_NONE;
    if (!out->is_gated) out->gate = 0;
    return broker_get_queue(broker, queue_ref(station.queue), &out->queue);
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static bool job_fill(const struct broker *broker, uint32_t slot, struct job_view *out) {
    if (slot == BROKER_NONE) return false;
    const struct job *job = job_at(broker, slot);
    *out = (struct job_view){
        .ref = ref_at(broker, THING_JOB, slot),
        .line = {job->line_number, job->line},
        .state = (enum job_state)job->state,
        .started.ms = job->started_ms,
        .ended.ms = job->ended_ms,
        .living_count = job->living_count,
        .dead_count = job->dead_count,
        .order = job->order,
        .result = job->result,
        .history = job->history,
        .early = job->early,
        .error = job->error,
        .key = slice_from(job->key, job->key_count),
    };
    memcpy(out->id, job->id, sizeof out->id);
    return true;
}

bool broker_find_job(const struct broker *broker, const uint8_t id[16], struct job_view *out) {
    return job_fill(broker, job_find_id(broker, id), out);
}
bool broker_get_job(const struct broker *broker, struct broker_ref ref, struct job_view *out) {
    if (thing_find(broker, THING_JOB, ref) == NULL) return false;
    return job_fill(broker, ref.slot, out);
}

/* The newest one that is older than that number. */
static uint32_t job_before(const struct broker *broker, uint64_t before, struct slice key) {
    uint32_t slot = job_find_number(broker, before);
    if (slot != BROKER_NONE) {
        const struct job *job = job_at(broker, slot);
        return key.count > 0 ? job->key_older : job->older;
    }
    slot = key.count > 0 ? job_find_key(broker, key) : broker->jobs_newest;
    while (slot != BROKER_NONE && job_at(broker, slot)->thing.number >= before) {
        slot = key.count > 0 ? job_at(broker, slot)->key_older : job_at(broker, slot)->older;
    }
    return slot;
}

bool broker_next_job(const struct broker *broker, uint64_t before, struct slice key,
                     struct job_view *out) {
    return job_fill(broker, job_before(broker, before == 0 ? UINT64_MAX : before, key), out);
}

void broker_job_places(const struct broker *broker, struct broker_ref ref,
                       struct job_place places[BROKER_STATIONS_MAX]) {
    memset(places, 0, BROKER_STATIONS_MAX * sizeof *places);
    const struct job *job = thing_find(broker, THING_JOB, ref);
    if (job == NULL) return;
    for (uint32_t at = job->messages_first; at != BROKER_NONE;) {
        const struct message *message = message_at(broker, at);
        const struct piece *piece = message_piece(broker, message);
        at = piece->job_next;
        bool is_placed = message->place == PLACE_LEASED || message->place == PLACE_PART ||
                         message_queue(broker, message) != NULL;
        if (!is_placed) continue; /* purged: the sweep takes it */
        struct job_place *place = &places[station_of_message(broker, message).index];
        if (piece->is_dead) {
            place->dead++;
        } else if (message->place == PLACE_PART) {
            place->in_kit++;
        } else if (message->place == PLACE_LEASED) {
            place->in_flight++;
        } else {
            place->waiting++;
        }
    }
}

/* ---- events ----------------------------------------------------------------------------------- */

void station_got_visible(struct broker *broker, const struct queue *queue) {
    if (broker->is_replaying) return;
    line_at(broker, queue->line)->event_stations |= 1ull << queue->station;
    event_add(broker, THING_LINE, queue->line);
}

/* A station has stopped being full: those that it stopped may start again. */
static void open_gate(struct broker *broker, uint32_t slot, uint32_t index) {
    struct line *line = line_at(broker, slot);
    line->event_stations |= 1ull << index;
    for (uint32_t i = 0; i < line->stations_count; i++) {
        if ((line->stations[i].settings.gates >> index & 1) != 0) line->event_stations |= 1ull << i;
    }
    event_add(broker, THING_LINE, slot);
    broker->roll_is_stale = true;
}

void line_count_full(const struct broker *broker, struct line *line) {
    line->limited = line->full = 0;
    for (uint32_t i = 0; i < line->stations_count; i++) {
        if (line->stations[i].settings.wip_limit > 0) line->limited |= 1ull << i;
        if (station_is_full(broker, line, i)) line->full |= 1ull << i;
    }
}

void lines_applied(struct broker *broker) {
    const struct pool *lines = &broker->pools[THING_LINE];
    for (uint32_t slot = pool_next_taken(lines, 0); slot != BROKER_NONE;
         slot = pool_next_taken(lines, slot + 1)) {
        struct line *line = line_at(broker, slot);
        for (uint64_t limited = line->limited; limited != 0; limited &= limited - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(limited);
            bool is_full = station_is_full(broker, line, i);
            bool was_full = (line->full >> i & 1) != 0;
            if (is_full == was_full) continue;
            line->full ^= 1ull << i;
            if (was_full) open_gate(broker, slot, i);
            broker->roll_is_stale = true;
        }
    }
    if (broker->roll_is_stale) roll_find_next(broker);
}
