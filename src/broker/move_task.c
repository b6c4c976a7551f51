/* SPDX-License-Identifier: Apache-2.0 */
/* move_task.c -- dead letters go back to where they came from, or to another queue, by themselves.
 *
 *                          ┌── step: nothing is left ──► COMPLETED
 *   start ──► RUNNING ─────┼── step: no queue to go to ► FAILED
 *               ▲    │     └── cancel ─────────────────► CANCELLED
 *               └step┘
 *
 * A running task has a deadline, its next step; an advance record of its own does it. A step moves at
 * most BROKER_STEP_MAX messages, or a tenth of a second's of a task that has a rate. What came to the
 * dead-letter queue after the start stays there. Tasks that have ended are remembered, MOVE_SOURCE_TASKS_MAX
 * of a queue, and go with it.
 */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

#define MOVE_SOURCE_TASKS_MAX 10u /* of one queue, the running one included */
#define STEPS_PER_SECOND 10

/* ---- finding ---------------------------------------------------------------------------------- */

static struct queue *move_source(const struct broker *broker, const struct move *move) {
    return thing_find(broker, THING_QUEUE, (struct broker_ref){move->source_number, move->source});
}

static bool is_of(const struct move *move, struct broker_ref source) {
    return move->source == source.slot && move->source_number == source.number;
}

/* The newest task of the queue whose number is below `before`; BROKER_NONE: there is none. */
static uint32_t find_before(const struct broker *broker, struct broker_ref source,
                            uint64_t before) {
    const struct pool *moves = &broker->pools[THING_MOVE];
    uint32_t found = BROKER_NONE;
    for (uint32_t slot = pool_next_taken(moves, 0); slot != BROKER_NONE;
         slot = pool_next_taken(moves, slot + 1)) {
        const struct move *move = move_at(broker, slot);
        if (!is_of(move, source) || move->thing.number >= before) continue;
        if (found == BROKER_NONE || move->thing.number > move_at(broker, found)->thing.number)
            found = slot;
    }
    return found;
}

static bool is_dead_letter_queue(const struct broker *broker, const struct queue *queue) {
    const struct pool *queues = &broker->pools[THING_QUEUE];
    for (uint32_t slot = pool_next_taken(queues, 0); slot != BROKER_NONE;
         slot = pool_next_taken(queues, slot + 1)) {
        if (queue_dead_queue(broker, queue_at(broker, slot)) == queue) return true;
    }
    return false;
}

/* Where the message goes; NULL: there is no such queue, *reason says why. */
static struct queue *goal_of(const struct broker *broker, const struct move *move, uint32_t slot,
                             enum move_reason *reason) {
    struct queue *goal;
    if (move->target_count > 0) {
        goal = queue_find(broker, slice_from(move->target, move->target_count));
        *reason = MOVE_NO_QUEUE;
    } else {
        uint32_t origin = message_timing(broker, message_at(broker, slot))->origin;
        goal = origin == 0 ? NULL : queue_find_id(broker, origin);
        *reason = origin == 0 ? MOVE_NO_SOURCE : MOVE_NO_QUEUE;
    }
    bool is_good = goal != NULL && goal->kind == QUEUE_PLAIN && goal != move_source(broker, move);
    return is_good ? goal : NULL;
}

static uint32_t step_max(const struct move *move) {
    if (move->per_second == 0) return BROKER_STEP_MAX;
    return move->per_second < STEPS_PER_SECOND ? 1 : move->per_second / STEPS_PER_SECOND;
}

/* Rounded up, so that the rate is never exceeded. */
static int64_t pause_ms(const struct move *move) {
    if (move->per_second == 0) return 0;
    return (1000ll * step_max(move) + move->per_second - 1) / move->per_second;
}

/* ---- start, cancel ---------------------------------------------------------------------------- */

bool reserve_move_start(struct broker *broker, const struct command *command) {
    return command != NULL && pool_reserve(&broker->pools[THING_MOVE], 1) &&
           timers_reserve(broker, 1);
}

size_t bytes_move(const struct command *command) {
    return command == NULL ? 0 : 512;
}

/* False: refused. */
static bool check_start(struct deciding *deciding, const struct queue *source) {
    const struct command_move *command = &deciding->command->move;
    const struct broker *broker = deciding->broker;
    uint32_t newest = find_before(broker, queue_ref(source), UINT64_MAX);
    const char *words = NULL;
    if (source->kind != QUEUE_PLAIN) {
        refuse(deciding, BROKER_UNSUPPORTED);
        return false;
    }
    if (!is_dead_letter_queue(broker, source)) {
        words = "Source queue must be configured as a Dead Letter Queue.";
    } else if (newest != BROKER_NONE && move_at(broker, newest)->state == MOVE_RUNNING) {
        words = "There is already a task running. Only one active task is allowed for a source "
                "queue arn at a given time.";
    } else if (slice_equal(command->target, command->source)) {
        words = "Source queue arn and destination queue arn cannot be the same.";
    }
    if (words != NULL) refuse_printf(deciding, BROKER_VALUE_INVALID, "%s", words);
    return words == NULL;
}

/* The target, if it is named, takes messages as they are. */
static bool check_target(struct deciding *deciding) {
    const struct command_move *command = &deciding->command->move;
    if (command->target.count == 0) return true;
    const struct queue *target = deciding_queue(deciding, command->target);
    if (target == NULL) return false;
    if (target->kind == QUEUE_PLAIN) return true;
    refuse(deciding, BROKER_UNSUPPORTED);
    return false;
}

/* The oldest one, if there is no room for one more of this queue. */
static struct broker_ref oldest_to_forget(const struct broker *broker, struct broker_ref source) {
    uint32_t slot = find_before(broker, source, UINT64_MAX);
    for (uint32_t i = 1; slot != BROKER_NONE && i < MOVE_SOURCE_TASKS_MAX; i++) {
        slot = find_before(broker, source, move_at(broker, slot)->thing.number);
    }
    if (slot == BROKER_NONE) return (struct broker_ref){0};
    return (struct broker_ref){move_at(broker, slot)->thing.number, slot};
}

void decide_move_start(struct deciding *deciding) {
    const struct command_move *command = &deciding->command->move;
    const struct queue *source = deciding_queue(deciding, command->source);
    if (source == NULL || !check_start(deciding, source) || !check_target(deciding)) return;
    struct broker_ref ref = new_ref(deciding, THING_MOVE);
    struct broker_answer *answer = &deciding->decision->answer;
    answer->move.move = ref;
    message_id(deciding->broker, ref.number, answer->move.id);
    struct buffer *record = record_begin(deciding, RECORD_MOVE_START);
    encode_ref(record, ref);
    encode_ref(record, queue_ref(source));
    encode_slice(record, command->target);
    encode_u32(record, command->per_second);
    encode_u64(record, queue_store(deciding->broker, source)->visible.count);
    encode_ref(record, oldest_to_forget(deciding->broker, queue_ref(source)));
}

static void set_state(struct broker *broker, uint32_t slot, enum move_state state,
                      int64_t next_ms) {
    struct move *move = move_at(broker, slot);
    move->state = (uint8_t)state;
    move->next_ms = state == MOVE_RUNNING ? next_ms : 0;
    timer_set(broker, THING_MOVE, slot, state == MOVE_RUNNING ? next_ms : INT64_MAX);
}

static void free_move(struct broker *broker, uint32_t slot) {
    timer_set(broker, THING_MOVE, slot, INT64_MAX);
    thing_free(broker, THING_MOVE, slot);
}

void apply_move_start(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct broker_ref source = decode_ref(&applying->in);
    struct slice target = decode_slice(&applying->in);
    uint32_t per_second = decode_u32(&applying->in);
    uint64_t to_move = decode_u64(&applying->in);
    struct broker_ref forgotten = decode_ref(&applying->in);
    if (applying->in.failed || target.count > BROKER_NAME_BYTES_MAX) {
        applying->is_broken = true;
        return;
    }
    struct move *move = thing_make(broker, THING_MOVE, ref, applying->lsn);
    if (move == NULL) return;
    move->source = source.slot;
    move->source_number = source.number;
    move->per_second = per_second;
    move->to_move = to_move;
    move->started_ms = applying->now_ms;
    move->target_count = (uint8_t)target.count;
    if (target.count > 0) memcpy(move->target, target.bytes, target.count);
    set_state(broker, ref.slot, MOVE_RUNNING, applying->now_ms);
    if (forgotten.number == 0) return;
    if (applying_find(applying, THING_MOVE, forgotten) != NULL) free_move(broker, forgotten.slot);
}

void decide_move_cancel(struct deciding *deciding) {
    struct broker_ref ref = deciding->command->move.move;
    const struct move *move = thing_find(deciding->broker, THING_MOVE, ref);
    if (move == NULL || move->state != MOVE_RUNNING) {
        refuse(deciding, BROKER_NOTHING);
        return;
    }
    deciding->decision->answer.move.move = ref;
    deciding->decision->answer.move.moved_count = move->moved_count;
    struct buffer *record = record_begin(deciding, RECORD_MOVE_CANCEL);
    encode_ref(record, ref);
}

void apply_move_cancel(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    if (applying_find(applying, THING_MOVE, ref) == NULL) return;
    set_state(applying->broker, ref.slot, MOVE_CANCELLED, 0);
}

void moves_forget(struct broker *broker, struct broker_ref source) {
    const struct pool *moves = &broker->pools[THING_MOVE];
    for (uint32_t slot = pool_next_taken(moves, 0); slot != BROKER_NONE;
         slot = pool_next_taken(moves, slot + 1)) {
        if (is_of(move_at(broker, slot), source)) free_move(broker, slot);
    }
}

/* ---- a step ----------------------------------------------------------------------------------- */

bool reserve_move_step(struct broker *broker) {
    if (broker->deadlines.count == 0) return true;
    uint32_t handle = heap_value(&broker->deadlines, 0);
    if (handle_kind(handle) != THING_MOVE) return true;
    const struct move *move = move_at(broker, handle_slot(handle));
    uint32_t count = step_max(move);
    struct shelf_walk walk =
        shelf_walk_open(&queue_store(broker, move_source(broker, move))->visible, BROKER_STEP_MAX);
    uint32_t slot;
    while (shelf_walk_next(&walk, &slot)) {
        enum move_reason reason;
        const struct queue *goal = goal_of(broker, move, slot, &reason);
        if (goal == NULL) return true;
        if (!store_reserve(broker, queue_store(broker, goal), count)) return false;
    }
    return true;
}

/* The next messages into the record, and what becomes of the task. */
static enum move_state write_step(struct deciding *deciding, const struct move *move,
                                  enum move_reason *reason) {
    const struct broker *broker = deciding->broker;
    const struct queue *source = move_source(broker, move);
    struct broker_answer *answer = &deciding->decision->answer;
    struct shelf_walk walk =
        shelf_walk_open(&queue_store(broker, source)->visible, BROKER_STEP_MAX);
    uint32_t looked_count = 0;
    uint32_t slot;
    *reason = MOVE_NO_REASON;
    for (; shelf_walk_next(&walk, &slot); looked_count++) {
        const struct message *message = message_at(broker, slot);
        if (message->thing.number > move->thing.number) return MOVE_COMPLETED;
        if (answer->step.count == step_max(move)) return MOVE_RUNNING;
        if (queue_has_expired(source, message, retention_now_ms(deciding))) continue;
        enum move_reason why;
        const struct queue *goal = goal_of(broker, move, slot, &why);
        if (goal == NULL) {
            *reason = why;
            return MOVE_FAILED;
        }
        redrive_encode(deciding, goal, slot);
        answer->step.count++;
    }
    return looked_count == BROKER_STEP_MAX ? MOVE_RUNNING : MOVE_COMPLETED;
}

void decide_move_step(struct deciding *deciding, uint32_t slot) {
    const struct move *move = move_at(deciding->broker, slot);
    struct broker_answer *answer = &deciding->decision->answer;
    struct buffer *record = record_begin(deciding, RECORD_MOVE_STEP);
    encode_ref(record, (struct broker_ref){move->thing.number, slot});
    encode_ref(record, (struct broker_ref){move->source_number, move->source});
    encode_i64(record, deciding->now_ms + pause_ms(move));
    size_t place = record->count;
    encode_u32(record, 0);
    encode_u8(record, 0);
    encode_u8(record, 0);
    enum move_reason reason;
    enum move_state state = write_step(deciding, move, &reason);
    answer->step.more = true;
    if (record->failed) return;
    encode_u32_at(record->bytes + place, answer->step.count);
    record->bytes[place + 4] = (char)state;
    record->bytes[place + 5] = (char)reason;
}

void apply_move_step(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    struct queue *source = applying_next(applying, THING_QUEUE);
    int64_t next_ms = decode_i64(&applying->in);
    uint32_t count = decode_u32(&applying->in);
    uint8_t state = decode_u8(&applying->in);
    uint8_t reason = decode_u8(&applying->in);
    if (applying->in.failed || count > BROKER_STEP_MAX || state >= MOVE_STATES_COUNT ||
        reason >= MOVE_REASONS_COUNT) {
        applying->is_broken = true;
        return;
    }
    QUEUE_COUNT(source, redriven, count);
    redrive_apply(applying, count);
    struct move *move = applying_find(applying, THING_MOVE, ref);
    if (move == NULL) return;
    move->moved_count += count;
    move->reason = reason;
    set_state(applying->broker, ref.slot, (enum move_state)state, next_ms);
}

/* ---- the thing -------------------------------------------------------------------------------- */

uint32_t move_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                           uint32_t max) {
    CHECK(move_at(broker, slot) != NULL && (out != NULL || max == 0));
    return 0;
}

void move_close(struct broker *broker, uint32_t slot) {
    CHECK(move_at(broker, slot) != NULL); /* it holds nothing beside its slot */
}

void move_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct move *move = move_at(broker, slot);
    encode_ref(out, (struct broker_ref){move->source_number, move->source});
    encode_u8(out, move->state);
    encode_u8(out, move->reason);
    encode_u32(out, move->per_second);
    encode_u64(out, move->to_move);
    encode_u64(out, move->moved_count);
    encode_i64(out, move->started_ms);
    encode_i64(out, move->next_ms);
    encode_slice(out, slice_from(move->target, move->target_count));
}

void move_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    if (!is_new && !applying->broker->is_replaying) {
        applying->in.rest = SLICE_EMPTY; /* what is already so */
        return;
    }
    struct move *move = move_at(applying->broker, slot);
    struct broker_ref source = decode_ref(&applying->in);
    uint8_t state = decode_u8(&applying->in);
    move->source = source.slot;
    move->source_number = source.number;
    move->reason = decode_u8(&applying->in);
    move->per_second = decode_u32(&applying->in);
    move->to_move = decode_u64(&applying->in);
    move->moved_count = decode_u64(&applying->in);
    move->started_ms = decode_i64(&applying->in);
    int64_t next_ms = decode_i64(&applying->in);
    struct slice target = decode_slice(&applying->in);
    if (applying->in.failed || target.count > sizeof move->target || state >= MOVE_STATES_COUNT) {
        applying->is_broken = true;
        return;
    }
    memset(move->target, 0, sizeof move->target);
    move->target_count = (uint8_t)target.count;
    if (target.count > 0) memcpy(move->target, target.bytes, target.count);
    set_state(applying->broker, slot, (enum move_state)state, next_ms);
}

void move_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct move *move = move_at(broker, slot);
    const uint64_t values[] = {
        move->thing.number,
        move->thing.home,
        move->source,
        move->source_number,
        move->state,
        move->reason,
        move->per_second,
        move->to_move,
        move->moved_count,
        (uint64_t)move->started_ms,
        (uint64_t)move->next_ms,
    };
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) digest_u64(digest, values[i]);
    digest_slice(digest, slice_from(move->target, move->target_count));
}

void move_check(const struct broker *broker, uint32_t slot) {
    const struct move *move = move_at(broker, slot);
    const struct queue *source = move_source(broker, move);
    bool is_running = move->state == MOVE_RUNNING;
    CHECK(source != NULL && source->kind == QUEUE_PLAIN);
    CHECK(move->state < MOVE_STATES_COUNT && move->reason < MOVE_REASONS_COUNT);
    CHECK((move->reason != MOVE_NO_REASON) == (move->state == MOVE_FAILED));
    CHECK(move->timer.when_ms == (is_running ? move->next_ms : INT64_MAX));
}

/* ---- views ------------------------------------------------------------------------------------ */

bool broker_next_move(const struct broker *broker, struct broker_ref source, uint64_t before,
                      struct move_view *out) {
    uint32_t slot = find_before(broker, source, before == 0 ? UINT64_MAX : before);
    if (slot == BROKER_NONE) return false;
    const struct move *move = move_at(broker, slot);
    *out = (struct move_view){
        .ref = {move->thing.number, slot},
        .target = slice_from(move->target, move->target_count),
        .state = (enum move_state)move->state,
        .reason = (enum move_reason)move->reason,
        .per_second = move->per_second,
        .to_move = move->to_move,
        .moved_count = move->moved_count,
        .started = {move->started_ms},
    };
    message_id(broker, move->thing.number, out->id);
    return true;
}
