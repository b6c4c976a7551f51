/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c -- hands each call to the house that opened the journal. */
#include "journal/journal_house.h"

#include <errno.h>

int journal_replay(struct journal *journal, journal_replay_fn *fn, void *context) {
    return journal->ops->replay(journal, fn, context);
}

int journal_start(struct journal *journal, journal_durable_fn *on_durable, void *context) {
    return journal->ops->start(journal, on_durable, context);
}

int journal_reserve(struct journal *journal, enum journal_purpose purpose, size_t bytes_count) {
    return journal->ops->reserve(journal, purpose, bytes_count);
}

uint64_t journal_append(struct journal *journal, struct slice bytes, const struct slice *bodies,
                        uint32_t bodies_count, struct body_ref *refs) {
    return journal->ops->append(journal, bytes, bodies, bodies_count, refs);
}

void journal_flush(struct journal *journal) {
    journal->ops->flush(journal);
}

bool journal_read_body(struct journal *journal, struct body_ref ref, journal_body_fn *done,
                       void *context) {
    return journal->ops->read_body(journal, ref, done, context);
}

uint64_t journal_carry_below(const struct journal *journal) {
    return journal->ops->carry_below(journal);
}

void journal_trim(struct journal *journal, uint64_t lsn) {
    journal->ops->trim(journal, lsn);
}

uint32_t journal_carry_pace(const struct journal *journal) {
    return journal->ops->carry_pace(journal);
}

void journal_set_live_bytes(struct journal *journal, uint64_t bytes_count) {
    journal->ops->set_live_bytes(journal, bytes_count);
}

int journal_copy_open(struct journal *journal, struct journal_copy **out) {
    if (journal->ops->copy_open == NULL) return -ENOTSUP;
    return journal->ops->copy_open(journal, out);
}

void journal_copy_read(struct journal_copy *copy, journal_copy_fn *done, void *context) {
    copy->ops->read(copy, done, context);
}

void journal_copy_get_status(const struct journal_copy *copy, struct journal_copy_status *out) {
    copy->ops->get_status(copy, out);
}

void journal_copy_close(struct journal_copy *copy) {
    copy->ops->close(copy);
}

void journal_get_status(const struct journal *journal, struct journal_status *out) {
    journal->ops->get_status(journal, out);
}

void journal_close(struct journal *journal) {
    if (journal != NULL) journal->ops->close(journal);
}
