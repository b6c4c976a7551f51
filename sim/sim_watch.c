/* SPDX-License-Identifier: Apache-2.0 */
/* sim_watch.c -- what is concluded from each decision and each record. */
#include "sim.h"

#include "base/hash.h"
#include "broker/broker_state.h"

#include <stdlib.h>

static uint64_t digest_of(const struct broker *broker) {
    uint8_t digest[16];
    uint64_t out;
    broker_digest(broker, digest);
    memcpy(&out, digest, sizeof out);
    return out;
}

static void note_given(struct sim *sim, uint64_t lsn) {
    const struct broker_answer *answer = &sim->pending_answer;
    for (uint32_t i = 0; i < answer->receive.count; i++) {
        REPORT_EXPECT(sim->report, sim->given_count < SIM_GIVEN_MAX);
        sim->given[sim->given_count++] =
            (struct sim_given){.number = answer->receive.messages[i].message.number,
                               .nonce = answer->receive.messages[i].nonce,
                               .lsn = lsn};
    }
}

static void note(struct sim *sim, const struct broker *broker, uint64_t lsn) {
    struct model_note note = {.command = &sim->pending,
                              .now_ms = sim->pending_now_ms,
                              .next_number = sim->pending_next_number,
                              .answer = &sim->pending_answer,
                              .lsn = lsn,
                              .broker = broker,
                              .may_be_damaged = sim->is_rotten || sim->luck.flip != 0};
    model_note(sim->model, &note);
}

void sim_decided(struct sim *sim, const struct broker *broker, const struct command *command,
                 const struct broker_given *given, const struct broker_decision *decision) {
    sim->pending = *command;
    sim->pending_now_ms = given->now.ms;
    sim->pending_answer = decision->answer;
    const struct root *root = pool_find(&broker->pools[THING_ROOT], 0);
    sim->pending_next_number = root == NULL ? 0 : root->next_number;
    sim->has_pending = decision->record.count > 0;
    sim_tell_decision(sim, command, decision);
    if (!sim->has_pending) note(sim, broker, 0);
    struct sim_capture *capture = &sim->capture;
    if (!capture->is_wanted) return;
    capture->is_wanted = false;
    capture->is_made = true;
    capture->is_written = sim->has_pending;
    capture->answer = decision->answer;
    capture->rest = sim->between.appended + (sim->has_pending ? 1 : 0);
}

void sim_applied(struct sim *sim, const struct broker *broker, uint64_t lsn) {
    REPORT_EXPECT(sim->report, sim->has_pending);
    sim->has_pending = false;
    note(sim, broker, lsn);
    if (sim->pending.kind == COMMAND_RECEIVE) note_given(sim, lsn);
    sim->digests[lsn] = digest_of(broker);
    machine_mix(sim->machine, sim->digests[lsn]);
    sim->report->records++;
}

/* The start goes on without the newest of what was answered: a bit of it has turned over. If it does
 * not come to its end, the next one may find everything. */
static void keep_what_is_lost(struct sim *sim) {
    sim->lost.model = malloc(sizeof *sim->model);
    REPORT_EXPECT(sim->report, sim->lost.model != NULL);
    memcpy(sim->lost.model, sim->model, sizeof *sim->model);
    sim->lost.given_count = sim->given_count;
    sim->lost.lsn_answered = sim->lsn_answered;
}

void sim_start_ended(struct sim *sim, bool is_well) {
    if (is_well) model_settle_to(sim->model, sim->between.started);
    if (sim->lost.model == NULL) return;
    if (!is_well) {
        memcpy(sim->model, sim->lost.model, sizeof *sim->model);
        sim->given_count = sim->lost.given_count;
        sim->lsn_answered = sim->lost.lsn_answered;
    }
    free(sim->lost.model);
    sim->lost.model = NULL;
}

void sim_replayed(struct sim *sim, const struct broker *broker) {
    uint64_t lsn = sim->between.replayed;
    if (lsn < weather_least_lsn(sim)) {
        report_fail(sim->report, "record %llu was answered, and the newest that is left is %llu",
                    (unsigned long long)sim->lsn_answered, (unsigned long long)lsn);
    }
    if (lsn < sim->lsn_answered) keep_what_is_lost(sim);
    if (lsn > 0 && digest_of(broker) != sim->digests[lsn]) {
        report_fail(sim->report, "the state after recovery is not the one of record %llu",
                    (unsigned long long)lsn);
    }
    model_rewind(sim->model, lsn);
    while (sim->given_count > 0 && sim->given[sim->given_count - 1].lsn > lsn) sim->given_count--;
    model_compare(sim->model, broker);
    broker_check(broker);
    sim->lsn_answered = lsn;
}
