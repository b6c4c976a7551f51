/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_prepare.c -- keeps the next segment ready, and gets rid of the old ones.
 *
 *   a new file:  prepared.tmp --fill with zeros--> rename, sync directory --> header, synced: ready
 *   an old one:  its name      ------------------> rename, sync directory --> header, synced: ready
 *
 * One at a time, so that numbers have no gap at any moment. Between the new name and the new header
 * a crash leaves a segment whose header has another number or none: it is empty, start removes it.
 *
 * A preparation that fails (a full disk, mostly) loses nothing: it is tried again a little later, and
 * the batches that need the segment wait in memory; reserve refuses what would make them too many.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <string.h>

#define AHEAD_COUNT 1    /* segments made ready before they are needed */
#define AHEAD_RECYCLED 2 /* old files kept for reuse, with those */
#define RETRY_MS 250

static uint64_t newest_number(const struct file_journal *journal) {
    return journal->segments[journal->segments_count - 1]->number;
}

/* How many segments are ready behind the one that is being filled. */
static int64_t ahead_count(const struct file_journal *journal) {
    uint64_t current = journal->next_number;
    if (journal->filling != NULL) current = journal->filling->number;
    return (int64_t)(newest_number(journal) - current);
}

static void try_again(void *context) {
    struct file_journal *journal = context;
    journal->retry_waiting = false;
    file_room_ask(journal);
    file_prepare(journal);
}

int file_prepare_open(struct file_journal *journal) {
    return journal->env->ops->timer_open(journal->env, try_again, journal, &journal->retry);
}

static void wait_and_retry(struct file_journal *journal) {
    struct mono_time now = journal->env->ops->now_mono(journal->env);
    journal->retry_waiting = true;
    journal->env->ops->timer_set(
        journal->env, journal->retry,
        (struct mono_time){.ns = now.ns + (int64_t)RETRY_MS * 1000 * 1000});
}

static void give_up(struct file_journal *journal, const char *name, int rc) {
    const struct env_ops *ops = journal->env->ops;
    file_segment_close(journal, journal->prepared);
    journal->prepared = NULL;
    journal->preparing = FILE_PREPARING_NOTHING;
    int unlinked = name == NULL ? 0 : ops->unlink(journal->env, journal->directory, name);
    /* It may be an old segment; were a later one removed before it, there would be a gap. */
    if (unlinked < 0 && unlinked != -ENOENT) journal->trim_blocked = true;
    if (!journal->lacks_room) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: cannot prepare the next segment: %s; next try in %d ms", strerror(-rc),
                   RETRY_MS);
        journal->lacks_room = true;
    }
    file_room_ask(journal);
    wait_and_retry(journal);
}

static void end_header(void *context, int64_t result) {
    struct file_journal *journal = context;
    if (file_hold_drop(journal) || journal->closed) return;
    char name[FILE_NAME_BYTES];
    file_name_write(journal->prepared->number, name);
    int rc = (int)result;
    if (rc == 0) rc = file_segment_add(journal, journal->prepared);
    if (rc < 0) {
        give_up(journal, name, rc);
        return;
    }
    journal->prepared = NULL;
    journal->preparing = FILE_PREPARING_NOTHING;
    if (journal->lacks_room) log_printf(journal->log, LOG_INFO, "journal: there is room again");
    journal->lacks_room = false;
    file_room_ask(journal);
    file_commit_next(journal);
    file_prepare(journal);
}

/* `from` becomes the newest segment. */
static void take_name(struct file_journal *journal, const char *from) {
    const struct env_ops *ops = journal->env->ops;
    struct file_segment *segment = journal->prepared;
    segment->number = newest_number(journal) + 1;
    segment->capacity = journal->segment_bytes;
    segment->reach = FILE_REACH_FIRST;
    segment->reach_slot = 0;
    char name[FILE_NAME_BYTES];
    file_name_write(segment->number, name);
    int rc = ops->rename(journal->env, journal->directory, from, name);
    if (rc < 0) {
        give_up(journal, from, rc);
        return;
    }
    rc = ops->sync_directory(journal->env, journal->directory);
    if (rc < 0) {
        give_up(journal, name, rc);
        return;
    }
    struct file_segment_header fields = {segment->capacity, segment->reach, segment->reach_slot};
    file_segment_header_encode(journal->prepared_header, journal->seed, segment->number, &fields);
    journal->prepared_piece =
        (struct env_bytes){journal->prepared_header, FILE_SEGMENT_HEADER_BYTES};
    journal->preparing = FILE_PREPARING_HEADER;
    journal->holds_count++;
    ops->write_and_sync(journal->env, segment->file, 0, &journal->prepared_piece, 1, true,
                        end_header, journal);
}

static void end_zeros(void *context, int64_t result) {
    struct file_journal *journal = context;
    if (file_hold_drop(journal) || journal->closed) return;
    if (result < 0) {
        give_up(journal, FILE_NAME_PREPARED, (int)result);
        return;
    }
    take_name(journal, FILE_NAME_PREPARED);
}

static void make_new(struct file_journal *journal) {
    const struct env_ops *ops = journal->env->ops;
    struct file_segment *segment = env_alloc(journal->env, sizeof *segment);
    journal->prepared = segment;
    int rc = segment == NULL ? -ENOMEM
                             : ops->open(journal->env, journal->directory, FILE_NAME_PREPARED, true,
                                         &segment->file);
    if (rc < 0) {
        give_up(journal, NULL, rc);
        return;
    }
    segment->header_valid = true;
    journal->preparing = FILE_PREPARING_ZEROS;
    journal->holds_count++;
    ops->fill(journal->env, segment->file, 0, journal->segment_bytes, end_zeros, journal);
}

static void recycle(struct file_journal *journal) {
    struct file_segment *segment = file_segment_take(journal, 0);
    char from[FILE_NAME_BYTES];
    file_name_write(segment->number, from);
    segment->lsn_first = 0;
    journal->prepared = segment;
    take_name(journal, from);
}

static void stop_trimming(struct file_journal *journal, int rc) {
    log_printf(journal->log, LOG_WARNING,
               "journal: cannot remove an old segment: %s; old segments stay until the next start",
               strerror(-rc));
    journal->trim_blocked = true;
}

/* The oldest first, each durable before the next: a crash must never leave a gap. */
static void remove_old(struct file_journal *journal) {
    while (journal->preparing == FILE_PREPARING_NOTHING && file_trim_is_due(journal)) {
        /* With durability none too, what was carried must be there before its old place goes. */
        int rc = file_sync_all(journal);
        if (rc < 0) {
            stop_trimming(journal, rc);
            return;
        }
        file_summary_remove(journal, journal->segments[0]);
        bool is_whole = journal->segments[0]->capacity == journal->segment_bytes &&
                        !journal->segments[0]->is_damaged;
        if (is_whole && ahead_count(journal) < AHEAD_RECYCLED) {
            recycle(journal);
            continue;
        }
        rc = file_segment_unlink(journal, 0);
        if (rc < 0) {
            stop_trimming(journal, rc);
            return;
        }
        file_room_ask(journal);
    }
}

void file_prepare(struct file_journal *journal) {
    if (!journal->started || journal->closed || journal->failure != 0) return;
    if (journal->preparing != FILE_PREPARING_NOTHING || journal->retry_waiting) return;
    remove_old(journal);
    if (journal->preparing != FILE_PREPARING_NOTHING || journal->retry_waiting) return;
    if (ahead_count(journal) >= AHEAD_COUNT) return;
    if (journal->segments_possible > 0) {
        make_new(journal);
    } else if (!list_is_empty(&journal->sealed)) {
        wait_and_retry(journal); /* else the next reserve asks for room, and comes back here */
    }
}
