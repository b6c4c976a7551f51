/* SPDX-License-Identifier: Apache-2.0 */
/* queue_define.c -- making, changing, deleting and purging a plain queue.
 *
 * Deleting and purging touch no message: the queue's store is buried as a whole and swept later, in
 * steps (broker_advance.c).
 */
#include "base/hash.h"
#include "broker/broker_lines.h"
#include "broker/broker_names.h"
#include "broker/broker_queue.h"
#include "broker/lines_effect.h"
#include "broker/queue_notes.h"

#include <errno.h>

#define QUEUE_RECORD_BYTES_MAX 512u

bool reserve_nothing(struct broker *broker, const struct command *command) {
    return broker != NULL && command != NULL;
}
size_t bytes_queue(const struct command *command) {
    return QUEUE_RECORD_BYTES_MAX + (command->queue.notes_count > 0 ? QUEUE_NOTES_BYTES_MAX : 0);
}

/* ---- finding ---------------------------------------------------------------------------------- */

struct slice queue_name(const struct queue *queue) {
    return slice_from(queue->name, queue->name_count);
}

struct queue *queue_find(const struct broker *broker, struct slice name) {
    for (struct map_cursor c = map_find(broker->queues_by_name, hash64(name)); map_next(&c);) {
        struct queue *queue = queue_at(broker, c.value);
        if (slice_equal(queue_name(queue), name)) return queue;
    }
    return NULL;
}

struct queue *queue_find_id(const struct broker *broker, uint32_t id) {
    for (struct map_cursor c = map_find(broker->queues_by_id, id); map_next(&c);) {
        struct queue *queue = queue_at(broker, c.value);
        if (queue->thing.number == id) return queue;
    }
    return NULL;
}

struct queue *deciding_queue(struct deciding *deciding, struct slice name) {
    struct queue *queue = queue_find(deciding->broker, name);
    if (queue == NULL) refuse(deciding, BROKER_QUEUE_NOT_FOUND);
    return queue;
}

struct broker_ref queue_ref(const struct queue *queue) {
    return (struct broker_ref){queue->thing.number, queue->slot};
}

struct broker_ref queue_store_ref(const struct queue *queue) {
    return (struct broker_ref){queue->store_number, queue->store};
}

struct queue *queue_dead_queue(const struct broker *broker, const struct queue *queue) {
    if (queue->dead_after == 0) return NULL;
    return queue_find(broker, slice_from(queue->dead_name, queue->dead_name_count));
}

bool queue_has_expired(const struct queue *queue, const struct message *message, int64_t now_ms) {
    return queue->kind == QUEUE_PLAIN && (int64_t)message->sent_ms + queue->retention_ms <= now_ms;
}

/* ---- settings --------------------------------------------------------------------------------- */

struct queue_settings queue_settings_default(void) {
    return (struct queue_settings){.visibility_ms = 30 * 1000,
                                   .retention_ms = 4ll * 24 * 3600 * 1000,
                                   .message_bytes_max = 1024u * 1024};
}

struct queue_settings queue_get_settings(const struct queue *queue) {
    return (struct queue_settings){
        .visibility_ms = queue->visibility_ms,
        .delay_ms = queue->delay_ms,
        .wait_ms = queue->wait_ms,
        .retention_ms = queue->retention_ms,
        .message_bytes_max = queue->message_bytes_max,
        .dead_queue = slice_from(queue->dead_name, queue->dead_name_count),
        .dead_after = queue->dead_after,
    };
}

void queue_encode_settings(struct buffer *out, const struct queue_settings *settings) {
    encode_i64(out, settings->visibility_ms);
    encode_i64(out, settings->delay_ms);
    encode_i64(out, settings->wait_ms);
    encode_i64(out, settings->retention_ms);
    encode_u32(out, settings->message_bytes_max);
    encode_slice(out, settings->dead_queue);
    encode_u32(out, settings->dead_after);
}

struct queue_settings queue_decode_settings(struct decoder *in) {
    struct queue_settings settings = {0};
    settings.visibility_ms = decode_i64(in);
    settings.delay_ms = decode_i64(in);
    settings.wait_ms = decode_i64(in);
    settings.retention_ms = decode_i64(in);
    settings.message_bytes_max = decode_u32(in);
    settings.dead_queue = decode_slice(in);
    settings.dead_after = decode_u32(in);
    if (settings.dead_queue.count > BROKER_NAME_BYTES_MAX) in->failed = true;
    return settings;
}

void queue_set_settings(struct queue *queue, const struct queue_settings *settings) {
    CHECK(settings->dead_queue.count <= BROKER_NAME_BYTES_MAX);
    queue->visibility_ms = settings->visibility_ms;
    queue->delay_ms = settings->delay_ms;
    queue->wait_ms = settings->wait_ms;
    queue->retention_ms = settings->retention_ms;
    queue->message_bytes_max = settings->message_bytes_max;
    queue->dead_after = settings->dead_queue.count == 0 ? 0 : settings->dead_after;
    queue->dead_name_count = (uint8_t)settings->dead_queue.count;
    memset(queue->dead_name, 0, sizeof queue->dead_name);
    if (settings->dead_queue.count > 0) {
        memcpy(queue->dead_name, settings->dead_queue.bytes, settings->dead_queue.count);
    }
}

/* What the command names, over `settings`. */
static struct queue_settings overlay(struct queue_settings settings,
                                     const struct command_queue *command) {
    const struct queue_settings *given = &command->settings;
    if (command->given & QUEUE_SET_VISIBILITY) settings.visibility_ms = given->visibility_ms;
    if (command->given & QUEUE_SET_DELAY) settings.delay_ms = given->delay_ms;
    if (command->given & QUEUE_SET_WAIT) settings.wait_ms = given->wait_ms;
    if (command->given & QUEUE_SET_RETENTION) settings.retention_ms = given->retention_ms;
    if (command->given & QUEUE_SET_MESSAGE_BYTES) {
        settings.message_bytes_max = given->message_bytes_max;
    }
    if (command->given & QUEUE_SET_DEAD) {
        settings.dead_queue = given->dead_queue;
        settings.dead_after = given->dead_queue.count == 0 ? 0 : given->dead_after;
    }
    return settings;
}

/* The SQS name of the first attribute that differs, or NULL. */
static const char *difference(const struct queue_settings *a, const struct queue_settings *b) {
    if (a->visibility_ms != b->visibility_ms) return "VisibilityTimeout";
    if (a->delay_ms != b->delay_ms) return "DelaySeconds";
    if (a->wait_ms != b->wait_ms) return "ReceiveMessageWaitTimeSeconds";
    if (a->retention_ms != b->retention_ms) return "MessageRetentionPeriod";
    if (a->message_bytes_max != b->message_bytes_max) return "MaximumMessageSize";
    if (a->dead_after != b->dead_after || !slice_equal(a->dead_queue, b->dead_queue)) {
        return "RedrivePolicy";
    }
    return NULL;
}

/* False: it is refused. A dead-letter queue that is named must be there, and not the queue itself;
 * one that was named before may have been deleted. */
static bool settings_are_valid(struct deciding *deciding, const struct queue_settings *settings) {
    struct slice name = deciding->command->queue.name;
    bool is_named = (deciding->command->queue.given & QUEUE_SET_DEAD) != 0;
    if (!is_named || settings->dead_queue.count == 0) return true;
    if (slice_equal(settings->dead_queue, name)) {
        refuse_printf(deciding, BROKER_VALUE_INVALID,
                      "A queue cannot be its own dead-letter queue.");
        return false;
    }
    if (settings->dead_after < 1 || settings->dead_after > 1000) {
        refuse_printf(deciding, BROKER_VALUE_INVALID, "maxReceiveCount must be 1 to 1000.");
        return false;
    }
    const struct queue *dead = queue_find(deciding->broker, settings->dead_queue);
    if (dead == NULL || dead->kind != QUEUE_PLAIN) {
        refuse_printf(deciding, BROKER_VALUE_INVALID,
                      "The dead-letter queue %.*s does not exist, or is not a plain queue.",
                      SLICE_ARGS(settings->dead_queue));
        return false;
    }
    return true;
}

/* ---- notes ------------------------------------------------------------------------------------ */

struct slice queue_notes(const struct queue *queue) {
    return slice_from(queue->notes, queue->notes_count);
}

void queue_encode_notes(struct buffer *out, struct slice notes) {
    if (notes.count > 0) encode_slice(out, notes);
}

struct slice queue_decode_notes(struct decoder *in) {
    if (in->rest.count == 0) return SLICE_EMPTY;
    struct slice notes = decode_slice(in);
    if (!queue_notes_are_sound(notes)) in->failed = true;
    return notes;
}

bool queue_set_notes(struct broker *broker, struct queue *queue, struct slice notes) {
    char *memory = NULL;
    if (notes.count > 0) {
        memory = lines_spare_take(broker, notes.count);
        if (memory == NULL) return false;
        memcpy(memory, notes.bytes, notes.count);
    }
    broker->notes_bytes += notes.count;
    broker->notes_bytes -= queue->notes_count;
    allocator_give_back(broker->allocator, queue->notes);
    queue->notes = memory;
    queue->notes_count = (uint32_t)notes.count;
    return true;
}

/* Those of the queue (NULL: none) with the command's over them. False: refused. */
static bool merge_notes(struct deciding *deciding, const struct queue *queue, struct slice *out) {
    const struct command_queue *command = &deciding->command->queue;
    struct slice present = queue == NULL ? SLICE_EMPTY : queue_notes(queue);
    *out = present;
    if (command->notes_count == 0) return true;
    size_t bytes_max = queue_notes_bytes_max(present, command->notes, command->notes_count);
    char *bytes = deciding_take(deciding, bytes_max, 1);
    if (bytes == NULL) {
        refuse(deciding, BROKER_NO_MEMORY);
        return false;
    }
    uint32_t count;
    *out = slice_from(
        bytes, queue_notes_write(bytes, present, command->notes, command->notes_count, &count));
    if (count <= QUEUE_NOTES_MAX && out->count <= QUEUE_NOTES_BYTES_MAX) return true;
    refuse_printf(deciding, BROKER_VALUE_INVALID,
                  "A queue's policies and tags have at most %u bytes together.",
                  QUEUE_NOTES_BYTES_MAX);
    return false;
}

static bool reserve_notes(struct broker *broker, const struct command_queue *command) {
    if (command->notes_count == 0) return true;
    const struct queue *queue = queue_find(broker, command->name);
    struct slice present = queue == NULL ? SLICE_EMPTY : queue_notes(queue);
    return lines_spare_reserve(
        broker, queue_notes_bytes_max(present, command->notes, command->notes_count));
}

/* The name of the first of the command's notes that is another than the queue's; or empty. */
static struct slice different_note(const struct queue *queue, const struct command_queue *command) {
    for (uint32_t i = 0; i < command->notes_count; i++) {
        const struct queue_note *note = &command->notes[i];
        struct slice present = queue_notes_find(queue_notes(queue), note->name);
        bool is_same = (present.bytes == NULL) == (note->value.bytes == NULL) &&
                       slice_equal(present, note->value);
        if (!is_same) return note->name;
    }
    return SLICE_EMPTY;
}

/* ---- create, set ------------------------------------------------------------------------------ */

bool queue_reserve(struct broker *broker, uint32_t queues_count) {
    return pool_reserve(&broker->pools[THING_QUEUE], queues_count) &&
           stores_reserve(broker, queues_count) && timers_reserve(broker, queues_count) &&
           map_reserve(broker->queues_by_name, queues_count) &&
           map_reserve(broker->queues_by_id, queues_count);
}

bool reserve_queue_create(struct broker *broker, const struct command *command) {
    return queue_reserve(broker, 1) && reserve_notes(broker, &command->queue);
}

bool reserve_queue_set(struct broker *broker, const struct command *command) {
    return reserve_notes(broker, &command->queue);
}

/* It is there: the same settings and notes are no change, others are refused. */
static void decide_create_again(struct deciding *deciding, const struct queue *there) {
    const struct command_queue *command = &deciding->command->queue;
    struct queue_settings present = queue_get_settings(there);
    struct queue_settings wanted = overlay(present, command);
    const char *setting = difference(&present, &wanted);
    struct slice differs =
        setting != NULL ? slice_from_string(setting) : different_note(there, command);
    if (differs.count == 0) return;
    refuse_printf(deciding, BROKER_QUEUE_EXISTS,
                  "A queue already exists with the same name and a different value for attribute "
                  "%.*s",
                  SLICE_ARGS(differs));
}

void decide_queue_create(struct deciding *deciding) {
    const struct command_queue *command = &deciding->command->queue;
    const struct queue *there = queue_find(deciding->broker, command->name);
    if (there != NULL) {
        decide_create_again(deciding, there);
        return;
    }
    if (command->name.count == 0 || command->name.count > BROKER_NAME_BYTES_MAX) {
        refuse(deciding, BROKER_VALUE_INVALID);
        return;
    }
    struct queue_settings settings = overlay(queue_settings_default(), command);
    struct slice notes;
    if (!settings_are_valid(deciding, &settings) || !merge_notes(deciding, NULL, &notes)) return;
    deciding->decision->answer.queue.created = true;
    struct buffer *record = record_begin(deciding, RECORD_QUEUE_CREATE);
    encode_ref(record, new_queue_ref(deciding));
    encode_ref(record, new_ref(deciding, THING_STORE));
    encode_slice(record, command->name);
    queue_encode_settings(record, &settings);
    queue_encode_notes(record, notes);
}

struct queue *queue_make(struct broker *broker, const struct queue_make *make, uint64_t home,
                         int64_t now_ms) {
    if (broker->is_replaying && !queue_reserve(broker, 1)) {
        broker->replay_result = -ENOMEM;
        return NULL;
    }
    CHECK(make->name.count > 0 && make->name.count <= BROKER_NAME_BYTES_MAX);
    struct queue *queue = thing_make(broker, THING_QUEUE, make->queue, home);
    if (queue == NULL) return NULL;
    queue->slot = make->queue.slot;
    queue->store = make->store.slot;
    queue->store_number = make->store.number;
    queue->kind = (uint8_t)make->kind;
    queue->line = make->kind == QUEUE_PLAIN ? BROKER_NONE : make->line.slot;
    queue->line_number = make->kind == QUEUE_PLAIN ? 0 : make->line.number;
    queue->station = make->station;
    queue_set_settings(queue, &make->settings);
    queue->created_ms = queue->changed_ms = now_ms;
    queue->name_count = (uint8_t)make->name.count;
    memcpy(queue->name, make->name.bytes, make->name.count);
    map_insert(broker->queues_by_name, hash64(make->name), queue->slot);
    map_insert(broker->queues_by_id, queue->thing.number, queue->slot);
    names_insert(broker, queue->slot);
    queue_update_deadline(broker, queue->slot);
    return queue;
}

void apply_queue_create(struct applying *applying) {
    struct queue_make make = {.kind = QUEUE_PLAIN};
    make.queue = decode_ref(&applying->in);
    make.store = decode_ref(&applying->in);
    make.name = decode_slice(&applying->in);
    make.settings = queue_decode_settings(&applying->in);
    struct slice notes = queue_decode_notes(&applying->in);
    if (applying->in.failed || make.name.count == 0 || make.name.count > BROKER_NAME_BYTES_MAX) {
        applying->is_broken = true;
        return;
    }
    if (store_make(applying->broker, make.store, make.queue, false, applying->lsn) == NULL) return;
    struct queue *queue = queue_make(applying->broker, &make, applying->lsn, applying->now_ms);
    if (queue != NULL) (void)queue_set_notes(applying->broker, queue, notes);
}

/* The queue, which must not be a station's: those are defined by their line. */
static struct queue *plain_queue(struct deciding *deciding) {
    struct queue *queue = deciding_queue(deciding, deciding->command->queue.name);
    if (queue != NULL && queue->kind != QUEUE_PLAIN) {
        refuse(deciding, BROKER_UNSUPPORTED);
        return NULL;
    }
    return queue;
}

void decide_queue_set(struct deciding *deciding) {
    const struct queue *queue = plain_queue(deciding);
    if (queue == NULL) return;
    struct queue_settings present = queue_get_settings(queue);
    struct queue_settings settings = overlay(present, &deciding->command->queue);
    struct slice notes;
    bool has_notes = different_note(queue, &deciding->command->queue).count > 0;
    if (difference(&present, &settings) == NULL && !has_notes) return;
    if (!settings_are_valid(deciding, &settings) || !merge_notes(deciding, queue, &notes)) return;
    struct buffer *record = record_begin(deciding, RECORD_QUEUE_SET);
    encode_ref(record, queue_ref(queue));
    queue_encode_settings(record, &settings);
    if (has_notes) encode_slice(record, notes); /* all of them, be it none */
}

void apply_queue_set(struct applying *applying) {
    struct queue *queue = applying_next(applying, THING_QUEUE);
    struct queue_settings settings = queue_decode_settings(&applying->in);
    bool has_notes = applying->in.rest.count > 0;
    struct slice notes = queue_decode_notes(&applying->in);
    if (queue == NULL || applying->in.failed) return;
    if (has_notes && !queue_set_notes(applying->broker, queue, notes)) return;
    queue_set_settings(queue, &settings);
    queue->changed_ms = applying->now_ms;
    queue_update_deadline(applying->broker, queue->slot);
}

/* ---- delete, purge ---------------------------------------------------------------------------- */

void decide_queue_delete(struct deciding *deciding) {
    const struct queue *queue = plain_queue(deciding);
    if (queue == NULL) return;
    struct buffer *record = record_begin(deciding, RECORD_QUEUE_DELETE);
    encode_ref(record, queue_ref(queue));
    encode_ref(record, queue_store_ref(queue));
}

/* During replay the store may be missing or a shell: then its own carry record, or the sweep that
 * ended it, is still to come. */
static void bury(struct broker *broker, struct broker_ref ref) {
    struct store *store = thing_find(broker, THING_STORE, ref);
    if (store != NULL && !store->is_shell && store->queue != BROKER_NONE) {
        store_bury(broker, ref.slot);
    }
}

void queue_free(struct broker *broker, uint32_t slot) {
    struct queue *queue = queue_at(broker, slot);
    timer_set(broker, THING_QUEUE, slot, INT64_MAX);
    event_remove(broker, THING_QUEUE, slot);
    names_remove(broker, slot);
    map_remove(broker->queues_by_name, hash64(queue_name(queue)), slot);
    map_remove(broker->queues_by_id, queue->thing.number, slot);
    bury(broker, queue_store_ref(queue));
    (void)queue_set_notes(broker, queue, SLICE_EMPTY); /* takes no memory */
    thing_free(broker, THING_QUEUE, slot);
}

void apply_queue_delete(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    struct queue *queue = applying_find(applying, THING_QUEUE, ref);
    struct broker_ref store = decode_ref(&applying->in);
    moves_forget(applying->broker, ref); /* they may be there during replay without their queue */
    if (queue != NULL) queue_free(applying->broker, queue->slot);
    bury(applying->broker, store);
}

bool reserve_queue_purge(struct broker *broker, const struct command *command) {
    return command != NULL && stores_reserve(broker, 1);
}

void decide_queue_purge(struct deciding *deciding) {
    const struct queue *queue = deciding_queue(deciding, deciding->command->queue.name);
    if (queue == NULL) return;
    uint32_t count = store_count(queue_store(deciding->broker, queue));
    if (count == 0) return;
    struct buffer *record = record_begin(deciding, RECORD_QUEUE_PURGE);
    encode_ref(record, queue_ref(queue));
    encode_ref(record, queue_store_ref(queue));
    encode_ref(record, new_ref(deciding, THING_STORE));
    encode_u8(record, queue->kind != QUEUE_PLAIN);
    encode_u32(record, count);
}

void apply_queue_purge(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct broker_ref old_store = decode_ref(&applying->in);
    struct broker_ref new_store = decode_ref(&applying->in);
    bool is_station = decode_u8(&applying->in) != 0;
    uint32_t count = decode_u32(&applying->in);
    if (applying->in.failed) return;
    struct queue *queue = applying_find(applying, THING_QUEUE, ref);
    if (store_make(broker, new_store, ref, is_station, applying->lsn) == NULL) return;
    bury(broker, old_store);
    if (queue == NULL) return;
    queue->store = new_store.slot;
    queue->store_number = new_store.number;
    queue->counts.purged += count;
    queue_update_deadline(broker, queue->slot);
}
