/* SPDX-License-Identifier: Apache-2.0 */
/* How far a start searches behind the log's end, and that nothing ever lies farther. */
#include "journal_kit.h"

#define PIECE ((size_t)64 * 1024)

static struct file_segment_header header_of(const struct kit *kit, uint64_t seed, uint64_t number) {
    char bytes[FILE_SEGMENT_HEADER_BYTES];
    kit_peek(kit, number, 0, bytes, sizeof bytes);
    struct file_segment_header header;
    EXPECT(file_segment_header_decode(slice_from(bytes, sizeof bytes), seed, number, &header));
    return header;
}

/* The end of the last thing in a segment that is not zero; the header's 4096 do not count. */
static uint64_t written_up_to(const struct kit *kit, uint64_t number) {
    static const char zeros[PIECE];
    char bytes[PIECE] = {0};
    uint64_t end = 0;
    for (uint64_t at = 0; at < KIT_SEGMENT_BYTES; at += PIECE) {
        kit_peek(kit, number, at, bytes, PIECE);
        size_t from = at == 0 ? FILE_SEGMENT_HEADER_BYTES : 0;
        if (memcmp(bytes + from, zeros, PIECE - from) == 0) continue;
        for (size_t i = from; i < PIECE; i++) {
            if (bytes[i] != 0) end = at + i + 1;
        }
    }
    return end;
}

static void expect_all_within_reach(struct kit *kit) {
    uint64_t seed = kit_inside(kit)->seed;
    for (uint64_t number = 1; kit_has_segment(kit, number); number++) {
        EXPECT(written_up_to(kit, number) <= header_of(kit, seed, number).reach);
    }
}

/* Whatever is appended, in which life, synced or not, closed or crashed: on the disk nothing lies
 * behind a segment's reach. */
TEST(no_batch_lies_behind_the_reach) {
    for (int no_sync = 0; no_sync < 2; no_sync++) {
        struct kit *kit = kit_make();
        for (int life = 0; life < 3; life++) {
            kit->options.no_sync = no_sync == 1 && life != 1;
            EXPECT_INT(kit_open(kit), 0);
            expect_all_within_reach(kit);
            for (int i = 0; i < 8; i++) {
                kit_commit(kit, (size_t)(i * 97) * 1024 + 10);
                expect_all_within_reach(kit);
            }
            kit_append(kit, 1500 * 1024); /* the close writes it */
            kit_close(kit);
        }
        EXPECT_INT(kit_open(kit), 0);
        EXPECT_INT(kit->replayed_count, 27);
        kit_end(kit);
    }
}

/* A new segment's reach is short, and grows as batches come: only so far is searched. */
TEST(the_reach_grows_in_steps) {
    struct kit *kit = kit_make();
    kit->options.segment_bytes = 4 * KIT_SEGMENT_BYTES;
    EXPECT_INT(kit_open(kit), 0);
    kit_settle(kit);
    uint64_t seed = kit_inside(kit)->seed;
    EXPECT_INT(header_of(kit, seed, 2).reach, FILE_REACH_FIRST);
    while (kit_inside(kit)->next_number < 2) kit_commit(kit, 900 * 1024);
    kit_commit(kit, 900 * 1024);
    uint64_t reach = header_of(kit, seed, 2).reach;
    EXPECT(reach > FILE_REACH_FIRST && reach < 4ull * KIT_SEGMENT_BYTES);
    kit_close(kit);
    EXPECT_INT(kit_open(kit), 0); /* a start raises nothing that need not be */
    EXPECT_INT(header_of(kit, seed, 2).reach, reach);
    kit_end(kit);
}

/* A batch that says that more was durable, at this offset of segment 1. */
static void poke_witness(struct kit *kit, uint64_t seed, uint64_t offset) {
    struct file_batch_header witness = {.number = 1,
                                        .offset = offset,
                                        .epoch = 1,
                                        .lsn_first = 1000,
                                        .durable = 999,
                                        .follows_durable = true};
    char bytes[FILE_BATCH_HEADER_BYTES];
    file_batch_header_encode(bytes, seed, &witness);
    kit_poke(kit, 1, offset, bytes, sizeof bytes);
}

/* Up to the reach a later batch is found, however far behind the place; where the reach itself
 * cannot be read, or there is none, all is searched. */
TEST(the_search_goes_as_far_as_the_reach) {
    struct kit *kit = kit_make();
    EXPECT_INT(kit_open(kit), 0);
    kit_commit(kit, 100);
    uint64_t seed = kit_inside(kit)->seed;
    struct file_segment_header header = header_of(kit, seed, 1);
    EXPECT_INT(header.reach, FILE_REACH_FIRST);
    kit_settle(kit);
    struct kit *near = kit_crash(kit, KIT_SEGMENT_BYTES);
    poke_witness(near, seed, FILE_REACH_FIRST - FILE_BATCH_ALIGN);
    EXPECT_INT(kit_replay(near), -EBADMSG);
    EXPECT(strstr(near->said, "says that it was durable") != NULL);
    kit_end(near);

    struct kit *far = kit_crash(kit, KIT_SEGMENT_BYTES);
    poke_witness(far, seed, KIT_SEGMENT_BYTES - 2 * FILE_BATCH_ALIGN);
    EXPECT_INT(kit_replay(far), 0); /* not searched there: no takt has put it there */
    kit_close(far);
    for (uint32_t slot = 0; slot < FILE_REACH_SLOTS; slot++) {
        kit_flip(far, 1, file_reach_offset(slot) + 9);
        EXPECT_INT(kit_replay(far), -EBADMSG);
        kit_close(far);
        kit_flip(far, 1, file_reach_offset(slot) + 9);
    }
    char zeros[FILE_REACH_BYTES] = {0};
    kit_poke(far, 1, file_reach_offset(0), zeros, sizeof zeros);
    EXPECT_INT(kit_replay(far), -EBADMSG);
    kit_end(far);
    kit_end(kit);
}

/* Of the two slots the larger counts: a raise that did not come to the disk whole costs nothing but
 * time. */
TEST(the_larger_reach_counts) {
    struct file_segment_header header = {KIT_SEGMENT_BYTES, FILE_REACH_FIRST, 0};
    char bytes[FILE_SEGMENT_HEADER_BYTES] = {0};
    struct slice all = slice_from(bytes, sizeof bytes);
    file_segment_header_encode(bytes, 7, 3, &header);
    EXPECT(file_segment_header_decode(all, 7, 3, &header));
    EXPECT(header.reach == FILE_REACH_FIRST && header.reach_slot == 0);
    file_reach_encode(bytes + file_reach_offset(1), 7, 3, 2 * FILE_REACH_FIRST);
    EXPECT(file_segment_header_decode(all, 7, 3, &header));
    EXPECT(header.reach == 2 * FILE_REACH_FIRST && header.reach_slot == 1);
    file_reach_encode(bytes + file_reach_offset(0), 7, 3, 3 * FILE_REACH_FIRST);
    EXPECT(file_segment_header_decode(all, 7, 3, &header));
    EXPECT(header.reach == 3 * FILE_REACH_FIRST && header.reach_slot == 0);
    for (size_t at = 0; at < FILE_REACH_BYTES; at++) {
        bytes[file_reach_offset(1) + at] ^= 1;
        EXPECT(file_segment_header_decode(all, 7, 3, &header));
        EXPECT_INT(header.reach, KIT_SEGMENT_BYTES);
        bytes[file_reach_offset(1) + at] ^= 1;
    }
    file_reach_encode(bytes + file_reach_offset(1), 7, 2, FILE_REACH_FIRST); /* of an earlier use */
    EXPECT(file_segment_header_decode(all, 7, 3, &header));
    EXPECT_INT(header.reach, KIT_SEGMENT_BYTES);
    EXPECT(file_segment_header_decode(slice_from(bytes, 100), 7, 3, &header));
    EXPECT_INT(header.reach, KIT_SEGMENT_BYTES);
}
