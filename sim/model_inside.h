/* SPDX-License-Identifier: Apache-2.0 */
/* model_inside.h -- shared by the model's files only. */
#ifndef TAKT_SIM_MODEL_INSIDE_H
#define TAKT_SIM_MODEL_INSIDE_H

#include "glimpse.h"
#include "model.h"

#define MODEL_EXPECT(condition) REPORT_EXPECT(model->report, condition)

/* model_weigh.c: model->weights, anew. */
void model_weigh(struct model *model);
bool model_is_full(const struct model *model, uint32_t station);
/* A job of which nothing is left to be done: what of it is there is swept. */
bool model_is_over(const struct model *model, uint32_t job);

/* About to be changed. */
struct model_item *model_change_item(struct model *model, uint32_t index);
struct model_split *model_change_split(struct model *model, uint32_t index);
struct model_job *model_change_job(struct model *model, uint32_t index);
struct model_roll *model_change_roll(struct model *model, uint32_t index);

/* MODEL_NONE: not there. */
uint32_t model_find_item(const struct model *model, struct broker_ref message);
uint32_t model_find_job(const struct model *model, uint64_t number);
uint32_t model_find_split(const struct model *model, uint64_t number);
/* A new one; what it is like is filled in by the caller. */
struct model_item *model_add_item(struct model *model);
void model_end_item(struct model *model, uint32_t index);

/* model_handoff.c */
void model_note_complete(struct model *model, const struct model_note *note);
void model_note_deal(struct model *model, const struct model_note *note);
/* model_attempt.c */
void model_note_attempt(struct model *model, const struct model_note *note);
void model_note_session_end(struct model *model, const struct model_note *note);
void model_note_life(struct model *model, const struct model_note *note);
/* It has failed for the last time, or for now. */
struct model_failure {
    bool is_final;
    bool is_death;
};
void model_fail_item(struct model *model, uint32_t index, const struct model_failure *failure);
/* model_settle.c: an advance record. */
void model_note_settle(struct model *model, const struct model_note *note);
/* model_line.c: the numbers that the record gave to what the model has added or moved since there
 * were so many. */
void model_bind(struct model *model, const struct model_note *note, uint32_t items_before);

#endif
