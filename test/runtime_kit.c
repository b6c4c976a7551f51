/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime_kit.h"

#include "broker/message_body.h"
#include "journal/file/journal_file.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS_NS ((int64_t)1000000)
#define UNTIL_MS_MAX 30000
#define TICK_MS 2

static void take_log(void *context, enum log_level level, struct slice text) {
    struct runtime_kit *kit = context;
    (void)level;
    buffer_append(&kit->logged, text);
    buffer_append_byte(&kit->logged, '\n');
    if (getenv("TAKT_TEST_LOG") != NULL) fprintf(stderr, "%.*s\n", SLICE_ARGS(text));
}

struct runtime_kit *runtime_kit_open(void) {
    struct runtime_kit *kit = calloc(1, sizeof *kit);
    CHECK(kit != NULL);
    kit->text = calloc(1, RUNTIME_KIT_TEXT_BYTES);
    CHECK(kit->text != NULL);
    EXPECT_INT(env_open_real(&kit->env), 0);
    (void)snprintf(kit->folder, sizeof kit->folder, "/tmp/takt-runtime-test-XXXXXX");
    EXPECT(mkdtemp(kit->folder) != NULL);
    (void)snprintf(kit->scratch, sizeof kit->scratch, "%s/scratch", kit->folder);
    buffer_open(&kit->logged, &kit->env->allocator, 64u * 1024 * 1024);
    kit->log = (struct log){take_log, kit, LOG_DEBUG};
    return kit;
}

static void path_of(const struct runtime_kit *kit, const char *name, char path[160]) {
    (void)snprintf(path, 160, "%s/%s", kit->folder, name);
}

void runtime_kit_script(struct runtime_kit *kit, const char *name, const char *text) {
    char path[160];
    path_of(kit, name, path);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0700);
    EXPECT(fd >= 0);
    EXPECT_INT(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

void runtime_kit_chmod(struct runtime_kit *kit, const char *name, unsigned mode) {
    char path[160];
    path_of(kit, name, path);
    EXPECT_INT(chmod(path, mode), 0);
}

const char *runtime_kit_file(struct runtime_kit *kit, const char *name) {
    char path[160];
    path_of(kit, name, path);
    kit->text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return kit->text;
    ssize_t count = read(fd, kit->text, RUNTIME_KIT_TEXT_BYTES - 1);
    EXPECT(count >= 0);
    kit->text[count] = '\0';
    close(fd);
    return kit->text;
}

/* ---- the loop --------------------------------------------------------------------------------- */

struct waiting {
    struct runtime_kit *kit;
    runtime_kit_question *question;
    struct env_timer *timer;
    int64_t give_up_ns;
    bool is_so;
};

static void tick(void *context) {
    struct waiting *waiting = context;
    struct env *env = waiting->kit->env;
    int64_t now_ns = env->ops->now_mono(env).ns;
    waiting->is_so = waiting->question(waiting->kit);
    if (waiting->is_so || now_ns > waiting->give_up_ns) {
        env_stop_real(env);
        return;
    }
    env->ops->timer_set(env, waiting->timer, (struct mono_time){now_ns + TICK_MS * MS_NS});
}

void runtime_kit_until(struct runtime_kit *kit, runtime_kit_question *question) {
    struct env *env = kit->env;
    struct waiting waiting = {.kit = kit, .question = question};
    struct mono_time now = env->ops->now_mono(env);
    waiting.give_up_ns = now.ns + UNTIL_MS_MAX * MS_NS;
    EXPECT_INT(env->ops->timer_open(env, tick, &waiting, &waiting.timer), 0);
    env->ops->timer_set(env, waiting.timer, now);
    env_run_real(env);
    env->ops->timer_close(env, waiting.timer);
    if (!waiting.is_so) fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&kit->logged)));
    EXPECT(waiting.is_so);
}

bool runtime_kit_all_done(struct runtime_kit *kit) {
    struct broker_totals totals;
    broker_get_totals(shard_broker(kit->shard), &totals);
    return totals.jobs_running == 0;
}

/* ---- a life ----------------------------------------------------------------------------------- */

static const char *variable(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

static void read_line(struct runtime_kit *kit, const char *yaml) {
    struct definition_source source = {
        .path = "line.yaml", .folder = kit->folder, .bytes = slice_from_string(yaml)};
    struct definition_options options = {.allocator = &kit->env->allocator, .variable = variable};
    int rc = definition_read(&source, 1, &options, &kit->files);
    if (rc < 0) {
        struct buffer out;
        buffer_open(&out, &kit->env->allocator, 65536);
        definition_print_errors(&kit->files, &out);
        fprintf(stderr, "%.*s", SLICE_ARGS(buffer_slice(&out)));
    }
    EXPECT_INT(rc, 0);
}

static void be_ready(void *context, enum broker_result result, const char *words) {
    struct runtime_kit *kit = context;
    if (result != BROKER_OK) fprintf(stderr, "%s\n", words);
    EXPECT_INT(result, BROKER_OK);
    kit->is_ready = true;
}

static bool is_ready(struct runtime_kit *kit) {
    return kit->is_ready;
}

static void journal_failed(void *context, int result) {
    (void)context;
    fprintf(stderr, "the journal failed: %s\n", strerror(-result));
    EXPECT(false);
}

void runtime_kit_start(struct runtime_kit *kit, const char *yaml) {
    read_line(kit, yaml);
    char data[160];
    path_of(kit, "data", data);
    struct journal_file_options journal = {.env = kit->env,
                                           .log = &kit->log,
                                           .path = data,
                                           .segment_bytes = 4u * 1024 * 1024,
                                           .no_sync = true};
    EXPECT_INT(journal_file_open(&journal, &kit->journal), 0);
    EXPECT_INT(runtime_end_earlier_lives(kit->env, &kit->log, data, kit->mark), 0);
    struct shard_options shard = {.env = kit->env,
                                  .log = &kit->log,
                                  .journal = kit->journal,
                                  .on_failure = journal_failed,
                                  .context = kit};
    EXPECT_INT(shard_open(&shard, &kit->shard), 0);
    struct runtime_options options = {.shard = kit->shard,
                                      .files = &kit->files,
                                      .mark = kit->mark,
                                      .sqs_url = "http://127.0.0.1:1",
                                      .scratch = kit->scratch,
                                      .on_ready = be_ready,
                                      .context = kit};
    kit->is_ready = false;
    EXPECT_INT(runtime_open(&options, &kit->runtime), 0);
    runtime_kit_until(kit, is_ready);
    struct line_view view;
    EXPECT(broker_line_at(shard_broker(kit->shard), 0, &view));
    kit->line = view.ref;
    EXPECT(runtime_definition(kit->runtime, kit->line) != NULL);
}

static void be_stopped(void *context) {
    ((struct runtime_kit *)context)->is_stopped = true;
}

static bool is_stopped(struct runtime_kit *kit) {
    return kit->is_stopped;
}

void runtime_kit_stop(struct runtime_kit *kit, int64_t grace_ms) {
    kit->is_stopped = false;
    runtime_stop(kit->runtime, grace_ms, be_stopped, kit);
    runtime_kit_until(kit, is_stopped);
    runtime_close(kit->runtime);
    runtime_kit_end(kit);
}

void runtime_kit_end(struct runtime_kit *kit) {
    kit->runtime = NULL;
    broker_check(shard_broker(kit->shard));
    shard_close(kit->shard);
    kit->shard = NULL;
    env_run_real(kit->env); /* until nothing is left to do */
    definition_close(&kit->files);
}

static void remove_all(const char *folder) {
    DIR *directory = opendir(folder);
    EXPECT(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)remove(path);
    }
    closedir(directory);
    EXPECT_INT(rmdir(folder), 0);
}

void runtime_kit_close(struct runtime_kit *kit) {
    if (kit->runtime != NULL) runtime_kit_stop(kit, 0);
    env_run_real(kit->env); /* what the journal's threads still hold */
    char data[160];
    path_of(kit, "data", data);
    remove_all(data);
    remove_all(kit->scratch);
    remove_all(kit->folder);
    buffer_close(&kit->logged);
    env_close_real(kit->env);
    free(kit->text);
    free(kit);
}

/* ---- orders and what became of them ----------------------------------------------------------- */

static void be_answered(void *context, const struct broker_answer *answer) {
    struct runtime_kit *kit = context;
    kit->answer = *answer;
    kit->is_answered = true;
}

static bool is_answered(struct runtime_kit *kit) {
    return kit->is_answered;
}

static int32_t index_of(struct runtime_kit *kit, const char *station) {
    int32_t index = definition_find_station(runtime_definition(kit->runtime, kit->line),
                                            slice_from_string(station));
    EXPECT(index >= 0);
    return index;
}

struct broker_ref runtime_kit_order(struct runtime_kit *kit, const char *station,
                                    struct slice text) {
    struct buffer body;
    buffer_open(&body, &kit->env->allocator, 8u * 1024 * 1024);
    struct message_body message = {.text = text};
    message_body_encode(&body, &message);
    struct command command = {.kind = COMMAND_JOB_START};
    command.job_start.line = kit->line;
    command.job_start.station = (uint32_t)index_of(kit, station);
    command.job_start.body = buffer_slice(&body);
    kit->is_answered = false;
    shard_submit(kit->shard, &command, be_answered, kit);
    runtime_kit_until(kit, is_answered);
    buffer_close(&body);
    EXPECT_INT(kit->answer.result, BROKER_OK);
    return kit->answer.job_start.job;
}

struct job_view runtime_kit_job(struct runtime_kit *kit, struct broker_ref job) {
    struct job_view view = {0};
    EXPECT(broker_get_job(shard_broker(kit->shard), job, &view));
    return view;
}

static void take_body(void *context, int result, struct slice bytes) {
    struct runtime_kit *kit = context;
    EXPECT_INT(result, 0);
    EXPECT(bytes.count < RUNTIME_KIT_TEXT_BYTES);
    if (bytes.count > 0) memcpy(kit->text, bytes.bytes, bytes.count);
    kit->text[bytes.count] = '\0';
    kit->text_count = bytes.count;
    kit->is_answered = true;
}

const char *runtime_kit_body(struct runtime_kit *kit, struct body_ref ref) {
    EXPECT(ref.position != 0);
    kit->is_answered = false;
    shard_read_body(kit->shard, ref, take_body, kit);
    runtime_kit_until(kit, is_answered);
    return kit->text;
}

static void copy_text(char *out, size_t out_bytes, struct slice text) {
    (void)snprintf(out, out_bytes, "%.*s", SLICE_ARGS(text));
}

/* The newest body first, and in it the newest step last. */
uint32_t runtime_kit_steps(struct runtime_kit *kit, struct broker_ref job,
                           struct runtime_step steps[RUNTIME_KIT_STEPS_MAX]) {
    struct body_ref ref = runtime_kit_job(kit, job).history;
    uint32_t begin = RUNTIME_KIT_STEPS_MAX; /* filled from the end */
    while (ref.position != 0) {
        struct runtime_step batch[RUNTIME_KIT_STEPS_MAX];
        uint32_t count = 0;
        (void)runtime_kit_body(kit, ref);
        struct job_history_reader reader;
        struct job_step step;
        EXPECT_INT(job_history_open(slice_from(kit->text, kit->text_count), &reader), 0);
        while (job_history_next(&reader, &step)) {
            EXPECT(count < begin);
            struct runtime_step *out = &batch[count++];
            out->station = step.station;
            out->attempt = step.attempt;
            out->outcome = step.outcome;
            copy_text(out->task, sizeof out->task, step.task_path);
            copy_text(out->error, sizeof out->error, step.error);
        }
        begin -= count;
        memcpy(&steps[begin], batch, count * sizeof batch[0]);
        ref = reader.previous;
    }
    uint32_t total = RUNTIME_KIT_STEPS_MAX - begin;
    memmove(steps, &steps[begin], total * sizeof steps[0]);
    return total;
}

struct runtime_station_view runtime_kit_station(struct runtime_kit *kit, const char *station) {
    struct runtime_station_view view;
    EXPECT(runtime_get_station(kit->runtime, kit->line, (uint32_t)index_of(kit, station), &view));
    return view;
}

struct station_view runtime_kit_queue(struct runtime_kit *kit, const char *station) {
    struct station_view view;
    EXPECT(broker_get_station(shard_broker(kit->shard), kit->line, (uint32_t)index_of(kit, station),
                              &view));
    return view;
}

uint32_t runtime_kit_logged(struct runtime_kit *kit, const char *text) {
    uint32_t count = 0;
    struct slice rest = buffer_slice(&kit->logged);
    while (rest.count > 0) {
        struct slice line;
        (void)slice_cut(rest, '\n', &line, &rest);
        if (memmem(line.bytes, line.count, text, strlen(text)) != NULL) count++;
    }
    return count;
}
