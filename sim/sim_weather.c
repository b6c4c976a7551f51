/* SPDX-License-Identifier: Apache-2.0 */
/* sim_weather.c -- what the outside does by itself: clocks jump, the disk fills up and has room again,
 * bits turn over.
 *
 * A bit that has turned over is promised nothing about but this: takt says so and does not start, or
 * nothing is lost that a later batch vouches for, and a body is whole or an error. The newest batch
 * is vouched for by none: damage there looks like the unsynced tail that a crash leaves.
 */
#include "sim.h"

#include "journal/file/journal_file.h"
#include "journal/file/journal_repair.h"

#include <errno.h>

#define NS_PER_MS 1000000ll
#define HOUR_MS 3600000ll

/* ---- clocks ----------------------------------------------------------------------------------- */

static void jump_wall(struct sim *sim) {
    int64_t jump_ms = 1 + (int64_t)sim_below(sim, (uint32_t)HOUR_MS);
    if (sim_below(sim, 4) == 0) jump_ms *= 40;
    bool is_back = sim_below(sim, 2) == 0;
    sim->machine->wall_lead_ns += (is_back ? -jump_ms : jump_ms) * NS_PER_MS;
    sim->machine->mishaps[is_back ? MISHAP_CLOCK_BACK : MISHAP_CLOCK_FORWARD]++;
}

/* The machine is suspended for a while: all that was due is due at once. */
static void sleep_long(struct sim *sim) {
    machine_jump_ns(sim->machine, (int64_t)(1 + sim_below(sim, 72)) * HOUR_MS * NS_PER_MS);
    sim->machine->mishaps[MISHAP_SLEPT]++;
}

/* ---- room ------------------------------------------------------------------------------------- */

static bool is_tight(const struct sim *sim) {
    return sim->luck.room_bytes != 0;
}

static void set_room(struct sim *sim, uint64_t room_bytes) {
    sim->luck.room_bytes = sim->machine->luck.room_bytes = room_bytes;
}

/* Somebody else takes what was free, but for less than four segments. */
static void fill_disk(struct sim *sim) {
    uint64_t left = sim_below(sim, 4 * SIM_SEGMENT_BYTES);
    set_room(sim, disk_bytes_used(sim->machine->disk) + left + 1);
    sim->machine->mishaps[MISHAP_DISK_FILLED]++;
    sim_tell(sim, "the disk has room for %llu more bytes", (unsigned long long)left);
}

/* It goes on by itself: whatever comes a second later is not refused for lack of room. */
static void free_disk(struct sim *sim) {
    set_room(sim, 0);
    sim->machine->mishaps[MISHAP_DISK_FREED]++;
    sim_tell(sim, "the disk has room again");
    sim_pass_ms(sim, 1000);
    if (sim->has_failed) return;
    sim_settle(sim);
    const struct machine_luck *luck = &sim->luck;
    bool is_calm = luck->write == 0 && luck->call == 0 && luck->files == 0 && luck->memory == 0;
    if (is_calm && luck->sync == 0 && sim->bytes_max == 0) clients_expect_room(sim);
}

void weather_step(struct sim *sim) {
    uint32_t at = sim_below(sim, 8);
    if (at < 3) {
        if ((sim->kinds >> 40 & 1) != 0) jump_wall(sim);
    } else if (at < 4) {
        if ((sim->kinds >> 41 & 1) != 0) sleep_long(sim);
    } else if (sim->has_small_disk) {
        if (is_tight(sim)) {
            free_disk(sim);
        } else {
            fill_disk(sim);
        }
    }
}

/* ---- bits that turn over ---------------------------------------------------------------------- */

void weather_heal(struct sim *sim) {
    disk_heal(sim->machine->disk);
    sim->is_rotten = sim->misreads = false;
    sim->machine->flips_left = 0;
}

void weather_before_start(struct sim *sim) {
    struct machine *machine = sim->machine;
    weather_heal(sim);
    if (sim->is_final) return;
    if (dice_one_in(&machine->dice, sim->rot_one_in)) {
        sim->is_rotten = disk_rot(machine->disk, &machine->dice);
        machine->mishaps[MISHAP_BIT_ROTTEN] += sim->is_rotten;
        if (sim->is_rotten) sim_tell(sim, "a bit rots");
    } else if (dice_one_in(&machine->dice, sim->misread_one_in)) {
        machine->flips_left = 1;
        sim->misreads = true;
    }
}

static bool has_misread(const struct sim *sim) {
    return sim->misreads && sim->machine->flips_left == 0;
}

uint64_t weather_least_lsn(const struct sim *sim) {
    uint64_t least = sim->lsn_answered;
    uint64_t vouched = between_vouched(&sim->between);
    if ((sim->is_rotten || has_misread(sim)) && vouched < least) least = vouched;
    return least;
}

static int count_record(void *context, const struct journal_record *record) {
    uint64_t *newest = context;
    CHECK(*newest == 0 || record->lsn == *newest + 1);
    *newest = record->lsn;
    return 0;
}

static void on_durable(void *context, uint64_t lsn, int result) {
    (void)context;
    (void)lsn;
    (void)result;
}

/* A start on a copy of the folder; it is then stopped. */
static int start_copy(struct sim *sim, struct machine *copy, bool accepts_damage) {
    struct journal_file_options options = {.env = &copy->env,
                                           .log = &sim->log,
                                           .path = "data",
                                           .segment_bytes = SIM_SEGMENT_BYTES,
                                           .bytes_kept_free = 4096,
                                           .accept_damage = accepts_damage};
    struct journal *journal;
    uint64_t newest = 0;
    int rc = journal_file_open(&options, &journal);
    if (rc < 0) return rc;
    rc = journal_replay(journal, count_record, &newest);
    if (rc == 0) rc = journal_start(journal, on_durable, sim);
    journal_close(journal);
    REPORT_EXPECT(sim->report, machine_after_stop(copy) == 0);
    return rc;
}

static bool go_on(void *context, const struct journal_report *report) {
    struct sim *sim = context;
    REPORT_EXPECT(sim->report, report->findings_count > 0); /* takt did not start on it */
    return true;
}

/* Only without the file `format`, or with a newer number in it, nothing can be done. */
static bool is_hopeless(int rc) {
    return rc == -EBADMSG || rc == -EPROTONOSUPPORT;
}

/* takt does not start: going on as if the log ended before the damage does, and so does a repair. */
static void try_remedies(struct sim *sim) {
    struct machine *copy = machine_copy(sim->machine);
    REPORT_EXPECT(sim->report, copy != NULL);
    int rc = start_copy(sim, copy, true);
    REPORT_EXPECT(sim->report, rc == 0 || is_hopeless(rc));
    machine_close(copy);

    copy = machine_copy(sim->machine);
    REPORT_EXPECT(sim->report, copy != NULL);
    struct journal_repair_options options = {
        .check = {.env = &copy->env, .path = "data", .context = sim}, .go_on = go_on};
    struct journal_repair_report report;
    rc = journal_file_repair(&options, &report);
    sim_tell(sim, "a repair of a copy: %s, %llu findings", rc < 0 ? strerror(-rc) : "ok",
             (unsigned long long)report.found.findings_count);
    REPORT_EXPECT(sim->report, rc == 0 || is_hopeless(rc));
    REPORT_EXPECT(sim->report, rc < 0 || start_copy(sim, copy, false) == 0);
    machine_close(copy);
}

/* Whatever was done to takt, its data is whole: of a copy, since a check takes the lock. */
void weather_check_data(struct sim *sim) {
    if (sim_below(sim, 4) != 0) return;
    struct machine *copy = machine_copy(sim->machine);
    REPORT_EXPECT(sim->report, copy != NULL);
    struct journal_check_options options = {.env = &copy->env, .path = "data", .context = sim};
    struct journal_report report;
    int rc = journal_file_check(&options, &report);
    /* Before its first start has come to its end a folder is not a journal yet. */
    bool is_unmade = sim->report->lives == 0 && (rc == -ENOENT || rc == -EBADMSG);
    if (rc < 0 && !is_unmade) report_fail(sim->report, "data check: %s", strerror(-rc));
    if (rc == 0 && report.findings_count > 0) report_fail(sim->report, "data check finds damage");
    machine_close(copy);
}

bool weather_explains(struct sim *sim, int rc) {
    if (rc != -EBADMSG && rc != -EPROTONOSUPPORT) return false;
    if (!sim->is_rotten && !has_misread(sim)) return false;
    sim->machine->mishaps[MISHAP_START_REFUSED]++;
    if (sim->is_rotten) try_remedies(sim);
    weather_heal(sim);
    return true;
}
