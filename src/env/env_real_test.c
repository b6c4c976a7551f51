/* SPDX-License-Identifier: Apache-2.0 */
/* Real files in a folder of their own, the real loop, the real pool. */
#include "env/env.h"
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000

struct place {
    struct env *env;
    struct env_file *folder;
    char path[64];
};

static struct place place_open(void) {
    struct place place = {.path = "/tmp/takt-env-test-XXXXXX"};
    CHECK(mkdtemp(place.path) != NULL);
    CHECK(env_open_real(&place.env) == 0);
    CHECK(place.env->ops->open_directory(place.env, place.path, false, &place.folder) == 0);
    return place;
}

static bool unlink_each(void *context, const char *name) {
    struct place *place = context;
    CHECK(place->env->ops->unlink(place->env, place->folder, name) == 0);
    return true;
}

static void place_close(struct place *place) {
    struct env *env = place->env;
    CHECK(env->ops->list(env, place->folder, unlink_each, place) == 0);
    env->ops->close(env, place->folder);
    CHECK(rmdir(place->path) == 0);
    env_close_real(env);
}

static struct env_file *file_open(struct place *place, const char *name) {
    struct env_file *file = NULL;
    CHECK(place->env->ops->open(place->env, place->folder, name, true, &file) == 0);
    return file;
}

/* What callbacks did, in order, one letter each. */
struct trace {
    struct env *env;
    char letters[32];
    size_t count;
    int64_t result;
    int64_t result_sum;
    struct env_timer *timer;
    int signal;
};

static void note(struct trace *trace, char letter) {
    CHECK(trace->count + 1 < sizeof trace->letters);
    trace->letters[trace->count++] = letter;
}

static void on_io(void *context, int64_t result) {
    struct trace *trace = context;
    note(trace, 'i');
    trace->result = result;
    trace->result_sum += result;
}

/* The wall clock is the C library's, the other one never goes back, and random bytes differ. */
TEST(env_clocks_and_random) {
    struct env *env;
    EXPECT(env_open_real(&env) == 0);
    EXPECT(env->ops->now_wall(env).ms / 1000 - (int64_t)time(NULL) <= 1);
    EXPECT((int64_t)time(NULL) - env->ops->now_wall(env).ms / 1000 <= 1);
    int64_t before = env->ops->now_mono(env).ns;
    EXPECT(env->ops->now_mono(env).ns >= before);
    char a[32] = {0};
    char b[32] = {0};
    env->ops->random(env, a, sizeof a);
    env->ops->random(env, b, sizeof b);
    EXPECT(memcmp(a, b, sizeof a) != 0);
    env_close_real(env);
}

/* What is written is read again, short at the end of the file; a missing file is -ENOENT. */
TEST(env_file_write_read) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = NULL;
    EXPECT(env->ops->open(env, place.folder, "a", false, &file) == -ENOENT);
    file = file_open(&place, "a");
    EXPECT(env->ops->write(env, file, 3, "hello", 5) == 0);
    EXPECT(env->ops->sync(env, file) == 0);
    EXPECT(env->ops->sync_directory(env, place.folder) == 0);
    char bytes[16];
    EXPECT(env->ops->read(env, file, 0, bytes, sizeof bytes) == 8);
    EXPECT(memcmp(bytes, "\0\0\0hello", 8) == 0);
    EXPECT(env->ops->read(env, file, 8, bytes, sizeof bytes) == 0);
    EXPECT(env->ops->read(env, file, UINT64_MAX, bytes, sizeof bytes) == -EINVAL);

    uint64_t size = 0;
    EXPECT(env->ops->size(env, file, &size) == 0 && size == 8);
    EXPECT(env->ops->truncate(env, file, 5) == 0);
    EXPECT(env->ops->size(env, file, &size) == 0 && size == 5);
    uint64_t free_bytes = 0;
    EXPECT(env->ops->free_bytes(env, place.folder, &free_bytes) == 0 && free_bytes > 0);

    EXPECT(env->ops->rename(env, place.folder, "a", "b") == 0);
    EXPECT(env->ops->unlink(env, place.folder, "a") == -ENOENT);
    env->ops->close(env, file);
    EXPECT(env->ops->open(env, place.folder, "b", false, &file) == 0);
    env->ops->close(env, file);
    env->ops->close(env, NULL);
    place_close(&place);
}

/* A folder is made with all that leads to it; without `create` it is -ENOENT; a file in the way is
 * -ENOTDIR. */
TEST(env_open_directory_creates_parents) {
    struct place place = place_open();
    struct env *env = place.env;
    char path[128];
    snprintf(path, sizeof path, "%s/one//two/", place.path);
    struct env_file *folder = NULL;
    EXPECT(env->ops->open_directory(env, path, false, &folder) == -ENOENT);
    EXPECT(env->ops->open_directory(env, path, true, &folder) == 0);
    env->ops->close(env, folder);
    EXPECT(env->ops->open_directory(env, path, true, &folder) == 0);
    env->ops->close(env, folder);
    EXPECT(rmdir(path) == 0);
    snprintf(path, sizeof path, "%s/one", place.path);
    EXPECT(rmdir(path) == 0);

    env->ops->close(env, file_open(&place, "f"));
    snprintf(path, sizeof path, "%s/f/two", place.path);
    EXPECT(env->ops->open_directory(env, path, true, &folder) == -ENOTDIR);
    place_close(&place);
}

static bool count_names(void *context, const char *name) {
    int *count = context;
    EXPECT(strlen(name) == 1);
    (*count)++;
    return *count != 2;
}

/* A list stops when it is told to, and starts from the front the next time. */
TEST(env_list_stops) {
    struct place place = place_open();
    for (const char *name = "abc"; *name != '\0'; name++) {
        char text[2] = {*name, '\0'};
        place.env->ops->close(place.env, file_open(&place, text));
    }
    int count = 0;
    EXPECT(place.env->ops->list(place.env, place.folder, count_names, &count) == 0 && count == 2);
    EXPECT(place.env->ops->list(place.env, place.folder, count_names, &count) == 0 && count == 5);
    place_close(&place);
}

/* A lock keeps out a second open of this process and another process, and ends with its file. */
TEST(env_lock_excludes) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *first = file_open(&place, "lock");
    struct env_file *second = file_open(&place, "lock");
    EXPECT(env->ops->lock(env, first) == 0);
    EXPECT(env->ops->lock(env, second) == -EWOULDBLOCK);

    pid_t child = fork();
    if (child == 0) {
        struct env_file *third = file_open(&place, "lock");
        _exit(env->ops->lock(env, third) == -EWOULDBLOCK ? 42 : 1);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);

    env->ops->close(env, first);
    EXPECT(env->ops->lock(env, second) == 0);
    env->ops->close(env, second);
    place_close(&place);
}

/* A child of the one that was killed holds its open files until it execs: the lock is waited for. */
TEST(env_lock_waits_for_a_dying_child) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *first = file_open(&place, "lock");
    struct env_file *second = file_open(&place, "lock");
    EXPECT(env->ops->lock(env, first) == 0);
    pid_t child = fork();
    if (child == 0) {
        (void)poll(NULL, 0, 100);
        _exit(0);
    }
    env->ops->close(env, first);
    EXPECT(env->ops->lock(env, second) == 0);
    EXPECT(waitpid(child, NULL, 0) == child);
    env->ops->close(env, second);
    place_close(&place);
}

/* More pieces than one system call takes, empty ones among them, arrive in order and synced; the
 * callback does not run inside the call. */
TEST(env_write_and_sync_many_pieces) {
    enum { PIECES = 3000 };
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = file_open(&place, "a");
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";
    struct env_bytes *pieces = env_alloc(env, PIECES * sizeof pieces[0]);
    char *expected = env_alloc(env, PIECES * 3);
    size_t expected_count = 0;
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = (struct env_bytes){alphabet + i % 20, i % 4};
        memcpy(expected + expected_count, alphabet + i % 20, i % 4);
        expected_count += i % 4;
    }
    struct trace trace = {.result = -1};
    env->ops->write_and_sync(env, file, 7, pieces, PIECES, true, on_io, &trace);
    EXPECT(trace.count == 0);
    env_run_real(env);
    EXPECT(trace.count == 1 && trace.result == 0);

    char *bytes = env_alloc(env, PIECES * 3);
    EXPECT(env->ops->read(env, file, 7, bytes, PIECES * 3) == (int64_t)expected_count);
    EXPECT(memcmp(bytes, expected, expected_count) == 0);
    env_free(env, pieces);
    env_free(env, expected);
    env_free(env, bytes);
    env->ops->close(env, file);
    place_close(&place);
}

/* A failing write is reported: this descriptor is a folder's. */
TEST(env_write_and_sync_reports_failure) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_bytes piece = {"x", 1};
    struct trace trace = {.result = 0};
    env->ops->write_and_sync(env, place.folder, 0, &piece, 1, true, on_io, &trace);
    env_run_real(env);
    EXPECT(trace.count == 1 && trace.result == -EBADF);
    place_close(&place);
}

/* More reads than the pool takes at once all arrive, short at the end of the file. */
TEST(env_read_async_all_arrive) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = file_open(&place, "a");
    EXPECT(env->ops->write(env, file, 0, "0123456789", 10) == 0);
    char bytes[20][4];
    struct trace trace = {.result = -1};
    for (size_t i = 0; i < 20; i++) {
        env->ops->read_async(env, file, 8, bytes[i], 4, on_io, &trace);
    }
    env_run_real(env);
    EXPECT(trace.count == 20 && trace.result_sum == 40);
    for (size_t i = 0; i < 20; i++) EXPECT(memcmp(bytes[i], "89", 2) == 0);
    env->ops->close(env, file);
    place_close(&place);
}

/* What was just written is cached (or the file system cannot tell: -EAGAIN); the end of the file is
 * a short read, not a wait. */
TEST(env_read_cached) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = file_open(&place, "a");
    EXPECT(env->ops->write(env, file, 0, "0123456789", 10) == 0);
    char bytes[16];
    int64_t whole = env->ops->read_cached(env, file, 2, bytes, 4);
    EXPECT(whole == -EAGAIN || (whole == 4 && memcmp(bytes, "2345", 4) == 0));
    if (whole == 4) {
        EXPECT(env->ops->read_cached(env, file, 8, bytes, 16) == 2);
        EXPECT(env->ops->read_cached(env, file, 10, bytes, 16) == 0);
        EXPECT(env->ops->read_cached(env, file, 99, bytes, 16) == 0);
    }
    env->ops->close(env, file);
    place_close(&place);
}

/* A fill covers exactly its range, over several steps. */
TEST(env_fill_zeros_exactly) {
    const uint64_t count = 5 * 1024 * 1024 + 77;
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = file_open(&place, "a");
    EXPECT(env->ops->write(env, file, 0, "AAAA", 4) == 0);
    EXPECT(env->ops->write(env, file, count, "BBBBBB", 6) == 0);
    struct trace trace = {.result = -1};
    env->ops->fill(env, file, 3, count, on_io, &trace);
    env_run_real(env);
    EXPECT(trace.count == 1 && trace.result == 0);
    char *bytes = env_alloc(env, count + 16);
    EXPECT(env->ops->read(env, file, 0, bytes, count + 16) == (int64_t)count + 6);
    EXPECT(memcmp(bytes, "AAA\0", 4) == 0);
    EXPECT(memcmp(bytes + count + 2, "\0BBB", 4) == 0);
    size_t others = 0;
    for (size_t i = 3; i < count + 3; i++) others += bytes[i] != 0;
    EXPECT(others == 0);
    env_free(env, bytes);
    env->ops->close(env, file);
    place_close(&place);
}

static void note_d(void *context) {
    note(context, 'd');
}

static void note_and_defer(void *context) {
    struct trace *trace = context;
    note(trace, 'D');
    CHECK(trace->env->ops->defer(trace->env, note_d, trace) == 0);
}

static void fire_t(void *context) {
    note(context, 't');
}

/* Deferred calls run in order; one made inside of them runs in a later turn; the loop ends by
 * itself when nothing is left. */
TEST(env_defer_order) {
    struct env *env;
    EXPECT(env_open_real(&env) == 0);
    struct trace trace = {.env = env};
    EXPECT(env->ops->defer(env, note_and_defer, &trace) == 0);
    EXPECT(env->ops->defer(env, note_d, &trace) == 0);
    EXPECT(env->ops->defer(env, note_and_defer, &trace) == 0);
    EXPECT(trace.count == 0);
    env_run_real(env);
    EXPECT(strcmp(trace.letters, "DdDdd") == 0);
    env_close_real(env);
}

/* Many deferred calls (the array grows, also while it runs) are each made once. */
TEST(env_defer_many) {
    struct env *env;
    EXPECT(env_open_real(&env) == 0);
    struct trace traces[500] = {0};
    for (size_t i = 0; i < 500; i++) {
        traces[i].env = env;
        EXPECT(env->ops->defer(env, note_and_defer, &traces[i]) == 0);
    }
    env_run_real(env);
    size_t wrong = 0;
    for (size_t i = 0; i < 500; i++) wrong += strcmp(traces[i].letters, "Dd") != 0;
    EXPECT(wrong == 0);
    env_close_real(env);
}

/* A timer is never early, fires once, and not after it was stopped. */
TEST(env_timer_not_early) {
    struct env *env;
    EXPECT(env_open_real(&env) == 0);
    struct trace trace = {.env = env};
    struct env_timer *timer;
    struct env_timer *stopped;
    EXPECT(env->ops->timer_open(env, fire_t, &trace, &timer) == 0);
    EXPECT(env->ops->timer_open(env, note_d, &trace, &stopped) == 0);
    struct mono_time when = {env->ops->now_mono(env).ns + 7 * MS + 1};
    env->ops->timer_set(env, timer, (struct mono_time){when.ns + 1000 * (int64_t)MS});
    env->ops->timer_set(env, timer, when);
    env->ops->timer_set(env, stopped, when);
    env->ops->timer_stop(env, stopped);
    env_run_real(env);
    EXPECT(env->ops->now_mono(env).ns >= when.ns);
    EXPECT(strcmp(trace.letters, "t") == 0);
    env->ops->timer_close(env, timer);
    env->ops->timer_close(env, stopped);
    env->ops->timer_close(env, NULL);
    env_close_real(env);
}

static void fire_again(void *context) {
    struct trace *trace = context;
    note(trace, 't');
    if (trace->count > 20) return;
    trace->env->ops->timer_set(trace->env, trace->timer, (struct mono_time){0});
}

/* A timer that always asks for "now" does not keep I/O out. */
TEST(env_timer_in_the_past_lets_io_through) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = file_open(&place, "a");
    struct trace trace = {.env = env};
    EXPECT(env->ops->timer_open(env, fire_again, &trace, &trace.timer) == 0);
    env->ops->timer_set(env, trace.timer, (struct mono_time){0});
    char bytes[4];
    env->ops->read_async(env, file, 0, bytes, 4, on_io, &trace);
    env_run_real(env);
    EXPECT(strchr(trace.letters, 'i') != NULL);
    EXPECT(trace.letters[trace.count - 1] == 't');
    env->ops->timer_close(env, trace.timer);
    env->ops->close(env, file);
    place_close(&place);
}

static void on_signal(void *context, int number) {
    struct trace *trace = context;
    trace->signal = number;
    env_stop_real(trace->env);
}

struct spinning {
    struct env *env;
    int64_t took_ns;
};

static void spin(void *context) {
    struct spinning *spinning = context;
    struct mono_time began = spinning->env->ops->now_mono(spinning->env);
    while (spinning->took_ns < 8 * MS) {
        spinning->took_ns = spinning->env->ops->now_mono(spinning->env).ns - began.ns;
    }
}

/* A turn that works for 8 ms is told as long; the wait of 200 ms before it is not. */
TEST(env_turns_are_measured_without_the_wait) {
    struct spinning spinning = {.took_ns = 0};
    struct env_timer *timer;
    struct env_turns turns;
    EXPECT(env_open_real(&spinning.env) == 0);
    struct env *env = spinning.env;
    EXPECT(env->ops->timer_open(env, spin, &spinning, &timer) == 0);
    int64_t wait_ns = 200 * (int64_t)MS;
    env->ops->timer_set(env, timer, (struct mono_time){env->ops->now_mono(env).ns + wait_ns});
    env_run_real(env);
    EXPECT(env_get_turns(env, &turns));
    EXPECT(turns.count > 0 && turns.above_5_ms_count > 0);
    EXPECT(turns.longest_ns >= spinning.took_ns);
    EXPECT(turns.longest_ns < spinning.took_ns + wait_ns);
    EXPECT(turns.recent_longest_ns == turns.longest_ns);
    EXPECT(turns.cpu_longest_ns > 0 && turns.cpu_longest_ns <= turns.longest_ns + MS);
    env->ops->timer_close(env, timer);
    env_close_real(env);
}

/* A signal reaches its callback, which can stop the loop although a timer is still set; SIGPIPE
 * and SIGXFSZ do nothing. */
TEST(env_signal_stops_the_loop) {
    struct env *env;
    EXPECT(env_open_real(&env) == 0);
    struct trace trace = {.env = env};
    EXPECT(env_on_signal_real(env, on_signal, &trace) == 0);
    EXPECT(env->ops->timer_open(env, fire_t, &trace, &trace.timer) == 0);
    struct mono_time far = {env->ops->now_mono(env).ns + 60000 * (int64_t)MS};
    env->ops->timer_set(env, trace.timer, far);
    EXPECT(kill(getpid(), SIGPIPE) == 0);
    EXPECT(kill(getpid(), SIGXFSZ) == 0);
    EXPECT(kill(getpid(), SIGHUP) == 0);
    env_run_real(env);
    EXPECT(trace.signal == SIGHUP && trace.count == 0);
    env->ops->timer_close(env, trace.timer);
    env_close_real(env);
}

static void *no_memory(void *context, void *memory, size_t bytes_count) {
    (void)context;
    if (bytes_count == 0) free(memory);
    return NULL;
}

/* Without memory, asynchronous calls are still done, and the others say so. */
TEST(env_async_works_without_memory) {
    struct place place = place_open();
    struct env *env = place.env;
    struct env_file *file = file_open(&place, "a");
    struct allocator before = env->allocator;
    env->allocator.resize = no_memory;

    struct trace trace = {.env = env, .result = -1};
    struct env_bytes piece = {"hello", 5};
    env->ops->write_and_sync(env, file, 0, &piece, 1, false, on_io, &trace);
    env_run_real(env);
    EXPECT(trace.count == 1 && trace.result == 0);
    char bytes[8];
    env->ops->read_async(env, file, 0, bytes, 8, on_io, &trace);
    env_run_real(env);
    EXPECT(trace.count == 2 && trace.result == 5);

    struct env_file *other;
    EXPECT(env->ops->open(env, place.folder, "a", false, &other) == -ENOMEM);
    EXPECT(env->ops->defer(env, note_d, &trace) == -ENOMEM);
    EXPECT(env->ops->timer_open(env, fire_t, &trace, &trace.timer) == -ENOMEM);
    env->allocator = before;
    env->ops->close(env, file);
    place_close(&place);
}

/* The limit goes up as far as it may, never down, and the answer is what is really there. */
TEST(files_max_is_raised) {
    struct rlimit before;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT(before.rlim_max >= 200);
    struct rlimit low = {.rlim_cur = 100, .rlim_max = before.rlim_max};
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    EXPECT_INT(env_raise_files_max(90), 90);
    struct rlimit now;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &now), 0);
    EXPECT_INT(now.rlim_cur, 100);
    EXPECT_INT(env_raise_files_max(200), 200);
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &now), 0);
    EXPECT_INT(now.rlim_cur, 200);
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
}
