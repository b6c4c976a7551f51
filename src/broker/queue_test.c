/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of plain queues, one by one. That all of them survive a replay: broker_replay_test.c. */
#include "broker_harness.h"
#include "failing_allocator.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>

static const struct slice Q = {"orders", 6};
static const struct slice DEAD = {"orders-dead", 11};

static const struct broker_answer *create(struct harness *harness, struct slice name,
                                          uint32_t given, struct queue_settings settings) {
    struct command command = {.kind = COMMAND_QUEUE_CREATE,
                              .queue = {.name = name, .given = given, .settings = settings}};
    return harness_submit(harness, &command);
}

static void open_queue_of(struct harness *harness, uint32_t messages_max) {
    harness_open(harness, 1);
    broker_close(harness->broker);
    harness->options.messages_max = messages_max;
    harness->broker = broker_open(&harness->options);
    EXPECT(harness->broker != NULL);
    EXPECT_INT(create(harness, Q, 0, (struct queue_settings){0})->result, BROKER_OK);
}

static void open_queue(struct harness *harness) {
    open_queue_of(harness, 10000);
}

static void send(struct harness *harness, struct slice queue, uint32_t count, int64_t delay_ms) {
    for (uint32_t i = 0; i < count; i++) {
        struct command_send_entry entry = {SLICE("body"), 4, delay_ms};
        struct command command = {.kind = COMMAND_SEND,
                                  .send = {.queue = queue, .entries = &entry, .entries_count = 1}};
        const struct broker_answer *answer = harness_submit(harness, &command);
        EXPECT_INT(answer->result, BROKER_OK);
        EXPECT_INT(answer->send.results[0], BROKER_OK);
    }
}

/* How many came; the first one's receipt. */
static uint32_t receive(struct harness *harness, struct slice queue, uint32_t max, int64_t lease_ms,
                        struct receipt *out) {
    struct command command = {
        .kind = COMMAND_RECEIVE,
        .receive = {.queue = queue, .messages_max = max, .visibility_ms = lease_ms}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    EXPECT_INT(answer->result, BROKER_OK);
    const struct answer_message *first = &answer->receive.messages[0];
    if (answer->receive.count > 0) {
        *out = (struct receipt){.number = first->message.number,
                                .slot = first->message.slot,
                                .nonce = first->nonce,
                                .queue_slot = first->queue_slot};
    }
    return answer->receive.count;
}

static enum broker_result use(struct harness *harness, enum command_kind kind, struct slice queue,
                              const struct receipt *receipt, int64_t lease_ms) {
    struct command command = {
        .kind = kind,
        .handles = {
            .queue = queue, .receipts = receipt, .visibility_ms = &lease_ms, .receipts_count = 1}};
    const struct broker_answer *answer = harness_submit(harness, &command);
    return answer->result == BROKER_OK ? answer->send.results[0] : answer->result;
}

static struct queue_view view(struct harness *harness, struct slice name) {
    struct queue_view out;
    EXPECT(broker_find_queue(harness->broker, name, &out));
    return out;
}

static void pass(struct harness *harness, int64_t ms) {
    harness->now_ms += ms;
    harness_settle(harness);
}

/* A message that is not deleted in time comes back, and remembers that it was received. */
TEST(queue_message_comes_back) {
    struct harness harness;
    struct receipt receipt;
    open_queue(&harness);
    send(&harness, Q, 1, -1);
    EXPECT_INT(receive(&harness, Q, 10, 1000, &receipt), 1);
    pass(&harness, 999);
    EXPECT_INT(receive(&harness, Q, 10, 1000, &receipt), 0);
    EXPECT_INT(view(&harness, Q).in_flight_count, 1);
    pass(&harness, 1);
    EXPECT_INT(receive(&harness, Q, 10, 1000, &receipt), 1);
    EXPECT_INT(harness.decision.answer.receive.messages[0].receive_count, 2);
    EXPECT_INT(harness.decision.answer.receive.messages[0].first_received.ms,
               harness.now_ms - 1000);
    harness_close(&harness);
}

/* Any handle ever given deletes; deleting again is fine; a handle of another queue is not. */
TEST(queue_any_handle_deletes) {
    struct harness harness;
    struct receipt first;
    struct receipt second;
    open_queue(&harness);
    (void)create(&harness, DEAD, 0, (struct queue_settings){0});
    send(&harness, Q, 1, -1);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &first), 1);
    pass(&harness, 1000);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &second), 1);
    EXPECT_INT(use(&harness, COMMAND_DELETE, DEAD, &first, 0), BROKER_HANDLE_INVALID);
    struct receipt future = second;
    future.nonce++;
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &future, 0), BROKER_HANDLE_INVALID);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &first, 0), BROKER_OK);
    EXPECT_INT(view(&harness, Q).in_flight_count, 0);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &first, 0), BROKER_OK);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &second, 0), BROKER_OK);
    EXPECT_INT(view(&harness, Q).counts.deleted, 1);
    harness_close(&harness);
}

/* The same handle twice in one batch deletes once. */
TEST(queue_batch_may_name_one_message_twice) {
    struct harness harness;
    struct receipt receipts[2];
    open_queue(&harness);
    send(&harness, Q, 2, -1);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &receipts[0]), 1);
    receipts[1] = receipts[0];
    struct command command = {.kind = COMMAND_DELETE,
                              .handles = {.queue = Q, .receipts = receipts, .receipts_count = 2}};
    const struct broker_answer *answer = harness_submit(&harness, &command);
    EXPECT_INT(answer->send.results[0], BROKER_OK);
    EXPECT_INT(answer->send.results[1], BROKER_OK);
    EXPECT_INT(view(&harness, Q).counts.deleted, 1);
    EXPECT_INT(view(&harness, Q).visible_count, 1);
    harness_close(&harness);
}

/* A lease is extended up to twelve hours from its receive, and not a millisecond longer. */
TEST(queue_lease_has_an_end) {
    struct harness harness;
    struct receipt receipt;
    open_queue(&harness);
    send(&harness, Q, 1, -1);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &receipt), 1);
    for (int i = 0; i < 11; i++) {
        EXPECT_INT(use(&harness, COMMAND_VISIBILITY, Q, &receipt, 2 * 3600 * 1000), BROKER_OK);
        pass(&harness, 3600 * 1000);
    }
    EXPECT_INT(use(&harness, COMMAND_VISIBILITY, Q, &receipt, 3600 * 1000 + 1),
               BROKER_VALUE_INVALID);
    EXPECT_INT(use(&harness, COMMAND_VISIBILITY, Q, &receipt, 3600 * 1000), BROKER_OK);
    pass(&harness, 3600 * 1000 - 1);
    EXPECT_INT(view(&harness, Q).in_flight_count, 1);
    pass(&harness, 1);
    EXPECT_INT(view(&harness, Q).visible_count, 1);
    /* It is visible again: nothing happens, and that is no error. */
    EXPECT_INT(use(&harness, COMMAND_VISIBILITY, Q, &receipt, 1000), BROKER_OK);
    EXPECT_INT(view(&harness, Q).visible_count, 1);
    harness_close(&harness);
}

/* Given back, a message was never received: it comes first again, with the count it had. */
TEST(queue_give_back_is_uncounted) {
    struct harness harness;
    struct receipt receipt;
    struct receipt again;
    open_queue(&harness);
    send(&harness, Q, 2, -1);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &receipt), 1);
    EXPECT_INT(use(&harness, COMMAND_GIVE_BACK, Q, &receipt, 0), BROKER_OK);
    harness.now_ms += 500;
    EXPECT_INT(receive(&harness, Q, 1, 1000, &again), 1);
    EXPECT_INT(harness.decision.answer.receive.messages[0].first_received.ms, harness.now_ms);
    EXPECT_INT(again.number, receipt.number);
    EXPECT(again.nonce != receipt.nonce);
    EXPECT_INT(harness.decision.answer.receive.messages[0].receive_count, 1);
    EXPECT_INT(use(&harness, COMMAND_GIVE_BACK, Q, &receipt, 0), BROKER_OK); /* an old handle */
    EXPECT_INT(view(&harness, Q).in_flight_count, 1);
    harness_close(&harness);
}

/* Retention ends a message where it waits, and in the eyes of its receiver too. */
TEST(queue_retention_ends_messages) {
    struct harness harness;
    struct receipt receipt;
    open_queue(&harness);
    send(&harness, Q, 2, -1);
    const int64_t retention_ms = view(&harness, Q).settings.retention_ms;
    pass(&harness, retention_ms - 1);
    EXPECT_INT(receive(&harness, Q, 1, 5000, &receipt), 1);
    harness.now_ms += 1;
    struct receipt other;
    EXPECT_INT(receive(&harness, Q, 1, 5000, &other), 0); /* no advance was needed for that */
    EXPECT_INT(use(&harness, COMMAND_VISIBILITY, Q, &receipt, 9000), BROKER_MESSAGE_GONE);
    harness_settle(&harness);
    EXPECT_INT(view(&harness, Q).counts.expired, 1);
    pass(&harness, 5000);
    EXPECT_INT(view(&harness, Q).counts.expired, 2);
    EXPECT_INT(view(&harness, Q).visible_count, 0);
    EXPECT_INT(broker_next_deadline(harness.broker).ms, INT64_MAX);
    harness_close(&harness);
}

/* A shorter retention counts for the messages that are already there, at once. */
TEST(queue_shorter_retention_counts_for_old_messages) {
    struct harness harness;
    open_queue(&harness);
    send(&harness, Q, 1, -1);
    pass(&harness, 60000);
    struct command command = {
        .kind = COMMAND_QUEUE_SET,
        .queue = {.name = Q, .given = QUEUE_SET_RETENTION, .settings = {.retention_ms = 60000}}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OK);
    EXPECT(broker_next_deadline(harness.broker).ms <= harness.now_ms);
    harness_settle(&harness);
    EXPECT_INT(view(&harness, Q).counts.expired, 1);
    harness_close(&harness);
}

/* Received too often: on the next receive it goes to the dead letters, and back by redrive. */
TEST(queue_dead_letters_and_back) {
    struct harness harness;
    struct receipt receipt;
    struct queue_settings settings = {.dead_queue = DEAD, .dead_after = 2};
    harness_open(&harness, 1);
    EXPECT_INT(create(&harness, Q, QUEUE_SET_DEAD, settings)->result, BROKER_VALUE_INVALID);
    (void)create(&harness, DEAD, 0, (struct queue_settings){0});
    EXPECT_INT(create(&harness, Q, QUEUE_SET_DEAD, settings)->result, BROKER_OK);
    send(&harness, Q, 1, -1);
    int64_t sent_ms = harness.now_ms;
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(receive(&harness, Q, 1, 1000, &receipt), 1);
        pass(&harness, 1000);
    }
    struct receipt other;
    EXPECT_INT(receive(&harness, Q, 1, 1000, &other), 0);
    EXPECT_INT(view(&harness, Q).counts.dead, 1);
    EXPECT_INT(view(&harness, DEAD).visible_count, 1);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &receipt, 0), BROKER_OK); /* no longer there */
    struct peek_message peeked[2];
    EXPECT_INT(broker_peek(harness.broker, DEAD, peeked, 2), 1);
    EXPECT_INT(peeked[0].message.receive_count, 2);
    EXPECT_INT(peeked[0].message.sent.ms, sent_ms);
    EXPECT_INT(peeked[0].message.message.number, receipt.number);
    struct command command = {.kind = COMMAND_REDRIVE, .redrive = {DEAD, 100}};
    EXPECT_INT(harness_submit(&harness, &command)->step.count, 1);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &other), 1);
    EXPECT(other.number != receipt.number);
    EXPECT_INT(harness.decision.answer.receive.messages[0].receive_count, 1);
    EXPECT_INT(harness.decision.answer.receive.messages[0].sent.ms, harness.now_ms);
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_NOTHING);
    harness_close(&harness);
}

/* 120,000 in flight are the limit of a standard queue. */
TEST(queue_in_flight_has_a_limit) {
    struct harness harness;
    struct receipt receipt;
    open_queue_of(&harness, BROKER_IN_FLIGHT_MAX + 5);
    send(&harness, Q, BROKER_IN_FLIGHT_MAX + 5, -1);
    EXPECT_INT(receive(&harness, Q, 7, 1000, &receipt), 7);
    for (uint32_t i = 7; i < BROKER_IN_FLIGHT_MAX - 3; i += 10) {
        EXPECT_INT(receive(&harness, Q, 10, 1000, &receipt), 10);
    }
    EXPECT_INT(receive(&harness, Q, 10, 1000, &receipt), 3);
    struct command command = {.kind = COMMAND_RECEIVE,
                              .receive = {.queue = Q, .messages_max = 1, .visibility_ms = -1}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OVER_LIMIT);
    pass(&harness, 1000); /* one advance after the other: 1,000 a record */
    EXPECT_INT(view(&harness, Q).in_flight_count, 0);
    harness_close(&harness);
}

/* A purge answers at once; the sweep follows in steps, and a crash between two of them is nothing. */
TEST(queue_purge_is_swept_in_steps) {
    struct harness harness;
    struct receipt receipt;
    struct command purge = {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = Q}};
    struct command advance = {.kind = COMMAND_ADVANCE};
    struct broker_totals totals;
    open_queue(&harness);
    send(&harness, Q, 1500, -1);
    send(&harness, Q, 700, 60000);
    EXPECT_INT(receive(&harness, Q, 10, 60000, &receipt), 10);
    (void)harness_submit(&harness, &purge);
    EXPECT_INT(view(&harness, Q).counts.purged, 2200);
    EXPECT_INT(view(&harness, Q).visible_count + view(&harness, Q).in_flight_count, 0);
    send(&harness, Q, 3, -1);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &receipt, 0), BROKER_OK);
    EXPECT_INT(use(&harness, COMMAND_VISIBILITY, Q, &receipt, 1000), BROKER_MESSAGE_GONE);
    for (int i = 0; broker_has_sweep(harness.broker); i++) {
        EXPECT(i < 10);
        (void)harness_carry(&harness, harness.next_lsn, 300);
        harness_turn(&harness); /* a replay, or the replayed one takes over */
        harness_trim(&harness, harness.entries[harness.entries_count / 2].lsn);
        EXPECT_INT(harness_submit(&harness, &advance)->result, BROKER_OK);
        broker_get_totals(harness.broker, &totals);
        EXPECT_INT(totals.messages_count, 3); /* those in the grave do not count */
    }
    EXPECT_INT(harness.broker->pools[THING_MESSAGE].count, 3);
    EXPECT_INT(harness.broker->pools[THING_STORE].count, 1);
    harness_turn(&harness);
    harness_close(&harness);
}

/* The log begins between the records that the queue and its store were last written in, and the
 * queue was deleted since: the store is a grave all the same. */
TEST(queue_store_outlives_its_queue_in_the_log) {
    struct harness harness;
    open_queue(&harness);
    send(&harness, Q, 2, -1);
    uint64_t lsn = harness.next_lsn;
    EXPECT_INT(harness_carry(&harness, lsn, UINT32_MAX), 5); /* root, queue, store, messages */
    struct command command = {.kind = COMMAND_QUEUE_DELETE, .queue = {.name = Q}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OK);
    for (uint64_t first = lsn; first < lsn + 5; first++) {
        harness_trim(&harness, first);
        harness_turn(&harness);
        harness_turn(&harness);
    }
    EXPECT(broker_has_sweep(harness.broker));
    harness_settle(&harness);
    harness_turn(&harness);
    harness_close(&harness);
}

/* Likewise after a purge: the store is younger than its queue. */
TEST(queue_new_store_outlives_its_queue_in_the_log) {
    struct harness harness;
    struct command purge = {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = Q}};
    struct command end = {.kind = COMMAND_QUEUE_DELETE, .queue = {.name = Q}};
    open_queue(&harness);
    send(&harness, Q, 2, -1);
    uint64_t lsn = harness.next_lsn;
    EXPECT_INT(harness_submit(&harness, &purge)->result, BROKER_OK);
    send(&harness, Q, 2, -1);
    EXPECT_INT(harness_submit(&harness, &end)->result, BROKER_OK);
    harness_trim(&harness, lsn);
    harness_turn(&harness);
    harness_settle(&harness);
    harness_turn(&harness);
    harness_close(&harness);
}

/* A dead letter whose number changed while its home was further on: the number is not given twice. */
TEST(queue_redriven_numbers_survive_a_trim) {
    struct harness harness;
    struct receipt receipt;
    struct queue_settings settings = {.dead_queue = DEAD, .dead_after = 1};
    harness_open(&harness, 1);
    (void)create(&harness, DEAD, 0, (struct queue_settings){0});
    (void)create(&harness, Q, QUEUE_SET_DEAD, settings);
    send(&harness, Q, 1, -1);
    uint64_t lsn = harness.next_lsn;
    (void)harness_carry(&harness, lsn, 5); /* all but the message */
    EXPECT_INT(receive(&harness, Q, 1, 0, &receipt), 1);
    EXPECT_INT(receive(&harness, Q, 1, 0, &receipt), 0);
    struct command command = {.kind = COMMAND_REDRIVE, .redrive = {DEAD, 100}};
    EXPECT_INT(harness_submit(&harness, &command)->step.count, 1);
    EXPECT_INT(receive(&harness, Q, 1, 1000, &receipt), 1);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &receipt, 0), BROKER_OK);
    harness_trim(&harness, lsn);
    harness_turn(&harness);
    send(&harness, Q, 1, -1); /* both give it the same number */
    harness_turn(&harness);
    harness_close(&harness);
}

/* A send into an empty queue is an event; so is what time or a hand brings back. None are left. */
TEST(queue_events_tell_of_visible_messages) {
    struct harness harness;
    struct receipt receipt;
    struct broker_event event;
    open_queue(&harness);
    EXPECT(!broker_take_event(harness.broker, &event));
    send(&harness, Q, 2, -1);
    EXPECT(broker_take_event(harness.broker, &event));
    EXPECT(event.kind == BROKER_EVENT_QUEUE);
    EXPECT_INT(event.ref.number, view(&harness, Q).ref.number);
    EXPECT(!broker_take_event(harness.broker, &event));
    EXPECT_INT(receive(&harness, Q, 1, 1000, &receipt), 1);
    EXPECT(!broker_take_event(harness.broker, &event));
    pass(&harness, 1000);
    EXPECT(broker_take_event(harness.broker, &event));
    send(&harness, Q, 1, 5000);
    EXPECT(!broker_take_event(harness.broker, &event));
    send(&harness, Q, 1, -1);
    struct command command = {.kind = COMMAND_QUEUE_DELETE, .queue = {.name = Q}};
    (void)harness_submit(&harness, &command); /* with its event untaken */
    EXPECT(!broker_take_event(harness.broker, &event));
    harness_close(&harness);
}

/* Names come in byte order, also with a prefix, also when many were deleted. */
TEST(queue_names_are_listed_in_order) {
    struct harness harness;
    char name[16];
    harness_open(&harness, 1);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "q%03d", i * 37 % 500);
        EXPECT(create(&harness, slice_from_string(name), 0, (struct queue_settings){0})
                   ->queue.created);
    }
    for (int i = 0; i < 500; i += 2) {
        snprintf(name, sizeof name, "q%03d", i);
        struct command command = {.kind = COMMAND_QUEUE_DELETE,
                                  .queue = {.name = slice_from_string(name)}};
        EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OK);
    }
    broker_check(harness.broker);
    struct queue_view found = {.name = SLICE_EMPTY};
    for (int i = 1; i < 500; i += 2) {
        snprintf(name, sizeof name, "q%03d", i);
        EXPECT(broker_next_queue(harness.broker, found.name, SLICE_EMPTY, &found));
        EXPECT(slice_equal_string(found.name, name));
    }
    EXPECT(!broker_next_queue(harness.broker, found.name, SLICE_EMPTY, &found));
    EXPECT(broker_next_queue(harness.broker, SLICE_EMPTY, SLICE("q4"), &found));
    EXPECT(slice_equal_string(found.name, "q401"));
    EXPECT(broker_next_queue(harness.broker, SLICE("q101"), SLICE("q10"), &found));
    EXPECT(slice_equal_string(found.name, "q103"));
    EXPECT(!broker_next_queue(harness.broker, SLICE("q109"), SLICE("q10"), &found));
    EXPECT(!broker_next_queue(harness.broker, SLICE_EMPTY, SLICE("r"), &found));
    harness_close(&harness);
}

/* Making it again: the same settings are fine, another value names its attribute. */
TEST(queue_create_again) {
    struct harness harness;
    open_queue(&harness);
    struct queue_settings settings = {.visibility_ms = 30000, .delay_ms = 5000};
    const struct broker_answer *answer = create(&harness, Q, QUEUE_SET_VISIBILITY, settings);
    EXPECT_INT(answer->result, BROKER_OK);
    EXPECT(!answer->queue.created);
    answer = create(&harness, Q, QUEUE_SET_VISIBILITY | QUEUE_SET_DELAY, settings);
    EXPECT_INT(answer->result, BROKER_QUEUE_EXISTS);
    EXPECT(strstr(answer->detail, "DelaySeconds") != NULL);
    answer = create(&harness, SLICE("x"), QUEUE_SET_DEAD,
                    (struct queue_settings){.dead_queue = SLICE("x"), .dead_after = 1});
    EXPECT_INT(answer->result, BROKER_VALUE_INVALID);
    harness_close(&harness);
}

/* The pool is full: reserve says so, and everything else goes on. */
TEST(queue_messages_have_a_maximum) {
    struct harness harness;
    struct receipt receipt;
    open_queue_of(&harness, 3);
    send(&harness, Q, 3, -1);
    struct command_send_entry entry = {SLICE("body"), 4, -1};
    struct command command = {.kind = COMMAND_SEND,
                              .send = {.queue = Q, .entries = &entry, .entries_count = 1}};
    EXPECT(!broker_reserve(harness.broker, &command));
    EXPECT_INT(receive(&harness, Q, 1, 1000, &receipt), 1);
    EXPECT_INT(use(&harness, COMMAND_DELETE, Q, &receipt, 0), BROKER_OK);
    send(&harness, Q, 1, -1);
    harness_close(&harness);
}

/* Memory runs out at every single place in turn: opening and reserving say so and keep the state
 * whole; what was reserved is applied without asking for more. */
TEST(queue_survives_lack_of_memory) {
    for (size_t calls = 0;; calls++) {
        struct failing_allocator failing = failing_allocator(calls);
        struct allocator allocator = failing_allocator_get(&failing);
        struct broker_options options = {.allocator = &allocator};
        struct broker *broker = broker_open(&options);
        if (broker == NULL) {
            EXPECT_INT(failing.live, 0);
            continue;
        }
        struct broker_decision decision;
        broker_decision_open(&decision, &allocator);
        struct command_send_entry entry = {SLICE("body"), 4, -1};
        struct command commands[] = {
            {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = Q}},
            {.kind = COMMAND_SEND, .send = {.queue = Q, .entries = &entry, .entries_count = 1}},
            {.kind = COMMAND_RECEIVE, .receive = {.queue = Q, .messages_max = 1}},
            {.kind = COMMAND_QUEUE_PURGE, .queue = {.name = Q}},
            {.kind = COMMAND_ADVANCE},
        };
        bool is_done = true;
        uint64_t lsn = 1;
        for (size_t i = 0; i < ARRAY_COUNT(commands) && is_done; i++) {
            struct broker_given given = {.now = {1000}};
            is_done = broker_reserve(broker, &commands[i]);
            if (!is_done) break;
            broker_decide(broker, &commands[i], &given, &decision);
            is_done = decision.answer.result != BROKER_NO_MEMORY;
            if (decision.record.count == 0) continue;
            size_t calls_left = failing.calls_left;
            failing.calls_left = 0; /* apply takes no memory */
            struct body_ref ref = {.position = lsn, .count = 4};
            EXPECT_INT(broker_apply(broker, lsn++, buffer_slice(&decision.record), &ref,
                                    decision.bodies_count),
                       0);
            failing.calls_left = calls_left;
        }
        broker_check(broker);
        broker_decision_close(&decision);
        broker_close(broker);
        EXPECT_INT(failing.live, 0);
        if (is_done) break;
    }
}

/* Replay with ever more memory: it fails and says so, until there is enough. */
TEST(queue_replay_survives_lack_of_memory) {
    struct harness harness;
    struct receipt receipt;
    open_queue(&harness);
    send(&harness, Q, 40, -1);
    (void)receive(&harness, Q, 2, 1000, &receipt);
    harness_trim(&harness, harness.next_lsn); /* carry records only, shells */
    send(&harness, Q, 3, -1);
    int result = -1;
    for (size_t calls = 0; result != 0; calls++) {
        struct failing_allocator failing = failing_allocator(calls);
        struct allocator allocator = failing_allocator_get(&failing);
        struct broker_options options = {.allocator = &allocator};
        struct broker *broker = broker_open(&options);
        if (broker == NULL) continue;
        broker_replay_begin(broker);
        result = 0;
        for (uint32_t i = 0; i < harness.entries_count && result == 0; i++) {
            const struct harness_entry *entry = &harness.entries[i];
            result =
                broker_apply(broker, entry->lsn, slice_from(entry->record, entry->record_bytes),
                             entry->refs, entry->refs_count);
        }
        EXPECT(result == 0 || result == -ENOMEM);
        broker_close(broker);
        EXPECT_INT(failing.live, 0);
    }
    harness_close(&harness);
}

/* A record cut anywhere is known as broken, and stops nothing but its replay. */
TEST(queue_replay_of_broken_records_fails) {
    struct harness harness;
    struct receipt receipt;
    open_queue(&harness);
    send(&harness, Q, 3, -1);
    (void)receive(&harness, Q, 2, 1000, &receipt);
    (void)use(&harness, COMMAND_DELETE, Q, &receipt, 0);
    pass(&harness, 1000);
    (void)harness_carry(&harness, harness.next_lsn, 20);
    for (uint32_t broken = 0; broken < harness.entries_count; broken++) {
        for (size_t cut = 1; cut <= harness.entries[broken].record_bytes; cut++) {
            struct broker *broker = broker_open(&harness.options);
            broker_replay_begin(broker);
            int result = 0;
            for (uint32_t i = 0; i <= broken && result == 0; i++) {
                const struct harness_entry *entry = &harness.entries[i];
                size_t count = entry->record_bytes - (i == broken ? cut : 0);
                result = broker_apply(broker, entry->lsn, slice_from(entry->record, count),
                                      entry->refs, entry->refs_count);
            }
            EXPECT(result < 0);
            broker_close(broker);
        }
    }
    harness_close(&harness);
}
