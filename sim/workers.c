/* SPDX-License-Identifier: Apache-2.0 */
/* workers.c -- orders, and the workers of a line's four stations (model_line.c draws it). */
#include "sim.h"

#include <stdio.h>

#define RUNNING_MAX 12u
#define MESSAGES_MAX 1200u
#define OUTPUTS_MAX 250u

static bool is_crowded(const struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    return totals.messages_count > MESSAGES_MAX || sim->model->line.items_count > 6000;
}

static void order(struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    if (totals.jobs_running >= RUNNING_MAX || is_crowded(sim)) return;
    if (sim->model->line.jobs_count + 8 > MODEL_JOBS_MAX) return;
    char once[2] = "";
    char key[2] = "";
    if (sim_below(sim, 3) == 0) once[0] = (char)('a' + sim_below(sim, 20));
    if (sim_below(sim, 3) == 0) key[0] = (char)('a' + sim_below(sim, 5));
    uint32_t station = sim_below(sim, 4) == 0 ? sim_below(sim, sim->line.stations_count) : 0;
    char body[40];
    (void)snprintf(body, sizeof body, "order %llu", (unsigned long long)sim->tokens++);
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = lines_ref(sim),
                                            .station = station,
                                            .body = slice_from_string(body),
                                            .key = slice_from_string(key),
                                            .once = slice_from_string(once),
                                            .request_hash = sim_below(sim, 8) == 0}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

static void redrive(struct sim *sim) {
    const struct line_station *station =
        &sim->line.stations[sim_below(sim, sim->line.stations_count)];
    struct command command = {
        .kind = COMMAND_REDRIVE,
        .redrive = {.queue = station->dead_queue, .messages_max = 1 + sim_below(sim, 5)}};
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
                              .session = {.line = lines_ref(sim), .station = station}};
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
                                          .station = request->message.slot};
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

/* One that has something in its hands, if there is. */
static struct sim_session *choose_victim(struct sim *sim, struct sim_session *otherwise) {
    const struct sim_task *task = &sim->tasks[sim_below(sim, SIM_TASKS_MAX)];
    for (uint32_t i = 0; i < SIM_TASKS_MAX && task->message.number == 0; i++) task = &sim->tasks[i];
    for (uint32_t i = 0; i < SIM_SESSIONS_MAX && task->message.number != 0; i++) {
        if (sim->sessions[i].ref.number == task->session.number) return &sim->sessions[i];
    }
    return otherwise;
}

static void end_session(struct sim *sim, struct sim_session *session) {
    struct command command = {.kind = COMMAND_SESSION_END,
                              .session = {.session = session->ref,
                                          .error = SLICE("killed"),
                                          .uncounted = sim_below(sim, 3) == 0}};
    const struct sim_task *task = &sim->tasks[sim_below(sim, SIM_TASKS_MAX)];
    if (sim_below(sim, 2) == 0) command.session.guilty = task->message;
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
    for (uint32_t i = 0; i < SIM_TASKS_MAX; i++) {
        /* Some of them answer after their death: they must be refused. */
        bool is_its = sim->tasks[i].session.number == session->ref.number;
        if (is_its && sim_below(sim, 4) == 0) sim->tasks[i].message.number = 0;
    }
    session->ref.number = 0;
    sim->machine->mishaps[MISHAP_WORKER_DIED]++;
}

/* ---- tasks ------------------------------------------------------------------------------------ */

static uint32_t choose_outputs_count(struct sim *sim) {
    if (is_crowded(sim)) return 0;
    if (sim->is_final) return sim_below(sim, 2);
    if (sim_below(sim, 25) == 0) return 101 + sim_below(sim, OUTPUTS_MAX - 101);
    return sim_below(sim, 4);
}

static void complete(struct sim *sim, const struct sim_task *task) {
    struct command_output outputs[OUTPUTS_MAX];
    char bodies[OUTPUTS_MAX][24];
    uint32_t count = choose_outputs_count(sim);
    uint32_t each_one_in = 1 + sim_below(sim, 4);
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(bodies[i], sizeof bodies[i], "part %llu", (unsigned long long)sim->tokens++);
        outputs[i] =
            (struct command_output){.station = lines_target(sim, task->station, sim->is_final),
                                    .each = sim_below(sim, each_one_in) == 0,
                                    .body = slice_from_string(bodies[i])};
    }
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = task->session,
                                           .message = task->message,
                                           .outputs = outputs,
                                           .outputs_count = count,
                                           .result = SLICE("all of it")}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

static void end_task(struct sim *sim, struct sim_task *task) {
    struct sim_task ended = *task;
    task->message.number = 0;
    uint32_t at = sim->is_final ? 0 : sim_below(sim, 60);
    if (at < 48) {
        complete(sim, &ended);
        return;
    }
    enum command_kind kind = at < 55 ? COMMAND_FAIL : at < 59 ? COMMAND_RETURN : COMMAND_REJECT;
    struct command command = {.kind = kind,
                              .attempt = {.session = ended.session,
                                          .message = ended.message,
                                          .error = SLICE("it did not work"),
                                          .is_final = sim_below(sim, 5) == 0}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

void workers_step(struct sim *sim) {
    if (!sim->has_line) return;
    if (lines_ref(sim).number == 0) {
        lines_put(sim);
        return;
    }
    uint32_t at = sim_below(sim, 100);
    uint32_t sessions_count = sim->line.stations_count + 4;
    struct sim_session *session = &sim->sessions[sim_below(sim, sessions_count)];
    struct sim_task *task = &sim->tasks[sim_below(sim, SIM_TASKS_MAX)];
    for (uint32_t i = 0; i < SIM_TASKS_MAX && task->message.number == 0; i++) task = &sim->tasks[i];
    if (at < 14) {
        order(sim);
    } else if (session->ref.number == 0) {
        open_session(sim, sim_below(sim, sim->line.stations_count));
    } else if (at < 19) {
        end_session(sim, choose_victim(sim, session));
    } else if (at < 21) {
        redrive(sim);
    } else if (at < 22) {
        if (sim_below(sim, 6) == 0) lines_change(sim);
    } else if (at < 50) {
        lease(sim, session);
    } else if (task->message.number != 0) {
        end_task(sim, task);
    }
}

void workers_forget(struct sim *sim) {
    memset(sim->sessions, 0, sizeof sim->sessions);
    for (uint32_t i = 0; i < SIM_TASKS_MAX; i++) { /* some answer the next takt */
        if (sim_below(sim, 2) == 0) sim->tasks[i].message.number = 0;
    }
}

static uint64_t jobs_running(const struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    return totals.jobs_running;
}

void workers_drain(struct sim *sim) {
    if (lines_ref(sim).number == 0) return;
    for (uint32_t i = 0; i < sim->line.stations_count; i++) open_session(sim, i);
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
