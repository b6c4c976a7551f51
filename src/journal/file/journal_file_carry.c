/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_carry.c -- keeps the journal under 2.2 times the live data and one segment.
 *
 * Above the threshold, 1.9 × live and half a segment, the caller is asked to write again what lives
 * in the oldest segment, and says trim when it has. Where what ends is spread over the whole log,
 * half of a segment is dead by then, a byte carried makes room for two, and at a pace of one byte
 * carried for each byte appended the log stops growing.
 *
 * The worst mix has all that is alive in front: all of it, once, has to be carried before anything
 * behind it goes. So the pace rises with what the log is above the threshold, from one to seven over
 * a quarter of what is alive: all of that is carried by then, (1 + 7) / 2 × 1/4.
 *
 * A trim counts when all that was appended before it is durable: the copies, that is.
 */
#include "journal/file/file_house.h"

#define PACE_MIN 1000u /* thousandths */
#define PACE_MORE 6000u

static uint64_t trim_bound(const struct file_journal *journal) {
    uint64_t bound = journal->trim_lsn;
    if (journal->trim_wanted > bound) bound = journal->trim_wanted;
    if (journal->trim_later > bound) bound = journal->trim_later;
    return bound;
}

/* The oldest segment that is not given up yet. */
static uint32_t first_kept(const struct file_journal *journal) {
    uint64_t bound = trim_bound(journal);
    uint32_t index = 0;
    while (index + 1 < journal->segments_count && journal->segments[index + 1]->lsn_first != 0 &&
           journal->segments[index + 1]->lsn_first <= bound) {
        index++;
    }
    return index;
}

static uint64_t bytes_used_from(const struct file_journal *journal, uint32_t index) {
    uint64_t number = journal->next_number;
    uint64_t bytes = journal->next_offset;
    if (journal->filling != NULL) bytes += file_batch_memory(journal->filling);
    for (uint32_t i = index; i < journal->segments_count; i++) {
        const struct file_segment *segment = journal->segments[i];
        if (segment->number < number) bytes += segment->capacity + segment->summary_bytes;
    }
    return bytes;
}

uint64_t file_bytes_used(const struct file_journal *journal) {
    return bytes_used_from(journal, 0);
}

static uint64_t threshold(const struct file_journal *journal) {
    return journal->live_bytes / 10 * 19 + journal->segment_bytes / 2;
}

/* With little room left it is worth carrying earlier, as long as it frees something. */
static bool is_short_of_room(const struct file_journal *journal, uint64_t bytes_used) {
    return file_room_for_intake(journal) < journal->segment_bytes &&
           bytes_used > journal->live_bytes + journal->live_bytes / 4 + journal->segment_bytes;
}

uint64_t file_carry_below(const struct journal *base) {
    const struct file_journal *journal = file_journal_const(base);
    if (!journal->started || !journal->live_known || journal->failure != 0) return 0;
    uint32_t index = first_kept(journal);
    uint64_t bytes_used = bytes_used_from(journal, index);
    if (bytes_used <= threshold(journal) && !is_short_of_room(journal, bytes_used)) return 0;
    if (index + 1 >= journal->segments_count) return 0;
    return journal->segments[index + 1]->lsn_first; /* 0 while its first batch is on its way */
}

uint32_t file_carry_pace(const struct journal *base) {
    const struct file_journal *journal = file_journal_const(base);
    if (file_carry_below(base) == 0) return 0;
    uint64_t bytes_used = bytes_used_from(journal, first_kept(journal));
    uint64_t bytes_threshold = threshold(journal);
    uint64_t span = (journal->live_bytes + journal->segment_bytes) / 4;
    if (bytes_used <= bytes_threshold) return PACE_MIN;
    uint64_t over = bytes_used - bytes_threshold;
    if (over > span) over = span;
    return PACE_MIN + (uint32_t)(PACE_MORE * over / span);
}

void file_trim_note_durable(struct file_journal *journal) {
    while (journal->trim_wanted != 0 && journal->lsn_durable >= journal->trim_after) {
        journal->trim_lsn = journal->trim_wanted;
        journal->trim_wanted = journal->trim_later;
        journal->trim_after = journal->trim_later_after;
        journal->trim_later = 0;
    }
}

void file_trim(struct journal *base, uint64_t lsn) {
    struct file_journal *journal = file_journal_from(base);
    CHECK(journal->started && lsn <= journal->lsn_appended + 1);
    if (lsn <= trim_bound(journal)) return;
    if (journal->trim_wanted == 0) {
        journal->trim_wanted = lsn;
        journal->trim_after = journal->lsn_appended;
    } else { /* two are enough: a later one moves the second, the first is not delayed */
        journal->trim_later = lsn;
        journal->trim_later_after = journal->lsn_appended;
    }
    file_trim_note_durable(journal);
    file_prepare(journal);
}

void file_set_live_bytes(struct journal *base, uint64_t bytes_count) {
    struct file_journal *journal = file_journal_from(base);
    journal->live_bytes = bytes_count;
    journal->live_known = true;
}

bool file_trim_is_due(const struct file_journal *journal) {
    if (journal->trim_blocked || journal->segments_count < 2) return false;
    uint64_t lsn_next = journal->segments[1]->lsn_first;
    return lsn_next != 0 && lsn_next <= journal->trim_lsn && journal->segments[0]->reads_count == 0;
}
