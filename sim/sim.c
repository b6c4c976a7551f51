/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c -- lives, steps, and what must hold after each.
 *
 *   life    start (which the power may cut as well), steps, then a stop or a power cut
 *   end     nothing fails any more; takt starts; everything must drain; a stop gives back all
 *           memory; and the next start finds the state as it was
 */
#include "sim.h"

#include "journal/file/journal_file.h"

#include <errno.h>
#include <stdlib.h>

#define NS_PER_MS 1000000ll
#define TURNS_MAX 20000u
#define STARTS_MAX 40u

static void write_log(void *context, enum log_level level, struct slice text) {
    const struct sim *sim = context;
    sim_tell(sim, "log %d: %.*s", (int)level, (int)text.count, text.bytes);
}

/* ---- starting --------------------------------------------------------------------------------- */

static void on_failure(void *context, int result) {
    struct sim *sim = context;
    sim_tell(sim, "the journal has failed: %s", strerror(-result));
    sim->has_failed = true;
}

static int open_shard(struct sim *sim) {
    struct journal_file_options file = {.env = &sim->machine->env,
                                        .log = &sim->log,
                                        .path = "data",
                                        .segment_bytes = SIM_SEGMENT_BYTES,
                                        .bytes_max = sim->bytes_max,
                                        .bytes_kept_free = 4096};
    struct journal *house;
    int rc = journal_file_open(&file, &house);
    if (rc < 0) return rc;
    struct shard_options options = {
        .env = &sim->machine->env,
        .log = &sim->log,
        .journal = between_open(&sim->between, house),
        .broker = {.messages_max = 100000, .jobs_max = 10000, .queues_max = 100},
        .on_failure = on_failure,
        .context = sim,
    };
    rc = shard_open(&options, &sim->shard);
    if (rc < 0 || !sim->has_runtime) return rc;
    rc = sim_runtime_start(sim);
    if (rc == 0) return 0;
    shard_close(sim->shard);
    sim->shard = NULL;
    return rc;
}

/* A start may fail for what the outside does; then everything must have been given back. */
static bool start(struct sim *sim, bool is_lucky) {
    sim->shard = NULL;
    sim->has_failed = sim->has_pending = sim->is_replaying = false;
    sim->machine->luck = is_lucky ? (struct machine_luck){0} : sim->luck;
    sim->machine->is_starting = true;
    int rc = open_shard(sim);
    sim->machine->is_starting = false;
    sim_start_ended(sim, rc == 0);
    sim->machine->luck = sim->is_final ? (struct machine_luck){0} : sim->luck;
    if (rc == 0) {
        sim->report->lives++;
        sim->misreads = false;
        sim->machine->flips_left = 0;
        sim_tell(sim, "life %u from record %llu", sim->report->lives,
                 (unsigned long long)sim->between.replayed);
        return true;
    }
    sim_tell(sim, "no start: %s", strerror(-rc));
    if (weather_explains(sim, rc)) {
        (void)machine_after_stop(sim->machine);
        return false;
    }
    bool is_fate = rc == -EIO || rc == -ENOSPC || rc == -ENOMEM || rc == -EMFILE;
    if (is_lucky || !is_fate) report_fail(sim->report, "takt does not start: %s", strerror(-rc));
    uint64_t left = machine_after_stop(sim->machine);
    REPORT_EXPECT(sim->report, left == 0);
    return false;
}

/* ---- the loop --------------------------------------------------------------------------------- */

static void check_now(struct sim *sim) {
    if (sim->shard == NULL || sim->has_failed) return;
    const struct broker *broker = shard_broker(sim->shard);
    broker_check(broker);
    model_compare(sim->model, broker);
}

static bool is_durable(const struct sim *sim) {
    return sim->has_failed || sim->between.durable == sim->between.appended;
}

void sim_settle(struct sim *sim) {
    int64_t until_ns = sim->machine->mono_ns + 10000 * NS_PER_MS;
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        if (!machine_is_busy(sim->machine) && !machine_has_calls(sim->machine) && is_durable(sim)) {
            return;
        }
        if (!machine_turn(sim->machine, until_ns)) break;
    }
    if (sim->luck.room_bytes != 0) return; /* batches wait for a segment that cannot be made */
    report_fail(sim->report, "takt does not come to rest");
}

void sim_pass_ms(struct sim *sim, int64_t ms) {
    int64_t until_ns = sim->machine->mono_ns + ms * NS_PER_MS;
    for (uint32_t i = 0; machine_turn(sim->machine, until_ns); i++) {
        REPORT_EXPECT(sim->report, i < 200000);
    }
}

static void step_turns(struct sim *sim) {
    uint32_t count = 1 + sim_below(sim, 12);
    int64_t until_ns = sim->machine->mono_ns + (int64_t)sim_below(sim, 8) * NS_PER_MS;
    for (uint32_t i = 0; i < count; i++) (void)machine_turn(sim->machine, until_ns);
}

static void step_pass(struct sim *sim) {
    static const int64_t passes_ms[] = {5, 50, 1000, 4000, 25000, 90000};
    sim_pass_ms(sim, passes_ms[sim_below(sim, sim_below(sim, ARRAY_COUNT(passes_ms)) + 1)]);
}

static void step_idle(struct sim *sim) {
    sim_settle(sim);
    if (!sim->has_failed) lookers_step(sim);
    if (sim->luck.room_bytes == 0 && sim->luck.memory == 0) clients_check_idle(sim);
}

static void step_carry(struct sim *sim) {
    if (sim->between.durable > 2) {
        sim->between.want = 1 + dice_next(&sim->machine->dice) % sim->between.durable;
    }
}

static void one_step(struct sim *sim) {
    uint32_t at = sim_below(sim, 100);
    if (at < 55) {
        if (!sim->has_line || sim_below(sim, 3) == 0) {
            clients_step(sim);
        } else if (sim->has_runtime) {
            sim_runtime_step(sim);
        } else {
            workers_step(sim);
        }
    } else if (at < 85) {
        step_turns(sim);
    } else if (at < 91) {
        step_pass(sim);
    } else if (at < 94) {
        step_idle(sim);
    } else if (at < 97) {
        step_carry(sim);
    } else {
        weather_step(sim);
    }
}

/* ---- lives ------------------------------------------------------------------------------------ */

static void stop(struct sim *sim) {
    sim_tell(sim, "stop");
    sim->machine->luck.sync = sim->machine->luck.write = 0;
    sim_runtime_stop(sim);
    sim->has_pending = false;
    shard_close(sim->shard);
    sim->shard = NULL;
    uint64_t left = machine_after_stop(sim->machine);
    if (left != 0) {
        report_fail(sim->report, "%llu bytes are not given back", (unsigned long long)left);
    }
    clients_forget(sim);
    workers_forget(sim);
    weather_heal(sim);
    weather_check_data(sim);
}

static void power_cut(struct sim *sim) {
    enum disk_mercy mercy = (enum disk_mercy)sim_below(sim, DISK_MERCIES);
    sim_tell(sim, "the power goes%s; the disk's mercy: %d",
             sim->machine->is_starting ? " while starting" : "", (int)mercy);
    machine_after_crash(sim->machine, mercy);
    sim_start_ended(sim, false);
    sim_runtime_forget(sim);
    sim->machine->is_starting = false;
    sim->shard = NULL;
    clients_forget(sim);
    workers_forget(sim);
    weather_heal(sim);
    weather_check_data(sim);
}

/* Until the power goes, by a long jump, or takt stops. */
static void live(struct sim *sim, uint32_t steps_max) {
    uint32_t starts = 0;
    weather_before_start(sim);
    if (sim_below(sim, 3) == 0) sim->machine->crash_in = 1 + sim_below(sim, 60);
    while (!start(sim, starts >= 2)) {
        starts++;
        REPORT_EXPECT(sim->report, starts < STARTS_MAX);
    }
    sim->machine->crash_in = 0;
    while (sim->report->step < steps_max) {
        sim->report->step++;
        if (dice_one_in(&sim->machine->dice, sim->crash_one_in)) {
            sim->machine->crash_in = 1 + sim_below(sim, 30);
        }
        one_step(sim);
        check_now(sim);
        if (sim->has_failed || sim_below(sim, 150) == 0) break;
    }
    if (sim->report->step >= steps_max || sim_below(sim, 2) == 0) {
        if (sim_below(sim, 2) == 0) longjmp(sim->machine->crash, 1);
        stop(sim);
    } else {
        longjmp(sim->machine->crash, 1);
    }
}

static void one_life(struct sim *sim, uint32_t steps_max) {
    if (setjmp(sim->machine->crash) == 0) {
        live(sim, steps_max);
    } else {
        power_cut(sim);
    }
}

static void last_life(struct sim *sim) {
    sim->is_final = true;
    sim->luck = (struct machine_luck){0};
    sim->machine->crash_in = 0;
    (void)start(sim, true);
    sim_settle(sim);
    clients_check_idle(sim);
    check_now(sim);
    clients_drain(sim);
    if (sim->has_runtime) {
        sim_runtime_drain(sim);
    } else {
        workers_drain(sim);
    }
    check_now(sim);
    stop(sim);
    (void)start(sim, true);
    check_now(sim);
    stop(sim);
}

/* What this seed is about: not everything happens in each run. */
static void choose_fate(struct sim *sim) {
    struct dice *dice = &sim->machine->dice;
    sim->kinds = dice_next(dice);
    sim->crash_one_in = dice_below(dice, 4) == 0 ? 0 : 10 + dice_below(dice, 80);
    sim->has_line = dice_below(dice, 2) == 0;
    sim->has_runtime = sim->has_line && dice_below(dice, 2) == 0;
    if (sim->has_runtime) {
        sim_runtime_choose(sim);
    } else if (sim->has_line) {
        lines_choose(sim);
    }
    sim->big_one_in = dice_below(dice, 3) == 0 ? 2 : 12;
    sim->big_bytes_max = dice_below(dice, 3) == 0 ? 250000 : 60000;
    sim->has_small_disk = dice_below(dice, 3) == 0;
    if (dice_below(dice, 3) == 0) sim->bytes_max = (4ull + dice_below(dice, 3)) * SIM_SEGMENT_BYTES;
    if (dice_below(dice, 4) == 0) sim->rot_one_in = 1 + dice_below(dice, 3);
    if (dice_below(dice, 4) == 0) sim->misread_one_in = 1 + dice_below(dice, 3);
    if (dice_below(dice, 4) == 0) sim->luck.write = 100 + dice_below(dice, 300);
    if (dice_below(dice, 4) == 0) sim->luck.sync = 100 + dice_below(dice, 300);
    if (dice_below(dice, 6) == 0) sim->luck.read = 40 + dice_below(dice, 100);
    if (dice_below(dice, 6) == 0) sim->luck.flip = 4 + dice_below(dice, 20);
    if (dice_below(dice, 6) == 0) sim->luck.memory = 50 + dice_below(dice, 400);
    if (dice_below(dice, 3) == 0) sim->luck.slow = 5 + dice_below(dice, 20);
    if (dice_below(dice, 5) == 0) sim->luck.call = 20 + dice_below(dice, 200);
    if (dice_below(dice, 6) == 0) sim->luck.files = 4 + dice_below(dice, 20);
}

void sim_run(const struct sim_options *options, struct report *report) {
    *report = (struct report){.seed = options->seed};
    struct sim *sim = calloc(1, sizeof *sim);
    REPORT_EXPECT(report, sim != NULL);
    sim->options = *options;
    sim->report = report;
    sim->machine = machine_open(options->seed, options->fault);
    sim->model = model_open(report);
    REPORT_EXPECT(report, sim->machine != NULL && sim->model != NULL);
    sim->machine->owner = sim;
    between_init(&sim->between, sim->machine, report);
    processes_init(&sim->processes, sim->machine, report);
    sim->log = (struct log){write_log, sim, LOG_DEBUG};

    choose_fate(sim);
    uint32_t steps_max = 100 + dice_below(&sim->machine->dice, 300);
    if (options->steps_max != 0 && options->steps_max < steps_max) steps_max = options->steps_max;
    while (report->step < steps_max) one_life(sim, steps_max);
    last_life(sim);

    report->jobs = sim->model->line.jobs_count;
    report->ns = sim->machine->mono_ns;
    machine_mix(sim->machine, disk_hash(sim->machine->disk));
    report->trace = sim->machine->trace;
    memcpy(report->mishaps, sim->machine->mishaps, sizeof report->mishaps);
    report->has_ended = true;
    sim_runtime_close(sim);
    processes_forget(&sim->processes);
    model_close(sim->model);
    machine_close(sim->machine);
    free(sim);
}
