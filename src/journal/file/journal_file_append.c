/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file_append.c -- a reservation makes the batch ready, an append copies into it.
 *
 * All that may fail or move (memory, the end of a segment, a full batch) happens in reserve, for the
 * worst case of what is reserved; so append cannot fail, and the place of the batch, from which the
 * bodies' positions follow, is fixed when its first record enters.
 */
#include "base/codec.h"
#include "journal/file/file_house.h"

#include <errno.h>

/* Above it a batch's memory is given back to the system after its commit. */
#define SPARE_BYTES_MAX (2u * 1024 * 1024)

size_t file_batch_memory(const struct file_batch *batch) {
    return batch->bodies.count + batch->records.count;
}

void file_batch_free(struct file_journal *journal, struct file_batch *batch) {
    if (batch == NULL) return;
    buffer_close(&batch->bodies);
    buffer_close(&batch->records);
    env_free(journal->env, batch);
}

void file_batch_give_back(struct file_journal *journal, struct file_batch *batch) {
    bool is_large = batch->bodies.capacity + batch->records.capacity > SPARE_BYTES_MAX;
    if (journal->spare != NULL || is_large) {
        file_batch_free(journal, batch);
        return;
    }
    buffer_clear(&batch->bodies);
    buffer_clear(&batch->records);
    batch->records_count = 0;
    journal->spare = batch;
}

void file_batch_drop_all(struct file_journal *journal) {
    while (!list_is_empty(&journal->sealed)) {
        struct list_link *link = list_first(&journal->sealed);
        list_remove(link);
        file_batch_free(journal, CONTAINER_OF(link, struct file_batch, link));
    }
    file_batch_free(journal, journal->filling);
    file_batch_free(journal, journal->spare);
    journal->filling = journal->spare = NULL;
    journal->batches_bytes =
        journal->committing == NULL ? 0 : file_batch_memory(journal->committing);
}

void file_batch_seal(struct file_journal *journal) {
    struct file_batch *batch = journal->filling;
    CHECK(batch != NULL && batch->records_count > 0);
    journal->filling = NULL;
    journal->reserved = false; /* it was for this one */
    journal->next_number = batch->number;
    journal->next_offset =
        batch->offset + file_batch_bytes(batch->bodies.count, batch->records.count);
    list_append(&journal->sealed, &batch->link);
}

static struct file_batch *take_batch(struct file_journal *journal) {
    struct file_batch *batch = journal->spare;
    if (batch != NULL) {
        journal->spare = NULL;
        return batch;
    }
    batch = env_alloc(journal->env, sizeof *batch);
    if (batch == NULL) return NULL;
    size_t bytes_max = FILE_MEMORY_BYTES_MAX + FILE_RECORD_BYTES_MAX;
    buffer_open(&batch->bodies, &journal->env->allocator, bytes_max);
    buffer_open(&batch->records, &journal->env->allocator, bytes_max);
    list_init(&batch->link);
    return batch;
}

static uint64_t worst_batch_bytes(const struct file_batch *batch, size_t bytes_count) {
    size_t present = batch == NULL ? 0 : file_batch_memory(batch);
    return file_batch_bytes(present + bytes_count, FILE_FRAME_BYTES_MAX);
}

static bool is_full_for(struct file_journal *journal, const struct file_batch *batch,
                        size_t bytes_count) {
    if (batch->records_count == JOURNAL_BATCH_RECORDS_MAX) return true;
    uint64_t bytes = worst_batch_bytes(batch, bytes_count);
    return bytes > FILE_BATCH_BYTES_MAX ||
           batch->offset + bytes > file_segment_capacity(journal, batch->number);
}

/* An empty batch can still go anywhere. */
static void choose_place(struct file_journal *journal, struct file_batch *batch,
                         size_t bytes_count) {
    uint64_t bytes = worst_batch_bytes(batch, bytes_count);
    batch->number = journal->next_number;
    batch->offset = journal->next_offset;
    if (batch->offset + bytes > file_segment_capacity(journal, batch->number)) {
        batch->number++;
        batch->offset = FILE_SEGMENT_HEADER_BYTES;
    }
    batch->lsn_first = journal->lsn_appended + 1;
}

static int make_filling_ready(struct file_journal *journal, size_t bytes_count) {
    struct file_batch *batch = journal->filling;
    if (batch != NULL && batch->records_count > 0 && is_full_for(journal, batch, bytes_count)) {
        file_batch_seal(journal);
    }
    if (journal->filling == NULL) journal->filling = take_batch(journal);
    batch = journal->filling;
    if (batch == NULL) return -ENOMEM;
    if (batch->records_count == 0) choose_place(journal, batch, bytes_count);

    size_t record_max = bytes_count;
    if (record_max > JOURNAL_RECORD_BYTES_MAX) record_max = JOURNAL_RECORD_BYTES_MAX;
    if (!buffer_reserve(&batch->bodies, bytes_count) ||
        !buffer_reserve(&batch->records, record_max + FILE_FRAME_BYTES_MAX)) {
        return -ENOMEM;
    }
    return 0;
}

int file_reserve(struct journal *base, enum journal_purpose purpose, size_t bytes_count) {
    struct file_journal *journal = file_journal_from(base);
    CHECK(journal->started);
    journal->reserved = false;
    if (journal->failure != 0 || journal->closed) return -EROFS;
    if (bytes_count > FILE_RECORD_BYTES_MAX ||
        FILE_SEGMENT_HEADER_BYTES + worst_batch_bytes(NULL, bytes_count) > journal->segment_bytes) {
        return -EMSGSIZE;
    }
    size_t batches_bytes = journal->batches_bytes;
    if (batches_bytes > 0 && batches_bytes + bytes_count > FILE_MEMORY_BYTES_MAX) return -EAGAIN;
    int rc = file_room_check(journal, purpose, bytes_count);
    if (rc < 0) return rc;
    rc = make_filling_ready(journal, bytes_count);
    if (rc < 0) return rc;

    journal->reserved = true;
    journal->reserved_bytes = bytes_count;
    return 0;
}

/* After a failure: as if, so that the caller goes on in peace until it hears of it. No segment has
 * number 0, so nothing will be read there. */
static void refer_to_nothing(const struct slice *bodies, uint32_t bodies_count,
                             struct body_ref *refs) {
    for (uint32_t i = 0; i < bodies_count; i++) {
        refs[i] = body_ref_of(bodies[i], 1);
    }
}

static void copy_bodies(struct file_journal *journal, const struct slice *bodies,
                        uint32_t bodies_count, struct body_ref *refs) {
    struct file_batch *batch = journal->filling;
    uint64_t position = batch->number * journal->segment_bytes + batch->offset +
                        FILE_BATCH_HEADER_BYTES + batch->bodies.count;
    for (uint32_t i = 0; i < bodies_count; i++) {
        uint64_t checksum = body_checksum(bodies[i]); /* the whole one, which is only on disk */
        refs[i] = (struct body_ref){.position = position,
                                    .checksum32 = (uint32_t)(checksum & UINT32_MAX),
                                    .count = (uint32_t)bodies[i].count};
        position += bodies[i].count;
        buffer_append(&batch->bodies, bodies[i]);
        encode_u32(&batch->records, refs[i].count);
        encode_u64(&batch->records, checksum);
    }
}

uint64_t file_append(struct journal *base, struct slice bytes, const struct slice *bodies,
                     uint32_t bodies_count, struct body_ref *refs) {
    struct file_journal *journal = file_journal_from(base);
    CHECK(journal->started);
    uint64_t lsn = ++journal->lsn_appended;
    if (journal->failure != 0 || journal->closed) {
        refer_to_nothing(bodies, bodies_count, refs);
        return lsn;
    }
    CHECK(journal->reserved && bodies_count <= JOURNAL_RECORD_BODIES_MAX);
    CHECK(bytes.count <= JOURNAL_RECORD_BYTES_MAX);
    size_t bytes_count = bytes.count;
    for (uint32_t i = 0; i < bodies_count; i++) bytes_count += bodies[i].count;
    CHECK(bytes_count <= journal->reserved_bytes);
    journal->reserved = false;

    struct file_batch *batch = journal->filling;
    size_t memory_before = file_batch_memory(batch);
    encode_u32(&batch->records, (uint32_t)bytes.count);
    encode_u32(&batch->records, bodies_count);
    copy_bodies(journal, bodies, bodies_count, refs);
    buffer_append(&batch->records, bytes);
    CHECK(!batch->records.failed && !batch->bodies.failed); /* reserved */
    batch->records_count++;
    journal->batches_bytes += file_batch_memory(batch) - memory_before;
    file_flush_later(journal);
    return lsn;
}
