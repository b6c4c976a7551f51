/* SPDX-License-Identifier: Apache-2.0 */
#include "shard_kit.h"

#include <errno.h>

struct shard_kit *kit_now;

static struct shard_kit *open_with_messages(uint32_t count) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    for (uint32_t i = 0; i < count; i++) kit_send_sized(kit, "a", 200, 2 + i);
    kit_commit(kit);
    kit->answers_count = 0;
    return kit;
}

static void expect_same_after_replay(struct shard_kit *kit) {
    uint8_t live[16];
    uint8_t replayed[16];
    kit_digest(shard_broker(kit->shard), live);
    kit_replay_digest(kit, replayed);
    EXPECT_BYTES(replayed, live, 16);
}

static void read_ok(void *context, int result, struct slice bytes) {
    EXPECT_INT(result, 0);
    EXPECT(bytes.count > 200);
    *(bool *)context = true;
}

/* All that lives below is written again with its bodies; then the old end goes, and what is left is
 * the same state. */
TEST(carrying_moves_everything_and_the_old_end_goes) {
    struct shard_kit *kit = open_with_messages(300);
    uint64_t below = kit_appended(kit) - 50;
    kit_want_carry(kit, below, 1000);
    between_commit(&kit->between);
    machine_pass_ms(kit->machine, 400);
    kit_commit(kit);
    struct broker_carry item;
    EXPECT(!broker_next_carry(shard_broker(kit->shard), below, &item));
    EXPECT_INT(kit->between.trimmed, 0); /* someone may still begin to read */
    machine_pass_ms(kit->machine, 600);
    kit_commit(kit);
    EXPECT_INT(kit->between.trimmed, below);
    expect_same_after_replay(kit);
    for (uint32_t i = 0; i < 300; i++) {
        EXPECT(kit_receive(kit, "a", 0, 1 + i) != NULL);
        kit_commit(kit);
        bool is_read = false;
        EXPECT_INT(kit->answers[i].count, 1);
        shard_read_body(kit->shard, kit->answers[i].message.body, read_ok, &is_read);
        EXPECT(is_read);
    }
    kit_close(kit);
}

/* The answer was decided before its message was carried: its ref is good when it is released, even
 * though that takes long. */
TEST(an_answer_that_is_held_keeps_the_old_end) {
    struct shard_kit *kit = open_with_messages(10);
    uint64_t below = kit_appended(kit) + 1;
    kit_want_carry(kit, below, 1000);
    between_commit(&kit->between); /* with it the shard learns what is wanted */
    EXPECT(kit_receive(kit, "a", 0, 1) != NULL);
    machine_pass_ms(kit->machine, 2000);
    struct broker_carry item;
    EXPECT(!broker_next_carry(shard_broker(kit->shard), below, &item));
    EXPECT_INT(kit->between.trimmed, 0);
    between_commit(&kit->between);
    EXPECT_INT(kit->answers_count, 1);
    EXPECT_INT(kit->answers[0].count, 1);
    bool is_read = false;
    shard_read_body(kit->shard, kit->answers[0].message.body, read_ok, &is_read);
    EXPECT(is_read);
    kit_commit(kit);
    EXPECT_INT(kit->between.trimmed, below);
    kit_close(kit);
}

/* While the body of one thing comes slowly from the disk everybody else goes on, and what became of
 * that thing meanwhile is respected. */
TEST(a_cold_body_stops_nobody) {
    struct shard_kit *kit = open_with_messages(20);
    uint64_t below = kit_appended(kit) + 1;
    kit->between.is_cold = true;
    kit_want_carry(kit, below, 1000);
    machine_pass_ms(kit->machine,
                    50); /* the queue has no bodies; the first message waits for one */
    for (uint32_t i = 0; i < 5; i++) {
        kit_send(kit, "a", 100 + i);
        EXPECT(kit_receive(kit, "a", 0, 200 + i) != NULL);
        kit_commit(kit);
        EXPECT_INT(kit->answers_count, 2 * i + 2);
        kit_delete_message(kit, "a", &kit->answers[2 * i + 1].message, 0);
        kit_commit(kit);
        kit->answers_count = 2 * i + 2;
    }
    uint64_t appended = kit_appended(kit);
    EXPECT_INT(between_read_all(&kit->between), 1); /* of a message that is deleted */
    EXPECT_INT(kit_appended(kit), appended);
    for (uint32_t i = 0; i < 100; i++) {
        machine_pass_ms(kit->machine, 1);
        (void)between_read_all(&kit->between);
    }
    kit_commit(kit);
    machine_pass_ms(kit->machine, 600);
    kit_commit(kit);
    EXPECT_INT(kit->between.trimmed, below);
    EXPECT_INT(kit_view(kit, "a").visible_count, 20);
    expect_same_after_replay(kit);
    kit_close(kit);
}

/* A turn carries at most a quarter of a MiB, however much is wanted; and with nobody appending it
 * goes on slowly. */
TEST(carrying_is_done_in_small_steps) {
    struct shard_kit *kit = kit_open();
    kit_create(kit, "a", 1);
    kit_want_carry(kit, 1, 4000);
    kit_commit(kit);
    for (uint32_t i = 0; i < 64; i++) kit_send_sized(kit, "a", 100000, 2 + i);
    uint64_t before = kit_appended(kit);
    kit_want_carry(kit, before, 4000);
    between_commit(&kit->between);
    machine_jump_ns(kit->machine, 1000);
    uint64_t carried = kit_appended(kit) - before;
    EXPECT_INT(carried, 0);
    uint64_t turns = machine_run(kit->machine);
    carried = kit_appended(kit) - before;
    EXPECT(carried >= 64 && turns >= 64 / 4);
    kit_close(kit);
}

/* No room even for carrying: it is tried again, not at every turn. */
TEST(carrying_waits_when_there_is_no_room) {
    struct shard_kit *kit = open_with_messages(5);
    uint64_t below = kit_appended(kit) + 1;
    kit->between.reserve_result = -ENOSPC;
    kit_want_carry(kit, below, 1000);
    kit_send(kit, "a", 1);
    EXPECT(machine_run(kit->machine) < 10);
    EXPECT_INT(kit->answers[0].result, BROKER_NO_ROOM);
    kit->between.reserve_result = 0;
    machine_pass_ms(kit->machine, 500);
    kit_commit(kit);
    machine_pass_ms(kit->machine, 600);
    EXPECT_INT(kit->between.trimmed, below);
    kit_close(kit);
}

static void read_damaged(void *context, int result, struct slice bytes) {
    EXPECT_INT(result, -EBADMSG);
    EXPECT_INT(bytes.count, 0);
    *(bool *)context = true;
}

static void damage(struct shard_kit *kit, struct body_ref ref) {
    struct disk_file *file;
    uint64_t segment_bytes = 4u * 1024 * 1024;
    char name[40];
    char byte;
    (void)snprintf(name, sizeof name, "%016llx.segment",
                   (unsigned long long)(ref.position / segment_bytes));
    EXPECT_INT(disk_find(kit->machine->disk, name, false, &file), 0);
    uint64_t offset = ref.position % segment_bytes + ref.count / 2;
    EXPECT_INT(disk_read(file, offset, &byte, 1), 1);
    byte ^= 4;
    EXPECT_INT(disk_write(file, offset, &byte, 1), 0);
}

/* A body that is damaged on the disk does not stop the others: its message is written again without
 * it, is never given other bytes, and is the same after a replay. */
TEST(carrying_goes_on_without_a_damaged_body) {
    struct shard_kit *kit = open_with_messages(20);
    uint64_t below = kit_appended(kit) + 1;
    EXPECT(kit_receive(kit, "a", 0, 1) != NULL);
    kit_commit(kit);
    struct body_ref ref = kit->answers[0].message.body;
    damage(kit, ref);
    kit_want_carry(kit, below, 1000);
    kit_commit(kit);
    for (uint32_t i = 0; i < 4; i++) { /* three pauses, and then who has a ref may still read */
        EXPECT_INT(kit->between.trimmed, 0);
        machine_pass_ms(kit->machine, 501);
        kit_commit(kit);
    }
    EXPECT_INT(kit->between.trimmed, below);
    struct queue_view view = kit_view(kit, "a");
    EXPECT_INT(view.visible_count + view.in_flight_count, 20);
    expect_same_after_replay(kit);
    struct peek_message peeked[20];
    EXPECT_INT(broker_peek(shard_broker(kit->shard), SLICE("a"), peeked, 20), 20);
    uint32_t given_up_count = 0;
    for (uint32_t i = 0; i < 20; i++) {
        bool is_read = false;
        bool is_given_up = body_ref_is_given_up(peeked[i].message.body);
        if (is_given_up) given_up_count++;
        EXPECT_INT(is_given_up, peeked[i].in_flight);
        shard_read_body(kit->shard, peeked[i].message.body, is_given_up ? read_damaged : read_ok,
                        &is_read);
        EXPECT(is_read);
    }
    EXPECT_INT(given_up_count, 1);
    /* And again: what was given up is not looked for any more. */
    below = kit_appended(kit) + 1;
    kit_want_carry(kit, below, 1000);
    kit_commit(kit);
    machine_pass_ms(kit->machine, 501);
    kit_commit(kit);
    EXPECT_INT(kit->between.trimmed, below);
    expect_same_after_replay(kit);
    kit_close(kit);
}

/* Reads that are under way when the shard is closed end there. */
TEST(closing_while_a_body_is_read) {
    struct shard_kit *kit = open_with_messages(5);
    kit->between.is_cold = true;
    kit_want_carry(kit, kit_appended(kit) + 1, 1000);
    kit_send(kit, "a", 1);
    kit_commit(kit);
    kit_close(kit);
}
