/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h -- the durable, ordered log of everything the broker has promised.
 *
 * The interface of both houses: journal/file/ opens one on a folder; everything above knows only
 * this header. One writer, one thread: the event loop. Records are opaque here.
 *
 * LSN: a record's number: 1, 2, 3 …, without gaps. A batch is what one commit makes durable; it has
 * two parts, records and bodies, each with its own checksum (a body's stands in its record and is
 * checked at each read). Commits end strictly in order.
 *
 * Life: open, replay (once, to its end), start, then append … until close.
 */
#ifndef TAKT_JOURNAL_JOURNAL_H
#define TAKT_JOURNAL_JOURNAL_H

#include "base/body_ref.h"
#include "base/check.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_RECORD_BYTES_MAX (2u * 1024 * 1024)  /* the record itself, without its bodies */
#define JOURNAL_BODIES_BYTES_MAX (33u * 1024 * 1024) /* all bodies of one record together */
#define JOURNAL_RECORD_BODIES_MAX 1024u
#define JOURNAL_BATCH_RECORDS_MAX 4096u /* bounds one group commit, hence its latency */

struct journal; /* opaque; made by a house's own open function */

/* What room is asked for. The lower marks are kept for what must go on when the disk is full
 * (design section 5, "three marks"). */
enum journal_purpose {
    JOURNAL_FOR_INTAKE, /* sends, gateway orders: refused first */
    JOURNAL_FOR_GROWTH, /* outputs larger than their input, new definitions */
    JOURNAL_FOR_DRAIN,  /* delete, complete, a worker's death, advance, carrying: refused last */
};

/* One record as replay gives it. Everything borrowed for the call. */
struct journal_record {
    uint64_t lsn;
    struct slice bytes;
    const struct body_ref *bodies; /* where its bodies lie, in the order they were appended */
    uint32_t bodies_count;
};
/* Return 0 to go on, or a negative errno, which ends the replay and is returned by it. */
typedef int journal_replay_fn(void *context, const struct journal_record *record);

/* result 0: every record up to lsn is durable. Negative, final (the journal has failed or was
 * fenced): nothing after the last lsn given before is promised; no further call will come. */
typedef void journal_durable_fn(void *context, uint64_t lsn, int result);

/* result 0: bytes is the whole body, borrowed for the call. -EBADMSG: damaged. Others: I/O. */
typedef void journal_body_fn(void *context, int result, struct slice bytes);

struct journal_status {
    uint64_t lsn_first;    /* the oldest record still there */
    uint64_t lsn_appended; /* the newest */
    uint64_t lsn_durable;  /* the newest durable */
    uint64_t epoch;
    uint64_t bytes_used;    /* from the oldest record to the newest */
    uint64_t bytes_room;    /* what may still be appended for intake */
    uint64_t commits_count; /* since open */
    int64_t commit_ns_last; /* how long the last commit took */
    bool synced;            /* false: durability none was asked for */
    int failure;            /* 0, or the negative errno that ended it */
};

/* Give every record from the oldest on, in order, once. Returns 0 at the end; -EBADMSG on damage
 * (said in the log with segment and offset); else what `fn` or the disk gave. */
TAKT_MUST_USE int journal_replay(struct journal *journal, journal_replay_fn *fn, void *context);

/* After replay: make the end final with a batch of the new epoch, then take records.
 * on_durable: kept until journal_close; runs on the loop, never inside another journal call but
 * journal_close. */
TAKT_MUST_USE int journal_start(struct journal *journal, journal_durable_fn *on_durable,
                                void *context);

/* Is there room for one record of `bytes_count` in all, the record itself and its bodies? Asked
 * before deciding; a record within what was reserved cannot be refused for room. Only one
 * reservation stands at a time: the next replaces it, an append uses it up. Returns 0; -ENOSPC for
 * lack of room for this purpose (it may return, without a restart); -EROFS after a failure;
 * -EMSGSIZE above the limits; -ENOMEM; -EAGAIN when the memory for batches on their way to the disk
 * is full: busy, worth asking again when on_durable has run. */
TAKT_MUST_USE int journal_reserve(struct journal *journal, enum journal_purpose purpose,
                                  size_t bytes_count);

/* Add one record to the batch that is being filled. Never blocks; needs a reservation.
 *
 * bytes, bodies: borrowed; copied into the batch. body_given_up() stands for one that cannot be read
 *          any more (body_ref.h).
 * refs:    borrowed; filled with where each body will lie (bodies_count of them).
 * Returns: the record's LSN. After a failure records are taken and forgotten (on_durable has said
 *          so, and nothing will be released).
 */
uint64_t journal_append(struct journal *journal, struct slice bytes, const struct slice *bodies,
                        uint32_t bodies_count, struct body_ref *refs);

/* Close the batch and begin its commit as soon as the one before allows. Without this call the
 * batch goes at the end of the loop's turn by itself. */
void journal_flush(struct journal *journal);

/* Read a body. May answer from memory or the page cache, but always calls `done` later from the
 * loop unless it returns true: then `done` has run already, inside this call. A segment is not
 * trimmed while a read from it is under way. The ref must be durable or appended. */
bool journal_read_body(struct journal *journal, struct body_ref ref, journal_body_fn *done,
                       void *context);

/* Carrying. The journal wants everything whose home is below the given LSN to be written again
 * (0: nothing is wanted now); when the caller has done so it says journal_trim(that LSN): as soon
 * as all that was appended so far is durable, what lies wholly below is recycled. */
uint64_t journal_carry_below(const struct journal *journal);
void journal_trim(struct journal *journal, uint64_t lsn);
/* How many bytes should be carried for each byte appended, in thousandths: the caller's pace. */
uint32_t journal_carry_pace(const struct journal *journal);

/* How many bytes of records and bodies the caller's state would need if all of it were written
 * again now. The journal wants carrying when it is above about twice that and half a segment;
 * until the first call it wants none. Call it now and then: it is one assignment. */
void journal_set_live_bytes(struct journal *journal, uint64_t bytes_count);

/* A consistent copy of what is durable now, bodies too, while the journal goes on; for a backup. Its
 * bytes are the house's own (journal/file/file_backup.h). Old segments stay while it needs them. */
struct journal_copy;
struct journal_copy_status {
    uint64_t lsn; /* the newest record in it */
    uint64_t bytes_done;
    uint64_t bytes_all;
    bool is_reading;
};
/* result 0: bytes is the next piece, borrowed for the call. Negative: the copy is of no use. */
typedef void journal_copy_fn(void *context, int result, struct slice bytes);
/* 0; -EBUSY: there is one already; -EROFS after a failure; -ENOTSUP: this house has none; -ENOMEM. */
TAKT_MUST_USE int journal_copy_open(struct journal *journal, struct journal_copy **out);
/* Read the next piece, one at a time; the last one says that it is. done may run inside the call. */
void journal_copy_read(struct journal_copy *copy, journal_copy_fn *done, void *context);
void journal_copy_get_status(const struct journal_copy *copy, struct journal_copy_status *out);
/* Before journal_close. A read under way ends with -ECANCELED, later. */
void journal_copy_close(struct journal_copy *copy);

void journal_get_status(const struct journal *journal, struct journal_status *out);

/* Commit what is appended, wait for it, and close. NULL is allowed. Blocking.
 *
 * on_durable runs once more, inside this call, if it has news; what is appended from inside it is
 * taken and forgotten. Body reads under way end with -ECANCELED, inside this call. What pool
 * threads still hold goes when they are done, so let the loop run before the env is closed. */
void journal_close(struct journal *journal);

#endif
