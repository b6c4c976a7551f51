/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c -- orders, and the workers of a line's four stations (model_line.c draws it). */
#include "sim.h"

#include <stdio.h>

#define JOIN 3u
#define RUNNING_MAX 12u
#define LINE SLICE("line")

static struct broker_ref line_of(const struct sim *sim) {
    struct line_view view;
    bool is_there = broker_find_line(shard_broker(sim->shard), LINE, &view);
    return is_there ? view.ref : (struct broker_ref){0};
}

static void put_line(struct sim *sim) {
    static const char *const names[MODEL_STATIONS][3] = {{"s0", "line_s0", "line_s0_dead"},
                                                         {"s1", "line_s1", "line_s1_dead"},
                                                         {"s2", "line_s2", "line_s2_dead"},
                                                         {"s3", "line_s3", "line_s3_dead"}};
    struct line_station stations[MODEL_STATIONS];
    for (uint32_t i = 0; i < MODEL_STATIONS; i++) {
        stations[i] = (struct line_station){.name = slice_from_string(names[i][0]),
                                            .queue = slice_from_string(names[i][1]),
                                            .dead_queue = slice_from_string(names[i][2]),
                                            .retention_ms = 14 * 86400000ll,
                                            .within_ms = 14 * 86400000ll,
                                            .backoff_ms_min = 500,
                                            .backoff_ms_max = 4000,
                                            .attempts_max = sim->attempts_max,
                                            .join_opener = i == JOIN ? 0 : -1,
                                            .missing = sim->missing,
                                            .reach = i == JOIN ? 0 : 1u << JOIN,
                                            .is_result = i == JOIN};
    }
    stations[1].wip_limit = sim->wip_limit;
    stations[0].gates = sim->wip_limit > 0 ? 1u << 1 : 0;
    struct command command = {.kind = COMMAND_LINE_PUT,
                              .line_put = {.name = LINE,
                                           .file = SLICE("stations: of a simulated line"),
                                           .stations = stations,
                                           .stations_count = MODEL_STATIONS,
                                           .keep_jobs_ms = 14 * 86400000ll}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

static void order(struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    if (totals.jobs_running >= RUNNING_MAX || totals.messages_count > 1500) return;
    char once[2] = "";
    if (sim_below(sim, 3) == 0) once[0] = (char)('a' + sim_below(sim, 20));
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = line_of(sim),
                                            .station = 0,
                                            .body = SLICE("an order"),
                                            .once = slice_from_string(once),
                                            .request_hash = sim_below(sim, 8) == 0}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

/* ---- sessions --------------------------------------------------------------------------------- */

static void opened(struct sim *sim, const struct sim_request *request,
                   const struct broker_answer *answer) {
    if (answer->result != BROKER_OK) return;
    for (uint32_t i = 0; i < SIM_SESSIONS_MAX; i++) {
        if (sim->sessions[i].ref.number != 0) continue;
        sim->sessions[i] = (struct sim_session){.ref = answer->session.session,
                                                .station = (uint32_t)request->message.slot};
        return;
    }
}

static void open_session(struct sim *sim, uint32_t station) {
    struct command command = {.kind = COMMAND_SESSION_OPEN,
                              .session = {.line = line_of(sim), .station = station}};
    clients_submit(
        sim, &command,
        &(struct sim_request){.queue = MODEL_QUEUES, .then = opened, .message = {.slot = station}});
}

static void leased(struct sim *sim, const struct sim_request *request,
                   const struct broker_answer *answer) {
    if (answer->result != BROKER_OK) return;
    for (uint32_t k = 0; k < answer->lease.count; k++) {
        const struct answer_lease *lease = &answer->lease.leases[k];
        uint32_t i = 0;
        while (i < SIM_TASKS_MAX && sim->tasks[i].message.number != 0) i++;
        REPORT_EXPECT(sim->report, i < SIM_TASKS_MAX);
        sim->tasks[i] = (struct sim_task){.message = lease->message,
                                          .session = request->session,
                                          .station = request->message.slot,
                                          .is_kit = lease->is_kit};
    }
}

static uint32_t tasks_count(const struct sim *sim) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < SIM_TASKS_MAX; i++) count += sim->tasks[i].message.number != 0;
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++) { /* what is still to be answered */
        count += sim->requests[i].is_used && sim->requests[i].kind == COMMAND_LEASE ? 3 : 0;
    }
    return count;
}

static void lease(struct sim *sim, const struct sim_session *session) {
    if (tasks_count(sim) + 3 > SIM_TASKS_MAX) return;
    struct command command = {
        .kind = COMMAND_LEASE,
        .lease = {.session = session->ref, .messages_max = 1 + sim_below(sim, 3)}};
    clients_submit(sim, &command,
                   &(struct sim_request){.queue = MODEL_QUEUES,
                                         .then = leased,
                                         .session = session->ref,
                                         .message = {.slot = session->station}});
}

static void end_session(struct sim *sim, struct sim_session *session) {
    struct command command = {
        .kind = COMMAND_SESSION_END,
        .session = {.session = session->ref, .error = SLICE("killed"), .uncounted = true}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
    for (uint32_t i = 0; i < SIM_TASKS_MAX; i++) {
        /* Some of them answer after their death: they must be refused. */
        bool is_its = sim->tasks[i].session.number == session->ref.number;
        if (is_its && sim_below(sim, 4) != 0) sim->tasks[i].message.number = 0;
    }
    session->ref.number = 0;
    sim->machine->mishaps[MISHAP_WORKER_DIED]++;
}

/* ---- tasks ------------------------------------------------------------------------------------ */

static uint32_t choose_outputs(struct sim *sim, const struct sim_task *task) {
    if (task->station == JOIN) return 0;
    if (task->station != 0) return 1;
    return sim_below(sim, 12) == 0 ? 101 + sim_below(sim, 60) : sim_below(sim, 5);
}

static void complete(struct sim *sim, const struct sim_task *task) {
    struct command_output outputs[160];
    uint32_t count = choose_outputs(sim, task);
    for (uint32_t i = 0; i < count; i++) {
        outputs[i] = (struct command_output){
            .station = task->station == 0 ? 1 + i % 2 : JOIN, .each = true, .body = SLICE("part")};
    }
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = task->session,
                                           .message = task->message,
                                           .outputs = outputs,
                                           .outputs_count = count}};
    if (task->station == JOIN) command.complete.result = SLICE("all of it");
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

static void end_task(struct sim *sim, struct sim_task *task) {
    struct sim_task ended = *task;
    task->message.number = 0;
    uint32_t at = sim->is_final ? 0 : sim_below(sim, 40);
    if (at < 28) {
        complete(sim, &ended);
        return;
    }
    enum command_kind kind = at < 35 ? COMMAND_FAIL : at < 39 ? COMMAND_RETURN : COMMAND_REJECT;
    struct command command = {.kind = kind,
                              .attempt = {.session = ended.session,
                                          .message = ended.message,
                                          .error = SLICE("it did not work"),
                                          .is_final = sim_below(sim, 5) == 0}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

void workers_step(struct sim *sim) {
    if (!sim->has_line) return;
    if (line_of(sim).number == 0) {
        put_line(sim);
        return;
    }
    uint32_t at = sim_below(sim, 100);
    struct sim_session *session = &sim->sessions[sim_below(sim, SIM_SESSIONS_MAX)];
    struct sim_task *task = &sim->tasks[sim_below(sim, SIM_TASKS_MAX)];
    for (uint32_t i = 0; i < SIM_TASKS_MAX && task->message.number == 0; i++) task = &sim->tasks[i];
    if (at < 12) {
        order(sim);
    } else if (session->ref.number == 0) {
        open_session(sim, sim_below(sim, MODEL_STATIONS));
    } else if (at < 16) {
        end_session(sim, session);
    } else if (at < 55) {
        lease(sim, session);
    } else if (task->message.number != 0) {
        end_task(sim, task);
    }
}

void workers_forget(struct sim *sim) {
    memset(sim->sessions, 0, sizeof sim->sessions);
    memset(sim->tasks, 0, sizeof sim->tasks);
}

static uint64_t jobs_running(const struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    return totals.jobs_running;
}

void workers_drain(struct sim *sim) {
    if (line_of(sim).number == 0) return;
    for (uint32_t i = 0; i < MODEL_STATIONS; i++) open_session(sim, i);
    for (uint32_t round = 0; round < 4000 && jobs_running(sim) > 0; round++) {
        sim_settle(sim);
        for (uint32_t i = 0; i < SIM_SESSIONS_MAX; i++) {
            if (sim->sessions[i].ref.number != 0) lease(sim, &sim->sessions[i]);
        }
        sim_settle(sim);
        for (uint32_t i = 0; i < SIM_TASKS_MAX; i++) {
            if (sim->tasks[i].message.number != 0) end_task(sim, &sim->tasks[i]);
        }
        if (round % 16 == 15) sim_pass_ms(sim, 5000);
    }
    sim_settle(sim);
    if (jobs_running(sim) == 0) return;
    report_fail(sim->report, "%llu jobs never end", (unsigned long long)jobs_running(sim));
}
