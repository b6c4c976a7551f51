/* SPDX-License-Identifier: Apache-2.0 */
/* broker_carry.c -- things whose home is at the journal's old end are written again, whole. */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

/* What a thing's fields take, without its bodies: the largest is a queue with its notes; a line of
 * 64 stations has at most 64 KiB. */
#define CARRY_BYTES_MAX (QUEUE_NOTES_BYTES_MAX + 1024u)

size_t bytes_carry(const struct command *command) {
    size_t bytes_count = CARRY_BYTES_MAX;
    for (uint32_t i = 0; i < command->carry.bodies_count; i++) {
        bytes_count += command->carry.bodies[i].count;
    }
    return bytes_count;
}

/* Which of a job's bodies are chains: they are given back as one each, however many there were. */
static void find_chains(const struct broker *broker, enum thing_kind kind, uint32_t slot,
                        uint32_t *chain, uint32_t *early) {
    *chain = *early = UINT32_MAX;
    if (kind == THING_JOB) job_carry_chains(broker, slot, chain, early);
}

bool broker_next_carry(const struct broker *broker, uint64_t lsn, struct broker_carry *out) {
    if (broker->home_first == 0) return false;
    const struct thing *thing = thing_at(broker, broker->home_first);
    if (thing->home >= lsn) return false;
    enum thing_kind kind = handle_kind(broker->home_first);
    uint32_t slot = handle_slot(broker->home_first);
    out->kind = (uint32_t)kind;
    out->thing = (struct broker_ref){thing->number, slot};
    out->lsn = thing->home;
    out->bodies_count =
        thing_rows[kind].carry_bodies(broker, slot, out->bodies, BROKER_CARRY_BODIES_MAX);
    find_chains(broker, kind, slot, &out->chain, &out->early);
    return true;
}

void decide_carry(struct deciding *deciding) {
    const struct command_carry *command = &deciding->command->carry;
    const struct broker *broker = deciding->broker;
    CHECK(command->kind > THING_NONE && command->kind < THING_KINDS_COUNT);
    enum thing_kind kind = (enum thing_kind)command->kind;
    const struct thing_row *row = &thing_rows[kind];
    struct body_ref *refs = deciding_take(deciding, BROKER_CARRY_BODIES_MAX, sizeof *refs);
    if (refs == NULL) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    /* It may have ended, or its bodies may be others, since they were asked for. */
    const struct thing *thing = thing_find(broker, kind, command->thing);
    bool is_same = thing != NULL && row->has_home &&
                   row->carry_bodies(broker, command->thing.slot, refs, BROKER_CARRY_BODIES_MAX) ==
                       command->bodies_count;
    uint32_t chain = UINT32_MAX;
    uint32_t early = UINT32_MAX;
    if (is_same) find_chains(broker, kind, command->thing.slot, &chain, &early);
    for (uint32_t i = 0; is_same && i < command->bodies_count; i++) {
        is_same = i == chain || i == early || refs[i].count == command->bodies[i].count ||
                  body_is_given_up(command->bodies[i]);
    }
    if (!is_same) {
        refuse(deciding, BROKER_NOTHING);
        return;
    }
    struct buffer *record = record_begin(deciding, RECORD_CARRY);
    encode_u8(record, (uint8_t)kind);
    encode_ref(record, command->thing);
    row->carry_encode(broker, command->thing.slot, record);
    for (uint32_t i = 0; i < command->bodies_count; i++) {
        (void)record_body(deciding, command->bodies[i]);
    }
}

void apply_carry(struct applying *applying) {
    struct broker *broker = applying->broker;
    uint8_t kind = decode_u8(&applying->in);
    struct broker_ref ref = decode_ref(&applying->in);
    if (applying->in.failed || kind == THING_NONE || kind >= THING_KINDS_COUNT ||
        !thing_rows[kind].has_home) {
        applying->is_broken = true;
        return;
    }
    bool is_new = thing_find(broker, (enum thing_kind)kind, ref) == NULL;
    CHECK(!is_new || broker->is_replaying);
    if (is_new) {
        if (thing_make(broker, (enum thing_kind)kind, ref, applying->lsn) == NULL) return;
    } else {
        thing_rehome(broker, (enum thing_kind)kind, ref.slot, applying->lsn);
    }
    thing_rows[kind].carry_apply(applying, ref.slot, is_new);
}

/* What a carry record of each kind takes in the journal, its bodies left out and the frames of record
 * and bodies counted: about, where it has lists or names. broker_carry_test.c compares.
 */
static const uint32_t record_bytes[THING_KINDS_COUNT] = {
    [THING_ROOT] = 88,   [THING_QUEUE] = 256, [THING_STORE] = 45,  [THING_MESSAGE] = 98,
    [THING_LINE] = 2048, [THING_JOB] = 160,   [THING_SPLIT] = 110, [THING_SESSION] = 56,
    [THING_ROLL] = 300,  [THING_MOVE] = 150,  [THING_PIECE] = 101, /* of its message's */
};

uint64_t broker_live_bytes(const struct broker *broker) {
    uint64_t bytes_count = broker->body_bytes + broker->notes_bytes;
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        bytes_count += (uint64_t)broker->pools[kind].count * record_bytes[kind];
    }
    return bytes_count;
}
