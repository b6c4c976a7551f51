/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

struct shard_kit *kit_now;

#define JOBS_COUNT 40u

/* One worker of a line with one station, and the jobs that it holds. */
struct floor {
    struct shard_kit *kit;
    struct broker_ref line;
    struct broker_ref session;
    struct broker_ref messages[JOBS_COUNT];
    struct broker_ref jobs[JOBS_COUNT];
    uint32_t jobs_count;
    uint32_t ended_count;
};

static void opened(void *context, const struct broker_answer *answer) {
    ((struct floor *)context)->session = answer->session.session;
}
static void started(void *context, const struct broker_answer *answer) {
    struct floor *floor = context;
    floor->jobs[floor->jobs_count++] = answer->job_start.job;
}
static void leased(void *context, const struct broker_answer *answer) {
    struct floor *floor = context;
    for (uint32_t i = 0; i < answer->lease.count; i++) {
        floor->messages[i] = answer->lease.leases[i].message;
    }
}
static void ended(void *context, struct broker_ref job) {
    (void)job;
    ((struct floor *)context)->ended_count++;
}

static void submit(struct floor *floor, const struct command *command, shard_answer_fn *done) {
    shard_submit(floor->kit->shard, command, done, floor);
}

static void open_line(struct floor *floor) {
    struct line_station station = {.name = SLICE("oven"),
                                   .queue = SLICE("bakery_oven"),
                                   .dead_queue = SLICE("bakery_oven_dead"),
                                   .retention_ms = 1000000,
                                   .backoff_ms_min = 1,
                                   .backoff_ms_max = 1,
                                   .attempts_max = 5,
                                   .join_opener = -1,
                                   .is_result = true};
    struct command command = {.kind = COMMAND_LINE_PUT,
                              .line_put = {.name = SLICE("bakery"),
                                           .stations = &station,
                                           .stations_count = 1,
                                           .keep_jobs_ms = 1000000}};
    submit(floor, &command, NULL);
    struct line_view view;
    EXPECT(broker_find_line(shard_broker(floor->kit->shard), SLICE("bakery"), &view));
    floor->line = view.ref;
    command = (struct command){.kind = COMMAND_SESSION_OPEN, .session = {.line = floor->line}};
    submit(floor, &command, opened);
    kit_commit(floor->kit);
}

static void start_and_lease(struct floor *floor, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct command command = {.kind = COMMAND_JOB_START,
                                  .job_start = {.line = floor->line, .body = SLICE("\1\0{}")}};
        submit(floor, &command, started);
    }
    struct command command = {.kind = COMMAND_LEASE, .lease = {floor->session, count}};
    submit(floor, &command, leased);
    kit_commit(floor->kit);
    EXPECT_INT(floor->jobs_count, count);
}

static void complete(struct floor *floor, uint32_t index) {
    struct command command = {.kind = COMMAND_COMPLETE,
                              .complete = {.session = floor->session,
                                           .message = floor->messages[index],
                                           .result = SLICE("{}")}};
    EXPECT(shard_watch_job(floor->kit->shard, floor->jobs[index], ended, floor) != NULL);
    submit(floor, &command, NULL);
}

static uint32_t running(const struct floor *floor) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < floor->jobs_count; i++) {
        struct job_view view;
        EXPECT(broker_get_job(shard_broker(floor->kit->shard), floor->jobs[i], &view));
        count += view.state == JOB_RUNNING;
    }
    return count;
}

/* The last hand-off of a job and the job's end are durable by one commit. */
TEST(a_jobs_end_joins_the_batch_of_its_last_hand_off) {
    struct floor floor = {.kit = kit_open()};
    open_line(&floor);
    start_and_lease(&floor, 1);
    complete(&floor, 0);
    EXPECT_INT(running(&floor), 0);
    EXPECT_INT(floor.ended_count, 0); /* not durable yet */
    between_commit(&floor.kit->between);
    EXPECT_INT(floor.ended_count, 1);
    kit_close(floor.kit);
}

/* Many ends at once are not done one by one: after a few the rest waits for the shard's turn, which
 * does them together. */
TEST(many_ends_in_one_batch_wait_for_the_turn) {
    struct floor floor = {.kit = kit_open()};
    open_line(&floor);
    start_and_lease(&floor, JOBS_COUNT);
    uint64_t appended = kit_appended(floor.kit);
    for (uint32_t i = 0; i < JOBS_COUNT; i++) complete(&floor, i);
    EXPECT(running(&floor) > 0 && running(&floor) < JOBS_COUNT);
    EXPECT(kit_appended(floor.kit) <= appended + JOBS_COUNT + 4);
    (void)machine_run(floor.kit->machine);
    EXPECT_INT(running(&floor), 0);
    EXPECT(kit_appended(floor.kit) < appended + 2 * JOBS_COUNT);
    kit_commit(floor.kit);
    EXPECT_INT(floor.ended_count, JOBS_COUNT);
    kit_close(floor.kit);
}
