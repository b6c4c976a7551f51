/* SPDX-License-Identifier: Apache-2.0 */
/* journal_bench.c -- what the journal makes of a disk, beside a plain loop of pwrite and fdatasync.
 *
 *   journal_bench [FOLDER]        on the disk of FOLDER (the current folder); about half a minute
 *
 * `clients` append one record with one body each and wait until it is durable, then append the next.
 * The plain loop writes what one of them writes, over a file that was written before. Figures from
 * one run only compare with each other.
 */
#include "journal/file/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES 200u
#define RECORD_BYTES 64u
#define SECONDS 2
#define WARM_UP_BYTES (16u * 1024 * 1024) /* beyond the first segment */
#define PLAIN_BYTES (16u * 1024 * 1024)

struct bench {
    struct env *env;
    struct journal *journal;
    uint32_t clients;
    size_t body_bytes;
    uint64_t records; /* durable */
    uint64_t waiting; /* appended, not durable */
    uint64_t appended_bytes;
    double until;
    char body[64 * 1024];
};

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void append_one(struct bench *bench) {
    char record[RECORD_BYTES] = {1};
    struct slice body = slice_from(bench->body, bench->body_bytes);
    struct body_ref ref;
    if (journal_reserve(bench->journal, JOURNAL_FOR_INTAKE, sizeof record + body.count) < 0) return;
    (void)journal_append(bench->journal, slice_from(record, sizeof record), &body, 1, &ref);
    bench->waiting++;
    bench->appended_bytes += sizeof record + body.count;
}

static void on_durable(void *context, uint64_t lsn, int result) {
    struct bench *bench = context;
    (void)lsn;
    if (result < 0) {
        fprintf(stderr, "journal_bench: %s\n", strerror(-result));
        env_stop_real(bench->env);
        return;
    }
    struct journal_status status;
    journal_get_status(bench->journal, &status);
    uint64_t waiting = status.lsn_appended - status.lsn_durable;
    uint64_t ended = bench->waiting - waiting;
    bench->records += ended;
    bench->waiting = waiting;
    if (now_seconds() >= bench->until) {
        if (waiting == 0) env_stop_real(bench->env);
        return;
    }
    for (uint64_t i = 0; i < ended; i++) append_one(bench);
    /* Nothing lives longer than a few segments. */
    if (bench->appended_bytes > WARM_UP_BYTES) {
        bench->appended_bytes = 0;
        journal_trim(bench->journal, lsn > 50000 ? lsn - 50000 : 1);
    }
}

static int replay_nothing(void *context, const struct journal_record *record) {
    (void)context;
    (void)record;
    return 0;
}

static void run_clients(struct bench *bench, uint32_t clients, size_t body_bytes, double seconds) {
    bench->clients = clients;
    bench->body_bytes = body_bytes;
    bench->records = bench->waiting = 0;
    bench->until = now_seconds() + seconds;
    for (uint32_t i = 0; i < clients; i++) append_one(bench);
    env_run_real(bench->env);
}

static double plain_loop(const char *folder, size_t bytes_count) {
    char path[512];
    snprintf(path, sizeof path, "%s/plain", folder);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0) return 0;
    char bytes[70 * 1024] = {2};
    for (size_t at = 0; at < PLAIN_BYTES; at += sizeof bytes) {
        if (pwrite(fd, bytes, sizeof bytes, (off_t)at) < 0) return 0;
    }
    fsync(fd);
    double begin = now_seconds();
    uint64_t count = 0;
    size_t at = 0;
    while (now_seconds() < begin + SECONDS) {
        if (pwrite(fd, bytes, bytes_count, (off_t)at) < 0 || fdatasync(fd) < 0) return 0;
        at = (at + bytes_count) % (PLAIN_BYTES - sizeof bytes);
        count++;
    }
    double rate = (double)count / (now_seconds() - begin);
    close(fd);
    unlink(path);
    return rate;
}

static void measure(struct bench *bench, const char *folder, uint32_t clients, size_t body_bytes) {
    struct journal_status before;
    struct journal_status after;
    double plain = plain_loop(folder, RECORD_BYTES + body_bytes + 100);
    run_clients(bench, clients, body_bytes, 0.2);
    journal_get_status(bench->journal, &before);
    double begin = now_seconds();
    run_clients(bench, clients, body_bytes, SECONDS);
    double seconds = now_seconds() - begin;
    journal_get_status(bench->journal, &after);
    double commits = (double)(after.commits_count - before.commits_count) / seconds;
    double records = (double)bench->records / seconds;
    printf("%7u %8zu %12.0f %12.0f %14.0f %9.2f %9.1f\n", clients, body_bytes, plain, commits,
           records, commits / plain, records / plain);
}

static void remove_folder(const char *path) {
    DIR *folder = opendir(path);
    if (folder == NULL) return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        (void)unlinkat(dirfd(folder), entry->d_name, 0); /* refused for the dots */
    }
    closedir(folder);
    rmdir(path);
}

static int run(struct bench *bench, const char *folder) {
    char path[512];
    snprintf(path, sizeof path, "%s/journal-bench-XXXXXX", folder);
    if (mkdtemp(path) == NULL) return -errno;
    struct journal_file_options options = {.env = bench->env, .path = path};
    int rc = journal_file_open(&options, &bench->journal);
    if (rc == 0) rc = journal_replay(bench->journal, replay_nothing, NULL);
    if (rc == 0) rc = journal_start(bench->journal, on_durable, bench);
    if (rc < 0) return rc;
    run_clients(bench, 256, 16 * 1024, 0.5); /* past the short first segment */
    printf(
        "clients     body  plain syncs/s     commits/s  records/s  commits:plain  records:plain\n");
    static const uint32_t clients[] = {1, 8, 64, 256, 1024};
    for (size_t i = 0; i < ARRAY_COUNT(clients); i++) measure(bench, path, clients[i], BODY_BYTES);
    measure(bench, path, 64, 64 * 1024);
    journal_close(bench->journal);
    env_run_real(bench->env);
    remove_folder(path);
    return 0;
}

int main(int argc, char **argv) {
    static struct bench bench;
    int rc = env_open_real(&bench.env);
    if (rc == 0) rc = run(&bench, argc > 1 ? argv[1] : ".");
    if (rc < 0) {
        fprintf(stderr, "journal_bench: %s\n", strerror(-rc));
        return 1;
    }
    env_close_real(bench.env);
    return 0;
}
