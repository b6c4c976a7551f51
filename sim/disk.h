/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h -- a disk in memory that keeps after a crash only what it must.
 *
 * A file has what a reader sees now (the page cache) and what is on the platter. What was written and
 * not synced may be there after a crash or not, each sector of 512 bytes by itself, so writes are
 * torn and reordered. A failed sync throws the pages' dirtiness away, as Linux does: readers see
 * them, a later sync "succeeds", and they are not on the platter.
 * Names are the directory's: a new one, a rename, a removal is there after a crash only if the
 * directory was synced, or by luck; they reach the platter in their order.
 */
#ifndef TAKT_SIM_DISK_H
#define TAKT_SIM_DISK_H

#include "dice.h"

#include <stddef.h>

#define DISK_SECTOR_BYTES 512u
#define DISK_PAGE_BYTES 4096u
#define DISK_NAMES_MAX 256u /* in the one directory there is */
#define DISK_NAME_BYTES 40u
#define DISK_FILE_BYTES_MAX (16ull * 1024 * 1024)

struct disk;
struct disk_file;

struct disk *disk_open(void); /* NULL: out of memory */
void disk_close(struct disk *disk);
/* Another disk with the same names and bytes, all of them on its platter. NULL: out of memory. */
struct disk *disk_copy(const struct disk *disk);

/* Names. 0, -ENOENT, -ENFILE. A file stays while it is held, even without a name. */
int disk_find(struct disk *disk, const char *name, bool create, struct disk_file **out);
const char *disk_name_at(const struct disk *disk, uint32_t index); /* NULL: no more */
int disk_rename(struct disk *disk, const char *from, const char *to);
int disk_unlink(struct disk *disk, const char *name);
void disk_sync_names(struct disk *disk);
void disk_hold(struct disk_file *file);
void disk_let_go(struct disk *disk, struct disk_file *file);
uint64_t disk_bytes_used(const struct disk *disk); /* sizes of all files */

uint64_t disk_size(const struct disk_file *file);
int disk_truncate(struct disk_file *file, uint64_t bytes_count);
/* Bytes read; short at the end of the file. */
size_t disk_read(const struct disk_file *file, uint64_t offset, void *bytes, size_t count);
/* bytes NULL: zeros. 0, -EFBIG, -ENOMEM. */
int disk_write(struct disk_file *file, uint64_t offset, const void *bytes, size_t count);
void disk_sync(struct disk_file *file);
void disk_sync_fails(struct disk_file *file);

/* One bit of what is on the platter turns over, in one of the files; false: there is nothing that
 * could. It stays so until disk_heal, or until something is written over it. */
bool disk_rot(struct disk *disk, struct dice *dice);
void disk_heal(struct disk *disk);

/* What a crash leaves of the rest. */
enum disk_mercy {
    DISK_KEEPS_NOTHING,
    DISK_KEEPS_ALL,
    DISK_KEEPS_SOME,  /* each sector by its own luck: torn and reordered */
    DISK_KEEPS_FIRST, /* the lower sectors of each file */
    DISK_MERCIES
};
/* Power loss. Nothing is held any more. Counts the sectors that were lost. */
uint64_t disk_crash(struct disk *disk, enum disk_mercy mercy, struct dice *dice);

/* Over names and bytes, as a reader sees them. */
uint64_t disk_hash(const struct disk *disk);

#endif
