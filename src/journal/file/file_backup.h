/* SPDX-License-Identifier: Apache-2.0 */
/* file_backup.h -- the bytes of a backup: a journal's segments as one stream.
 *
 *   backup   "TAKTbak\n" | frame | frame | … | END
 *   frame    u32 kind, u32 bytes, u64 segment, u64 offset, u64 checksum | the bytes
 *
 *   BEGIN    text: backup, journal, segment_bytes, seed, lsn, each a line "name value"
 *   SEGMENT  one begins; offset: its capacity
 *   BYTES    of a segment, at that offset. What does not come is zeros
 *   END      offset: the last LSN. Nothing follows
 *
 * Each checksum is seeded with the one before it, so a stream in which anything is missing, changed or
 * in another order is found out, and one without an END is not whole.
 */
#ifndef TAKT_JOURNAL_FILE_FILE_BACKUP_H
#define TAKT_JOURNAL_FILE_FILE_BACKUP_H

#include "base/buffer.h"
#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>

#define FILE_BACKUP 1u /* the number of this format */
#define FILE_BACKUP_MAGIC "TAKTbak\n"
#define FILE_BACKUP_MAGIC_BYTES 8u
#define FILE_BACKUP_FRAME_BYTES 32u
#define FILE_BACKUP_BYTES_MAX (256u * 1024) /* of one frame, without its head */

enum file_backup_kind {
    FILE_BACKUP_BEGIN = 1,
    FILE_BACKUP_SEGMENT,
    FILE_BACKUP_BYTES,
    FILE_BACKUP_END,
    FILE_BACKUP_KINDS
};

struct file_backup_frame {
    enum file_backup_kind kind;
    uint32_t bytes_count;
    uint64_t segment;
    uint64_t offset;
    uint64_t checksum;
};

/* Adds a frame to `out`. *chain: the checksum before it, then its own. */
void file_backup_add(struct buffer *out, uint64_t *chain, enum file_backup_kind kind,
                     uint64_t segment, uint64_t offset, struct slice bytes);
/* The head of a frame. False: it is none. */
TAKT_MUST_USE bool file_backup_frame_decode(struct slice head, struct file_backup_frame *out);
/* Are these the frame's bytes, behind that chain? Then *chain is its own. head: its first
 * FILE_BACKUP_FRAME_BYTES. */
TAKT_MUST_USE bool file_backup_frame_fits(struct slice head, struct slice bytes, uint64_t *chain);

#endif
