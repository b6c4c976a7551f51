/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_replay.c -- reads the log from its oldest batch to its end.
 *
 * A batch is given out after the header behind it was read. If that one says that the batch was
 * durable, its bodies are there and are not read. The last batch nobody vouches for: a torn write
 * may have brought header and records and not the bodies, so its bodies are verified as well.
 *
 * What a crash can leave at the end, all of it cut off by journal_file_start: nothing new; any mix
 * of old and new bytes in the place of the last batch; a segment that is not ready yet. Where there
 * is nothing to read although there must be (find_loss), it is damage.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>

struct replay {
    struct file_journal *journal;
    struct file_trail trail;
    struct body_ref *refs; /* JOURNAL_RECORD_BODIES_MAX */
    struct file_place place;
    bool any_batch; /* was found, good or bad */
    journal_replay_fn *fn;
    void *context;
};

static int give_records(struct replay *replay, const struct file_batch_header *header,
                        struct slice records) {
    uint64_t position =
        header->number * replay->journal->segment_bytes + header->offset + FILE_BATCH_HEADER_BYTES;
    uint64_t lsn = header->lsn_first;
    struct file_frame frame;
    while (file_frame_next(&records, &frame)) {
        for (uint32_t i = 0; i < frame.bodies_count; i++) {
            position = file_frame_ref(&frame, i, position, &replay->refs[i]);
        }
        struct journal_record record = {.lsn = lsn++,
                                        .bytes = frame.bytes,
                                        .bodies = replay->refs,
                                        .bodies_count = frame.bodies_count};
        int rc = replay->fn(replay->context, &record);
        if (rc < 0) return rc;
    }
    return 0;
}

/* Is the batch known to have been durable? Then all bad in it is damage. */
static bool is_vouched_for(const struct file_found *batch, bool has_next,
                           const struct file_found *next) {
    if (!has_next) return false;
    uint64_t lsn_last = batch->header.lsn_first + batch->header.records_count - 1;
    return next->header.follows_durable || next->header.durable >= lsn_last;
}

static void note_batch(struct replay *replay, const struct file_found *batch, bool vouched_for) {
    struct file_journal *journal = replay->journal;
    const struct file_batch_header *header = &batch->header;
    struct file_segment *segment = journal->segments[batch->index];
    if (header->offset == FILE_SEGMENT_HEADER_BYTES) segment->lsn_first = header->lsn_first;
    journal->lsn_appended = header->lsn_first + header->records_count - 1;
    if (header->durable > journal->lsn_synced) journal->lsn_synced = header->durable;
    if (vouched_for) {
        journal->lsn_synced = journal->lsn_appended; /* the next header may be all that says so */
        journal->unsynced_index = batch->index;
        journal->has_tail = false;
    } else if (!journal->has_tail) {
        journal->has_tail = true;
        journal->tail_index = batch->index;
        journal->tail_offset = header->offset;
    }
    replay->place = file_trail_after(batch);
}

/* One batch: checked, given, noted; or *is_bad and nothing done. *next is what stands behind it. */
static int take_batch(struct replay *replay, struct file_found *batch, bool *is_bad, bool *has_next,
                      struct file_found *next) {
    struct file_trail *trail = &replay->trail;
    int rc = file_trail_bring(trail, batch);
    if (rc < 0) return rc;
    struct file_place behind = file_trail_after(batch);
    rc = file_trail_find(trail, &behind, has_next, next);
    if (rc < 0) return rc;

    bool vouched_for = is_vouched_for(batch, *has_next, next);
    struct slice records;
    rc = file_trail_records(trail, batch, &records);
    if (rc == 0 && !vouched_for) rc = file_trail_check_bodies(trail, batch, records);
    *is_bad = rc == -EBADMSG;
    if (*is_bad) return 0;
    if (rc < 0) return rc;
    note_batch(replay, batch, vouched_for);
    return give_records(replay, &batch->header, records);
}

static int say_damage(const struct replay *replay, const struct file_scan *scan) {
    const struct file_journal *journal = replay->journal;
    const struct file_place *place = &replay->place;
    bool accepted = journal->accept_damage;
    log_printf(journal->log, accepted ? LOG_WARNING : LOG_ERROR,
               "journal: damage in %016" PRIx64 ".segment at offset %" PRIu64 ": record %" PRIu64
               " and what follows cannot be read, but %016" PRIx64 ".segment, offset %" PRIu64
               ", says that it was durable; %s",
               place->number, place->offset, place->lsn, scan->found_number, scan->found_offset,
               accepted ? "the journal now ends here, as asked for"
                        : "takt does not start, unless told to accept the damage");
    return accepted ? 0 : -EBADMSG;
}

/* Of a journal that has been trimmed, the oldest segment begins with a batch that was durable. */
static bool is_headless(const struct file_place *place) {
    return place->lsn == 0 && place->number > 1;
}

/* No batch says that something is lost, but the folder does. Segment 1 and its header are durable
 * before `format`, the first batch of the first start before segment 2 gets its name, each header
 * before the segment behind it gets its own. So a crash may leave one segment without a batch, and
 * only the newest without its header. NULL, or what is wrong with *number. */
static const char *find_loss(const struct replay *replay, uint64_t *number) {
    const struct file_journal *journal = replay->journal;
    for (uint32_t i = replay->place.index; i < journal->segments_count; i++) {
        const struct file_segment *segment = journal->segments[i];
        bool may_be_bare = i > 0 && i + 1 == journal->segments_count;
        *number = segment->number;
        if (!segment->header_valid && !may_be_bare)
            return "its header is of another segment or none";
    }
    *number = replay->place.number;
    if (!replay->any_batch && journal->segments_count > 1) {
        return "nothing in it can be read, and there are segments behind it";
    }
    return NULL;
}

static int check_loss(const struct replay *replay) {
    const struct file_journal *journal = replay->journal;
    uint64_t number = 0;
    const char *loss = find_loss(replay, &number);
    if (loss == NULL) return 0;
    bool accepted = journal->accept_damage;
    log_printf(journal->log, accepted ? LOG_WARNING : LOG_ERROR,
               "journal: damage in %016" PRIx64 ".segment: %s; %s", number, loss,
               accepted ? "the journal now ends before it, as asked for"
                        : "takt does not start, unless told to accept the damage");
    return accepted ? 0 : -EBADMSG;
}

/* The place is the end: a tail, or damage. */
static int settle_end(struct replay *replay) {
    struct file_journal *journal = replay->journal;
    struct file_place *place = &replay->place;
    struct file_scan scan;
    int rc = file_scan_behind(journal, place, &scan);
    if (rc < 0) return rc;
    if (is_headless(place) && !scan.found) {
        scan.found = true;
        scan.found_number = place->number;
    }
    rc = scan.found ? say_damage(replay, &scan) : check_loss(replay);
    if (rc < 0) return rc;
    if (!scan.found && scan.torn) {
        log_printf(journal->log, LOG_WARNING,
                   "journal: %016" PRIx64 ".segment ends with an unsynced tail at offset %" PRIu64
                   "; it is cut off, nobody was promised what was in it",
                   place->number, place->offset);
    }
    if (is_headless(place)) journal->lsn_appended = scan.lsn_max;
    journal->epoch = (scan.epoch_max > place->epoch ? scan.epoch_max : place->epoch) + 1;
    journal->next_number = place->number;
    journal->next_offset = place->offset;
    return 0;
}

static int replay_all(struct replay *replay) {
    struct file_journal *journal = replay->journal;
    const struct file_segment *oldest = journal->segments[0];
    replay->place = (struct file_place){.index = 0,
                                        .number = oldest->number,
                                        .offset = FILE_SEGMENT_HEADER_BYTES,
                                        .lsn = oldest->number == 1 ? 1 : 0,
                                        .epoch = 0};
    struct file_found batch;
    struct file_found next;
    bool has_next = false;
    int rc = file_trail_find(&replay->trail, &replay->place, &has_next, &batch);
    replay->any_batch = has_next;
    while (rc == 0 && has_next) {
        /* It may be in the next segment. Were it bad and the place still before it, its own header
         * would seem to vouch for the place. */
        replay->place.index = batch.index;
        replay->place.number = batch.header.number;
        replay->place.offset = batch.header.offset;
        bool is_bad = false;
        rc = take_batch(replay, &batch, &is_bad, &has_next, &next);
        if (is_bad) break; /* the end, unless somebody knows better */
        batch = next;
    }
    return rc < 0 ? rc : settle_end(replay);
}

int file_replay(struct journal *base, journal_replay_fn *fn, void *context) {
    struct file_journal *journal = file_journal_from(base);
    CHECK(!journal->replayed && !journal->started);
    struct allocator *allocator = &journal->env->allocator;
    struct replay replay = {
        .journal = journal, .trail = {.journal = journal}, .fn = fn, .context = context};
    int rc = -ENOMEM;
    replay.refs =
        allocator_resize_array(allocator, NULL, JOURNAL_RECORD_BODIES_MAX, sizeof replay.refs[0]);
    if (replay.refs != NULL) rc = replay_all(&replay);
    allocator_give_back(allocator, replay.refs);
    file_trail_close(&replay.trail);
    journal->replayed = rc == 0;
    return rc;
}
