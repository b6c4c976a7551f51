/* SPDX-License-Identifier: Apache-2.0 */
/* broker_advance.c -- time passes: what is due is done, and graves are swept, in steps.
 *
 * The heap of deadlines gives the queues, jobs, splits and move tasks whose earliest deadline is
 * over, earliest first. Plain queues are done one after the other, each in the order (deadline, number), into one
 * record, until BROKER_STEP_MAX messages are in it. A station, job, split or task has a record of its
 * own: it is made when such a one is the earliest, and ends the list otherwise.
 *
 * A message that is delayed or in flight does not leave by retention before that deadline: until
 * then nobody can see it, a delete of it succeeds and a change of its visibility is refused, as if
 * it had gone.
 */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

/* Sections of one record: each has a head of 32 bytes. */
#define ADVANCE_QUEUES_MAX BROKER_STEP_MAX

bool reserve_advance(struct broker *broker, const struct command *command) {
    return command != NULL && lines_reserve_advance(broker) && reserve_move_step(broker);
}

/* ---- what is due ------------------------------------------------------------------------------ */

struct due {
    uint32_t *expired; /* slots */
    uint32_t *shown;
    uint32_t expired_count;
    uint32_t shown_count;
};

/* The visible ones at the front of the queue whose retention is over. */
static void find_expired(const struct deciding *deciding, const struct queue *queue, uint32_t max,
                         struct due *due) {
    struct shelf_walk walk = shelf_walk_open(&queue_store(deciding->broker, queue)->visible, max);
    uint32_t slot;
    while (shelf_walk_next(&walk, &slot)) {
        if (!queue_has_expired(queue, message_at(deciding->broker, slot),
                               retention_now_ms(deciding)))
            break;
        due->expired[due->expired_count++] = slot;
    }
}

/* The delayed ones and those in flight whose deadline is over. */
static bool find_shown(struct deciding *deciding, const struct queue *queue, uint32_t max,
                       struct due *due) {
    struct heap_walk walk;
    if (!heap_walk_open(&walk, &queue_store(deciding->broker, queue)->timed, &timed_order,
                        deciding->broker, &deciding->decision->arena, max)) {
        return false;
    }
    uint32_t slot;
    while (heap_walk_next(&walk, &slot)) {
        const struct message *message = message_at(deciding->broker, slot);
        if (message_deadline_ms(deciding->broker, message) > deciding->now_ms) break;
        if (queue_has_expired(queue, message, retention_now_ms(deciding))) {
            due->expired[due->expired_count++] = slot;
        } else {
            due->shown[due->shown_count++] = slot;
        }
    }
    return true;
}

static void write_slots(struct deciding *deciding, const uint32_t *slots, uint32_t count) {
    struct buffer *record = &deciding->decision->record;
    encode_u32(record, count);
    for (uint32_t i = 0; i < count; i++)
        encode_ref(record, message_ref(deciding->broker, slots[i]));
}

/* One queue's section; how many messages are in it, or UINT32_MAX: out of memory. */
static uint32_t decide_queue(struct deciding *deciding, const struct queue *queue, uint32_t max,
                             struct due *due) {
    due->expired_count = due->shown_count = 0;
    if (!find_shown(deciding, queue, max, due)) return UINT32_MAX;
    find_expired(deciding, queue, max - due->shown_count - due->expired_count, due);
    struct buffer *record = &deciding->decision->record;
    encode_ref(record, queue_ref(queue));
    encode_ref(record, queue_store_ref(queue));
    write_slots(deciding, due->expired, due->expired_count);
    write_slots(deciding, due->shown, due->shown_count);
    return due->expired_count + due->shown_count;
}

static bool is_due(const struct deciding *deciding, uint32_t handle) {
    const struct broker *broker = deciding->broker;
    return timer_when_ms(broker, handle) <= deciding->now_ms;
}

static bool is_plain(const struct broker *broker, uint32_t handle) {
    return handle_kind(handle) == THING_QUEUE &&
           queue_at(broker, handle_slot(handle))->kind == QUEUE_PLAIN;
}

/* The earliest deadline is a station's, a job's, a split's or a move task's: theirs to decide. */
static void decide_other_due(struct deciding *deciding, uint32_t handle) {
    uint32_t slot = handle_slot(handle);
    switch (handle_kind(handle)) {
    case THING_QUEUE: decide_station_due(deciding, queue_at(deciding->broker, slot)); break;
    case THING_JOB: decide_job_due(deciding, slot); break;
    case THING_MOVE: decide_move_step(deciding, slot); break;
    default: decide_split_due(deciding, slot); break;
    }
}

/* The sections of plain queues. False: out of memory. */
static bool decide_due(struct deciding *deciding, struct due *due) {
    const struct broker *broker = deciding->broker;
    struct broker_answer *answer = &deciding->decision->answer;
    struct buffer *record = &deciding->decision->record;
    size_t count_place = record->count;
    uint32_t queues_count = 0;
    encode_u32(record, 0);
    struct heap_walk walk;
    if (!heap_walk_open(&walk, &broker->deadlines, &timer_order, broker, &deciding->decision->arena,
                        ADVANCE_QUEUES_MAX)) {
        return false;
    }
    uint32_t handle;
    while (answer->step.count < BROKER_STEP_MAX && heap_walk_next(&walk, &handle)) {
        if (!is_due(deciding, handle) || !is_plain(broker, handle)) break;
        uint32_t count = decide_queue(deciding, queue_at(broker, handle_slot(handle)),
                                      BROKER_STEP_MAX - answer->step.count, due);
        if (count == UINT32_MAX) return false;
        answer->step.count += count;
        queues_count++;
    }
    if (!record->failed) encode_u32_at(record->bytes + count_place, queues_count);
    return true;
}

/* ---- graves ----------------------------------------------------------------------------------- */

/* The first grave's next messages: everything up to and with the last of the walk. */
static bool decide_sweep(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    struct broker_answer *answer = &deciding->decision->answer;
    struct buffer *record = &deciding->decision->record;
    uint32_t budget = BROKER_STEP_MAX - answer->step.count;
    bool has_grave = broker->graves.count > 0 && budget > 0 &&
                     !store_at(broker, heap_value(&broker->graves, 0))->is_station;
    encode_u8(record, has_grave);
    if (!has_grave) return true;
    const struct store *store = store_at(broker, heap_value(&broker->graves, 0));
    struct shelf_walk visible = shelf_walk_open(&store->visible, budget);
    struct heap_walk timed;
    if (!heap_walk_open(&timed, &store->timed, &timed_order, broker, &deciding->decision->arena,
                        budget)) {
        return false;
    }
    uint64_t visible_number = 0;
    uint64_t timed_number = 0;
    int64_t timed_ms = 0;
    uint32_t count = 0;
    uint32_t slot;
    for (; count < budget && shelf_walk_next(&visible, &slot); count++) {
        visible_number = message_at(broker, slot)->thing.number;
    }
    for (; count < budget && heap_walk_next(&timed, &slot); count++) {
        timed_number = message_at(broker, slot)->thing.number;
        timed_ms = message_deadline_ms(broker, message_at(broker, slot));
    }
    encode_ref(record, store_ref(broker, store->slot));
    encode_u64(record, visible_number);
    encode_i64(record, timed_ms);
    encode_u64(record, timed_number);
    encode_u8(record, count == store_count(store) && store->leased_count == 0);
    answer->step.count += count;
    return true;
}

void decide_advance(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    struct broker_answer *answer = &deciding->decision->answer;
    if (broker->settles.count > 0) {
        decide_settle(deciding);
        return;
    }
    if (jobs_too_many(broker) > 0) {
        decide_jobs_too_many(deciding);
        return;
    }
    bool has_due =
        broker->deadlines.count > 0 && is_due(deciding, heap_value(&broker->deadlines, 0));
    if (has_due && !is_plain(broker, heap_value(&broker->deadlines, 0))) {
        decide_other_due(deciding, heap_value(&broker->deadlines, 0));
        return;
    }
    if (!has_due && broker->graves.count == 0) {
        answer->result = BROKER_NOTHING;
        return;
    }
    if (!has_due && store_at(broker, heap_value(&broker->graves, 0))->is_station) {
        decide_station_sweep(deciding, heap_value(&broker->graves, 0));
        return;
    }
    struct due due = {.expired = deciding_take(deciding, BROKER_STEP_MAX, sizeof(uint32_t)),
                      .shown = deciding_take(deciding, BROKER_STEP_MAX, sizeof(uint32_t))};
    (void)record_begin(deciding, RECORD_ADVANCE);
    if (due.expired == NULL || due.shown == NULL || !decide_due(deciding, &due) ||
        !decide_sweep(deciding)) {
        answer->step.count = 0;
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    answer->step.more = answer->step.count >= BROKER_STEP_MAX;
}

/* ---- apply ------------------------------------------------------------------------------------ */

static void apply_queue_due(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct queue *queue = applying_next(applying, THING_QUEUE);
    struct broker_ref place = decode_ref(&applying->in);
    uint32_t expired_count = decode_u32(&applying->in);
    for (uint32_t i = 0; i < expired_count && !applying->in.failed; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        if (applying_find(applying, THING_MESSAGE, ref) != NULL) message_free(broker, ref.slot);
    }
    uint32_t shown_count = decode_u32(&applying->in);
    for (uint32_t i = 0; i < shown_count && !applying->in.failed; i++) {
        struct broker_ref ref = decode_ref(&applying->in);
        if (applying_find(applying, THING_MESSAGE, ref) == NULL) continue;
        struct store *store = store_for(broker, place);
        if (store == NULL) return;
        message_to_visible(broker, ref.slot, store);
    }
    QUEUE_COUNT(queue, expired, expired_count);
}

static void sweep_visible(struct broker *broker, struct store *store, uint64_t number) {
    while (store->visible.count > 0) {
        uint32_t slot = shelf_first(&store->visible);
        if (message_at(broker, slot)->thing.number > number) return;
        message_free(broker, slot);
    }
}

static void sweep_timed(struct broker *broker, struct store *store, int64_t ms, uint64_t number) {
    while (store->timed.count > 0) {
        uint32_t slot = heap_value(&store->timed, 0);
        const struct message *message = message_at(broker, slot);
        int64_t deadline_ms = message_deadline_ms(broker, message);
        if (deadline_ms > ms || (deadline_ms == ms && message->thing.number > number)) return;
        message_free(broker, slot);
    }
}

static void apply_sweep(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct store *store = applying_next(applying, THING_STORE);
    uint64_t visible_number = decode_u64(&applying->in);
    int64_t timed_ms = decode_i64(&applying->in);
    uint64_t timed_number = decode_u64(&applying->in);
    bool is_last = decode_u8(&applying->in) != 0;
    if (store == NULL || applying->in.failed) return;
    sweep_visible(broker, store, visible_number);
    sweep_timed(broker, store, timed_ms, timed_number);
    if (!is_last) return;
    if (store_count(store) != 0) {
        applying->is_broken = true;
        return;
    }
    store_free(broker, store->slot);
}

void apply_advance(struct applying *applying) {
    uint32_t queues_count = decode_u32(&applying->in);
    for (uint32_t i = 0; i < queues_count && !applying->in.failed; i++) apply_queue_due(applying);
    if (decode_u8(&applying->in) != 0) apply_sweep(applying);
}

/* ---- what wants to be done -------------------------------------------------------------------- */

struct wall_time broker_next_deadline(const struct broker *broker) {
    if (broker->deadlines.count == 0) return (struct wall_time){INT64_MAX};
    return (struct wall_time){timer_when_ms(broker, heap_value(&broker->deadlines, 0))};
}

bool broker_has_sweep(const struct broker *broker) {
    return broker->graves.count > 0 || broker->settles.count > 0 || jobs_too_many(broker) > 0;
}

bool broker_has_settle(const struct broker *broker) {
    return broker->settles.count > 0;
}
