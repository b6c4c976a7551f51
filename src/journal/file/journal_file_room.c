/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_room.c -- how much may still be appended, and by whom.
 *
 * Room is what is left in the segment that is being filled, the ready ones, and those that may still
 * be made: within bytes_max, and within what the file system has free beyond bytes_kept_free. The
 * last segments of it are kept for what must go on.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define MIB ((uint64_t)1024 * 1024)
#define ASK_AGAIN_NS ((int64_t)100 * 1000 * 1000)

/* Segments that must be left behind a record of each purpose. */
static const uint32_t marks[] = {
    [JOURNAL_FOR_INTAKE] = 2,
    [JOURNAL_FOR_GROWTH] = 1,
    [JOURNAL_FOR_DRAIN] = 0,
};

void file_room_ask(struct file_journal *journal) {
    journal->room_asked = journal->env->ops->now_mono(journal->env);
    uint64_t bytes_free = 0;
    int rc = journal->env->ops->free_bytes(journal->env, journal->directory, &bytes_free);
    if (rc < 0) return; /* no answer is no reason to refuse: the last one stands */
    journal->bytes_free = bytes_free;
    uint64_t possible = 0;
    if (bytes_free > journal->bytes_kept_free) {
        possible = (bytes_free - journal->bytes_kept_free) / journal->segment_bytes;
    }
    if (journal->bytes_max != 0) {
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < journal->segments_count; i++) {
            bytes += journal->segments[i]->capacity;
        }
        if (journal->preparing != FILE_PREPARING_NOTHING) bytes += journal->segment_bytes;
        uint64_t allowed = 0;
        if (bytes < journal->bytes_max)
            allowed = (journal->bytes_max - bytes) / journal->segment_bytes;
        if (allowed < possible) possible = allowed;
    }
    if (possible > FILE_SEGMENTS_MAX) possible = FILE_SEGMENTS_MAX;
    journal->segments_possible = possible;
}

/* What is left in the segment that is being filled. */
static int64_t rest_bytes(const struct file_journal *journal, uint64_t *number) {
    uint64_t offset = journal->next_offset;
    *number = journal->next_number;
    if (journal->filling != NULL) {
        const struct file_batch *batch = journal->filling;
        *number = batch->number;
        offset = batch->offset + file_batch_bytes(batch->bodies.count, batch->records.count);
    }
    uint64_t oldest = journal->segments[0]->number;
    uint64_t capacity = *number - oldest < journal->segments_count
                            ? journal->segments[*number - oldest]->capacity
                            : journal->segment_bytes;
    return (int64_t)capacity - (int64_t)offset;
}

/* Whole segments behind it, those being made included; negative when batches wait for one that
 * cannot be made. */
static int64_t whole_segments(const struct file_journal *journal, uint64_t number) {
    uint64_t newest = journal->segments[journal->segments_count - 1]->number;
    if (journal->preparing != FILE_PREPARING_NOTHING) newest++;
    return (int64_t)(newest - number) + (int64_t)journal->segments_possible;
}

static int64_t room_bytes(const struct file_journal *journal, size_t bytes_count) {
    uint64_t number;
    int64_t rest = rest_bytes(journal, &number);
    int64_t whole = whole_segments(journal, number) * (int64_t)journal->segment_bytes;
    int64_t needed = (int64_t)file_batch_bytes(bytes_count, FILE_FRAME_BYTES_MAX);
    if (needed > rest) rest = 0; /* it goes into the next one, and the rest is lost */
    return rest + whole - needed;
}

static bool has_room(const struct file_journal *journal, enum journal_purpose purpose,
                     size_t bytes_count) {
    return room_bytes(journal, bytes_count) >=
           (int64_t)marks[purpose] * (int64_t)journal->segment_bytes;
}

static void say_intake_refused(const struct file_journal *journal) {
    char bound[64] = "";
    if (journal->bytes_max != 0) {
        (void)snprintf(bound, sizeof bound, " (it may have %" PRIu64 " MiB in all)",
                       journal->bytes_max / MIB);
    }
    log_printf(
        journal->log, LOG_WARNING,
        "journal: sends and orders are refused from now on for lack of room: the disk has "
        "%" PRIu64 " MiB free, of which the last %" PRIu64 " MiB are never used; the journal "
        "has %" PRIu64 " MiB in use%s and grows by segments of %" PRIu64 " MiB, of which "
        "the last %" PRIu32 " are kept for what is already here; that goes on",
        journal->bytes_free / MIB, journal->bytes_kept_free / MIB, file_bytes_used(journal) / MIB,
        bound, journal->segment_bytes / MIB, marks[JOURNAL_FOR_INTAKE]);
}

/* Two lines for each time without room, not one a request: between large records that are refused
 * small ones may still fit, so it goes on when the largest of the refused would. */
static void note_intake(struct file_journal *journal, bool is_refused, size_t bytes_count) {
    if (is_refused) {
        if (bytes_count > journal->intake_refused_bytes) {
            journal->intake_refused_bytes = bytes_count;
        }
        if (!journal->intake_refused) say_intake_refused(journal);
        journal->intake_refused = true;
    } else if (journal->intake_refused &&
               has_room(journal, JOURNAL_FOR_INTAKE, journal->intake_refused_bytes)) {
        log_printf(journal->log, LOG_INFO,
                   "journal: there is room again, sends and orders are taken");
        journal->intake_refused = false;
        journal->intake_refused_bytes = 0;
    }
}

int file_room_check(struct file_journal *journal, enum journal_purpose purpose,
                    size_t bytes_count) {
    /* It is asked often and answered from memory; the file system itself only now and then. */
    struct mono_time now = journal->env->ops->now_mono(journal->env);
    if (now.ns - journal->room_asked.ns >= ASK_AGAIN_NS) {
        file_room_ask(journal);
        file_prepare(journal);
    }
    bool fits = has_room(journal, purpose, bytes_count);
    note_intake(journal, purpose == JOURNAL_FOR_INTAKE && !fits, bytes_count);
    return fits ? 0 : -ENOSPC;
}

uint64_t file_room_for_intake(const struct file_journal *journal) {
    int64_t room = room_bytes(journal, 0);
    room -= (int64_t)marks[JOURNAL_FOR_INTAKE] * (int64_t)journal->segment_bytes;
    return room < 0 ? 0 : (uint64_t)room;
}
