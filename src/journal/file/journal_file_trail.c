/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_trail.c -- from one batch to the next, by the segments or by their summaries.
 *
 * After a batch the next one begins right behind it, or, if the rest of the segment was too small
 * for it, at the beginning of the next segment. It counts if its header is valid there, its first
 * LSN is the next one and its epoch is not less than the last: what a tail that was cut off has left
 * is of an older epoch.
 *
 * A summary (journal_file_summary.c) has the same headers and records, one behind the other: where
 * it has the batch that is looked for, neither is read from the segment, which saves reading over
 * its bodies. It is only a shorter way: whatever of it cannot be read, or is not what is looked for,
 * comes from the segment, and so does all that follows in it.
 */
#include "base/hash.h"
#include "journal/file/file_house.h"

#include <errno.h>

#define READ_STEP_BYTES ((size_t)256 * 1024)
#define NO_SUMMARY UINT64_MAX

int file_window_look(struct file_journal *journal, struct file_window *window,
                     struct env_file *file, uint64_t end, uint64_t offset, uint64_t count,
                     struct slice *out) {
    uint64_t rest = offset < end ? end - offset : 0;
    if (count > rest) count = rest;
    *out = SLICE_EMPTY;
    if (count == 0) return 0; /* of an empty file there is not even a window */
    bool is_inside = window->file == file && offset >= window->offset &&
                     offset + count <= window->offset + window->count;
    if (!is_inside) {
        size_t wanted = count > READ_STEP_BYTES ? (size_t)count : READ_STEP_BYTES;
        if (wanted > rest) wanted = (size_t)rest;
        if (wanted > window->capacity) {
            char *bytes =
                allocator_resize_array(&journal->env->allocator, window->bytes, wanted, 1);
            if (bytes == NULL) return -ENOMEM;
            window->bytes = bytes;
            window->capacity = wanted;
        }
        int64_t got = journal->env->ops->read(journal->env, file, offset, window->bytes, wanted);
        window->file = got < 0 ? NULL : file;
        if (got < 0) return (int)got;
        window->offset = offset;
        window->count = (size_t)got;
    }
    size_t skip = (size_t)(offset - window->offset);
    size_t there = window->count - skip;
    *out = slice_from(window->bytes + skip, there < count ? there : (size_t)count);
    return 0;
}

bool file_batch_counts(const struct file_segment *segment, const struct file_batch_header *header,
                       uint64_t lsn, uint64_t epoch) {
    uint64_t bytes = file_batch_bytes(header->bodies_bytes, header->records_bytes);
    if (header->bodies_bytes > segment->capacity) return false;
    if (header->offset > segment->capacity || bytes > segment->capacity - header->offset) {
        return false;
    }
    if (header->records_count > JOURNAL_BATCH_RECORDS_MAX || header->lsn_first == 0) return false;
    return (lsn == 0 || header->lsn_first == lsn) && header->epoch >= epoch;
}

/* ---- summaries ------------------------------------------------------------------------------- */

static void summary_close(struct file_trail *trail) {
    trail->journal->env->ops->close(trail->journal->env, trail->summary);
    trail->summary = NULL;
    trail->summary_window.file = NULL;
}

/* The segment's, if it has one. */
static int summary_open(struct file_trail *trail, struct file_segment *segment) {
    const struct env_ops *ops = trail->journal->env->ops;
    if (trail->summary_number == segment->number) return 0;
    summary_close(trail);
    trail->summary_number = segment->number;
    char name[FILE_NAME_BYTES];
    file_summary_name_write(segment->number, name);
    int rc =
        ops->open(trail->journal->env, trail->journal->directory, name, false, &trail->summary);
    if (rc == 0) rc = ops->size(trail->journal->env, trail->summary, &trail->summary_bytes);
    if (rc == 0) segment->summary_bytes = trail->summary_bytes;
    if (rc < 0) summary_close(trail);
    return rc == -ENOMEM ? rc : 0;
}

/* It is not what it should be: the segment is read instead, and gets another one. */
static void summary_reject(struct file_trail *trail, uint32_t index) {
    summary_close(trail);
    trail->journal->segments[index]->summary_bytes = 0;
}

static int look_at_summary(struct file_trail *trail, uint64_t offset, uint64_t count,
                           struct slice *out) {
    return file_window_look(trail->journal, &trail->summary_window, trail->summary,
                            trail->summary_bytes, offset, count, out);
}

/* The header of the batch at `offset` of the segment, if it comes next in the summary. */
static int find_in_summary(struct file_trail *trail, struct file_segment *segment,
                           const struct file_place *place, uint64_t offset, bool *found,
                           struct file_found *out) {
    uint64_t at = offset == FILE_SEGMENT_HEADER_BYTES ? 0 : place->summary_at;
    if (at == NO_SUMMARY) return 0;
    int rc = summary_open(trail, segment);
    if (rc < 0 || trail->summary == NULL) return rc;
    struct slice bytes;
    rc = look_at_summary(trail, at, FILE_BATCH_HEADER_BYTES, &bytes);
    if (rc < 0) return rc == -ENOMEM ? rc : 0;
    *found = file_batch_header_decode(bytes, trail->journal->seed, segment->number, offset,
                                      &out->header) &&
             file_batch_counts(segment, &out->header, place->lsn, place->epoch);
    out->summary_at = at;
    return 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

static int find_at(struct file_trail *trail, struct file_segment *segment,
                   const struct file_place *place, uint64_t offset, bool *found,
                   struct file_found *out) {
    int rc = find_in_summary(trail, segment, place, offset, found, out);
    if (rc < 0 || *found) return rc;
    struct slice bytes;
    rc = file_window_look(trail->journal, &trail->window, segment->file, segment->capacity, offset,
                          FILE_BATCH_HEADER_BYTES, &bytes);
    if (rc < 0) return rc;
    bool has_summary = trail->summary != NULL && trail->summary_number == segment->number;
    *found = file_batch_header_decode(bytes, trail->journal->seed, segment->number, offset,
                                      &out->header) &&
             file_batch_counts(segment, &out->header, place->lsn, place->epoch);
    out->summary_at = NO_SUMMARY;
    if (*found && has_summary) summary_reject(trail, out->index); /* it has not all */
    return 0;
}

int file_trail_find(struct file_trail *trail, const struct file_place *place, bool *found,
                    struct file_found *out) {
    struct file_journal *journal = trail->journal;
    *found = false;
    for (uint32_t step = 0; step < 2 && !*found; step++) {
        uint32_t index = place->index + step;
        if (index >= journal->segments_count) break;
        struct file_segment *segment = journal->segments[index];
        if (!segment->header_valid) break;
        uint64_t offset = step == 0 ? place->offset : FILE_SEGMENT_HEADER_BYTES;
        out->index = index;
        int rc = find_at(trail, segment, place, offset, found, out);
        if (rc < 0) return rc;
    }
    return 0;
}

struct file_place file_trail_after(const struct file_found *batch) {
    const struct file_batch_header *header = &batch->header;
    struct file_place place = {
        .index = batch->index,
        .number = header->number,
        .offset = header->offset + file_batch_bytes(header->bodies_bytes, header->records_bytes),
        .lsn = header->lsn_first + header->records_count,
        .epoch = header->epoch,
        .summary_at = batch->summary_at,
    };
    if (place.summary_at != NO_SUMMARY) {
        place.summary_at += FILE_BATCH_HEADER_BYTES + header->records_bytes;
    }
    return place;
}

/* Are these records whole, and do their bodies take what the header says? */
static bool records_are_right(const struct file_trail *trail,
                              const struct file_batch_header *header, struct slice records) {
    if (records.count != header->records_bytes) return false;
    if (hash64_seeded(records, trail->journal->seed) != header->records_checksum) return false;
    struct file_frame frame;
    uint32_t records_count = 0;
    uint64_t bodies_bytes = 0;
    while (file_frame_next(&records, &frame)) {
        records_count++;
        for (uint32_t i = 0; i < frame.bodies_count; i++) {
            struct body_ref ref;
            file_frame_body(&frame, i, &ref);
            bodies_bytes += ref.count;
        }
    }
    return records.count == 0 && records_count == header->records_count &&
           bodies_bytes == header->bodies_bytes;
}

/* With the header that stands behind them, which is wanted too. */
static int read_records(struct file_trail *trail, const struct file_found *batch, bool in_summary,
                        struct slice *out) {
    const struct file_batch_header *header = &batch->header;
    struct file_segment *segment = trail->journal->segments[batch->index];
    uint64_t count = header->records_bytes + FILE_BATCH_HEADER_BYTES;
    int rc;
    if (in_summary) {
        rc = summary_open(trail, segment); /* the next batch may have been found in the next one */
        if (rc == 0 && trail->summary == NULL) rc = -ENOENT;
        if (rc == 0) {
            rc = look_at_summary(trail, batch->summary_at + FILE_BATCH_HEADER_BYTES, count, out);
        }
    } else {
        uint64_t offset = header->offset + FILE_BATCH_HEADER_BYTES + header->bodies_bytes;
        rc = file_window_look(trail->journal, &trail->window, segment->file, segment->capacity,
                              offset, count + FILE_BATCH_ALIGN, out);
    }
    if (rc == 0 && out->count > header->records_bytes) out->count = header->records_bytes;
    return rc;
}

int file_trail_bring(struct file_trail *trail, struct file_found *batch) {
    struct slice records;
    if (batch->summary_at != NO_SUMMARY) {
        int rc = read_records(trail, batch, true, &records);
        if (rc == 0 || rc == -ENOMEM) return rc;
        summary_reject(trail, batch->index);
        batch->summary_at = NO_SUMMARY;
    }
    return read_records(trail, batch, false, &records);
}

int file_trail_records(struct file_trail *trail, struct file_found *batch, struct slice *out) {
    int rc;
    if (batch->summary_at != NO_SUMMARY) {
        rc = read_records(trail, batch, true, out);
        if (rc == -ENOMEM) return rc;
        if (rc == 0 && records_are_right(trail, &batch->header, *out)) return 0;
        summary_reject(trail, batch->index);
        batch->summary_at = NO_SUMMARY;
    }
    rc = read_records(trail, batch, false, out);
    if (rc < 0) return rc;
    return records_are_right(trail, &batch->header, *out) ? 0 : -EBADMSG;
}

int file_trail_check_bodies(struct file_trail *trail, const struct file_found *batch,
                            struct slice records) {
    const struct file_segment *segment = trail->journal->segments[batch->index];
    uint64_t offset = batch->header.offset + FILE_BATCH_HEADER_BYTES;
    struct file_frame frame;
    while (file_frame_next(&records, &frame)) {
        for (uint32_t i = 0; i < frame.bodies_count; i++) {
            struct body_ref ref;
            struct slice bytes;
            file_frame_body(&frame, i, &ref);
            int rc = file_window_look(trail->journal, &trail->bodies, segment->file,
                                      segment->capacity, offset, ref.count, &bytes);
            if (rc < 0) return rc;
            if (!body_ref_fits(ref, bytes) && !file_frame_body_is_given_up(&frame, i)) {
                return -EBADMSG;
            }
            offset += ref.count;
        }
    }
    return 0;
}

void file_trail_close(struct file_trail *trail) {
    const struct allocator *allocator = &trail->journal->env->allocator;
    summary_close(trail);
    allocator_give_back(allocator, trail->window.bytes);
    allocator_give_back(allocator, trail->bodies.bytes);
    allocator_give_back(allocator, trail->summary_window.bytes);
}
