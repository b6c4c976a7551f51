/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of lines: they come, are leased, come back, die, are revived, and end. */
#include "broker/lines_effect.h"

/* The queue of an effect, or NULL during replay. */
static struct queue *queue_next(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    if (ref.number == 0) return NULL;
    return applying_find(applying, THING_QUEUE, ref);
}
static void encode_queue(struct buffer *out, const struct queue *queue) {
    encode_ref(out, queue == NULL ? (struct broker_ref){0} : queue_ref(queue));
}
static void encode_store(struct buffer *out, const struct queue *queue) {
    encode_ref(out, queue_store_ref(queue));
}

/* ---- a new one -------------------------------------------------------------------------------- */

enum { IS_EACH = 1, IS_PART = 2, IS_DEAD = 4, IS_KIT = 8 };

struct broker_ref effect_message(struct deciding *deciding, const struct effect_message *effect) {
    struct broker_ref message = new_ref(deciding, THING_MESSAGE);
    struct buffer *out = effect_begin(deciding, EFFECT_MESSAGE);
    encode_ref(out, message);
    encode_u32(out, new_slot(deciding, THING_PIECE));
    encode_ref(out, effect->job);
    encode_ref(out, effect->path_split);
    encode_ref(out, effect->counting_split);
    encode_ref(out, effect->kit_split);
    encode_ref(out, effect->from);
    encode_ref(out, effect->to);
    encode_store(out, queue_at(deciding->broker, effect->to.slot));
    encode_u32(out, effect->index);
    encode_u16(out, effect->hops);
    encode_u16(out, effect->visit);
    encode_u8(out, (uint8_t)((effect->is_each ? IS_EACH : 0) | (effect->is_part ? IS_PART : 0) |
                             (effect->is_dead ? IS_DEAD : 0) |
                             (effect->kit_split.number != 0 ? IS_KIT : 0)));
    encode_i64(out, effect->delay_ms == 0 ? 0 : deciding->now_ms + effect->delay_ms);
    encode_u32(out, effect->body);
    return message;
}

/* During replay its job and splits may be shells. False: no memory, or a broken record. */
static bool piece_make(struct applying *applying, struct broker_ref ref) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    uint32_t slot = decode_u32(in);
    struct broker_ref job = decode_ref(in);
    uint32_t job_slot = job_for(broker, job, applying->lsn);
    uint32_t path_split = split_for(broker, decode_ref(in), applying->lsn);
    uint32_t counting_split = split_for(broker, decode_ref(in), applying->lsn);
    uint32_t kit_split = split_for(broker, decode_ref(in), applying->lsn);
    struct broker_ref owner = {ref.number, slot};
    if (in->failed || job_slot == BROKER_NONE) {
        applying->is_broken = true;
        return false;
    }
    struct piece *piece = thing_make(broker, THING_PIECE, owner, 0);
    if (piece == NULL) return false;
    struct broker_ref from = decode_ref(in);
    *piece = (struct piece){
        .owner = ref.number,
        .message = ref.slot,
        .job = job_slot,
        .path_split = path_split,
        .counting_split = counting_split,
        .kit_split = kit_split,
        .from = from.number == 0 ? BROKER_NONE : from.slot,
        .session = BROKER_NONE,
        .queued_ms = applying->now_ms,
        .next = BROKER_NONE,
        .previous = BROKER_NONE,
        .job_next = BROKER_NONE,
        .job_previous = BROKER_NONE,
    };
    message_add_aside(broker, ref.slot, THING_PIECE, slot);
    return true;
}

void effect_message_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct broker_ref ref = decode_ref(in);
    struct body_ref none = {0};
    struct message *message = message_make(broker, ref, applying->lsn, none, applying->now_ms);
    if (message == NULL || !piece_make(applying, ref)) return;
    struct piece *piece = message_piece(broker, message);
    struct queue *queue = queue_next(applying);
    struct broker_ref store_ref = decode_ref(in);
    piece->index = decode_u32(in);
    piece->hops = decode_u16(in);
    piece->visit = decode_u16(in);
    uint8_t flags = decode_u8(in);
    int64_t visible_ms = decode_i64(in);
    message_set_body(broker, message, applying_body(applying, decode_u32(in)));
    piece->is_each = (flags & IS_EACH) != 0;
    piece->is_dead = (flags & IS_DEAD) != 0;
    message->is_kit = (flags & IS_KIT) != 0;
    if (in->failed || applying->is_broken) return;
    if ((flags & IS_PART) != 0) {
        message_to_part(broker, ref.slot);
    } else {
        struct store *store = store_for(broker, store_ref);
        if (store == NULL) return;
        if (visible_ms == 0) {
            message_to_visible(broker, ref.slot, store);
        } else {
            message_to_timed(broker, ref.slot, store, PLACE_DELAYED, visible_ms);
        }
        QUEUE_COUNT(queue, sent, 1);
    }
    piece_enter(broker, ref.slot);
}

/* ---- its end ---------------------------------------------------------------------------------- */

void effect_end(struct deciding *deciding, uint32_t message, const struct queue *queue,
                enum end_cause cause) {
    struct buffer *out = effect_begin(deciding, EFFECT_END);
    encode_ref(out, message_ref(deciding->broker, message));
    encode_queue(out, queue);
    encode_u8(out, (uint8_t)cause);
}

void piece_free(struct broker *broker, uint32_t slot) {
    uint32_t piece = message_aside(broker, message_at(broker, slot), THING_PIECE);
    piece_leave(broker, slot);
    broker->body_bytes -= piece_at(broker, piece)->error.count;
    message_remove_aside(broker, slot, THING_PIECE);
    thing_free(broker, THING_PIECE, piece);
}

void effect_end_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct queue *queue = queue_next(applying);
    switch (decode_u8(&applying->in)) {
    case END_UNCOUNTED: break;
    case END_HANDED_ON: QUEUE_COUNT(queue, handed_on, 1); break;
    case END_DELETED: QUEUE_COUNT(queue, deleted, 1); break;
    case END_EXPIRED: QUEUE_COUNT(queue, expired, 1); break;
    case END_WITHDRAWN: QUEUE_COUNT(queue, withdrawn, 1); break;
    default: applying->is_broken = true; return;
    }
    const struct message *message = applying_find(applying, THING_MESSAGE, ref);
    if (message == NULL) return;
    if (message_has_piece(broker, message)) piece_free(broker, ref.slot);
    message_free(broker, ref.slot);
}

/* ---- in the hands of a session, and back ------------------------------------------------------ */

void effect_lease(struct deciding *deciding, uint32_t session, uint32_t message) {
    struct buffer *out = effect_begin(deciding, EFFECT_LEASE);
    encode_ref(out, ref_at(deciding->broker, THING_SESSION, session));
    encode_queue(out, queue_at(deciding->broker, session_at(deciding->broker, session)->queue));
    encode_ref(out, message_ref(deciding->broker, message));
}

void effect_lease_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref session_ref = decode_ref(&applying->in);
    struct queue *queue = queue_next(applying);
    struct broker_ref ref = decode_ref(&applying->in);
    QUEUE_COUNT(queue, received, 1);
    uint32_t session = session_for(broker, session_ref, applying->lsn);
    struct message *message = applying_find(applying, THING_MESSAGE, ref);
    if (session == BROKER_NONE || message == NULL) return;
    struct piece *piece = message_piece(broker, message);
    struct store *store = store_at(broker, message->store);
    piece_leave(broker, ref.slot);
    message_to_leased(broker, ref.slot, store);
    struct timing *timing = message_timing_make(broker, ref.slot);
    if (timing == NULL) return;
    timing_count_receive(timing, applying->now_ms);
    piece->session = session;
    piece->attempts++;
    piece->started_ms = applying->now_ms;
    piece_enter(broker, ref.slot);
}

enum { BACK_UNCOUNTED = 1, BACK_SUSPECT = 2 };

static void piece_set_error(struct applying *applying, struct piece *piece, uint32_t index) {
    if (index == BODY_NONE) return;
    struct body_ref error = applying_body(applying, index);
    applying->broker->body_bytes += error.count;
    applying->broker->body_bytes -= piece->error.count;
    piece->error = error;
}

void effect_back(struct deciding *deciding, const struct effect_back *effect) {
    struct buffer *out = effect_begin(deciding, EFFECT_BACK);
    encode_ref(out, message_ref(deciding->broker, effect->message));
    encode_store(out, effect->queue);
    encode_i64(out, effect->delay_ms == 0 ? 0 : deciding->now_ms + effect->delay_ms);
    encode_u8(out, (uint8_t)((effect->is_uncounted ? BACK_UNCOUNTED : 0) |
                             (effect->is_suspect ? BACK_SUSPECT : 0)));
    encode_u32(out, effect->error);
}

void effect_back_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct broker_ref store_ref = decode_ref(&applying->in);
    int64_t visible_ms = decode_i64(&applying->in);
    uint8_t flags = decode_u8(&applying->in);
    uint32_t error = decode_u32(&applying->in);
    struct message *message = applying_find(applying, THING_MESSAGE, ref);
    if (message == NULL || applying->in.failed) return;
    struct store *store = store_for(broker, store_ref);
    if (store == NULL) return;
    struct piece *piece = message_piece(broker, message);
    piece_leave(broker, ref.slot);
    piece->session = BROKER_NONE;
    piece->is_suspect = (flags & BACK_SUSPECT) != 0;
    piece_set_error(applying, piece, error);
    if ((flags & BACK_UNCOUNTED) != 0) {
        CHECK(piece->attempts > 0);
        piece->attempts--;
        struct timing *timing =
            message_timing_make(broker, ref.slot); /* it was leased: it has one */
        if (timing == NULL) return;
        if (timing->receive_count > 0) timing->receive_count--;
    }
    if (visible_ms == 0) {
        message_to_visible(broker, ref.slot, store);
    } else {
        message_to_timed(broker, ref.slot, store, PLACE_DELAYED, visible_ms);
    }
    piece_enter(broker, ref.slot);
}

/* ---- to the dead letters, and back ------------------------------------------------------------ */

/* Its new number, for the record that also says from which queue (counted) into which store. */
static void encode_crossing(struct deciding *deciding, enum effect_kind kind, uint32_t message,
                            const struct queue *from, const struct queue *to) {
    struct buffer *out = effect_begin(deciding, kind);
    encode_ref(out, message_ref(deciding->broker, message));
    encode_queue(out, from);
    encode_store(out, to);
    encode_u64(out, deciding->next_number++);
}

struct crossing {
    struct broker_ref message;
    struct queue *from; /* NULL: gone */
    struct broker_ref store;
    uint64_t number;
};

static struct crossing decode_crossing(struct applying *applying) {
    struct crossing crossing = {.message = decode_ref(&applying->in)};
    crossing.from = queue_next(applying);
    crossing.store = decode_ref(&applying->in);
    crossing.number = decode_u64(&applying->in);
    return crossing;
}

/* Out of its lists and counts, to be changed. NULL: it is not there, or memory has run out. */
static struct piece *crossing_begin(struct applying *applying, const struct crossing *crossing) {
    struct broker *broker = applying->broker;
    if (!applying->in.failed) root_count(broker, THING_MESSAGE, crossing->number);
    const struct message *message = applying_find(applying, THING_MESSAGE, crossing->message);
    if (message == NULL || applying->in.failed) return NULL;
    if (store_for(broker, crossing->store) == NULL) return NULL;
    piece_leave(broker, crossing->message.slot);
    return message_piece(broker, message);
}

/* It comes into another queue as if it had just been sent there: a queue's numbers and sent times
 * grow together, and its time to be kept there begins. */
static void crossing_end(struct applying *applying, const struct crossing *crossing) {
    struct broker *broker = applying->broker;
    uint32_t slot = crossing->message.slot;
    message_unplace(broker, slot);
    message_renumber(broker, slot, crossing->number, applying->now_ms);
    message_piece(broker, message_at(broker, slot))->owner = crossing->number;
    message_to_visible(broker, slot, store_at(broker, crossing->store.slot));
    piece_enter(broker, slot);
}

void effect_dead(struct deciding *deciding, uint32_t message, const struct queue *queue,
                 const struct queue *dead_queue, uint32_t error) {
    encode_crossing(deciding, EFFECT_DEAD, message, queue, dead_queue);
    encode_u32(&deciding->decision->record, error);
}

void effect_dead_apply(struct applying *applying) {
    struct crossing crossing = decode_crossing(applying);
    uint32_t error = decode_u32(&applying->in);
    QUEUE_COUNT(crossing.from, dead, 1);
    struct piece *piece = crossing_begin(applying, &crossing);
    if (piece == NULL) return;
    piece->session = BROKER_NONE;
    piece->is_dead = true;
    piece->is_suspect = false;
    piece_set_error(applying, piece, error);
    crossing_end(applying, &crossing);
}

void effect_revive(struct deciding *deciding, uint32_t message, const struct queue *queue,
                   const struct queue *dead_queue) {
    encode_crossing(deciding, EFFECT_REVIVE, message, dead_queue, queue);
}

void effect_revive_apply(struct applying *applying) {
    struct crossing crossing = decode_crossing(applying);
    QUEUE_COUNT(crossing.from, redriven, 1);
    struct piece *piece = crossing_begin(applying, &crossing);
    if (piece == NULL) return;
    piece->is_dead = false;
    piece->attempts = 0;
    piece->queued_ms = applying->now_ms;
    piece->started_ms = 0;
    crossing_end(applying, &crossing);
}

void effect_show(struct deciding *deciding, uint32_t message) {
    struct buffer *out = effect_begin(deciding, EFFECT_SHOW);
    encode_ref(out, message_ref(deciding->broker, message));
}

void effect_show_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    const struct message *message = applying_find(applying, THING_MESSAGE, ref);
    if (message == NULL) return;
    message_to_visible(broker, ref.slot, store_at(broker, message->store));
}

void effect_store_free(struct deciding *deciding, uint32_t store) {
    struct buffer *out = effect_begin(deciding, EFFECT_STORE_FREE);
    encode_ref(out, store_ref(deciding->broker, store));
}

void effect_store_free_apply(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    if (applying_find(applying, THING_STORE, ref) != NULL) store_free(applying->broker, ref.slot);
}
