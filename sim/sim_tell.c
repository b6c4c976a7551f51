/* SPDX-License-Identifier: Apache-2.0 */
/* sim_tell.c -- a run in words, for whoever reads a failing seed. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>

#define NS_PER_MS 1000000.0

static const char *const kinds[COMMAND_KINDS_COUNT] = {
    [COMMAND_QUEUE_CREATE] = "create",
    [COMMAND_QUEUE_SET] = "set",
    [COMMAND_QUEUE_DELETE] = "delete queue",
    [COMMAND_QUEUE_PURGE] = "purge",
    [COMMAND_SEND] = "send",
    [COMMAND_RECEIVE] = "receive",
    [COMMAND_DELETE] = "delete",
    [COMMAND_VISIBILITY] = "change visibility",
    [COMMAND_GIVE_BACK] = "give back",
    [COMMAND_REDRIVE] = "redrive",
    [COMMAND_MOVE_START] = "start move",
    [COMMAND_MOVE_CANCEL] = "cancel move",
    [COMMAND_ADVANCE] = "advance",
    [COMMAND_LIFE_START] = "life start",
    [COMMAND_LINE_PUT] = "put line",
    [COMMAND_JOB_START] = "start job",
    [COMMAND_SESSION_OPEN] = "open session",
    [COMMAND_SESSION_END] = "end session",
    [COMMAND_LEASE] = "lease",
    [COMMAND_COMPLETE] = "complete",
    [COMMAND_FAIL] = "fail",
    [COMMAND_REJECT] = "reject",
    [COMMAND_RETURN] = "return",
    [COMMAND_ROLL_DEAL] = "deal",
    [COMMAND_CARRY] = "carry",
    [COMMAND_HOLD_RETENTION] = "hold retention",
};

void sim_tell(const struct sim *sim, const char *format, ...) {
    if (!sim->options.is_told) return;
    va_list arguments;
    va_start(arguments, format);
    (void)fprintf(stderr, "%6u %12.3f ms  ", sim->report->step,
                  (double)sim->machine->mono_ns / NS_PER_MS);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
}

static void write_subject(const struct command *command, char *out, size_t bytes) {
    struct slice queue = model_queue_name(command);
    switch (command->kind) {
    case COMMAND_SESSION_OPEN:
        (void)snprintf(out, bytes, "at station %u", command->session.station);
        break;
    case COMMAND_SESSION_END:
        (void)snprintf(out, bytes, "%llu", (unsigned long long)command->session.session.number);
        break;
    case COMMAND_LEASE:
        (void)snprintf(out, bytes, "into session %llu",
                       (unsigned long long)command->lease.session.number);
        break;
    case COMMAND_COMPLETE:
        (void)snprintf(out, bytes, "message %llu with %u outputs",
                       (unsigned long long)command->complete.message.number,
                       command->complete.outputs_count);
        break;
    case COMMAND_CARRY:
        (void)snprintf(out, bytes, "kind %u, %llu", command->carry.kind,
                       (unsigned long long)command->carry.thing.number);
        break;
    case COMMAND_FAIL:
    case COMMAND_REJECT:
    case COMMAND_RETURN:
        (void)snprintf(out, bytes, "message %llu",
                       (unsigned long long)command->attempt.message.number);
        break;
    default: (void)snprintf(out, bytes, "%.*s", SLICE_ARGS(queue)); break;
    }
}

void sim_tell_decision(const struct sim *sim, const struct command *command,
                       const struct broker_decision *decision) {
    if (!sim->options.is_told) return;
    char subject[96];
    write_subject(command, subject, sizeof subject);
    enum broker_result result = decision->answer.result;
    sim_tell(sim, "%s %s: %s%s", kinds[command->kind], subject,
             result == BROKER_OK ? "ok" : broker_result_words(result),
             decision->record.count > 0 ? ", a record" : "");
    for (uint32_t i = 0; command->kind == COMMAND_SEND && i < command->send.entries_count; i++) {
        sim_tell(sim, "  message %llu of %zu bytes",
                 (unsigned long long)decision->answer.send.messages[i].number,
                 command->send.entries[i].body.count);
    }
}
