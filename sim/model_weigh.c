/* SPDX-License-Identifier: Apache-2.0 */
/* model_weigh.c -- what is left to be done of each split and each job, counted from the beginning. */
#include "model_inside.h"

#include <string.h>

static void clear(struct model *model) {
    struct model_weights *weights = &model->weights;
    size_t splits = model->line.splits_count;
    size_t jobs = model->line.jobs_count;
    memset(weights->living, 0, splits * sizeof weights->living[0]);
    memset(weights->dead, 0, splits * sizeof weights->dead[0]);
    memset(weights->rolls, 0, splits * sizeof weights->rolls[0]);
    memset(weights->parts, 0, splits * sizeof weights->parts[0]);
    memset(weights->kits, 0, splits * sizeof weights->kits[0]);
    memset(weights->named, 0, splits * sizeof weights->named[0]);
    memset(weights->job_living, 0, jobs * sizeof weights->job_living[0]);
    memset(weights->job_dead, 0, jobs * sizeof weights->job_dead[0]);
    memset(weights->job_things, 0, jobs * sizeof weights->job_things[0]);
    memset(weights->wip, 0, sizeof weights->wip);
}

static void name(struct model_weights *weights, uint32_t split) {
    if (split != MODEL_NONE) weights->named[split]++;
}

static void weigh_item(struct model_weights *weights, const struct model_item *item) {
    bool is_living =
        item->state == ITEM_VISIBLE || item->state == ITEM_DELAYED || item->state == ITEM_LEASED;
    weights->job_things[item->job]++;
    weights->job_living[item->job] += is_living;
    weights->job_dead[item->job] += item->state == ITEM_DEAD;
    weights->wip[item->station] += is_living;
    name(weights, item->path);
    name(weights, item->counts);
    name(weights, item->kit);
    if (item->kit != MODEL_NONE) weights->kits[item->kit]++;
    if (item->counts == MODEL_NONE) return;
    weights->living[item->counts] += is_living;
    weights->dead[item->counts] += item->state == ITEM_DEAD;
    weights->parts[item->counts] += item->state == ITEM_PART;
}

static void weigh_roll(struct model_weights *weights, const struct model_roll *roll) {
    weights->job_things[roll->job]++;
    weights->job_living[roll->job]++;
    weights->rolls[roll->split]++;
    name(weights, roll->split);
    for (uint32_t i = 0; i < roll->counts_count; i++) {
        weights->living[roll->counts[i]]++;
        name(weights, roll->counts[i]);
    }
}

/* Those inside have been weighed: they were opened later. */
static void weigh_split(struct model *model, uint32_t index) {
    struct model_weights *weights = &model->weights;
    const struct model_split *split = &model->splits[index];
    bool is_open = !split->is_closed && split->join != MODEL_NONE;
    bool is_missing = weights->dead[index] > 0 || split->is_lost;
    bool is_broken = is_open && split->missing == MISSING_FAIL && is_missing;
    weights->is_broken[index] = is_broken;
    weights->is_complete[index] =
        is_open && !is_broken && weights->living[index] == 0 && weights->rolls[index] == 0;
    weights->job_things[split->job]++;
    name(weights, split->path);
    name(weights, split->counts);
    if (!is_open) return;
    weights->job_living[split->job] += !is_broken;
    if (split->counts == MODEL_NONE) return;
    weights->dead[split->counts] += is_broken;
    weights->living[split->counts] += !is_broken;
}

void model_weigh(struct model *model) {
    clear(model);
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        if (model->items[i].state != ITEM_GONE) weigh_item(&model->weights, &model->items[i]);
    }
    for (uint32_t i = 0; i < model->line.rolls_count; i++) {
        if (model->rolls[i].is_there) weigh_roll(&model->weights, &model->rolls[i]);
    }
    for (uint32_t i = model->line.splits_count; i-- > 0;) {
        if (model->splits[i].is_there) weigh_split(model, i);
    }
}

bool model_is_full(const struct model *model, uint32_t station) {
    uint32_t limit = model->line.stations[station].wip_limit;
    return limit > 0 && model->weights.wip[station] >= limit;
}

bool model_is_over(const struct model *model, uint32_t job) {
    enum job_state state = model->jobs[job].state;
    return state == JOB_REJECTED || (state != JOB_RUNNING && model->weights.job_dead[job] == 0);
}
