/* SPDX-License-Identifier: Apache-2.0 */
/* lines_carry.c -- jobs, splits, sessions, rolls and pieces written again, whole.
 *
 * During replay such a record makes the thing, or completes its shell. One that is there already
 * and no shell was rebuilt from its earlier home, so everything but its bodies is as it is.
 */
#include "broker/lines_effect.h"

/* True: only the home and the bodies are new. */
static bool is_known(struct applying *applying, bool is_new, bool is_shell) {
    if (is_new || is_shell) return false;
    applying->in.rest = SLICE_EMPTY;
    return true;
}

static void shell_completed(struct broker *broker, bool *is_shell) {
    if (!*is_shell) return;
    *is_shell = false;
    broker->shells_count--;
}

static void encode_slot(const struct broker *broker, struct buffer *out, enum thing_kind kind,
                        uint32_t slot) {
    encode_ref(out, ref_at(broker, kind, slot));
}
static uint32_t decode_slot(struct decoder *in) {
    struct broker_ref ref = decode_ref(in);
    return ref.number == 0 ? BROKER_NONE : ref.slot;
}

/* ---- jobs ------------------------------------------------------------------------------------- */

/* A long job has, besides, the chain that its tallies do not count, and its tallies' bodies. */
enum { JOB_BODIES = 4 };
_Static_assert(JOB_BODIES + 1 + JOB_TOTALS_MAX <= BROKER_CARRY_BODIES_MAX, "a job can be carried");

static void job_bodies(const struct job *job, struct body_ref out[JOB_BODIES]) {
    out[0] = job->order;
    out[1] = job->result;
    out[2] = job->error;
    out[3] = job->history;
}

uint32_t job_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                          uint32_t max) {
    const struct job *job = job_at(broker, slot);
    struct body_ref all[JOB_BODIES];
    job_bodies(job, all);
    CHECK(max >= JOB_BODIES + 1 + JOB_TOTALS_MAX);
    uint32_t count = 0;
    for (uint32_t i = 0; i < JOB_BODIES; i++) {
        if (all[i].position != 0) out[count++] = all[i];
    }
    if (!job_is_long(job)) return count;
    out[count++] = job->early;
    return count + tallies_bodies(broker, job, out + count);
}

void job_carry_chains(const struct broker *broker, uint32_t slot, uint32_t *chain,
                      uint32_t *early) {
    const struct job *job = job_at(broker, slot);
    struct body_ref all[JOB_BODIES];
    job_bodies(job, all);
    uint32_t count = 0;
    for (uint32_t i = 0; i < JOB_BODIES; i++) count += all[i].position != 0;
    *chain = job->history.position != 0 ? count - 1 : BODY_NONE;
    *early = job_is_long(job) ? count : BODY_NONE;
}

/* On disk: there is none; it is the whole chain; tallies follow. */
enum { HISTORY_NONE, HISTORY_SHORT, HISTORY_LONG };

void job_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct job *job = job_at(broker, slot);
    struct body_ref bodies[JOB_BODIES];
    job_bodies(job, bodies);
    for (uint32_t i = 0; i < JOB_BODIES - 1; i++) encode_u8(out, bodies[i].position != 0);
    uint8_t history = job_is_long(job) ? HISTORY_LONG : HISTORY_SHORT;
    encode_u8(out, job->history.position == 0 ? HISTORY_NONE : history);
    if (job_is_long(job)) tallies_encode(broker, job, out);
    buffer_append(out, slice_from(job->id, sizeof job->id));
    encode_ref(out, (struct broker_ref){job->line_number, job->line});
    encode_u8(out, job->state);
    encode_u8(out, job->is_lost);
    encode_u8(out, job->has_once);
    buffer_append(out, slice_from(job->once, sizeof job->once));
    encode_u64(out, job->request_hash);
    encode_i64(out, job->started_ms);
    encode_i64(out, job->ended_ms);
    encode_i64(out, job->forget_ms);
    encode_slice(out, slice_from(job->key, job->key_count));
}

/* The next body of the record instead of what is there. */
static void take_body(struct applying *applying, bool is_there, uint32_t *index,
                      struct body_ref *out) {
    struct body_ref ref = applying_body(applying, is_there ? (*index)++ : BODY_NONE);
    applying->broker->body_bytes += ref.count;
    applying->broker->body_bytes -= out->count;
    *out = ref;
}

/* The chain is one body now, and what comes is counted from there. */
static void job_carry_refs(struct applying *applying, struct job *job) {
    struct decoder *in = &applying->in;
    uint32_t index = 0;
    take_body(applying, decode_u8(in) != 0, &index, &job->order);
    take_body(applying, decode_u8(in) != 0, &index, &job->result);
    take_body(applying, decode_u8(in) != 0, &index, &job->error);
    uint8_t history = decode_u8(in);
    take_body(applying, history != HISTORY_NONE, &index, &job->history);
    take_body(applying, history == HISTORY_LONG, &index, &job->early);
    job->chain_count = history != HISTORY_NONE;
    if (history > HISTORY_LONG) applying->is_broken = true;
    tallies_free(applying->broker, job);
    if (history == HISTORY_LONG) tallies_decode(applying, job, index);
}

void job_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct job *job = job_at(broker, slot);
    if (is_new) job->messages_first = job->tallies_first = BROKER_NONE;
    job_carry_refs(applying, job);
    if (applying->is_broken || is_known(applying, is_new, job->is_shell)) return;
    struct slice id = decode_bytes(in, sizeof job->id);
    struct broker_ref line = decode_ref(in);
    job->line = line.slot;
    job->line_number = line.number;
    job->state = decode_u8(in);
    job->is_lost = decode_u8(in) != 0;
    job->has_once = decode_u8(in) != 0;
    struct slice once = decode_bytes(in, sizeof job->once);
    job->request_hash = decode_u64(in);
    job->started_ms = decode_i64(in);
    job->ended_ms = decode_i64(in);
    job->forget_ms = decode_i64(in);
    struct slice key = decode_slice(in);
    if (in->failed || key.count > BROKER_KEY_BYTES_MAX || job->state > JOB_REJECTED) {
        applying->is_broken = true;
        return;
    }
    memcpy(job->id, id.bytes, sizeof job->id);
    memcpy(job->once, once.bytes, sizeof job->once);
    if (key.count > 0) {
        job->key = lines_spare_take(broker, key.count);
        if (job->key == NULL) return;
        memcpy(job->key, key.bytes, key.count);
        job->key_count = (uint16_t)key.count;
    }
    shell_completed(broker, &job->is_shell);
}

/* ---- splits ----------------------------------------------------------------------------------- */

uint32_t split_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                            uint32_t max) {
    CHECK(split_at(broker, slot) != NULL && (out != NULL || max == 0));
    return 0;
}

void split_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct split *split = split_at(broker, slot);
    encode_slot(broker, out, THING_JOB, split->job);
    encode_slot(broker, out, THING_SPLIT, split->parent_split);
    encode_slot(broker, out, THING_SPLIT, split->counting_split);
    encode_u32(out, split->parent_index);
    encode_slot(broker, out, THING_QUEUE, split->opener);
    encode_slot(broker, out, THING_QUEUE, split->join);
    encode_u16(out, split->hops);
    encode_u16(out, split->visit);
    encode_u8(out, split->missing);
    encode_u8(out, split->is_closed);
    encode_u8(out, split->is_lost);
    encode_i64(out, split->within_ms);
}

void split_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct split *split = split_at(broker, slot);
    if (is_known(applying, is_new, split->is_shell)) return;
    if (is_new) split->parts_first = split->parts_last = BROKER_NONE;
    uint32_t job = job_for(broker, decode_ref(in), applying->lsn);
    uint32_t parent_split = split_for(broker, decode_ref(in), applying->lsn);
    uint32_t counting_split = split_for(broker, decode_ref(in), applying->lsn);
    if (job == BROKER_NONE) {
        applying->is_broken = true;
        return;
    }
    split->job = job;
    split->parent_split = parent_split;
    split->counting_split = counting_split;
    split->parent_index = decode_u32(in);
    split->opener = decode_slot(in);
    split->join = decode_slot(in);
    split->hops = decode_u16(in);
    split->visit = decode_u16(in);
    split->missing = decode_u8(in);
    split->is_closed = decode_u8(in) != 0;
    split->is_lost = decode_u8(in) != 0;
    split->within_ms = decode_i64(in);
    shell_completed(broker, &split->is_shell);
    split_enter(broker, slot);
}

/* ---- sessions --------------------------------------------------------------------------------- */

uint32_t session_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                              uint32_t max) {
    CHECK(session_at(broker, slot) != NULL && (out != NULL || max == 0));
    return 0;
}

void session_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct session *session = session_at(broker, slot);
    encode_ref(out, (struct broker_ref){session->line_number, session->line});
    encode_ref(out, (struct broker_ref){session->queue_number, session->queue});
}

void session_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    struct session *session = session_at(applying->broker, slot);
    if (is_known(applying, is_new, session->is_shell)) return;
    if (is_new) session->leases_first = session->leases_last = BROKER_NONE;
    struct broker_ref line = decode_ref(&applying->in);
    struct broker_ref queue = decode_ref(&applying->in);
    session->line = line.slot;
    session->line_number = line.number;
    session->queue = queue.slot;
    session->queue_number = queue.number;
    shell_completed(applying->broker, &session->is_shell);
}

/* ---- rolls ------------------------------------------------------------------------------------ */

uint32_t roll_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                           uint32_t max) {
    const struct roll *roll = roll_at(broker, slot);
    uint32_t count = roll->chunks_count - roll->chunk;
    CHECK(count <= max);
    memcpy(out, roll->chunks + roll->chunk, count * sizeof *out);
    return count;
}

void roll_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct roll *roll = roll_at(broker, slot);
    encode_u32(out, roll->chunk);
    encode_u32(out, roll->chunks_count);
    encode_slot(broker, out, THING_JOB, roll->job);
    encode_slot(broker, out, THING_SPLIT, roll->split);
    encode_slot(broker, out, THING_QUEUE, roll->from);
    encode_u16(out, roll->hops);
    encode_u32(out, roll->offset);
    encode_u32(out, roll->index);
    encode_u64(out, roll->turn);
    encode_u32(out, roll->targets_count);
    for (uint32_t i = 0; i < roll->targets_count; i++) {
        encode_slot(broker, out, THING_QUEUE, roll->targets[i]);
    }
    encode_u32(out, roll->countings_count);
    for (uint32_t i = 0; i < roll->countings_count; i++) {
        encode_slot(broker, out, THING_SPLIT, roll->countings[i]);
    }
}

/* The chunks that are left keep their places in the array; those before are gone. */
static bool roll_carry_chunks(struct applying *applying, struct roll *roll, uint32_t first,
                              uint32_t count) {
    struct broker *broker = applying->broker;
    if (first > count || count > BROKER_CARRY_BODIES_MAX) return false;
    if (roll->chunks == NULL) {
        roll->chunks = lines_spare_take(broker, count * sizeof *roll->chunks);
        if (roll->chunks == NULL) return false;
        memset(roll->chunks, 0, count * sizeof *roll->chunks);
        roll->chunk = first;
        roll->chunks_count = count;
    }
    if (roll->chunk != first || roll->chunks_count != count) return false;
    for (uint32_t i = first; i < count; i++) {
        broker->body_bytes -= roll->chunks[i].count;
        roll->chunks[i] = applying_body(applying, i - first);
        broker->body_bytes += roll->chunks[i].count;
    }
    return !applying->is_broken;
}

void roll_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    struct roll *roll = roll_at(broker, slot);
    uint32_t first = decode_u32(in);
    uint32_t count = decode_u32(in);
    if (!roll_carry_chunks(applying, roll, first, count)) {
        applying->is_broken = true;
        return;
    }
    if (is_known(applying, is_new, false)) return;
    roll->job = job_for(broker, decode_ref(in), applying->lsn);
    roll->split = split_for(broker, decode_ref(in), applying->lsn);
    if (roll->job == BROKER_NONE || roll->split == BROKER_NONE) {
        applying->is_broken = true;
        return;
    }
    roll->from = decode_slot(in);
    roll->hops = decode_u16(in);
    roll->offset = decode_u32(in);
    roll->index = decode_u32(in);
    roll->turn = decode_u64(in);
    if (!roll_decode_lists(applying, roll)) {
        applying->is_broken = true;
        return;
    }
    roll_enter(broker, slot);
}

/* ---- pieces ----------------------------------------------------------------------------------- */

uint32_t piece_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                            uint32_t max) {
    CHECK(piece_at(broker, slot) != NULL && (out != NULL || max == 0));
    return 0; /* its message's */
}
void piece_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    piece_encode(broker, slot, out);
}
/* A piece has no home, so no record carries one. */
void piece_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || piece_at(applying->broker, slot) != NULL;
}
void piece_close(struct broker *broker, uint32_t slot) {
    CHECK(piece_at(broker, slot) != NULL); /* it holds nothing beside its slot */
}

struct body_ref piece_error(const struct broker *broker, uint32_t slot) {
    return piece_at(broker, slot)->error;
}

void piece_carried(struct broker *broker, uint32_t message, struct body_ref error) {
    struct piece *piece = message_piece(broker, message_at(broker, message));
    broker->body_bytes += error.count;
    broker->body_bytes -= piece->error.count;
    piece->error = error;
}

void piece_job_id(const struct broker *broker, uint32_t slot, uint8_t out[16]) {
    memcpy(out, job_at(broker, piece_at(broker, slot)->job)->id, 16);
}

enum { PIECE_EACH = 1, PIECE_SUSPECT = 2, PIECE_DEAD = 4 };

void piece_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct piece *piece = piece_at(broker, slot);
    encode_u32(out, slot);
    encode_slot(broker, out, THING_JOB, piece->job);
    encode_slot(broker, out, THING_SPLIT, piece->path_split);
    encode_slot(broker, out, THING_SPLIT, piece->counting_split);
    encode_slot(broker, out, THING_SPLIT, piece->kit_split);
    encode_slot(broker, out, THING_SESSION, piece->session);
    encode_slot(broker, out, THING_QUEUE, piece->from);
    encode_u32(out, piece->index);
    encode_u16(out, piece->hops);
    encode_u16(out, piece->visit);
    encode_u32(out, piece->attempts);
    encode_u8(out, (uint8_t)((piece->is_each ? PIECE_EACH : 0) |
                             (piece->is_suspect ? PIECE_SUSPECT : 0) |
                             (piece->is_dead ? PIECE_DEAD : 0)));
    encode_i64(out, piece->queued_ms);
    encode_i64(out, piece->started_ms);
}

void piece_decode(struct applying *applying, uint32_t slot, struct body_ref error) {
    struct broker *broker = applying->broker;
    struct decoder *in = &applying->in;
    const struct message *message = message_at(broker, slot);
    struct broker_ref ref = {message->thing.number, decode_u32(in)};
    struct piece piece = {.owner = ref.number, .message = slot, .error = error};
    piece.job = job_for(broker, decode_ref(in), applying->lsn);
    piece.path_split = split_for(broker, decode_ref(in), applying->lsn);
    piece.counting_split = split_for(broker, decode_ref(in), applying->lsn);
    piece.kit_split = split_for(broker, decode_ref(in), applying->lsn);
    piece.session = session_for(broker, decode_ref(in), applying->lsn);
    piece.from = decode_slot(in);
    piece.index = decode_u32(in);
    piece.hops = decode_u16(in);
    piece.visit = decode_u16(in);
    piece.attempts = decode_u32(in);
    uint8_t flags = decode_u8(in);
    piece.is_each = (flags & PIECE_EACH) != 0;
    piece.is_suspect = (flags & PIECE_SUSPECT) != 0;
    piece.is_dead = (flags & PIECE_DEAD) != 0;
    piece.queued_ms = decode_i64(in);
    piece.started_ms = decode_i64(in);
    bool lacks = (message->place == PLACE_LEASED && piece.session == BROKER_NONE) ||
                 (message->place == PLACE_PART && piece.counting_split == BROKER_NONE);
    if (in->failed || lacks || piece.job == BROKER_NONE) {
        applying->is_broken = true;
        return;
    }
    struct piece *made = thing_make(broker, THING_PIECE, ref, 0);
    if (made == NULL) return;
    *made = piece;
    message_add_aside(broker, slot, THING_PIECE, ref.slot);
    broker->body_bytes += error.count;
    piece_enter(broker, slot);
}
