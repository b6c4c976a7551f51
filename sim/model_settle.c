/* SPDX-License-Identifier: Apache-2.0 */
/* model_settle.c -- what follows by itself, and what time brings. Several records may share the work,
 * so the model looks at what an advance record has done, and asks of each change whether it was due;
 * and once nothing more is to be done, whether anything due was left.
 */
#include "model_inside.h"

#include <stdio.h>

#define FRESH_MAX 2048u

/* ---- kits ------------------------------------------------------------------------------------- */

static bool is_over_time(const struct model_split *split, int64_t now_ms) {
    return split->within_ms != 0 && split->within_ms <= now_ms;
}

/* A kit has come: was it its time, and where must it be? */
static void note_kit(struct model *model, const struct model_note *note, struct broker_ref ref,
                     const struct glimpse_message *seen) {
    uint32_t at = model_find_split(model, seen->kit_split);
    MODEL_EXPECT(at != MODEL_NONE);
    struct model_split *split = model_change_split(model, at);
    bool is_complete = model->weights.is_complete[at];
    bool is_due = is_over_time(split, note->now_ms) && split->missing != MISSING_FAIL;
    MODEL_EXPECT(!split->is_closed && model->jobs[split->job].state == JOB_RUNNING);
    MODEL_EXPECT(is_complete || is_due);
    bool is_missing = model->weights.dead[at] > 0 || split->is_lost || !is_complete;
    split->is_closed = true;
    struct model_item *item = model_add_item(model);
    int64_t delay_ms = model->line.stations[split->join].delay_ms;
    bool is_dead = split->missing == MISSING_DEAD && is_missing;
    item->number = ref.number;
    item->slot = ref.slot;
    item->since_ms = note->now_ms;
    item->state = is_dead ? ITEM_DEAD : delay_ms > 0 ? ITEM_DELAYED : ITEM_VISIBLE;
    item->ready_ms = note->now_ms + delay_ms;
    item->job = split->job;
    item->station = split->join;
    item->path = split->path;
    item->index = split->index;
    item->counts = split->counts;
    item->kit = at;
    item->hops = split->hops + 1;
}

static void note_kits(struct model *model, const struct model_note *note) {
    struct broker_ref fresh[FRESH_MAX];
    uint32_t count =
        glimpse_fresh(note->broker, GLIMPSE_MESSAGES, note->next_number, fresh, FRESH_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct glimpse_message seen;
        MODEL_EXPECT(glimpse_message(note->broker, fresh[i].slot, &seen));
        uint32_t split = model_find_split(model, seen.kit_split);
        bool is_new = seen.is_kit && split != MODEL_NONE && !model->splits[split].is_closed;
        if (is_new) note_kit(model, note, fresh[i], &seen);
    }
}

/* Its kit will never come. */
static void note_closed(struct model *model, const struct model_note *note, uint32_t at) {
    struct model_split *split = model_change_split(model, at);
    bool is_running = model->jobs[split->job].state == JOB_RUNNING;
    bool is_over = is_over_time(split, note->now_ms);
    MODEL_EXPECT(is_over || (!is_running && model->weights.is_complete[at]));
    MODEL_EXPECT(!is_running || split->missing == MISSING_FAIL);
    split->is_closed = true;
    if (!is_running) return;
    model_change_job(model, split->job)->is_lost = true;
    if (split->counts != MODEL_NONE) model_change_split(model, split->counts)->is_lost = true;
}

static void note_splits(struct model *model, const struct model_note *note) {
    for (uint32_t i = 0; i < model->line.splits_count; i++) {
        struct glimpse_split seen;
        if (!model->splits[i].is_there || model->splits[i].is_closed) continue;
        if (!glimpse_split(note->broker, model->splits[i].ref, &seen)) continue;
        if (seen.is_closed) note_closed(model, note, i);
    }
}

/* What nothing names any more is forgotten; one that is broken for good has counted as dead. */
static void note_forgotten(struct model *model, const struct model_note *note) {
    bool is_broken[MODEL_SPLITS_MAX];
    for (uint32_t i = 0; i < model->line.splits_count; i++) {
        is_broken[i] = model->weights.is_broken[i];
    }
    for (uint32_t i = model->line.splits_count; i-- > 0;) {
        struct glimpse_split seen;
        if (!model->splits[i].is_there) continue;
        if (glimpse_split(note->broker, model->splits[i].ref, &seen)) continue;
        struct model_split *split = model_change_split(model, i);
        model_weigh(model);
        MODEL_EXPECT(model->weights.named[i] == 0);
        MODEL_EXPECT(split->is_closed || split->join == MODEL_NONE || is_broken[i]);
        bool breaks = !split->is_closed && split->join != MODEL_NONE && split->counts != MODEL_NONE;
        if (breaks) model_change_split(model, split->counts)->is_lost = true;
        split->is_there = false;
    }
}

/* ---- messages --------------------------------------------------------------------------------- */

static bool is_past_retention(const struct model *model, const struct model_item *item,
                              int64_t now_ms) {
    int64_t retention_ms = model->line.stations[item->station].retention_ms;
    return now_ms >= model->all.hold_until_ms && item->since_ms + retention_ms <= now_ms;
}

/* It is not there any more: was it to be swept? */
static void note_gone(struct model *model, uint32_t index) {
    const struct model_item *item = &model->items[index];
    bool is_spent = item->state == ITEM_PART && model->splits[item->counts].is_closed &&
                    model->weights.kits[item->counts] == 0;
    MODEL_EXPECT(item->state != ITEM_LEASED && (is_spent || model_is_over(model, item->job)));
    model_end_item(model, index);
}

static void note_item(struct model *model, const struct model_note *note, uint32_t index) {
    struct glimpse_message seen;
    struct model_item *item = &model->items[index];
    bool is_there = glimpse_message(note->broker, item->slot, &seen);
    bool is_renumbered = is_there && seen.number >= note->next_number && seen.is_dead &&
                         item->state == ITEM_VISIBLE && item->station == seen.station;
    if (!is_there || (seen.number != item->number && !is_renumbered)) {
        note_gone(model, index);
        return;
    }
    item = model_change_item(model, index);
    if (is_renumbered) {
        MODEL_EXPECT(is_past_retention(model, item, note->now_ms));
        item->since_ms = note->now_ms;
        item->number = seen.number;
        item->state = ITEM_DEAD;
        item->is_suspect = false;
    } else if (item->state == ITEM_DELAYED && seen.place == GLIMPSE_VISIBLE) {
        MODEL_EXPECT(item->ready_ms <= note->now_ms);
        item->state = ITEM_VISIBLE;
    } else if (item->state == ITEM_DEAD) {
        item->is_hidden = seen.place != GLIMPSE_VISIBLE;
    }
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static void note_ended(struct model *model, const struct model_note *note, uint32_t at,
                       const struct job_view *seen) {
    struct model_job *job = model_change_job(model, at);
    bool is_short = model->weights.job_dead[at] > 0 || job->is_lost;
    MODEL_EXPECT(job->state == JOB_RUNNING && model->weights.job_living[at] == 0);
    MODEL_EXPECT(seen->state == (is_short ? JOB_FAILED : JOB_DONE));
    job->state = seen->state;
    job->forget_ms = note->now_ms + model->line.keep_jobs_ms;
}

static void note_jobs(struct model *model, const struct model_note *note) {
    for (uint32_t i = 0; i < model->line.jobs_count; i++) {
        const struct model_job *job = &model->jobs[i];
        struct job_view seen;
        if (!job->is_there) continue;
        if (!broker_get_job(note->broker, job->ref, &seen)) {
            MODEL_EXPECT(job->state != JOB_RUNNING && model->weights.job_things[i] == 0);
            MODEL_EXPECT(job->forget_ms <= note->now_ms);
            model_change_job(model, i)->is_there = false;
        } else if (seen.state != job->state) {
            note_ended(model, note, i, &seen);
        }
    }
}

/* In the order in which one leads to another; weights are those of before. */
void model_note_settle(struct model *model, const struct model_note *note) {
    model_weigh(model);
    note_jobs(model, note);
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        if (model->items[i].state != ITEM_GONE) note_item(model, note, i);
    }
    note_kits(model, note);
    note_splits(model, note);
    for (uint32_t i = 0; i < model->line.rolls_count; i++) {
        const struct model_roll *roll = &model->rolls[i];
        if (!roll->is_there || glimpse_roll(note->broker, roll->ref)) continue;
        MODEL_EXPECT(model_is_over(model, roll->job));
        model_change_roll(model, i)->is_there = false;
    }
    note_forgotten(model, note);
}

/* ---- the same as takt's? ---------------------------------------------------------------------- */

static enum glimpse_place place_of(const struct model_item *item,
                                   const struct glimpse_message *seen) {
    switch (item->state) {
    case ITEM_VISIBLE: return GLIMPSE_VISIBLE;
    case ITEM_DELAYED: return GLIMPSE_DELAYED;
    case ITEM_LEASED: return GLIMPSE_LEASED;
    case ITEM_PART: return GLIMPSE_PART;
    default: return seen->place;
    }
}

static uint64_t split_number(const struct model *model, uint32_t split) {
    return split == MODEL_NONE ? 0 : model->splits[split].ref.number;
}

static void compare_item(struct model *model, const struct broker *broker,
                         const struct model_item *item) {
    struct glimpse_message seen;
    MODEL_EXPECT(glimpse_message(broker, item->slot, &seen));
    MODEL_EXPECT(seen.number == item->number);
    MODEL_EXPECT(seen.place == place_of(item, &seen));
    MODEL_EXPECT(seen.is_dead == (item->state == ITEM_DEAD));
    MODEL_EXPECT(seen.station == item->station);
    MODEL_EXPECT(seen.job == model->jobs[item->job].ref.number);
    MODEL_EXPECT(seen.path_split == split_number(model, item->path));
    MODEL_EXPECT(seen.path_split == 0 || seen.index == item->index);
    MODEL_EXPECT(seen.counting_split == split_number(model, item->counts));
    MODEL_EXPECT(seen.kit_split == split_number(model, item->kit));
    MODEL_EXPECT(seen.attempts == item->attempts && seen.hops == item->hops);
    MODEL_EXPECT(seen.is_suspect == item->is_suspect);
    MODEL_EXPECT(item->state != ITEM_LEASED || seen.session == item->session);
    MODEL_EXPECT(item->state != ITEM_DELAYED || seen.deadline_ms == item->ready_ms);
}

static void compare_job(struct model *model, const struct broker *broker, uint32_t at) {
    struct job_view seen;
    const struct model_job *job = &model->jobs[at];
    if (!job->is_there) return;
    MODEL_EXPECT(broker_get_job(broker, job->ref, &seen));
    MODEL_EXPECT(seen.state == job->state);
    MODEL_EXPECT(seen.living_count == model->weights.job_living[at]);
    MODEL_EXPECT(seen.dead_count == model->weights.job_dead[at]);
    MODEL_EXPECT(job->result == 0 || model_is_body(model, seen.result, job->result));
}

/* Back from its dead letters. */
static uint64_t redriven(struct model *model, const struct broker *broker, uint32_t station) {
    char name[32];
    struct queue_view seen;
    (void)snprintf(name, sizeof name, "line_s%u_dead", station);
    MODEL_EXPECT(broker_find_queue(broker, slice_from_string(name), &seen));
    return seen.counts.redriven;
}

static void compare_station(struct model *model, const struct broker *broker, uint32_t station) {
    struct station_view seen;
    MODEL_EXPECT(broker_get_station(broker, model->line_ref, station, &seen));
    MODEL_EXPECT(seen.wip_count == model->weights.wip[station]);
    MODEL_EXPECT(seen.is_full == model_is_full(model, station));
    /* What came and what left add up. */
    const struct queue_counts *counts = &seen.queue.counts;
    uint64_t left = counts->handed_on + counts->dead + counts->withdrawn + counts->expired +
                    counts->deleted + counts->purged;
    MODEL_EXPECT(counts->sent + redriven(model, broker, station) == left + seen.wip_count);
}

void model_compare_line(struct model *model, const struct broker *broker) {
    model_weigh(model);
    uint32_t items_count = 0;
    uint32_t splits_count = 0;
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        if (model->items[i].state == ITEM_GONE) continue;
        compare_item(model, broker, &model->items[i]);
        items_count++;
    }
    for (uint32_t i = 0; i < model->line.splits_count; i++)
        splits_count += model->splits[i].is_there;
    MODEL_EXPECT(glimpse_count(broker, GLIMPSE_MESSAGES) == items_count);
    MODEL_EXPECT(glimpse_count(broker, GLIMPSE_SPLITS) == splits_count);
    for (uint32_t i = 0; i < model->line.jobs_count; i++) compare_job(model, broker, i);
    for (uint32_t i = 0; i < model->line.stations_count; i++) compare_station(model, broker, i);
}

void model_check_idle_line(struct model *model, int64_t now_ms) {
    model_weigh(model);
    const struct model_weights *weights = &model->weights;
    for (uint32_t i = 0; i < model->line.jobs_count; i++) {
        const struct model_job *job = &model->jobs[i];
        if (!job->is_there) continue;
        MODEL_EXPECT(job->state != JOB_RUNNING || weights->job_living[i] > 0);
    }
    for (uint32_t i = 0; i < model->line.splits_count; i++) {
        const struct model_split *split = &model->splits[i];
        if (!split->is_there) continue;
        MODEL_EXPECT(!weights->is_complete[i]);
        bool waits = !split->is_closed && split->join != MODEL_NONE && !weights->is_broken[i];
        MODEL_EXPECT(!waits || !is_over_time(split, now_ms));
    }
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        const struct model_item *item = &model->items[i];
        if (item->state == ITEM_GONE) continue;
        MODEL_EXPECT(item->state != ITEM_DELAYED || item->ready_ms > now_ms);
        MODEL_EXPECT(item->state == ITEM_LEASED || !model_is_over(model, item->job));
        MODEL_EXPECT(item->state != ITEM_PART || !model->splits[item->counts].is_closed ||
                     weights->kits[item->counts] > 0);
    }
}
