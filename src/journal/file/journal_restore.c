/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/file/journal_restore.h"

#include "base/hash.h"
#include "journal/file/file_backup.h"
#include "journal/file/file_house.h"

#include <errno.h>
#include <string.h>

#define INPUT_BYTES_MAX (FILE_BACKUP_FRAME_BYTES + FILE_BACKUP_BYTES_MAX)

struct journal_restore {
    struct env *env;
    struct env_file *directory; /* NULL: only looked at */
    struct env_file *lock;
    struct env_file *file; /* of the segment that comes */
    uint64_t number;
    uint64_t capacity;
    uint64_t filled; /* how far it is written */
    struct file_format format;
    uint64_t lsn;
    uint64_t chain;
    bool has_magic;
    bool has_begun;
    bool has_ended;
    int failure;         /* nothing more is taken */
    struct buffer input; /* what is not a whole frame yet */
};

/* Only what a restore makes. */
static bool remove_leftover(void *context, const char *name) {
    struct journal_restore *restore = context;
    bool is_ours = file_name_read(name) != 0 || strcmp(name, FILE_NAME_FORMAT) == 0 ||
                   strcmp(name, FILE_NAME_FORMAT_NEW) == 0;
    if (is_ours) {
        restore->failure = restore->env->ops->unlink(restore->env, restore->directory, name);
    }
    return restore->failure == 0;
}

static int open_folder(struct journal_restore *restore, const char *path) {
    struct env *env = restore->env;
    int rc = env->ops->open_directory(env, path, true, &restore->directory);
    if (rc < 0) return rc;
    rc = env->ops->open(env, restore->directory, FILE_NAME_LOCK, true, &restore->lock);
    if (rc == 0) rc = env->ops->lock(env, restore->lock);
    if (rc == 0) rc = env->ops->list(env, restore->directory, remove_leftover, restore);
    return rc < 0 ? rc : restore->failure;
}

int journal_restore_open(struct env *env, const char *path, struct journal_restore **out) {
    struct journal_restore *restore = env_alloc(env, sizeof *restore);
    if (restore == NULL) return -ENOMEM;
    restore->env = env;
    buffer_open(&restore->input, &env->allocator, INPUT_BYTES_MAX);
    int rc = path == NULL ? 0 : open_folder(restore, path);
    if (rc < 0) {
        journal_restore_close(restore);
        return rc;
    }
    *out = restore;
    return 0;
}

void journal_restore_close(struct journal_restore *restore) {
    if (restore == NULL) return;
    struct env *env = restore->env;
    env->ops->close(env, restore->file);
    env->ops->close(env, restore->lock);
    env->ops->close(env, restore->directory);
    buffer_close(&restore->input);
    env_free(env, restore);
}

/* ---- segments --------------------------------------------------------------------------------- */

/* Written, not left as a hole: a journal's segments have their blocks. */
static int write_zeros(struct journal_restore *restore, uint64_t end) {
    static const char zeros[64 * 1024];
    while (restore->filled < end) {
        uint64_t rest = end - restore->filled;
        size_t step = rest < sizeof zeros ? (size_t)rest : sizeof zeros;
        int rc =
            restore->env->ops->write(restore->env, restore->file, restore->filled, zeros, step);
        if (rc < 0) return rc;
        restore->filled += step;
    }
    return 0;
}

static int end_segment(struct journal_restore *restore) {
    if (restore->file == NULL) return 0;
    int rc = write_zeros(restore, restore->capacity);
    if (rc == 0) rc = restore->env->ops->sync(restore->env, restore->file);
    restore->env->ops->close(restore->env, restore->file);
    restore->file = NULL;
    return rc;
}

static int begin_segment(struct journal_restore *restore, const struct file_backup_frame *frame) {
    bool is_next = restore->number == 0 || frame->segment == restore->number + 1;
    if (!is_next || frame->offset < FILE_SEGMENT_BYTES_MIN ||
        frame->offset > restore->format.segment_bytes) {
        return -EBADMSG;
    }
    int rc = end_segment(restore);
    if (rc < 0) return rc;
    restore->number = frame->segment;
    restore->capacity = frame->offset;
    restore->filled = 0;
    if (restore->directory == NULL) return 0;
    char name[FILE_NAME_BYTES];
    file_name_write(frame->segment, name);
    rc = restore->env->ops->open(restore->env, restore->directory, name, true, &restore->file);
    return rc < 0 ? rc : restore->env->ops->truncate(restore->env, restore->file, 0);
}

static int take_bytes(struct journal_restore *restore, const struct file_backup_frame *frame,
                      struct slice bytes) {
    if (restore->number == 0 || frame->segment != restore->number) return -EBADMSG;
    if (frame->offset < restore->filled || frame->offset > restore->capacity ||
        bytes.count > restore->capacity - frame->offset) {
        return -EBADMSG;
    }
    if (restore->file == NULL) {
        restore->filled = frame->offset + bytes.count;
        return 0;
    }
    int rc = write_zeros(restore, frame->offset);
    if (rc == 0) {
        rc = restore->env->ops->write(restore->env, restore->file, frame->offset, bytes.bytes,
                                      bytes.count);
    }
    if (rc == 0) restore->filled += bytes.count;
    return rc;
}

/* ---- frames ----------------------------------------------------------------------------------- */

static struct slice value_of(struct slice text, struct slice name) {
    struct slice line;
    while (slice_cut(text, '\n', &line, &text)) {
        struct slice key;
        struct slice value;
        if (slice_cut(line, ' ', &key, &value) && slice_equal(key, name)) return value;
    }
    return SLICE_EMPTY;
}

static int take_begin(struct journal_restore *restore, struct slice text) {
    uint64_t backup = 0;
    struct file_format *format = &restore->format;
    if (!slice_to_u64(value_of(text, SLICE("backup")), UINT32_MAX, &backup) ||
        !slice_to_u64(value_of(text, SLICE("journal")), UINT32_MAX, &format->number)) {
        return -EBADMSG;
    }
    if (backup > FILE_BACKUP || format->number > FILE_FORMAT) return -EPROTONOSUPPORT;
    uint8_t seed[8];
    if (!hex_read(value_of(text, SLICE("seed")), seed, sizeof seed) ||
        !slice_to_u64(value_of(text, SLICE("segment_bytes")), FILE_SEGMENT_BYTES_MAX,
                      &format->segment_bytes) ||
        !slice_to_u64(value_of(text, SLICE("lsn")), UINT64_MAX, &restore->lsn)) {
        return -EBADMSG;
    }
    for (size_t i = 0; i < sizeof seed; i++) format->seed = format->seed << 8 | seed[i];
    restore->has_begun = true;
    return format->segment_bytes >= FILE_SEGMENT_BYTES_MIN ? 0 : -EBADMSG;
}

static int take_frame(struct journal_restore *restore, const struct file_backup_frame *frame,
                      struct slice bytes) {
    bool is_begin = frame->kind == FILE_BACKUP_BEGIN;
    if (is_begin == restore->has_begun) return -EBADMSG;
    switch (frame->kind) {
    case FILE_BACKUP_BEGIN: return take_begin(restore, bytes);
    case FILE_BACKUP_SEGMENT: return begin_segment(restore, frame);
    case FILE_BACKUP_BYTES: return take_bytes(restore, frame, bytes);
    case FILE_BACKUP_END:
        restore->has_ended = true;
        return frame->offset == restore->lsn && restore->number != 0 ? 0 : -EBADMSG;
    default: return -EBADMSG;
    }
}

/* How many bytes make the magic or the next frame whole; 0: what is there is neither. */
static size_t bytes_wanted(const struct journal_restore *restore) {
    if (!restore->has_magic) return FILE_BACKUP_MAGIC_BYTES;
    struct slice input = buffer_slice(&restore->input);
    if (input.count < FILE_BACKUP_FRAME_BYTES) return FILE_BACKUP_FRAME_BYTES;
    struct file_backup_frame frame;
    if (!file_backup_frame_decode(input, &frame)) return 0;
    return FILE_BACKUP_FRAME_BYTES + frame.bytes_count;
}

/* The input is as long as was wanted. */
static int take_input(struct journal_restore *restore) {
    struct slice input = buffer_slice(&restore->input);
    if (!restore->has_magic) {
        restore->has_magic =
            slice_equal(input, slice_from(FILE_BACKUP_MAGIC, FILE_BACKUP_MAGIC_BYTES));
        if (!restore->has_magic) return -EBADMSG;
        buffer_clear(&restore->input);
        return 0;
    }
    struct file_backup_frame frame;
    if (!file_backup_frame_decode(input, &frame)) return -EBADMSG;
    if (input.count < FILE_BACKUP_FRAME_BYTES + frame.bytes_count) return 0; /* only its head yet */
    struct slice bytes = slice_skip(input, FILE_BACKUP_FRAME_BYTES);
    if (!file_backup_frame_fits(input, bytes, &restore->chain)) return -EBADMSG;
    int rc = take_frame(restore, &frame, bytes);
    buffer_clear(&restore->input);
    return rc;
}

int journal_restore_add(struct journal_restore *restore, struct slice bytes) {
    while (restore->failure == 0 && bytes.count > 0) {
        if (restore->has_ended) restore->failure = -EBADMSG; /* something follows its end */
        size_t wanted = bytes_wanted(restore);
        if (wanted == 0) restore->failure = -EBADMSG;
        if (restore->failure != 0) break;
        size_t missing = wanted - restore->input.count;
        size_t step = bytes.count < missing ? bytes.count : missing;
        buffer_append(&restore->input, slice_from(bytes.bytes, step));
        bytes = slice_skip(bytes, step);
        if (restore->input.failed) restore->failure = -ENOMEM;
        if (restore->failure == 0 && step == missing) restore->failure = take_input(restore);
    }
    return restore->failure;
}

bool journal_restore_has_ended(const struct journal_restore *restore) {
    return restore->has_ended && restore->failure == 0;
}

int journal_restore_end(struct journal_restore *restore, uint64_t *lsn) {
    *lsn = restore->lsn;
    if (restore->failure != 0) return restore->failure;
    if (!restore->has_ended) return -EBADMSG;
    if (restore->directory == NULL) return 0;
    int rc = end_segment(restore);
    if (rc == 0) rc = restore->env->ops->sync_directory(restore->env, restore->directory);
    if (rc == 0) rc = file_format_write(restore->env, restore->directory, &restore->format);
    return rc;
}
