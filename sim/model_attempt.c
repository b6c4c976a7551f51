/* SPDX-License-Identifier: Apache-2.0 */
/* model_attempt.c -- what brought nothing: a failed attempt is paid for, a returned one is not; a
 * worker's death is paid for by the one message that is to blame; a reject ends the job.
 */
#include "model_inside.h"

static int64_t backoff_ms(const struct model_station *station, uint32_t failures) {
    if (failures == 0) return 0;
    int64_t delay_ms = station->backoff_ms_min;
    while (--failures > 0 && delay_ms < station->backoff_ms_max) delay_ms *= 2;
    /* With a quarter less it would be above the maximum, and is cut. */
    int64_t most_ms = station->backoff_ms_max * 4 / 3;
    return delay_ms < most_ms ? delay_ms : most_ms;
}

void model_fail_item(struct model *model, uint32_t index, const struct model_failure *failure) {
    struct model_item *item = model_change_item(model, index);
    const struct model_station *station = &model->line.stations[item->station];
    if (model->jobs[item->job].state == JOB_REJECTED) {
        item->state = ITEM_GONE;
        return;
    }
    if (failure->is_final || item->attempts >= station->attempts_max) {
        item->state = ITEM_DEAD;
        item->is_suspect = false;
        return;
    }
    /* The first death may be an accident: the message comes back at once. */
    item->delay_ms = backoff_ms(station, failure->is_death ? item->attempts - 1 : item->attempts);
    item->state = item->delay_ms > 0 ? ITEM_DELAYED : ITEM_VISIBLE;
    item->is_suspect = failure->is_death;
}

/* At no cost. */
static void give_up(struct model *model, uint32_t index, bool makes_suspect) {
    struct model_item *item = model_change_item(model, index);
    if (model->jobs[item->job].state == JOB_REJECTED) {
        item->state = ITEM_GONE;
        return;
    }
    item->state = ITEM_VISIBLE;
    item->attempts--;
    item->is_suspect = item->is_suspect || makes_suspect;
}

static void reject(struct model *model, const struct model_note *note, uint32_t index) {
    struct model_job *job = model_change_job(model, model->items[index].job);
    if (job->state != JOB_REJECTED) {
        job->state = JOB_REJECTED;
        job->forget_ms = note->now_ms + model->line.keep_jobs_ms;
    }
    model_end_item(model, index);
}

void model_note_attempt(struct model *model, const struct model_note *note) {
    const struct command_attempt *command = &note->command->attempt;
    uint32_t index = model_find_item(model, command->message);
    bool is_held = index != MODEL_NONE && model->items[index].state == ITEM_LEASED &&
                   model->items[index].session == command->session.number;
    if (note->answer->result != BROKER_OK) {
        MODEL_EXPECT(!is_held && note->lsn == 0);
        MODEL_EXPECT(note->answer->result == BROKER_LEASE_LOST);
        return;
    }
    MODEL_EXPECT(is_held && note->lsn != 0);
    switch (note->command->kind) {
    case COMMAND_FAIL:
        model_fail_item(model, index, &(struct model_failure){.is_final = command->is_final});
        break;
    case COMMAND_REJECT: reject(model, note, index); break;
    default: give_up(model, index, false); break;
    }
    model_bind(model, note, model->line.items_count);
}

/* ---- the end of a session --------------------------------------------------------------------- */

static void forget_session(struct model *model, struct model_session *session) {
    model_touch(model, session, sizeof *session);
    session->number = 0;
}

/* What the session holds; MODEL_NONE behind `after`: no more. */
static uint32_t next_held(const struct model *model, uint64_t session, uint32_t from) {
    while (from < model->line.items_count) {
        const struct model_item *item = &model->items[from];
        if (item->state == ITEM_LEASED && item->session == session) return from;
        from++;
    }
    return MODEL_NONE;
}

/* Who pays for its death; MODEL_NONE: nobody. */
static uint32_t guilty_of(const struct model *model, const struct command_session *command) {
    uint64_t session = command->session.number;
    uint32_t first = next_held(model, session, 0);
    if (command->uncounted || first == MODEL_NONE) return MODEL_NONE;
    if (command->guilty.number == 0) {
        return next_held(model, session, first + 1) == MODEL_NONE ? first : MODEL_NONE;
    }
    uint32_t index = model_find_item(model, command->guilty);
    bool is_its = index != MODEL_NONE && model->items[index].state == ITEM_LEASED &&
                  model->items[index].session == session;
    return is_its ? index : MODEL_NONE;
}

void model_note_session_end(struct model *model, const struct model_note *note) {
    const struct command_session *command = &note->command->session;
    uint64_t number = command->session.number;
    uint32_t at = 0;
    while (at < MODEL_SESSIONS_MAX && model->sessions[at].number != number) at++;
    if (at == MODEL_SESSIONS_MAX) {
        MODEL_EXPECT(note->answer->result == BROKER_NOTHING && note->lsn == 0);
        return;
    }
    MODEL_EXPECT(note->answer->result == BROKER_OK && note->lsn != 0);
    uint32_t guilty = guilty_of(model, command);
    bool all_suspect = !command->uncounted && command->guilty.number == 0;
    for (uint32_t i = 0; (i = next_held(model, number, i)) != MODEL_NONE; i++) {
        if (i == guilty) {
            model_fail_item(model, i, &(struct model_failure){.is_death = true});
        } else {
            give_up(model, i, all_suspect);
        }
    }
    forget_session(model, &model->sessions[at]);
    model_bind(model, note, model->line.items_count);
}

void model_note_life(struct model *model, const struct model_note *note) {
    MODEL_EXPECT(!note->answer->step.more); /* there are not so many */
    for (uint32_t at = 0; at < MODEL_SESSIONS_MAX; at++) {
        struct model_session *session = &model->sessions[at];
        if (session->number == 0) continue;
        for (uint32_t i = 0; (i = next_held(model, session->number, i)) != MODEL_NONE; i++) {
            give_up(model, i, false);
        }
        forget_session(model, session);
    }
}
