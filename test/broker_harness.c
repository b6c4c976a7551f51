/* SPDX-License-Identifier: Apache-2.0 */
#include "broker_harness.h"

#include "base/check.h"
#include "base/hash.h"
#include "shard/shard_inside.h"
#include "test.h"

#include <stdio.h>

#define START_MS 1700000000000ll

void harness_open(struct harness *harness, uint64_t seed) {
    *harness = (struct harness){.allocator = allocator_system(),
                                .next_lsn = 1,
                                .next_position = 1,
                                .now_ms = START_MS,
                                .seed = seed,
                                .random = seed};
    harness->options = (struct broker_options){.allocator = &harness->allocator,
                                               .messages_max = 100000,
                                               .jobs_max = 100000,
                                               .queues_max = 1000};
    harness->broker = broker_open(&harness->options);
    EXPECT(harness->broker != NULL);
    broker_decision_open(&harness->decision, &harness->allocator);
    broker_decision_open(&harness->twin_decision, &harness->allocator);
}

static void entry_close(struct harness *harness, struct harness_entry *entry) {
    for (uint32_t i = 0; i < entry->refs_count; i++) {
        allocator_give_back(&harness->allocator, entry->bodies[i]);
    }
    allocator_give_back(&harness->allocator, entry->bodies);
    allocator_give_back(&harness->allocator, entry->refs);
    allocator_give_back(&harness->allocator, entry->record);
}

void harness_close(struct harness *harness) {
    for (uint32_t i = 0; i < harness->entries_count; i++) {
        entry_close(harness, &harness->entries[i]);
    }
    allocator_give_back(&harness->allocator, harness->entries);
    broker_decision_close(&harness->decision);
    broker_decision_close(&harness->twin_decision);
    broker_close(harness->broker);
    broker_close(harness->twin);
}

/* splitmix64. */
uint64_t harness_random(struct harness *harness) {
    uint64_t value = harness->random + 0x9E3779B97F4A7C15u;
    harness->random = value;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

/* No more bytes than the number needs: a fuzzer changes one and changes one thing. */
static uint32_t chosen_below(struct harness *harness, uint32_t end) {
    uint32_t value = 0;
    for (uint32_t last = end - 1; last > 0; last >>= 8) {
        value <<= 8;
        if (harness->choices_count == 0) continue;
        value |= *harness->choices++;
        harness->choices_count--;
    }
    return value % end;
}

uint32_t harness_below(struct harness *harness, uint32_t end) {
    CHECK(end > 0);
    if (harness->choices != NULL) return chosen_below(harness, end);
    return (uint32_t)(harness_random(harness) % end);
}

/* ---- the log ---------------------------------------------------------------------------------- */

static char *copy(struct harness *harness, struct slice slice) {
    char *bytes = allocator_take(&harness->allocator, slice.count + 1);
    EXPECT(bytes != NULL);
    if (slice.count > 0) memcpy(bytes, slice.bytes, slice.count);
    return bytes;
}

static struct harness_entry *append(struct harness *harness, const struct broker_decision *made) {
    if (harness->entries_count == harness->entries_room) {
        harness->entries_room = harness->entries_room == 0 ? 64 : harness->entries_room * 2;
        harness->entries = allocator_resize_array(&harness->allocator, harness->entries,
                                                  harness->entries_room, sizeof *harness->entries);
        EXPECT(harness->entries != NULL);
    }
    struct harness_entry *entry = &harness->entries[harness->entries_count++];
    *entry = (struct harness_entry){.lsn = harness->next_lsn++,
                                    .record = copy(harness, buffer_slice(&made->record)),
                                    .record_bytes = made->record.count,
                                    .refs_count = made->bodies_count};
    size_t count = made->bodies_count + 1u;
    entry->refs = allocator_take(&harness->allocator, count * sizeof *entry->refs);
    entry->bodies = allocator_take(&harness->allocator, count * sizeof *entry->bodies);
    EXPECT(entry->refs != NULL && entry->bodies != NULL);
    for (uint32_t i = 0; i < made->bodies_count; i++) {
        entry->bodies[i] = copy(harness, made->bodies[i]);
        entry->refs[i] = (struct body_ref){.position = harness->next_position++,
                                           .checksum32 = body_checksum32(made->bodies[i]),
                                           .count = (uint32_t)made->bodies[i].count};
    }
    return entry;
}

/* Positions grow through the log: the entry whose bodies go past it. */
struct slice harness_body(struct harness *harness, struct body_ref ref) {
    uint32_t low = 0;
    uint32_t high = harness->entries_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        /* An entry without bodies says nothing; go to the next one that has some. */
        uint32_t with = middle;
        while (with < high && harness->entries[with].refs_count == 0) with++;
        if (with == high) {
            high = middle;
            continue;
        }
        const struct harness_entry *entry = &harness->entries[with];
        if (entry->refs[entry->refs_count - 1].position < ref.position) {
            low = with + 1;
        } else if (entry->refs[0].position > ref.position) {
            high = middle;
        } else {
            uint64_t index = ref.position - entry->refs[0].position;
            struct slice body = slice_from(entry->bodies[index], entry->refs[index].count);
            EXPECT_INT(body.count, ref.count);
            EXPECT(body_checksum32(body) == ref.checksum32);
            return body;
        }
    }
    EXPECT_STRING("the body was trimmed", "");
    return SLICE_EMPTY;
}

/* ---- commands --------------------------------------------------------------------------------- */

static void expect_same_decision(struct harness *harness) {
    const struct broker_decision *a = &harness->decision;
    const struct broker_decision *b = &harness->twin_decision;
    EXPECT_INT(b->answer.result, a->answer.result);
    EXPECT(slice_equal(buffer_slice(&a->record), buffer_slice(&b->record)));
    EXPECT_INT(b->bodies_count, a->bodies_count);
    for (uint32_t i = 0; i < a->bodies_count; i++) {
        EXPECT(slice_equal(a->bodies[i], b->bodies[i]));
    }
}

static void expect_no_events(struct broker *broker) {
    struct broker_event event;
    EXPECT(!broker_take_event(broker, &event));
}

const struct broker_answer *harness_submit(struct harness *harness, const struct command *command) {
    struct broker_given given = {.now = {harness->now_ms}};
    for (size_t i = 0; i < sizeof given.random; i++) {
        given.random[i] = (uint8_t)harness_random(harness);
    }
    harness->commands_seen[command->kind]++;
    EXPECT(broker_reserve(harness->broker, command));
    broker_decide(harness->broker, command, &given, &harness->decision);
    if (harness->twin != NULL) {
        EXPECT(broker_reserve(harness->twin, command));
        broker_decide(harness->twin, command, &given, &harness->twin_decision);
        expect_same_decision(harness);
    }
    if (harness->decision.record.count == 0) return &harness->decision.answer;
    const struct harness_entry *entry = append(harness, &harness->decision);
    size_t bytes_count = entry->record_bytes;
    for (uint32_t i = 0; i < entry->refs_count; i++) bytes_count += entry->refs[i].count;
    EXPECT(bytes_count <= broker_record_bytes(command));
    harness->records_seen[(uint8_t)entry->record[0]]++;
    struct slice record = slice_from(entry->record, entry->record_bytes);
    EXPECT_INT(broker_apply(harness->broker, entry->lsn, record, entry->refs, entry->refs_count),
               0);
    if (harness->twin != NULL) {
        EXPECT_INT(broker_apply(harness->twin, entry->lsn, record, entry->refs, entry->refs_count),
                   0);
    }
    return &harness->decision.answer;
}

void harness_settle(struct harness *harness) {
    struct command command = {.kind = COMMAND_ADVANCE};
    while (broker_has_sweep(harness->broker) ||
           broker_next_deadline(harness->broker).ms <= harness->now_ms) {
        const struct broker_answer *answer = harness_submit(harness, &command);
        EXPECT_INT(answer->result, BROKER_OK);
    }
}

/* As the shard does it: a chain of a job's history becomes one body. */
static void join_chain(struct harness *harness, struct carry_chain *chain, struct slice *body,
                       bool keeps, bool counts) {
    struct buffer *joined = &chain->joined[keeps ? 0 : 1];
    shard_history_begin(chain, 0, keeps, counts);
    EXPECT_INT(shard_history_add(chain, *body), 0);
    while (chain->next.position != 0) {
        EXPECT_INT(shard_history_add(chain, harness_body(harness, chain->next)), 0);
    }
    EXPECT_INT(shard_history_join(chain, joined), 0);
    *body = buffer_slice(joined);
}

static void join_chains(struct harness *harness, struct carry_chain *chain,
                        const struct broker_carry *carry, struct slice *bodies) {
    bool is_long = carry->early < carry->bodies_count;
    if (carry->chain < carry->bodies_count) {
        join_chain(harness, chain, &bodies[carry->chain], true, !is_long);
    }
    if (is_long) join_chain(harness, chain, &bodies[carry->early], false, true);
}

uint32_t harness_carry(struct harness *harness, uint64_t lsn, uint32_t max) {
    struct broker_carry *carry = allocator_take(&harness->allocator, sizeof *carry);
    struct carry_chain *chain = allocator_take(&harness->allocator, sizeof *chain);
    EXPECT(carry != NULL && chain != NULL);
    shard_history_open(chain, &harness->allocator);
    uint32_t count = 0;
    for (; count < max && broker_next_carry(harness->broker, lsn, carry); count++) {
        struct slice bodies[BROKER_CARRY_BODIES_MAX];
        for (uint32_t i = 0; i < carry->bodies_count; i++) {
            bodies[i] = harness_body(harness, carry->bodies[i]);
        }
        join_chains(harness, chain, carry, bodies);
        struct command command = {.kind = COMMAND_CARRY,
                                  .carry = {.kind = carry->kind,
                                            .thing = carry->thing,
                                            .bodies = bodies,
                                            .bodies_count = carry->bodies_count}};
        EXPECT_INT(harness_submit(harness, &command)->result, BROKER_OK);
    }
    shard_history_close(chain);
    allocator_give_back(&harness->allocator, chain);
    allocator_give_back(&harness->allocator, carry);
    return count;
}

void harness_trim(struct harness *harness, uint64_t lsn) {
    (void)harness_carry(harness, lsn, UINT32_MAX);
    uint32_t count = 0;
    while (count < harness->entries_count && harness->entries[count].lsn < lsn) {
        entry_close(harness, &harness->entries[count++]);
    }
    harness->entries_count -= count;
    memmove(harness->entries, harness->entries + count,
            harness->entries_count * sizeof *harness->entries);
}

/* ---- replay ----------------------------------------------------------------------------------- */

struct broker *harness_replay(struct harness *harness) {
    struct broker *broker = broker_open(&harness->options);
    EXPECT(broker != NULL);
    broker_replay_begin(broker);
    for (uint32_t i = 0; i < harness->entries_count; i++) {
        const struct harness_entry *entry = &harness->entries[i];
        struct slice record = slice_from(entry->record, entry->record_bytes);
        EXPECT_INT(broker_apply(broker, entry->lsn, record, entry->refs, entry->refs_count), 0);
    }
    char text[256] = "";
    int result = broker_replay_end(broker, text, sizeof text);
    EXPECT_STRING(text, "");
    EXPECT_INT(result, 0);
    expect_no_events(broker);
    return broker;
}

void harness_expect_equal(const struct broker *a, const struct broker *b) {
    uint8_t digests[2][16];
    broker_check(a);
    broker_check(b);
    broker_digest(a, digests[0]);
    broker_digest(b, digests[1]);
    EXPECT_BYTES(digests[0], digests[1], 16);
    EXPECT(broker_live_bytes(a) == broker_live_bytes(b));
    EXPECT(broker_next_deadline(a).ms == broker_next_deadline(b).ms);
    EXPECT(broker_has_sweep(a) == broker_has_sweep(b));
}

void harness_turn(struct harness *harness) {
    if (harness->twin != NULL) {
        harness_expect_equal(harness->broker, harness->twin);
        broker_close(harness->broker);
        harness->broker = harness->twin;
        harness->twin = NULL;
        return;
    }
    harness->twin = harness_replay(harness);
    harness_expect_equal(harness->broker, harness->twin);
}

void harness_run(struct harness *harness, const struct harness_step *steps, uint32_t steps_count) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < steps_count; i++) sum += steps[i].weight;
    uint32_t choice = harness_below(harness, sum);
    uint32_t i = 0;
    while (choice >= steps[i].weight) choice -= steps[i++].weight;
    steps[i].run(harness);
}
