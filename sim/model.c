/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "base/hash.h"
#include "broker/queue_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition) REPORT_EXPECT(model->report, condition)

struct model *model_open(struct report *report) {
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL) return NULL;
    model->report = report;
    for (uint32_t i = 0; i < MODEL_QUEUES; i++) {
        snprintf(model->names[i], sizeof model->names[i], "queue-%u", i);
    }
    return model;
}

void model_close(struct model *model) {
    free(model);
}

/* ---- undo ------------------------------------------------------------------------------------- */

struct undo { /* behind the bytes that were there */
    uint64_t lsn;
    uint64_t offset; /* in the model */
    uint64_t count;
};

/* About to change these bytes of the model. */
void model_touch(struct model *model, void *bytes, size_t count) {
    EXPECT(model->lsn != 0); /* without a record nothing changes */
    struct undo undo = {model->lsn, (uint64_t)((char *)bytes - (char *)model), count};
    EXPECT(model->undo_count + count + sizeof undo <= sizeof model->undo);
    memcpy(model->undo + model->undo_count, bytes, count);
    memcpy(model->undo + model->undo_count + count, &undo, sizeof undo);
    model->undo_count += count + sizeof undo;
}

void model_rewind(struct model *model, uint64_t lsn) {
    while (model->undo_count > 0) {
        struct undo undo;
        memcpy(&undo, model->undo + model->undo_count - sizeof undo, sizeof undo);
        if (undo.lsn <= lsn) break;
        model->undo_count -= sizeof undo + undo.count;
        memcpy((char *)model + undo.offset, model->undo + model->undo_count, undo.count);
    }
}

void model_settle_to(struct model *model, uint64_t lsn) {
    size_t end = model->undo_count;
    while (end > 0) {
        struct undo undo;
        memcpy(&undo, model->undo + end - sizeof undo, sizeof undo);
        if (undo.lsn <= lsn) break;
        end -= sizeof undo + undo.count;
    }
    memmove(model->undo, model->undo + end, model->undo_count - end);
    model->undo_count -= end;
}

static struct model_queue *change_queue(struct model *model, uint32_t queue) {
    model_touch(model, &model->queues[queue], sizeof model->queues[queue]);
    return &model->queues[queue];
}

static struct model_message *change(struct model *model, struct model_message *message) {
    model_touch(model, message, sizeof *message);
    return message;
}

static struct model_counts *change_all(struct model *model) {
    model_touch(model, &model->all, sizeof model->all);
    return &model->all;
}

/* ---- finding ---------------------------------------------------------------------------------- */

uint32_t model_find_queue(const struct model *model, struct slice name) {
    uint32_t queue = 0;
    while (queue < MODEL_QUEUES && !slice_equal(slice_from_string(model->names[queue]), name)) {
        queue++;
    }
    return queue;
}

static uint32_t place_of(const struct model *model, uint64_t number) {
    uint32_t low = 0;
    uint32_t high = model->all.messages_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (model->messages[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct model_message *model_find(const struct model *model, uint64_t number) {
    uint32_t place = place_of(model, number);
    bool is_it = place < model->all.messages_count && model->messages[place].number == number;
    return is_it ? &model->messages[place] : NULL;
}

static struct model_message *find(struct model *model, uint64_t number) {
    const struct model_message *found = model_find(model, number);
    return found == NULL ? NULL : &model->messages[found - model->messages];
}

static struct model_message *add(struct model *model, uint64_t number, uint32_t queue) {
    struct model_counts *all = change_all(model);
    EXPECT(all->messages_count < MODEL_MESSAGES_MAX);
    struct model_message *message = change(model, &model->messages[all->messages_count]);
    EXPECT(all->messages_count == 0 || number > message[-1].number);
    *message = (struct model_message){.number = number, .queue = queue, .origin = MODEL_QUEUES};
    all->messages_count++;
    all->living_count++;
    return message;
}

static void end(struct model *model, struct model_message *message) {
    EXPECT(message->state != MODEL_GONE);
    change(model, message)->state = MODEL_GONE;
    change_all(model)->living_count--;
}

static bool is_expired(const struct model *model, const struct model_message *message,
                       int64_t now_ms) {
    if (now_ms < model->all.hold_until_ms) return false;
    return message->sent_ms + model->queues[message->queue].retention_ms <= now_ms;
}

static struct model_message *last(struct model *model) {
    return model->messages + model->all.messages_count;
}

/* ---- queues ----------------------------------------------------------------------------------- */

/* What the model knows of the settings is read back: their rules have tests of their own. */
static void take_settings(struct model *model, const struct model_note *note, uint32_t queue) {
    struct queue_view view;
    EXPECT(broker_find_queue(note->broker, slice_from_string(model->names[queue]), &view));
    struct model_queue *mine = change_queue(model, queue);
    mine->visibility_ms = view.settings.visibility_ms;
    mine->delay_ms = view.settings.delay_ms;
    mine->retention_ms = view.settings.retention_ms;
    mine->message_bytes_max = view.settings.message_bytes_max;
    mine->dead_after = view.settings.dead_after;
    mine->dead = MODEL_QUEUES;
    if (view.settings.dead_queue.count > 0) {
        mine->dead = model_find_queue(model, view.settings.dead_queue);
    }
}

static void take_notes(struct model *model, const struct model_note *note, uint32_t queue) {
    const struct command_queue *command = &note->command->queue;
    struct model_queue *mine = change_queue(model, queue);
    for (uint32_t i = 0; i < command->notes_count; i++) {
        const struct queue_note *change = &command->notes[i];
        uint32_t which = (uint32_t)(change->name.bytes[0] - '0');
        mine->notes[which] = change->value.bytes == NULL ? 0 : (uint32_t)change->value.count + 1;
    }
}

static void compare_notes(struct model *model, const struct model_queue *mine, struct slice notes) {
    for (uint32_t i = 0; i < MODEL_NOTES; i++) {
        char name = (char)('0' + i);
        struct slice value = queue_notes_find(notes, slice_from(&name, 1));
        EXPECT((value.bytes == NULL ? 0 : value.count + 1) == mine->notes[i]);
    }
}

static void note_create(struct model *model, const struct model_note *note, uint32_t queue) {
    if (model->queues[queue].exists) {
        EXPECT(note->answer->result == BROKER_OK || note->answer->result == BROKER_QUEUE_EXISTS);
        EXPECT(!note->answer->queue.created && note->lsn == 0);
        return;
    }
    EXPECT(note->answer->result == BROKER_OK && note->answer->queue.created && note->lsn != 0);
    uint64_t life = ++change_all(model)->lives;
    *change_queue(model, queue) = (struct model_queue){.exists = true, .life = life};
    take_settings(model, note, queue);
    take_notes(model, note, queue);
}

static void note_set(struct model *model, const struct model_note *note, uint32_t queue) {
    EXPECT(note->answer->result == BROKER_OK);
    if (note->lsn == 0) return;
    take_settings(model, note, queue);
    take_notes(model, note, queue);
}

static void note_purge(struct model *model, const struct model_note *note, uint32_t queue) {
    EXPECT(note->answer->result == BROKER_OK);
    uint64_t count = 0;
    for (struct model_message *message = model->messages; message < last(model); message++) {
        if (message->queue != queue || message->state == MODEL_GONE) continue;
        end(model, message);
        count++;
    }
    if (count > 0) change_queue(model, queue)->counts.purged += count;
    if (note->command->kind == COMMAND_QUEUE_DELETE) change_queue(model, queue)->exists = false;
}

/* ---- messages --------------------------------------------------------------------------------- */

static void note_send(struct model *model, const struct model_note *note, uint32_t queue) {
    EXPECT(note->answer->result == BROKER_OK);
    const struct command_send *command = &note->command->send;
    for (uint32_t i = 0; i < command->entries_count; i++) {
        const struct command_send_entry *entry = &command->entries[i];
        const struct model_queue *mine = &model->queues[queue];
        bool fits = entry->counted_bytes <= mine->message_bytes_max;
        EXPECT(note->answer->send.results[i] == (fits ? BROKER_OK : BROKER_TOO_LARGE));
        if (!fits) continue;
        struct model_message *message = add(model, note->answer->send.messages[i].number, queue);
        int64_t delay_ms = entry->delay_ms < 0 ? mine->delay_ms : entry->delay_ms;
        message->state = delay_ms > 0 ? MODEL_DELAYED : MODEL_VISIBLE;
        message->sent_ms = note->now_ms;
        message->deadline_ms = note->now_ms + delay_ms;
        message->body = body_checksum32(entry->body);
        memcpy(message->id, note->answer->send.ids[i], sizeof message->id);
        change_queue(model, queue)->counts.sent++;
    }
}

/* The next message that a receive must give; dead letters move on the way. */
static struct model_message *next_visible(struct model *model, uint32_t queue,
                                          struct model_message *message, int64_t now_ms) {
    uint32_t dead = model->queues[queue].dead;
    bool has_dead = dead != MODEL_QUEUES && model->queues[dead].exists;
    for (; message < model->messages + model->all.messages_count; message++) {
        if (message->queue != queue || message->state != MODEL_VISIBLE) continue;
        if (is_expired(model, message, now_ms)) continue;
        if (!has_dead || message->receives < model->queues[queue].dead_after) return message;
        change(model, message);
        message->queue = dead;
        message->origin = queue;
        message->origin_life = model->queues[queue].life;
        change_queue(model, queue)->counts.dead++;
    }
    return NULL;
}

bool model_is_body(const struct model *model, struct body_ref ref, uint32_t checksum32) {
    return ref.checksum32 == checksum32 || (model->has_given_up && body_ref_is_given_up(ref));
}

static void note_carry(struct model *model, const struct model_note *note) {
    const struct command_carry *carry = &note->command->carry;
    for (uint32_t i = 0; note->lsn != 0 && i < carry->bodies_count; i++) {
        if (!body_is_given_up(carry->bodies[i])) continue;
        EXPECT(note->may_be_damaged || model->has_given_up);
        model->has_given_up = true;
    }
}

static void check_received(struct model *model, const struct model_message *message,
                           const struct answer_message *got) {
    EXPECT(got->message.number == message->number);
    EXPECT(got->receive_count == message->receives);
    EXPECT(got->sent.ms == message->sent_ms);
    EXPECT(got->nonce == message->nonce);
    if (!model_is_body(model, got->body, message->body)) {
        report_fail(model->report, "message %llu has another body than was sent",
                    (unsigned long long)message->number);
    }
    static const uint8_t none[sizeof got->id];
    bool is_known = memcmp(message->id, none, sizeof none) != 0;
    EXPECT(!is_known || memcmp(got->id, message->id, sizeof got->id) == 0);
}

static void note_receive(struct model *model, const struct model_note *note, uint32_t queue) {
    EXPECT(note->answer->result == BROKER_OK);
    const struct command_receive *command = &note->command->receive;
    int64_t lease_ms = command->visibility_ms;
    if (lease_ms < 0) lease_ms = model->queues[queue].visibility_ms;
    struct model_message *message = model->messages;
    uint32_t count = 0;
    for (; count < command->messages_max; count++, message++) {
        message = next_visible(model, queue, message, note->now_ms);
        if (message == NULL) break;
        EXPECT(count < note->answer->receive.count);
        change(model, message);
        message->receives++;
        message->nonce++;
        message->state = lease_ms == 0 ? MODEL_VISIBLE : MODEL_IN_FLIGHT;
        message->received_ms = note->now_ms;
        message->deadline_ms = note->now_ms + lease_ms;
        check_received(model, message, &note->answer->receive.messages[count]);
    }
    EXPECT(note->answer->receive.count == count);
    if (count > 0) change_queue(model, queue)->counts.received += count;
}

static enum broker_result use_visibility(struct model *model, const struct model_note *note,
                                         struct model_message *message, bool holds,
                                         int64_t lease_ms) {
    if (message == NULL || is_expired(model, message, note->now_ms)) return BROKER_MESSAGE_GONE;
    if (!holds) return BROKER_OK;
    int64_t granted_ms = note->now_ms + lease_ms - message->received_ms;
    if (lease_ms > 0 && granted_ms > 12 * 3600 * 1000ll) return BROKER_VALUE_INVALID;
    change(model, message);
    message->state = lease_ms == 0 ? MODEL_VISIBLE : MODEL_IN_FLIGHT;
    message->deadline_ms = note->now_ms + lease_ms;
    return BROKER_OK;
}

/* What one receipt does; the result that must have been given. */
static enum broker_result use_receipt(struct model *model, const struct model_note *note,
                                      uint32_t queue, uint32_t index) {
    const struct receipt *receipt = &note->command->handles.receipts[index];
    struct model_message *message = find(model, receipt->number);
    if (message != NULL && (message->state == MODEL_GONE || message->queue != queue)) {
        message = NULL;
    }
    if (message != NULL && receipt->nonce > message->nonce) return BROKER_HANDLE_INVALID;
    bool holds =
        message != NULL && message->state == MODEL_IN_FLIGHT && message->nonce == receipt->nonce;
    if (note->command->kind == COMMAND_VISIBILITY) {
        return use_visibility(model, note, message, holds,
                              note->command->handles.visibility_ms[index]);
    }
    if (note->command->kind == COMMAND_DELETE && message != NULL) {
        change_queue(model, queue)->counts.deleted++;
        end(model, message);
    } else if (note->command->kind == COMMAND_GIVE_BACK && holds) {
        change(model, message);
        message->state = MODEL_VISIBLE;
        message->receives--;
    }
    return BROKER_OK;
}

static void note_handles(struct model *model, const struct model_note *note, uint32_t queue) {
    EXPECT(note->answer->result == BROKER_OK);
    const struct command_handles *command = &note->command->handles;
    struct queue_view view;
    EXPECT(broker_find_queue(note->broker, slice_from_string(model->names[queue]), &view));
    for (uint32_t i = 0; i < command->receipts_count; i++) {
        enum broker_result expected = BROKER_HANDLE_INVALID; /* of an earlier queue of that name */
        if (command->receipts[i].queue_slot == view.ref.slot) {
            expected = use_receipt(model, note, queue, i);
        }
        EXPECT(note->answer->send.results[i] == expected);
    }
}

static void note_redrive(struct model *model, const struct model_note *note, uint32_t queue) {
    uint32_t end_count = model->all.messages_count;
    uint32_t count = 0;
    for (uint32_t i = 0; i < end_count && count < note->command->redrive.messages_max; i++) {
        struct model_message *message = &model->messages[i];
        bool is_here = message->queue == queue && message->state == MODEL_VISIBLE;
        if (!is_here || is_expired(model, message, note->now_ms)) continue;
        if (message->origin == MODEL_QUEUES || message->origin == queue) continue;
        const struct model_queue *origin = &model->queues[message->origin];
        if (!origin->exists || origin->life != message->origin_life) continue;
        struct model_message *fresh = add(model, note->next_number + count, message->origin);
        fresh->state = MODEL_VISIBLE;
        fresh->sent_ms = note->now_ms;
        fresh->body = message->body;
        fresh->nonce = message->nonce;
        end(model, message);
        change_queue(model, queue)->counts.redriven++;
        change_queue(model, message->origin)->counts.sent++;
        count++;
    }
    EXPECT(note->answer->result == (count > 0 ? BROKER_OK : BROKER_NOTHING));
    EXPECT(note->answer->step.count == count);
}

/* ---- move tasks -------------------------------------------------------------------------------- */

static bool is_dead_letter_queue(const struct model *model, uint32_t queue) {
    for (uint32_t i = 0; i < MODEL_QUEUES; i++) {
        if (model->queues[i].exists && model->queues[i].dead == queue) return true;
    }
    return false;
}

static bool is_running(const struct model *model, const struct model_move *move) {
    const struct model_queue *queue = &model->queues[move->queue];
    return move->state == MOVE_RUNNING && queue->exists && queue->life == move->life;
}

static bool has_running_move(const struct model *model, uint32_t queue) {
    for (uint32_t i = 0; i < model->all.moves_count; i++) {
        if (model->moves[i].queue == queue && is_running(model, &model->moves[i])) return true;
    }
    return false;
}

static void note_move_start(struct model *model, const struct model_note *note, uint32_t queue) {
    const struct command_move *command = &note->command->move;
    uint32_t target = model_find_queue(model, command->target);
    enum broker_result expected = BROKER_OK;
    if (!is_dead_letter_queue(model, queue) || has_running_move(model, queue) || target == queue) {
        expected = BROKER_VALUE_INVALID;
    } else if (target != MODEL_QUEUES && !model->queues[target].exists) {
        expected = BROKER_QUEUE_NOT_FOUND;
    }
    EXPECT(note->answer->result == expected && (note->lsn != 0) == (expected == BROKER_OK));
    if (expected != BROKER_OK) return;
    EXPECT(note->answer->move.move.number == note->next_number);
    struct model_counts *all = change_all(model);
    EXPECT(all->moves_count < MODEL_MOVES_MAX);
    struct model_move *move = &model->moves[all->moves_count++];
    model_touch(model, move, sizeof *move);
    *move = (struct model_move){.number = note->next_number,
                                .queue = queue,
                                .life = model->queues[queue].life,
                                .target = target,
                                .per_second = command->per_second,
                                .next_ms = note->now_ms};
}

static void note_move_cancel(struct model *model, const struct model_note *note) {
    for (uint32_t i = 0; i < model->all.moves_count; i++) {
        struct model_move *move = &model->moves[i];
        if (move->number != note->command->move.move.number || !is_running(model, move)) continue;
        EXPECT(note->answer->result == BROKER_OK && note->lsn != 0);
        EXPECT(note->answer->move.moved_count == move->moved_count);
        model_touch(model, move, sizeof *move);
        move->state = MOVE_CANCELLED;
        return;
    }
    EXPECT(note->answer->result == BROKER_NOTHING && note->lsn == 0);
}

/* MODEL_QUEUES: nowhere. */
static uint32_t goal_of(const struct model *model, const struct model_move *move,
                        const struct model_message *message) {
    uint32_t goal = move->target;
    if (goal == MODEL_QUEUES) {
        goal = message->origin;
        if (goal != MODEL_QUEUES && model->queues[goal].life != message->origin_life)
            return MODEL_QUEUES;
    }
    bool is_good = goal != MODEL_QUEUES && goal != move->queue && model->queues[goal].exists;
    return is_good ? goal : MODEL_QUEUES;
}

static void step_move(struct model *model, const struct model_note *note, struct model_move *move) {
    uint32_t end_count = model->all.messages_count;
    uint64_t max = move->per_second == 0   ? BROKER_STEP_MAX
                   : move->per_second < 10 ? 1
                                           : move->per_second / 10;
    uint64_t count = 0;
    EXPECT(note->now_ms >= move->next_ms);
    model_touch(model, move, sizeof *move);
    move->state = MOVE_COMPLETED;
    for (uint32_t i = 0; i < end_count; i++) {
        struct model_message *message = &model->messages[i];
        if (message->queue != move->queue || message->state != MODEL_VISIBLE) continue;
        if (message->number > move->number) break;
        if (count == max) {
            move->state = MOVE_RUNNING;
            break;
        }
        if (is_expired(model, message, note->now_ms)) continue;
        uint32_t goal = goal_of(model, move, message);
        if (goal == MODEL_QUEUES) {
            move->state = MOVE_FAILED;
            break;
        }
        struct model_message *fresh = add(model, note->next_number + count, goal);
        fresh->state = MODEL_VISIBLE;
        fresh->sent_ms = note->now_ms;
        fresh->body = message->body;
        fresh->nonce = message->nonce;
        end(model, message);
        change_queue(model, move->queue)->counts.redriven++;
        change_queue(model, goal)->counts.sent++;
        count++;
    }
    move->moved_count += count;
    /* Never faster than it may. */
    if (move->per_second > 0)
        move->next_ms = note->now_ms + (int64_t)(1000 * max / move->per_second);
}

/* Of a task that is there, as takt has it now. */
static bool view_move(const struct model *model, const struct broker *broker,
                      const struct model_move *move, struct move_view *out) {
    struct queue_view queue;
    return broker_find_queue(broker, slice_from_string(model->names[move->queue]), &queue) &&
           broker_next_move(broker, queue.ref, move->number + 1, out) &&
           out->ref.number == move->number;
}

/* An advance record was a step of one of them, if something of it has changed. */
static void note_moves(struct model *model, const struct model_note *note) {
    for (uint32_t i = 0; i < model->all.moves_count; i++) {
        struct model_move *move = &model->moves[i];
        struct move_view view;
        if (!is_running(model, move)) continue;
        EXPECT(view_move(model, note->broker, move, &view));
        if (view.moved_count == move->moved_count && view.state == move->state) continue;
        step_move(model, note, move);
        EXPECT(view.moved_count == move->moved_count && view.state == move->state);
    }
}

/* ---- time ------------------------------------------------------------------------------------- */

static bool is_timed_out(const struct model_message *message, int64_t now_ms) {
    bool is_timed = message->state == MODEL_DELAYED || message->state == MODEL_IN_FLIGHT;
    return is_timed && message->deadline_ms <= now_ms;
}

/* Not while it is delayed or in flight. */
static bool expires(const struct model *model, const struct model_message *message,
                    int64_t now_ms) {
    bool is_free = message->state == MODEL_VISIBLE || is_timed_out(message, now_ms);
    return is_free && is_expired(model, message, now_ms);
}

/* Nothing of what is due in this queue was done: another record does it. */
static bool is_left(const struct model *model, const struct model_note *note, uint32_t queue) {
    struct queue_view view;
    bool exists = broker_find_queue(note->broker, slice_from_string(model->names[queue]), &view);
    uint64_t visible_count = 0;
    for (uint32_t i = 0; i < model->all.messages_count; i++) {
        const struct model_message *message = &model->messages[i];
        visible_count += message->queue == queue && message->state == MODEL_VISIBLE;
    }
    return exists && view.counts.expired == model->queues[queue].counts.expired &&
           view.visible_count == visible_count;
}

/* What is due in a queue is done at once; of several queues a later record may do some. */
static void note_advance(struct model *model, const struct model_note *note) {
    note_moves(model, note);
    for (uint32_t queue = 0; queue < MODEL_QUEUES; queue++) {
        if (!model->queues[queue].exists || is_left(model, note, queue)) continue;
        for (struct model_message *message = model->messages; message < last(model); message++) {
            if (message->queue != queue || message->state == MODEL_GONE) continue;
            if (expires(model, message, note->now_ms)) {
                change_queue(model, queue)->counts.expired++;
                end(model, message);
            } else if (is_timed_out(message, note->now_ms)) {
                change(model, message)->state = MODEL_VISIBLE;
            }
        }
    }
}

void model_check_idle(struct model *model, int64_t now_ms) {
    for (uint32_t i = 0; i < model->all.messages_count; i++) {
        const struct model_message *message = &model->messages[i];
        if (message->state == MODEL_GONE) continue;
        EXPECT(!is_timed_out(message, now_ms) && !expires(model, message, now_ms));
    }
    if (model->line.stations_count > 0) model_check_idle_line(model, now_ms);
}

/* ---- all of them ------------------------------------------------------------------------------ */

typedef void note_fn(struct model *model, const struct model_note *note, uint32_t queue);
static note_fn *const notes[COMMAND_KINDS_COUNT] = {
    [COMMAND_QUEUE_CREATE] = note_create,
    [COMMAND_QUEUE_SET] = note_set,
    [COMMAND_QUEUE_DELETE] = note_purge,
    [COMMAND_QUEUE_PURGE] = note_purge,
    [COMMAND_SEND] = note_send,
    [COMMAND_RECEIVE] = note_receive,
    [COMMAND_DELETE] = note_handles,
    [COMMAND_VISIBILITY] = note_handles,
    [COMMAND_GIVE_BACK] = note_handles,
    [COMMAND_REDRIVE] = note_redrive,
    [COMMAND_MOVE_START] = note_move_start,
};

struct slice model_queue_name(const struct command *command) {
    switch (command->kind) {
    case COMMAND_SEND: return command->send.queue;
    case COMMAND_RECEIVE: return command->receive.queue;
    case COMMAND_REDRIVE: return command->redrive.queue;
    case COMMAND_MOVE_START: return command->move.source;
    case COMMAND_DELETE:
    case COMMAND_VISIBILITY:
    case COMMAND_GIVE_BACK: return command->handles.queue;
    case COMMAND_QUEUE_CREATE:
    case COMMAND_QUEUE_SET:
    case COMMAND_QUEUE_DELETE:
    case COMMAND_QUEUE_PURGE: return command->queue.name;
    default: return SLICE_EMPTY;
    }
}

void model_note(struct model *model, const struct model_note *note) {
    enum command_kind kind = note->command->kind;
    model->lsn = note->lsn;
    if (note->lsn != 0) {
        EXPECT(note->now_ms >= model->all.now_ms);
        change_all(model)->now_ms = note->now_ms;
    }
    if (kind == COMMAND_ADVANCE && note->lsn != 0) note_advance(model, note);
    if (kind == COMMAND_CARRY) note_carry(model, note);
    if (kind == COMMAND_MOVE_CANCEL) {
        note_move_cancel(model, note);
        return;
    }
    if (kind == COMMAND_HOLD_RETENTION && note->lsn != 0) {
        change_all(model)->hold_until_ms = note->now_ms + BROKER_HOLD_MS;
    }
    if (notes[kind] == NULL) {
        model_note_line(model, note);
        return;
    }
    uint32_t queue = model_find_queue(model, model_queue_name(note->command));
    if (queue == MODEL_QUEUES) {
        model_note_line(model, note);
        return;
    }
    if (note->answer->result == BROKER_NO_MEMORY) {
        EXPECT(note->lsn == 0);
        return;
    }
    if (!model->queues[queue].exists && kind != COMMAND_QUEUE_CREATE) {
        EXPECT(note->answer->result == BROKER_QUEUE_NOT_FOUND && note->lsn == 0);
        return;
    }
    size_t undo_before = model->undo_count;
    notes[kind](model, note, queue);
    if (note->lsn == 0 && model->undo_count != undo_before) {
        report_fail(model->report, "a command of kind %u ought to have made a record", kind);
    }
}

/* ---- the same as takt's? ---------------------------------------------------------------------- */

static void compare_queue(struct model *model, const struct broker *broker, uint32_t queue,
                          const uint64_t states[4]) {
    struct queue_view view;
    const struct model_queue *mine = &model->queues[queue];
    bool exists = broker_find_queue(broker, slice_from_string(model->names[queue]), &view);
    EXPECT(exists == mine->exists);
    if (!exists) return;
    if (view.visible_count != states[MODEL_VISIBLE]) {
        report_fail(model->report, "%llu messages are visible in %s, and ought to be %llu",
                    (unsigned long long)view.visible_count, model->names[queue],
                    (unsigned long long)states[MODEL_VISIBLE]);
    }
    EXPECT(view.delayed_count == states[MODEL_DELAYED]);
    EXPECT(view.in_flight_count == states[MODEL_IN_FLIGHT]);
    EXPECT(view.settings.retention_ms == mine->retention_ms);
    EXPECT(view.settings.dead_after == mine->dead_after);
    EXPECT(view.counts.sent == mine->counts.sent);
    EXPECT(view.counts.received == mine->counts.received);
    EXPECT(view.counts.deleted == mine->counts.deleted);
    EXPECT(view.counts.expired == mine->counts.expired);
    EXPECT(view.counts.purged == mine->counts.purged);
    EXPECT(view.counts.dead == mine->counts.dead);
    EXPECT(view.counts.redriven == mine->counts.redriven);
    compare_notes(model, mine, view.notes);
}

void model_compare(struct model *model, const struct broker *broker) {
    uint64_t states[MODEL_QUEUES][4] = {0};
    for (struct model_message *message = model->messages; message < last(model); message++)
        states[message->queue][message->state]++;
    for (uint32_t i = 0; i < MODEL_QUEUES; i++) compare_queue(model, broker, i, states[i]);
    for (uint32_t i = 0; i < model->all.moves_count; i++) {
        struct move_view view;
        const struct model_move *move = &model->moves[i];
        if (!is_running(model, move)) continue;
        EXPECT(view_move(model, broker, move, &view) && view.state == MOVE_RUNNING);
        EXPECT(view.moved_count == move->moved_count && view.per_second == move->per_second);
    }
    if (model->line.stations_count > 0) model_compare_line(model, broker);
}
