/* SPDX-License-Identifier: Apache-2.0 */
/* shard_carry.c -- writes again what the journal wants to drop: the way of one thing.
 *
 *   journal_carry_below   "everything whose home is below this LSN"
 *   broker_next_carry     the thing with the oldest home, and which bodies it has
 *   journal_read_body     all of them at once; a job's history then as a chain, one after the other
 *   COMMAND_CARRY         one record: the thing as it is now, with its bodies
 *   …                     until none is left below
 *   journal_trim          when nobody can still begin to read what lies there
 *
 * A body that is damaged is looked at again, in case it was the reading; then it is given up
 * (body_ref.h): the thing is written again without it, and the log says whose it was. Its old
 * segment is not used again: the journal keeps the file aside.
 *
 * A thing that changed while its bodies were read is begun anew. The pace: what the journal asks for
 * each byte that others append, and a little besides, so that it also ends when nobody sends;
 * never more than CARRY_TURN_BYTES_MAX in one turn of the loop.
 *
 * Answers name bodies by where they lie. Who has one begins to read when it is released, or soon
 * after: old segments stay until everything that was held when the last thing was written again has
 * been released, and for shard.refs_good_ns more.
 */
#include "shard/shard_inside.h"

#include <errno.h>

#define NS_PER_MS 1000000ll
#define CARRY_TURN_BYTES_MIN (8u * 1024)
#define CARRY_TURN_BYTES_MAX (256u * 1024)
#define CARRY_CREDIT_MAX (4u * 1024 * 1024)
#define CARRY_RECORD_BYTES 128u /* what a carried thing costs beside its bodies, about */
#define CARRY_KEPT_BYTES_MAX (1024u * 1024) /* of the buffer, between two things */
#define CARRY_LOOKS_MAX 16u                 /* at a damaged body, */
#define CARRY_LOOKS_AT_ONCE 4u              /* …and after so many a pause of SHARD_RETRY_MS */

bool shard_carry_is_wanted(const struct shard *shard) {
    const struct shard_carry *carry = &shard->carry;
    if (carry->is_reading || shard->is_busy || carry->trims_count == SHARD_TRIMS_MAX) return false;
    if (carry->wanted <= carry->asked) return false;
    return carry->retry_ns == 0 || carry->retry_ns <= shard_mono_ns(shard);
}

void shard_carry_ask(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    journal_set_live_bytes(shard->journal, broker_live_bytes(shard->broker));
    carry->wanted = journal_carry_below(shard->journal);
    carry->pace = journal_carry_pace(shard->journal);
}

void shard_carry_pay(struct shard *shard, size_t bytes_count) {
    struct shard_carry *carry = &shard->carry;
    carry->credit += bytes_count * (uint64_t)carry->pace / 1000;
    if (carry->credit > CARRY_CREDIT_MAX) carry->credit = CARRY_CREDIT_MAX;
}

static void try_later(struct shard *shard, const char *why) {
    struct shard_carry *carry = &shard->carry;
    carry->is_reading = false;
    carry->retry_ns = shard_mono_ns(shard) + SHARD_RETRY_MS * NS_PER_MS;
    shard_arm(shard);
    if (carry->is_silent) return;
    carry->is_silent = true;
    log_printf(shard->log, LOG_WARNING,
               "cannot write old data again: %s; the journal keeps growing until it goes; tried "
               "again every %d ms",
               why, SHARD_RETRY_MS);
}

/* ---- damaged bodies --------------------------------------------------------------------------- */

/* True: the thing's bodies are looked at once more before any is given up. */
static bool looks_again(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    if (carry->damaged_count == 0) return false;
    bool is_same = carry->damaged_thing.number == carry->item.thing.number &&
                   carry->damaged_kind == carry->item.kind;
    carry->looks_count = is_same ? carry->looks_count + 1 : 1;
    carry->damaged_thing = carry->item.thing;
    carry->damaged_kind = carry->item.kind;
    if (carry->looks_count >= CARRY_LOOKS_MAX) return false;
    if (carry->looks_count % CARRY_LOOKS_AT_ONCE == 0) {
        try_later(shard, strerror(EBADMSG));
    } else {
        carry->is_reading = false;
    }
    return true;
}

static void say_given_up(const struct shard *shard) {
    const struct shard_carry *carry = &shard->carry;
    char words[256];
    broker_describe(shard->broker, carry->item.kind, carry->item.thing, words, sizeof words);
    log_printf(
        shard->log, LOG_ERROR,
        "%u damaged %s of %s cannot be read any more and %s given up; the damaged file is kept "
        "beside the journal's segments",
        carry->damaged_count, carry->damaged_count == 1 ? "body" : "bodies", words,
        carry->damaged_count == 1 ? "is" : "are");
}

/* ---- the end: write ------------------------------------------------------------------------- */

static bool refs_are_equal(const struct body_ref *a, const struct body_ref *b, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (a[i].position != b[i].position || a[i].checksum32 != b[i].checksum32 ||
            a[i].count != b[i].count) {
            return false;
        }
    }
    return true;
}

/* Reading took time: is what was read still what the thing has? */
static bool is_still_wanted(const struct shard *shard) {
    const struct broker_carry *item = &shard->carry.item;
    struct broker_carry now;
    if (!broker_next_carry(shard->broker, shard->carry.below, &now)) return false;
    return now.kind == item->kind && now.thing.number == item->thing.number &&
           now.thing.slot == item->thing.slot && now.lsn == item->lsn && now.chain == item->chain &&
           now.early == item->early && now.bodies_count == item->bodies_count &&
           refs_are_equal(now.bodies, item->bodies, item->bodies_count);
}

static void drop_large_buffer(struct shard_carry *carry) {
    if (carry->bytes.capacity > CARRY_KEPT_BYTES_MAX) buffer_close(&carry->bytes);
}

static void write_thing(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    carry->is_reading = false;
    if (carry->is_stale && !is_still_wanted(shard)) return;
    struct command command = {
        .kind = COMMAND_CARRY,
        .carry = {carry->item.kind, carry->item.thing, carry->bodies, carry->item.bodies_count},
    };
    uint64_t credit = carry->credit; /* carrying is not paid for by more carrying */
    enum broker_result result = shard_do(shard, &command);
    uint64_t cost = CARRY_RECORD_BYTES;
    for (uint32_t i = 0; i < carry->item.bodies_count; i++) cost += carry->bodies[i].count;
    carry->credit = credit > cost ? credit - cost : 0;
    carry->spent += cost;
    drop_large_buffer(carry);
    if (result == BROKER_OK) {
        carry->is_silent = false;
        if (carry->damaged_count > 0) say_given_up(shard);
    } else if (!shard->is_busy) {
        try_later(shard, broker_result_words(result));
    }
}

/* ---- the middle: a job's history, one body after the other ---------------------------------- */

static void follow_chain(struct shard *shard);

/* Behind a damaged link older steps cannot be reached any more. */
static void take_link(struct shard_carry *carry, int result, struct slice bytes) {
    carry->result = result < 0 ? result : shard_history_add(&carry->chain, bytes);
    if (carry->result != -EBADMSG) return;
    carry->result = 0;
    carry->chain.next = (struct body_ref){0};
    carry->chain.left_out++;
    carry->damaged_count++;
}

static void on_chain(void *context, int result, struct slice bytes) {
    struct shard *shard = context;
    struct shard_carry *carry = &shard->carry;
    take_link(carry, result, bytes);
    if (carry->is_beginning) return; /* follow_chain goes on by itself */
    carry->is_stale = true;
    if (!shard->is_closing && !shard->is_failed) follow_chain(shard);
}

/* The history, which is counted unless the job is long; then what a long one has of early steps. */
static void begin_chain(struct shard_carry *carry, uint32_t body) {
    bool is_history = body == carry->item.chain;
    bool is_long = carry->item.early < carry->item.bodies_count;
    shard_history_begin(&carry->chain, body, is_history, !is_history || !is_long);
    if (body_is_given_up(carry->bodies[body])) {
        carry->chain.left_out++;
    } else {
        take_link(carry, 0, carry->bodies[body]);
    }
}

/* True: the next one has begun. */
static bool end_chain(struct shard_carry *carry) {
    bool is_history = carry->chain.body == carry->item.chain;
    struct buffer *joined = &carry->chain.joined[is_history ? 0 : 1];
    if (carry->result == 0) carry->result = shard_history_join(&carry->chain, joined);
    if (carry->result < 0) return false;
    carry->bodies[carry->chain.body] = buffer_slice(joined);
    if (!is_history || carry->item.early >= carry->item.bodies_count) return false;
    begin_chain(carry, carry->item.early);
    return true;
}

static void follow_chain(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    bool is_more = true;
    while (is_more) {
        while (carry->result == 0 && carry->chain.next.position != 0) {
            carry->is_beginning = true;
            bool is_done = journal_read_body(shard->journal, carry->chain.next, on_chain, shard);
            carry->is_beginning = false;
            if (!is_done) return;
        }
        is_more = end_chain(carry);
    }
    bool is_late = carry->is_stale;
    if (carry->result < 0) {
        try_later(shard, strerror(-carry->result));
    } else if (!looks_again(shard)) {
        write_thing(shard);
    }
    if (is_late) shard_drain(shard);
}

/* ---- the beginning: which thing, and its bodies --------------------------------------------- */

static void end_reads(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    if (shard->is_closing || shard->is_failed) return;
    if (carry->result < 0) {
        try_later(shard, strerror(-carry->result));
    } else if (carry->item.chain < carry->item.bodies_count) {
        begin_chain(carry, carry->item.chain);
        follow_chain(shard);
    } else if (!looks_again(shard)) {
        write_thing(shard);
    }
}

static void on_body(void *context, int result, struct slice bytes) {
    struct carry_read *read = context;
    struct shard *shard = read->shard;
    struct shard_carry *carry = &shard->carry;
    struct slice place = carry->bodies[read->index];
    if (result == 0 && bytes.count != place.count) result = -EBADMSG;
    if (result == -EBADMSG) {
        carry->bodies[read->index] = body_given_up();
        carry->damaged_count++;
    } else if (result < 0 && carry->result == 0) {
        carry->result = result;
    }
    if (result == 0 && bytes.count > 0) {
        size_t offset = (size_t)(place.bytes - carry->bytes.bytes);
        memcpy(carry->bytes.bytes + offset, bytes.bytes, bytes.count);
    }
    carry->reads_left--;
    if (carry->is_beginning) return;
    carry->is_stale = true;
    if (carry->reads_left > 0) return;
    end_reads(shard);
    shard_drain(shard);
    shard_arm(shard);
}

/* One buffer for all of them, each at its place. */
static bool make_places(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    size_t total = 0;
    for (uint32_t i = 0; i < carry->item.bodies_count; i++) total += carry->item.bodies[i].count;
    buffer_clear(&carry->bytes);
    if (!buffer_reserve(&carry->bytes, total)) return false;
    carry->bytes.count = total;
    size_t offset = 0;
    for (uint32_t i = 0; i < carry->item.bodies_count; i++) {
        carry->bodies[i] = slice_from(carry->bytes.bytes + offset, carry->item.bodies[i].count);
        offset += carry->item.bodies[i].count;
    }
    return true;
}

static void begin_thing(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    carry->result = 0;
    carry->damaged_count = 0;
    carry->is_stale = false;
    if (!make_places(shard)) {
        try_later(shard, "out of memory");
        return;
    }
    carry->is_reading = true;
    carry->reads_left = carry->item.bodies_count;
    carry->is_beginning = true; /* bodies at hand are given inside these calls */
    for (uint32_t i = 0; i < carry->item.bodies_count; i++) {
        carry->reads[i] = (struct carry_read){shard, i};
        if (body_ref_is_given_up(carry->item.bodies[i])) { /* long ago, and said then */
            carry->bodies[i] = body_given_up();
            carry->reads_left--;
            continue;
        }
        journal_read_body(shard->journal, carry->item.bodies[i], on_body, &carry->reads[i]);
    }
    carry->is_beginning = false;
    if (carry->reads_left == 0) end_reads(shard);
}

static void ask_for_trim(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    carry->asked = carry->below;
    carry->trims[carry->trims_count++] = (struct carry_trim){
        .lsn = carry->below,
        .rest = shard->lsn_applied,
        .at_ns = shard_mono_ns(shard) + shard->refs_good_ns,
    };
}

void shard_carry_step(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    if (carry->retry_ns <= shard_mono_ns(shard)) carry->retry_ns = 0;
    shard_carry_ask(shard);
    uint64_t budget = carry->credit;
    if (budget < CARRY_TURN_BYTES_MIN) budget = CARRY_TURN_BYTES_MIN;
    if (budget > CARRY_TURN_BYTES_MAX) budget = CARRY_TURN_BYTES_MAX;
    carry->spent = 0;
    while (carry->spent < budget && shard_carry_is_wanted(shard)) {
        carry->below = carry->wanted;
        if (broker_next_carry(shard->broker, carry->below, &carry->item)) {
            begin_thing(shard);
        } else {
            ask_for_trim(shard);
        }
    }
}

/* ---- trimming ------------------------------------------------------------------------------- */

static bool trim_rests(const struct shard *shard, const struct carry_trim *trim) {
    return trim->rest <= shard->lsn_durable;
}

void shard_carry_trim(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    while (carry->trims_count > 0) {
        const struct carry_trim *trim = &carry->trims[0];
        if (!trim_rests(shard, trim) || trim->at_ns > shard_mono_ns(shard)) return;
        journal_trim(shard->journal, trim->lsn);
        carry->trims_count--;
        memmove(&carry->trims[0], &carry->trims[1], carry->trims_count * sizeof carry->trims[0]);
    }
}

int64_t shard_carry_next_ns(const struct shard *shard) {
    const struct shard_carry *carry = &shard->carry;
    int64_t next_ns = carry->retry_ns != 0 ? carry->retry_ns : SHARD_NEVER;
    if (carry->trims_count > 0 && trim_rests(shard, &carry->trims[0]) &&
        carry->trims[0].at_ns < next_ns) {
        next_ns = carry->trims[0].at_ns;
    }
    return next_ns;
}

void shard_carry_open(struct shard *shard) {
    struct shard_carry *carry = &shard->carry;
    buffer_open(&carry->bytes, shard_allocator(shard), JOURNAL_BODIES_BYTES_MAX);
    shard_history_open(&carry->chain, shard_allocator(shard));
}

void shard_carry_close(struct shard *shard) {
    buffer_close(&shard->carry.bytes);
    shard_history_close(&shard->carry.chain);
}
