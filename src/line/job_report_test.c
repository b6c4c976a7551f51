/* SPDX-License-Identifier: Apache-2.0 */
#include "line/job_report.h"

#include "base/hash.h"
#include "base/json.h"
#include "broker/job_history.h"
#include "line/job_report_inside.h"

#include "door_kit.h"

#define REPORT_MAX (1u << 20)

struct report_kit {
    struct door_kit door;
    uint8_t id[16];
    uint32_t calls_count;
    bool found;
    bool failed;
    char json[REPORT_MAX];
    size_t json_count;
};

static struct report_kit *report_kit_open(uint32_t attempts) {
    struct report_kit *kit = calloc(1, sizeof *kit);
    CHECK(kit != NULL);
    char line[256];
    snprintf(line, sizeof line,
             "line: bakery\nstations:\n  oven: { exec: /bin/true, retry: { attempts: %u, backoff: "
             "1ms..1ms } }\n",
             attempts);
    door_open(&kit->door);
    door_put_line(&kit->door, line);
    return kit;
}

static void report_kit_close(struct report_kit *kit) {
    door_close(&kit->door);
    free(kit);
}

static void on_started(void *context, const struct broker_answer *answer) {
    struct report_kit *kit = CONTAINER_OF(context, struct report_kit, door);
    door_answered(context, answer);
    memcpy(kit->id, answer->job_start.id, sizeof kit->id);
}

static void start_job(struct report_kit *kit) {
    struct buffer body;
    buffer_open(&body, &kit->door.fixture.env->allocator, 1 << 20);
    message_body_encode(&body, &(struct message_body){.text = SLICE("order")});
    struct command command = {
        .kind = COMMAND_JOB_START,
        .job_start = {.line = kit->door.line, .body = buffer_slice(&body), .key = SLICE("k\n7")}};
    EXPECT_INT(door_submit(&kit->door, &command, on_started), BROKER_OK);
    buffer_close(&body);
    door_open_session(&kit->door, 0);
}

static void on_report(void *context, bool found, bool failed, struct slice json) {
    struct report_kit *kit = context;
    kit->calls_count++;
    kit->found = found;
    kit->failed = failed;
    CHECK(json.count < REPORT_MAX);
    if (json.count > 0) memcpy(kit->json, json.bytes, json.count);
    kit->json_count = json.count;
}

static struct slice read_report(struct report_kit *kit) {
    kit->calls_count = 0;
    job_report_read(kit->door.shard, kit->id, on_report, kit);
    EXPECT_INT(kit->calls_count, 0); /* never inside the call */
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && kit->calls_count == 0;)
        door_turn(&kit->door);
    EXPECT_INT(kit->calls_count, 1);
    struct slice json = slice_from(kit->json, kit->json_count);
    EXPECT(kit->json_count == 0 || json_validate(json, NULL));
    return json;
}

static void expect_member(struct slice json, const char *name, const char *raw) {
    struct slice value = json_member(json, slice_from_string(name));
    char text[256];
    snprintf(text, sizeof text, "%.*s", SLICE_ARGS(value));
    EXPECT_STRING(text, raw);
}

/* A job that is not there is not found, durably. */
TEST(job_report_knows_what_is_not_there) {
    struct report_kit *kit = report_kit_open(2);
    EXPECT_INT(read_report(kit).count, 0);
    EXPECT(!kit->found);
    EXPECT(!kit->failed);
    report_kit_close(kit);
}

/* Steps come oldest first, each with its own words; a failed job shows where its dead letter lies. */
TEST(job_report_tells_attempts_in_order) {
    struct report_kit *kit = report_kit_open(3);
    start_job(kit);
    struct slice json = read_report(kit);
    expect_member(json, "state", "\"running\"");
    expect_member(json, "key", "\"k\\n7\"");
    expect_member(json, "ended", "");
    expect_member(json, "steps", "[]");
    for (int i = 0; i < 3; i++) {
        char error[32];
        snprintf(error, sizeof error, "attempt \"%d\"", i + 1);
        door_lease(&kit->door);
        door_end(&kit->door, COMMAND_FAIL, error);
    }
    json = read_report(kit);
    expect_member(json, "state", "\"failed\"");
    expect_member(json, "error", "\"attempt \\\"3\\\"\"");
    struct slice steps = json_member(json, SLICE("steps"));
    EXPECT_INT(json_count(steps), 3);
    for (size_t i = 0; i < 3; i++) {
        struct slice step = json_element(steps, i);
        char error[32];
        snprintf(error, sizeof error, "\"attempt \\\"%zu\\\"\"", i + 1);
        expect_member(step, "error", error);
        expect_member(step, "station", "\"oven\"");
        expect_member(step, "task", "");
        expect_member(step, "outcome", i < 2 ? "\"failed\"" : "\"dead\"");
    }
    struct slice place = json_element(json_member(json, SLICE("waiting")), 0);
    expect_member(place, "dead", "1");
    report_kit_close(kit);
}

/* A result that is no JSON is a string; one that is too large for a report is left out, and its
 * size is told. */
TEST(job_report_tells_the_result) {
    struct report_kit *kit = report_kit_open(2);
    start_job(kit);
    door_lease(&kit->door);
    door_end(&kit->door, COMMAND_COMPLETE, "not \"json\"");
    struct slice json = read_report(kit);
    expect_member(json, "result", "\"not \\\"json\\\"\"");
    expect_member(json, "result_bytes", "10");

    char *large = calloc(1, JOB_REPORT_RESULT_BYTES_MAX + 2);
    CHECK(large != NULL);
    memset(large, '1', JOB_REPORT_RESULT_BYTES_MAX + 1);
    start_job(kit);
    door_lease(&kit->door);
    door_end(&kit->door, COMMAND_COMPLETE, large);
    json = read_report(kit);
    expect_member(json, "state", "\"done\"");
    expect_member(json, "result", "");
    expect_member(json, "result_bytes", "1048577");
    free(large);
    report_kit_close(kit);
}

static void fail_times(struct report_kit *kit, uint32_t times) {
    for (uint32_t i = 0; i < times; i++) {
        door_lease(&kit->door);
        door_end(&kit->door, COMMAND_FAIL, "again");
    }
}

/* Of a history that is longer than the bound the newest steps are shown; all are counted. */
TEST(job_report_bounds_a_long_history) {
    struct report_kit *kit = report_kit_open(JOB_HISTORY_CHAIN_MAX);
    struct command redrive = {.kind = COMMAND_REDRIVE,
                              .redrive = {.queue = SLICE("bakery_oven_dead"), .messages_max = 1}};
    start_job(kit);
    fail_times(kit, JOB_HISTORY_CHAIN_MAX);
    struct slice json = read_report(kit);
    expect_member(json, "state", "\"failed\"");
    expect_member(json, "steps_left_out", "");
    EXPECT_INT(door_submit(&kit->door, &redrive, door_answered), BROKER_OK);
    fail_times(kit, 3);

    json = read_report(kit);
    struct slice steps = json_member(json, SLICE("steps"));
    EXPECT_INT(json_count(steps), JOB_HISTORY_CHAIN_MAX);
    expect_member(json, "state", "\"running\"");
    expect_member(json, "steps_left_out", "4");
    expect_member(json_element(steps, JOB_HISTORY_CHAIN_MAX - 4), "outcome", "\"redriven\"");
    struct slice stations = json_member(json, SLICE("stations"));
    EXPECT_INT(json_count(stations), 1);
    struct slice oven = json_element(stations, 0);
    expect_member(oven, "station", "\"oven\"");
    expect_member(oven, "attempts", "1003");
    expect_member(oven, "failed", "1002");
    expect_member(oven, "dead", "1");
    expect_member(oven, "redriven", "1");
    expect_member(oven, "done", "");
    expect_member(oven, "error", "\"again\"");
    report_kit_close(kit);
}

/* The last byte of that text is another one now, wherever it stands in the journal. */
static bool spoil(void *context, const char *name) {
    struct report_kit *kit = context;
    static const char text[] = "spoil me";
    static char bytes[4u << 20];
    char path[512];
    snprintf(path, sizeof path, "%s/%s", kit->door.path, name);
    FILE *file = fopen(path, "r+e");
    EXPECT(file != NULL);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    for (const char *at = bytes; (at = memmem(at, count - (size_t)(at - bytes), text, 8)); at++) {
        EXPECT_INT(fseek(file, at - bytes + 7, SEEK_SET), 0);
        EXPECT(fputc('!', file) == '!');
    }
    EXPECT_INT(fclose(file), 0);
    return true;
}

/* A step that the disk has damaged takes the older ones with it; the rest is told, and that. */
TEST(job_report_tells_what_the_disk_has_left) {
    struct report_kit *kit = report_kit_open(5);
    struct env *env = kit->door.fixture.env;
    struct env_file *folder = NULL;
    start_job(kit);
    static const char *const errors[] = {"older", "spoil me", "newer"};
    for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
        door_lease(&kit->door);
        door_end(&kit->door, COMMAND_FAIL, errors[i]);
    }
    EXPECT_INT(env->ops->open_directory(env, kit->door.path, false, &folder), 0);
    EXPECT_INT(env->ops->list(env, folder, spoil, kit), 0);
    env->ops->close(env, folder);
    struct slice json = read_report(kit);
    EXPECT(kit->found && !kit->failed);
    expect_member(json, "damaged", "true");
    expect_member(json, "state", "\"running\"");
    expect_member(json, "error", "\"newer\"");
    struct slice steps = json_member(json, SLICE("steps"));
    EXPECT_INT(json_count(steps), 1);
    expect_member(json_element(steps, 0), "error", "\"newer\"");
    report_kit_close(kit);
}

/* Takt is taken down while a report is under way: it ends, once, and says nothing. */
TEST(job_report_ends_with_the_shard) {
    struct report_kit *kit = report_kit_open(2);
    start_job(kit);
    job_report_read(kit->door.shard, kit->id, on_report, kit);
    door_close(&kit->door);
    EXPECT_INT(kit->calls_count, 1);
    free(kit);
}
