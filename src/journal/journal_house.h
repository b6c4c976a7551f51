/* SPDX-License-Identifier: Apache-2.0 */
/* journal_house.h -- for the houses only: what stands behind the functions of journal.h. */
#ifndef TAKT_JOURNAL_JOURNAL_HOUSE_H
#define TAKT_JOURNAL_JOURNAL_HOUSE_H

#include "journal/journal.h"

/* Each as the function of that name in journal.h, which has checked nothing. */
struct journal_ops {
    int (*replay)(struct journal *journal, journal_replay_fn *fn, void *context);
    int (*start)(struct journal *journal, journal_durable_fn *on_durable, void *context);
    int (*reserve)(struct journal *journal, enum journal_purpose purpose, size_t bytes_count);
    uint64_t (*append)(struct journal *journal, struct slice bytes, const struct slice *bodies,
                       uint32_t bodies_count, struct body_ref *refs);
    void (*flush)(struct journal *journal);
    bool (*read_body)(struct journal *journal, struct body_ref ref, journal_body_fn *done,
                      void *context);
    uint64_t (*carry_below)(const struct journal *journal);
    void (*trim)(struct journal *journal, uint64_t lsn);
    uint32_t (*carry_pace)(const struct journal *journal);
    void (*set_live_bytes)(struct journal *journal, uint64_t bytes_count);
    int (*copy_open)(struct journal *journal, struct journal_copy **out); /* NULL: it has none */
    void (*get_status)(const struct journal *journal, struct journal_status *out);
    void (*close)(struct journal *journal); /* never called with NULL */
};

struct journal_copy_ops {
    void (*read)(struct journal_copy *copy, journal_copy_fn *done, void *context);
    void (*get_status)(const struct journal_copy *copy, struct journal_copy_status *out);
    void (*close)(struct journal_copy *copy);
};
/* The first member of a house's own copy. */
struct journal_copy {
    const struct journal_copy_ops *ops;
};

/* The first member of a house's own struct. */
struct journal {
    const struct journal_ops *ops;
};

#endif
