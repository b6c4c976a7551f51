/* SPDX-License-Identifier: Apache-2.0 */
/* journal_check.h -- is the journal in a folder whole, and where not?
 *
 * For a folder that no takt has open: its lock is taken. Everything is read, bodies too, and nothing
 * is changed. Behind damage it goes on at the next batch that can be read, so that all of it is
 * found. Blocking.
 */
#ifndef TAKT_JOURNAL_FILE_JOURNAL_CHECK_H
#define TAKT_JOURNAL_FILE_JOURNAL_CHECK_H

#include "base/log.h"
#include "env/env.h"
#include "journal/journal.h"

#define JOURNAL_FINDINGS_MAX 1000000u

enum journal_damage {
    JOURNAL_DAMAGE_BODY,            /* one body of a record; the record is whole */
    JOURNAL_DAMAGE_SEGMENT_HEADER,  /* the first bytes of a file */
    JOURNAL_DAMAGE_SEGMENT_SHORT,   /* a file has lost its end */
    JOURNAL_DAMAGE_SEGMENT_MISSING, /* a file is not there */
    JOURNAL_DAMAGE_BATCH_HEADER,    /* where a batch should begin */
    JOURNAL_DAMAGE_RECORDS,         /* the records of one batch */
    JOURNAL_DAMAGE_KINDS
};
/* "body", "segment-header", … */
const char *journal_damage_name(enum journal_damage damage);

struct journal_finding {
    enum journal_damage damage;
    uint64_t segment;     /* its number: the file's name, in hexadecimal */
    uint64_t offset;      /* in it */
    uint64_t bytes_count; /* of the damaged piece; 0: not known */
    uint64_t lsn_first;   /* the records that are concerned; 0: not known */
    uint64_t lsn_last;
    struct body_ref body;  /* JOURNAL_DAMAGE_BODY: as its record has it */
    uint32_t body_index;   /* …which of the record's bodies */
    uint64_t batch_offset; /* …of the batch it is in */
    bool ends_log;         /* a replay cannot get past it: what lies behind is out of reach */
    bool is_beyond;        /* it lies behind such a one */
};

struct journal_report {
    uint64_t format;
    uint32_t segments_count;
    uint64_t bytes_count; /* read */
    uint64_t batches_count;
    uint64_t records_count; /* up to the end of the log, or the first damage that ends it */
    uint64_t bodies_count;
    uint64_t bodies_given_up; /* damaged once, and known to be: repaired */
    uint64_t records_beyond;  /* that can be read, behind the first damage that ends the log */
    uint64_t lsn_first;
    uint64_t lsn_last; /* of those up to the end */
    uint64_t findings_count;
    uint64_t end_segment; /* the place where the log ends, for one reason or another */
    uint64_t end_offset;
    bool is_cut;   /* it ends there by damage */
    bool has_tail; /* it ends there with an unsynced tail, which nobody was promised */
};

struct journal_check_options {
    struct env *env;  /* kept for the call, as all of these */
    const char *path; /* the journal's folder */
    /* Every record up to the end or the first damage that ends the log; then those behind it that can
     * be read. Each may be NULL. A negative result ends the check. */
    journal_replay_fn *on_record;
    journal_replay_fn *on_beyond;
    void (*on_finding)(void *context, const struct journal_finding *finding);    /* may be NULL */
    void (*on_progress)(void *context, uint64_t bytes_done, uint64_t bytes_all); /* may be NULL */
    void *context;
};

/* 0, whole or not (report->findings_count); -ENOENT: there is no journal; -EWOULDBLOCK: a takt runs
 * on it; -EBADMSG: the file `format` is damaged or missing, so nothing can be read;
 * -EPROTONOSUPPORT: of a newer takt (report->format); -EUCLEAN: a repair was begun and not finished;
 * -EFBIG: more than JOURNAL_FINDINGS_MAX findings; or what the disk or a callback gave. */
TAKT_MUST_USE int journal_file_check(const struct journal_check_options *options,
                                     struct journal_report *report);

#endif
