/* SPDX-License-Identifier: Apache-2.0 */
#include "journal_kit.h"

#include <sys/wait.h>

/* Records and bodies appended in one life are all there in the next, in order, to the byte. */
TEST(journal_replays_what_was_appended) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 0);
    for (uint64_t lsn = 1; lsn <= 300; lsn++) {
        kit_append(kit, lsn % 7 == 0 ? 0 : (size_t)(lsn * 37 % 3000));
        if (lsn % 10 == 0) kit_settle(kit);
    }
    kit_settle(kit);
    EXPECT_INT(kit->durable, 300);
    for (uint64_t lsn = 1; lsn <= 300; lsn++) {
        if (lsn % 7 != 0) EXPECT_INT(kit_read(kit, lsn), 0);
    }
    kit_close(kit);

    memset(kit->refs, 0, sizeof kit->refs);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 300);
    EXPECT_INT(kit->replayed_first, 1);
    EXPECT(!kit->replayed_wrong);
    for (uint64_t lsn = 1; lsn <= 300; lsn++) {
        if (lsn % 7 != 0) EXPECT_INT(kit_read(kit, lsn), 0);
    }
    kit_commit(kit, 10);
    EXPECT_INT(kit->durable, 301);
    kit_end(kit);
}

/* What is appended in one turn of the loop is one commit, and is said durable once, at its end. */
TEST(journal_commits_a_turn_at_once) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    for (int i = 0; i < 100; i++) kit_append(kit, 100);
    EXPECT_INT(kit->durable_calls, 0); /* never inside an append */
    kit_settle(kit);
    EXPECT_INT(kit->durable_calls, 1);
    EXPECT_INT(kit->durable, 100);
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    EXPECT_INT(status.commits_count, 1);
    EXPECT_INT(status.lsn_durable, 100);
    EXPECT_INT(status.lsn_first, 1);
    EXPECT(status.commit_ns_last > 0);
    kit_end(kit);
}

/* Batches that wait for each other become durable strictly in order. */
TEST(journal_commits_in_order) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 20; i++) {
        kit_append(kit, 700 * 1024); /* about two MiB a turn would be; batches close by size */
        journal_flush(kit->journal);
    }
    kit_settle(kit);
    EXPECT(!kit->durable_out_of_order);
    EXPECT(kit->durable_calls > 1);
    EXPECT_INT(kit->durable, 20);
    for (uint64_t lsn = 1; lsn <= 20; lsn++) EXPECT_INT(kit_read(kit, lsn), 0);
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 20);
    for (uint64_t lsn = 1; lsn <= 20; lsn++) EXPECT_INT(kit_read(kit, lsn), 0);
    kit_end(kit);
}

/* A body can be read at once, from the batch that is being filled, waits, or is being written. */
TEST(journal_reads_bodies_that_are_not_written_yet) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_append(kit, 500);
    EXPECT_INT(kit_read(kit, 1), 0);
    journal_flush(kit->journal); /* now it is on its way */
    kit_append(kit, 600);
    for (uint64_t lsn = 1; lsn <= 2; lsn++) {
        struct kit_wanted wanted = {.kit = kit, .lsn = lsn, .count = kit->refs[lsn].count};
        EXPECT(journal_read_body(kit->journal, kit->refs[lsn], kit_body_done, &wanted));
        EXPECT_INT(kit->body_result, 0);
    }
    EXPECT_INT(kit->durable, 0);
    kit_end(kit);
}

/* Positions grow with the LSN, also across segments, and no body lies at 0. */
TEST(journal_positions_grow) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    uint64_t last = 0;
    for (uint64_t lsn = 1; lsn <= 40; lsn++) {
        kit_append(kit, 300 * 1024);
        EXPECT(kit->refs[lsn].position > last);
        last = kit->refs[lsn].position;
        if (lsn % 5 == 0) kit_settle(kit);
    }
    EXPECT(last > 3ull * KIT_SEGMENT_BYTES);
    kit_end(kit);
}

/* Whatever is appended when the journal is closed is durable, and said so. */
TEST(journal_close_commits_what_is_appended) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_append(kit, 1000);
    journal_flush(kit->journal); /* under way */
    for (int i = 0; i < 10; i++) kit_append(kit, 900 * 1024);
    journal_close(kit->journal);
    EXPECT_INT(kit->durable, 11);
    EXPECT_INT(kit->durable_calls, 1);
    kit->journal = NULL;
    EXPECT_INT(kit_open(kit), 0); /* before the loop has run */
    EXPECT_INT(kit->replayed_count, 11);
    kit_settle(kit);
    for (uint64_t lsn = 1; lsn <= 11; lsn++) EXPECT_INT(kit_read(kit, lsn), 0);
    kit_end(kit);
}

/* Another process that opens the folder is refused, in words. */
TEST(journal_locks_its_folder) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        struct journal *second = NULL;
        int rc = journal_file_open(&kit->options, &second);
        _exit(rc == -EWOULDBLOCK ? 0 : 1); /* the words are its caller's */
    }
    int status = 0;
    EXPECT_INT(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 0);
    kit_end(kit);
}

/* Limits are refused before anything is done. */
TEST(journal_refuses_what_is_too_large) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(journal_reserve(kit->journal, JOURNAL_FOR_DRAIN, KIT_SEGMENT_BYTES), -EMSGSIZE);
    EXPECT_INT(journal_reserve(kit->journal, JOURNAL_FOR_DRAIN, FILE_RECORD_BYTES_MAX + 1),
               -EMSGSIZE);
    kit_append(kit, KIT_SEGMENT_BYTES - 32 * 1024); /* nearly a whole segment */
    kit_settle(kit);
    EXPECT_INT(kit_read(kit, 1), 0);
    kit_end(kit);
}

/* With the memory for batches full, reserve says so, and takes more once some are durable. */
TEST(journal_bounds_the_memory_of_batches) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    int rc = 0;
    uint64_t count = 0;
    while (rc == 0 && count < 100) {
        rc = kit_append_for(kit, JOURNAL_FOR_INTAKE, 2 * 1024 * 1024);
        if (rc == 0) count++;
    }
    EXPECT_INT(rc, -EAGAIN);
    EXPECT_INT(count, FILE_MEMORY_BYTES_MAX / (2 * 1024 * 1024) - 1);
    kit_settle(kit);
    EXPECT_INT(kit->durable, count);
    EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, 2 * 1024 * 1024), 0);
    kit_end(kit);
}

/* The largest record there may be goes in and comes out, in segments of the usual size. */
TEST(journal_takes_the_largest_record) {
    struct kit *kit = kit_make();
    kit->options.segment_bytes = 0;
    EXPECT_INT(kit_open(kit), 0);
    char *record = calloc(1, JOURNAL_RECORD_BYTES_MAX);
    char *body = calloc(1, 33 * 1024);
    EXPECT(record != NULL && body != NULL);
    struct slice *bodies = calloc(JOURNAL_RECORD_BODIES_MAX, sizeof *bodies);
    struct body_ref *refs = calloc(JOURNAL_RECORD_BODIES_MAX, sizeof *refs);
    for (uint32_t i = 0; i < JOURNAL_RECORD_BODIES_MAX; i++)
        bodies[i] = slice_from(body, 33 * 1024);
    EXPECT_INT(journal_reserve(kit->journal, JOURNAL_FOR_INTAKE, FILE_RECORD_BYTES_MAX), 0);
    EXPECT_INT(journal_append(kit->journal, slice_from(record, JOURNAL_RECORD_BYTES_MAX), bodies,
                              JOURNAL_RECORD_BODIES_MAX, refs),
               1);
    kit_settle(kit);
    EXPECT_INT(kit->durable, 1);
    kit_close(kit);
    EXPECT_INT(kit_replay(kit), 0);
    EXPECT_INT(kit->replayed_count, 1);
    free(record);
    free(body);
    free(bodies);
    free(refs);
    kit_end(kit);
}

/* With durability none nothing is synced and all the rest is the same. */
TEST(journal_without_sync) {
    struct kit *kit = kit_make();
    kit->options.no_sync = true;
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 30; i++) kit_commit(kit, 400 * 1024);
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    EXPECT(!status.synced);
    EXPECT_INT(kit->durable, 30);
    struct kit *crashed = kit_crash(kit, KIT_SEGMENT_BYTES);
    EXPECT_INT(kit_open(crashed), 0);
    EXPECT_INT(crashed->replayed_count, 30);
    kit_end(crashed);
    kit_end(kit);
}
