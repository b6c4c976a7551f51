/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/file/file_folder.h"

#include "journal/file/file_house.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES ((size_t)4096)
#define ASIDE_MAX 1000u /* of one number */

struct listing {
    struct file_folder *folder;
    int rc;
};

static bool note_name(void *context, const char *name) {
    struct listing *listing = context;
    struct file_folder *folder = listing->folder;
    uint64_t number = file_name_read(name);
    if (number == 0) return true;
    if (folder->segments_count == FILE_SEGMENTS_MAX) {
        listing->rc = -EFBIG;
        return false;
    }
    if (folder->segments_count == folder->segments_capacity) {
        uint32_t capacity = folder->segments_capacity == 0 ? 64 : folder->segments_capacity * 2;
        struct folder_segment *segments = allocator_resize_array(
            &folder->env->allocator, folder->segments, capacity, sizeof folder->segments[0]);
        if (segments == NULL) {
            listing->rc = -ENOMEM;
            return false;
        }
        folder->segments = segments;
        folder->segments_capacity = capacity;
    }
    folder->segments[folder->segments_count++] = (struct folder_segment){.number = number};
    return true;
}

static int compare_segments(const void *a, const void *b) {
    const struct folder_segment *left = a;
    const struct folder_segment *right = b;
    return left->number < right->number ? -1 : left->number > right->number;
}

static uint64_t capacity_by_size(const struct file_folder *folder, uint64_t bytes_count) {
    uint64_t capacity = bytes_count / PAGE_BYTES * PAGE_BYTES;
    if (capacity < FILE_SEGMENT_BYTES_MIN) capacity = FILE_SEGMENT_BYTES_MIN;
    return capacity < folder->format.segment_bytes ? capacity : folder->format.segment_bytes;
}

static int open_segment(struct file_folder *folder, struct folder_segment *segment) {
    const struct env_ops *ops = folder->env->ops;
    char name[FILE_NAME_BYTES];
    file_name_write(segment->number, name);
    int rc = ops->open(folder->env, folder->directory, name, false, &segment->file);
    if (rc == 0) rc = ops->size(folder->env, segment->file, &segment->bytes_count);
    if (rc < 0) return rc;
    char header[FILE_SEGMENT_HEADER_BYTES];
    size_t got = 0;
    rc = file_folder_read(folder, segment, 0, header, sizeof header, &got);
    if (rc < 0) return rc;
    struct file_segment_header read = {.capacity = 0};
    segment->header_valid = file_segment_header_decode(slice_from(header, got), folder->format.seed,
                                                       segment->number, &read) &&
                            read.capacity >= FILE_SEGMENT_BYTES_MIN &&
                            read.capacity <= folder->format.segment_bytes;
    segment->capacity =
        segment->header_valid ? read.capacity : capacity_by_size(folder, segment->bytes_count);
    return 0;
}

int file_folder_lock(struct env *env, const char *path, struct file_folder *out) {
    const struct env_ops *ops = env->ops;
    *out = (struct file_folder){.env = env};
    int rc = ops->open_directory(env, path, false, &out->directory);
    if (rc < 0) return rc;
    rc = ops->open(env, out->directory, FILE_NAME_LOCK, false, &out->lock);
    if (rc == -ENOENT && file_folder_has(out, FILE_NAME_FORMAT) == 1) { /* a copy without it */
        rc = ops->open(env, out->directory, FILE_NAME_LOCK, true, &out->lock);
    }
    return rc < 0 ? rc : ops->lock(env, out->lock);
}

int file_folder_load(struct file_folder *folder) {
    struct listing listing = {.folder = folder};
    int rc = folder->env->ops->list(folder->env, folder->directory, note_name, &listing);
    if (rc == 0) rc = listing.rc;
    if (rc < 0) return rc;
    if (folder->segments_count > 1) {
        qsort(folder->segments, folder->segments_count, sizeof folder->segments[0],
              compare_segments);
    }
    rc = file_format_read(folder->env, folder->directory, &folder->format);
    if (rc == -ENOENT && folder->segments_count > 0) rc = -EBADMSG;
    for (uint32_t i = 0; rc == 0 && i < folder->segments_count; i++) {
        rc = open_segment(folder, &folder->segments[i]);
    }
    return rc;
}

void file_folder_close(struct file_folder *folder) {
    const struct env_ops *ops = folder->env->ops;
    for (uint32_t i = 0; i < folder->segments_count; i++) {
        ops->close(folder->env, folder->segments[i].file);
    }
    allocator_give_back(&folder->env->allocator, folder->segments);
    ops->close(folder->env, folder->lock);
    ops->close(folder->env, folder->directory);
    folder->segments = NULL;
    folder->segments_count = folder->segments_capacity = 0;
    folder->lock = folder->directory = NULL;
}

static int has_file(struct env *env, struct env_file *directory, const char *name) {
    struct env_file *file = NULL;
    int rc = env->ops->open(env, directory, name, false, &file);
    env->ops->close(env, file);
    if (rc == -ENOENT) return 0;
    return rc < 0 ? rc : 1;
}

int file_folder_has(const struct file_folder *folder, const char *name) {
    return has_file(folder->env, folder->directory, name);
}

int file_keep_aside(struct env *env, struct env_file *directory, uint64_t number,
                    char kept[FILE_NAME_KEPT_BYTES]) {
    char from[FILE_NAME_BYTES];
    file_name_write(number, from);
    (void)snprintf(kept, FILE_NAME_KEPT_BYTES, "%.16s." FILE_NAME_DAMAGED, from);
    for (uint32_t i = 2; i < ASIDE_MAX; i++) {
        int rc = has_file(env, directory, kept);
        if (rc < 0) return rc;
        if (rc == 0) return env->ops->rename(env, directory, from, kept);
        (void)snprintf(kept, FILE_NAME_KEPT_BYTES, "%.16s." FILE_NAME_DAMAGED "-%u", from, i);
    }
    return -EEXIST;
}

/* Page by page: those that cannot be read are zeros. */
static int read_what_is_left(const struct file_folder *folder, const struct folder_segment *segment,
                             uint64_t offset, char *bytes, size_t count, size_t *got) {
    const struct env_ops *ops = folder->env->ops;
    memset(bytes, 0, count);
    for (size_t done = 0; done < count;) {
        size_t step = PAGE_BYTES - (size_t)((offset + done) % PAGE_BYTES);
        if (step > count - done) step = count - done;
        int64_t result = ops->read(folder->env, segment->file, offset + done, bytes + done, step);
        if (result < 0 && result != -EIO) return (int)result;
        done += step;
    }
    uint64_t rest = offset < segment->bytes_count ? segment->bytes_count - offset : 0;
    *got = rest < count ? (size_t)rest : count;
    return 0;
}

int file_folder_read(const struct file_folder *folder, const struct folder_segment *segment,
                     uint64_t offset, char *bytes, size_t count, size_t *got) {
    int64_t result = folder->env->ops->read(folder->env, segment->file, offset, bytes, count);
    if (result == -EIO) {
        return read_what_is_left(folder, segment, offset, bytes, count, got);
    }
    *got = result < 0 ? 0 : (size_t)result;
    return result < 0 ? (int)result : 0;
}
