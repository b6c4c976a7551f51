/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/lines_decide.h"

#include <stdio.h>

/* ---- stations --------------------------------------------------------------------------------- */

struct station station_at(const struct broker *broker, const struct line *line, uint32_t index) {
    CHECK(index < line->stations_count);
    const struct line_station_state *state = &line->stations[index];
    return (struct station){
        .line = line,
        .index = index,
        .settings = &state->settings,
        .queue = queue_at(broker, state->queue),
        .dead_queue = queue_at(broker, state->dead_queue),
    };
}

struct station station_of(const struct broker *broker, const struct queue *queue) {
    CHECK(queue->kind != QUEUE_PLAIN);
    return station_at(broker, line_at(broker, queue->line), queue->station);
}

struct slice station_dead_name(const struct broker *broker, const struct queue *queue) {
    return station_of(broker, queue).settings->dead_queue;
}

struct station station_of_message(const struct broker *broker, const struct message *message) {
    const struct piece *piece = message_piece(broker, message);
    if (message->place == PLACE_LEASED) {
        return station_of(broker, queue_at(broker, session_at(broker, piece->session)->queue));
    }
    if (message->place == PLACE_PART) {
        return station_of(broker, queue_at(broker, split_at(broker, piece->counting_split)->join));
    }
    return station_of(broker, message_queue(broker, message));
}

uint64_t station_wip(const struct broker *broker, const struct queue *queue) {
    const struct store *store = queue_store(broker, queue);
    return (uint64_t)store_count(store) + store->leased_count;
}

bool station_is_full(const struct broker *broker, const struct line *line, uint32_t index) {
    const struct line_station_state *state = &line->stations[index];
    uint32_t limit = state->settings.wip_limit;
    return limit > 0 && station_wip(broker, queue_at(broker, state->queue)) >= limit;
}

uint32_t station_full_gate(const struct broker *broker, const struct line *line, uint32_t index) {
    uint64_t gates = line->stations[index].settings.gates;
    while (gates != 0) {
        uint32_t gate = (uint32_t)__builtin_ctzll(gates);
        gates &= gates - 1;
        if (gate < line->stations_count && station_is_full(broker, line, gate)) return gate;
    }
    return BROKER_NONE;
}

/* What is at the gate, and what must still pass it: the messages at stations before it that have
 * no limit of their own. */
static uint64_t wip_up_to(const struct broker *broker, const struct line *line, uint32_t gate) {
    uint64_t count = station_wip(broker, queue_at(broker, line->stations[gate].queue));
    for (uint32_t i = 0; i < line->stations_count; i++) {
        const struct line_station_state *state = &line->stations[i];
        bool is_before = (state->settings.gates >> gate & 1) != 0;
        if (i == gate || !is_before || state->settings.wip_limit > 0) continue;
        count += station_wip(broker, queue_at(broker, state->queue));
    }
    return count;
}

uint32_t station_shut_by(const struct broker *broker, const struct line *line, uint32_t index,
                         uint32_t taken) {
    const struct line_station_state *door = &line->stations[index];
    uint64_t own = station_wip(broker, queue_at(broker, door->queue)) + taken;
    if (door->settings.wip_limit > 0 && own >= door->settings.wip_limit) return index;
    uint64_t gates = door->settings.gates;
    while (gates != 0) {
        uint32_t gate = (uint32_t)__builtin_ctzll(gates);
        gates &= gates - 1;
        if (gate >= line->stations_count) continue;
        uint64_t count = wip_up_to(broker, line, gate) + taken;
        if (count >= line->stations[gate].settings.wip_limit) return gate;
    }
    return BROKER_NONE;
}

bool slots_open(struct deciding *deciding, struct slots *slots, uint32_t max) {
    *slots = (struct slots){.list = deciding_take(deciding, max, sizeof *slots->list), .max = max};
    if (slots->list == NULL) deciding->decision->record.failed = true;
    return slots->list != NULL;
}

/* The one at `at` moves down, in steps of the gap, to where it belongs. */
static void sink(uint32_t *list, uint32_t at, uint32_t gap) {
    uint32_t slot = list[at];
    for (; at >= gap && list[at - gap] > slot; at -= gap) list[at] = list[at - gap];
    list[at] = slot;
}

/* Shell sort: the lists have at most BROKER_STEP_MAX. */
void slots_sort(struct slots *slots) {
    static const uint32_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < ARRAY_COUNT(gaps); g++) {
        for (uint32_t i = gaps[g]; i < slots->count; i++) sink(slots->list, i, gaps[g]);
    }
}

/* ---- paths ------------------------------------------------------------------------------------ */

/* The join can be reached from the station. */
static bool join_is_ahead(const struct broker *broker, const struct station *station,
                          uint32_t join) {
    if (join == BROKER_NONE) return false;
    const struct queue *queue = queue_at(broker, join);
    return queue->line == station->queue->line &&
           (station->settings->reach >> queue->station & 1) != 0;
}

struct arrival path_arrive(const struct broker *broker, const struct new_split *fresh,
                           uint32_t path_split, const struct station *to) {
    uint32_t here = to->queue->slot;
    if (fresh != NULL && fresh->join == here) return (struct arrival){fresh->ref, true, false};
    if (fresh != NULL && join_is_ahead(broker, to, fresh->join)) {
        return (struct arrival){fresh->ref, false, false};
    }
    for (uint32_t slot = path_split; slot != BROKER_NONE;) {
        const struct split *split = split_at(broker, slot);
        struct broker_ref ref = ref_at(broker, THING_SPLIT, slot);
        if (split->join == here) return (struct arrival){ref, true, split->is_closed};
        if (join_is_ahead(broker, to, split->join)) return (struct arrival){ref, false, false};
        slot = split->parent_split;
    }
    return (struct arrival){0};
}

struct broker_ref path_counting(const struct broker *broker, uint32_t path_split,
                                const struct station *at) {
    for (uint32_t slot = path_split; slot != BROKER_NONE;) {
        const struct split *split = split_at(broker, slot);
        if (join_is_ahead(broker, at, split->join)) return ref_at(broker, THING_SPLIT, slot);
        slot = split->parent_split;
    }
    return (struct broker_ref){0};
}

uint32_t path_depth(const struct broker *broker, uint32_t path_split) {
    uint32_t depth = 0;
    while (path_split != BROKER_NONE) {
        CHECK(depth < BROKER_SPLIT_DEPTH_MAX);
        depth++;
        path_split = split_at(broker, path_split)->parent_split;
    }
    return depth;
}

void path_write(const struct broker *broker, uint32_t path_split, uint32_t index, uint32_t visit,
                char out[BROKER_TASK_PATH_BYTES_MAX]) {
    uint32_t indexes[BROKER_SPLIT_DEPTH_MAX];
    uint32_t visits[BROKER_SPLIT_DEPTH_MAX]; /* of the message that opened the split */
    uint32_t depth = 0;
    while (path_split != BROKER_NONE) {
        CHECK(depth < BROKER_SPLIT_DEPTH_MAX);
        const struct split *split = split_at(broker, path_split);
        indexes[depth] = index;
        visits[depth++] = split->visit;
        index = split->parent_index;
        path_split = split->parent_split;
    }
    size_t count = 0;
    out[0] = 0;
    while (depth > 0) {
        depth--;
        char mark[16] = "";
        if (visits[depth] > 0) (void)snprintf(mark, sizeof mark, "~%u.", visits[depth]);
        const char *dot = count > 0 && mark[0] == 0 ? "." : "";
        int more = snprintf(out + count, BROKER_TASK_PATH_BYTES_MAX - count, "%s%s%u", dot, mark,
                            indexes[depth]);
        count += (size_t)more;
        CHECK(count < BROKER_TASK_PATH_BYTES_MAX);
    }
    if (visit > 0) {
        int more = snprintf(out + count, BROKER_TASK_PATH_BYTES_MAX - count, "~%u", visit);
        CHECK(count + (size_t)more < BROKER_TASK_PATH_BYTES_MAX);
    }
}

/* ---- history ---------------------------------------------------------------------------------- */

struct job_step step_of(const struct deciding *deciding, uint32_t slot,
                        char path[BROKER_TASK_PATH_BYTES_MAX]) {
    const struct broker *broker = deciding->broker;
    const struct message *message = message_at(broker, slot);
    const struct piece *piece = message_piece(broker, message);
    struct station station = station_of_message(broker, message);
    path_write(broker, piece->path_split, piece->index, piece->visit, path);
    return (struct job_step){
        .station = station.index,
        .station_name = station.settings->name,
        .task_path = slice_from_string(path),
        .attempt = piece->attempts,
        .queued.ms = piece->queued_ms,
        .started.ms = piece->started_ms,
        .ended.ms = deciding->now_ms,
    };
}

bool deciding_buffer(struct deciding *deciding, size_t bytes_max, struct buffer *out) {
    /* A buffer wants one byte more than it holds, and would move to the heap for it. */
    *out = (struct buffer){.bytes = deciding_take(deciding, bytes_max + 1, 1),
                           .allocator = deciding->broker->allocator,
                           .capacity = bytes_max + 1,
                           .bytes_max = bytes_max};
    if (out->bytes == NULL) deciding->decision->record.failed = true;
    return out->bytes != NULL;
}

#define STEP_BYTES 80u
#define HEAD_BYTES 29u

uint32_t history_body(struct deciding *deciding, uint32_t job, const struct job_step *steps,
                      uint32_t steps_count) {
    size_t bytes = HEAD_BYTES;
    for (uint32_t i = 0; i < steps_count; i++) {
        bytes += STEP_BYTES + steps[i].station_name.count + steps[i].task_path.count +
                 steps[i].error.count;
    }
    struct buffer out;
    if (!deciding_buffer(deciding, bytes, &out)) return BODY_NONE;
    struct body_ref previous = {0};
    if (job != BROKER_NONE) previous = job_at(deciding->broker, job)->history;
    job_history_end_totals(&out, job_history_begin(&out, previous, 0));
    for (uint32_t i = 0; i < steps_count; i++) job_step_encode(&out, &steps[i]);
    CHECK(!out.failed);
    uint32_t body = record_body(deciding, buffer_slice(&out));
    if (job == BROKER_NONE || !job_is_long(job_at(deciding->broker, job))) return body;
    for (uint32_t i = 0; i < steps_count; i++) effect_step(deciding, job, &steps[i], body);
    return body;
}

struct noted_step {
    uint32_t job; /* BROKER_NONE: it is written */
    struct job_step step;
    char path[BROKER_TASK_PATH_BYTES_MAX];
};

bool steps_open(struct deciding *deciding, struct step_list *steps, uint32_t max) {
    *steps =
        (struct step_list){.list = deciding_take(deciding, max, sizeof *steps->list), .max = max};
    if (steps->list == NULL) deciding->decision->record.failed = true;
    return steps->list != NULL;
}

struct job_step *steps_add(struct deciding *deciding, struct step_list *steps, uint32_t slot) {
    CHECK(steps->count < steps->max);
    struct noted_step *noted = &steps->list[steps->count++];
    noted->job = message_piece(deciding->broker, message_at(deciding->broker, slot))->job;
    noted->step = step_of(deciding, slot, noted->path);
    return &noted->step;
}

/* All steps of the job of list[first], as one body. */
static void steps_write_job(struct deciding *deciding, struct step_list *steps, uint32_t first,
                            struct job_step *of_job) {
    uint32_t job = steps->list[first].job;
    uint32_t count = 0;
    for (uint32_t i = first; i < steps->count; i++) {
        if (steps->list[i].job != job) continue;
        of_job[count++] = steps->list[i].step;
        steps->list[i].job = BROKER_NONE;
    }
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.history = history_body(deciding, job, of_job, count);
    effect_job_set(deciding, job, &set);
}

void steps_write(struct deciding *deciding, struct step_list *steps) {
    if (steps->count == 0) return;
    struct job_step *of_job = deciding_take(deciding, steps->count, sizeof *of_job);
    if (of_job == NULL) {
        deciding->decision->record.failed = true;
        return;
    }
    for (uint32_t i = 0; i < steps->count; i++) {
        if (steps->list[i].job != BROKER_NONE) steps_write_job(deciding, steps, i, of_job);
    }
}

struct slice error_cut(struct slice error) {
    if (error.count <= BROKER_ERROR_BYTES_MAX) return error;
    return slice_skip(error, error.count - BROKER_ERROR_BYTES_MAX);
}
uint32_t error_body(struct deciding *deciding, struct slice error) {
    if (error.count == 0) return BODY_NONE;
    return record_body(deciding, error_cut(error));
}

struct message *leased_message(struct deciding *deciding, struct broker_ref session,
                               struct broker_ref ref) {
    const struct broker *broker = deciding->broker;
    struct message *message = thing_find(broker, THING_MESSAGE, ref);
    if (thing_find(broker, THING_SESSION, session) != NULL && message != NULL &&
        message->place == PLACE_LEASED && message_piece(broker, message)->session == session.slot) {
        return message;
    }
    refuse(deciding, BROKER_LEASE_LOST);
    return NULL;
}
