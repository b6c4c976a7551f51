/* SPDX-License-Identifier: Apache-2.0 */
/* file_walk.c -- as replay, but it reads bodies too and does not stop at damage.
 *
 *   find_batch    at the place, or at the beginning of the next segment
 *   take_batch    its records, then its bodies
 *   resync        no batch there: the end of the log, or damage: then on at the next one that is good
 *
 * What tells damage from the end is what tells it in a replay (journal_file_scan.c): some batch
 * behind says that this place was durable. A batch that is bad and that nobody vouches for is the
 * unsynced tail of a crash.
 *
 * Damage of a body leaves its record whole, and that of a segment's own header or unused end hides
 * nothing; all other damage ends the log for a replay.
 */
#include "journal/file/file_walk.h"

#include "base/hash.h"
#include "journal/file/file_house.h"

#include <errno.h>

#define WINDOW_STEP_BYTES ((size_t)1024 * 1024)

struct walk {
    struct file_folder *folder;
    const struct journal_check_options *options;
    struct journal_report *report;
    struct file_place place;
    struct body_ref *refs; /* JOURNAL_RECORD_BODIES_MAX */
    bool is_beyond;        /* behind damage that ends the log */
    bool any_batch;
    uint64_t bytes_before; /* of the segments before the place's */
    uint64_t bytes_all;
    /* A piece of a segment. */
    char *bytes;
    size_t bytes_capacity;
    uint32_t index;
    uint64_t offset;
    size_t bytes_count; /* 0: none */
};

struct walk_batch {
    struct file_batch_header header;
    uint32_t index;
};

/* Up to `count` bytes at `offset`; they stay until the next look. */
static int look(struct walk *walk, uint32_t index, uint64_t offset, uint64_t count,
                struct slice *out) {
    const struct folder_segment *segment = &walk->folder->segments[index];
    uint64_t rest = offset < segment->capacity ? segment->capacity - offset : 0;
    if (count > rest) count = rest;
    bool is_inside = walk->bytes_count > 0 && walk->index == index && offset >= walk->offset &&
                     offset + count <= walk->offset + walk->bytes_count;
    if (!is_inside) {
        size_t wanted = count > WINDOW_STEP_BYTES ? (size_t)count : WINDOW_STEP_BYTES;
        if (wanted > rest) wanted = (size_t)rest;
        if (wanted > walk->bytes_capacity) {
            char *bytes = allocator_resize_array(&walk->folder->env->allocator, walk->bytes, wanted,
                                                 sizeof bytes[0]);
            if (bytes == NULL) return -ENOMEM;
            walk->bytes = bytes;
            walk->bytes_capacity = wanted;
        }
        walk->bytes_count = 0;
        int rc = file_folder_read(walk->folder, segment, offset, walk->bytes, wanted,
                                  &walk->bytes_count);
        if (rc < 0) return rc;
        walk->index = index;
        walk->offset = offset;
    }
    size_t skip = walk->bytes_count == 0 ? 0 : (size_t)(offset - walk->offset);
    size_t there = walk->bytes_count - skip;
    *out = slice_from(walk->bytes + skip, there < count ? there : (size_t)count);
    return 0;
}

/* ---- headers ---------------------------------------------------------------------------------- */

static bool fits(const struct folder_segment *segment, const struct file_batch_header *header) {
    uint64_t bytes = file_batch_bytes(header->bodies_bytes, header->records_bytes);
    if (header->bodies_bytes > segment->capacity || header->offset > segment->capacity)
        return false;
    if (bytes > segment->capacity - header->offset) return false;
    return header->records_count <= JOURNAL_BATCH_RECORDS_MAX && header->lsn_first != 0;
}

static int read_header(struct walk *walk, uint32_t index, uint64_t offset, bool *found,
                       struct walk_batch *out) {
    const struct folder_segment *segment = &walk->folder->segments[index];
    struct slice bytes;
    int rc = look(walk, index, offset, FILE_BATCH_HEADER_BYTES, &bytes);
    if (rc < 0) return rc;
    out->index = index;
    *found = file_batch_header_decode(bytes, walk->folder->format.seed, segment->number, offset,
                                      &out->header) &&
             fits(segment, &out->header);
    return 0;
}

static bool counts(const struct file_place *place, const struct file_batch_header *header) {
    return (place->lsn == 0 || header->lsn_first == place->lsn) && header->epoch >= place->epoch;
}

/* The batch at the place, or at the beginning of the next segment. A file's own header says nothing
 * that its name does not say, so it may be bad. */
static int find_batch(struct walk *walk, const struct file_place *place, bool *found,
                      struct walk_batch *out) {
    const struct file_folder *folder = walk->folder;
    *found = false;
    for (uint32_t step = 0; step < 2 && !*found; step++) {
        uint32_t index = place->index + step;
        if (index >= folder->segments_count) break;
        if (folder->segments[index].number != place->number + step) break;
        uint64_t offset = step == 0 ? place->offset : FILE_SEGMENT_HEADER_BYTES;
        int rc = read_header(walk, index, offset, found, out);
        if (rc < 0) return rc;
        *found = *found && counts(place, &out->header);
    }
    return 0;
}

static struct file_place place_after(const struct walk_batch *batch) {
    const struct file_batch_header *header = &batch->header;
    return (struct file_place){
        .index = batch->index,
        .number = header->number,
        .offset = header->offset + file_batch_bytes(header->bodies_bytes, header->records_bytes),
        .lsn = header->lsn_first + header->records_count,
        .epoch = header->epoch,
    };
}

/* The first header behind the place that says it was durable. */
static int find_witness(struct walk *walk, const struct file_place *place, bool *found,
                        struct walk_batch *out) {
    *found = false;
    for (uint32_t i = place->index; i < walk->folder->segments_count; i++) {
        const struct folder_segment *segment = &walk->folder->segments[i];
        uint64_t offset = i == place->index && segment->number == place->number
                              ? place->offset
                              : FILE_SEGMENT_HEADER_BYTES;
        for (; offset + FILE_BATCH_HEADER_BYTES <= segment->capacity; offset += FILE_BATCH_ALIGN) {
            struct slice bytes;
            int rc = look(walk, i, offset, FILE_BATCH_HEADER_BYTES, &bytes);
            if (rc < 0) return rc;
            if (bytes.count < FILE_BATCH_HEADER_BYTES) break; /* the file ends */
            if (!file_batch_header_is_likely(bytes.bytes, segment->number)) continue;
            bool is_header = false;
            rc = read_header(walk, i, offset, &is_header, out);
            if (rc < 0) return rc;
            bool is_behind = segment->number != place->number || offset != place->offset;
            *found = is_header && is_behind && out->header.epoch >= place->epoch &&
                     (out->header.durable >= place->lsn || out->header.follows_durable);
            if (*found) return 0;
        }
    }
    return 0;
}

/* ---- what is found ---------------------------------------------------------------------------- */

static int say(struct walk *walk, const struct journal_finding *finding) {
    struct journal_report *report = walk->report;
    struct journal_finding said = *finding;
    said.is_beyond = walk->is_beyond;
    if (report->findings_count == JOURNAL_FINDINGS_MAX) return -EFBIG;
    report->findings_count++;
    if (walk->options->on_finding != NULL) {
        walk->options->on_finding(walk->options->context, &said);
    }
    if (said.ends_log && !walk->is_beyond) {
        walk->is_beyond = true;
        report->is_cut = true;
        report->end_segment = walk->place.number;
        report->end_offset = walk->place.offset;
    }
    return 0;
}

static bool is_short(const struct folder_segment *segment) {
    return segment->bytes_count < segment->capacity;
}

/* What is wrong with the files from the place's on to the one of `last`, by themselves. *count: how
 * many of these keep a replay from getting there. */
static int say_files(struct walk *walk, uint32_t last, struct journal_finding finding,
                     uint32_t *count) {
    const struct file_folder *folder = walk->folder;
    for (uint32_t i = walk->place.index; i <= last && i < folder->segments_count; i++) {
        struct folder_segment *segment = &folder->segments[i];
        uint64_t expected = i == 0 ? segment->number
                                   : folder->segments[i - 1].number + 1; /* the oldest may be any */
        if (segment->is_said) continue;
        segment->is_said = true;
        int rc = 0;
        for (uint64_t number = expected; rc == 0 && number < segment->number; number++) {
            finding.damage = JOURNAL_DAMAGE_SEGMENT_MISSING;
            finding.segment = number;
            finding.ends_log = true;
            (*count)++;
            rc = say(walk, &finding);
        }
        struct journal_finding own = {.segment = segment->number};
        if (rc == 0 && !segment->header_valid) {
            own.damage = JOURNAL_DAMAGE_SEGMENT_HEADER;
            rc = say(walk, &own);
        }
        if (rc == 0 && is_short(segment)) {
            own.damage = JOURNAL_DAMAGE_SEGMENT_SHORT;
            own.offset = segment->bytes_count;
            own.bytes_count = segment->capacity - segment->bytes_count;
            rc = say(walk, &own);
        }
        if (rc < 0) return rc;
    }
    return 0;
}

/* The log's end. Segments behind it are ready and empty; only the newest may be without a header. */
static int end_walk(struct walk *walk) {
    struct file_folder *folder = walk->folder;
    struct journal_report *report = walk->report;
    if (!walk->is_beyond) {
        report->end_segment = walk->place.number;
        report->end_offset = walk->place.offset;
    }
    struct folder_segment *newest = &folder->segments[folder->segments_count - 1];
    bool is_bare =
        folder->segments_count > 1 && !newest->header_valid && newest->number != walk->place.number;
    if (is_bare) newest->is_said = true;
    uint32_t count = 0;
    struct journal_finding finding = {.lsn_first = walk->place.lsn};
    int rc = say_files(walk, folder->segments_count - 1, finding, &count);
    if (rc < 0 || walk->any_batch || (folder->segments_count < 2 && walk->place.number == 1)) {
        return rc;
    }
    return say(walk, &(struct journal_finding){.damage = JOURNAL_DAMAGE_BATCH_HEADER,
                                               .segment = walk->place.number,
                                               .offset = walk->place.offset,
                                               .lsn_first = walk->place.lsn,
                                               .ends_log = true});
}

/* No batch that counts lies at the place. *found: go on with this one; else it is the end. */
static int resync(struct walk *walk, bool *found, struct walk_batch *out) {
    int rc = find_witness(walk, &walk->place, found, out);
    if (rc < 0 || !*found) return rc;
    struct file_place *place = &walk->place;
    struct journal_finding finding = {.lsn_first = place->lsn,
                                      .lsn_last = out->header.lsn_first - 1};
    uint32_t missing = 0;
    rc = say_files(walk, out->index, finding, &missing);
    if (rc < 0 || missing > 0) return rc;
    finding.damage = JOURNAL_DAMAGE_BATCH_HEADER;
    finding.segment = place->number;
    finding.offset = place->offset;
    finding.ends_log = true;
    if (out->index == place->index) finding.bytes_count = out->header.offset - place->offset;
    return say(walk, &finding);
}

/* ---- one batch -------------------------------------------------------------------------------- */

static bool records_are_whole(const struct walk *walk, const struct file_batch_header *header,
                              struct slice records) {
    if (records.count != header->records_bytes) return false;
    if (hash64_seeded(records, walk->folder->format.seed) != header->records_checksum) return false;
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

/* Is it damage, or the tail of a crash? Looked for only where something is bad. */
static int is_vouched_for(struct walk *walk, const struct walk_batch *batch, bool *out) {
    struct file_place place = walk->place;
    struct walk_batch witness;
    place.epoch = batch->header.epoch;
    place.lsn = batch->header.lsn_first + batch->header.records_count - 1;
    if (batch->header.records_count == 0) place.lsn++;
    return find_witness(walk, &place, out, &witness);
}

static int say_body(struct walk *walk, const struct walk_batch *batch, uint64_t lsn, uint32_t index,
                    struct body_ref ref) {
    uint64_t segment_bytes = walk->folder->format.segment_bytes;
    return say(walk, &(struct journal_finding){.damage = JOURNAL_DAMAGE_BODY,
                                               .segment = batch->header.number,
                                               .offset = ref.position % segment_bytes,
                                               .bytes_count = ref.count,
                                               .lsn_first = lsn,
                                               .lsn_last = lsn,
                                               .body = ref,
                                               .body_index = index,
                                               .batch_offset = batch->header.offset});
}

/* The bodies of the batch in memory at `bytes`. With `is_said` what is bad is said, else it is only
 * counted. */
static int check_bodies(struct walk *walk, const struct walk_batch *batch, struct slice bytes,
                        bool is_said, uint32_t *bad_count) {
    const struct file_batch_header *header = &batch->header;
    uint64_t position = header->number * walk->folder->format.segment_bytes + header->offset +
                        FILE_BATCH_HEADER_BYTES;
    size_t at = FILE_BATCH_HEADER_BYTES;
    struct slice records =
        slice_from(bytes.bytes + at + header->bodies_bytes, header->records_bytes);
    struct file_frame frame;
    uint64_t lsn = header->lsn_first;
    for (; file_frame_next(&records, &frame); lsn++) {
        for (uint32_t i = 0; i < frame.bodies_count; i++) {
            struct body_ref ref;
            file_frame_body(&frame, i, &ref);
            ref.position = position;
            bool is_good = file_frame_body_is_given_up(&frame, i) ||
                           body_ref_fits(ref, slice_from(bytes.bytes + at, ref.count));
            if (!is_good) (*bad_count)++;
            int rc = !is_good && is_said ? say_body(walk, batch, lsn, i, ref) : 0;
            if (rc < 0) return rc;
            at += ref.count;
            position += ref.count;
        }
    }
    return 0;
}

static int give_record(struct walk *walk, const struct file_frame *frame, uint64_t lsn,
                       uint64_t *position) {
    struct journal_report *report = walk->report;
    for (uint32_t i = 0; i < frame->bodies_count; i++) {
        *position = file_frame_ref(frame, i, *position, &walk->refs[i]);
        bool is_given_up = body_ref_is_given_up(walk->refs[i]);
        if (!walk->is_beyond) report->bodies_count++;
        if (!walk->is_beyond && is_given_up) report->bodies_given_up++;
    }
    struct journal_record record = {.lsn = lsn,
                                    .bytes = frame->bytes,
                                    .bodies = walk->refs,
                                    .bodies_count = frame->bodies_count};
    if (walk->is_beyond) {
        report->records_beyond++;
    } else {
        report->records_count++;
        if (report->lsn_first == 0) report->lsn_first = lsn;
        report->lsn_last = lsn;
    }
    journal_replay_fn *fn = walk->is_beyond ? walk->options->on_beyond : walk->options->on_record;
    return fn == NULL ? 0 : fn(walk->options->context, &record);
}

static int give_records(struct walk *walk, const struct walk_batch *batch, struct slice bytes) {
    const struct file_batch_header *header = &batch->header;
    uint64_t position = header->number * walk->folder->format.segment_bytes + header->offset +
                        FILE_BATCH_HEADER_BYTES;
    struct slice records = slice_from(bytes.bytes + FILE_BATCH_HEADER_BYTES + header->bodies_bytes,
                                      header->records_bytes);
    uint64_t lsn = header->lsn_first;
    struct file_frame frame;
    int rc = 0;
    while (rc == 0 && file_frame_next(&records, &frame)) {
        rc = give_record(walk, &frame, lsn++, &position);
    }
    return rc;
}

/* *is_end: nobody vouches for it and it is torn. */
static int take_batch(struct walk *walk, const struct walk_batch *batch, bool *is_end) {
    const struct file_batch_header *header = &batch->header;
    uint64_t bytes_count = FILE_BATCH_HEADER_BYTES + header->bodies_bytes + header->records_bytes;
    struct slice bytes;
    int rc = look(walk, batch->index, header->offset, bytes_count, &bytes);
    if (rc < 0) return rc;
    bool is_whole = bytes.count == bytes_count &&
                    records_are_whole(
                        walk, header,
                        slice_skip(bytes, FILE_BATCH_HEADER_BYTES + (size_t)header->bodies_bytes));
    uint32_t bad_count = 0;
    if (is_whole) rc = check_bodies(walk, batch, bytes, false, &bad_count);
    if (rc < 0) return rc;
    if (!is_whole || bad_count > 0) {
        bool is_damage = false;
        rc = is_vouched_for(walk, batch, &is_damage);
        *is_end = !is_damage;
        if (rc < 0 || *is_end) return rc;
        /* The witness was looked for through the same window. */
        rc = look(walk, batch->index, header->offset, bytes_count, &bytes);
        if (rc < 0) return rc;
    }
    if (!is_whole) {
        return say(walk, &(struct journal_finding){.damage = JOURNAL_DAMAGE_RECORDS,
                                                   .segment = header->number,
                                                   .offset = header->offset,
                                                   .bytes_count = bytes_count,
                                                   .lsn_first = header->lsn_first,
                                                   .lsn_last = header->lsn_first +
                                                               header->records_count - 1,
                                                   .ends_log = true});
    }
    if (bad_count > 0) rc = check_bodies(walk, batch, bytes, true, &bad_count);
    walk->report->batches_count++;
    return rc < 0 ? rc : give_records(walk, batch, bytes);
}

/* ---- all of it -------------------------------------------------------------------------------- */

static void note_progress(struct walk *walk, const struct walk_batch *batch) {
    while (walk->place.index < batch->index) {
        walk->bytes_before += walk->folder->segments[walk->place.index++].capacity;
    }
    walk->place.number = batch->header.number;
    walk->place.offset = batch->header.offset;
    if (walk->options->on_progress == NULL) return;
    walk->options->on_progress(walk->options->context, walk->bytes_before + batch->header.offset,
                               walk->bytes_all);
}

static int walk_all(struct walk *walk) {
    bool is_end = false;
    while (!is_end) {
        struct walk_batch batch;
        bool found = false;
        int rc = find_batch(walk, &walk->place, &found, &batch);
        if (rc == 0 && !found) {
            rc = resync(walk, &found, &batch);
        } else if (rc == 0) {
            uint32_t count = 0;
            rc = say_files(walk, batch.index, (struct journal_finding){0}, &count);
        }
        if (rc < 0) return rc;
        if (!found) break;
        walk->any_batch = true;
        note_progress(walk, &batch);
        walk->report->bytes_count +=
            file_batch_bytes(batch.header.bodies_bytes, batch.header.records_bytes);
        rc = take_batch(walk, &batch, &is_end);
        if (rc < 0) return rc;
        if (!is_end) walk->place = place_after(&batch);
    }
    struct slice bytes;
    int rc = look(walk, walk->place.index, walk->place.offset, FILE_BATCH_HEADER_BYTES, &bytes);
    if (rc < 0) return rc;
    walk->report->has_tail = !walk->is_beyond && bytes.count == FILE_BATCH_HEADER_BYTES &&
                             file_batch_header_is_likely(bytes.bytes, walk->place.number);
    return end_walk(walk);
}

int file_walk(struct file_folder *folder, const struct journal_check_options *options,
              struct journal_report *report) {
    struct walk walk = {.folder = folder, .options = options, .report = report};
    if (folder->segments_count == 0) return -EBADMSG; /* it has a format, so it had one */
    uint64_t oldest = folder->segments[0].number;
    walk.place = (struct file_place){
        .number = oldest, .offset = FILE_SEGMENT_HEADER_BYTES, .lsn = oldest == 1 ? 1 : 0};
    for (uint32_t i = 0; i < folder->segments_count; i++) {
        walk.bytes_all += folder->segments[i].capacity;
    }
    struct allocator *allocator = &folder->env->allocator;
    walk.refs =
        allocator_resize_array(allocator, NULL, JOURNAL_RECORD_BODIES_MAX, sizeof walk.refs[0]);
    int rc = walk.refs == NULL ? -ENOMEM : walk_all(&walk);
    allocator_give_back(allocator, walk.refs);
    allocator_give_back(allocator, walk.bytes);
    if (rc == 0 && options->on_progress != NULL) {
        options->on_progress(options->context, walk.bytes_all, walk.bytes_all);
    }
    return rc;
}
