/* SPDX-License-Identifier: Apache-2.0 */
/* lines_due.c -- time passes at stations, kits and jobs; and dead letters end or are revived. */
#include "broker/lines_decide.h"

#include <stdio.h>

/* It is gone for good: its job cannot be done any more, and the kit it belongs to not complete.
 * error: why, one of the record's bodies, or BODY_NONE; a job that has ended keeps its own. */
static void lose(struct deciding *deciding, uint32_t slot, const struct queue *queue,
                 enum end_cause cause, uint32_t error) {
    const struct piece *piece = message_piece(deciding->broker, message_at(deciding->broker, slot));
    if (piece->counting_split != BROKER_NONE) {
        effect_split_set(deciding, piece->counting_split,
                         &(struct effect_split_set){.is_lost = true});
    }
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.is_lost = true;
    if (job_at(deciding->broker, piece->job)->state == JOB_RUNNING) set.error = error;
    effect_job_set(deciding, piece->job, &set);
    effect_end(deciding, slot, queue, cause);
}

/* ---- retention at a station; a delay or a visibility timeout is over -------------------------- */

static void expire(struct deciding *deciding, uint32_t slot, const struct station *station,
                   struct step_list *steps) {
    static const char text[] = "It waited here longer than the station's retention.";
    const struct piece *piece = message_piece(deciding->broker, message_at(deciding->broker, slot));
    struct job_step *step = steps_add(deciding, steps, slot);
    step->outcome = STEP_EXPIRED;
    step->error = slice_from_string(text);
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.error = error_body(deciding, slice_from_string(text));
    effect_job_set(deciding, piece->job, &set);
    effect_dead(deciding, slot, station->queue, station->dead_queue, set.error);
}

/* Half of the bodies that one record may have: an expired message has two. */
#define EXPIRED_MAX (BROKER_DECISION_BODIES_MAX / 2 - 12)

/* A station's dead letters never expire: they are all that is left of their jobs' work. */
static bool decide_expired(struct deciding *deciding, const struct queue *queue) {
    const struct broker *broker = deciding->broker;
    struct station station = station_of(broker, queue);
    struct broker_answer *answer = &deciding->decision->answer;
    struct shelf_walk walk = shelf_walk_open(&queue_store(broker, queue)->visible, EXPIRED_MAX);
    struct step_list steps;
    if (!steps_open(deciding, &steps, EXPIRED_MAX)) return false;
    uint32_t slot;
    bool is_kept =
        queue->kind == QUEUE_STATION_DEAD || broker_hold_until_ms(broker) > deciding->now_ms;
    while (!is_kept && shelf_walk_next(&walk, &slot)) {
        int64_t sent_ms = (int64_t)message_at(broker, slot)->sent_ms;
        if (sent_ms + queue->retention_ms > deciding->now_ms) break;
        expire(deciding, slot, &station, &steps);
        answer->step.count++;
    }
    steps_write(deciding, &steps);
    return true;
}

static bool decide_shown(struct deciding *deciding, const struct queue *queue) {
    const struct broker *broker = deciding->broker;
    struct heap_walk walk;
    if (!heap_walk_open(&walk, &queue_store(broker, queue)->timed, &timed_order, broker,
                        &deciding->decision->arena, BROKER_STEP_MAX - EXPIRED_MAX)) {
        return false;
    }
    uint32_t slot;
    while (heap_walk_next(&walk, &slot)) {
        if (message_deadline_ms(broker, message_at(broker, slot)) > deciding->now_ms) break;
        effect_show(deciding, slot);
        deciding->decision->answer.step.count++;
    }
    return true;
}

void decide_station_due(struct deciding *deciding, const struct queue *queue) {
    record_begin(deciding, RECORD_STATION_DUE);
    if (!decide_expired(deciding, queue) || !decide_shown(deciding, queue)) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    deciding->decision->answer.step.more = true;
}

/* ---- `within` is over ------------------------------------------------------------------------- */

/* Where something that the split still waits for is. */
static struct slice waited_for(const struct broker *broker, uint32_t slot) {
    const struct split *split = split_at(broker, slot);
    uint32_t found = BROKER_NONE; /* the one in the lowest slot: lists have no lasting order */
    uint32_t at = job_at(broker, split->job)->messages_first;
    for (uint32_t looked = 0; at != BROKER_NONE && looked < BROKER_STEP_MAX; looked++) {
        const struct message *message = message_at(broker, at);
        const struct piece *piece = message_piece(broker, message);
        bool is_placed = message->place == PLACE_LEASED || message_queue(broker, message) != NULL;
        bool is_it = piece->counting_split == slot && message->place != PLACE_PART && is_placed;
        if (is_it && at < found) found = at;
        at = piece->job_next;
    }
    if (found != BROKER_NONE) {
        return station_of_message(broker, message_at(broker, found)).settings->name;
    }
    return station_of(broker, queue_at(broker, split->opener)).settings->name;
}

static void write_duration(int64_t ms, char out[32]) {
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (i + 1 < ARRAY_COUNT(units) && ms % units[i].ms != 0) i++;
    (void)snprintf(out, 32, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

/* The kit will never come: its job cannot be done any more. */
static void give_up(struct deciding *deciding, uint32_t slot) {
    const struct broker *broker = deciding->broker;
    const struct split *split = split_at(broker, slot);
    struct station join = station_of(broker, queue_at(broker, split->join));
    char within[32];
    write_duration(join.settings->within_ms, within);
    char *text =
        arena_printf(&deciding->decision->arena, "%.*s waited %s for %.*s",
                     SLICE_ARGS(join.settings->name), within, SLICE_ARGS(waited_for(broker, slot)));
    if (text == NULL) {
        deciding->decision->record.failed = true;
        return;
    }
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.is_lost = true;
    set.error = error_body(deciding, slice_from_string(text));
    effect_job_set(deciding, split->job, &set);
    if (split->counting_split != BROKER_NONE) {
        effect_split_set(deciding, split->counting_split,
                         &(struct effect_split_set){.is_lost = true});
    }
    effect_split_set(deciding, slot, &(struct effect_split_set){.is_closed = true});
}

static void decide_within(struct deciding *deciding, uint32_t slot) {
    const struct split *split = split_at(deciding->broker, slot);
    if (job_at(deciding->broker, split->job)->state != JOB_RUNNING) {
        effect_split_set(deciding, slot, &(struct effect_split_set){.is_closed = true});
    } else if (split->missing == MISSING_FAIL) {
        give_up(deciding, slot);
    } else {
        decide_emerge(deciding, slot, split->missing == MISSING_DEAD);
    }
}

/* All of that kind that are due, up to BROKER_STEP_MAX, as long as they are the earliest. */
static void decide_all_due(struct deciding *deciding, enum thing_kind kind,
                           void (*decide)(struct deciding *deciding, uint32_t slot)) {
    const struct broker *broker = deciding->broker;
    struct broker_answer *answer = &deciding->decision->answer;
    struct heap_walk walk;
    if (!heap_walk_open(&walk, &broker->deadlines, &timer_order, broker, &deciding->decision->arena,
                        BROKER_STEP_MAX)) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    uint32_t handle;
    while (heap_walk_next(&walk, &handle)) {
        if (handle_kind(handle) != kind) break;
        if (timer_when_ms(broker, handle) > deciding->now_ms) break;
        decide(deciding, handle_slot(handle));
        answer->step.count++;
    }
    answer->step.more = true;
}

void decide_split_due(struct deciding *deciding, uint32_t split) {
    CHECK(split != BROKER_NONE);
    record_begin(deciding, RECORD_SPLIT_DUE);
    decide_all_due(deciding, THING_SPLIT, decide_within);
}

void decide_job_due(struct deciding *deciding, uint32_t job) {
    CHECK(job != BROKER_NONE);
    record_begin(deciding, RECORD_JOB_DUE);
    decide_all_due(deciding, THING_JOB, effect_job_free);
}

uint32_t jobs_too_many(const struct broker *broker) {
    if (broker->ended.count <= broker->jobs_ended_max) return 0;
    uint32_t spare =
        broker->jobs_ended_max / 64; /* so that not each end brings a record of its own */
    uint32_t count = broker->ended.count - broker->jobs_ended_max + spare;
    return count < BROKER_STEP_MAX ? count : BROKER_STEP_MAX;
}

/* More have ended than are remembered: those that ended first are forgotten before their time. */
void decide_jobs_too_many(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    struct heap_walk walk;
    record_begin(deciding, RECORD_JOB_DUE);
    if (!heap_walk_open(&walk, &broker->ended, &ended_order, broker, &deciding->decision->arena,
                        jobs_too_many(broker))) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    uint32_t slot;
    while (heap_walk_next(&walk, &slot)) {
        effect_job_free(deciding, slot);
        deciding->decision->answer.step.count++;
    }
    deciding->decision->answer.step.more = true;
}

/* ---- a purged queue's messages ---------------------------------------------------------------- */

/* What the jobs of swept messages are told. Dead letters' jobs know what failed. */
static uint32_t purge_error(struct deciding *deciding, const struct store *store) {
    const struct broker *broker = deciding->broker;
    const struct queue *queue = queue_find_id(broker, (uint32_t)store->queue_number);
    if (queue == NULL || queue->kind != QUEUE_STATION || store_count(store) == 0) return BODY_NONE;
    const char *text =
        arena_printf(&deciding->decision->arena, "The queue of the station %.*s was purged.",
                     SLICE_ARGS(station_of(broker, queue).settings->name));
    if (text == NULL) {
        deciding->decision->record.failed = true;
        return BODY_NONE;
    }
    return error_body(deciding, slice_from_string(text));
}

static bool sweep(struct deciding *deciding, const struct store *store) {
    struct broker_answer *answer = &deciding->decision->answer;
    struct shelf_walk visible = shelf_walk_open(&store->visible, BROKER_STEP_MAX);
    struct heap_walk walk;
    if (!heap_walk_open(&walk, &store->timed, &timed_order, deciding->broker,
                        &deciding->decision->arena, BROKER_STEP_MAX)) {
        return false;
    }
    uint32_t error = purge_error(deciding, store);
    uint32_t slot;
    for (; shelf_walk_next(&visible, &slot); answer->step.count++) {
        lose(deciding, slot, NULL, END_UNCOUNTED, error);
    }
    while (answer->step.count < BROKER_STEP_MAX && heap_walk_next(&walk, &slot)) {
        lose(deciding, slot, NULL, END_UNCOUNTED, error);
        answer->step.count++;
    }
    return true;
}

void decide_station_sweep(struct deciding *deciding, uint32_t slot) {
    const struct store *store = store_at(deciding->broker, slot);
    struct broker_answer *answer = &deciding->decision->answer;
    record_begin(deciding, RECORD_STATION_SWEEP);
    if (!sweep(deciding, store)) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    if (answer->step.count == store_count(store) && store->leased_count == 0) {
        effect_store_free(deciding, slot);
    }
    answer->step.more = true;
}

/* ---- dead letters ----------------------------------------------------------------------------- */

void decide_station_delete(struct deciding *deciding, const struct queue *queue) {
    const struct command_handles *command = &deciding->command->handles;
    struct broker_answer *answer = &deciding->decision->answer;
    uint32_t gone[BROKER_BATCH_MAX];
    uint32_t gone_count = 0;
    for (uint32_t i = 0; i < command->receipts_count; i++) {
        answer->send.results[i] = BROKER_OK; /* one that is gone already was deleted */
        if (receipt_message(deciding->broker, queue, &command->receipts[i]) == NULL) continue;
        uint32_t slot = command->receipts[i].slot;
        bool is_twice = false;
        for (uint32_t k = 0; k < gone_count; k++) is_twice = is_twice || gone[k] == slot;
        if (is_twice) continue;
        if (gone_count == 0) record_begin(deciding, RECORD_STATION_DELETE);
        gone[gone_count++] = slot;
        lose(deciding, slot, queue, END_DELETED, BODY_NONE);
    }
}

/* The kits it belongs to have their whole time again. */
static void renew_within(struct deciding *deciding, uint32_t split_slot) {
    const struct broker *broker = deciding->broker;
    for (uint32_t slot = split_slot; slot != BROKER_NONE;) {
        const struct split *split = split_at(broker, slot);
        if (!split_is_broken(split)) return;
        struct station join = station_of(broker, queue_at(broker, split->join));
        if (join.settings->within_ms > 0) {
            effect_split_set(deciding, slot,
                             &(struct effect_split_set){
                                 .sets_within = true,
                                 .within_ms = deciding->now_ms + join.settings->within_ms,
                             });
        }
        slot = split->counting_split;
    }
}

static void revive(struct deciding *deciding, uint32_t slot, const struct station *station,
                   struct step_list *steps) {
    const struct broker *broker = deciding->broker;
    const struct piece *piece = message_piece(broker, message_at(broker, slot));
    const struct job *job = job_at(broker, piece->job);
    if (job->state == JOB_REJECTED) {
        effect_end(deciding, slot, station->dead_queue, END_WITHDRAWN);
        return;
    }
    steps_add(deciding, steps, slot)->outcome = STEP_REDRIVEN;
    if (job->state != JOB_RUNNING) {
        struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
        set.sets_state = true;
        set.state = JOB_RUNNING;
        effect_job_set(deciding, piece->job, &set);
    }
    renew_within(deciding, piece->counting_split);
    effect_revive(deciding, slot, station->queue, station->dead_queue);
}

void decide_station_redrive(struct deciding *deciding, const struct queue *queue) {
    const struct broker *broker = deciding->broker;
    const struct command_redrive *command = &deciding->command->redrive;
    struct broker_answer *answer = &deciding->decision->answer;
    struct station station = station_of(broker, queue);
    uint32_t max =
        command->messages_max < BROKER_STEP_MAX ? command->messages_max : BROKER_STEP_MAX;
    struct shelf_walk walk = shelf_walk_open(&queue_store(broker, queue)->visible, max);
    struct step_list steps;
    record_begin(deciding, RECORD_STATION_REDRIVE);
    if (!steps_open(deciding, &steps, max)) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    uint32_t slot;
    while (shelf_walk_next(&walk, &slot)) {
        revive(deciding, slot, &station, &steps);
        answer->step.count++;
    }
    if (answer->step.count == 0) {
        refuse(deciding, BROKER_NOTHING);
        return;
    }
    steps_write(deciding, &steps);
    answer->step.more = queue_store(broker, queue)->visible.count > answer->step.count;
}
