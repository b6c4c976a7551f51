/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_copy.c -- a consistent copy of what is durable, read while the journal goes on.
 *
 * A log is the same log up to any of its batches: so the copy is every segment that is there when it
 * is begun, the newest of them up to the batch that was durable then. What is appended later lies
 * behind that; a segment is neither recycled nor removed while the copy still needs it. Reads are
 * done by pool threads, one at a time, when the caller asks for more.
 */
#include "journal/file/file_backup.h"
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define FRAMES_BYTES_MAX                                                                           \
    (2u * FILE_BACKUP_BYTES_MAX) /* of one piece: a few heads beside the bytes */

struct file_copy {
    struct journal_copy copy; /* first: what the caller has */
    struct file_journal *journal;
    struct buffer out;   /* the piece that is given */
    uint64_t chain;      /* of checksums */
    uint64_t number;     /* of the segment that is being copied */
    uint64_t offset;     /* what is read next in it */
    uint64_t end_number; /* the last one, */
    uint64_t end_offset; /* and where the copy ends in it */
    uint64_t lsn;
    uint64_t bytes_done;
    uint64_t bytes_all;
    bool has_begun;
    bool has_ended;
    bool is_reading;
    bool is_closed;               /* while a read was under way: it goes when that is back */
    struct file_segment *segment; /* that is being read */
    journal_copy_fn *done;
    void *context;
    char bytes[FILE_BACKUP_BYTES_MAX];
};

static uint64_t end_in(const struct file_copy *copy, const struct file_segment *segment) {
    return segment->number == copy->end_number ? copy->end_offset : segment->capacity;
}

static void let_go(struct file_copy *copy) {
    struct file_segment *segment = file_segment_find(copy->journal, copy->number);
    CHECK(segment != NULL && segment->reads_count > 0);
    segment->reads_count--;
    copy->number++;
    copy->offset = 0;
    if (!copy->journal->closed) file_prepare(copy->journal); /* it may have waited for this */
}

static void free_copy(struct file_copy *copy) {
    struct file_journal *journal = copy->journal;
    while (copy->number <= copy->end_number) let_go(copy);
    buffer_close(&copy->out);
    env_free(journal->env, copy);
    journal->is_copied = false;
    file_hold_drop(journal); /* last: it may be the end of a closed journal */
}

/* ---- frames ----------------------------------------------------------------------------------- */

static void add(struct file_copy *copy, enum file_backup_kind kind, uint64_t segment,
                uint64_t offset, struct slice bytes) {
    file_backup_add(&copy->out, &copy->chain, kind, segment, offset, bytes);
}

static void add_begin(struct file_copy *copy) {
    const struct file_journal *journal = copy->journal;
    struct buffer text;
    buffer_open(&text, &journal->env->allocator, 1024);
    buffer_printf(&text,
                  "backup %u\njournal %u\nsegment_bytes %" PRIu64 "\nseed %016" PRIx64
                  "\nlsn %" PRIu64 "\nbytes %" PRIu64 "\n",
                  FILE_BACKUP, FILE_FORMAT, journal->segment_bytes, journal->seed, copy->lsn,
                  copy->bytes_all);
    buffer_append(&copy->out, slice_from(FILE_BACKUP_MAGIC, FILE_BACKUP_MAGIC_BYTES));
    add(copy, FILE_BACKUP_BEGIN, 0, 0, buffer_slice(&text));
    if (text.failed) copy->out.failed = true;
    buffer_close(&text);
    copy->has_begun = true;
}

/* Half of a log's last segment, and all of the ready ones, are zeros: they need not travel. */
static bool is_zeros(struct slice bytes) {
    return bytes.count > 0 && bytes.bytes[0] == 0 &&
           memcmp(bytes.bytes, bytes.bytes + 1, bytes.count - 1) == 0;
}

static void give(struct file_copy *copy, int result) {
    if (result == 0 && copy->out.failed) result = -ENOMEM;
    copy->done(copy->context, result, result < 0 ? SLICE_EMPTY : buffer_slice(&copy->out));
}

static void end_piece(void *context, int64_t result) {
    struct file_copy *copy = context;
    copy->is_reading = false;
    copy->segment->reads_count--;
    if (copy->is_closed) {
        journal_copy_fn *done = copy->done;
        void *done_context = copy->context;
        free_copy(copy);
        done(done_context, -ECANCELED, SLICE_EMPTY);
        return;
    }
    uint64_t end = end_in(copy, copy->segment);
    uint64_t wanted = end - copy->offset;
    if (wanted > FILE_BACKUP_BYTES_MAX) wanted = FILE_BACKUP_BYTES_MAX;
    if (result >= 0 && (uint64_t)result < wanted)
        result = -EIO; /* a segment has its whole length */
    if (result >= 0) {
        struct slice bytes = slice_from(copy->bytes, (size_t)wanted);
        if (!is_zeros(bytes)) add(copy, FILE_BACKUP_BYTES, copy->number, copy->offset, bytes);
        copy->offset += wanted;
        copy->bytes_done += wanted;
        if (copy->offset == end) let_go(copy);
    }
    give(copy, result < 0 ? (int)result : 0);
}

static void copy_read(struct journal_copy *base, journal_copy_fn *done, void *context) {
    struct file_copy *copy = CONTAINER_OF(base, struct file_copy, copy);
    struct file_journal *journal = copy->journal;
    CHECK(!copy->is_reading && !copy->is_closed);
    copy->done = done;
    copy->context = context;
    buffer_clear(&copy->out);
    if (!copy->has_begun) add_begin(copy);
    if (copy->has_ended || copy->number > copy->end_number) {
        if (!copy->has_ended) add(copy, FILE_BACKUP_END, 0, copy->lsn, SLICE_EMPTY);
        copy->has_ended = true;
        give(copy, 0);
        return;
    }
    struct file_segment *segment = file_segment_find(journal, copy->number);
    CHECK(segment != NULL);
    if (copy->offset == 0) {
        add(copy, FILE_BACKUP_SEGMENT, segment->number, segment->capacity, SLICE_EMPTY);
    }
    uint64_t count = end_in(copy, segment) - copy->offset;
    if (count > FILE_BACKUP_BYTES_MAX) count = FILE_BACKUP_BYTES_MAX;
    copy->segment = segment;
    copy->is_reading = true;
    segment->reads_count++; /* beside the copy's own, for the read alone */
    journal->env->ops->read_async(journal->env, segment->file, copy->offset, copy->bytes,
                                  (size_t)count, end_piece, copy);
}

/* ---- from outside ----------------------------------------------------------------------------- */

static void copy_get_status(const struct journal_copy *base, struct journal_copy_status *out) {
    _Static_assert(offsetof(struct file_copy, copy) == 0, "first");
    const struct file_copy *copy = (const struct file_copy *)(const void *)base;
    *out = (struct journal_copy_status){.lsn = copy->lsn,
                                        .bytes_done = copy->bytes_done,
                                        .bytes_all = copy->bytes_all,
                                        .is_reading = copy->is_reading};
}

static void copy_close(struct journal_copy *base) {
    struct file_copy *copy = CONTAINER_OF(base, struct file_copy, copy);
    copy->is_closed = true;
    if (!copy->is_reading) free_copy(copy);
}

int file_copy_open(struct journal *base, struct journal_copy **out) {
    static const struct journal_copy_ops ops = {copy_read, copy_get_status, copy_close};
    struct file_journal *journal = file_journal_from(base);
    if (!journal->started || journal->closed || journal->failure != 0) return -EROFS;
    if (journal->is_copied) return -EBUSY;
    struct file_copy *copy = env_alloc(journal->env, sizeof *copy);
    if (copy == NULL) return -ENOMEM;
    copy->copy.ops = &ops;
    copy->journal = journal;
    copy->number = journal->segments[0]->number;
    copy->end_number = journal->durable_number;
    copy->end_offset = journal->durable_offset;
    copy->lsn = journal->lsn_durable;
    buffer_open(&copy->out, &journal->env->allocator, FRAMES_BYTES_MAX);
    for (uint32_t i = 0; i < journal->segments_count; i++) {
        struct file_segment *segment = journal->segments[i];
        if (segment->number > copy->end_number) break;
        segment->reads_count++; /* it must stay, until it is copied */
        copy->bytes_all += end_in(copy, segment);
    }
    journal->is_copied = true;
    journal->holds_count++;
    *out = &copy->copy;
    return 0;
}
