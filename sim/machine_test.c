/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "journal/file/journal_file.h"

#include "test.h"

#include <errno.h>
#include <string.h>

struct life {
    struct machine *machine;
    struct journal *journal;
    uint64_t durable;
    int failure;
    uint64_t replayed;
    struct body_ref refs[4]; /* of the newest records' bodies, as replayed */
    int read_result;
};

static void on_durable(void *context, uint64_t lsn, int result) {
    struct life *life = context;
    if (result < 0) {
        life->failure = result;
    } else {
        life->durable = lsn;
    }
}

static int count_record(void *context, const struct journal_record *record) {
    struct life *life = context;
    life->replayed = record->lsn;
    life->refs[(record->lsn - 1) % ARRAY_COUNT(life->refs)] = record->bodies[0];
    return 0;
}

static int try_begin(struct life *life) {
    struct journal_file_options options = {.env = &life->machine->env,
                                           .path = "data",
                                           .segment_bytes = 4u * 1024 * 1024,
                                           .bytes_kept_free = 4096};
    life->replayed = 0;
    int rc = journal_file_open(&options, &life->journal);
    if (rc < 0) return rc;
    rc = journal_replay(life->journal, count_record, life);
    if (rc == 0) rc = journal_start(life->journal, on_durable, life);
    if (rc < 0) journal_close(life->journal);
    return rc;
}

static void begin(struct life *life) {
    EXPECT_INT(try_begin(life), 0);
}

/* The body takes several pages: what is written behind it later dirties only the last of them. */
static void append(struct life *life, const char *text) {
    static char bytes[20000];
    struct body_ref ref;
    struct slice body = slice_from(bytes, sizeof bytes);
    memset(bytes, text[0], sizeof bytes);
    EXPECT_INT(journal_reserve(life->journal, JOURNAL_FOR_DRAIN, 2 * body.count), 0);
    (void)journal_append(life->journal, slice_from_string(text), &body, 1, &ref);
}

static void settle(struct life *life) {
    while (life->machine->deferred_count > 0 || machine_has_calls(life->machine)) {
        (void)machine_turn(life->machine, INT64_MAX - 1);
    }
}

static void on_read(void *context, int result, struct slice bytes) {
    (void)bytes;
    ((struct life *)context)->read_result = result;
}

static int read_result(struct life *life, struct body_ref ref) {
    life->read_result = 1;
    (void)journal_read_body(life->journal, ref, on_read, life);
    settle(life);
    return life->read_result;
}

static void cut_power(struct life *life) {
    machine_after_crash(life->machine, DISK_KEEPS_NOTHING);
}

/* What was durable is there after the power goes, what was not is gone, and the rest goes on. */
TEST(the_machine_keeps_what_was_synced) {
    struct life life = {.machine = machine_open(1, FAULT_NONE)};
    begin(&life);
    append(&life, "one");
    settle(&life);
    EXPECT_INT(life.durable, 1);
    append(&life, "two");
    cut_power(&life);
    begin(&life);
    EXPECT_INT(life.replayed, 1);
    journal_close(life.journal);
    EXPECT_INT(machine_after_stop(life.machine), 0);
    machine_close(life.machine);
}

/* A sync fails, so the kernel forgets that the pages are dirty; takt starts again without a power
 * cut and finds the batch in the page cache: it is given out, so it must stay. */
TEST(a_start_after_a_failed_sync_makes_the_tail_durable) {
    struct life life = {.machine = machine_open(2, FAULT_NONE)};
    begin(&life);
    append(&life, "one");
    settle(&life);
    life.machine->luck.sync = 1;
    append(&life, "two");
    settle(&life);
    EXPECT_INT(life.failure, -EIO);
    life.machine->luck.sync = 0;
    journal_close(life.journal);
    EXPECT_INT(machine_after_stop(life.machine), 0);

    begin(&life);
    EXPECT_INT(life.replayed, 2);
    cut_power(&life);
    begin(&life);
    EXPECT_INT(life.replayed, 2);
    journal_close(life.journal);
    EXPECT_INT(machine_after_stop(life.machine), 0);
    machine_close(life.machine);
}

/* A start reads one bit wrongly, wherever that may be: it says so, or nothing comes of it. In none is
 * it written over what is good: at the next start all is there. */
TEST(a_bit_misread_by_a_start_damages_nothing) {
    uint32_t refused = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct life life = {.machine = machine_open(seed, FAULT_NONE)};
        begin(&life);
        append(&life, "one");
        settle(&life);
        life.machine->luck.sync = 1; /* so that it is written again by the next start */
        append(&life, "two");
        settle(&life);
        life.machine->luck.sync = 0;
        journal_close(life.journal);
        EXPECT_INT(machine_after_stop(life.machine), 0);

        life.machine->flips_left = 1;
        int rc = try_begin(&life);
        life.machine->flips_left = 0;
        if (rc < 0) refused++;
        EXPECT(rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT);
        bool is_cut = rc == 0 && life.replayed < 2; /* no batch vouches for the newest */
        if (rc == 0) journal_close(life.journal);
        EXPECT_INT(machine_after_stop(life.machine), 0);
        begin(&life);
        EXPECT_INT(life.replayed, is_cut ? 1 : 2);
        for (uint64_t i = 0; i < life.replayed; i++) {
            EXPECT_INT(read_result(&life, life.refs[i]), 0);
        }
        journal_close(life.journal);
        EXPECT_INT(machine_after_stop(life.machine), 0);
        machine_close(life.machine);
    }
    EXPECT(refused > 0);
}

/* Of a write that was not synced some sectors stay and some do not. */
TEST(the_disk_tears_what_was_not_synced) {
    struct disk *disk = disk_open();
    struct dice dice = {7};
    struct disk_file *file;
    char old[16 * DISK_SECTOR_BYTES];
    char fresh[sizeof old];
    memset(old, 'o', sizeof old);
    memset(fresh, 'f', sizeof fresh);
    EXPECT_INT(disk_find(disk, "a", true, &file), 0);
    EXPECT_INT(disk_write(file, 0, old, sizeof old), 0);
    disk_sync(file);
    disk_sync_names(disk);
    EXPECT_INT(disk_write(file, 0, fresh, sizeof fresh), 0);
    uint64_t lost = disk_crash(disk, DISK_KEEPS_SOME, &dice);
    EXPECT(lost > 0 && lost < 16);
    EXPECT_INT(disk_find(disk, "a", false, &file), 0);
    EXPECT_INT(disk_read(file, 0, fresh, sizeof fresh), sizeof fresh);
    uint64_t olds = 0;
    for (size_t i = 0; i < sizeof fresh; i += DISK_SECTOR_BYTES) {
        EXPECT_INT(fresh[i], fresh[i + DISK_SECTOR_BYTES - 1]);
        olds += fresh[i] == 'o';
    }
    EXPECT_INT(olds, lost);
    disk_close(disk);
}

/* A name that was not synced is lost, one that was removed is there again. */
TEST(the_disk_loses_names_that_were_not_synced) {
    struct disk *disk = disk_open();
    struct dice dice = {7};
    struct disk_file *file;
    EXPECT_INT(disk_find(disk, "kept", true, &file), 0);
    disk_sync_names(disk);
    EXPECT_INT(disk_find(disk, "lost", true, &file), 0);
    EXPECT_INT(disk_unlink(disk, "kept"), 0);
    EXPECT_INT(disk_find(disk, "kept", false, &file), -ENOENT);
    EXPECT_INT(disk_crash(disk, DISK_KEEPS_NOTHING, &dice), 2);
    EXPECT_INT(disk_find(disk, "kept", false, &file), 0);
    EXPECT_INT(disk_find(disk, "lost", false, &file), -ENOENT);
    disk_close(disk);
}
