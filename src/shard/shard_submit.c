/* SPDX-License-Identifier: Apache-2.0 */
/* shard_submit.c -- the way of one command:
 *
 *   journal_reserve   room on the disk, by what the command is for
 *   broker_reserve    memory, so that apply cannot fail
 *   broker_decide     with takt's time and random bytes: an answer, and a record or none
 *   (the answer's copy is made here: from now on nothing may fail)
 *   journal_append    the record is in the batch that is being filled
 *   broker_apply      the state has moved on
 *   shard_hold        the answer waits for the newest LSN applied
 *   shard_drain       what the record made possible joins the same batch
 *
 * It all happens inside the call. A listener that submits from inside shard_drain is at this depth
 * once more and not deeper: the drain that is under way picks up what came of it.
 */
#include "shard/shard_inside.h"

#include <errno.h>

/* Refused first when the disk fills up: what only brings more. Everything else drains. */
static const enum journal_purpose purposes[COMMAND_KINDS_COUNT] = {
    [COMMAND_QUEUE_CREATE] = JOURNAL_FOR_INTAKE, [COMMAND_QUEUE_SET] = JOURNAL_FOR_DRAIN,
    [COMMAND_QUEUE_DELETE] = JOURNAL_FOR_DRAIN,  [COMMAND_QUEUE_PURGE] = JOURNAL_FOR_DRAIN,
    [COMMAND_SEND] = JOURNAL_FOR_INTAKE,         [COMMAND_RECEIVE] = JOURNAL_FOR_DRAIN,
    [COMMAND_DELETE] = JOURNAL_FOR_DRAIN,        [COMMAND_VISIBILITY] = JOURNAL_FOR_DRAIN,
    [COMMAND_GIVE_BACK] = JOURNAL_FOR_DRAIN,     [COMMAND_REDRIVE] = JOURNAL_FOR_DRAIN,
    [COMMAND_MOVE_START] = JOURNAL_FOR_DRAIN,    [COMMAND_MOVE_CANCEL] = JOURNAL_FOR_DRAIN,
    [COMMAND_ADVANCE] = JOURNAL_FOR_DRAIN,       [COMMAND_LIFE_START] = JOURNAL_FOR_DRAIN,
    [COMMAND_LINE_PUT] = JOURNAL_FOR_GROWTH,     [COMMAND_JOB_START] = JOURNAL_FOR_INTAKE,
    [COMMAND_SESSION_OPEN] = JOURNAL_FOR_DRAIN,  [COMMAND_SESSION_END] = JOURNAL_FOR_DRAIN,
    [COMMAND_LEASE] = JOURNAL_FOR_DRAIN,         [COMMAND_COMPLETE] = JOURNAL_FOR_DRAIN,
    [COMMAND_FAIL] = JOURNAL_FOR_DRAIN,          [COMMAND_REJECT] = JOURNAL_FOR_DRAIN,
    [COMMAND_RETURN] = JOURNAL_FOR_DRAIN,        [COMMAND_ROLL_DEAL] = JOURNAL_FOR_DRAIN,
    [COMMAND_CARRY] = JOURNAL_FOR_DRAIN,         [COMMAND_HOLD_RETENTION] = JOURNAL_FOR_DRAIN,
};

/* Outputs are more than their input: then the hand-off waits while there is little room. */
static bool grows(const struct shard *shard, const struct command_complete *complete) {
    uint64_t input_bytes = broker_message_bytes(shard->broker, complete->message);
    uint64_t bytes_count = complete->result.count;
    for (uint32_t i = 0; i < complete->outputs_count; i++) {
        bytes_count += complete->outputs[i].body.count;
    }
    return bytes_count > input_bytes;
}

static enum journal_purpose purpose_of(const struct shard *shard, const struct command *command) {
    if (command->kind == COMMAND_COMPLETE && grows(shard, &command->complete)) {
        return JOURNAL_FOR_GROWTH;
    }
    return purposes[command->kind];
}

static void refuse(struct shard *shard, enum broker_result result) {
    broker_decision_clear(&shard->decision);
    shard->decision.answer = (struct broker_answer){.result = result};
}

static enum broker_result result_of_reserve(struct shard *shard, int rc) {
    switch (rc) {
    case -ENOSPC: return BROKER_NO_ROOM;
    case -EMSGSIZE: return BROKER_TOO_LARGE;
    case -ENOMEM: return BROKER_NO_MEMORY;
    case -EAGAIN:
        /* With nothing on its way no commit would end the pause. */
        shard->is_busy = shard->lsn_applied > shard->lsn_durable;
        return BROKER_BUSY;
    default: return BROKER_UNAVAILABLE;
    }
}

static void give(struct shard *shard, struct broker_given *given) {
    if (shard->random_used + sizeof given->random > sizeof shard->random) {
        shard->env->ops->random(shard->env, shard->random, sizeof shard->random);
        shard->random_used = 0;
    }
    memcpy(given->random, shard->random + shard->random_used, sizeof given->random);
    shard->random_used += (uint32_t)sizeof given->random;
    given->now = shard_now(shard);
}

void shard_decide(struct shard *shard, const struct command *command) {
    if (shard->is_failed || shard->is_closing) {
        refuse(shard, BROKER_UNAVAILABLE);
        return;
    }
    int rc =
        journal_reserve(shard->journal, purpose_of(shard, command), broker_record_bytes(command));
    if (rc < 0) {
        refuse(shard, result_of_reserve(shard, rc));
        return;
    }
    if (!broker_reserve(shard->broker, command)) {
        refuse(shard, BROKER_NO_MEMORY);
        return;
    }
    struct broker_given given;
    give(shard, &given);
    broker_decide(shard->broker, command, &given, &shard->decision);
    CHECK(!shard->decision.record.failed);
}

bool shard_commit(struct shard *shard) {
    struct broker_decision *decision = &shard->decision;
    struct slice record = buffer_slice(&decision->record);
    if (record.count == 0) return false;
    uint64_t lsn = journal_append(shard->journal, record, decision->bodies, decision->bodies_count,
                                  shard->refs);
    CHECK(lsn > shard->lsn_applied);
    int rc = broker_apply(shard->broker, lsn, record, shard->refs, decision->bodies_count);
    CHECK(rc == 0); /* it is what decide made a moment ago */
    shard->lsn_applied = lsn;
    size_t bytes_count = record.count;
    for (uint32_t i = 0; i < decision->bodies_count; i++) bytes_count += decision->bodies[i].count;
    shard_carry_pay(shard, bytes_count);
    return true;
}

enum broker_result shard_do(struct shard *shard, const struct command *command) {
    shard_decide(shard, command);
    enum broker_result result = shard->decision.answer.result;
    bool is_written = shard_commit(shard);
    return result == BROKER_OK && !is_written ? BROKER_NOTHING : result;
}

bool shard_is_passing(enum broker_result result) {
    return result == BROKER_BUSY || result == BROKER_NO_ROOM || result == BROKER_NO_MEMORY;
}

/* Who waits at a queue learns of its end here: the broker's events are of things that are there. */
static struct broker_ref queue_to_end(const struct shard *shard, const struct command *command) {
    struct queue_view view;
    if (command->kind != COMMAND_QUEUE_DELETE) return (struct broker_ref){0};
    if (!broker_find_queue(shard->broker, command->queue.name, &view))
        return (struct broker_ref){0};
    return view.ref;
}

void shard_submit(struct shard *shard, const struct command *command, shard_answer_fn *done,
                  void *context) {
    struct broker_ref ending = queue_to_end(shard, command);
    shard_decide(shard, command);
    struct held_answer *held = NULL;
    if (done != NULL) {
        held = shard_answer_take(shard, command->kind, &shard->decision.answer, done, context);
        if (held == NULL) {
            refuse(shard, BROKER_NO_MEMORY);
            held = shard_refusal_take(shard, BROKER_NO_MEMORY, done, context);
        }
    }
    bool is_written = shard_commit(shard);
    if (held != NULL) shard_hold(shard, &held->held);
    if (is_written && ending.number != 0) shard_wake_queue(shard, ending);
    shard_drain(shard);
}
