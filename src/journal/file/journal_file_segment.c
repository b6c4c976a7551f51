/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_segment.c -- the table of segments: by number, without a gap, the oldest first. */
#include "journal/file/file_folder.h"
#include "journal/file/file_house.h"

#include <errno.h>
#include <string.h>

#define ZEROS_STEP_BYTES ((size_t)256 * 1024)

struct file_segment *file_segment_find(struct file_journal *journal, uint64_t number) {
    if (journal->segments_count == 0 || number < journal->segments[0]->number) return NULL;
    uint64_t index = number - journal->segments[0]->number;
    return index < journal->segments_count ? journal->segments[index] : NULL;
}

uint64_t file_segment_capacity(struct file_journal *journal, uint64_t number) {
    const struct file_segment *segment = file_segment_find(journal, number);
    return segment == NULL ? journal->segment_bytes : segment->capacity;
}

int file_segment_add(struct file_journal *journal, struct file_segment *segment) {
    uint32_t count = journal->segments_count;
    CHECK(count == 0 || segment->number == journal->segments[count - 1]->number + 1);
    if (count == FILE_SEGMENTS_MAX) return -EFBIG;
    if (count == journal->segments_capacity) {
        uint32_t capacity = count == 0 ? 16 : count * 2;
        struct file_segment **segments = allocator_resize_array(
            &journal->env->allocator, journal->segments, capacity, sizeof(struct file_segment *));
        if (segments == NULL) return -ENOMEM;
        journal->segments = segments;
        journal->segments_capacity = capacity;
    }
    journal->segments[count] = segment;
    journal->segments_count = count + 1;
    return 0;
}

void file_segment_close(struct file_journal *journal, struct file_segment *segment) {
    if (segment == NULL) return;
    journal->env->ops->close(journal->env, segment->file);
    env_free(journal->env, segment);
}

struct file_segment *file_segment_take(struct file_journal *journal, uint32_t index) {
    CHECK(index < journal->segments_count);
    struct file_segment *segment = journal->segments[index];
    CHECK(segment->reads_count == 0);
    journal->segments_count--;
    memmove(journal->segments + index, journal->segments + index + 1,
            (journal->segments_count - index) * sizeof(struct file_segment *));
    return segment;
}

int file_segment_unlink(struct file_journal *journal, uint32_t index) {
    const struct env_ops *ops = journal->env->ops;
    char name[FILE_NAME_BYTES];
    file_name_write(journal->segments[index]->number, name);
    int rc;
    if (journal->segments[index]->is_damaged) {
        char kept[FILE_NAME_KEPT_BYTES];
        rc = file_keep_aside(journal->env, journal->directory, journal->segments[index]->number,
                             kept);
        log_printf(journal->log, LOG_WARNING,
                   "journal: %s is needed no more, but there is damage in it: it is kept as %s",
                   name, rc < 0 ? name : kept);
    } else {
        rc = ops->unlink(journal->env, journal->directory, name);
    }
    if (rc < 0) return rc; /* it is still there, so it stays in the table */
    file_segment_close(journal, file_segment_take(journal, index));
    return ops->sync_directory(journal->env, journal->directory);
}

static int write_zeros(struct file_journal *journal, struct env_file *file, uint64_t bytes_count) {
    char *zeros = env_alloc(journal->env, ZEROS_STEP_BYTES);
    if (zeros == NULL) return -ENOMEM;
    int rc = 0;
    for (uint64_t offset = 0; rc == 0 && offset < bytes_count; offset += ZEROS_STEP_BYTES) {
        uint64_t rest = bytes_count - offset;
        size_t step = rest < ZEROS_STEP_BYTES ? (size_t)rest : ZEROS_STEP_BYTES;
        rc = journal->env->ops->write(journal->env, file, offset, zeros, step);
    }
    env_free(journal->env, zeros);
    return rc;
}

static int write_header(struct file_journal *journal, const struct file_segment *segment) {
    char *header = env_alloc(journal->env, FILE_SEGMENT_HEADER_BYTES);
    if (header == NULL) return -ENOMEM;
    struct file_segment_header fields = {segment->capacity, segment->reach, segment->reach_slot};
    file_segment_header_encode(header, journal->seed, segment->number, &fields);
    int rc =
        journal->env->ops->write(journal->env, segment->file, 0, header, FILE_SEGMENT_HEADER_BYTES);
    env_free(journal->env, header);
    return rc < 0 ? rc : journal->env->ops->sync(journal->env, segment->file);
}

int file_segment_create(struct file_journal *journal, uint64_t number, uint64_t capacity) {
    const struct env_ops *ops = journal->env->ops;
    struct file_segment *segment = env_alloc(journal->env, sizeof *segment);
    if (segment == NULL) return -ENOMEM;
    segment->number = number;
    segment->capacity = capacity;
    segment->reach = FILE_REACH_FIRST;
    segment->header_valid = true;

    char name[FILE_NAME_BYTES];
    file_name_write(number, name);
    int rc = ops->open(journal->env, journal->directory, name, true, &segment->file);
    if (rc == 0) rc = write_zeros(journal, segment->file, capacity);
    if (rc == 0) rc = write_header(journal, segment);
    if (rc == 0) rc = ops->sync_directory(journal->env, journal->directory);
    if (rc == 0) rc = file_segment_add(journal, segment);
    if (rc < 0) file_segment_close(journal, segment); /* recovery removes an unfinished file */
    return rc;
}
