/* SPDX-License-Identifier: Apache-2.0 */
/* between.h -- a journal put between the shard and the file house, for the simulator and for tests.
 *
 * It keeps every promise of journal.h with what stands behind it, and is stricter: it may ask for
 * carrying when the house would not yet, and what has been trimmed is really gone, to the record,
 * where the house can only drop whole segments. It outlives takt's lives, as a disk does.
 *
 * A test may hold back what the house says: durable when told, failed when told, read when told.
 */
#ifndef TAKT_SIM_BETWEEN_H
#define TAKT_SIM_BETWEEN_H

#include "report.h"

#include "journal/journal_house.h"

#define BETWEEN_RECORDS_MAX 65536u
#define BETWEEN_READS_MAX 64u

struct between_read { /* that is held back */
    struct body_ref ref;
    journal_body_fn *done;
    void *context;
};

struct between {
    struct journal journal; /* first: what the shard has */
    struct journal *house;
    struct machine *machine;
    struct report *report;
    journal_durable_fn *on_durable;
    journal_replay_fn *on_record;
    void *context;
    void *replay_context;
    uint64_t replayed; /* the newest record that was */
    uint64_t durable;  /* that was said to the shard */
    uint64_t settled;  /* the house has said so */
    uint64_t appended;
    int failure;

    /* Held back, by a test. */
    bool is_held;                 /* what is durable: said by between_commit */
    bool is_cold;                 /* reads: done by between_read_all */
    int reserve_result;           /* below 0: what journal_reserve says */
    enum journal_purpose purpose; /* of the last reserve */
    struct between_read reads[BETWEEN_READS_MAX];
    uint32_t reads_count;

    uint64_t want;      /* carrying, below this LSN; 0: as the house says */
    uint32_t pace;      /* at least */
    uint64_t trimmed;   /* nothing before this LSN is there any more */
    uint64_t trim_next; /* …as soon as `trim_after` is durable; 0: none */
    uint64_t trim_after;
    uint64_t started;                        /* with this record as the newest */
    uint64_t vouched[BETWEEN_RECORDS_MAX];   /* what was durable when it was appended */
    uint64_t positions[BETWEEN_RECORDS_MAX]; /* of each record's first body; 0: it has none */
    bool forgotten[BETWEEN_RECORDS_MAX];     /* faults: as if it were not there */

    /* One record is held back while replaying: whether it is the last is known with the next. */
    uint64_t held_lsn;
    char held[4096];
    size_t held_bytes;

    journal_body_fn *read_done; /* for a fault: one read at a time is looked at */
    void *read_context;
    char last_body[256];
    size_t last_body_bytes;
};

/* machine and report are kept. Before the first between_open. */
void between_init(struct between *between, struct machine *machine, struct report *report);
/* `house` is taken. The same `between` for each life. */
struct journal *between_open(struct between *between, struct journal *house);

/* A batch that is durable says that all up to this record was: its loss would be noticed. */
uint64_t between_vouched(const struct between *between);

/* All that is appended, or up to that record, is durable; on_durable runs. */
void between_commit(struct between *between);
void between_commit_to(struct between *between, uint64_t lsn);
/* From now on the journal has failed. */
void between_fail(struct between *between, int result);
/* Counts the reads. */
uint32_t between_read_all(struct between *between);

#endif
