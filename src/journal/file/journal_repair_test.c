/* SPDX-License-Identifier: Apache-2.0 */
/* Checks, repairs and restores of which each call to the outside fails in turn. */
#include "journal/file/journal_repair.h"

#include "env/env_fail.h"
#include "journal/file/file_folder.h"
#include "journal/file/journal_restore.h"
#include "journal_kit.h"

#define RECORDS 10u
#define BODY_BYTES (900u * 1024)
#define BODY_LOST 3u    /* the record whose body is damaged */
#define RECORDS_LOST 8u /* the first record that is damaged */

struct seen {
    uint64_t findings_count;
    uint64_t records_count;
    bool agrees;
    char kept[4][FILE_NAME_KEPT_BYTES];
    uint32_t kept_count;
};

static void see_finding(void *context, const struct journal_finding *finding) {
    EXPECT(finding->damage < JOURNAL_DAMAGE_KINDS);
    ((struct seen *)context)->findings_count++;
}
static int see_record(void *context, const struct journal_record *record) {
    EXPECT(record->lsn > 0);
    ((struct seen *)context)->records_count++;
    return 0;
}
static bool go_on(void *context, const struct journal_report *report) {
    EXPECT(report->findings_count > 0);
    return ((struct seen *)context)->agrees;
}
static void see_kept(void *context, const char *name) {
    struct seen *seen = context;
    EXPECT(seen->kept_count < ARRAY_COUNT(seen->kept));
    (void)snprintf(seen->kept[seen->kept_count++], FILE_NAME_KEPT_BYTES, "%s", name);
}

static struct journal_check_options options_of(struct kit *kit, struct env *env,
                                               struct seen *seen) {
    return (struct journal_check_options){.env = env,
                                          .path = kit->path,
                                          .on_record = see_record,
                                          .on_finding = see_finding,
                                          .context = seen};
}

static int check(struct kit *kit, struct env *env, struct journal_report *report) {
    struct seen seen = {.agrees = false};
    struct journal_check_options options = options_of(kit, env, &seen);
    int rc = journal_file_check(&options, report);
    if (rc == 0) EXPECT_INT(seen.findings_count, report->findings_count);
    if (rc == 0) EXPECT_INT(seen.records_count, report->records_count);
    return rc;
}

static int repair(struct kit *kit, struct env *env, struct journal_repair_report *report) {
    struct seen seen = {.agrees = true};
    struct journal_repair_options options = {
        .check = options_of(kit, env, &seen), .go_on = go_on, .on_kept = see_kept};
    int rc = journal_file_repair(&options, report);
    EXPECT_INT(report->kept_count, seen.kept_count);
    return rc;
}

/* Ten records with a body each, in three segments; stopped. */
static struct kit *make(void) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (uint32_t i = 0; i < RECORDS; i++) kit_commit(kit, BODY_BYTES);
    kit_close(kit);
    return kit;
}

static void damage(struct kit *kit) {
    struct body_ref body = kit->refs[BODY_LOST];
    struct body_ref before_records = kit->refs[RECORDS_LOST];
    kit_flip(kit, body.position / KIT_SEGMENT_BYTES, body.position % KIT_SEGMENT_BYTES + 5);
    kit_flip(kit, before_records.position / KIT_SEGMENT_BYTES,
             before_records.position % KIT_SEGMENT_BYTES + before_records.count + 3);
}

static void expect_repaired(struct kit *kit) {
    struct journal_report report;
    EXPECT_INT(check(kit, kit->env, &report), 0);
    EXPECT_INT(report.findings_count, 0);
    EXPECT_INT(report.lsn_last, RECORDS_LOST - 1);
    EXPECT_INT(report.bodies_given_up, 1);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, RECORDS_LOST - 1);
    for (uint64_t lsn = 1; lsn < RECORDS_LOST; lsn++) {
        EXPECT_INT(kit_read(kit, lsn), lsn == BODY_LOST ? -EBADMSG : 0);
    }
    kit_commit(kit, 100);
    EXPECT_INT(kit->durable, RECORDS_LOST);
    kit_close(kit);
}

/* What is damaged is found; a repair keeps all else, and a journal on it goes on. */
TEST(repair_goes_on_without_what_is_damaged) {
    struct kit *kit = make();
    struct journal_report report;
    struct journal_repair_report repaired;
    EXPECT_INT(check(kit, kit->env, &report), 0);
    EXPECT_INT(report.findings_count, 0);
    EXPECT_INT(report.records_count, RECORDS);
    damage(kit);
    EXPECT_INT(check(kit, kit->env, &report), 0);
    EXPECT_INT(report.findings_count, 2);
    EXPECT_INT(report.records_count, RECORDS_LOST - 1);
    EXPECT_INT(report.records_beyond, RECORDS - RECORDS_LOST);
    EXPECT_INT(repair(kit, kit->env, &repaired), 0);
    EXPECT_INT(repaired.found.findings_count, 2);
    EXPECT(repaired.kept_count >= 2 && !repaired.was_unfinished);
    expect_repaired(kit);
    kit_end(kit);
}

/* Without agreement nothing is changed. */
TEST(repair_asks_first) {
    struct kit *kit = make();
    damage(kit);
    struct seen seen = {.agrees = false};
    struct journal_repair_options options = {.check = options_of(kit, kit->env, &seen),
                                             .go_on = go_on};
    struct journal_repair_report repaired;
    EXPECT_INT(journal_file_repair(&options, &repaired), -ECANCELED);
    struct journal_report report;
    EXPECT_INT(check(kit, kit->env, &report), 0);
    EXPECT_INT(report.findings_count, 2);
    kit_end(kit);
}

static const enum env_fail_call calls[] = {
    ENV_FAIL_ALLOCATE, ENV_FAIL_OPEN_DIRECTORY, ENV_FAIL_LIST, ENV_FAIL_RENAME,
    ENV_FAIL_UNLINK,   ENV_FAIL_SYNC_DIRECTORY, ENV_FAIL_OPEN, ENV_FAIL_LOCK,
    ENV_FAIL_SIZE,     ENV_FAIL_TRUNCATE,       ENV_FAIL_READ, ENV_FAIL_WRITE,
    ENV_FAIL_SYNC};

/* Whichever call it is from which on nothing works any more, as after a kill: the journal does not
 * start on half of it, what was there is there or kept, and the next repair ends it. */
TEST(repair_may_end_at_any_call) {
    struct kit *made = make();
    damage(made);
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bool failed = true;
        uint32_t nth = 1;
        for (; failed && nth < 200; nth++) {
            struct kit *kit = kit_crash(made, KIT_SEGMENT_BYTES);
            struct env *env;
            struct journal_repair_report report;
            EXPECT_INT(env_fail_open(kit->env, &env), 0);
            env_fail_set(env, calls[i], nth, -ENOSPC, true);
            int rc = repair(kit, env, &report);
            failed = rc < 0;
            EXPECT(!failed || rc == -ENOSPC || rc == -ENOMEM);
            env_fail_close(env);
            if (failed) {
                rc = kit_replay(kit);
                bool is_all = rc == 0 && kit->replayed_count == RECORDS; /* by a summary */
                EXPECT(rc == -EBADMSG || rc == -EUCLEAN || is_all || report.kept_count > 0);
                if (kit->journal != NULL) kit_close(kit);
                EXPECT_INT(repair(kit, kit->env, &report), 0);
            }
            expect_repaired(kit);
            kit_end(kit);
        }
        EXPECT(nth > 1 && nth < 200);
    }
    kit_end(made);
}

/* A check whose every call fails in turn says so, and never that something is damaged. */
TEST(check_fails_cleanly_at_every_call) {
    struct kit *made = make();
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bool failed = true;
        for (uint32_t nth = 1; failed && nth < 200; nth++) {
            struct env *env;
            struct journal_report report;
            EXPECT_INT(env_fail_open(made->env, &env), 0);
            env_fail_set(env, calls[i], nth, -EMFILE, false);
            int rc = check(made, env, &report);
            failed = rc < 0;
            EXPECT(!failed || rc == -EMFILE || rc == -ENOMEM);
            if (!failed) EXPECT_INT(report.findings_count, 0);
            env_fail_close(env);
        }
    }
    kit_end(made);
}

/* ---- copies and restores ---------------------------------------------------------------------- */

struct taken {
    struct buffer bytes;
    struct journal_restore *check;
    int result;
    uint32_t pieces_count;
};

static void take_piece(void *context, int result, struct slice bytes) {
    struct taken *taken = context;
    taken->pieces_count++;
    taken->result = result;
    if (result < 0) return;
    buffer_append(&taken->bytes, bytes);
    EXPECT_INT(journal_restore_add(taken->check, bytes), 0);
}

static void take_next(struct kit *kit, struct journal_copy *copy, struct taken *taken) {
    uint32_t before = taken->pieces_count;
    journal_copy_read(copy, take_piece, taken);
    kit_settle(kit);
    EXPECT_INT(taken->pieces_count, before + 1);
    EXPECT_INT(taken->result, 0);
}

static void taken_open(struct kit *kit, struct taken *taken) {
    *taken = (struct taken){.result = 0};
    buffer_open(&taken->bytes, &kit->env->allocator, 64u << 20);
    EXPECT_INT(journal_restore_open(kit->env, NULL, &taken->check), 0);
}

static void taken_close(struct taken *taken) {
    journal_restore_close(taken->check);
    buffer_close(&taken->bytes);
}

static int restore(struct kit *into, struct env *env, struct slice bytes, uint64_t *lsn) {
    struct journal_restore *restore = NULL;
    int rc = journal_restore_open(env, into->path, &restore);
    size_t step = 7777; /* pieces that fit nothing */
    while (rc == 0 && bytes.count > 0) {
        size_t count = bytes.count < step ? bytes.count : step;
        rc = journal_restore_add(restore, slice_from(bytes.bytes, count));
        bytes = slice_skip(bytes, count);
    }
    if (rc == 0) rc = journal_restore_end(restore, lsn);
    journal_restore_close(restore);
    return rc;
}

/* While a copy is taken the journal goes on, trims and reuses what is copied already, and nothing else;
 * the copy is the log of the moment at which it began. */
TEST(copy_is_of_one_moment) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (uint32_t i = 0; i < RECORDS; i++) kit_commit(kit, BODY_BYTES);
    struct journal_copy *copy;
    struct journal_copy *other;
    struct taken taken;
    taken_open(kit, &taken);
    EXPECT_INT(journal_copy_open(kit->journal, &copy), 0);
    EXPECT_INT(journal_copy_open(kit->journal, &other), -EBUSY);
    take_next(kit, copy, &taken);
    kit_commit(kit, BODY_BYTES);
    journal_trim(kit->journal, kit->durable);
    kit_settle(kit);
    EXPECT(kit_has_segment(kit, 1)); /* it is still needed */
    while (!journal_restore_has_ended(taken.check)) {
        take_next(kit, copy, &taken);
        kit_commit(kit, 1000);
    }
    EXPECT(!kit_has_segment(kit, 1));
    journal_copy_close(copy);
    struct kit *restored = kit_make();
    uint64_t lsn = 0;
    EXPECT_INT(restore(restored, restored->env, buffer_slice(&taken.bytes), &lsn), 0);
    EXPECT_INT(lsn, RECORDS);
    memcpy(restored->refs, kit->refs, sizeof kit->refs);
    EXPECT_INT(kit_open(restored), 0);
    EXPECT_INT(restored->replayed_count, RECORDS);
    for (uint64_t i = 1; i <= RECORDS; i++) EXPECT_INT(kit_read(restored, i), 0);
    kit_end(restored);
    taken_close(&taken);
    kit_end(kit);
}

/* A copy that is closed while a piece is read lets go of everything. */
TEST(copy_may_be_closed_at_any_moment) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_commit(kit, 1000);
    struct taken taken;
    taken_open(kit, &taken);
    struct journal_copy *copy;
    EXPECT_INT(journal_copy_open(kit->journal, &copy), 0);
    journal_copy_read(copy, take_piece, &taken);
    journal_copy_close(copy);
    kit_settle(kit);
    EXPECT_INT(taken.result, -ECANCELED);
    EXPECT_INT(journal_copy_open(kit->journal, &copy), 0);
    journal_copy_close(copy);
    taken_close(&taken);
    kit_end(kit);
}

static struct kit *make_copied(struct taken *taken) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (uint32_t i = 0; i < 6; i++) kit_commit(kit, BODY_BYTES);
    struct journal_copy *copy;
    taken_open(kit, taken);
    EXPECT_INT(journal_copy_open(kit->journal, &copy), 0);
    while (!journal_restore_has_ended(taken->check)) take_next(kit, copy, taken);
    journal_copy_close(copy);
    return kit;
}

/* A restore whose every call fails in turn leaves no journal; the next one ends it. */
TEST(restore_fails_cleanly_at_every_call) {
    struct taken taken;
    struct kit *kit = make_copied(&taken);
    struct slice bytes = buffer_slice(&taken.bytes);
    uint64_t lsn = 0;
    for (size_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bool failed = true;
        uint32_t nth = 1;
        for (; failed && nth < 400; nth += 1 + nth / 8) {
            struct kit *into = kit_make();
            struct env *env;
            struct journal_report report;
            EXPECT_INT(env_fail_open(into->env, &env), 0);
            env_fail_set(env, calls[i], nth, -EIO, true);
            int rc = restore(into, env, bytes, &lsn);
            failed = rc < 0;
            EXPECT(!failed || rc == -EIO || rc == -ENOMEM);
            env_fail_close(env);
            if (failed) {
                EXPECT(check(into, into->env, &report) < 0 || report.findings_count == 0);
                EXPECT_INT(restore(into, into->env, bytes, &lsn), 0);
            }
            EXPECT_INT(check(into, into->env, &report), 0);
            EXPECT_INT(report.findings_count, 0);
            EXPECT_INT(report.lsn_last, 6);
            kit_end(into);
        }
        EXPECT(nth < 400);
    }
    taken_close(&taken);
    kit_end(kit);
}

/* A bit anywhere in a frame's head, and some in its bytes: the stream is refused. */
TEST(restore_refuses_every_flipped_bit) {
    struct taken taken;
    struct kit *kit = make_copied(&taken);
    struct slice bytes = buffer_slice(&taken.bytes);
    for (size_t at = 0; at < bytes.count; at += at < 400 ? 1 : bytes.count / 40) {
        struct journal_restore *restore;
        EXPECT_INT(journal_restore_open(kit->env, NULL, &restore), 0);
        taken.bytes.bytes[at] ^= (char)(1 << at % 8);
        int rc = journal_restore_add(restore, bytes);
        uint64_t lsn;
        if (rc == 0) rc = journal_restore_end(restore, &lsn);
        EXPECT(rc == -EBADMSG || rc == -EPROTONOSUPPORT);
        taken.bytes.bytes[at] ^= (char)(1 << at % 8);
        journal_restore_close(restore);
    }
    taken_close(&taken);
    kit_end(kit);
}
