/* SPDX-License-Identifier: Apache-2.0 */
#include "between.h"

#include <errno.h>
#include <string.h>

#define PACE_MIN 2000u /* what is wanted is to happen soon */

static struct between *between_from(struct journal *journal) {
    return CONTAINER_OF(journal, struct between, journal);
}

static const struct between *between_const(const struct journal *journal) {
    return (const struct between *)(const void *)journal;
}

static enum fault fault_of(const struct between *between) {
    return between->machine->fault;
}

/* ---- replay ----------------------------------------------------------------------------------- */

static int give(void *context, const struct journal_record *record) {
    struct between *between = context;
    REPORT_EXPECT(between->report, record->lsn < BETWEEN_RECORDS_MAX);
    between->replayed = record->lsn;
    if (record->lsn < between->trimmed) {
        between->report->trimmed++;
        return 0;
    }
    if (between->forgotten[record->lsn]) return 0;
    between->report->replayed++;
    return between->on_record(between->replay_context, record);
}

static int give_but_last(void *context, const struct journal_record *record) {
    struct between *between = context;
    if (record->lsn == between->held_lsn) {
        between->replayed = record->lsn;
        return 0;
    }
    return give(context, record);
}

static int replay(struct journal *journal, journal_replay_fn *fn, void *context) {
    struct between *between = between_from(journal);
    between->on_record = fn;
    between->replay_context = context;
    between->replayed = 0;
    bool drops = fault_of(between) == FAULT_RECORD_DROPPED && between->durable > 0;
    between->held_lsn = drops ? between->durable : 0;
    return journal_replay(between->house, drops ? give_but_last : give, between);
}

/* ---- commits ---------------------------------------------------------------------------------- */

/* The old end goes as soon as all that was appended before trim was called is durable. */
static void trim_if_durable(struct between *between) {
    if (between->trim_next == 0 || between->durable < between->trim_after) return;
    between->trimmed = between->trim_next;
    between->trim_next = 0;
}

static void tell(struct between *between, uint64_t lsn, int result) {
    enum fault fault = fault_of(between);
    if (result < 0) {
        between->failure = result;
        if (fault == FAULT_FAILURE_UNTOLD) {
            lsn = between->appended;
            result = 0;
        }
    } else {
        between->durable = lsn;
    }
    trim_if_durable(between);
    if (fault == FAULT_ANSWER_AHEAD && result == 0) lsn = between->appended;
    between->on_durable(between->context, lsn, result);
}

static void on_durable(void *context, uint64_t lsn, int result) {
    struct between *between = context;
    if (result == 0) between->settled = lsn;
    if (between->failure != 0 || (between->is_held && result == 0)) return;
    tell(between, lsn, result);
}

/* All that is appended reaches the disk. */
static void settle(struct between *between) {
    for (uint32_t i = 0; between->settled < between->appended; i++) {
        REPORT_EXPECT(between->report, i < 1000);
        journal_flush(between->house);
        machine_end_calls(between->machine);
    }
}

void between_commit_to(struct between *between, uint64_t lsn) {
    settle(between);
    REPORT_EXPECT(between->report, lsn >= between->durable && lsn <= between->settled);
    tell(between, lsn, 0);
}

void between_commit(struct between *between) {
    between_commit_to(between, between->appended);
}

void between_fail(struct between *between, int result) {
    tell(between, between->durable, result);
}

static int start(struct journal *journal, journal_durable_fn *fn, void *context) {
    struct between *between = between_from(journal);
    between->on_durable = fn;
    between->context = context;
    int rc = journal_start(between->house, on_durable, between);
    if (rc < 0) return rc;
    struct journal_status status;
    journal_get_status(between->house, &status);
    between->durable = between->settled = between->started = status.lsn_durable;
    between->appended = status.lsn_appended;
    return 0;
}

uint64_t between_vouched(const struct between *between) {
    uint64_t vouched = between->vouched[between->durable];
    return vouched > between->started ? vouched : between->started;
}

/* What is refused last has room wherever what is refused first has. */
static int check_marks(struct between *between, enum journal_purpose purpose, size_t bytes_count,
                       int rc) {
    struct machine *machine = between->machine;
    if (rc == -ENOSPC && purpose == JOURNAL_FOR_INTAKE) machine->mishaps[MISHAP_REFUSED_INTAKE]++;
    if (rc == -ENOSPC && purpose == JOURNAL_FOR_GROWTH) machine->mishaps[MISHAP_REFUSED_GROWTH]++;
    if (rc != 0 || purpose == JOURNAL_FOR_DRAIN) return rc;
    rc = journal_reserve(between->house, JOURNAL_FOR_DRAIN, bytes_count);
    REPORT_EXPECT(between->report, rc != -ENOSPC);
    return rc;
}

static int reserve(struct journal *journal, enum journal_purpose purpose, size_t bytes_count) {
    struct between *between = between_from(journal);
    between->purpose = purpose;
    if (between->reserve_result < 0) return between->reserve_result;
    bool is_untold = fault_of(between) == FAULT_FAILURE_UNTOLD;
    if (between->failure != 0 && !is_untold) return -EROFS;
    int rc = journal_reserve(between->house, purpose, bytes_count);
    rc = check_marks(between, purpose, bytes_count, rc);
    return rc == -EROFS && is_untold ? 0 : rc;
}

static void answer_early(void *context) {
    struct between *between = context;
    between->on_durable(between->context, between->appended, 0);
}

static uint64_t append(struct journal *journal, struct slice bytes, const struct slice *bodies,
                       uint32_t bodies_count, struct body_ref *refs) {
    struct between *between = between_from(journal);
    uint64_t lsn = journal_append(between->house, bytes, bodies, bodies_count, refs);
    REPORT_EXPECT(between->report, lsn == between->appended + 1 && lsn < BETWEEN_RECORDS_MAX);
    between->appended = lsn;
    between->forgotten[lsn] = false;
    between->vouched[lsn] = between->durable;
    between->positions[lsn] = bodies_count > 0 ? refs[0].position : 0;
    if (fault_of(between) == FAULT_ANSWER_EARLY) {
        CHECK(between->machine->env.ops->defer(&between->machine->env, answer_early, between) == 0);
    }
    return lsn;
}

static void flush(struct journal *journal) {
    journal_flush(between_from(journal)->house);
}

/* ---- bodies ----------------------------------------------------------------------------------- */

/* Where the bodies of what is still there begin. */
static uint64_t first_position(const struct between *between) {
    for (uint64_t lsn = between->trimmed; lsn <= between->appended; lsn++) {
        if (between->positions[lsn] != 0) return between->positions[lsn];
    }
    return 0;
}

static void stale_body(void *context, int result, struct slice bytes) {
    struct between *between = context;
    journal_body_fn *done = between->read_done;
    between->read_done = NULL;
    char before[sizeof between->last_body];
    size_t before_bytes = between->last_body_bytes;
    memcpy(before, between->last_body, before_bytes);
    if (result == 0 && bytes.count <= sizeof between->last_body) {
        memcpy(between->last_body, bytes.bytes, bytes.count);
        between->last_body_bytes = bytes.count;
    }
    if (result == 0 && before_bytes == bytes.count) bytes = slice_from(before, before_bytes);
    done(between->read_context, result, bytes);
}

static bool read_now(struct between *between, struct body_ref ref, journal_body_fn *done,
                     void *context) {
    uint64_t first = between->trimmed == 0 ? 0 : first_position(between);
    if (ref.count > 0 && ref.position < first) {
        done(context, -ENOENT, SLICE_EMPTY);
        return true;
    }
    if (fault_of(between) != FAULT_BODY_STALE || between->read_done != NULL) {
        return journal_read_body(between->house, ref, done, context);
    }
    between->read_done = done;
    between->read_context = context;
    return journal_read_body(between->house, ref, stale_body, between);
}

static bool read_body(struct journal *journal, struct body_ref ref, journal_body_fn *done,
                      void *context) {
    struct between *between = between_from(journal);
    if (!between->is_cold) return read_now(between, ref, done, context);
    REPORT_EXPECT(between->report, between->reads_count < BETWEEN_READS_MAX);
    between->reads[between->reads_count++] = (struct between_read){ref, done, context};
    return false;
}

/* What follows from an end may read again: that waits for the next time. */
uint32_t between_read_all(struct between *between) {
    struct between_read reads[BETWEEN_READS_MAX];
    uint32_t count = between->reads_count;
    memcpy(reads, between->reads, sizeof reads);
    between->reads_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        (void)read_now(between, reads[i].ref, reads[i].done, reads[i].context);
    }
    machine_end_calls(between->machine);
    return count;
}

/* ---- carrying --------------------------------------------------------------------------------- */

static uint64_t carry_below(const struct journal *journal) {
    const struct between *between = between_const(journal);
    uint64_t below = journal_carry_below(between->house);
    return between->want > below ? between->want : below;
}

static uint32_t carry_pace(const struct journal *journal) {
    const struct between *between = between_const(journal);
    uint32_t pace = journal_carry_pace(between->house);
    return pace < between->pace ? between->pace : pace;
}

static void trim(struct journal *journal, uint64_t lsn) {
    struct between *between = between_from(journal);
    if (fault_of(between) == FAULT_TRIM_EARLY) {
        lsn = lsn + 3 <= between->durable ? lsn + 3 : lsn;
    }
    journal_trim(between->house, lsn);
    if (lsn >= between->want) between->want = 0;
    if (lsn <= between->trimmed || lsn <= between->trim_next) return;
    between->trim_next = lsn;
    between->trim_after = between->appended;
    trim_if_durable(between);
}

static void set_live_bytes(struct journal *journal, uint64_t bytes_count) {
    journal_set_live_bytes(between_from(journal)->house, bytes_count);
}

static void get_status(const struct journal *journal, struct journal_status *out) {
    const struct between *between = between_const(journal);
    journal_get_status(between->house, out);
    out->lsn_durable = between->durable;
    if (out->failure == 0) out->failure = between->failure;
}

static void close(struct journal *journal) {
    struct between *between = between_from(journal);
    if (between->is_held && between->failure == 0 && between->durable < between->appended) {
        between_commit(between);
    }
    for (uint32_t i = 0; i < between->reads_count; i++) {
        between->reads[i].done(between->reads[i].context, -ECANCELED, SLICE_EMPTY);
    }
    between->reads_count = 0;
    journal_close(between->house);
}

static const struct journal_ops ops = {
    .replay = replay,
    .start = start,
    .reserve = reserve,
    .append = append,
    .flush = flush,
    .read_body = read_body,
    .carry_below = carry_below,
    .trim = trim,
    .carry_pace = carry_pace,
    .set_live_bytes = set_live_bytes,
    .get_status = get_status,
    .close = close,
};

void between_init(struct between *between, struct machine *machine, struct report *report) {
    *between =
        (struct between){.journal = {&ops}, .machine = machine, .report = report, .pace = PACE_MIN};
}

struct journal *between_open(struct between *between, struct journal *house) {
    between->house = house;
    between->want = 0;
    between->trim_next = 0;
    between->failure = 0;
    between->reads_count = 0;
    between->read_done = NULL;
    return &between->journal;
}
