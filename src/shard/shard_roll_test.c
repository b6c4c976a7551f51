/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

struct shard_kit *kit_now;

#define OUTPUTS 250u

struct floor {
    struct shard_kit *kit;
    struct broker_ref line;
    struct broker_ref session;
    struct answer_lease lease;
};

static void on_line(void *context, const struct broker_answer *answer) {
    EXPECT_INT(answer->result, BROKER_OK);
    ((struct floor *)context)->line = answer->line_put.line;
}
static void on_session(void *context, const struct broker_answer *answer) {
    EXPECT_INT(answer->result, BROKER_OK);
    ((struct floor *)context)->session = answer->session.session;
}
static void on_lease(void *context, const struct broker_answer *answer) {
    EXPECT_INT(answer->result, BROKER_OK);
    EXPECT_INT(answer->lease.count, 1);
    ((struct floor *)context)->lease = answer->lease.leases[0];
}
static void on_done(void *context, const struct broker_answer *answer) {
    EXPECT(context != NULL);
    EXPECT_INT(answer->result, BROKER_OK);
}

static void submit(struct floor *floor, const struct command *command, shard_answer_fn *done) {
    shard_submit(floor->kit->shard, command, done, floor);
    kit_commit(floor->kit);
}

static void open_line(struct floor *floor) {
    static const char *const names[2][3] = {{"mix", "l_mix", "l_mix_dead"},
                                            {"bake", "l_bake", "l_bake_dead"}};
    struct line_station stations[2];
    for (uint32_t i = 0; i < 2; i++) {
        stations[i] = (struct line_station){.name = slice_from_string(names[i][0]),
                                            .queue = slice_from_string(names[i][1]),
                                            .dead_queue = slice_from_string(names[i][2]),
                                            .retention_ms = 86400000,
                                            .attempts_max = 3,
                                            .join_opener = -1};
    }
    struct command command = {
        .kind = COMMAND_LINE_PUT,
        .line_put = {SLICE("l"), SLICE("line: l"), stations, 2, .keep_jobs_ms = 1000}};
    submit(floor, &command, on_line);
    command = (struct command){.kind = COMMAND_SESSION_OPEN, .session = {.line = floor->line}};
    submit(floor, &command, on_session);
}

/* An order that becomes 250. */
static void split(struct floor *floor) {
    struct command_output outputs[OUTPUTS];
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        outputs[i] = (struct command_output){.station = 1, .each = true, .body = SLICE("dough")};
    }
    struct command command = {.kind = COMMAND_JOB_START,
                              .job_start = {.line = floor->line, .body = SLICE("order")}};
    submit(floor, &command, on_done);
    command = (struct command){.kind = COMMAND_LEASE, .lease = {floor->session, 1}};
    submit(floor, &command, on_lease);
    command = (struct command){.kind = COMMAND_COMPLETE,
                               .complete = {.session = floor->session,
                                            .message = floor->lease.message,
                                            .outputs = outputs,
                                            .outputs_count = OUTPUTS}};
    submit(floor, &command, on_done);
}

static uint64_t dealt(const struct floor *floor) {
    struct station_view view;
    EXPECT(broker_get_station(shard_broker(floor->kit->shard), floor->line, 1, &view));
    return view.wip_count;
}

/* The reads that are held are done; those at that position fail. */
static void read_but(struct floor *floor, uint64_t position) {
    struct between *between = &floor->kit->between;
    for (uint32_t turn = 0; turn < 20; turn++) {
        for (uint32_t i = 0; i < between->reads_count; i++) {
            if (between->reads[i].ref.position == position) between->reads[i].ref.checksum32 ^= 1;
        }
        (void)between_read_all(between);
        kit_commit(floor->kit);
    }
}

/* A split whose chunk cannot be read holds up no other, and goes on when it can be read again. */
TEST(a_roll_that_cannot_be_read_lets_others_pass) {
    struct floor floor = {.kit = kit_open()};
    struct between *between = &floor.kit->between;
    open_line(&floor);
    between->is_cold = true;
    split(&floor);
    split(&floor);
    EXPECT_INT(between->reads_count, 1);
    uint64_t position = between->reads[0].ref.position;
    read_but(&floor, position);
    EXPECT_INT(dealt(&floor), OUTPUTS);
    machine_pass_ms(floor.kit->machine, 2000);
    read_but(&floor, position); /* it was tried again */
    EXPECT_INT(dealt(&floor), OUTPUTS);
    machine_pass_ms(floor.kit->machine, 2000);
    EXPECT_INT(between->reads_count, 1);
    read_but(&floor, 0);
    EXPECT_INT(dealt(&floor), 2 * OUTPUTS);
    kit_close(floor.kit);
}
