/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_scan.c -- is the end of the log a torn tail, or damage?
 *
 * Replay has come to a place where no batch follows that counts. Either nothing was ever durable
 * there (the end, or a batch that a crash tore), or something was and cannot be read any more. In the
 * second case a later batch knows: each says up to where the log was durable when it was written,
 * and whether that was all that stands before it (with durability none it was not).
 * So all that lies behind is searched for batch headers, at each offset where one may begin, as far
 * as each segment's reach (journal_file_reach.c): no batch was ever begun behind it.
 *
 * Headers that do not count: of an earlier use of the file (another number), and of an epoch before
 * the place's own: a tail that was cut off once, with what followed it.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <string.h>

#define SCAN_STEP_BYTES ((size_t)1024 * 1024)

static void note_header(const struct file_place *place, const struct file_batch_header *header,
                        struct file_scan *out) {
    if (header->epoch > out->epoch_max) out->epoch_max = header->epoch;
    uint64_t lsn_last = header->lsn_first + header->records_count - 1;
    if (lsn_last > out->lsn_max) out->lsn_max = lsn_last;
    if (header->durable > out->lsn_max) out->lsn_max = header->durable;
    if (out->found || header->epoch < place->epoch) return;
    bool is_behind = header->number != place->number || header->offset != place->offset;
    if (header->durable < place->lsn && !(is_behind && header->follows_durable)) return;
    out->found = true;
    out->found_number = header->number;
    out->found_offset = header->offset;
}

/* bytes begin at `offset` and hold one header more than is walked over. */
static void scan_bytes(struct file_journal *journal, const struct file_place *place,
                       uint64_t number, uint64_t offset, struct slice bytes,
                       struct file_scan *out) {
    for (size_t at = 0; at + FILE_BATCH_HEADER_BYTES <= bytes.count; at += FILE_BATCH_ALIGN) {
        /* Nearly all is zeros, and a start of takt waits for this loop: no call for each step. */
        if (memcmp(bytes.bytes + at, FILE_BATCH_MAGIC, sizeof FILE_BATCH_MAGIC - 1) != 0) continue;
        struct file_batch_header header;
        if (file_batch_header_decode(slice_skip(bytes, at), journal->seed, number, offset + at,
                                     &header)) {
            note_header(place, &header, out);
        }
    }
}

static int scan_segment(struct file_journal *journal, const struct file_place *place,
                        uint32_t index, uint64_t offset, char *room, struct file_scan *out) {
    struct file_segment *segment = journal->segments[index];
    size_t room_bytes = SCAN_STEP_BYTES + FILE_BATCH_HEADER_BYTES;
    uint64_t end = offset <= segment->reach ? segment->reach : segment->capacity;
    for (; offset < end; offset += SCAN_STEP_BYTES) {
        int64_t count =
            journal->env->ops->read(journal->env, segment->file, offset, room, room_bytes);
        if (count < 0) return (int)count;
        if (index == place->index && offset == place->offset && count >= FILE_BATCH_HEADER_BYTES) {
            out->torn = file_batch_header_is_likely(room, segment->number);
        }
        scan_bytes(journal, place, segment->number, offset, slice_from(room, (size_t)count), out);
    }
    return 0;
}

int file_scan_behind(struct file_journal *journal, const struct file_place *place,
                     struct file_scan *out) {
    *out = (struct file_scan){.found = false};
    char *room = allocator_resize_array(&journal->env->allocator, NULL,
                                        SCAN_STEP_BYTES + FILE_BATCH_HEADER_BYTES, 1);
    if (room == NULL) return -ENOMEM;
    int rc = 0;
    for (uint32_t i = place->index; rc == 0 && i < journal->segments_count; i++) {
        uint64_t offset = i == place->index ? place->offset : FILE_SEGMENT_HEADER_BYTES;
        rc = scan_segment(journal, place, i, offset, room, out);
    }
    allocator_give_back(&journal->env->allocator, room);
    return rc;
}
