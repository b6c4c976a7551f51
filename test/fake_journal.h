/* SPDX-License-Identifier: Apache-2.0 */
/* fake_journal.h -- a journal in memory that makes durable only when told, and fails when told.
 *
 * What it holds outlives it, in a struct fake_log, so that a second one can replay it.
 */
#ifndef TAKT_FAKE_JOURNAL_H
#define TAKT_FAKE_JOURNAL_H

#include "journal/journal.h"

#define FAKE_RECORDS_MAX 65536u

struct fake_record {
    char *bytes;
    size_t bytes_count;
    struct body_ref *refs;
    uint32_t refs_count;
};
struct fake_body {
    char *bytes;
    uint32_t count;
};
struct fake_log {
    struct fake_record records[FAKE_RECORDS_MAX]; /* of LSN index + 1 */
    uint64_t count;
    uint64_t first;           /* the oldest that is not trimmed: 1 */
    struct fake_body *bodies; /* at position index + 1 */
    uint64_t bodies_count;
    uint64_t bodies_capacity;
};
struct fake_log *fake_log_open(void);
void fake_log_close(struct fake_log *log);

struct journal *fake_journal_open(struct fake_log *log);
/* All that is appended is durable; on_durable runs. */
void fake_journal_commit(struct journal *journal);
/* Durable up to here only. */
void fake_journal_commit_to(struct journal *journal, uint64_t lsn);
void fake_journal_fail(struct journal *journal, int result);
/* What journal_reserve says from now on: 0, -EAGAIN, -ENOSPC, … */
void fake_journal_set_reserve(struct journal *journal, int result);
void fake_journal_want_carry(struct journal *journal, uint64_t below, uint32_t pace);
/* Body reads wait until fake_journal_read_all. */
void fake_journal_set_cold(struct journal *journal, bool is_cold);
/* Gives how many there were. */
uint32_t fake_journal_read_all(struct journal *journal);
uint64_t fake_journal_appended(const struct journal *journal);
uint64_t fake_journal_trimmed(const struct journal *journal);
enum journal_purpose fake_journal_purpose(const struct journal *journal); /* of the last reserve */

#endif
