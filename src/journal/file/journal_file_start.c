/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_start.c -- makes the end of the log final, and takes it over.
 *
 * What replay gave out may be in the page cache only (the last takt was killed between write and
 * sync): it is synced. It may even be there after a sync that failed; the kernel then holds these
 * pages for clean, and a sync alone would do nothing: so they are written once more, the same bytes
 * at the same place, each read twice: what a bit's turning over made of them must not be written over
 * what is good. What lies behind the end is made worthless by a batch of the new epoch, which
 * has no records; only when that is durable too are records taken.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define KEPT_READY 2u
#define REWRITE_STEP_BYTES ((size_t)256 * 1024)

/* Segments behind the end: the ready ones stay, what a crash or accepted damage left goes. */
static int remove_leftovers(struct file_journal *journal) {
    const struct file_segment *last = file_segment_find(journal, journal->next_number);
    CHECK(last != NULL);
    uint64_t kept_max = journal->next_number + KEPT_READY;
    for (uint32_t i = journal->segments_count; i > 0; i--) {
        const struct file_segment *segment = journal->segments[i - 1];
        if (segment->number <= journal->next_number) break;
        bool is_ready = segment->header_valid && segment->capacity == journal->segment_bytes;
        if (is_ready && segment->number <= kept_max) continue;
        /* Those behind it would stand behind a gap. */
        while (journal->segments_count >= i) {
            int rc = file_segment_unlink(journal, journal->segments_count - 1);
            if (rc < 0) return rc;
        }
    }
    return 0;
}

/* A file that became shorter, and was accepted, is as long as before: the next start would ask again. */
static int restore_lengths(struct file_journal *journal) {
    const struct env_ops *ops = journal->env->ops;
    if (!journal->accept_damage) return 0;
    for (uint32_t i = 0; i < journal->segments_count; i++) {
        const struct file_segment *segment = journal->segments[i];
        uint64_t bytes_count;
        int rc = ops->size(journal->env, segment->file, &bytes_count);
        if (rc == 0 && bytes_count < segment->capacity) {
            rc = ops->truncate(journal->env, segment->file, segment->capacity);
            if (rc == 0) rc = ops->sync(journal->env, segment->file);
        }
        if (rc < 0) return rc;
    }
    return 0;
}

/* A segment's own header may be what was damaged, and accepted. */
static int repair_header(struct file_journal *journal, struct file_segment *segment) {
    if (segment->header_valid) return 0;
    char *header = env_alloc(journal->env, FILE_SEGMENT_HEADER_BYTES);
    if (header == NULL) return -ENOMEM;
    uint64_t size = 0;
    int rc = journal->env->ops->size(journal->env, segment->file, &size);
    if (rc == 0) {
        segment->capacity =
            size < journal->segment_bytes ? size / 4096 * 4096 : journal->segment_bytes;
        if (segment->capacity < FILE_SEGMENT_BYTES_MIN) segment->capacity = journal->segment_bytes;
        segment->reach = segment->capacity; /* what was ever written into it is not known */
        struct file_segment_header fields = {segment->capacity, segment->reach, 0};
        file_segment_header_encode(header, journal->seed, segment->number, &fields);
        rc = journal->env->ops->write(journal->env, segment->file, 0, header,
                                      FILE_SEGMENT_HEADER_BYTES);
    }
    if (rc == 0) rc = journal->env->ops->sync(journal->env, segment->file);
    if (rc == 0) segment->header_valid = true;
    env_free(journal->env, header);
    return rc;
}

/* room: twice as many bytes. -EBADMSG: they are not the same the second time. */
static int64_t read_twice(struct file_journal *journal, const struct file_segment *segment,
                          uint64_t offset, char *room, size_t step) {
    const struct env_ops *ops = journal->env->ops;
    int64_t count = ops->read(journal->env, segment->file, offset, room, step);
    if (count <= 0) return count;
    int64_t again = ops->read(journal->env, segment->file, offset, room + step, (size_t)count);
    if (again < 0) return again;
    return again == count && memcmp(room, room + step, (size_t)count) == 0 ? count : -EBADMSG;
}

static int rewrite(struct file_journal *journal, const struct file_segment *segment,
                   uint64_t offset, uint64_t end, char *room) {
    const struct env_ops *ops = journal->env->ops;
    while (offset < end) {
        size_t step =
            end - offset < REWRITE_STEP_BYTES ? (size_t)(end - offset) : REWRITE_STEP_BYTES;
        int64_t count = read_twice(journal, segment, offset, room, step);
        if (count < 0) return (int)count;
        if (count == 0) return 0; /* the rest of a segment that was made shorter */
        int rc = ops->write(journal->env, segment->file, offset, room, (size_t)count);
        if (rc < 0) return rc;
        offset += (uint64_t)count;
    }
    return 0;
}

static int rewrite_tail(struct file_journal *journal) {
    if (!journal->has_tail) return 0;
    char *room = allocator_resize_array(&journal->env->allocator, NULL, REWRITE_STEP_BYTES, 2);
    if (room == NULL) return -ENOMEM;
    int rc = 0;
    for (uint32_t i = journal->tail_index; rc == 0 && i < journal->segments_count; i++) {
        const struct file_segment *segment = journal->segments[i];
        if (segment->number > journal->next_number) break;
        uint64_t offset = i == journal->tail_index ? journal->tail_offset : 0;
        uint64_t end =
            segment->number == journal->next_number ? journal->next_offset : segment->capacity;
        rc = rewrite(journal, segment, offset, end, room);
    }
    allocator_give_back(&journal->env->allocator, room);
    return rc;
}

static int sync_tail(struct file_journal *journal) {
    int tail_rc = rewrite_tail(journal);
    if (tail_rc < 0) return tail_rc;
    for (uint32_t i = journal->unsynced_index; i < journal->segments_count; i++) {
        if (journal->segments[i]->number > journal->next_number) break;
        int rc = journal->env->ops->sync(journal->env, journal->segments[i]->file);
        if (rc < 0) return rc;
    }
    journal->lsn_synced = journal->lsn_appended;
    return 0;
}

int file_sync_all(struct file_journal *journal) {
    if (!journal->no_sync || journal->lsn_synced == journal->lsn_durable) return 0;
    for (uint32_t i = 0; i < journal->segments_count; i++) {
        const struct file_segment *segment = journal->segments[i];
        if (segment->number < journal->unsynced_number) continue;
        if (segment->number > journal->next_number) break;
        int rc = journal->env->ops->sync(journal->env, segment->file);
        if (rc < 0) return rc;
    }
    journal->unsynced_number = journal->next_number;
    journal->lsn_synced = journal->lsn_durable;
    return 0;
}

int file_write_mark(struct file_journal *journal, bool sync) {
    uint64_t bytes_count = file_batch_bytes(0, 0);
    if (journal->next_offset + bytes_count > file_segment_capacity(journal, journal->next_number)) {
        journal->next_number++;
        journal->next_offset = FILE_SEGMENT_HEADER_BYTES;
    }
    struct file_segment *segment = file_segment_find(journal, journal->next_number);
    if (segment == NULL) {
        int rc = file_segment_create(journal, journal->next_number, journal->segment_bytes);
        if (rc < 0) return rc;
        segment = file_segment_find(journal, journal->next_number);
    }
    struct file_batch mark = {.number = journal->next_number,
                              .offset = journal->next_offset,
                              .lsn_first = journal->lsn_durable + 1};
    file_commit_encode(journal, &mark, sync);
    char bytes[FILE_BATCH_HEADER_BYTES + FILE_BATCH_ALIGN] = {0};
    memcpy(bytes, mark.header, sizeof mark.header);
    const struct env_ops *ops = journal->env->ops;
    int rc = file_reach_cover(journal, segment, segment->file, mark.offset + bytes_count);
    if (rc == 0) {
        rc = ops->write(journal->env, segment->file, mark.offset, bytes, (size_t)bytes_count);
    }
    if (rc == 0 && sync) rc = ops->sync(journal->env, segment->file);
    if (rc < 0) return rc;
    journal->next_offset += bytes_count;
    journal->durable_number = journal->next_number;
    journal->durable_offset = journal->next_offset;
    if (mark.offset == FILE_SEGMENT_HEADER_BYTES) segment->lsn_first = mark.lsn_first;
    return 0;
}

static int take_over(struct file_journal *journal) {
    /* A takt that knows only the format before must not write into it any more. */
    int rc = journal->format < FILE_FORMAT ? file_write_format(journal) : 0;
    if (rc < 0) return rc;
    rc = remove_leftovers(journal);
    if (rc < 0) return rc;
    rc = repair_header(journal, file_segment_find(journal, journal->next_number));
    if (rc == 0) rc = restore_lengths(journal);
    if (rc < 0) return rc;
    if (!journal->no_sync) {
        rc = sync_tail(journal);
        if (rc < 0) return rc;
    }
    journal->lsn_durable = journal->lsn_appended;
    journal->unsynced_number = journal->segments[journal->unsynced_index]->number;
    rc = file_summary_remove_stale(journal);
    if (rc < 0) return rc;
    /* The very first batch is synced even with durability none: replay counts on it as soon as there
     * is a second segment. */
    bool is_first = journal->next_number == 1 && journal->next_offset == FILE_SEGMENT_HEADER_BYTES;
    return file_write_mark(journal, is_first || !journal->no_sync);
}

int file_start(struct journal *base, journal_durable_fn *on_durable, void *context) {
    struct file_journal *journal = file_journal_from(base);
    CHECK(journal->replayed && !journal->started);
    journal->prepared_header = env_alloc(journal->env, FILE_SEGMENT_HEADER_BYTES);
    if (journal->prepared_header == NULL) return -ENOMEM;
    int rc = file_prepare_open(journal);
    if (rc == 0) rc = take_over(journal);
    if (rc < 0) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: cannot take over the folder: %s; takt does not start", strerror(-rc));
        return rc;
    }
    journal->on_durable = on_durable;
    journal->context = context;
    journal->started = true;
    file_room_ask(journal);
    file_prepare(journal);
    file_summary_next(journal);
    return 0;
}
