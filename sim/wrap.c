/* SPDX-License-Identifier: Apache-2.0 */
/* wrap.c -- stands between the shard and the broker, where the linker puts it (-Wl,--wrap): the
 * shipped objects are linked as they are. What is not the simulator's goes straight on.
 *
 * Here the simulator learns of each decision and each record, and here the mistakes are made that
 * faults.h lists for shard and broker.
 */
#include "sim.h"

#include "broker/broker_lines.h"
#include "broker/broker_message.h"
#include "broker/broker_queue.h"
#include "broker/lines_member.h"

void __real_broker_decide(const struct broker *broker, const struct command *command,
                          const struct broker_given *given, struct broker_decision *decision);
int __real_broker_apply(struct broker *broker, uint64_t lsn, struct slice record,
                        const struct body_ref *refs, uint32_t refs_count);
void __real_broker_replay_begin(struct broker *broker);
int __real_broker_replay_end(struct broker *broker, char *text, size_t text_bytes);
bool __real_broker_take_event(struct broker *broker, struct broker_event *out);

void __wrap_broker_decide(const struct broker *broker, const struct command *command,
                          const struct broker_given *given, struct broker_decision *decision);
int __wrap_broker_apply(struct broker *broker, uint64_t lsn, struct slice record,
                        const struct body_ref *refs, uint32_t refs_count);
void __wrap_broker_replay_begin(struct broker *broker);
int __wrap_broker_replay_end(struct broker *broker, char *text, size_t text_bytes);
bool __wrap_broker_take_event(struct broker *broker, struct broker_event *out);

static struct sim *sim_behind(const struct broker *broker) {
    const struct machine *machine = machine_behind(broker->allocator);
    return machine == NULL ? NULL : machine->owner;
}

/* ---- before a decision ------------------------------------------------------------------------ */

struct tampered {
    struct command command;
    struct broker_given given;
    struct command_send_entry entries[BROKER_BATCH_MAX];
    struct command_output outputs[2];
};

static void tamper_send(struct sim *sim, struct tampered *tampered) {
    struct command_send *send = &tampered->command.send;
    memcpy(tampered->entries, send->entries, send->entries_count * sizeof send->entries[0]);
    send->entries = tampered->entries;
    if (sim->machine->fault == FAULT_SEND_CUT && send->entries_count > 1) send->entries_count--;
    if (sim->machine->fault != FAULT_DELAY_FORGOTTEN) return;
    for (uint32_t i = 0; i < send->entries_count; i++) tampered->entries[i].delay_ms = 0;
}

static void tamper_complete(struct sim *sim, struct tampered *tampered) {
    struct command_complete *complete = &tampered->command.complete;
    enum fault fault = sim->machine->fault;
    if (fault == FAULT_OUTPUT_LOST && complete->outputs_count > 0) complete->outputs_count--;
    if (fault != FAULT_OUTPUT_TWICE || complete->outputs_count != 1) return;
    tampered->outputs[0] = tampered->outputs[1] = complete->outputs[0];
    complete->outputs = tampered->outputs;
    complete->outputs_count = 2;
}

/* Under the lease that the message has now. */
static void tamper_stranger(struct sim *sim, struct tampered *tampered) {
    const struct broker *broker = shard_broker(sim->shard);
    struct command_complete *complete = &tampered->command.complete;
    const struct message *message = thing_find(broker, THING_MESSAGE, complete->message);
    if (message == NULL || message->place != PLACE_LEASED) return;
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    uint32_t session = piece_at(broker, piece)->session;
    complete->session = (struct broker_ref){session_at(broker, session)->thing.number, session};
}

static void tamper_line(struct sim *sim, struct tampered *tampered) {
    struct command *command = &tampered->command;
    switch (sim->machine->fault) {
    case FAULT_OUTPUT_LOST:
    case FAULT_OUTPUT_TWICE:
        if (command->kind == COMMAND_COMPLETE) tamper_complete(sim, tampered);
        break;
    case FAULT_STRANGER_TAKEN:
        if (command->kind == COMMAND_COMPLETE) tamper_stranger(sim, tampered);
        break;
    case FAULT_FAIL_UNCOUNTED:
        if (command->kind == COMMAND_FAIL) command->kind = COMMAND_RETURN;
        break;
    case FAULT_ONCE_FORGOTTEN:
        if (command->kind == COMMAND_JOB_START) command->job_start.once = SLICE_EMPTY;
        break;
    default: break;
    }
}

static void tamper_before(struct sim *sim, struct tampered *tampered) {
    tamper_line(sim, tampered);
    switch (sim->machine->fault) {
    case FAULT_SEND_CUT:
    case FAULT_DELAY_FORGOTTEN:
        if (tampered->command.kind == COMMAND_SEND) tamper_send(sim, tampered);
        break;
    case FAULT_CLOCK_BACK:
        if (sim_below(sim, 10) == 0) tampered->given.now.ms -= 5000;
        break;
    case FAULT_LIFE_UNSTARTED:
        if (tampered->command.kind == COMMAND_LIFE_START) tampered->command.kind = COMMAND_ADVANCE;
        break;
    case FAULT_RANDOM_REPEATED:
        memset(tampered->given.random, 7, sizeof tampered->given.random);
        break;
    default: break;
    }
}

/* ---- after it --------------------------------------------------------------------------------- */

static bool is_undone(enum fault fault, enum command_kind kind) {
    return (fault == FAULT_DELETE_UNDONE && kind == COMMAND_DELETE) ||
           (fault == FAULT_PURGE_SKIPPED && kind == COMMAND_QUEUE_PURGE) ||
           (fault == FAULT_CHANGE_UNDONE && kind == COMMAND_VISIBILITY) ||
           (fault == FAULT_INPUT_KEPT && kind == COMMAND_COMPLETE) ||
           (fault == FAULT_ROLL_STUCK && kind == COMMAND_ROLL_DEAL);
}

/* The answer promises what the command asked for. */
static void tamper_after(struct sim *sim, const struct command *asked,
                         const struct command *decided, struct broker_decision *decision) {
    if (is_undone(sim->machine->fault, asked->kind) && decision->answer.result == BROKER_OK) {
        buffer_clear(&decision->record);
        decision->bodies_count = 0;
    }
    if (asked->kind != COMMAND_SEND || decision->answer.result != BROKER_OK) return;
    for (uint32_t i = decided->send.entries_count; i < asked->send.entries_count; i++) {
        decision->answer.send.results[i] = BROKER_OK;
        decision->answer.send.messages[i] = decision->answer.send.messages[i - 1];
        decision->answer.send.messages[i].number++;
    }
}

void __wrap_broker_decide(const struct broker *broker, const struct command *command,
                          const struct broker_given *given, struct broker_decision *decision) {
    struct sim *sim = sim_behind(broker);
    if (sim == NULL) {
        __real_broker_decide(broker, command, given, decision);
        return;
    }
    struct tampered tampered = {.command = *command, .given = *given};
    tamper_before(sim, &tampered);
    __real_broker_decide(broker, &tampered.command, &tampered.given, decision);
    tamper_after(sim, command, &tampered.command, decision);
    sim_decided(sim, broker, command, &tampered.given, decision);
}

/* ---- records ---------------------------------------------------------------------------------- */

/* Of the messages that were just received. */
static void tamper_received(struct sim *sim, struct broker *broker) {
    const struct broker_answer *answer = &sim->pending_answer;
    for (uint32_t i = 0; i < answer->receive.count; i++) {
        struct message *message =
            thing_find(broker, THING_MESSAGE, answer->receive.messages[i].message);
        if (message == NULL || message->place != PLACE_IN_FLIGHT) continue;
        if (sim->machine->fault == FAULT_NONCE_REUSED) {
            message_timing_make(broker, answer->receive.messages[i].message.slot)->nonce--;
        }
        if (sim->machine->fault != FAULT_LEASE_FORGOTTEN || sim_below(sim, 8) != 0) continue;
        const struct queue *queue = message_queue(broker, message);
        message_to_visible(broker, answer->receive.messages[i].message.slot,
                           store_at(broker, queue->store));
    }
}

static void forget_carried(struct sim *sim, struct broker *broker, uint64_t lsn) {
    const struct command_carry *carry = &sim->pending.carry;
    bool *is_forgotten = &sim->between.forgotten[lsn];
    if (sim->machine->fault == FAULT_CARRY_QUEUE_LOST) *is_forgotten = carry->kind == THING_QUEUE;
    if (sim->machine->fault != FAULT_CARRY_DELAYED_LOST || carry->kind != THING_MESSAGE) return;
    const struct message *message = thing_find(broker, THING_MESSAGE, carry->thing);
    *is_forgotten = message != NULL && message->place == PLACE_DELAYED;
}

/* A split that waits for one more waits no longer. */
static void hurry_kits(struct broker *broker) {
    const struct pool *splits = &broker->pools[THING_SPLIT];
    for (uint32_t slot = pool_next_taken(splits, 0); slot != BROKER_NONE;
         slot = pool_next_taken(splits, slot + 1)) {
        if (split_at(broker, slot)->living_count != 1) continue;
        split_at(broker, slot)->living_count = 0;
        split_touch(broker, slot);
    }
}

static void forget_suspects(struct broker *broker) {
    const struct pool *pieces = &broker->pools[THING_PIECE];
    for (uint32_t slot = pool_next_taken(pieces, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pieces, slot + 1)) {
        piece_at(broker, slot)->is_suspect = false;
    }
}

static void lift_limits(struct broker *broker) {
    const struct pool *lines = &broker->pools[THING_LINE];
    for (uint32_t slot = pool_next_taken(lines, 0); slot != BROKER_NONE;
         slot = pool_next_taken(lines, slot + 1)) {
        struct line *line = line_at(broker, slot);
        for (uint32_t i = 0; i < line->stations_count; i++) {
            line->stations[i].settings.wip_limit = 0;
        }
    }
}

static void forget_within(struct broker *broker) {
    const struct pool *splits = &broker->pools[THING_SPLIT];
    for (uint32_t slot = pool_next_taken(splits, 0); slot != BROKER_NONE;
         slot = pool_next_taken(splits, slot + 1)) {
        split_at(broker, slot)->within_ms = 0;
        split_touch(broker, slot);
    }
}

static void tamper_lines(struct sim *sim, struct broker *broker) {
    enum command_kind kind = sim->pending.kind;
    switch (sim->machine->fault) {
    case FAULT_KIT_EARLY:
        if (kind == COMMAND_COMPLETE) hurry_kits(broker);
        break;
    case FAULT_SUSPECT_FORGOTTEN:
        if (kind == COMMAND_SESSION_END) forget_suspects(broker);
        break;
    case FAULT_LIMIT_IGNORED:
        if (kind == COMMAND_LINE_PUT) lift_limits(broker);
        break;
    case FAULT_LATE_KIT_FORGOTTEN:
        if (kind == COMMAND_COMPLETE) forget_within(broker);
        break;
    default: break;
    }
}

static void tamper_applied(struct sim *sim, struct broker *broker, uint64_t lsn) {
    if (!sim->has_pending) return;
    tamper_lines(sim, broker);
    if (sim->pending.kind == COMMAND_CARRY) forget_carried(sim, broker, lsn);
    if (sim->pending.kind == COMMAND_RECEIVE) tamper_received(sim, broker);
    if (sim->machine->fault == FAULT_DELETE_UNCOUNTED && sim->pending.kind == COMMAND_DELETE) {
        struct queue *queue = queue_find(broker, sim->pending.handles.queue);
        if (queue != NULL && queue->counts.deleted > 0) queue->counts.deleted--;
    }
}

static bool is_skipped(const struct sim *sim, struct slice record) {
    if (!sim->is_replaying || record.count == 0) return false;
    enum fault fault = sim->machine->fault;
    uint8_t kind = (uint8_t)record.bytes[0];
    return (fault == FAULT_REPLAY_SKIPS_DELETE && kind == RECORD_DELETE) ||
           (fault == FAULT_REPLAY_SKIPS_ADVANCE && kind == RECORD_ADVANCE) ||
           (fault == FAULT_REPLAY_SKIPS_LEASE && kind == RECORD_LEASE);
}

int __wrap_broker_apply(struct broker *broker, uint64_t lsn, struct slice record,
                        const struct body_ref *refs, uint32_t refs_count) {
    struct sim *sim = sim_behind(broker);
    if (sim != NULL && is_skipped(sim, record)) return 0;
    int rc = __real_broker_apply(broker, lsn, record, refs, refs_count);
    if (sim == NULL || rc < 0 || sim->is_replaying) return rc;
    tamper_applied(sim, broker, lsn);
    sim_applied(sim, broker, lsn);
    return rc;
}

void __wrap_broker_replay_begin(struct broker *broker) {
    struct sim *sim = sim_behind(broker);
    if (sim != NULL) sim->is_replaying = true;
    __real_broker_replay_begin(broker);
}

int __wrap_broker_replay_end(struct broker *broker, char *text, size_t text_bytes) {
    int rc = __real_broker_replay_end(broker, text, text_bytes);
    struct sim *sim = sim_behind(broker);
    if (sim == NULL) return rc;
    sim->is_replaying = false;
    if (rc == 0) sim_replayed(sim, broker);
    return rc;
}

bool __wrap_broker_take_event(struct broker *broker, struct broker_event *out) {
    struct sim *sim = sim_behind(broker);
    while (__real_broker_take_event(broker, out)) {
        bool is_lost = sim != NULL && sim->machine->fault == FAULT_EVENT_LOST &&
                       out->kind != BROKER_EVENT_LINE && sim_below(sim, 4) == 0;
        if (!is_lost) return true;
    }
    return false;
}
