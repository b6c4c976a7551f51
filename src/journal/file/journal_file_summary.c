/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_summary.c -- a sealed segment without its bodies, for the next start.
 *
 *   sealed (the next one has a durable batch)
 *     --> read, a piece a turn; of each batch header and records are kept
 *     --> summary.tmp, a piece a turn --> rename: `%016x.summary`
 *
 * A summary is a shorter way to what stands in the segment, and nothing rests on it: each batch in it
 * has its checksums, its segment's number and its place there, and where one does not fit, replay
 * takes the segment (journal_file_trail.c). So it is not synced, and what goes wrong here is said and
 * left. What must not happen is that it outlives what it tells: the end of a log that was cut back
 * into an older segment would then seem to go on. file_summary_remove_stale sees to that before the
 * first batch of a life is written.
 *
 * A segment that is mostly records is read as fast as it is: it gets none. With durability none there
 * are none, since a segment may then be lost and its summary not.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define STEP_BYTES ((size_t)256 * 1024)
#define RECORDS_BYTES_MAX (16u * 1024 * 1024) /* of one batch */
#define SHARE 4u                              /* of its segment, at most */

struct file_summary {
    struct file_journal *journal;
    struct file_segment *segment; /* its reads_count keeps it */
    struct env_file *file;
    uint64_t bytes_count; /* written */
    struct buffer bytes;  /* to be written */
    struct env_bytes piece;
    /* What was read: of the segment, from window_offset on. */
    char *window;
    size_t window_capacity;
    uint64_t window_offset;
    size_t window_count;
    /* The batch that is looked at: its header, or else its records if has_header. */
    struct file_batch_header header;
    bool has_header;
    uint64_t offset;
    uint64_t lsn;
    uint64_t epoch;
};

static void step(struct file_summary *summary);

static void summary_free(struct file_summary *summary) {
    struct env *env = summary->journal->env;
    env->ops->close(env, summary->file);
    buffer_close(&summary->bytes);
    allocator_give_back(&env->allocator, summary->window);
    summary->journal->summary = NULL;
    env_free(env, summary);
}

/* rc < 0: there is none, and the next start takes its time; -EFBIG: it would be of no use. What was
 * begun is written over by the next one. */
static void end(struct file_summary *summary, int rc) {
    struct file_journal *journal = summary->journal;
    struct file_segment *segment = summary->segment;
    const struct env_ops *ops = journal->env->ops;
    uint64_t bytes_count = summary->bytes_count;
    summary_free(summary);
    segment->reads_count--;
    if (rc == 0) {
        char name[FILE_NAME_BYTES];
        file_summary_name_write(segment->number, name);
        rc = ops->rename(journal->env, journal->directory, FILE_NAME_SUMMARY, name);
    }
    if (rc == 0) segment->summary_bytes = bytes_count;
    if (rc < 0 && rc != -EFBIG) {
        log_printf(journal->log, LOG_WARNING,
                   "journal: cannot write the summary of %016" PRIx64
                   ".segment: %s; the next start will take a little longer",
                   segment->number, strerror(-rc));
    }
    file_prepare(journal); /* the segment may have waited for this */
    if (rc == 0 || rc == -EFBIG) file_summary_next(journal); /* else with the next commit */
}

/* ---- the pool's answers ---------------------------------------------------------------------- */

/* True: nobody wants it any more. */
static bool is_over(struct file_summary *summary) {
    struct file_journal *journal = summary->journal;
    if (journal->closed) summary_free(summary);
    return file_hold_drop(journal) || journal->closed;
}

static void end_write(void *context, int64_t result) {
    struct file_summary *summary = context;
    if (is_over(summary)) return;
    if (result < 0) {
        end(summary, (int)result);
        return;
    }
    summary->bytes_count += summary->bytes.count;
    buffer_clear(&summary->bytes);
    step(summary);
}

static void end_read(void *context, int64_t result) {
    struct file_summary *summary = context;
    if (is_over(summary)) return;
    if (result < 0) {
        end(summary, (int)result);
        return;
    }
    summary->window_count = (size_t)result;
    step(summary);
}

/* ---- what is asked of it --------------------------------------------------------------------- */

static void write_bytes(struct file_summary *summary) {
    struct env *env = summary->journal->env;
    summary->piece = (struct env_bytes){summary->bytes.bytes, summary->bytes.count};
    summary->journal->holds_count++;
    env->ops->write_and_sync(env, summary->file, summary->bytes_count, &summary->piece, 1, false,
                             end_write, summary);
}

static void read_bytes(struct file_summary *summary, uint64_t offset, size_t count) {
    struct env *env = summary->journal->env;
    uint64_t rest = summary->segment->capacity - offset;
    if (count < STEP_BYTES) count = STEP_BYTES;
    if (count > rest) count = (size_t)rest;
    if (count > summary->window_capacity) {
        char *window = allocator_resize_array(&env->allocator, summary->window, count, 1);
        if (window == NULL) {
            end(summary, -ENOMEM);
            return;
        }
        summary->window = window;
        summary->window_capacity = count;
    }
    summary->window_offset = offset;
    summary->window_count = 0;
    summary->journal->holds_count++;
    env->ops->read_async(env, summary->segment->file, offset, summary->window, count, end_read,
                         summary);
}

/* ---- one batch after the other --------------------------------------------------------------- */

/* NULL: not in the window. */
static const char *seen(const struct file_summary *summary, uint64_t offset, uint64_t count) {
    uint64_t end_offset = summary->window_offset + summary->window_count;
    if (offset < summary->window_offset || offset + count > end_offset) return NULL;
    return summary->window + (offset - summary->window_offset);
}

static bool take_header(struct file_summary *summary, const char *bytes) {
    const struct file_segment *segment = summary->segment;
    struct file_batch_header *header = &summary->header;
    summary->has_header =
        file_batch_header_decode(slice_from(bytes, FILE_BATCH_HEADER_BYTES), summary->journal->seed,
                                 segment->number, summary->offset, header) &&
        file_batch_counts(segment, header, summary->lsn, summary->epoch);
    if (summary->has_header) {
        buffer_append(&summary->bytes, slice_from(bytes, FILE_BATCH_HEADER_BYTES));
    }
    return summary->has_header;
}

static void take_records(struct file_summary *summary, const char *bytes) {
    const struct file_batch_header *header = &summary->header;
    buffer_append(&summary->bytes, slice_from(bytes, header->records_bytes));
    summary->offset += file_batch_bytes(header->bodies_bytes, header->records_bytes);
    summary->lsn = header->lsn_first + header->records_count;
    summary->epoch = header->epoch;
    summary->has_header = false;
}

static bool is_too_large(const struct file_summary *summary) {
    return summary->bytes_count + summary->bytes.count > summary->segment->capacity / SHARE ||
           (summary->has_header && summary->header.records_bytes > RECORDS_BYTES_MAX);
}

/* Takes what is in the window. True: the last batch was taken. False: *offset and *count are to be
 * read, or there is enough to write. */
static bool take_window(struct file_summary *summary, uint64_t *offset, size_t *count) {
    while (summary->bytes.count < STEP_BYTES) {
        *offset = summary->offset;
        *count = FILE_BATCH_HEADER_BYTES;
        if (summary->has_header) {
            *offset += FILE_BATCH_HEADER_BYTES + summary->header.bodies_bytes;
            *count = summary->header.records_bytes;
        }
        if (*offset + *count > summary->segment->capacity) return true;
        const char *bytes = seen(summary, *offset, *count);
        if (bytes == NULL) return is_too_large(summary);
        if (summary->has_header) {
            take_records(summary, bytes);
        } else if (!take_header(summary, bytes)) {
            return true;
        }
    }
    return false;
}

static void step(struct file_summary *summary) {
    uint64_t offset = 0;
    size_t count = 0;
    bool is_done = summary->journal->failure != 0 || take_window(summary, &offset, &count);
    if (summary->bytes.failed) {
        end(summary, -ENOMEM);
    } else if (summary->journal->failure != 0 || is_too_large(summary)) {
        end(summary, -EFBIG);
    } else if (summary->bytes.count >= STEP_BYTES || (is_done && summary->bytes.count > 0)) {
        write_bytes(summary);
    } else if (is_done) {
        end(summary, 0);
    } else {
        read_bytes(summary, offset, count);
    }
}

/* ---- which one ------------------------------------------------------------------------------- */

static int begin(struct file_journal *journal, struct file_segment *segment) {
    const struct env_ops *ops = journal->env->ops;
    struct file_summary *summary = env_alloc(journal->env, sizeof *summary);
    if (summary == NULL) return -ENOMEM;
    *summary = (struct file_summary){.journal = journal,
                                     .segment = segment,
                                     .offset = FILE_SEGMENT_HEADER_BYTES,
                                     .lsn = segment->lsn_first};
    buffer_open(&summary->bytes, &journal->env->allocator, 2 * RECORDS_BYTES_MAX);
    int rc = ops->open(journal->env, journal->directory, FILE_NAME_SUMMARY, true, &summary->file);
    if (rc == 0) rc = ops->truncate(journal->env, summary->file, 0);
    if (rc < 0) {
        summary_free(summary);
        return rc;
    }
    segment->reads_count++;
    journal->summary = summary;
    read_bytes(summary, FILE_SEGMENT_HEADER_BYTES, STEP_BYTES);
    return 0;
}

/* The next sealed segment that has none. */
static struct file_segment *next_segment(struct file_journal *journal) {
    uint64_t oldest = journal->segments[0]->number;
    if (journal->summary_next < oldest) journal->summary_next = oldest;
    for (;;) {
        struct file_segment *segment = file_segment_find(journal, journal->summary_next);
        const struct file_segment *behind = file_segment_find(journal, journal->summary_next + 1);
        if (segment == NULL || behind == NULL || behind->lsn_first == 0) return NULL;
        journal->summary_next++;
        if (segment->summary_bytes == 0 && segment->lsn_first != 0) return segment;
    }
}

void file_summary_next(struct file_journal *journal) {
    if (journal->summary != NULL || !journal->started || journal->closed) return;
    if (journal->failure != 0 || journal->no_sync || journal->trim_wanted != 0) return;
    if (file_room_for_intake(journal) < journal->segment_bytes) return;
    struct file_segment *segment = next_segment(journal);
    if (segment == NULL) return;
    int rc = begin(journal, segment);
    if (rc < 0) {
        log_printf(journal->log, LOG_WARNING,
                   "journal: cannot begin the summary of %016" PRIx64
                   ".segment: %s; the next start will take a little longer",
                   segment->number, strerror(-rc));
    }
}

/* ---- their end ------------------------------------------------------------------------------- */

/* One that stays is in nobody's way: no number is used twice. The next start removes it. */
void file_summary_remove(struct file_journal *journal, struct file_segment *segment) {
    if (segment->summary_bytes == 0) return;
    segment->summary_bytes = 0;
    char name[FILE_NAME_BYTES];
    file_summary_name_write(segment->number, name);
    int rc = journal->env->ops->unlink(journal->env, journal->directory, name);
    if (rc < 0) {
        log_printf(journal->log, LOG_DEBUG, "journal: cannot remove %s: %s", name, strerror(-rc));
    }
}

struct stale {
    const struct file_journal *journal;
    uint64_t number; /* one of them */
};

static bool note_stale(void *context, const char *name) {
    struct stale *stale = context;
    const struct file_journal *journal = stale->journal;
    uint64_t number = file_summary_name_read(name);
    bool is_stale =
        number != 0 && (number < journal->segments[0]->number || number >= journal->next_number);
    if (is_stale) stale->number = number;
    return !is_stale;
}

int file_summary_remove_stale(struct file_journal *journal) {
    const struct env_ops *ops = journal->env->ops;
    bool is_removed = false;
    for (;;) { /* a listing is not read on while its entries go */
        struct stale stale = {.journal = journal};
        int rc = ops->list(journal->env, journal->directory, note_stale, &stale);
        if (rc < 0) return rc;
        if (stale.number == 0) break;
        char name[FILE_NAME_BYTES];
        file_summary_name_write(stale.number, name);
        rc = ops->unlink(journal->env, journal->directory, name);
        if (rc < 0) return rc;
        is_removed = true;
    }
    return is_removed ? ops->sync_directory(journal->env, journal->directory) : 0;
}
