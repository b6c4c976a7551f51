/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash, a bad disk or an earlier life leaves in the folder, and what is made of it. */
#include "journal_kit.h"

#define SMALL_COPY (64u * 1024) /* enough of the first segment for the small journals here */

/* Finds the last batch of segment 1 that has records. */
static struct file_batch_header last_batch(struct kit *kit) {
    struct file_journal *inside = kit_inside(kit);
    char bytes[SMALL_COPY];
    kit_peek(kit, 1, 0, bytes, sizeof bytes);
    struct file_batch_header last = {.records_count = 0};
    for (size_t at = FILE_SEGMENT_HEADER_BYTES; at + FILE_BATCH_HEADER_BYTES < sizeof bytes;
         at += FILE_BATCH_ALIGN) {
        struct file_batch_header header;
        if (file_batch_header_decode(slice_from(bytes + at, sizeof bytes - at), inside->seed, 1, at,
                                     &header) &&
            header.records_count > 0) {
            last = header;
        }
    }
    EXPECT(last.records_count > 0);
    return last;
}

/* Three batches; the third has three records with bodies, and nothing vouches for it. */
static struct kit *make_three_batches(void) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    kit_commit(kit, 100);
    kit_append(kit, 50);
    kit_commit(kit, 300);
    kit_append(kit, 70);
    kit_append(kit, 0);
    kit_commit(kit, 90);
    EXPECT_INT(kit->durable, 6);
    return kit;
}

/* Restores the first 64 KiB of the crashed copy's segment. */
static void restore(struct kit *crashed, const char *image) {
    kit_poke(crashed, 1, 0, image, SMALL_COPY);
}

/* Replays a copy that was changed: exactly `count` records, and epoch 2 comes. */
static void expect_records(struct kit *crashed, uint64_t count) {
    EXPECT_INT(kit_replay(crashed), 0);
    EXPECT_INT(crashed->replayed_count, count);
    EXPECT(!crashed->replayed_wrong);
    EXPECT_INT(kit_inside(crashed)->epoch, 2);
    kit_close(crashed);
}

/* The last batch is cut at every byte: what was durable before it is there, and nothing of it, until
 * it is whole. */
TEST(recovery_of_a_tail_torn_at_every_byte) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    struct kit *crashed = kit_crash(kit, SMALL_COPY);
    char image[SMALL_COPY];
    kit_peek(kit, 1, 0, image, sizeof image);
    uint64_t bytes = FILE_BATCH_HEADER_BYTES + last.bodies_bytes + last.records_bytes;
    for (uint64_t cut = 0; cut <= bytes; cut++) {
        restore(crashed, image);
        char zeros[1024] = {0};
        kit_poke(crashed, 1, last.offset + cut, zeros, (size_t)(bytes - cut));
        /* The very last bytes may be zeros themselves. */
        char now[1024];
        kit_peek(crashed, 1, last.offset, now, (size_t)bytes);
        bool is_whole = memcmp(now, image + last.offset, (size_t)bytes) == 0;
        expect_records(crashed, is_whole ? 6 : 3);
    }
    kit_end(crashed);
    kit_end(kit);
}

/* The same with each byte of the last batch changed: blocks of a torn write arrive in any order. */
TEST(recovery_of_a_tail_garbled_at_every_byte) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    struct kit *crashed = kit_crash(kit, SMALL_COPY);
    uint64_t bytes = FILE_BATCH_HEADER_BYTES + last.bodies_bytes + last.records_bytes;
    for (uint64_t at = 0; at < bytes; at++) {
        kit_flip(crashed, 1, last.offset + at);
        expect_records(crashed, 3);
        kit_flip(crashed, 1, last.offset + at);
    }
    expect_records(crashed, 6);
    kit_end(crashed);
    kit_end(kit);
}

/* After a cut tail the journal goes on, and what was cut never comes back: not in the next life, and
 * not when another crash tears the batch that covered it. */
TEST(recovery_goes_on_after_a_torn_tail) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    for (uint64_t cut = 8; cut < FILE_BATCH_HEADER_BYTES + last.bodies_bytes; cut += 61) {
        struct kit *crashed = kit_crash(kit, SMALL_COPY);
        char zeros[64] = {0};
        kit_poke(crashed, 1, last.offset + cut, zeros, sizeof zeros);
        EXPECT_INT(kit_open(crashed), 0);
        EXPECT_INT(crashed->replayed_count, 3);
        EXPECT(cut < 16 || strstr(crashed->said, "unsynced tail") != NULL);
        for (int i = 0; i < 5; i++) kit_commit(crashed, 40);
        EXPECT_INT(crashed->durable, 8);
        struct kit *again = kit_crash(crashed, SMALL_COPY);
        EXPECT_INT(kit_open(again), 0);
        EXPECT_INT(again->replayed_count, 8);
        EXPECT(!again->replayed_wrong);
        for (uint64_t lsn = 1; lsn <= 8; lsn++) EXPECT_INT(kit_read(again, lsn), 0);
        kit_end(again);
        kit_end(crashed);
    }
    kit_end(kit);
}

/* A bit that flips where a later batch says all was durable is damage: start is refused with the
 * place. Only a body's own bytes are found later, when it is read. */
TEST(recovery_finds_damage_in_the_middle) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    kit_close(kit);
    struct kit *crashed = kit_crash(kit, SMALL_COPY);
    uint64_t damaged = 0;
    uint64_t harmless = 0; /* padding and bodies */
    for (uint64_t at = FILE_SEGMENT_HEADER_BYTES; at < last.offset; at++) {
        kit_flip(crashed, 1, at);
        crashed->said[0] = '\0';
        int rc = kit_replay(crashed);
        EXPECT(rc == 0 || rc == -EBADMSG);
        if (rc == 0) {
            EXPECT_INT(crashed->replayed_count, 6);
            harmless++;
        } else {
            EXPECT(strstr(crashed->said, "damage in 0000000000000001.segment at offset") != NULL);
            damaged++;
        }
        kit_close(crashed);
        kit_flip(crashed, 1, at);
    }
    /* Three batch headers, three records with their frames. */
    EXPECT(damaged >= 3 * FILE_BATCH_HEADER_BYTES + 3 * (FILE_FRAME_BYTES + 8));
    EXPECT(harmless >= 450 && harmless < 450 + 3 * FILE_BATCH_ALIGN);
    kit_end(crashed);
    kit_end(kit);
}

/* Told to accept it, the journal ends at the damage and goes on from there; what lay behind is gone
 * for good. */
TEST(recovery_accepts_damage_when_told) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    kit_close(kit);
    kit_flip(kit, 1, last.offset + 70);
    EXPECT_INT(kit_open(kit), -EBADMSG);
    kit_close(kit);
    kit->options.accept_damage = true;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 3);
    kit_commit(kit, 20);
    EXPECT_INT(kit->durable, 4);
    kit_close(kit);
    kit->options.accept_damage = false;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 4);
    kit_end(kit);
}

/* With durability none too: what was durable before the damage is not asked for again at the next
 * start, so a body there that is damaged as well ends nothing. */
TEST(recovery_accepts_damage_once) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    struct body_ref second = kit->refs[2];
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0); /* its first batch says that all three were durable */
    kit_close(kit);
    kit_flip(kit, 1, second.position % KIT_SEGMENT_BYTES);
    kit_flip(kit, 1, last.offset + FILE_BATCH_HEADER_BYTES + last.bodies_bytes + 1);
    kit->options.no_sync = kit->options.accept_damage = true;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 3);
    kit_commit(kit, 20);
    kit_close(kit);
    kit->options.accept_damage = false;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 4);
    kit_end(kit);
}

/* A header whose numbers no log comes to is none, be its checksum right: they would overflow. */
TEST(headers_with_impossible_numbers_are_none) {
    static const struct file_batch_header headers[] = {
        {.number = 1, .offset = 4096, .lsn_first = 0},
        {.number = 1, .offset = 4096, .lsn_first = UINT64_MAX},
        {.number = 1, .offset = 4096, .lsn_first = 1, .durable = UINT64_MAX},
        {.number = 1, .offset = 4096, .lsn_first = 1, .epoch = UINT64_MAX},
        {.number = 1, .offset = 4096, .lsn_first = 1}, /* this one is good */
    };
    for (size_t i = 0; i < ARRAY_COUNT(headers); i++) {
        char bytes[FILE_BATCH_HEADER_BYTES];
        struct file_batch_header out;
        file_batch_header_encode(bytes, 7, &headers[i]);
        EXPECT_INT(file_batch_header_decode(slice_from(bytes, sizeof bytes), 7, 1, 4096, &out),
                   i + 1 == ARRAY_COUNT(headers));
    }
}

/* A segment that became shorter is damaged, wherever its batches end now, and whether or not its
 * header is still there. */
TEST(recovery_finds_a_segment_that_became_shorter) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    kit_close(kit);
    char path[128];
    snprintf(path, sizeof path, "%s/%016x.segment", kit->path, 1);
    EXPECT_INT(truncate(path, (off_t)last.offset), 0);
    EXPECT_INT(kit_open(kit), -EBADMSG);
    EXPECT(strstr(kit->said, "0000000000000001.segment: it has ") != NULL);
    kit_close(kit);
    EXPECT_INT(truncate(path, 0), 0);
    EXPECT_INT(kit_open(kit), -EBADMSG);
    kit_close(kit);
    EXPECT_INT(truncate(path, KIT_SEGMENT_BYTES), 0);
    kit_end(kit);
}

/* Accepted, a shorter segment is not asked about again: be it the one with the log's end, or a ready
 * one behind it. */
TEST(recovery_accepts_a_shorter_segment_once) {
    for (uint64_t number = 1; number <= 2; number++) {
        struct kit *kit = make_three_batches();
        kit_close(kit);
        char path[160];
        kit_segment_file(kit, number, path);
        EXPECT_INT(truncate(path, 60000), 0);
        EXPECT_INT(kit_open(kit), -EBADMSG);
        kit_close(kit);
        kit->options.accept_damage = true;
        EXPECT_INT(kit_open(kit), 0);
        kit_close(kit);
        kit->options.accept_damage = false;
        EXPECT_INT(kit_open(kit), 0);
        EXPECT_INT(kit->replayed_count, 6);
        kit_end(kit);
    }
}

/* Damage is seen across segments too: in a header of a segment, in a batch of one in the middle, and
 * when a whole segment is missing. */
TEST(recovery_finds_damage_across_segments) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 20; i++) kit_commit(kit, 800 * 1024);
    kit_close(kit);
    EXPECT(kit_has_segment(kit, 4));

    kit_flip(kit, 2, 20); /* the number in its header */
    EXPECT_INT(kit_replay(kit), -EBADMSG);
    kit_close(kit);
    kit_flip(kit, 2, 20);
    kit_flip(kit, 2, FILE_SEGMENT_HEADER_BYTES + 30);
    kit_remove_summary(kit, 2); /* by which it would have been passed over */
    EXPECT_INT(kit_replay(kit), -EBADMSG);
    kit_close(kit);
    kit_flip(kit, 2, FILE_SEGMENT_HEADER_BYTES + 30);
    EXPECT_INT(kit_replay(kit), 0);
    EXPECT_INT(kit->replayed_count, 20);
    kit_close(kit);

    char path[160];
    kit_segment_file(kit, 3, path);
    EXPECT_INT(unlink(path), 0);
    EXPECT_INT(kit_replay(kit), -EBADMSG);
    EXPECT(strstr(kit->said, "missing") != NULL);
    kit_end(kit);
}

static void swap_segments(const struct kit *kit, uint64_t a, uint64_t b) {
    char paths[3][160];
    kit_segment_file(kit, a, paths[0]);
    kit_segment_file(kit, b, paths[1]);
    kit_file(kit, "between", paths[2]);
    EXPECT_INT(rename(paths[0], paths[2]), 0);
    EXPECT_INT(rename(paths[1], paths[0]), 0);
    EXPECT_INT(rename(paths[2], paths[1]), 0);
}

/* Two segments whose names were swapped hold no batch that counts, and are damage all the same,
 * wherever they stand: before the first batch, in the middle, at the end. */
TEST(recovery_finds_segments_with_swapped_names) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 10; i++) kit_commit(kit, 800 * 1024);
    kit_close(kit);
    EXPECT(kit_has_segment(kit, 3) && !kit_has_segment(kit, 5));
    uint64_t newest = kit_has_segment(kit, 4) ? 4 : 3;
    for (uint64_t first = 1; first < newest; first++) {
        swap_segments(kit, first, first + 1);
        kit->said[0] = '\0';
        EXPECT_INT(kit_replay(kit), -EBADMSG);
        EXPECT(strstr(kit->said, "journal: damage in 000000000000000") != NULL);
        kit_close(kit);
        swap_segments(kit, first, first + 1);
    }
    EXPECT_INT(kit_replay(kit), 0);
    EXPECT_INT(kit->replayed_count, 10);
    kit_close(kit);

    swap_segments(kit, 1, 2);
    kit->options.accept_damage = true;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 0);
    kit_commit(kit, 20);
    kit_close(kit);
    kit->options.accept_damage = false;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 1);
    kit_end(kit);
}

/* Zeros where the batches of the first of two segments were are damage too: the second one got its
 * name after the first batch was durable. */
TEST(recovery_finds_a_log_without_a_batch) {
    for (int no_sync = 0; no_sync < 2; no_sync++) {
        struct kit *kit = kit_make();
        kit->options.no_sync = no_sync == 1;
        EXPECT_INT(kit_open(kit), 0);
        kit_settle(kit);
        kit_close(kit);
        EXPECT(kit_has_segment(kit, 2));
        char zeros[SMALL_COPY] = {0};
        kit_poke(kit, 1, FILE_SEGMENT_HEADER_BYTES, zeros, sizeof zeros);
        EXPECT_INT(kit_replay(kit), -EBADMSG);
        EXPECT(strstr(kit->said, "nothing in it can be read") != NULL);
        kit_close(kit);
        kit->options.accept_damage = true;
        EXPECT_INT(kit_open(kit), 0);
        kit_end(kit);
    }
}

/* A new folder whose making was cut short by a crash, at each step: it starts, and is empty. */
TEST(recovery_of_a_folder_that_was_just_made) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_replay(kit), 0); /* a segment and a format, nothing else */
    kit_close(kit);
    EXPECT(!kit_has_segment(kit, 2));
    struct kit *never_started = kit_crash(kit, KIT_SEGMENT_BYTES);
    EXPECT_INT(kit_open(never_started), 0);
    kit_end(never_started);

    EXPECT_INT(kit_open(kit), 0); /* the first batch is written, segment 2 not yet made */
    EXPECT(!kit_has_segment(kit, 2));
    struct kit *torn = kit_crash(kit, KIT_SEGMENT_BYTES);
    char zeros[FILE_BATCH_HEADER_BYTES] = {0};
    kit_poke(torn, 1, FILE_SEGMENT_HEADER_BYTES, zeros, sizeof zeros);
    EXPECT_INT(kit_open(torn), 0);
    kit_end(torn);

    kit_settle(kit); /* segment 2 is there */
    EXPECT(kit_has_segment(kit, 2));
    struct kit *prepared = kit_crash(kit, KIT_SEGMENT_BYTES);
    kit_poke(prepared, 2, 0, zeros, sizeof zeros); /* its header was on its way */
    EXPECT_INT(kit_open(prepared), 0);
    EXPECT_INT(prepared->replayed_count, 0);
    kit_commit(prepared, 10);
    EXPECT_INT(prepared->durable, 1);
    kit_end(prepared);
    kit_end(kit);
}

/* A batch whose header and records came to the disk and whose bodies did not is torn. */
TEST(recovery_verifies_the_bodies_of_the_last_batch) {
    struct kit *kit = make_three_batches();
    struct file_batch_header last = last_batch(kit);
    struct kit *crashed = kit_crash(kit, SMALL_COPY);
    char zeros[160] = {0};
    kit_poke(crashed, 1, last.offset + FILE_BATCH_HEADER_BYTES, zeros, sizeof zeros);
    expect_records(crashed, 3);
    kit_end(crashed);
    kit_end(kit);
}

/* The torn batch may be the first of a new segment; its header must not vouch for what is before. */
TEST(recovery_of_a_torn_tail_in_a_new_segment) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    while (kit->refs[kit->durable].position / KIT_SEGMENT_BYTES < 2) kit_commit(kit, 900 * 1024);
    uint64_t last = kit->durable;
    struct kit *crashed = kit_crash(kit, KIT_SEGMENT_BYTES);
    kit_flip(crashed, 2, FILE_SEGMENT_HEADER_BYTES + 1000);
    for (int life = 0; life < 2; life++) {
        EXPECT_INT(kit_open(crashed), 0);
        EXPECT_INT(crashed->replayed_last, last - 1 + (uint64_t)life);
        kit_commit(crashed, 900 * 1024);
        EXPECT_INT(crashed->durable, last + (uint64_t)life);
        kit_close(crashed);
    }
    kit_end(crashed);
    kit_end(kit);
}

/* A body that is damaged later is found when it is read, each time, from memory to disk. */
TEST(read_body_finds_damage) {
    struct kit *kit = make_three_batches();
    kit_flip(kit, 1, kit->refs[1].position % KIT_SEGMENT_BYTES + 3);
    EXPECT_INT(kit_read(kit, 1), -EBADMSG);
    EXPECT_INT(kit_read(kit, 2), 0);
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0); /* the last batch vouches for the first, so bodies are not read */
    EXPECT_INT(kit_read(kit, 1), -EBADMSG);
    struct kit_wanted wanted = {.kit = kit, .lsn = 1};
    struct body_ref nowhere = {.position = 77ull * KIT_SEGMENT_BYTES, .count = 5};
    EXPECT(journal_read_body(kit->journal, nowhere, kit_body_done, &wanted));
    EXPECT_INT(kit->body_result, -ENOENT);
    kit_end(kit);
}

/* Each life has an epoch of its own, whether the one before was closed or crashed, had written
 * anything or not. */
TEST(epochs_grow_over_many_lives) {
    struct kit *kit = kit_make();
    uint64_t records = 0;
    for (uint64_t life = 1; life <= 30; life++) {
        EXPECT_INT(kit_open(kit), 0);
        EXPECT_INT(kit->replayed_count, records);
        struct journal_status status;
        journal_get_status(kit->journal, &status);
        EXPECT_INT(status.epoch, life);
        EXPECT_INT(status.lsn_appended, records);
        for (uint64_t i = 0; i < life % 4; i++) kit_commit(kit, 30);
        records += life % 4;
        if (life % 3 == 0) { /* a crash: what is open goes on with the copy */
            kit_settle(kit);
            struct kit *crashed = kit_crash(kit, KIT_SEGMENT_BYTES);
            kit_end(kit);
            kit = crashed;
        } else {
            kit_close(kit);
        }
    }
    kit_end(kit);
}

/* What a cut-off tail left behind the new end, in whole segments even, is no damage and no record. */
TEST(recovery_ignores_what_an_older_epoch_left) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    for (int i = 0; i < 16; i++) kit_commit(kit, 800 * 1024);
    uint64_t position = kit->refs[6].position; /* in segment 2 */
    EXPECT_INT(position / KIT_SEGMENT_BYTES, 2);
    kit_close(kit);
    kit_flip(kit, 2, position % KIT_SEGMENT_BYTES - 30);
    kit_remove_summary(kit, 2);
    kit->options.accept_damage = true;
    EXPECT_INT(kit_open(kit), 0);
    EXPECT_INT(kit->replayed_count, 5);
    kit->options.accept_damage = false;
    kit_commit(kit, 100); /* far smaller than what it covers */
    struct kit *crashed = kit_crash(kit, KIT_SEGMENT_BYTES);
    EXPECT_INT(kit_open(crashed), 0);
    EXPECT_INT(crashed->replayed_count, 6);
    for (int i = 0; i < 12; i++) kit_commit(crashed, 800 * 1024); /* through the old segments */
    struct kit *again = kit_crash(crashed, KIT_SEGMENT_BYTES);
    EXPECT_INT(kit_open(again), 0);
    EXPECT_INT(again->replayed_count, 18);
    EXPECT(!again->replayed_wrong);
    kit_end(again);
    kit_end(crashed);
    kit_end(kit);
}

/* A client's bytes that look like a batch at the right place are not one: the seed is secret. */
TEST(recovery_is_not_fooled_by_a_body) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    kit_commit(kit, 200);
    struct file_batch_header fake = {.number = 1,
                                     .offset = kit_inside(kit)->next_offset,
                                     .epoch = 1,
                                     .lsn_first = 2,
                                     .durable = 1000,
                                     .follows_durable = true};
    fake.offset += FILE_BATCH_ALIGN;
    char bytes[FILE_BATCH_HEADER_BYTES];
    file_batch_header_encode(bytes, 12345, &fake);
    struct kit *crashed = kit_crash(kit, SMALL_COPY);
    kit_poke(crashed, 1, fake.offset, bytes, sizeof bytes);
    expect_records(crashed, 1);
    file_batch_header_encode(bytes, kit_inside(kit)->seed, &fake); /* with the seed, it would be */
    kit_poke(crashed, 1, fake.offset, bytes, sizeof bytes);
    EXPECT_INT(kit_replay(crashed), -EBADMSG);
    kit_end(crashed);
    kit_end(kit);
}

/* A newer format is refused in words; a damaged one too; a folder without one is not taken over. */
TEST(open_reads_the_format) {
    struct kit *kit = make_three_batches();
    kit_close(kit);
    char path[160];
    kit_file(kit, "format", path);
    char text[256] = {0};
    int fd = open(path, O_RDWR);
    ssize_t count = pread(fd, text, sizeof text - 1, 0);
    EXPECT(count > 20);
    for (ssize_t at = 0; at < count - 1; at++) { /* without the last newline */
        text[at] ^= 4;
        EXPECT_INT(pwrite(fd, text, (size_t)count, 0), count);
        int rc = kit_replay(kit);
        EXPECT(rc == -EBADMSG || rc == -EPROTONOSUPPORT);
        text[at] ^= 4;
    }
    char newer[] = "takt-journal 3\n";
    EXPECT_INT(pwrite(fd, newer, strlen(newer), 0), strlen(newer));
    kit->said[0] = '\0';
    EXPECT_INT(kit_replay(kit), -EPROTONOSUPPORT);
    EXPECT(strstr(kit->said, "newer takt") != NULL);
    EXPECT_INT(pwrite(fd, text, (size_t)count, 0), count);
    EXPECT_INT(kit_replay(kit), 0);
    EXPECT_INT(kit->replayed_count, 6);
    close(fd);
    kit_close(kit);
    EXPECT_INT(unlink(path), 0);
    EXPECT(kit_has_segment(kit, 2));
    EXPECT_INT(kit_replay(kit), -EBADMSG);
    kit_segment_file(kit, 2, path);
    EXPECT_INT(unlink(path), 0);
    EXPECT_INT(kit_replay(kit), -EBADMSG); /* one segment, but there is something in it */
    kit_end(kit);
}

static int refuse(void *context, const struct journal_record *record) {
    (void)context;
    return record->lsn == 4 ? -EBADMSG : 0;
}

/* What the caller's function says ends the replay, even where it is a word of our own. */
TEST(replay_returns_what_the_caller_said) {
    struct kit *kit = make_three_batches();
    kit_close(kit);
    EXPECT_INT(journal_file_open(&kit->options, &kit->journal), 0);
    EXPECT_INT(journal_replay(kit->journal, refuse, NULL), -EBADMSG);
    EXPECT(strstr(kit->said, "damage") == NULL);
    kit_end(kit);
}
