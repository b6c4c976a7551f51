/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_journal.h"

#include "base/hash.h"
#include "journal/journal_house.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READS_MAX 1024u

struct fake_read {
    struct body_ref ref;
    journal_body_fn *done;
    void *context;
};
struct fake_journal {
    struct journal journal; /* first */
    struct fake_log *log;
    journal_durable_fn *on_durable;
    void *context;
    uint64_t durable;
    int failure;
    int reserve_result;
    bool is_reserved;
    size_t reserved_bytes;
    enum journal_purpose purpose;
    uint64_t carry_below;
    uint32_t carry_pace;
    uint64_t trim_wanted; /* when all that was appended so far is durable */
    uint64_t trim_after;
    uint64_t trimmed;
    bool is_cold;
    struct fake_read reads[READS_MAX];
    uint32_t reads_count;
};

struct fake_log *fake_log_open(void) {
    struct fake_log *log = calloc(1, sizeof *log);
    EXPECT(log != NULL);
    log->first = 1;
    return log;
}

void fake_log_close(struct fake_log *log) {
    for (uint64_t i = 0; i < log->count; i++) {
        free(log->records[i].bytes);
        free(log->records[i].refs);
    }
    for (uint64_t i = 0; i < log->bodies_count; i++) free(log->bodies[i].bytes);
    free(log->bodies);
    free(log);
}

static struct fake_journal *fake_from(struct journal *journal) {
    return CONTAINER_OF(journal, struct fake_journal, journal);
}

static const struct fake_journal *fake_const(const struct journal *journal) {
    return (const struct fake_journal *)(const void *)journal;
}

static int replay(struct journal *journal, journal_replay_fn *fn, void *context) {
    struct fake_log *log = fake_from(journal)->log;
    for (uint64_t i = log->first - 1; i < log->count; i++) {
        const struct fake_record *record = &log->records[i];
        struct journal_record given = {
            i + 1, {record->bytes, record->bytes_count}, record->refs, record->refs_count};
        int rc = fn(context, &given);
        if (rc < 0) return rc;
    }
    return 0;
}

static int start(struct journal *journal, journal_durable_fn *on_durable, void *context) {
    struct fake_journal *fake = fake_from(journal);
    fake->on_durable = on_durable;
    fake->context = context;
    fake->durable = fake->log->count;
    return 0;
}

static int reserve(struct journal *journal, enum journal_purpose purpose, size_t bytes_count) {
    struct fake_journal *fake = fake_from(journal);
    fake->purpose = purpose;
    if (fake->failure < 0) return -EROFS;
    if (fake->reserve_result < 0) return fake->reserve_result;
    fake->is_reserved = true;
    fake->reserved_bytes = bytes_count;
    return 0;
}

static struct body_ref add_body(struct fake_log *log, struct slice body) {
    if (log->bodies_count == log->bodies_capacity) {
        log->bodies_capacity = log->bodies_capacity == 0 ? 64 : log->bodies_capacity * 2;
        log->bodies = realloc(log->bodies, log->bodies_capacity * sizeof log->bodies[0]);
        EXPECT(log->bodies != NULL);
    }
    char *bytes = malloc(body.count + 1);
    EXPECT(bytes != NULL);
    if (body.count > 0) memcpy(bytes, body.bytes, body.count);
    log->bodies[log->bodies_count++] = (struct fake_body){bytes, (uint32_t)body.count};
    return (struct body_ref){log->bodies_count, hash64(body), (uint32_t)body.count};
}

static uint64_t append(struct journal *journal, struct slice bytes, const struct slice *bodies,
                       uint32_t bodies_count, struct body_ref *refs) {
    struct fake_journal *fake = fake_from(journal);
    struct fake_log *log = fake->log;
    EXPECT(fake->is_reserved && log->count < FAKE_RECORDS_MAX);
    fake->is_reserved = false;
    size_t total = bytes.count;
    for (uint32_t i = 0; i < bodies_count; i++) {
        refs[i] = add_body(log, bodies[i]);
        total += bodies[i].count;
    }
    EXPECT(total <= fake->reserved_bytes);
    struct fake_record *record = &log->records[log->count++];
    *record = (struct fake_record){malloc(bytes.count), bytes.count, NULL, bodies_count};
    record->refs = calloc(bodies_count + 1, sizeof *refs);
    EXPECT(record->bytes != NULL && record->refs != NULL);
    memcpy(record->bytes, bytes.bytes, bytes.count);
    memcpy(record->refs, refs, bodies_count * sizeof *refs);
    return log->count;
}

static void flush(struct journal *journal) {
    (void)journal;
}

static void read_one(const struct fake_journal *fake, const struct fake_read *read) {
    EXPECT(read->ref.position > 0 && read->ref.position <= fake->log->bodies_count);
    const struct fake_body *body = &fake->log->bodies[read->ref.position - 1];
    EXPECT(body->bytes != NULL);
    struct slice bytes = {body->bytes, body->count};
    bool is_right = body->count == read->ref.count && hash64(bytes) == read->ref.checksum;
    read->done(read->context, is_right ? 0 : -EBADMSG, is_right ? bytes : SLICE_EMPTY);
}

static bool read_body(struct journal *journal, struct body_ref ref, journal_body_fn *done,
                      void *context) {
    struct fake_journal *fake = fake_from(journal);
    struct fake_read read = {ref, done, context};
    if (!fake->is_cold) {
        read_one(fake, &read);
        return true;
    }
    EXPECT(fake->reads_count < READS_MAX);
    fake->reads[fake->reads_count++] = read;
    return false;
}

uint32_t fake_journal_read_all(struct journal *journal) {
    struct fake_journal *fake = fake_from(journal);
    uint32_t count = fake->reads_count;
    struct fake_read *reads = malloc((count + 1) * sizeof *reads);
    EXPECT(reads != NULL);
    memcpy(reads, fake->reads, count * sizeof *reads);
    fake->reads_count = 0;
    for (uint32_t i = 0; i < count; i++) read_one(fake, &reads[i]);
    free(reads);
    return count;
}

static uint64_t carry_below(const struct journal *journal) {
    const struct fake_journal *fake = fake_const(journal);
    return fake->carry_below > fake->trimmed ? fake->carry_below : 0;
}

static void drop_bodies(struct fake_log *log, const struct fake_record *record) {
    for (uint32_t i = 0; i < record->refs_count; i++) {
        struct fake_body *body = &log->bodies[record->refs[i].position - 1];
        free(body->bytes);
        body->bytes = NULL;
    }
}

static void trim_if_durable(struct fake_journal *fake) {
    if (fake->trim_wanted <= fake->trimmed || fake->durable < fake->trim_after) return;
    fake->trimmed = fake->trim_wanted;
    for (; fake->log->first < fake->trimmed; fake->log->first++) {
        drop_bodies(fake->log, &fake->log->records[fake->log->first - 1]);
    }
}

static void trim(struct journal *journal, uint64_t lsn) {
    struct fake_journal *fake = fake_from(journal);
    fake->trim_wanted = lsn;
    fake->trim_after = fake->log->count;
    trim_if_durable(fake);
}

static uint32_t carry_pace(const struct journal *journal) {
    return fake_const(journal)->carry_pace;
}

static void set_live_bytes(struct journal *journal, uint64_t bytes_count) {
    (void)journal;
    (void)bytes_count;
}

static void get_status(const struct journal *journal, struct journal_status *out) {
    const struct fake_journal *fake = fake_const(journal);
    *out = (struct journal_status){
        .lsn_first = fake->log->first,
        .lsn_appended = fake->log->count,
        .lsn_durable = fake->durable,
        .failure = fake->failure,
    };
}

static void close_journal(struct journal *journal) {
    struct fake_journal *fake = fake_from(journal);
    if (fake->on_durable != NULL && fake->failure == 0 && fake->durable < fake->log->count) {
        fake_journal_commit(journal);
    }
    for (uint32_t i = 0; i < fake->reads_count; i++) {
        fake->reads[i].done(fake->reads[i].context, -ECANCELED, SLICE_EMPTY);
    }
    free(fake);
}

static const struct journal_ops fake_ops = {
    .replay = replay,
    .start = start,
    .reserve = reserve,
    .append = append,
    .flush = flush,
    .read_body = read_body,
    .carry_below = carry_below,
    .trim = trim,
    .carry_pace = carry_pace,
    .set_live_bytes = set_live_bytes,
    .get_status = get_status,
    .close = close_journal,
};

struct journal *fake_journal_open(struct fake_log *log) {
    struct fake_journal *fake = calloc(1, sizeof *fake);
    EXPECT(fake != NULL);
    fake->journal.ops = &fake_ops;
    fake->log = log;
    return &fake->journal;
}

void fake_journal_commit_to(struct journal *journal, uint64_t lsn) {
    struct fake_journal *fake = fake_from(journal);
    EXPECT(lsn >= fake->durable && lsn <= fake->log->count && fake->failure == 0);
    fake->durable = lsn;
    trim_if_durable(fake);
    fake->on_durable(fake->context, lsn, 0);
}

void fake_journal_commit(struct journal *journal) {
    fake_journal_commit_to(journal, fake_from(journal)->log->count);
}

void fake_journal_fail(struct journal *journal, int result) {
    struct fake_journal *fake = fake_from(journal);
    fake->failure = result;
    fake->on_durable(fake->context, fake->durable, result);
}

void fake_journal_set_reserve(struct journal *journal, int result) {
    fake_from(journal)->reserve_result = result;
}

void fake_journal_want_carry(struct journal *journal, uint64_t below, uint32_t pace) {
    fake_from(journal)->carry_below = below;
    fake_from(journal)->carry_pace = pace;
}

void fake_journal_set_cold(struct journal *journal, bool is_cold) {
    fake_from(journal)->is_cold = is_cold;
}

uint64_t fake_journal_appended(const struct journal *journal) {
    return fake_const(journal)->log->count;
}

uint64_t fake_journal_trimmed(const struct journal *journal) {
    return fake_const(journal)->trimmed;
}

enum journal_purpose fake_journal_purpose(const struct journal *journal) {
    return fake_const(journal)->purpose;
}
