/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_open.c -- the folder: its lock, its format, its segments.
 *
 *   lock                      held while the journal is open
 *   format                    text: the format's number, segment_bytes, the seed, a check
 *   %016x.segment             file_layout.h
 *   %016x.summary             journal_file_summary.c
 *   prepared.tmp, format.tmp, summary.tmp  not finished; thrown away
 *
 * In a new folder the first segment is made before `format`: a folder with a format and without a
 * segment has lost something, one without a format has not been begun.
 */
#include "journal/file/file_folder.h"
#include "journal/file/file_house.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int no_start_yet(const char *what, int rc, const struct file_journal *journal) {
    log_printf(journal->log, LOG_ERROR, "journal: %s: %s; takt does not start", what,
               strerror(-rc));
    return rc;
}

/* -ENOENT: the folder has none yet. */
static int read_format(struct file_journal *journal) {
    struct file_format format = {0};
    int rc = file_format_read(journal->env, journal->directory, &format);
    if (rc == -EPROTONOSUPPORT) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: the folder was written by a newer takt (format %" PRIu64
                   ", this one reads up to %u); takt does not start",
                   format.number, FILE_FORMAT);
    } else if (rc == -EBADMSG) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: the file `format` is damaged; takt does not start");
    }
    if (rc < 0) return rc;
    journal->format = (uint32_t)format.number;
    journal->seed = format.seed;
    journal->segment_bytes = format.segment_bytes;
    return 0;
}

int file_write_format(struct file_journal *journal) {
    struct file_format format = {
        .number = FILE_FORMAT, .segment_bytes = journal->segment_bytes, .seed = journal->seed};
    int rc = file_format_write(journal->env, journal->directory, &format);
    if (rc == 0) journal->format = FILE_FORMAT;
    return rc;
}

struct numbers {
    struct file_journal *journal;
    uint64_t *list;
    size_t count;
    size_t capacity;
    int rc;
};

static bool note_name(void *context, const char *name) {
    struct numbers *numbers = context;
    uint64_t number = file_name_read(name);
    if (number == 0) return true;
    if (numbers->count == FILE_SEGMENTS_MAX) {
        numbers->rc = -EFBIG;
        return false;
    }
    if (numbers->count == numbers->capacity) {
        size_t capacity = numbers->capacity == 0 ? 64 : numbers->capacity * 2;
        uint64_t *list = allocator_resize_array(&numbers->journal->env->allocator, numbers->list,
                                                capacity, sizeof list[0]);
        if (list == NULL) {
            numbers->rc = -ENOMEM;
            return false;
        }
        numbers->list = list;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = number;
    return true;
}

static int compare_numbers(const void *a, const void *b) {
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* A segment gets its name when it has its whole length, and keeps both: in a shorter file something
 * is missing, even if the batches that are left end like a tail. With durability none it may be the
 * length itself that was not synced. */
static int check_length(struct file_journal *journal, const struct file_segment *segment) {
    uint64_t bytes;
    int rc = journal->env->ops->size(journal->env, segment->file, &bytes);
    if (rc < 0) return rc;
    uint64_t wanted = segment->header_valid ? segment->capacity : FILE_SEGMENT_BYTES_MIN;
    if (bytes >= wanted || journal->no_sync) return 0;
    bool accepted = journal->accept_damage;
    log_printf(journal->log, accepted ? LOG_WARNING : LOG_ERROR,
               "journal: damage in %016" PRIx64 ".segment: it has %" PRIu64
               " bytes and had at least %" PRIu64 "; %s",
               segment->number, bytes, wanted,
               accepted ? "takt goes on with what is left, as asked for"
                        : "takt does not start, unless told to accept the damage");
    return accepted ? 0 : -EBADMSG;
}

static int open_segment(struct file_journal *journal, uint64_t number) {
    const struct env_ops *ops = journal->env->ops;
    struct file_segment *segment = env_alloc(journal->env, sizeof *segment);
    if (segment == NULL) return -ENOMEM;
    segment->number = number;
    segment->capacity = segment->reach = journal->segment_bytes;
    char name[FILE_NAME_BYTES];
    file_name_write(number, name);
    int rc = ops->open(journal->env, journal->directory, name, false, &segment->file);
    if (rc < 0) goto fail;
    char bytes[FILE_SEGMENT_HEADER_BYTES];
    int64_t count = ops->read(journal->env, segment->file, 0, bytes, sizeof bytes);
    rc = count < 0 ? (int)count : 0;
    if (rc < 0) goto fail;
    struct file_segment_header header;
    if (file_segment_header_decode(slice_from(bytes, (size_t)count), journal->seed, number,
                                   &header) &&
        header.capacity >= FILE_SEGMENT_BYTES_MIN && header.capacity <= journal->segment_bytes) {
        segment->header_valid = true;
        segment->capacity = header.capacity;
        segment->reach = header.reach;
        segment->reach_slot = header.reach_slot;
    }
    rc = check_length(journal, segment);
    if (rc == 0) rc = file_segment_add(journal, segment);
    if (rc < 0) goto fail;
    return 0;

fail:
    file_segment_close(journal, segment);
    return rc;
}

static int open_segments(struct file_journal *journal, const struct numbers *numbers) {
    for (size_t i = 0; i < numbers->count; i++) {
        if (i > 0 && numbers->list[i] != numbers->list[i - 1] + 1) {
            log_printf(journal->log, LOG_ERROR,
                       "journal: the segment after %016" PRIx64
                       " is missing, there are later ones; takt does not start",
                       numbers->list[i - 1]);
            return -EBADMSG;
        }
        int rc = open_segment(journal, numbers->list[i]);
        if (rc == -EBADMSG) return rc; /* it has been said */
        if (rc < 0) return no_start_yet("cannot open a segment", rc, journal);
    }
    return 0;
}

static int holds_a_batch(struct file_journal *journal, uint64_t number, bool *out) {
    const struct env_ops *ops = journal->env->ops;
    struct env_file *file = NULL;
    char name[FILE_NAME_BYTES];
    char bytes[FILE_BATCH_HEADER_BYTES];
    file_name_write(number, name);
    int rc = ops->open(journal->env, journal->directory, name, false, &file);
    if (rc < 0) return rc;
    int64_t count = ops->read(journal->env, file, FILE_SEGMENT_HEADER_BYTES, bytes, sizeof bytes);
    ops->close(journal->env, file);
    *out = count == (int64_t)sizeof bytes && file_batch_header_is_likely(bytes, number);
    return count < 0 ? (int)count : 0;
}

/* No format: nothing but what a crash while making the folder leaves may be here. */
static int begin_folder(struct file_journal *journal, const struct numbers *numbers) {
    const struct env_ops *ops = journal->env->ops;
    bool is_used = numbers->count > 1 || (numbers->count == 1 && numbers->list[0] != 1);
    if (numbers->count == 1 && !is_used) {
        int rc = holds_a_batch(journal, numbers->list[0], &is_used);
        if (rc < 0) return no_start_yet("cannot read a segment", rc, journal);
    }
    if (is_used) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: there are segments, but the file `format` is missing; takt does not "
                   "start");
        return -EBADMSG;
    }
    ops->random(journal->env, &journal->seed, sizeof journal->seed);
    uint64_t capacity = FILE_SEGMENT_BYTES_FIRST;
    int rc = file_segment_create(journal, 1, capacity);
    if (rc < 0) return no_start_yet("cannot make the first segment", rc, journal);
    rc = file_write_format(journal);
    return rc < 0 ? no_start_yet("cannot write the file `format`", rc, journal) : 0;
}

/* Its files are not all in their places. */
static int check_no_repair(struct file_journal *journal) {
    struct env_file *file = NULL;
    int rc =
        journal->env->ops->open(journal->env, journal->directory, FILE_NAME_REPAIR, false, &file);
    journal->env->ops->close(journal->env, file);
    if (rc == -ENOENT) return 0;
    if (rc < 0) return no_start_yet("cannot look for an unfinished repair", rc, journal);
    log_printf(journal->log, LOG_ERROR,
               "journal: a repair of the folder was begun and not finished; `takt data repair` "
               "finishes it; takt does not start");
    return -EUCLEAN;
}

static int open_log(struct file_journal *journal) {
    const struct env_ops *ops = journal->env->ops;
    int rc = ops->open(journal->env, journal->directory, FILE_NAME_LOCK, true, &journal->lock);
    if (rc == 0) rc = ops->lock(journal->env, journal->lock);
    if (rc == -EWOULDBLOCK) return rc; /* who opens it knows what to call the other one */
    if (rc < 0) return no_start_yet("cannot lock the folder", rc, journal);
    rc = ops->unlink(journal->env, journal->directory, FILE_NAME_PREPARED);
    if (rc == 0 || rc == -ENOENT) {
        rc = ops->unlink(journal->env, journal->directory, FILE_NAME_SUMMARY);
    }
    if (rc < 0 && rc != -ENOENT) return no_start_yet("cannot remove a leftover", rc, journal);

    struct numbers numbers = {.journal = journal};
    rc = ops->list(journal->env, journal->directory, note_name, &numbers);
    if (rc == 0) rc = numbers.rc;
    if (rc < 0) {
        (void)no_start_yet("cannot list the folder", rc, journal);
        goto done;
    }
    if (numbers.count > 1) {
        qsort(numbers.list, numbers.count, sizeof numbers.list[0], compare_numbers);
    }
    rc = check_no_repair(journal);
    if (rc < 0) goto done;
    rc = read_format(journal);
    if (rc == -ENOENT) {
        rc = begin_folder(journal, &numbers);
    } else if (rc == 0 && numbers.count == 0) {
        log_printf(journal->log, LOG_ERROR,
                   "journal: the folder has a format and no segment; takt does not start");
        rc = -EBADMSG;
    } else if (rc == 0) {
        rc = open_segments(journal, &numbers);
    }

done:
    allocator_give_back(&journal->env->allocator, numbers.list);
    return rc;
}

static const struct journal_ops file_ops = {
    .replay = file_replay,
    .start = file_start,
    .reserve = file_reserve,
    .append = file_append,
    .flush = file_flush,
    .read_body = file_read_body,
    .carry_below = file_carry_below,
    .trim = file_trim,
    .carry_pace = file_carry_pace,
    .set_live_bytes = file_set_live_bytes,
    .copy_open = file_copy_open,
    .get_status = file_get_status,
    .close = file_close,
};

static int check_options(const struct journal_file_options *options, uint64_t segment_bytes) {
    const char *wrong = NULL;
    if (segment_bytes < FILE_SEGMENT_BYTES_MIN || segment_bytes > FILE_SEGMENT_BYTES_MAX ||
        segment_bytes % 4096 != 0) {
        wrong = "segment_bytes must be a multiple of 4096 from 4 MiB to 4 GiB";
    } else if (options->bytes_max != 0 && options->bytes_max / segment_bytes < FILE_SEGMENTS_MIN) {
        wrong = "bytes_max must allow at least four segments";
    }
    if (wrong == NULL) return 0;
    log_printf(options->log, LOG_ERROR, "journal: %s; takt does not start", wrong);
    return -EINVAL;
}

int journal_file_open(const struct journal_file_options *options, struct journal **out) {
    struct env *env = options->env;
    uint64_t segment_bytes =
        options->segment_bytes == 0 ? FILE_SEGMENT_BYTES_DEFAULT : options->segment_bytes;
    int rc = check_options(options, segment_bytes);
    if (rc < 0) return rc;
    struct file_journal *journal = env_alloc(env, sizeof *journal);
    if (journal == NULL) return -ENOMEM;
    journal->journal.ops = &file_ops;
    journal->env = env;
    journal->log = options->log;
    journal->segment_bytes = segment_bytes;
    journal->bytes_max = options->bytes_max;
    journal->bytes_kept_free =
        options->bytes_kept_free == 0 ? FILE_KEPT_FREE_DEFAULT : options->bytes_kept_free;
    journal->no_sync = options->no_sync;
    journal->accept_damage = options->accept_damage;
    list_init(&journal->sealed);
    list_init(&journal->reads);

    rc = env->ops->open_directory(env, options->path, true, &journal->directory);
    if (rc < 0) {
        (void)no_start_yet("cannot open the folder", rc, journal);
        goto fail;
    }
    rc = open_log(journal);
    if (rc < 0) goto fail;
    *out = &journal->journal;
    return 0;

fail:
    file_journal_free(journal);
    return rc;
}
