/* SPDX-License-Identifier: Apache-2.0 */
/* Summaries: when there is one, that it tells the same as its segment, and that nothing rests on it. */
#include "journal/file/journal_repair.h"

#include "journal_kit.h"

#define BODY ((size_t)300 * 1024)
#define RECORDS 60u

/* Segments 1 to 4 are sealed, 5 is being filled. */
static struct kit *make_sealed(void) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (uint32_t i = 0; i < RECORDS; i++) kit_commit(kit, BODY);
    EXPECT(kit_inside(kit)->next_number == 5);
    return kit;
}

static void expect_all(struct kit *kit) {
    EXPECT_INT(kit_replay(kit), 0);
    EXPECT_INT(kit->replayed_first, 1);
    EXPECT_INT(kit->replayed_count, RECORDS);
    EXPECT(!kit->replayed_wrong);
}

/* A segment has a summary as soon as it is sealed, a small one, and not before. */
TEST(sealed_segments_have_summaries) {
    struct kit *kit = make_sealed();
    for (uint64_t number = 1; number <= 4; number++) {
        uint64_t bytes = kit_summary_bytes(kit, number);
        EXPECT(bytes > 10 * FILE_BATCH_HEADER_BYTES && bytes < 16 * 1024);
        EXPECT_INT(kit_inside(kit)->segments[number - 1]->summary_bytes, bytes);
    }
    EXPECT_INT(kit_summary_bytes(kit, 5), 0);
    kit_end(kit);
}

/* Zeros over all that a sealed segment holds but its header: its records come from the summary, and
 * its bodies are found damaged when they are read. */
TEST(replay_goes_by_the_summaries) {
    struct kit *kit = make_sealed();
    kit_close(kit);
    static const char zeros[KIT_SEGMENT_BYTES - FILE_SEGMENT_HEADER_BYTES];
    kit_poke(kit, 3, FILE_SEGMENT_HEADER_BYTES, zeros, sizeof zeros);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, RECORDS);
    EXPECT(!kit->replayed_wrong);
    uint64_t lost = 0;
    for (uint64_t lsn = 1; lsn <= RECORDS; lsn++) {
        bool is_there = kit->refs[lsn].position / KIT_SEGMENT_BYTES != 3;
        EXPECT_INT(kit_read(kit, lsn), is_there ? 0 : -EBADMSG);
        lost += !is_there;
    }
    EXPECT(lost >= 10);
    kit_end(kit);
}

/* With, without, and with half of the summaries, replay gives the same records and bodies at the same
 * places; what is missing is written anew. */
TEST(a_missing_summary_costs_only_time) {
    struct kit *kit = make_sealed();
    kit_close(kit);
    struct body_ref refs[RECORDS + 1];
    expect_all(kit);
    memcpy(refs, kit->refs, sizeof refs);
    kit_close(kit);
    for (uint64_t number = 1; number <= 4; number++) {
        kit_remove_summary(kit, number);
        memset(kit->refs, 0, sizeof refs);
        expect_all(kit);
        EXPECT(memcmp(refs + 1, kit->refs + 1, sizeof refs - sizeof refs[0]) == 0);
        kit_close(kit);
    }
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    for (uint64_t number = 1; number <= 4; number++) EXPECT(kit_summary_bytes(kit, number) > 0);
    kit_end(kit);
}

/* A summary of which any byte is another, or that ends anywhere, gives nothing wrong; it is written
 * anew, as it was. */
TEST(a_bad_summary_costs_only_time) {
    struct kit *kit = make_sealed();
    kit_close(kit);
    char path[160];
    char right[16 * 1024];
    char now[16 * 1024];
    kit_summary_file(kit, 2, path);
    int fd = open(path, O_RDWR);
    ssize_t count = pread(fd, right, sizeof right, 0);
    EXPECT(count > 0 && (size_t)count < sizeof right);
    for (ssize_t at = 0; at < count; at += 7) {
        char byte = (char)(right[at] ^ 0x20);
        EXPECT_INT(pwrite(fd, &byte, 1, at), 1);
        expect_all(kit);
        EXPECT_INT(kit_inside(kit)->segments[1]->summary_bytes, 0);
        kit_close(kit);
        EXPECT_INT(pwrite(fd, right + at, 1, at), 1);
    }
    for (ssize_t at = 0; at < count; at += 31) {
        EXPECT_INT(truncate(path, at), 0);
        expect_all(kit);
        kit_close(kit);
        EXPECT_INT(pwrite(fd, right, (size_t)count, 0), count);
    }
    close(fd);
    EXPECT_INT(truncate(path, count / 2), 0);
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    fd = open(path, O_RDONLY);
    EXPECT_INT(pread(fd, now, sizeof now, 0), count);
    EXPECT(memcmp(now, right, (size_t)count) == 0);
    close(fd);
    kit_end(kit);
}

/* A crash may leave a summary's name without its bytes. */
TEST(an_empty_summary_is_none) {
    struct kit *kit = make_sealed();
    kit_close(kit);
    char path[160];
    kit_summary_file(kit, 1, path);
    EXPECT_INT(truncate(path, 0), 0);
    expect_all(kit);
    kit_end(kit);
}

/* One of another segment, or of another folder, is none. */
TEST(a_summary_belongs_to_its_segment) {
    struct kit *kit = make_sealed();
    kit_close(kit);
    char from[160];
    char to[160];
    kit_summary_file(kit, 2, from);
    kit_summary_file(kit, 3, to);
    kit_copy_file(from, to, 64 * 1024);
    expect_all(kit);
    kit_close(kit);
    struct kit *other = make_sealed();
    kit_summary_file(other, 2, from);
    kit_summary_file(kit, 2, to);
    kit_copy_file(from, to, 64 * 1024);
    expect_all(kit);
    kit_end(other);
    kit_end(kit);
}

/* Where the log was cut back into an older segment, told to accept damage, the summaries from there
 * on go before anything is written: what they tell is no longer so. */
TEST(summaries_behind_a_cut_are_removed) {
    struct kit *kit = make_sealed();
    uint64_t position = kit->refs[20].position;
    uint64_t number = position / KIT_SEGMENT_BYTES;
    EXPECT_INT(number, 2);
    kit_close(kit);
    kit_flip(kit, number, position % KIT_SEGMENT_BYTES - 30); /* in its batch's header */
    char path[160];
    kit_summary_file(kit, number, path);
    char saved[170];
    snprintf(saved, sizeof saved, "%s.saved", path);
    EXPECT_INT(rename(path, saved), 0);
    EXPECT_INT(kit_replay(kit), -EBADMSG);
    kit_close(kit);
    EXPECT_INT(rename(saved, path), 0);
    EXPECT_INT(truncate(path, 200), 0); /* no longer has the damaged batch */
    EXPECT_INT(kit_replay(kit), -EBADMSG);
    kit_close(kit);
    kit->options.accept_damage = true;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 19);
    EXPECT(kit_summary_bytes(kit, 1) > 0);
    for (uint64_t gone = 2; gone <= 4; gone++) EXPECT_INT(kit_summary_bytes(kit, gone), 0);
    kit->options.accept_damage = false;
    while (kit->durable < RECORDS) kit_commit(kit, BODY);
    kit_close(kit);
    expect_all(kit);
    kit_end(kit);
}

static bool agree(void *context, const struct journal_report *report) {
    (void)context;
    (void)report;
    return true;
}

static void repair(struct kit *kit) {
    struct journal_repair_options options = {.check = {.env = kit->env, .path = kit->path},
                                             .go_on = agree};
    struct journal_repair_report report;
    EXPECT_INT(journal_file_repair(&options, &report), 0);
    EXPECT(report.kept_count > 0);
}

/* What a repair has changed is read from the segment: a body that is given up, a log that ends
 * earlier. */
TEST(a_repair_removes_the_summaries_of_what_it_changes) {
    struct kit *kit = make_sealed();
    uint64_t position = kit->refs[20].position;
    kit_close(kit);
    kit_flip(kit, 2, position % KIT_SEGMENT_BYTES + 100);
    repair(kit);
    EXPECT_INT(kit_summary_bytes(kit, 2), 0);
    EXPECT(kit_summary_bytes(kit, 3) > 0);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, RECORDS);
    EXPECT(body_ref_is_given_up(kit->refs[20]));
    kit_settle(kit);
    EXPECT(kit_summary_bytes(kit, 2) > 0);
    kit_close(kit);

    kit_flip(kit, 2, position % KIT_SEGMENT_BYTES - 30); /* in its batch's header */
    repair(kit);
    EXPECT(kit_summary_bytes(kit, 1) > 0);
    for (uint64_t gone = 2; gone <= 4; gone++) EXPECT_INT(kit_summary_bytes(kit, gone), 0);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 19);
    kit_end(kit);
}

/* The segment goes, its summary too; nothing else is left in the folder. */
TEST(a_summary_goes_with_its_segment) {
    struct kit *kit = make_sealed();
    journal_trim(kit->journal, kit->refs[RECORDS].position == 0 ? 0 : RECORDS);
    kit_settle(kit);
    for (uint64_t number = 1; number <= 3; number++) EXPECT_INT(kit_summary_bytes(kit, number), 0);
    char stale[160];
    kit_summary_file(kit, 1, stale);
    fclose(fopen(stale, "w")); /* as one that could not be removed */
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0);
    EXPECT(access(stale, F_OK) != 0);
    kit_end(kit);
}

/* Small records without bodies: the segment is mostly records, and has none. */
TEST(a_segment_of_records_has_no_summary) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    while (kit_inside(kit)->next_number < 3) {
        for (int i = 0; i < 4000; i++) kit_append(kit, 0);
        kit_settle(kit);
    }
    EXPECT_INT(kit_summary_bytes(kit, 1), 0);
    char path[160];
    kit_file(kit, FILE_NAME_SUMMARY, path);
    kit_close(kit);
    EXPECT_INT(kit_replay(kit), 0);
    EXPECT(access(path, F_OK) != 0); /* what was begun of it */
    kit_end(kit);
}

/* With durability none there are no summaries, and those of an earlier life stay right. */
TEST(no_summaries_without_durability) {
    struct kit *kit = make_sealed();
    kit_close(kit);
    kit->options.no_sync = true;
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 30; i++) kit_commit(kit, BODY);
    EXPECT_INT(kit_summary_bytes(kit, 5), 0);
    EXPECT_INT(kit_summary_bytes(kit, 6), 0);
    kit_close(kit);
    kit->options.no_sync = false;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, RECORDS + 30);
    EXPECT(!kit->replayed_wrong);
    kit_settle(kit);
    EXPECT(kit_summary_bytes(kit, 5) > 0);
    kit_end(kit);
}
