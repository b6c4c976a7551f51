/* SPDX-License-Identifier: Apache-2.0 */
/* Trimming, recycling, carrying, and the three marks of room. */
#include "journal_kit.h"

#define BODY (500u * 1024) /* eight a segment, all but */

static uint64_t lsn_first(struct kit *kit) {
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    return status.lsn_first;
}

/* Trimming removes whole segments below the LSN and nothing else; what is left is replayed. */
TEST(trim_removes_whole_segments) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 40; i++) kit_commit(kit, BODY);
    EXPECT(kit_has_segment(kit, 5));
    EXPECT_INT(lsn_first(kit), 1);
    journal_trim(kit->journal, 20);
    kit_settle(kit);
    uint64_t first = lsn_first(kit);
    EXPECT(first > 10 && first <= 20);
    EXPECT(!kit_has_segment(kit, 1));
    EXPECT_INT(kit_read(kit, 20), 0);
    EXPECT_INT(kit_read(kit, 1), -ENOENT);
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_first, first);
    EXPECT_INT(kit->replayed_last, 40);
    EXPECT(!kit->replayed_wrong);
    for (uint64_t lsn = first; lsn <= 40; lsn++) EXPECT_INT(kit_read(kit, lsn), 0);
    kit_commit(kit, BODY);
    EXPECT_INT(kit->durable, 41);
    kit_end(kit);
}

/* A trim does not count before all that was appended until then is durable: the copies. */
TEST(trim_waits_for_the_copies) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 20; i++) kit_commit(kit, BODY);
    kit_append(kit, 1000);
    journal_trim(kit->journal, 20);
    EXPECT(kit_has_segment(kit, 1)); /* the loop has not run: record 21 is not durable */
    EXPECT(!file_trim_is_due(kit_inside(kit)));
    kit_append(kit, 1000);
    journal_trim(kit->journal, 21); /* while the first one waits */
    journal_trim(kit->journal, 22);
    kit_settle(kit);
    EXPECT(!kit_has_segment(kit, 1));
    EXPECT(lsn_first(kit) > 10);
    EXPECT_INT(kit_inside(kit)->trim_lsn, 22);
    kit_end(kit);
}

/* While a body is read, its segment stays, and those behind it. */
TEST(trim_waits_for_reads) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 30; i++) kit_commit(kit, BODY);
    kit_inside(kit)->segments[0]->reads_count++; /* as a read does */
    journal_trim(kit->journal, 30);
    kit_settle(kit);
    EXPECT(kit_has_segment(kit, 1) && kit_has_segment(kit, 2));
    EXPECT_INT(kit_read(kit, 1), 0);
    kit_inside(kit)->segments[0]->reads_count--;
    file_prepare(kit_inside(kit)); /* as the end of a read does */
    kit_settle(kit);
    EXPECT(!kit_has_segment(kit, 1) && !kit_has_segment(kit, 2));
    kit_end(kit);
}

/* A recycled file still holds the batches of its earlier use. However far the new use has come, none
 * of them is replayed, and none makes the tail look like damage. */
TEST(recycled_segments_do_not_bring_old_records_back) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 16; i++) kit_commit(kit, BODY);
    for (uint64_t round = 0; round < 12; round++) {
        struct journal_status status;
        journal_get_status(kit->journal, &status);
        journal_trim(kit->journal, status.lsn_appended);
        for (int i = 0; i < 5; i++) kit_commit(kit, BODY);
        struct kit *crashed = kit_crash(kit, KIT_SEGMENT_BYTES);
        EXPECT_INT(kit_open(crashed), 0);
        EXPECT(!crashed->replayed_wrong);
        EXPECT_INT(crashed->replayed_last, kit->durable);
        EXPECT(crashed->replayed_count < 32);
        kit_end(crashed);
    }
    EXPECT(kit_has_segment(kit, 10));
    EXPECT(kit_inside(kit)->segments_count <= 6);
    kit_end(kit);
}

/* A crash between the two steps of recycling (the name, then the header) loses nothing. */
TEST(recycling_may_be_interrupted) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 24; i++) kit_commit(kit, BODY);
    struct file_journal *inside = kit_inside(kit);
    uint64_t newest = inside->segments[inside->segments_count - 1]->number;
    uint64_t first = inside->segments[1]->lsn_first;
    struct kit *crashed = kit_crash(kit, KIT_SEGMENT_BYTES);
    char from[160];
    char to[160];
    kit_segment_file(crashed, 1, from);
    kit_segment_file(crashed, newest + 1, to);
    EXPECT_INT(rename(from, to), 0);
    EXPECT_INT(kit_open(crashed), 0);
    EXPECT_INT(crashed->replayed_first, first);
    EXPECT_INT(crashed->replayed_last, 24);
    EXPECT(!kit_has_segment(crashed, newest + 1));
    for (int i = 0; i < 20; i++) kit_commit(crashed, BODY);
    EXPECT_INT(crashed->durable, 44);
    kit_end(crashed);
    kit_end(kit);
}

/* Carries as the shard does: what is below is written again, at the pace that is asked for. Every
 * fourth record is alive. */
TEST(carrying_keeps_the_journal_under_about_twice_the_live_data) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(journal_carry_below(kit->journal), 0);
    uint64_t live_count = 60; /* a queue of that many; older ones are done */
    uint64_t live_bytes = live_count * BODY;
    journal_set_live_bytes(kit->journal, live_bytes);
    uint64_t oldest_live = 1; /* the records below were carried, or are done */
    uint64_t used_max = 0;
    for (int i = 0; i < 500; i++) {
        kit_commit(kit, BODY);
        uint64_t below = journal_carry_below(kit->journal);
        if (below != 0) {
            EXPECT(journal_carry_pace(kit->journal) >= 1000);
            EXPECT(below > oldest_live);
            journal_trim(kit->journal, below); /* all of them are done by now */
            oldest_live = below;
            kit_settle(kit);
        } else {
            EXPECT_INT(journal_carry_pace(kit->journal), 0);
        }
        struct journal_status status;
        journal_get_status(kit->journal, &status);
        if (status.bytes_used > used_max) used_max = status.bytes_used;
    }
    EXPECT(used_max <= live_bytes * 22 / 10 + KIT_SEGMENT_BYTES);
    EXPECT(used_max >= live_bytes * 19 / 10 - KIT_SEGMENT_BYTES);
    kit_end(kit);
}

/* What the worst mix needs: all that is alive was sent first, and what comes now is done at once.
 * Each record is carried when the pace allows; a trim follows when all below it was carried. */
struct worst {
    uint64_t
        live_oldest;   /* LSNs: of the records that are alive, the oldest that was not carried, */
    uint64_t live_end; /* and behind the newest */
    double credit;
    uint64_t used_max;
    uint32_t rounds;
};

static void carry_worst(struct kit *kit, struct worst *worst, size_t appended) {
    struct journal_status status;
    uint64_t below = journal_carry_below(kit->journal);
    worst->credit += (double)appended * journal_carry_pace(kit->journal) / 1000;
    while (below > worst->live_oldest && worst->live_oldest < worst->live_end &&
           worst->credit >= BODY) {
        kit_commit(kit, BODY);
        worst->credit -= BODY;
        worst->live_oldest++;
    }
    if (worst->live_oldest == worst->live_end) { /* the copies are the oldest now */
        journal_get_status(kit->journal, &status);
        worst->live_oldest = status.lsn_appended - 120;
        worst->live_end = status.lsn_appended;
        worst->rounds++;
    }
    if (below != 0 && worst->live_oldest >= below) journal_trim(kit->journal, below);
    kit_settle(kit);
    journal_get_status(kit->journal, &status);
    if (status.bytes_used > worst->used_max) worst->used_max = status.bytes_used;
}

TEST(carrying_bounds_the_journal_when_all_that_lives_is_in_front) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    uint64_t live_bytes = 120 * BODY;
    journal_set_live_bytes(kit->journal, live_bytes);
    for (uint32_t i = 0; i < 120; i++) kit_commit(kit, BODY);
    struct worst worst = {.live_oldest = 1, .live_end = 121};
    for (uint32_t i = 0; i < 600; i++) {
        kit_commit(kit, BODY);
        carry_worst(kit, &worst, BODY);
    }
    EXPECT(worst.rounds >= 2);
    EXPECT(worst.used_max <= live_bytes * 22 / 10 + KIT_SEGMENT_BYTES);
    kit_end(kit);
}

/* Of a journal in which hardly anything is alive, one segment is left behind the one being filled:
 * 2.2 times next to nothing, and one segment. Nothing is wanted within the first one. */
TEST(carrying_leaves_one_segment_alone) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    journal_set_live_bytes(kit->journal, 100);
    for (int i = 0; i < 8; i++) kit_commit(kit, BODY);
    EXPECT_INT(journal_carry_below(kit->journal), 0);
    for (int i = 0; i < 4; i++) kit_commit(kit, BODY);
    EXPECT(journal_carry_below(kit->journal) > 1);
    kit_end(kit);
}

static uint64_t fill_up(struct kit *kit, enum journal_purpose purpose) {
    uint64_t count = 0;
    int rc = 0;
    while (count < 1000) {
        rc = kit_append_for(kit, purpose, BODY);
        if (rc < 0) break;
        kit_settle(kit);
        count++;
    }
    EXPECT_INT(rc, -ENOSPC);
    return count;
}

/* Intake is refused first, growth next, and what drains goes on to the end; after a trim all go on,
 * without a restart. bytes_max is never passed. */
TEST(room_has_three_marks) {
    struct kit *kit = kit_make();
    kit->options.bytes_max = 8ull * KIT_SEGMENT_BYTES;
    EXPECT_INT(kit_open(kit), 0);
    uint64_t intake = fill_up(kit, JOURNAL_FOR_INTAKE);
    EXPECT(intake >= 5 * 7 && intake <= 6 * 8);
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    EXPECT(status.bytes_room < BODY + 64 * 1024);
    EXPECT(fill_up(kit, JOURNAL_FOR_GROWTH) >= 7);
    EXPECT(fill_up(kit, JOURNAL_FOR_DRAIN) >= 7);
    EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, 0), -ENOSPC);
    EXPECT(!kit_has_segment(kit, 9));
    EXPECT_INT(kit_inside(kit)->segments_count, 8);
    EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_DRAIN, 100), 0); /* a small one still fits */

    journal_trim(kit->journal, kit->durable);
    kit_settle(kit);
    EXPECT(kit_inside(kit)->segments_count <= 4);
    EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, BODY), 0);
    kit_settle(kit);
    EXPECT(!kit->durable_out_of_order);
    kit_end(kit);
}

static uint32_t said_count(const struct kit *kit, const char *words) {
    uint32_t count = 0;
    for (const char *at = strstr(kit->said, words); at != NULL; at = strstr(at + 1, words)) count++;
    return count;
}

/* The operator hears once that intake is refused, with the room there is and what is kept, and once
 * that it goes on; small records that still fit in between say nothing. */
TEST(refused_intake_is_said_once) {
    struct kit *kit = kit_make();
    kit->options.bytes_max = 8ull * KIT_SEGMENT_BYTES;
    EXPECT_INT(kit_open(kit), 0);
    kit->said[0] = '\0';
    for (int round = 1; round <= 2; round++) {
        (void)fill_up(kit, JOURNAL_FOR_INTAKE);
        for (int i = 0; i < 20; i++) {
            EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, BODY), -ENOSPC);
            EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, 10), 0);
            kit_settle(kit);
        }
        EXPECT_INT(said_count(kit, "refused from now on"), round);
        EXPECT_INT(said_count(kit, "are taken"), round - 1);
        journal_trim(kit->journal, kit->durable);
        kit_settle(kit);
        EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_DRAIN, 10), 0); /* whoever asks next */
        EXPECT_INT(said_count(kit, "are taken"), round);
    }
    EXPECT(strstr(kit->said, "MiB free, of which the last 64 MiB are never used") != NULL);
    EXPECT(strstr(kit->said, "(it may have 32 MiB in all)") != NULL);
    EXPECT(strstr(kit->said, "segments of 4 MiB, of which the last 2 are kept") != NULL);
    kit_end(kit);
}

/* Short of room, carrying is wanted below the usual threshold, as long as it frees something. */
TEST(carrying_begins_earlier_when_room_is_short) {
    struct kit *kit = kit_make();
    kit->options.bytes_max = 6ull * KIT_SEGMENT_BYTES;
    EXPECT_INT(kit_open(kit), 0);
    journal_set_live_bytes(kit->journal, KIT_SEGMENT_BYTES);
    (void)fill_up(kit, JOURNAL_FOR_INTAKE);
    EXPECT(file_bytes_used(kit_inside(kit)) <= 4ull * KIT_SEGMENT_BYTES);
    EXPECT(journal_carry_below(kit->journal) > 1);
    journal_set_live_bytes(kit->journal, 4ull * KIT_SEGMENT_BYTES);
    EXPECT_INT(journal_carry_below(kit->journal), 0);
    kit_end(kit);
}

/* With durability none a trim syncs first: else a crash could find neither the old place of a record
 * nor the new one. */
TEST(trim_syncs_without_sync) {
    struct kit *kit = kit_make();
    kit->options.no_sync = true;
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 20; i++) kit_commit(kit, BODY);
    EXPECT_INT(kit_inside(kit)->lsn_synced, 0);
    journal_trim(kit->journal, 20);
    EXPECT_INT(kit_inside(kit)->lsn_synced, 20);
    kit_settle(kit);
    EXPECT(!kit_has_segment(kit, 1));
    kit_end(kit);
}

/* Options that cannot work are refused in words. */
TEST(open_refuses_wrong_options) {
    struct kit *kit = kit_make();
    kit->options.bytes_max = 3ull * KIT_SEGMENT_BYTES;
    EXPECT_INT(kit_replay(kit), -EINVAL);
    EXPECT(strstr(kit->said, "bytes_max") != NULL);
    kit->options.bytes_max = 0;
    kit->options.segment_bytes = KIT_SEGMENT_BYTES + 1;
    EXPECT_INT(kit_replay(kit), -EINVAL);
    EXPECT(strstr(kit->said, "segment_bytes") != NULL);
    kit->options.segment_bytes = KIT_SEGMENT_BYTES;
    EXPECT_INT(kit_open(kit), 0);
    kit_end(kit);
}
