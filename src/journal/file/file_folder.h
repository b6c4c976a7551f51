/* SPDX-License-Identifier: Apache-2.0 */
/* file_folder.h -- a journal's folder as it lies, damaged or not: its files, opened to be read. */
#ifndef TAKT_JOURNAL_FILE_FILE_FOLDER_H
#define TAKT_JOURNAL_FILE_FILE_FOLDER_H

#include "journal/file/file_format.h"
#include "journal/file/file_layout.h"

#define FILE_NAME_REPAIR "repair" /* a repair's plan: it is there while a repair is under way */

struct folder_segment {
    struct env_file *file;
    uint64_t number;
    uint64_t capacity; /* what its header says; without one: its size, as far as a segment goes */
    uint64_t bytes_count; /* its size */
    bool header_valid;
    bool is_said; /* what is wrong with the file itself: for the walk */
};

struct file_folder {
    struct env *env;
    struct env_file *directory;
    struct env_file *lock;
    struct file_format format;
    struct folder_segment *segments; /* by number; there may be gaps */
    uint32_t segments_count;
    uint32_t segments_capacity;
};

/* Takes the lock, and makes nothing. -ENOENT: there is no journal; -EWOULDBLOCK: another process has
 * it; or what the disk gave. file_folder_close in any case. */
TAKT_MUST_USE int file_folder_lock(struct env *env, const char *path, struct file_folder *out);
/* Then, once: reads the format and opens all segments. As file_format_read (there are segments, but no
 * format: -EBADMSG), or what the disk gave. */
TAKT_MUST_USE int file_folder_load(struct file_folder *folder);
void file_folder_close(struct file_folder *folder);
/* Is there a file of that name? 1, 0 or a negative errno. */
TAKT_MUST_USE int file_folder_has(const struct file_folder *folder, const char *name);

#define FILE_NAME_KEPT_BYTES 48u
/* A segment's file gets the name %016x.damaged, or %016x.damaged-2, …: nothing is written over. The
 * caller syncs the directory. */
TAKT_MUST_USE int file_keep_aside(struct env *env, struct env_file *directory, uint64_t number,
                                  char kept[FILE_NAME_KEPT_BYTES]);

/* Up to `count` bytes: fewer where the file ends. Pages that the disk cannot read any more (EIO) come
 * as zeros: what was in them is damaged. */
TAKT_MUST_USE int file_folder_read(const struct file_folder *folder,
                                   const struct folder_segment *segment, uint64_t offset,
                                   char *bytes, size_t count, size_t *got);

#endif
