/* SPDX-License-Identifier: Apache-2.0 */
/* journal_kit.h -- for the tests of the file house: a real folder, the real loop, a journal whose
 * records are numbered texts, and what it said.
 */
#ifndef TAKT_TEST_JOURNAL_KIT_H
#define TAKT_TEST_JOURNAL_KIT_H

#include "base/hash.h"
#include "journal/file/file_house.h"

#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIT_SEGMENT_BYTES (4u * 1024 * 1024)
#define KIT_RECORDS_MAX 40000u

struct kit {
    struct env *env;
    bool owns_env;
    char path[64];
    struct journal *journal;
    struct journal_file_options options;
    struct log log;
    char said[4096]; /* the newest lines */
    uint64_t durable;
    uint64_t durable_calls;
    int durable_result;
    bool durable_out_of_order;
    /* What replay gave. */
    uint64_t replayed_first;
    uint64_t replayed_last;
    uint64_t replayed_count;
    bool replayed_wrong;
    struct body_ref refs[KIT_RECORDS_MAX]; /* of record LSN % KIT_RECORDS_MAX: its one body */
    int body_result;
    uint64_t body_calls;
};

static inline void kit_log(void *context, enum log_level level, struct slice text) {
    struct kit *kit = context;
    (void)level;
    size_t used = strlen(kit->said);
    if (used + text.count + 2 > sizeof kit->said) used = 0;
    snprintf(kit->said + used, sizeof kit->said - used, "%.*s\n", SLICE_ARGS(text));
}

static inline void kit_durable(void *context, uint64_t lsn, int result) {
    struct kit *kit = context;
    kit->durable_calls++;
    if (lsn < kit->durable || kit->durable_result < 0) kit->durable_out_of_order = true;
    kit->durable = lsn;
    kit->durable_result = result;
}

static inline void kit_text(uint64_t lsn, char text[32]) {
    snprintf(text, 32, "record %" PRIu64, lsn);
}

/* A body's bytes follow from its LSN and size. */
static inline void kit_body(uint64_t lsn, char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = (char)(unsigned char)(lsn * 31 + i * 7 + i / 251);
}

static inline int kit_record(void *context, const struct journal_record *record) {
    struct kit *kit = context;
    char text[32];
    kit_text(record->lsn, text);
    if (!slice_equal_string(record->bytes, text)) kit->replayed_wrong = true;
    if (kit->replayed_count == 0) kit->replayed_first = record->lsn;
    if (kit->replayed_count > 0 && record->lsn != kit->replayed_last + 1) {
        kit->replayed_wrong = true;
    }
    kit->replayed_last = record->lsn;
    kit->replayed_count++;
    if (record->bodies_count == 1) {
        kit->refs[record->lsn % KIT_RECORDS_MAX] = record->bodies[0];
    }
    return 0;
}

static inline struct kit *kit_make(void) {
    struct kit *kit = calloc(1, sizeof *kit);
    EXPECT(kit != NULL);
    EXPECT_INT(env_open_real(&kit->env), 0);
    kit->owns_env = true;
    snprintf(kit->path, sizeof kit->path, "/tmp/takt-journal-XXXXXX");
    EXPECT(mkdtemp(kit->path) != NULL);
    kit->log = (struct log){.write = kit_log, .context = kit, .level_min = LOG_DEBUG};
    kit->options = (struct journal_file_options){
        .env = kit->env, .log = &kit->log, .path = kit->path, .segment_bytes = KIT_SEGMENT_BYTES};
    return kit;
}

/* Run the loop until nothing is under way. */
static inline void kit_settle(struct kit *kit) {
    env_run_real(kit->env);
}

static inline int kit_replay(struct kit *kit) {
    kit->replayed_count = kit->replayed_first = kit->replayed_last = 0;
    kit->replayed_wrong = false;
    int rc = journal_file_open(&kit->options, &kit->journal);
    if (rc < 0) {
        kit->journal = NULL;
        return rc;
    }
    return journal_replay(kit->journal, kit_record, kit);
}

static inline int kit_open(struct kit *kit) {
    int rc = kit_replay(kit);
    if (rc < 0) return rc;
    kit->durable = kit->replayed_last;
    kit->durable_result = 0;
    return journal_start(kit->journal, kit_durable, kit);
}

static inline void kit_close(struct kit *kit) {
    journal_close(kit->journal);
    kit->journal = NULL;
    kit_settle(kit);
}

static inline void kit_remove_folder(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    rmdir(path);
}

static inline void kit_end(struct kit *kit) {
    if (kit->journal != NULL) kit_close(kit);
    kit_remove_folder(kit->path);
    if (kit->owns_env) env_close_real(kit->env);
    free(kit);
}

/* One record with one body of body_bytes (none if 0). Returns what reserve said, or 0. */
static inline int kit_append_for(struct kit *kit, enum journal_purpose purpose, size_t body_bytes) {
    struct journal_status status;
    journal_get_status(kit->journal, &status);
    uint64_t lsn = status.lsn_appended + 1;
    char text[32];
    kit_text(lsn, text);
    int rc = journal_reserve(kit->journal, purpose, strlen(text) + body_bytes);
    if (rc < 0) return rc;
    char *bytes = body_bytes == 0 ? NULL : malloc(body_bytes);
    if (bytes != NULL) kit_body(lsn, bytes, body_bytes);
    struct slice body = slice_from(bytes, body_bytes);
    struct body_ref *ref = &kit->refs[lsn % KIT_RECORDS_MAX];
    EXPECT_INT(journal_append(kit->journal, slice_from_string(text), &body, body_bytes > 0, ref),
               lsn);
    free(bytes);
    return 0;
}

static inline void kit_append(struct kit *kit, size_t body_bytes) {
    EXPECT_INT(kit_append_for(kit, JOURNAL_FOR_INTAKE, body_bytes), 0);
}

/* Append and wait until it is durable. */
static inline void kit_commit(struct kit *kit, size_t body_bytes) {
    kit_append(kit, body_bytes);
    kit_settle(kit);
}

struct kit_wanted {
    struct kit *kit;
    uint64_t lsn;
    size_t count;
};

static inline void kit_body_done(void *context, int result, struct slice bytes) {
    struct kit_wanted *wanted = context;
    wanted->kit->body_calls++;
    wanted->kit->body_result = result;
    if (result < 0) return;
    char *right = malloc(wanted->count + 1);
    kit_body(wanted->lsn, right, wanted->count);
    if (!slice_equal(bytes, slice_from(right, wanted->count))) wanted->kit->body_result = -EILSEQ;
    free(right);
}

/* Reads the body of a record, waits, and returns the result; -EILSEQ if the bytes are others. */
static inline int kit_read(struct kit *kit, uint64_t lsn) {
    struct body_ref ref = kit->refs[lsn % KIT_RECORDS_MAX];
    struct kit_wanted wanted = {.kit = kit, .lsn = lsn, .count = ref.count};
    uint64_t calls = kit->body_calls;
    bool inside = journal_read_body(kit->journal, ref, kit_body_done, &wanted);
    EXPECT_INT(kit->body_calls, calls + (inside ? 1 : 0));
    if (!inside) kit_settle(kit);
    EXPECT_INT(kit->body_calls, calls + 1);
    return kit->body_result;
}

static inline void kit_file(const struct kit *kit, const char *name, char path[160]) {
    snprintf(path, 160, "%s/%s", kit->path, name);
}

static inline void kit_segment_file(const struct kit *kit, uint64_t number, char path[160]) {
    char name[FILE_NAME_BYTES];
    file_name_write(number, name);
    kit_file(kit, name, path);
}

static inline bool kit_has_segment(const struct kit *kit, uint64_t number) {
    char path[160];
    kit_segment_file(kit, number, path);
    return access(path, F_OK) == 0;
}

static inline void kit_summary_file(const struct kit *kit, uint64_t number, char path[160]) {
    char name[FILE_NAME_BYTES];
    file_summary_name_write(number, name);
    kit_file(kit, name, path);
}

/* Its bytes; 0: there is none. */
static inline uint64_t kit_summary_bytes(const struct kit *kit, uint64_t number) {
    char path[160];
    kit_summary_file(kit, number, path);
    struct stat about;
    return stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
}

static inline void kit_remove_summary(const struct kit *kit, uint64_t number) {
    char path[160];
    kit_summary_file(kit, number, path);
    EXPECT_INT(unlink(path), 0);
}

/* Changes bytes of a segment file behind the journal's back. */
static inline void kit_poke(const struct kit *kit, uint64_t number, uint64_t offset,
                            const void *bytes, size_t count) {
    char path[160];
    kit_segment_file(kit, number, path);
    int fd = open(path, O_WRONLY);
    EXPECT(fd >= 0);
    EXPECT_INT(pwrite(fd, bytes, count, (off_t)offset), count);
    close(fd);
}

static inline void kit_peek(const struct kit *kit, uint64_t number, uint64_t offset, void *bytes,
                            size_t count) {
    char path[160];
    kit_segment_file(kit, number, path);
    int fd = open(path, O_RDONLY);
    EXPECT(fd >= 0);
    EXPECT_INT(pread(fd, bytes, count, (off_t)offset), count);
    close(fd);
}

static inline void kit_flip(const struct kit *kit, uint64_t number, uint64_t offset) {
    unsigned char byte;
    kit_peek(kit, number, offset, &byte, 1);
    byte ^= 0x10;
    kit_poke(kit, number, offset, &byte, 1);
}

static inline void kit_copy_file(const char *from, const char *to, uint64_t bytes_max) {
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT(in >= 0 && out >= 0);
    char *bytes = malloc(bytes_max);
    ssize_t count = pread(in, bytes, bytes_max, 0);
    EXPECT(count >= 0);
    EXPECT_INT(pwrite(out, bytes, (size_t)count, 0), count);
    EXPECT_INT(ftruncate(out, lseek(in, 0, SEEK_END)), 0); /* the rest is zeros, as it mostly was */
    free(bytes);
    close(in);
    close(out);
}

/* What a crash now would leave: a copy of the folder, of each segment the first bytes_max. Its journal
 * is not open. */
static inline struct kit *kit_crash(const struct kit *from, uint64_t bytes_max) {
    struct kit *kit = kit_make();
    DIR *folder = opendir(from->path);
    EXPECT(folder != NULL);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        char source[400];
        char target[400];
        snprintf(source, sizeof source, "%s/%s", from->path, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", kit->path, entry->d_name);
        kit_copy_file(source, target, bytes_max);
    }
    closedir(folder);
    memcpy(kit->refs, from->refs, sizeof kit->refs);
    return kit;
}

static inline struct file_journal *kit_inside(struct kit *kit) {
    return file_journal_from(kit->journal);
}

#endif
