/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_reach.c -- how far into a segment batches may lie, so that a start need not search it
 * all.
 *
 *   header | batches … | the end | nothing was ever written here |  nor here: beyond the reach
 *                      └──────── searched at a start ────────────┘
 *
 * A segment's reach is on the disk before a batch is written that ends behind it. Two slots are
 * written in turn, each in a sector of its own: a torn one leaves the other, and whoever finds one
 * that cannot be read searches the whole segment.
 *
 * Between two commits, never beside one: the kernel tells a failed write-back once to each open
 * file, so the sync of a slot could hear of what happened to a batch, and the batch's own would not.
 * With durability none a batch may be lost, and one behind it not. Then a segment's reach is all of
 * it before the first batch, and that is synced.
 */
#include "journal/file/file_house.h"

#define STEP_BYTES (4ull * 1024 * 1024)

static void choose(struct file_journal *journal, struct file_segment *segment, uint64_t end) {
    CHECK(end <= segment->capacity);
    uint64_t reach = journal->no_sync ? segment->capacity : end + STEP_BYTES;
    if (reach > segment->capacity) reach = segment->capacity;
    journal->reach_wanted = reach;
    segment->reach_slot = (segment->reach_slot + 1) % FILE_REACH_SLOTS;
}

static void end_raise(void *context, int64_t result) {
    struct file_journal *journal = context;
    struct file_segment *segment = journal->reaching;
    journal->reaching = NULL;
    if (file_hold_drop(journal) || journal->closed) return;
    if (result < 0) {
        file_commit_fail(journal, (int)result);
        return;
    }
    segment->reach = journal->reach_wanted;
    file_commit_next(journal);
}

void file_reach_raise(struct file_journal *journal, struct file_segment *segment, uint64_t end) {
    CHECK(journal->reaching == NULL && journal->committing == NULL);
    choose(journal, segment, end);
    file_reach_encode(journal->reach_bytes, journal->seed, segment->number, journal->reach_wanted);
    journal->reach_piece = (struct env_bytes){journal->reach_bytes, FILE_REACH_BYTES};
    journal->reaching = segment;
    journal->holds_count++;
    journal->env->ops->write_and_sync(journal->env, segment->file,
                                      file_reach_offset(segment->reach_slot), &journal->reach_piece,
                                      1, true, end_raise, journal);
}

/* While a journal is being closed a raise may be under way: it has the other slot, and the larger
 * reach counts. */
int file_reach_cover(struct file_journal *journal, struct file_segment *segment,
                     struct env_file *file, uint64_t end) {
    if (end <= segment->reach) return 0;
    choose(journal, segment, end);
    char bytes[FILE_REACH_BYTES];
    file_reach_encode(bytes, journal->seed, segment->number, journal->reach_wanted);
    const struct env_ops *ops = journal->env->ops;
    uint64_t offset = file_reach_offset(segment->reach_slot);
    int rc = ops->write(journal->env, file, offset, bytes, sizeof bytes);
    if (rc == 0) rc = ops->sync(journal->env, file);
    if (rc == 0) segment->reach = journal->reach_wanted;
    return rc;
}
