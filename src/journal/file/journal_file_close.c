/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_close.c -- what is appended goes to the disk, then all goes.
 *
 * Blocking, and the loop does not run meanwhile. A batch that a pool thread is writing is written
 * here once more, the same bytes at the same place: whoever is first, it is there when this sync
 * ends. The struct itself, its files and that batch stay until the pool has let go of them.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void file_journal_free(struct file_journal *journal) {
    struct env *env = journal->env;
    file_batch_drop_all(journal);
    file_batch_free(journal, journal->committing);
    for (uint32_t i = 0; i < journal->segments_count; i++) {
        file_segment_close(journal, journal->segments[i]);
    }
    allocator_give_back(&env->allocator, journal->segments);
    file_segment_close(journal, journal->prepared);
    env_free(env, journal->prepared_header);
    env->ops->timer_close(env, journal->retry);
    env->ops->close(env, journal->lock);
    env->ops->close(env, journal->directory);
    env_free(env, journal);
}

bool file_hold_drop(struct file_journal *journal) {
    CHECK(journal->holds_count > 0);
    journal->holds_count--;
    if (!journal->closed || journal->holds_count > 0) return false;
    file_journal_free(journal);
    return true;
}

/* The segment that is being prepared may be the one that is needed. Its own file or, while it has no
 * name yet, another one in its place. */
static int make_segment(struct file_journal *journal, uint64_t number) {
    if (journal->preparing == FILE_PREPARING_HEADER && journal->prepared->number == number) {
        int rc = journal->env->ops->write(journal->env, journal->prepared->file, 0,
                                          journal->prepared_header, FILE_SEGMENT_HEADER_BYTES);
        if (rc == 0) rc = file_segment_add(journal, journal->prepared);
        if (rc == 0) journal->prepared = NULL; /* synced with the batch */
        return rc;
    }
    return file_segment_create(journal, number, journal->segment_bytes);
}

static int write_pieces(struct file_journal *journal, struct env_file *file,
                        const struct file_batch *batch) {
    const struct env_ops *ops = journal->env->ops;
    uint64_t offset = batch->offset;
    for (size_t i = 0; i < ARRAY_COUNT(batch->pieces); i++) {
        const struct env_bytes *piece = &batch->pieces[i];
        if (piece->count == 0) continue;
        int rc = ops->write(journal->env, file, offset, piece->bytes, piece->count);
        if (rc < 0) return rc;
        offset += piece->count;
    }
    return journal->no_sync ? 0 : ops->sync(journal->env, file);
}

/* The kernel tells a failed write-back once to each open file: were it the pool's sync that hears of
 * it, a sync of the same one would then succeed. So what the pool is at work on is written by an
 * open file of its own. */
static int write_aside(struct file_journal *journal, struct file_segment *segment,
                       const struct file_batch *batch) {
    const struct env_ops *ops = journal->env->ops;
    uint64_t end = batch->offset + file_batch_bytes(batch->bodies.count, batch->records.count);
    char name[FILE_NAME_BYTES];
    file_name_write(batch->number, name);
    struct env_file *file = NULL;
    int rc = ops->open(journal->env, journal->directory, name, false, &file);
    if (rc == 0) rc = file_reach_cover(journal, segment, file, end);
    if (rc == 0) rc = write_pieces(journal, file, batch);
    ops->close(journal->env, file);
    return rc;
}

static int write_again(struct file_journal *journal, const struct file_batch *batch) {
    int rc = write_aside(journal, file_segment_find(journal, batch->number), batch);
    if (rc == 0) file_commit_note(journal, batch);
    return rc;
}

static int write_batch(struct file_journal *journal, struct file_batch *batch) {
    struct file_segment *segment = file_segment_find(journal, batch->number);
    if (segment == NULL) {
        int rc = make_segment(journal, batch->number);
        if (rc < 0) return rc;
        segment = file_segment_find(journal, batch->number);
    }
    file_commit_encode(journal, batch, !journal->no_sync);
    int rc;
    if (segment == journal->reaching) {
        rc = write_aside(journal, segment, batch);
    } else {
        uint64_t end = batch->offset + file_batch_bytes(batch->bodies.count, batch->records.count);
        rc = file_reach_cover(journal, segment, segment->file, end);
        if (rc == 0) rc = write_pieces(journal, segment->file, batch);
    }
    if (rc == 0) file_commit_note(journal, batch);
    return rc;
}

static int write_all(struct file_journal *journal) {
    int rc = journal->committing == NULL ? 0 : write_again(journal, journal->committing);
    if (journal->filling != NULL && journal->filling->records_count > 0) file_batch_seal(journal);
    struct list_link *head = &journal->sealed;
    for (struct list_link *link = head->next; rc == 0 && link != head; link = link->next) {
        rc = write_batch(journal, CONTAINER_OF(link, struct file_batch, link));
    }
    return rc;
}

/* The last batch says that all before it is durable: so damage to any is known for what it is. */
static void finish(struct file_journal *journal) {
    uint64_t durable_before = journal->lsn_durable;
    int rc = write_all(journal);
    if (rc == 0) rc = file_sync_all(journal);
    if (rc < 0) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: cannot write or sync while closing: %s; nothing after record %" PRIu64
                   " is promised",
                   strerror(-rc), journal->lsn_durable);
        journal->failure = rc;
    } else {
        rc = file_write_mark(journal, true);
        if (rc < 0) {
            log_printf(journal->log, LOG_WARNING,
                       "journal: cannot write the closing mark: %s; all records are durable",
                       strerror(-rc));
        }
    }
    if (journal->failure != 0 || journal->lsn_durable > durable_before) {
        journal->on_durable(journal->context, journal->lsn_durable, journal->failure);
    }
}

void file_close(struct journal *base) {
    struct file_journal *journal = file_journal_from(base);
    CHECK(!journal->closed);
    const struct env_ops *ops = journal->env->ops;
    journal->holds_count++; /* until the end of this function */
    journal->closed = true; /* from here on records are taken and forgotten */
    if (journal->started && journal->failure == 0) finish(journal);
    file_read_cancel_all(journal);
    ops->timer_close(journal->env, journal->retry);
    journal->retry = NULL;
    ops->close(journal->env, journal->lock); /* the folder is free for the next owner */
    journal->lock = NULL;
    file_hold_drop(journal);
}
