/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/file/file_house.h"

void file_get_status(const struct journal *base, struct journal_status *out) {
    const struct file_journal *journal = file_journal_const(base);
    *out = (struct journal_status){
        .lsn_first = journal->segments[0]->lsn_first,
        .lsn_appended = journal->lsn_appended,
        .lsn_durable = journal->lsn_durable,
        .epoch = journal->epoch,
        .bytes_used = file_bytes_used(journal),
        .bytes_room = journal->started ? file_room_for_intake(journal) : 0,
        .commits_count = journal->commits_count,
        .commit_ns_last = journal->commit_ns_last,
        .synced = !journal->no_sync,
        .failure = journal->failure,
    };
}
