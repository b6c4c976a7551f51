/* SPDX-License-Identifier: Apache-2.0 */
/* What broker_live_bytes says is what it takes to write everything again, in journal bytes. */
#include "line_floor.h"
#include "test.h"

#define FRAME_BYTES 8u /* of a record in a batch of the file house, */
#define BODY_BYTES 12u /* and of each of its bodies */

/* Carries all that is there; how many bytes that took. */
static uint64_t carry_all(struct harness *harness) {
    uint32_t from = harness->entries_count;
    uint64_t bytes_count = 0;
    (void)harness_carry(harness, harness->next_lsn, UINT32_MAX);
    for (uint32_t i = from; i < harness->entries_count; i++) {
        const struct harness_entry *entry = &harness->entries[i];
        bytes_count += FRAME_BYTES + BODY_BYTES * entry->refs_count + entry->record_bytes;
        for (uint32_t k = 0; k < entry->refs_count; k++) bytes_count += entry->refs[k].count;
    }
    return bytes_count;
}

static void expect_near(uint64_t estimated, uint64_t carried) {
    if (estimated * 10 < carried * 9 || estimated * 10 > carried * 11) {
        EXPECT_INT(estimated, carried); /* says both */
    }
}

/* Of small messages in a plain queue the record is more than the body. */
TEST(live_bytes_of_messages) {
    struct harness harness;
    harness_open(&harness, 1);
    struct command create = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE("queue")}};
    EXPECT_INT(harness_submit(&harness, &create)->result, BROKER_OK);
    struct command_send_entry entries[10];
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        entries[i] = (struct command_send_entry){SLICE("a body of few bytes"), 19, -1};
    }
    struct command send = {.kind = COMMAND_SEND, .send = {SLICE("queue"), entries, 10}};
    for (int i = 0; i < 100; i++) EXPECT_INT(harness_submit(&harness, &send)->result, BROKER_OK);
    uint64_t estimated = broker_live_bytes(harness.broker);
    expect_near(estimated, carry_all(&harness));
    EXPECT_INT(broker_live_bytes(harness.broker), estimated);
    harness_close(&harness);
}

/* Orders of a line, each in parts. */
TEST(live_bytes_of_jobs) {
    struct floor floor;
    floor_open(&floor);
    uint32_t counter = floor_station(&floor, "counter");
    uint32_t kitchen = floor_station(&floor, "kitchen");
    uint32_t delivery = floor_join(&floor, "delivery", counter, MISSING_PARTIAL);
    floor_route(&floor, counter, kitchen);
    floor_route(&floor, kitchen, delivery);
    floor_put(&floor);
    const uint32_t targets[] = {kitchen, kitchen, kitchen};
    for (int i = 0; i < 100; i++) {
        struct command start = {.kind = COMMAND_JOB_START,
                                .job_start = {.line = floor.line,
                                              .station = counter,
                                              .body = SLICE("an order"),
                                              .key = SLICE("number 7")}};
        EXPECT_INT(floor_submit(&floor, &start)->result, BROKER_OK);
        struct answer_lease lease = floor_lease(&floor, counter);
        floor_complete(&floor, counter, &lease, targets, ARRAY_COUNT(targets), true);
    }
    uint64_t estimated = broker_live_bytes(floor.harness.broker);
    expect_near(estimated, carry_all(&floor.harness));
    floor_close(&floor);
}
