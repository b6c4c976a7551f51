/* SPDX-License-Identifier: Apache-2.0 */
/* model_handoff.c -- an input ends and all its outputs are there, in one record; of a large split
 * the next hundred in each further one.
 *
 * A message that comes to the join of a split it came from is a part of its kit. Else it counts in
 * the innermost split it came from whose join it can still reach.
 */
#include "model_inside.h"

struct arrival {
    uint32_t counts;
    bool is_part;
    bool is_late; /* the kit has come without it */
};

static struct arrival arrive(const struct model *model, uint32_t path, uint32_t station) {
    for (uint32_t split = path; split != MODEL_NONE; split = model->splits[split].path) {
        uint32_t join = model->splits[split].join;
        if (join == MODEL_NONE) continue;
        if (join == station) return (struct arrival){split, true, model->splits[split].is_closed};
        if ((model->line.stations[station].reach >> join & 1) != 0) {
            return (struct arrival){split, false, false};
        }
    }
    return (struct arrival){MODEL_NONE, false, false};
}

struct origin { /* what the outputs of one hand-off have in common */
    uint32_t job;
    uint32_t path;
    uint32_t hops;
};

static void add_output(struct model *model, const struct origin *origin, uint32_t index,
                       uint32_t station, bool is_each, uint32_t body) {
    struct arrival arrival = arrive(model, origin->path, station);
    if (arrival.is_late) return;
    int64_t delay_ms = model->line.stations[station].delay_ms;
    struct model_item *item = model_add_item(model);
    item->state = arrival.is_part ? ITEM_PART : delay_ms > 0 ? ITEM_DELAYED : ITEM_VISIBLE;
    item->delay_ms = item->state == ITEM_DELAYED ? delay_ms : 0;
    item->job = origin->job;
    item->station = station;
    item->path = origin->path;
    item->index = index;
    item->counts = arrival.counts;
    item->hops = origin->hops;
    item->is_each = is_each;
    item->body = body;
}

/* ---- splits ----------------------------------------------------------------------------------- */

static uint32_t join_of(const struct model *model, uint32_t opener) {
    for (uint32_t i = 0; i < model->line.stations_count; i++) {
        if (model->line.stations[i].join_opener == (int32_t)opener) return i;
    }
    return MODEL_NONE;
}

static uint32_t depth_of(const struct model *model, uint32_t path) {
    uint32_t depth = 0;
    for (; path != MODEL_NONE; path = model->splits[path].path) depth++;
    return depth;
}

/* The innermost split from which its join can be reached. */
static uint32_t counting_of(const struct model *model, uint32_t path, uint32_t join) {
    for (; path != MODEL_NONE; path = model->splits[path].path) {
        uint32_t outer = model->splits[path].join;
        if (outer != MODEL_NONE && (model->line.stations[join].reach >> outer & 1) != 0)
            return path;
    }
    return MODEL_NONE;
}

static uint32_t open_split(struct model *model, const struct model_note *note,
                           const struct model_item *item, uint32_t join) {
    struct broker_ref ref;
    MODEL_EXPECT(glimpse_fresh(note->broker, GLIMPSE_SPLITS, note->next_number, &ref, 1) == 1);
    model_touch(model, &model->line, sizeof model->line);
    MODEL_EXPECT(model->line.splits_count < MODEL_SPLITS_MAX);
    uint32_t index = model->line.splits_count++;
    struct model_split *split = model_change_split(model, index);
    *split = (struct model_split){.ref = ref,
                                  .is_there = true,
                                  .job = item->job,
                                  .path = item->path,
                                  .index = item->index,
                                  .counts = MODEL_NONE,
                                  .join = join,
                                  .hops = item->hops};
    if (join == MODEL_NONE) return index;
    const struct model_station *station = &model->line.stations[join];
    split->counts = counting_of(model, item->path, join);
    split->missing = station->missing;
    split->within_ms = station->within_ms > 0 ? note->now_ms + station->within_ms : 0;
    return index;
}

/* ---- rolls ------------------------------------------------------------------------------------ */

static void note_counts(struct model *model, struct model_roll *roll, uint32_t path,
                        uint32_t station) {
    uint32_t counts = arrive(model, path, station).counts;
    for (uint32_t i = 0; i < roll->counts_count; i++) {
        if (roll->counts[i] == counts) return;
    }
    if (counts != MODEL_NONE) roll->counts[roll->counts_count++] = counts;
}

static void open_roll(struct model *model, const struct model_note *note,
                      const struct origin *origin) {
    const struct command_complete *command = &note->command->complete;
    struct broker_ref ref;
    MODEL_EXPECT(glimpse_fresh(note->broker, GLIMPSE_ROLLS, note->next_number, &ref, 1) == 1);
    uint32_t index = 0;
    while (index < model->line.rolls_count && model->rolls[index].is_there) index++;
    MODEL_EXPECT(index < MODEL_ROLLS_MAX && command->outputs_count <= MODEL_ROLL_OUTPUTS_MAX);
    model_touch(model, &model->line, sizeof model->line);
    if (index == model->line.rolls_count) model->line.rolls_count++;
    struct model_roll *roll = model_change_roll(model, index);
    *roll = (struct model_roll){.ref = ref,
                                .is_there = true,
                                .job = origin->job,
                                .split = origin->path,
                                .hops = origin->hops,
                                .outputs_count = command->outputs_count};
    for (uint32_t i = 0; i < command->outputs_count; i++) {
        const struct command_output *output = &command->outputs[i];
        bool is_end = output->station == BROKER_TARGET_END;
        roll->stations[i] = is_end ? UINT8_MAX : (uint8_t)output->station;
        roll->each[i] = output->each;
        roll->bodies[i] = body_checksum32(output->body);
        if (!is_end) note_counts(model, roll, origin->path, output->station);
    }
}

static uint32_t find_roll(const struct model *model, uint64_t number) {
    for (uint32_t i = 0; i < model->line.rolls_count; i++) {
        if (model->rolls[i].is_there && model->rolls[i].ref.number == number) return i;
    }
    return MODEL_NONE;
}

/* Only while all its targets have room, and its job runs. */
static void check_room(struct model *model, const struct model_roll *roll) {
    model_weigh(model);
    MODEL_EXPECT(model->jobs[roll->job].state == JOB_RUNNING);
    for (uint32_t i = 0; i < roll->outputs_count; i++) {
        if (roll->stations[i] == UINT8_MAX) continue;
        MODEL_EXPECT(!model_is_full(model, roll->stations[i]));
    }
}

void model_note_deal(struct model *model, const struct model_note *note) {
    if (note->lsn == 0) return;
    uint32_t index = find_roll(model, note->command->roll_deal.roll.number);
    MODEL_EXPECT(index != MODEL_NONE);
    struct model_roll *roll = model_change_roll(model, index);
    check_room(model, roll);
    uint32_t items_before = model->line.items_count;
    struct origin origin = {roll->job, roll->split, roll->hops};
    for (uint32_t i = 0; i < BROKER_DEAL_OUTPUTS_MAX && roll->next < roll->outputs_count; i++) {
        uint32_t at = roll->next++;
        if (roll->stations[at] == UINT8_MAX) continue;
        add_output(model, &origin, at, roll->stations[at], roll->each[at], roll->bodies[at]);
    }
    roll->is_there = roll->next < roll->outputs_count;
    model_bind(model, note, items_before);
}

/* ---- complete --------------------------------------------------------------------------------- */

struct outputs {
    uint32_t to_stations;
    bool has_each;
    bool comes_round;
};

static struct outputs look_at(const struct model *model, const struct command_complete *command) {
    struct outputs out = {0};
    for (uint32_t i = 0; i < command->outputs_count; i++) {
        const struct command_output *output = &command->outputs[i];
        out.has_each = out.has_each || output->each;
        if (output->station == BROKER_TARGET_END) continue;
        out.to_stations++;
        if (model->line.stations[output->station].in_cycle) out.comes_round = true;
    }
    return out;
}

static void hand_off(struct model *model, const struct model_note *note, uint32_t index) {
    const struct command_complete *command = &note->command->complete;
    struct model_item input = model->items[index];
    struct outputs outputs = look_at(model, command);
    uint32_t join = join_of(model, input.station);
    bool is_roll = command->outputs_count > BROKER_DEAL_OUTPUTS_MAX;
    bool opens = join != MODEL_NONE || outputs.to_stations > 1 ||
                 ((outputs.has_each || is_roll) && outputs.to_stations > 0);
    bool is_round =
        outputs.comes_round && input.hops >= model->line.stations[input.station].hops_max;
    bool is_deep = opens && depth_of(model, input.path) >= BROKER_SPLIT_DEPTH_MAX;
    if (is_round || is_deep) {
        model_fail_item(model, index, &(struct model_failure){.is_final = true});
        return;
    }
    struct origin origin = {input.job, input.path, input.hops + 1};
    if (opens) origin.path = open_split(model, note, &input, join);
    if (is_roll && outputs.to_stations > 0) {
        open_roll(model, note, &origin);
    } else {
        for (uint32_t i = 0; i < command->outputs_count; i++) {
            const struct command_output *output = &command->outputs[i];
            if (output->station == BROKER_TARGET_END) continue;
            bool is_each = output->each || (input.is_each && !opens);
            add_output(model, &origin, opens ? i : input.index, output->station, is_each,
                       body_checksum32(output->body));
        }
    }
    if (model->line.stations[input.station].is_result && command->result.count > 0) {
        model_change_job(model, input.job)->result = body_checksum32(command->result);
    }
    model_end_item(model, index);
}

void model_note_complete(struct model *model, const struct model_note *note) {
    const struct command_complete *command = &note->command->complete;
    uint32_t index = model_find_item(model, command->message);
    bool is_held = index != MODEL_NONE && model->items[index].state == ITEM_LEASED &&
                   model->items[index].session == command->session.number;
    if (note->answer->result != BROKER_OK) {
        MODEL_EXPECT(!is_held && note->lsn == 0);
        MODEL_EXPECT(note->answer->result == BROKER_LEASE_LOST);
        return;
    }
    MODEL_EXPECT(is_held && note->lsn != 0);
    uint32_t items_before = model->line.items_count;
    if (model->jobs[model->items[index].job].state == JOB_REJECTED) {
        model_end_item(model, index);
    } else {
        hand_off(model, note, index);
    }
    model_bind(model, note, items_before);
}
