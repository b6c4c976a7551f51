/* SPDX-License-Identifier: Apache-2.0 */
/* sim_runtime.c -- takt's own runtime of lines on the simulated machine: the line comes from a file, its
 * workers are simulated processes. Orders come from clients, as at the gateway.
 */
#include "sim.h"

#include "base/buffer.h"
#include "broker/message_body.h"

#include <errno.h>
#include <stdio.h>

#define NS_PER_MS 1000000ll
#define STATIONS 6u /* of write_line */
#define RUNNING_MAX 10u
#define LINE_BYTES 2048u
#define STOP_ROUNDS_MAX 3000u

/* ---- the file --------------------------------------------------------------------------------- */

static const char *variable(void *context, const char *name) {
    (void)context;
    return strcmp(name, "PATH") == 0 ? "/bin" : NULL;
}

static const char *pick(struct sim *sim, const char *const *words, uint32_t count) {
    return words[sim_below(sim, count)];
}

/* A split with two ways to its join, another one inside, and a way back. */
static void write_line(struct sim *sim, char *out, size_t bytes) {
    static const char *const handlers[] = {"stream: ./work", "exec: ./work"};
    static const char *const missing[] = {"fail", "partial", "dead"};
    static const char *const limits[] = {"", ", wip_limit: 4"};
    static const char *const hands[] = {"", ", workers: 2", ", workers: 0..1", ", workers: 1..3"};
    const char *h[STATIONS];
    const char *w[STATIONS];
    for (uint32_t i = 0; i < STATIONS; i++) {
        h[i] = pick(sim, handlers, ARRAY_COUNT(handlers));
        w[i] = pick(sim, hands, ARRAY_COUNT(hands));
    }
    int count = snprintf(
        out, bytes,
        "line: line\n"
        "gateway: { POST /orders: s0 }\n"
        "defaults: { retry: { attempts: %u, backoff: 200ms..2s }, timeout: 5s }\n"
        "stations:\n"
        "  s0: { %s%s, next: [{ to: s1, each: .items }, { to: s3, when: .again }] }\n"
        "  s1: { %s%s%s, next: [{ to: s2, each: .items }] }\n"
        "  s2: { stream: ./work, concurrency: %u%s, next: s5 }\n"
        "  s3: { %s%s, next: { first: [{ to: s3, when: .again }, { else: s4 }] } }\n"
        "  s4: { join: s0, within: %s, missing: %s, %s%s }\n"
        "  s5: { join: s1, within: %s, missing: %s, next: s4 }\n"
        "result: s4\n"
        "keep: { jobs: 2d }\n",
        1 + sim_below(sim, 4), h[0], w[0], h[1], w[1], pick(sim, limits, 2), 1 + sim_below(sim, 3),
        w[2], h[3], w[3], sim_below(sim, 3) == 0 ? "10s" : "1d", pick(sim, missing, 3), h[4], w[4],
        sim_below(sim, 3) == 0 ? "10s" : "1d", pick(sim, missing, 3));
    REPORT_EXPECT(sim->report, count > 0 && (size_t)count < bytes);
}

void sim_runtime_choose(struct sim *sim) {
    struct sim_runtime *floor = &sim->floor;
    char text[LINE_BYTES];
    write_line(sim, text, sizeof text);
    floor->allocator = allocator_system();
    struct definition_source source = {
        .path = "line.yaml", .folder = "/line", .bytes = slice_from_string(text)};
    struct definition_options options = {.allocator = &floor->allocator, .variable = variable};
    if (definition_read(&source, 1, &options, &floor->files) == 0) return;
    struct buffer errors;
    buffer_open(&errors, &floor->allocator, 65536);
    definition_print_errors(&floor->files, &errors);
    report_fail(sim->report, "%.*s", SLICE_ARGS(buffer_slice(&errors)));
}

void sim_runtime_close(struct sim *sim) {
    if (sim->has_runtime) definition_close(&sim->floor.files);
}

/* ---- lives ------------------------------------------------------------------------------------ */

static void be_ready(void *context, enum broker_result result, const char *words) {
    struct sim *sim = context;
    sim_tell(sim, "the line is in force: %s", result == BROKER_OK ? "ok" : words);
    sim->floor.is_ready = result == BROKER_OK;
}

int sim_runtime_start(struct sim *sim) {
    struct runtime_options options = {.shard = sim->shard,
                                      .files = &sim->floor.files,
                                      .mark = "simulated",
                                      .scratch = "/scratch",
                                      .processes = &sim->processes.table,
                                      .on_ready = be_ready,
                                      .context = sim};
    sim->floor.is_ready = false;
    return runtime_open(&options, &sim->floor.runtime);
}

static void be_stopped(void *context) {
    ((struct sim *)context)->floor.is_stopped = true;
}

/* Workers get a moment to end; then they are killed. */
void sim_runtime_stop(struct sim *sim) {
    struct sim_runtime *floor = &sim->floor;
    if (floor->runtime == NULL) return;
    floor->is_stopped = sim->has_failed;
    sim->processes.is_stopping = true;
    if (!sim->has_failed) runtime_stop(floor->runtime, sim_below(sim, 3) * 1000, be_stopped, sim);
    for (uint32_t i = 0; !floor->is_stopped && !sim->has_failed; i++) {
        REPORT_EXPECT(sim->report, i < STOP_ROUNDS_MAX);
        processes_run(&sim->processes);
        sim_pass_ms(sim, 20);
    }
    runtime_close(floor->runtime);
    floor->runtime = NULL;
    for (uint32_t i = 0; sim->processes.count > 0; i++) {
        REPORT_EXPECT(sim->report, i < STOP_ROUNDS_MAX);
        processes_run(&sim->processes);
        sim_pass_ms(sim, 20);
    }
    sim_pass_ms(sim, 20);
    sim->processes.is_stopping = false;
}

void sim_runtime_forget(struct sim *sim) {
    processes_forget(&sim->processes);
    sim->processes.is_stopping = false;
    sim->floor.runtime = NULL;
}

/* ---- steps ------------------------------------------------------------------------------------ */

static void order(struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    const struct model_line *line = &sim->model->line;
    bool is_full = line->jobs_count + 8 > MODEL_JOBS_MAX || line->items_count > 6000;
    if (totals.jobs_running >= RUNNING_MAX || is_full || !sim->floor.is_ready) return;
    struct line_view view;
    if (!broker_line_at(shard_broker(sim->shard), 0, &view)) return;
    char text[64];
    char bytes[128];
    (void)snprintf(text, sizeof text, "{\"items\":[1,2],\"again\":false,\"token\":%llu}",
                   (unsigned long long)sim->tokens++);
    struct allocator allocator = allocator_system();
    struct buffer body;
    buffer_open(&body, &allocator, sizeof bytes);
    message_body_encode(&body, &(struct message_body){.text = slice_from_string(text)});
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = view.ref, .body = buffer_slice(&body)}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
    buffer_close(&body);
}

static void redrive(struct sim *sim) {
    static const char *const names[] = {"line_s0_dead", "line_s1_dead", "line_s2_dead",
                                        "line_s3_dead", "line_s4_dead", "line_s5_dead"};
    const char *name = names[sim_below(sim, ARRAY_COUNT(names))];
    struct command command = {
        .kind = COMMAND_REDRIVE,
        .redrive = {.queue = slice_from_string(name), .messages_max = 1 + sim_below(sim, 5)}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

/* By hand: none, some, or as the file says. */
static void scale(struct sim *sim, uint32_t station, int32_t count) {
    struct line_view line;
    struct runtime_station_view view;
    if (!sim->floor.is_ready || !broker_line_at(shard_broker(sim->shard), 0, &line)) return;
    int rc = runtime_scale(sim->floor.runtime, line.ref, station, count);
    REPORT_EXPECT(sim->report, rc == 0 || rc == -EINVAL); /* without a handler */
    REPORT_EXPECT(sim->report, runtime_get_station(sim->floor.runtime, line.ref, station, &view));
    bool is_stopped = view.condition == STATION_STOPPED;
    REPORT_EXPECT(sim->report, rc < 0 || view.scale == count);
    REPORT_EXPECT(sim->report, rc < 0 || count != 0 || is_stopped);
}

void sim_runtime_step(struct sim *sim) {
    uint32_t at = sim_below(sim, 20);
    if (at < 4) {
        order(sim);
    } else if (at < 5) {
        redrive(sim);
    } else if (at < 6) {
        scale(sim, sim_below(sim, STATIONS), (int32_t)sim_below(sim, 4) - 1);
    } else {
        uint32_t count = 1 + sim_below(sim, 6);
        for (uint32_t i = 0; i < count; i++) (void)processes_step(&sim->processes);
    }
}

static uint64_t jobs_running(const struct sim *sim) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(sim->shard), &totals);
    return totals.jobs_running;
}

void sim_runtime_drain(struct sim *sim) {
    sim->processes.is_calm = true;
    for (uint32_t i = 0; i < STATIONS; i++) scale(sim, i, -1);
    for (uint32_t round = 0; round < 3000 && (jobs_running(sim) > 0 || round < 2); round++) {
        processes_run(&sim->processes);
        sim_pass_ms(sim, round % 8 == 7 ? 2000 : 20);
    }
    if (jobs_running(sim) == 0) return;
    report_fail(sim->report, "%llu jobs never end", (unsigned long long)jobs_running(sim));
}
