/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_read.c -- a body comes from a batch in memory, from the page cache, or from the disk.
 * Its checksum is verified each time.
 */
#include "journal/file/file_house.h"

#include <errno.h>
#include <string.h>

/* True: done has run. segment: what was read, NULL if it was memory. A damaged file is evidence from
 * now on, and nothing will be written over it. */
static bool answer(struct file_segment *segment, struct body_ref ref, struct slice bytes,
                   journal_body_fn *done, void *context) {
    if (body_ref_fits(ref, bytes)) {
        done(context, 0, bytes);
    } else {
        if (segment != NULL) segment->is_damaged = true;
        done(context, -EBADMSG, SLICE_EMPTY);
    }
    return true;
}

static bool holds(const struct file_journal *journal, const struct file_batch *batch,
                  struct body_ref ref, struct slice *out) {
    if (batch == NULL || batch->records_count == 0) return false;
    uint64_t first =
        batch->number * journal->segment_bytes + batch->offset + FILE_BATCH_HEADER_BYTES;
    if (ref.position < first || ref.position > first + batch->bodies.count) return false;
    uint64_t start = ref.position - first;
    if (ref.count > batch->bodies.count - start) return false;
    *out = slice_from(batch->bodies.bytes + start, ref.count);
    return true;
}

/* In a batch that changes no more. */
static bool find_in_sealed(struct file_journal *journal, struct body_ref ref, struct slice *out) {
    if (holds(journal, journal->committing, ref, out)) return true;
    struct list_link *head = &journal->sealed;
    for (struct list_link *link = head->next; link != head; link = link->next) {
        if (holds(journal, CONTAINER_OF(link, struct file_batch, link), ref, out)) return true;
    }
    return false;
}

static void free_bytes(struct file_journal *journal, char *bytes) {
    allocator_give_back(&journal->env->allocator, bytes);
}

static void end_read(void *context, int64_t result) {
    struct file_read *read = context;
    struct file_journal *journal = read->journal;
    struct file_segment *segment = read->segment;
    journal_body_fn *done = read->done; /* NULL: cancelled */
    list_remove(&read->link);
    if (done != NULL && result < 0) {
        done(read->context, (int)result, SLICE_EMPTY);
    } else if (done != NULL) {
        (void)answer(segment, read->ref, slice_from(read->bytes, (size_t)result), done,
                     read->context);
    }
    segment->reads_count--; /* the segment may have waited for this */
    if (!journal->closed) file_prepare(journal);
    free_bytes(journal, read->bytes);
    env_free(journal->env, read);
    file_hold_drop(journal); /* last: done may have closed the journal */
}

static bool read_later(struct file_journal *journal, struct file_segment *segment,
                       const struct file_read *wanted, uint64_t offset) {
    struct file_read *read = env_alloc(journal->env, sizeof *read);
    if (read == NULL) {
        free_bytes(journal, wanted->bytes);
        wanted->done(wanted->context, -ENOMEM, SLICE_EMPTY);
        return true;
    }
    *read = *wanted;
    list_append(&journal->reads, &read->link);
    segment->reads_count++;
    journal->holds_count++;
    journal->env->ops->read_async(journal->env, segment->file, offset, read->bytes, read->ref.count,
                                  end_read, read);
    return false;
}

/* The bytes are the caller's to free. done may close the journal, which outlives it by a hold. */
static bool answer_with(struct file_journal *journal, struct file_segment *segment,
                        struct body_ref ref, char *bytes, journal_body_fn *done, void *context) {
    journal->holds_count++;
    (void)answer(segment, ref, slice_from(bytes, ref.count), done, context);
    free_bytes(journal, bytes);
    file_hold_drop(journal);
    return true;
}

static bool fail_with(int result, journal_body_fn *done, void *context) {
    done(context, result, SLICE_EMPTY);
    return true;
}

bool file_read_body(struct journal *base, struct body_ref ref, journal_body_fn *done,
                    void *context) {
    struct file_journal *journal = file_journal_from(base);
    if (journal->closed) return fail_with(-ECANCELED, done, context);
    if (body_ref_is_given_up(ref)) return fail_with(-EBADMSG, done, context);
    if (ref.count == 0) return answer(NULL, ref, SLICE_EMPTY, done, context);
    if (ref.count > JOURNAL_BODIES_BYTES_MAX) return fail_with(-EBADMSG, done, context);
    struct slice bytes;
    if (find_in_sealed(journal, ref, &bytes)) return answer(NULL, ref, bytes, done, context);

    char *room = allocator_resize_array(&journal->env->allocator, NULL, ref.count, 1);
    if (room == NULL) return fail_with(-ENOMEM, done, context);
    if (holds(journal, journal->filling, ref, &bytes)) {
        memcpy(room, bytes.bytes, ref.count); /* done may append, and this memory may then move */
        return answer_with(journal, NULL, ref, room, done, context);
    }
    struct file_segment *segment =
        file_segment_find(journal, ref.position / journal->segment_bytes);
    if (segment == NULL) {
        free_bytes(journal, room);
        return fail_with(-ENOENT, done, context);
    }
    uint64_t offset = ref.position % journal->segment_bytes;
    int64_t got =
        journal->env->ops->read_cached(journal->env, segment->file, offset, room, ref.count);
    if (got == (int64_t)ref.count) {
        return answer_with(journal, segment, ref, room, done, context);
    }

    /* It is not there, or only in part, or there is no such call here. */
    struct file_read wanted = {.journal = journal,
                               .segment = segment,
                               .ref = ref,
                               .done = done,
                               .context = context,
                               .bytes = room};
    return read_later(journal, segment, &wanted, offset);
}

void file_read_cancel_all(struct file_journal *journal) {
    struct list_link *head = &journal->reads;
    for (struct list_link *link = head->next; link != head; link = link->next) {
        struct file_read *read = CONTAINER_OF(link, struct file_read, link);
        journal_body_fn *done = read->done;
        read->done = NULL;
        if (done != NULL) done(read->context, -ECANCELED, SLICE_EMPTY);
    }
}
