/* SPDX-License-Identifier: Apache-2.0 */
/* Many lives of one journal, each ended by a crash in the middle of a commit. */
#include "journal_kit.h"

#define LIVES 25u
#define BLOCK_BYTES 512u

struct lives {
    struct kit *kit;
    uint64_t random;
    uint64_t durable;  /* promised in the life before */
    uint64_t appended; /* by it */
};

static uint64_t next_random(struct lives *lives, uint64_t below) {
    lives->random ^= lives->random << 13;
    lives->random ^= lives->random >> 7;
    lives->random ^= lives->random << 17;
    return lives->random % below;
}

static void append_some(struct lives *lives) {
    uint64_t count = 1 + next_random(lives, 6);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t size = next_random(lives, 10) == 0 ? 1500000 : 60000;
        kit_append(lives->kit, (size_t)next_random(lives, size));
    }
}

static void live(struct lives *lives) {
    struct kit *kit = lives->kit;
    int rc = kit_open(kit);
    if (rc)
        fprintf(stderr, "%s durable %lu appended %lu\n", kit->said, lives->durable,
                lives->appended);
    EXPECT_INT(rc, 0);
    EXPECT(!kit->replayed_wrong);
    EXPECT(kit->replayed_last >= lives->durable);
    EXPECT(kit->replayed_last <= lives->appended);
    for (uint64_t lsn = kit->replayed_first; lsn > 0 && lsn <= kit->replayed_last; lsn++) {
        if (kit->refs[lsn].count > 0) EXPECT_INT(kit_read(kit, lsn), 0);
    }
    uint64_t steps = next_random(lives, 12);
    for (uint64_t i = 0; i < steps; i++) {
        append_some(lives);
        if (next_random(lives, 10) < 6) kit_settle(kit);
        if (next_random(lives, 10) == 0) journal_trim(kit->journal, kit->durable);
    }
    kit_settle(kit);
    EXPECT(!kit->durable_out_of_order);
}

/* Of the batch on its way, some blocks have arrived and others have not. */
static void tear(struct lives *lives, struct kit *crashed, const struct file_batch *batch) {
    static const char zeros[BLOCK_BYTES];
    if (batch == NULL || !kit_has_segment(crashed, batch->number)) return;
    uint64_t bytes = file_batch_bytes(batch->bodies.count, batch->records.count);
    uint64_t out_of = 1 + next_random(lives, 1 + bytes / BLOCK_BYTES);
    for (uint64_t at = 0; at < bytes; at += BLOCK_BYTES) {
        if (next_random(lives, out_of) != 0) continue;
        uint64_t count = bytes - at < BLOCK_BYTES ? bytes - at : BLOCK_BYTES;
        kit_poke(crashed, batch->number, batch->offset + at, zeros, (size_t)count);
    }
}

static void crash(struct lives *lives) {
    struct kit *kit = lives->kit;
    append_some(lives);
    journal_flush(kit->journal);
    append_some(lives); /* these reach no batch that is written */
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    lives->durable = kit->durable;
    lives->appended = status.lsn_appended;
    struct kit *crashed =
        kit_crash(kit, KIT_SEGMENT_BYTES); /* a pool thread is writing meanwhile */
    tear(lives, crashed, kit_inside(kit)->committing);
    kit_end(kit);
    lives->kit = crashed;
}

static void run(uint64_t seed) {
    struct lives lives = {.kit = kit_make(), .random = seed};
    for (uint32_t life = 0; life < LIVES; life++) {
        live(&lives);
        struct journal_status status;
        journal_get_status(lives.kit->journal, &status);
        EXPECT_INT(status.epoch, life + 1);
        crash(&lives);
    }
    kit_end(lives.kit);
}

/* Everything promised in one life is there in the next, whatever the crash has torn; nothing that
 * was not appended is, and no life takes another's torn tail for damage. */
TEST(lives_keep_every_promise) {
    for (uint64_t seed = 1; seed <= 2; seed++) run(seed * 0x9E3779B97F4A7C15u);
}
