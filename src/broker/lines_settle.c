/* SPDX-License-Identifier: Apache-2.0 */
/* lines_settle.c -- what follows from what has happened, as advance records of their own.
 *
 * A hand-off, a dead letter, a deleted one change counts. Where such a count says that something
 * follows, the job or split stands in broker.settles, and the next advance does it:
 *
 *   a split is complete          its kit emerges at the join, or in the join's dead letters
 *   a kit has been handled       its parts are freed
 *   nothing names a split        it is forgotten
 *   nothing of a job lives       it ends: done or failed
 *   a job is over                what is left of it is withdrawn
 *
 * So a command never has to look further than one thing, however much hangs on it.
 */
#include "broker/lines_decide.h"

#include <stdio.h>

/* What one record does; both count against BROKER_STEP_MAX. */
struct settling {
    struct deciding *deciding;
    uint32_t count;
};

static bool is_spent(const struct settling *settling) {
    return settling->count >= BROKER_STEP_MAX;
}

void decide_emerge(struct deciding *deciding, uint32_t slot, bool to_dead) {
    const struct broker *broker = deciding->broker;
    const struct split *split = split_at(broker, slot);
    struct station join = station_of(broker, queue_at(broker, split->join));
    uint16_t hops = (uint16_t)(split->hops < UINT16_MAX ? split->hops + 1 : UINT16_MAX);
    (void)effect_message(deciding,
                         &(struct effect_message){
                             .job = ref_at(broker, THING_JOB, split->job),
                             .path_split = ref_at(broker, THING_SPLIT, split->parent_split),
                             .counting_split = ref_at(broker, THING_SPLIT, split->counting_split),
                             .kit_split = ref_at(broker, THING_SPLIT, slot),
                             .from = ref_at(broker, THING_QUEUE, split->opener),
                             .to = queue_ref(to_dead ? join.dead_queue : join.queue),
                             .index = split->parent_index,
                             .hops = hops,
                             .visit = join.settings->in_cycle ? hops : 0,
                             .is_dead = to_dead,
                             .delay_ms = to_dead ? 0 : join.settings->delay_ms,
                             .body = BODY_NONE,
                         });
    effect_split_set(deciding, slot, &(struct effect_split_set){.is_closed = true});
    if (!to_dead) return;
    char *text = arena_printf(&deciding->decision->arena, "%.*s: a part of the kit is missing",
                              SLICE_ARGS(join.settings->name));
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.error = error_body(deciding, slice_from_string(text));
    effect_job_set(deciding, split->job, &set);
}

static void settle_split(struct settling *settling, uint32_t slot) {
    struct deciding *deciding = settling->deciding;
    const struct broker *broker = deciding->broker;
    const struct split *split = split_at(broker, slot);
    bool is_running = job_at(broker, split->job)->state == JOB_RUNNING;
    if (split_is_complete(split) && is_running) {
        bool is_missing = split->dead_count > 0 || split->is_lost;
        decide_emerge(deciding, slot, split->missing == MISSING_DEAD && is_missing);
        settling->count++;
    } else if (split_is_complete(split)) {
        effect_split_set(deciding, slot, &(struct effect_split_set){.is_closed = true});
        settling->count++;
    } else if (split->parts_count > 0) {
        uint32_t part = split->parts_first;
        for (; part != BROKER_NONE && !is_spent(settling); settling->count++) {
            effect_end(deciding, part, NULL, END_UNCOUNTED);
            part = message_piece(broker, message_at(broker, part))->next;
        }
    } else {
        /* One that is broken for good has counted as dead until now. */
        if (split_is_broken(split) && split->counting_split != BROKER_NONE) {
            effect_split_set(deciding, split->counting_split,
                             &(struct effect_split_set){.is_lost = true});
        }
        effect_split_free(deciding, slot);
        settling->count++;
    }
}

static void end_job(struct deciding *deciding, uint32_t slot) {
    const struct job *job = job_at(deciding->broker, slot);
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.sets_state = true;
    set.state = job->dead_count > 0 || job->is_lost ? JOB_FAILED : JOB_DONE;
    set.ended_ms = deciding->now_ms;
    set.forget_ms = deciding->now_ms + job_keep_ms(deciding->broker, job);
    effect_job_set(deciding, slot, &set);
}

static void withdraw(struct deciding *deciding, uint32_t slot) {
    const struct message *message = message_at(deciding->broker, slot);
    const struct queue *queue = message_queue(deciding->broker, message);
    effect_end(deciding, slot, queue, queue == NULL ? END_UNCOUNTED : END_WITHDRAWN);
}

static void sweep_rolls(struct settling *settling, uint32_t job) {
    const struct broker *broker = settling->deciding->broker;
    const struct pool *rolls = &broker->pools[THING_ROLL];
    for (uint32_t slot = pool_next_taken(rolls, 0); slot != BROKER_NONE && !is_spent(settling);
         slot = pool_next_taken(rolls, slot + 1)) {
        if (roll_at(broker, slot)->job != job) continue;
        effect_roll_free(settling->deciding, slot);
        settling->count++;
    }
}

/* The parts of a closed split whose kit has gone are ended with the split: it stands in the same
 * list, perhaps in the same record, and nothing ends twice. */
static bool goes_with_its_split(const struct broker *broker, const struct message *message) {
    if (message->place != PLACE_PART) return false;
    const struct split *split = split_at(broker, message_piece(broker, message)->counting_split);
    return split->is_closed && split->kits_count == 0;
}

static void sweep_job(struct settling *settling, uint32_t slot) {
    const struct broker *broker = settling->deciding->broker;
    const struct job *job = job_at(broker, slot);
    if (job->rolls_count > 0) sweep_rolls(settling, slot);
    struct slots swept;
    if (!slots_open(settling->deciding, &swept, BROKER_STEP_MAX)) return;
    for (uint32_t at = job->messages_first; at != BROKER_NONE && swept.count < swept.max;) {
        const struct message *message = message_at(broker, at);
        bool is_ours = message->place != PLACE_LEASED && !goes_with_its_split(broker, message);
        if (is_ours) swept.list[swept.count++] = at;
        at = message_piece(broker, message)->job_next;
    }
    slots_sort(&swept);
    for (uint32_t i = 0; i < swept.count && !is_spent(settling); i++, settling->count++) {
        withdraw(settling->deciding, swept.list[i]);
    }
}

/* True: done, or as much as fits. A large one waits to be the first of a record, so that which
 * messages are swept together does not follow from the order of its list. */
static bool settle(struct settling *settling, uint32_t handle) {
    const struct broker *broker = settling->deciding->broker;
    uint32_t slot = handle_slot(handle);
    if (handle_kind(handle) == THING_SPLIT) {
        uint32_t parts_count = split_at(broker, slot)->parts_count;
        if (settling->count > 0 && settling->count + parts_count > BROKER_STEP_MAX) return false;
        settle_split(settling, slot);
        return true;
    }
    const struct job *job = job_at(broker, slot);
    uint32_t more = job->messages_count + job->rolls_count;
    if (settling->count > 0 && settling->count + more > BROKER_STEP_MAX) return false;
    if (job->state == JOB_RUNNING) {
        end_job(settling->deciding, slot);
        settling->count++;
    } else {
        sweep_job(settling, slot);
    }
    return true;
}

void decide_settle(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    struct broker_answer *answer = &deciding->decision->answer;
    struct settling settling = {.deciding = deciding};
    struct heap_walk walk;
    record_begin(deciding, RECORD_SETTLE);
    if (!heap_walk_open(&walk, &broker->settles, &settle_order, broker, &deciding->decision->arena,
                        BROKER_STEP_MAX)) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    uint32_t handle;
    while (!is_spent(&settling) && heap_walk_next(&walk, &handle)) {
        if (!settle(&settling, handle)) break;
    }
    answer->step.count = settling.count;
    answer->step.more = true; /* it is seldom the last: ask */
}

static bool reserve_emerge(struct broker *broker, const struct split *split, uint32_t count) {
    if (split->join == BROKER_NONE) return true;
    struct station join = station_of(broker, queue_at(broker, split->join));
    return store_reserve(broker, queue_store(broker, join.queue), count) &&
           store_reserve(broker, queue_store(broker, join.dead_queue), count);
}

/* For the splits at the front of a heap of handles. */
static bool reserve_front(struct broker *broker, const struct heap *heap,
                          const struct heap_order *order) {
    uint32_t count = heap->count < BROKER_STEP_MAX ? heap->count : BROKER_STEP_MAX;
    if (count == 0) return true;
    struct arena arena;
    struct heap_walk walk;
    arena_open(&arena, broker->allocator, SIZE_MAX);
    bool is_reserved = heap_walk_open(&walk, heap, order, broker, &arena, count) &&
                       pool_reserve(&broker->pools[THING_MESSAGE], count) &&
                       pool_reserve(&broker->pools[THING_PIECE], count) &&
                       pool_reserve(&broker->pools[THING_TIMING], count);
    uint32_t handle;
    while (is_reserved && heap_walk_next(&walk, &handle)) {
        if (handle_kind(handle) != THING_SPLIT) continue;
        is_reserved = reserve_emerge(broker, split_at(broker, handle_slot(handle)), count);
    }
    arena_close(&arena);
    return is_reserved;
}

bool settle_reserve(struct broker *broker) {
    if (broker->settles.count > 0) return reserve_front(broker, &broker->settles, &settle_order);
    if (broker->deadlines.count == 0) return true;
    uint32_t handle = heap_value(&broker->deadlines, 0);
    if (handle_kind(handle) == THING_SPLIT) {
        return reserve_front(broker, &broker->deadlines, &timer_order);
    }
    if (handle_kind(handle) != THING_QUEUE) return true;
    const struct queue *queue = queue_at(broker, handle_slot(handle));
    if (queue->kind != QUEUE_STATION) return true;
    const struct queue *dead_queue = station_of(broker, queue).dead_queue;
    return store_reserve(broker, queue_store(broker, dead_queue), BROKER_STEP_MAX) &&
           tallies_reserve(broker, BROKER_STEP_MAX);
}
