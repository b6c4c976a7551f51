/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_commit.c -- one batch after the other to the disk: one write, one sync.
 *
 *   filling --seal--> sealed … sealed --> committing --> durable, said to the caller
 *
 * One commit at a time: so when a batch can be found on the disk, all before it were durable when it
 * was written, and recovery may count on that. While a commit is under way the next batch fills.
 *
 * A failed write or sync is final. The kernel may have thrown the pages away and would report
 * success the next time, so nobody tries again.
 */
#include "base/hash.h"
#include "journal/file/file_house.h"

#include <errno.h>
#include <string.h>

static const char padding[FILE_BATCH_ALIGN];

void file_commit_encode(struct file_journal *journal, struct file_batch *batch,
                        bool follows_durable) {
    struct slice records = buffer_slice(&batch->records);
    struct file_batch_header header = {
        .number = batch->number,
        .offset = batch->offset,
        .epoch = journal->epoch,
        .lsn_first = batch->lsn_first,
        .durable = journal->lsn_synced,
        .bodies_bytes = batch->bodies.count,
        .records_checksum = hash64_seeded(records, journal->seed),
        .records_bytes = (uint32_t)records.count,
        .records_count = batch->records_count,
        .follows_durable = follows_durable,
    };
    file_batch_header_encode(batch->header, journal->seed, &header);
    uint64_t bytes_count = FILE_BATCH_HEADER_BYTES + batch->bodies.count + records.count;
    uint64_t padding_count = file_batch_bytes(batch->bodies.count, records.count) - bytes_count;
    batch->pieces[0] = (struct env_bytes){batch->header, sizeof batch->header};
    batch->pieces[1] = (struct env_bytes){batch->bodies.bytes, batch->bodies.count};
    batch->pieces[2] = (struct env_bytes){batch->records.bytes, records.count};
    batch->pieces[3] = (struct env_bytes){padding, (size_t)padding_count};
}

void file_commit_note(struct file_journal *journal, const struct file_batch *batch) {
    struct file_segment *segment = file_segment_find(journal, batch->number);
    CHECK(segment != NULL);
    if (batch->offset == FILE_SEGMENT_HEADER_BYTES) segment->lsn_first = batch->lsn_first;
    journal->lsn_durable = batch->lsn_first + batch->records_count - 1;
    if (!journal->no_sync) journal->lsn_synced = journal->lsn_durable;
    journal->durable_number = batch->number;
    journal->durable_offset =
        batch->offset + file_batch_bytes(batch->bodies.count, batch->records.count);
    journal->commits_count++;
}

void file_commit_fail(struct file_journal *journal, int result) {
    log_printf(journal->log, LOG_ERROR,
               "journal: cannot write or sync: %s; nothing after record %llu is promised, and no "
               "more records are taken until a restart",
               strerror(-result), (unsigned long long)journal->lsn_durable);
    journal->failure = result;
    file_batch_drop_all(journal);
    journal->on_durable(journal->context, journal->lsn_durable, result); /* last */
}

static void end_commit(void *context, int64_t result) {
    struct file_journal *journal = context;
    struct file_batch *batch = journal->committing;
    journal->committing = NULL;
    if (journal->closed) {
        file_batch_free(journal, batch);
        file_hold_drop(journal);
        return;
    }
    (void)file_hold_drop(journal); /* it is open, so it stays */
    journal->batches_bytes -= file_batch_memory(batch);
    if (result >= 0) file_commit_note(journal, batch);
    file_batch_give_back(journal, batch);
    if (result < 0) {
        file_commit_fail(journal, (int)result);
        return;
    }
    struct mono_time now = journal->env->ops->now_mono(journal->env);
    journal->commit_ns_last = now.ns - journal->commit_began.ns;
    file_commit_next(journal);
    file_trim_note_durable(journal);
    file_prepare(journal);
    file_summary_next(journal);
    /* Last: it may append, or close the journal. */
    journal->on_durable(journal->context, journal->lsn_durable, 0);
}

static struct file_batch *batch_to_commit(struct file_journal *journal) {
    if (list_is_empty(&journal->sealed) && journal->flush_wanted && journal->filling != NULL &&
        journal->filling->records_count > 0) {
        file_batch_seal(journal);
        journal->flush_wanted = false;
    }
    struct list_link *link = list_first(&journal->sealed);
    return link == NULL ? NULL : CONTAINER_OF(link, struct file_batch, link);
}

void file_commit_next(struct file_journal *journal) {
    if (journal->committing != NULL || journal->reaching != NULL) return;
    if (journal->failure != 0 || journal->closed) return;
    struct file_batch *batch = batch_to_commit(journal);
    if (batch == NULL) return;
    struct file_segment *segment = file_segment_find(journal, batch->number);
    if (segment == NULL) { /* not ready yet; whoever makes it ready comes back here */
        file_prepare(journal);
        return;
    }
    uint64_t end = batch->offset + file_batch_bytes(batch->bodies.count, batch->records.count);
    if (end > segment->reach) {
        file_reach_raise(journal, segment, end);
        return;
    }

    list_remove(&batch->link);
    journal->committing = batch;
    journal->holds_count++;
    journal->commit_began = journal->env->ops->now_mono(journal->env);
    file_commit_encode(journal, batch, !journal->no_sync);
    journal->env->ops->write_and_sync(journal->env, segment->file, batch->offset, batch->pieces,
                                      ARRAY_COUNT(batch->pieces), !journal->no_sync, end_commit,
                                      journal);
}

static void end_turn(void *context) {
    struct file_journal *journal = context;
    journal->flush_deferred = false;
    if (file_hold_drop(journal) || journal->closed) return;
    file_flush(&journal->journal);
}

void file_flush_later(struct file_journal *journal) {
    if (journal->flush_deferred) return;
    if (journal->env->ops->defer(journal->env, end_turn, journal) < 0) {
        file_flush(&journal->journal); /* no memory to wait with: smaller batches, then */
        return;
    }
    journal->flush_deferred = true;
    journal->holds_count++;
}

void file_flush(struct journal *base) {
    struct file_journal *journal = file_journal_from(base);
    if (journal->filling != NULL && journal->filling->records_count > 0) {
        journal->flush_wanted = true;
    }
    file_commit_next(journal);
}
