/* SPDX-License-Identifier: Apache-2.0 */
/* file_layout.h -- the bytes of a segment: its header, and the header of each batch in it.
 *
 * A segment is a file of a fixed size, `%016x.segment` by its number: 1, 2, 3 … A recycled file gets
 * a new number, so the number also tells one use of a file from the next.
 *
 *   segment   header (padded to 4096) | batch | batch | … | what an earlier use left, or zeros
 *   reach     two slots within the header's 4096, written in turn (journal_file_reach.c)
 *   batch     header 80 | bodies | records | zeros to a multiple of 64
 *   summary   a file of its own beside the segment: for each batch in turn, header 80 | records
 *   records   for each: u32 bytes, u32 bodies, for each body (u32 bytes, u64 XXH3), the bytes
 *
 * Bodies stand first: the place of a body is then known when it is appended, and that of the
 * n-th body follows from the sizes of those before. A position is number * segment_bytes + offset.
 *
 * A body with the checksum 0 is given up (body_ref.h), whatever bytes lie in its place.
 *
 * Every checksum but a body's is seeded with a random number of the folder, which nobody outside
 * knows: bytes that a client sent can never pass for a batch.
 */
#ifndef TAKT_JOURNAL_FILE_FILE_LAYOUT_H
#define TAKT_JOURNAL_FILE_FILE_LAYOUT_H

#include "base/slice.h"
#include "journal/journal.h"

#define FILE_FORMAT 2u
#define FILE_FORMAT_OLDEST 1u           /* that is still read: its segments have no reach */
#define FILE_SEGMENT_HEADER_BYTES 4096u /* where the first batch lies */
#define FILE_REACH_BYTES 24u
#define FILE_REACH_SLOTS 2u
#define FILE_REACH_FIRST (1024u * 1024) /* what a new segment begins with */
#define FILE_BATCH_HEADER_BYTES 80u
#define FILE_BATCH_ALIGN 64u    /* also the step in which a scan for batches walks */
#define FILE_BATCH_MAGIC "TBch" /* its first bytes */
#define FILE_FRAME_BYTES 8u
#define FILE_FRAME_BODY_BYTES 12u
#define FILE_FRAME_BYTES_MAX (FILE_FRAME_BYTES + JOURNAL_RECORD_BODIES_MAX * FILE_FRAME_BODY_BYTES)
#define FILE_NAME_BYTES 32u

struct file_segment_header {
    uint64_t capacity;
    uint64_t reach;      /* no batch was ever begun at or behind it; capacity: nothing is known */
    uint32_t reach_slot; /* the slot that says so */
};

struct file_batch_header {
    uint64_t number; /* of the segment */
    uint64_t offset; /* of this header in it */
    uint64_t epoch;
    uint64_t lsn_first; /* of the first record; of the next one if there is none */
    uint64_t durable;   /* the LSN known durable when this was written */
    uint64_t bodies_bytes;
    uint64_t records_checksum;
    uint32_t records_bytes;
    uint32_t records_count;
    bool follows_durable; /* all that stands before it was durable when this was written */
};

/* A record as it stands in a batch. Its bodies are read with file_frame_body. */
struct file_frame {
    struct slice bytes;
    struct slice bodies; /* FILE_FRAME_BODY_BYTES each */
    uint32_t bodies_count;
};

void file_name_write(uint64_t number, char name[FILE_NAME_BYTES]);
/* The number, or 0 if it is no segment's name. */
uint64_t file_name_read(const char *name);

/* …and of its summary: `%016x.summary`. */
void file_summary_name_write(uint64_t number, char name[FILE_NAME_BYTES]);
uint64_t file_summary_name_read(const char *name);

/* out: FILE_SEGMENT_HEADER_BYTES. The reach goes into slot 0. */
void file_segment_header_encode(char *out, uint64_t seed, uint64_t number,
                                const struct file_segment_header *header);
/* bytes: FILE_SEGMENT_HEADER_BYTES of them, or fewer in a file that became shorter. False if they
 * are not the header of the segment of this number. */
bool file_segment_header_decode(struct slice bytes, uint64_t seed, uint64_t number,
                                struct file_segment_header *out);
/* Where in the segment a slot lies: each in a sector of its own. */
uint64_t file_reach_offset(uint32_t slot);
/* out: FILE_REACH_BYTES. */
void file_reach_encode(char *out, uint64_t seed, uint64_t number, uint64_t reach);

/* out: FILE_BATCH_HEADER_BYTES. */
void file_batch_header_encode(char *out, uint64_t seed, const struct file_batch_header *header);
/* False if no header of a batch at this place begins here. */
bool file_batch_header_decode(struct slice bytes, uint64_t seed, uint64_t number, uint64_t offset,
                              struct file_batch_header *out);
/* A quick look before the one above; also true for a header whose end is torn. */
bool file_batch_header_is_likely(const char *bytes, uint64_t number);

/* What a batch takes in its segment, padding included. */
uint64_t file_batch_bytes(uint64_t bodies_bytes, uint64_t records_bytes);

/* Takes the next record from *records. False at the end or where the rest is no record. */
bool file_frame_next(struct slice *records, struct file_frame *out);
/* Without its position; count: the bytes that it takes in the batch. */
void file_frame_body(const struct file_frame *frame, uint32_t index, struct body_ref *out);
bool file_frame_body_is_given_up(const struct file_frame *frame, uint32_t index);
/* The ref of the body that lies there, given up or not. Gives the position of the next one. */
uint64_t file_frame_ref(const struct file_frame *frame, uint32_t index, uint64_t position,
                        struct body_ref *out);

#endif
