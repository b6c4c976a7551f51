/* SPDX-License-Identifier: Apache-2.0 */
/* shard_kit.h -- for the shard's tests: a real broker, the file house on the simulated machine, which
 * makes durable when told, a clock that moves when told, and what was answered, in order.
 */
#ifndef TAKT_SHARD_KIT_H
#define TAKT_SHARD_KIT_H

#include "broker/message_body.h"
#include "journal/file/journal_file.h"
#include "shard/shard.h"

#include "between.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIT_ANSWERS_MAX 20000u

struct kit_answer {
    uintptr_t tag; /* the context */
    enum broker_result result;
    uint32_t count;                /* of a receive */
    struct answer_message message; /* its first */
};
struct shard_kit {
    struct machine *machine;
    struct report report;
    struct between between;
    struct shard *shard;
    int64_t refs_good_ms;
    uint32_t answers_count;
    int failures_count;
    int failure;
    bool is_inside; /* a call of the shard's is under way: nothing may be answered */
    struct kit_answer answers[KIT_ANSWERS_MAX];
};

/* The tests have one at a time; callbacks have only their tag. */
extern struct shard_kit *kit_now;

static inline void kit_done(void *context, const struct broker_answer *answer) {
    EXPECT(!kit_now->is_inside);
    EXPECT(kit_now->answers_count < KIT_ANSWERS_MAX);
    struct kit_answer *out = &kit_now->answers[kit_now->answers_count++];
    *out = (struct kit_answer){.tag = (uintptr_t)context, .result = answer->result};
}
static inline void kit_received(void *context, const struct broker_answer *answer) {
    kit_done(context, answer);
    struct kit_answer *out = &kit_now->answers[kit_now->answers_count - 1];
    out->count = answer->receive.count;
    if (out->count > 0) out->message = answer->receive.messages[0];
}
static inline void kit_on_failure(void *context, int result) {
    struct shard_kit *kit = context;
    kit->failures_count++;
    kit->failure = result;
}

static inline struct journal *kit_open_house(struct machine *machine) {
    struct journal_file_options options = {.env = &machine->env,
                                           .path = "data",
                                           .segment_bytes = 4u * 1024 * 1024,
                                           .bytes_kept_free = 4096};
    struct journal *house;
    EXPECT_INT(journal_file_open(&options, &house), 0);
    return house;
}

static inline void kit_start(struct shard_kit *kit) {
    struct shard_options options = {
        .env = &kit->machine->env,
        .journal = between_open(&kit->between, kit_open_house(kit->machine)),
        .on_failure = kit_on_failure,
        .context = kit,
        .refs_good_ms = kit->refs_good_ms,
    };
    EXPECT_INT(shard_open(&options, &kit->shard), 0);
    between_commit(&kit->between);
    (void)machine_run(kit->machine);
}
static inline struct shard_kit *kit_open(void) {
    struct shard_kit *kit = calloc(1, sizeof *kit);
    EXPECT(kit != NULL);
    kit_now = kit;
    kit->machine = machine_open(1, FAULT_NONE);
    EXPECT(kit->machine != NULL);
    kit->machine->is_prompt = true;
    between_init(&kit->between, kit->machine, &kit->report);
    kit->between.is_held = true;
    kit_start(kit);
    return kit;
}
static inline void kit_close(struct shard_kit *kit) {
    shard_close(kit->shard);
    EXPECT_INT(machine_after_stop(kit->machine), 0);
    machine_close(kit->machine);
    kit_now = NULL;
    free(kit);
}
/* Everything appended is durable, and what follows from that has been done. */
static inline void kit_commit(struct shard_kit *kit) {
    between_commit(&kit->between);
    (void)machine_run(kit->machine);
}
static inline uint64_t kit_appended(const struct shard_kit *kit) {
    return kit->between.appended;
}
/* pace: how many bytes for each byte appended, in thousandths. */
static inline void kit_want_carry(struct shard_kit *kit, uint64_t below, uint32_t pace) {
    kit->between.want = below;
    kit->between.pace = pace;
}

static inline void kit_submit(struct shard_kit *kit, const struct command *command, uintptr_t tag) {
    bool was_inside = kit->is_inside;
    kit->is_inside = true;
    shard_submit(kit->shard, command, kit_done, (void *)tag);
    kit->is_inside = was_inside;
}
static inline void kit_create(struct shard_kit *kit, const char *name, uintptr_t tag) {
    struct command command = {.kind = COMMAND_QUEUE_CREATE,
                              .queue = {.name = slice_from_string(name)}};
    kit_submit(kit, &command, tag);
}
static inline void kit_delete_queue(struct shard_kit *kit, const char *name, uintptr_t tag) {
    struct command command = {.kind = COMMAND_QUEUE_DELETE,
                              .queue = {.name = slice_from_string(name)}};
    kit_submit(kit, &command, tag);
}
/* text_bytes: 0 is a short one. */
static inline void kit_send_sized(struct shard_kit *kit, const char *queue, size_t text_bytes,
                                  uintptr_t tag) {
    char *text = calloc(1, text_bytes + 32);
    EXPECT(text != NULL);
    memset(text, 'x', text_bytes + 32);
    (void)snprintf(text, 24, "message %llu", (unsigned long long)tag);
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, 4u << 20);
    struct message_body body = {.text = {text, text_bytes + 24}};
    message_body_encode(&buffer, &body);
    struct command_send_entry entry = {buffer_slice(&buffer), (uint32_t)text_bytes + 24, -1};
    struct command command = {.kind = COMMAND_SEND, .send = {slice_from_string(queue), &entry, 1}};
    kit_submit(kit, &command, tag);
    buffer_close(&buffer);
    free(text);
}
static inline void kit_send(struct shard_kit *kit, const char *queue, uintptr_t tag) {
    kit_send_sized(kit, queue, 0, tag);
}
static inline struct shard_receive *kit_receive(struct shard_kit *kit, const char *queue,
                                                int64_t wait_ms, uintptr_t tag) {
    bool was_inside = kit->is_inside;
    kit->is_inside = true;
    struct command_receive command = {slice_from_string(queue), 1, -1};
    struct shard_receive *receive =
        shard_receive(kit->shard, &command, wait_ms, kit_received, (void *)tag);
    kit->is_inside = was_inside;
    return receive;
}
static inline void kit_delete_message(struct shard_kit *kit, const char *queue,
                                      const struct answer_message *message, uintptr_t tag) {
    struct receipt receipt = {message->message.number, message->message.slot, message->nonce,
                              message->queue_slot};
    struct command command = {.kind = COMMAND_DELETE,
                              .handles = {slice_from_string(queue), &receipt, NULL, 1}};
    kit_submit(kit, &command, tag);
}
/* The tag of answer `index`; 0: it has not come. */
static inline uintptr_t kit_tag(const struct shard_kit *kit, uint32_t index) {
    return index < kit->answers_count ? kit->answers[index].tag : 0;
}
static inline struct queue_view kit_view(const struct shard_kit *kit, const char *queue) {
    struct queue_view view = {0};
    EXPECT(broker_find_queue(shard_broker(kit->shard), slice_from_string(queue), &view));
    return view;
}

static inline void kit_digest(const struct broker *broker, uint8_t out[16]) {
    broker_check(broker);
    broker_digest(broker, out);
}

struct kit_replay {
    struct broker *broker;
    uint64_t trimmed;
};
static inline int kit_replay_one(void *context, const struct journal_record *record) {
    struct kit_replay *replay = context;
    if (record->lsn < replay->trimmed) return 0;
    return broker_apply(replay->broker, record->lsn, record->bytes, record->bodies,
                        record->bodies_count);
}

/* Of the state that the log alone gives: a start adds a record of its own. */
static inline void kit_replay_digest(struct shard_kit *kit, uint8_t out[16]) {
    struct machine *machine = machine_copy(kit->machine);
    EXPECT(machine != NULL);
    struct journal *house = kit_open_house(machine);
    struct allocator allocator = allocator_system();
    struct broker *broker = broker_open(&(struct broker_options){.allocator = &allocator});
    struct kit_replay replay = {broker, kit->between.trimmed};
    char words[128];
    broker_replay_begin(broker);
    EXPECT_INT(journal_replay(house, kit_replay_one, &replay), 0);
    EXPECT_INT(broker_replay_end(broker, words, sizeof words), 0);
    kit_digest(broker, out);
    journal_close(house);
    broker_close(broker);
    machine_close(machine);
}

#endif
