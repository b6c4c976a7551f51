/* SPDX-License-Identifier: Apache-2.0 */
/* file_house.h -- the insides of the file house, shared by the .c files of this folder only.
 *
 * The steps, one file each:
 *   journal_file_open      the folder, its lock, its format (file_format.h), its segments
 *   journal_file_segment   the table of segments
 *   journal_file_replay    the records in order, up to the end of the log
 *   journal_file_trail      …from one batch to the next, by segments or their summaries
 *   journal_file_scan      is that end a torn tail or damage?
 *   journal_file_start     the end is made final by a batch of the new epoch
 *   journal_file_append    reserve and append: fills a batch
 *   journal_file_commit    one batch after the other to the disk
 *   journal_file_reach     how far into a segment batches may lie
 *   journal_file_prepare   the next segment, ahead of need; the old ones recycled
 *   journal_file_summary   a sealed segment without its bodies, for the next start
 *   journal_file_carry     when to carry, what is trimmed
 *   journal_file_room      how much may still be appended
 *   journal_file_read      bodies
 *   journal_file_copy      a backup, while the journal goes on
 *   journal_file_close
 */
#ifndef TAKT_JOURNAL_FILE_FILE_HOUSE_H
#define TAKT_JOURNAL_FILE_FILE_HOUSE_H

#include "base/buffer.h"
#include "base/list.h"
#include "journal/file/file_format.h"
#include "journal/file/file_layout.h"
#include "journal/file/journal_file.h"
#include "journal/journal_house.h"

#ifndef FILE_SEGMENT_BYTES_MIN /* smaller for the fuzzer only */
#define FILE_SEGMENT_BYTES_MIN (4u * 1024 * 1024)
#endif
#define FILE_SEGMENT_BYTES_MAX (4ull * 1024 * 1024 * 1024)
#define FILE_SEGMENT_BYTES_DEFAULT (64u * 1024 * 1024)
/* The first segment of a folder is short: it is written before anybody can be served. */
#define FILE_SEGMENT_BYTES_FIRST FILE_SEGMENT_BYTES_MIN
#define FILE_KEPT_FREE_DEFAULT (64u * 1024 * 1024)
#define FILE_SEGMENTS_MAX 65536u
#define FILE_SEGMENTS_MIN 4u /* what bytes_max must allow: two in use, two for the marks */

/* A batch above this is closed even if the disk is busy: what follows is committed sooner. */
#define FILE_BATCH_BYTES_MAX (8u * 1024 * 1024)
/* All batches on their way to the disk. One record may always enter: the largest fits. */
#define FILE_MEMORY_BYTES_MAX (64u * 1024 * 1024)
#define FILE_RECORD_BYTES_MAX ((size_t)JOURNAL_RECORD_BYTES_MAX + JOURNAL_BODIES_BYTES_MAX)
_Static_assert(FILE_RECORD_BYTES_MAX + FILE_FRAME_BYTES_MAX < FILE_MEMORY_BYTES_MAX,
               "the largest record fits the memory");
_Static_assert(FILE_RECORD_BYTES_MAX + FILE_FRAME_BYTES_MAX + FILE_BATCH_HEADER_BYTES +
                       FILE_BATCH_ALIGN + FILE_SEGMENT_HEADER_BYTES <
                   FILE_SEGMENT_BYTES_DEFAULT,
               "the largest record fits an empty segment");

#define FILE_NAME_PREPARED "prepared.tmp" /* a segment that is being written ahead */
#define FILE_NAME_SUMMARY "summary.tmp"   /* a summary that is being written */
#define FILE_NAME_LOCK "lock"
#define FILE_NAME_DAMAGED "damaged" /* what a segment's name ends with that is kept aside */

struct file_segment {
    struct env_file *file;
    uint64_t number;
    uint64_t capacity;      /* bytes that may be used, header included */
    uint64_t lsn_first;     /* of its first batch, once that is durable; else 0 */
    uint64_t reach;         /* no batch ends behind it before it is raised, durably */
    uint32_t reach_slot;    /* that was written last */
    uint32_t reads_count;   /* under way: it must stay */
    bool header_valid;      /* false only from open to start */
    bool is_damaged;        /* a body in it was not what its record says: the file is kept */
    uint64_t summary_bytes; /* of its summary; 0: it has none */
};

/* A batch that is being filled, waits, or is being written. */
struct file_batch {
    struct list_link link; /* in journal->sealed, while it waits */
    struct buffer bodies;
    struct buffer records;
    uint64_t number; /* where it will lie */
    uint64_t offset;
    uint64_t lsn_first;
    uint32_t records_count;
    char header[FILE_BATCH_HEADER_BYTES];
    struct env_bytes pieces[4];
};

/* A read of a body that was not in memory. */
struct file_read {
    struct list_link link; /* in journal->reads */
    struct file_journal *journal;
    struct file_segment *segment;
    struct body_ref ref;
    journal_body_fn *done; /* NULL: cancelled by close */
    void *context;
    char *bytes; /* given back when the read ends */
};

enum file_preparing {
    FILE_PREPARING_NOTHING,
    FILE_PREPARING_ZEROS,  /* a new file is being filled */
    FILE_PREPARING_HEADER, /* it has its name; its header is being written */
};

struct file_journal {
    struct journal journal; /* first: struct journal * is what callers hold */
    struct env *env;
    const struct log *log;
    struct env_file *directory;
    struct env_file *lock;
    uint32_t format; /* the folder's, as it was when opened; FILE_FORMAT from start on */
    uint64_t seed;
    uint64_t segment_bytes;
    uint64_t bytes_max;       /* 0: none */
    uint64_t bytes_kept_free; /* of the file system */
    bool no_sync;
    bool accept_damage;

    /* By number, without a gap; the last ones are ready and empty. */
    struct file_segment **segments;
    uint32_t segments_count;
    uint32_t segments_capacity;

    bool replayed;
    bool started;
    bool closed;
    int failure;
    uint32_t holds_count; /* calls under way that will come back to this struct */
    journal_durable_fn *on_durable;
    void *context;

    uint64_t epoch;
    uint64_t lsn_appended;
    uint64_t lsn_durable;    /* said so to the caller */
    uint64_t lsn_synced;     /* really on the disk; with no_sync it stays behind */
    uint32_t unsynced_index; /* replay: the first segment that may hold what is not synced */
    bool has_tail;           /* replay: there are batches that nobody vouches for, … */
    uint32_t tail_index;     /* … from here on */
    uint64_t tail_offset;
    uint64_t unsynced_number; /* no_sync: the same, since then */

    /* Batches. The place after the newest sealed one, where the next begins if it fits there. */
    uint64_t next_number;
    uint64_t next_offset;
    size_t reserved_bytes;
    bool reserved;
    struct file_batch *filling;    /* NULL, or with room for what is reserved */
    struct list_link sealed;       /* oldest first */
    struct file_batch *committing; /* NULL, or being written */
    struct file_batch *spare;      /* NULL, or kept for the next */
    struct file_segment *reaching; /* NULL, or the one whose reach is being raised */
    uint64_t reach_wanted;         /* …to this */
    char reach_bytes[FILE_REACH_BYTES];
    struct env_bytes reach_piece;
    size_t batches_bytes; /* of all the above but spare */
    bool flush_wanted;
    bool flush_deferred;
    struct mono_time commit_began;
    int64_t commit_ns_last;
    uint64_t commits_count;

    /* The place behind the newest durable batch. */
    uint64_t durable_number;
    uint64_t durable_offset;
    bool is_copied; /* a copy is open */

    /* The segment to come. */
    enum file_preparing preparing;
    struct file_segment *prepared; /* not yet in `segments` */
    char *prepared_header;
    struct env_bytes prepared_piece;
    struct env_timer *retry; /* after a failed preparation */
    bool retry_waiting;
    bool lacks_room; /* said so */

    /* Room, as it was when last asked. */
    uint64_t segments_possible; /* how many more the file system and bytes_max allow */
    uint64_t bytes_free;        /* of the file system */
    struct mono_time room_asked;
    bool intake_refused;         /* said so, and not yet that it goes on */
    size_t intake_refused_bytes; /* the largest record of those */

    /* Carrying. trim_lsn counts; trim_wanted will as soon as trim_after is durable; trim_later is
     * what was asked for meanwhile. */
    uint64_t live_bytes;
    bool live_known;
    uint64_t trim_lsn;
    uint64_t trim_wanted;
    uint64_t trim_after;
    uint64_t trim_later;
    uint64_t trim_later_after;
    bool trim_blocked; /* an old file could not be removed: nothing behind it may go */

    struct list_link reads; /* of struct file_read */

    struct file_summary *summary; /* NULL, or the one that is being written */
    uint64_t summary_next;        /* segments below have one, or will have none */
};

static inline struct file_journal *file_journal_from(struct journal *journal) {
    return CONTAINER_OF(journal, struct file_journal, journal);
}

static inline const struct file_journal *file_journal_const(const struct journal *journal) {
    _Static_assert(offsetof(struct file_journal, journal) == 0, "first");
    return (const struct file_journal *)(const void *)journal;
}

/* journal_file_open.c */
int file_write_format(struct file_journal *journal); /* with the number of this version */

/* journal_file_segment.c */
/* A fresh segment in one blocking go, named, synced, at the end of the table. */
int file_segment_create(struct file_journal *journal, uint64_t number, uint64_t capacity);
struct file_segment *file_segment_find(struct file_journal *journal, uint64_t number); /* or NULL */
/* Of the one that has this number, or will. */
uint64_t file_segment_capacity(struct file_journal *journal, uint64_t number);
/* Taken into the table on success. */
int file_segment_add(struct file_journal *journal, struct file_segment *segment);
void file_segment_close(struct file_journal *journal, struct file_segment *segment);
/* Out of the table; the file is then the caller's. */
struct file_segment *file_segment_take(struct file_journal *journal, uint32_t index);
/* Takes it out of the table, closes and unlinks it; a damaged one is renamed instead. */
int file_segment_unlink(struct file_journal *journal, uint32_t index);

/* journal_file_replay.c */
int file_replay(struct journal *journal, journal_replay_fn *fn, void *context);

/* Where the log goes on. */
struct file_place {
    uint32_t index;  /* of the segment */
    uint64_t number; /* its number */
    uint64_t offset;
    uint64_t lsn;        /* of the next record; 0: any */
    uint64_t epoch;      /* the least that counts */
    uint64_t summary_at; /* where in the segment's summary; UINT64_MAX: not there */
};

/* journal_file_trail.c */
/* A piece of a file in memory. */
struct file_window {
    char *bytes;
    size_t capacity;
    struct env_file *file; /* NULL: nothing */
    uint64_t offset;
    size_t count;
};
/* Up to `count` bytes at `offset` of a file that ends at `end`: fewer where it does. They stay until
 * the next look through the same window. */
int file_window_look(struct file_journal *journal, struct file_window *window,
                     struct env_file *file, uint64_t end, uint64_t offset, uint64_t count,
                     struct slice *out);

/* Zeroed, with its journal: ready. Ended with file_trail_close. */
struct file_trail {
    struct file_journal *journal;
    struct file_window window;
    struct file_window bodies;
    struct file_window summary_window;
    struct env_file *summary; /* NULL: that segment has none */
    uint64_t summary_number;  /* of the segment whose summary that is */
    uint64_t summary_bytes;
};
/* A batch whose header is valid, as it lies. */
struct file_found {
    struct file_batch_header header;
    uint32_t index;      /* of the segment */
    uint64_t summary_at; /* as in its place */
};
/* Does a batch with this header count in this segment, as the one of that LSN (0: any)? */
bool file_batch_counts(const struct file_segment *segment, const struct file_batch_header *header,
                       uint64_t lsn, uint64_t epoch);
/* The batch at the place, or at the beginning of the next segment. *found is false at the end. */
int file_trail_find(struct file_trail *trail, const struct file_place *place, bool *found,
                    struct file_found *out);
struct file_place file_trail_after(const struct file_found *batch);
/* Before the next one is looked for: it is then read with the records of this one. */
int file_trail_bring(struct file_trail *trail, struct file_found *batch);
/* -EBADMSG: not whole. They stay until anything else is looked for. */
int file_trail_records(struct file_trail *trail, struct file_found *batch, struct slice *out);
int file_trail_check_bodies(struct file_trail *trail, const struct file_found *batch,
                            struct slice records); /* 0 or -EBADMSG */
void file_trail_close(struct file_trail *trail);

/* journal_file_scan.c */
/* What lies at and behind the place where the log seems to end. */
struct file_scan {
    bool found; /* a later batch says that this place was durable */
    uint64_t found_number;
    uint64_t found_offset;
    uint64_t epoch_max; /* of all that was seen, whether it counts or not */
    uint64_t lsn_max;
    bool torn; /* there is the beginning of a batch at the place */
};
int file_scan_behind(struct file_journal *journal, const struct file_place *place,
                     struct file_scan *out);

/* journal_file_start.c */
int file_start(struct journal *journal, journal_durable_fn *on_durable, void *context);
/* With durability none: sync what is written. Blocking; for the moments where it must be. */
int file_sync_all(struct file_journal *journal);
/* A batch without records at the next place, blocking; synced unless no_sync. */
int file_write_mark(struct file_journal *journal, bool sync);

/* journal_file_append.c */
int file_reserve(struct journal *journal, enum journal_purpose purpose, size_t bytes_count);
uint64_t file_append(struct journal *journal, struct slice bytes, const struct slice *bodies,
                     uint32_t bodies_count, struct body_ref *refs);
size_t file_batch_memory(const struct file_batch *batch);
void file_batch_seal(struct file_journal *journal); /* the one that is being filled */
void file_batch_give_back(struct file_journal *journal, struct file_batch *batch);
void file_batch_free(struct file_journal *journal, struct file_batch *batch); /* NULL is allowed */
void file_batch_drop_all(struct file_journal *journal); /* but the one being written */

/* journal_file_commit.c */
void file_flush(struct journal *journal);
void file_flush_later(struct file_journal *journal); /* at the end of the loop's turn */
void file_commit_next(struct file_journal *journal);
/* follows_durable: all that stands before it is durable by now. */
void file_commit_encode(struct file_journal *journal, struct file_batch *batch,
                        bool follows_durable);
/* Bookkeeping after `batch` reached its segment. */
void file_commit_note(struct file_journal *journal, const struct file_batch *batch);

/* The disk has failed: final, and said. */
void file_commit_fail(struct file_journal *journal, int result);

/* journal_file_reach.c */
/* Raise the segment's reach so that it covers `end`; then commits go on. */
void file_reach_raise(struct file_journal *journal, struct file_segment *segment, uint64_t end);
/* The same, blocking; nothing is done if it is covered. file: the segment's, or another open one. */
int file_reach_cover(struct file_journal *journal, struct file_segment *segment,
                     struct env_file *file, uint64_t end);

/* journal_file_prepare.c */
int file_prepare_open(struct file_journal *journal); /* its timer */
void file_prepare(struct file_journal *journal);

/* journal_file_summary.c */
/* Write the next one, in the background, if there is a sealed segment without. */
void file_summary_next(struct file_journal *journal);
/* The segment goes: its summary too. */
void file_summary_remove(struct file_journal *journal, struct file_segment *segment);
/* Those of segments that are no more, or that will be written again from the log's end on. */
int file_summary_remove_stale(struct file_journal *journal);

/* journal_file_carry.c */
uint64_t file_carry_below(const struct journal *journal);
uint32_t file_carry_pace(const struct journal *journal);
void file_trim(struct journal *journal, uint64_t lsn);
void file_set_live_bytes(struct journal *journal, uint64_t bytes_count);
void file_trim_note_durable(struct file_journal *journal);
/* Nothing in the oldest segment is needed any more. */
bool file_trim_is_due(const struct file_journal *journal);
uint64_t file_bytes_used(const struct file_journal *journal);

/* journal_file_room.c */
int file_room_check(struct file_journal *journal, enum journal_purpose purpose, size_t bytes_count);
void file_room_ask(struct file_journal *journal); /* the file system, now */
uint64_t file_room_for_intake(const struct file_journal *journal);

/* journal_file_read.c */
bool file_read_body(struct journal *journal, struct body_ref ref, journal_body_fn *done,
                    void *context);
void file_read_cancel_all(struct file_journal *journal);

/* journal_file_copy.c */
int file_copy_open(struct journal *journal, struct journal_copy **out);

/* journal_file_close.c */
void file_close(struct journal *journal);
void file_journal_free(struct file_journal *journal);
/* A call has come back. True if that was the last thing that kept a closed journal: it is gone. */
bool file_hold_drop(struct file_journal *journal);

void file_get_status(const struct journal *journal, struct journal_status *out);

#endif
