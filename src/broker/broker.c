/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c -- opening, closing, and the way of a command through its row of the table.
 *
 *   broker_reserve -> row.reserve      memory
 *   broker_decide  -> row.decide       an answer, and a record or none
 *   broker_apply   -> record's row     (broker_record.c) the state
 */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

#include <errno.h>
#include <stdio.h>

#define MESSAGES_MAX 50000000u
#define JOBS_MAX 10000000u
#define JOBS_ENDED_MAX 1000000u
#define QUEUES_MAX 1000000u
#define SESSIONS_MAX 100000u
#define MOVES_MAX 10000u
#define SLOTS_MAX (1u << HANDLE_SLOT_BITS)
#define RECORD_HEAD_BYTES 43u
/* Messages that one record makes visible, at most: a step of them, and what it makes itself. */
#define SHOWN_MAX (2 * BROKER_STEP_MAX)
/* A decision holds at most what one record's bodies need, and 64 leases. */
#define ARENA_BYTES_MAX (40u * 1024 * 1024)
#define RECORD_BYTES_MAX (2u * 1024 * 1024)

static uint32_t limit(uint32_t wanted, uint32_t usual) {
    uint32_t count = wanted == 0 ? usual : wanted;
    return count < SLOTS_MAX ? count : SLOTS_MAX;
}

static void open_pools(struct broker *broker, const struct broker_options *options) {
    uint32_t messages_max = limit(options->messages_max, MESSAGES_MAX);
    uint32_t jobs_max = limit(options->jobs_max, JOBS_MAX);
    uint32_t queues_max = limit(options->queues_max, QUEUES_MAX);
    const uint32_t slots_max[THING_KINDS_COUNT] = {
        [THING_ROOT] = 1,
        [THING_QUEUE] = queues_max,
        /* A purge leaves a grave; those of several purges may wait to be swept. */
        [THING_STORE] = limit(queues_max * 2 + 1000, 0),
        [THING_MESSAGE] = messages_max,
        [THING_LINE] = BROKER_LINES_MAX,
        [THING_JOB] = jobs_max,
        [THING_SPLIT] = messages_max,
        [THING_SESSION] = SESSIONS_MAX,
        [THING_ROLL] = jobs_max,
        [THING_MOVE] = MOVES_MAX,
        [THING_PIECE] = messages_max,
        /* One a message; a step asks for them without knowing which messages have theirs. */
        [THING_TIMING] = limit(messages_max + BROKER_STEP_MAX, 0),
    };
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        pool_open(&broker->pools[kind], broker->allocator, thing_rows[kind].bytes_count,
                  slots_max[kind]);
    }
    pool_open(&broker->tallies, broker->allocator, sizeof(struct tally), jobs_max);
}

struct broker *broker_open(const struct broker_options *options) {
    struct broker *broker = allocator_take(options->allocator, sizeof *broker);
    if (broker == NULL) return NULL;
    broker->allocator = options->allocator;
    broker->names_root = BROKER_NONE;
    broker->jobs_ended_max = limit(options->jobs_ended_max, JOBS_ENDED_MAX);
    open_pools(broker, options);
    shelf_stock_open(&broker->shelf_stock, broker->allocator);
    broker->queues_by_name = map_open(broker->allocator);
    broker->queues_by_id = map_open(broker->allocator);
    if (broker->queues_by_name == NULL || broker->queues_by_id == NULL || !lines_open(broker) ||
        !pool_reserve(&broker->pools[THING_ROOT], 1)) {
        broker_close(broker);
        return NULL;
    }
    return broker;
}

void broker_close(struct broker *broker) {
    if (broker == NULL) return;
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        struct pool *pool = &broker->pools[kind];
        for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
             slot = pool_next_taken(pool, slot + 1)) {
            thing_rows[kind].close(broker, slot);
        }
    }
    lines_close(broker);
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        pool_close(&broker->pools[kind]);
    }
    pool_close(&broker->tallies);
    shelf_stock_close(&broker->shelf_stock);
    heap_close(&broker->deadlines, broker->allocator);
    heap_close(&broker->graves, broker->allocator);
    map_close(broker->queues_by_name);
    map_close(broker->queues_by_id);
    allocator_give_back(broker->allocator, broker);
}

void broker_decision_open(struct broker_decision *decision, const struct allocator *allocator) {
    *decision = (struct broker_decision){0};
    buffer_open(&decision->record, allocator, RECORD_BYTES_MAX);
    arena_open(&decision->arena, allocator, ARENA_BYTES_MAX);
}

void broker_decision_clear(struct broker_decision *decision) {
    buffer_clear(&decision->record);
    arena_reset(&decision->arena);
    decision->bodies = NULL;
    decision->bodies_count = 0;
    decision->answer = (struct broker_answer){0};
}

void broker_decision_close(struct broker_decision *decision) {
    buffer_close(&decision->record);
    arena_close(&decision->arena);
    *decision = (struct broker_decision){0};
}

bool broker_reserve(struct broker *broker, const struct command *command) {
    CHECK(command->kind < COMMAND_KINDS_COUNT);
    return command_rows[command->kind].reserve(broker, command) &&
           shelf_stock_reserve(&broker->shelf_stock, SHOWN_MAX);
}

size_t broker_record_bytes(const struct command *command) {
    CHECK(command->kind < COMMAND_KINDS_COUNT);
    return RECORD_HEAD_BYTES + command_rows[command->kind].bytes(command);
}

void broker_decide(const struct broker *broker, const struct command *command,
                   const struct broker_given *given, struct broker_decision *decision) {
    CHECK(command->kind < COMMAND_KINDS_COUNT && !broker->is_replaying);
    broker_decision_clear(decision);
    int64_t now_ms = given->now.ms > broker->last_ms ? given->now.ms : broker->last_ms;
    struct deciding deciding = {.broker = broker,
                                .command = command,
                                .given = given,
                                .decision = decision,
                                .now_ms = now_ms,
                                .next_number = 1,
                                .next_queue_id = 1,
                                .next_line_id = 1};
    if (!broker_is_new(broker)) {
        const struct root *root = root_at(broker, 0);
        deciding.next_number = root->next_number;
        deciding.next_queue_id = root->next_queue_id;
        deciding.next_line_id = root->next_line_id;
    }
    /* The arena zeroes what it gives, and a send, the busiest command, has few bodies. */
    size_t bodies_max =
        command->kind == COMMAND_SEND ? BROKER_BATCH_MAX : BROKER_DECISION_BODIES_MAX;
    decision->bodies = deciding_take(&deciding, bodies_max, sizeof(struct slice));
    if (decision->bodies == NULL) {
        refuse(&deciding, BROKER_NO_MEMORY);
        return;
    }
    command_rows[command->kind].decide(&deciding);
    if (decision->record.failed) refuse(&deciding, BROKER_NO_MEMORY);
}

bool broker_is_new(const struct broker *broker) {
    return broker->pools[THING_ROOT].count == 0;
}

void broker_replay_begin(struct broker *broker) {
    CHECK(broker->last_lsn == 0);
    broker->is_replaying = true;
}

int broker_replay_end(struct broker *broker, char *text, size_t text_bytes) {
    CHECK(broker->is_replaying);
    broker->is_replaying = false;
    if (broker->replay_result != 0) return broker->replay_result;
    if (broker->last_lsn != 0 && broker_is_new(broker)) {
        (void)snprintf(text, text_bytes, "the journal does not say its seed");
        return -EBADMSG;
    }
    if (broker->shells_count != 0) {
        (void)snprintf(text, text_bytes, "%u things that others stand in are missing",
                       broker->shells_count);
        return -EBADMSG;
    }
    queues_replay_end(broker);
    return lines_replay_end(broker, text, text_bytes);
}

struct wall_time broker_last_time(const struct broker *broker) {
    return (struct wall_time){broker->last_ms};
}
