/* SPDX-License-Identifier: Apache-2.0 */
/* The whole way on a real folder and the real loop: chains of send, receive and delete. */
#include "broker/message_body.h"
#include "journal/file/journal_file.h"
#include "shard/shard.h"
#include "test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHAINS 48u
#define ROUNDS 6000u
#define BODY_BYTES 10000u
#define KEEP_EACH 20u /* of the messages one in so many is not deleted */
#define TRIM_MS 20    /* how long what is dropped stays readable */
#define SEGMENT_BYTES (4u * 1024 * 1024)

struct run {
    struct env *env;
    struct shard *shard;
    struct journal *journal;
    char path[64];
    char *text;
    uint32_t rounds_left;
    uint32_t chains_left;
    uint32_t answers_wrong;
    uint32_t bodies_read;
    uint32_t kept;
    uint32_t reads_left;
    uint64_t bytes_used_max;
    uint64_t bytes_above_max; /* of 2.2 times what was alive */
    uint32_t keep_each;
    uint32_t body_bytes;
    uint64_t lsn_first;
};

static void open_journal(struct run *run) {
    struct journal_file_options options = {
        .env = run->env, .path = run->path, .segment_bytes = SEGMENT_BYTES};
    EXPECT_INT(journal_file_open(&options, &run->journal), 0);
}

static struct run *open_run(void) {
    struct run *run = calloc(1, sizeof *run);
    EXPECT(run != NULL);
    (void)snprintf(run->path, sizeof run->path, "/tmp/takt-shard-XXXXXX");
    EXPECT(mkdtemp(run->path) != NULL);
    run->text = calloc(1, BODY_BYTES);
    EXPECT(run->text != NULL);
    EXPECT_INT(env_open_real(&run->env), 0);
    open_journal(run);
    struct shard_options options = {
        .env = run->env, .journal = run->journal, .refs_good_ms = TRIM_MS};
    EXPECT_INT(shard_open(&options, &run->shard), 0);
    return run;
}

static void close_run(struct run *run) {
    env_run_real(run->env); /* what closing left to the loop */
    env_close_real(run->env);
    DIR *directory = opendir(run->path);
    EXPECT(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", run->path, entry->d_name);
        if (entry->d_name[0] != '.' || entry->d_name[1] > '.') (void)unlink(path);
    }
    (void)closedir(directory);
    EXPECT_INT(rmdir(run->path), 0);
    free(run->text);
    free(run);
}

static void send_one(struct run *run);

static void look_at_journal(struct run *run) {
    struct journal_status status;
    journal_get_status(run->journal, &status);
    if (status.bytes_used > run->bytes_used_max) run->bytes_used_max = status.bytes_used;
    run->lsn_first = status.lsn_first;
    uint64_t allowed = broker_live_bytes(shard_broker(run->shard)) / 10 * 22;
    if (status.bytes_used > allowed + run->bytes_above_max) {
        run->bytes_above_max = status.bytes_used - allowed;
    }
}

static void on_deleted(void *context, const struct broker_answer *answer) {
    struct run *run = context;
    if (answer->result != BROKER_OK) run->answers_wrong++;
    look_at_journal(run);
    send_one(run);
}

static void on_body(void *context, int result, struct slice bytes) {
    struct run *run = context;
    struct message_body body;
    if (result != 0 || message_body_decode(bytes, &body) != 0 ||
        body.text.count != run->body_bytes) {
        run->answers_wrong++;
    }
    run->bodies_read++;
}

static void on_received(void *context, const struct broker_answer *answer) {
    struct run *run = context;
    if (answer->result != BROKER_OK || answer->receive.count != 1) {
        run->answers_wrong++;
        send_one(run);
        return;
    }
    const struct answer_message *message = &answer->receive.messages[0];
    shard_read_body(run->shard, message->body, on_body, run);
    if (message->message.number % run->keep_each == 0) {
        run->kept++;
        look_at_journal(run);
        send_one(run);
        return;
    }
    struct receipt receipt = {message->message.number, message->message.slot, message->nonce,
                              message->queue_slot};
    struct command command = {.kind = COMMAND_DELETE, .handles = {SLICE("a"), &receipt, NULL, 1}};
    shard_submit(run->shard, &command, on_deleted, run);
}

static void on_sent(void *context, const struct broker_answer *answer) {
    struct run *run = context;
    if (answer->result != BROKER_OK || answer->send.results[0] != BROKER_OK) run->answers_wrong++;
    struct command_receive command = {SLICE("a"), 1, 3600000};
    if (shard_receive(run->shard, &command, 10000, on_received, run) == NULL) run->answers_wrong++;
}

static void send_one(struct run *run) {
    if (run->rounds_left == 0) {
        if (--run->chains_left == 0) env_stop_real(run->env);
        return;
    }
    run->rounds_left--;
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, BODY_BYTES * 2);
    memset(run->text, 'a' + (int)(run->rounds_left % 26), run->body_bytes);
    message_body_encode(&buffer, &(struct message_body){.text = {run->text, run->body_bytes}});
    struct command_send_entry entry = {buffer_slice(&buffer), run->body_bytes, -1};
    struct command command = {.kind = COMMAND_SEND, .send = {SLICE("a"), &entry, 1}};
    shard_submit(run->shard, &command, on_sent, run);
    buffer_close(&buffer);
}

static void load(struct run *run, uint32_t rounds, uint32_t body_bytes, uint32_t keep_each) {
    struct command create = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE("a")}};
    shard_submit(run->shard, &create, NULL, NULL);
    run->rounds_left = rounds;
    run->body_bytes = body_bytes;
    run->keep_each = keep_each;
    run->chains_left = CHAINS;
    for (uint32_t i = 0; i < CHAINS; i++) send_one(run);
    env_run_real(run->env);
}

static int replay_one(void *context, const struct journal_record *record) {
    return broker_apply(context, record->lsn, record->bytes, record->bodies, record->bodies_count);
}

/* Of the state that the folder gives; a shard would add a record when it starts. */
static void replay_digest(struct run *run, uint8_t out[16]) {
    struct allocator allocator = allocator_system();
    struct broker *broker = broker_open(&(struct broker_options){.allocator = &allocator});
    char words[128];
    EXPECT(broker != NULL);
    open_journal(run);
    broker_replay_begin(broker);
    EXPECT_INT(journal_replay(run->journal, replay_one, broker), 0);
    EXPECT_INT(broker_replay_end(broker, words, sizeof words), 0);
    broker_check(broker);
    broker_digest(broker, out);
    broker_close(broker);
    journal_close(run->journal);
}

/* 60 MB go through; the folder stays near its least size, what is kept is carried along, and the
 * state that it gives is the one that was. */
TEST(the_folder_stays_small_under_load_and_gives_the_same_state) {
    struct run *run = open_run();
    uint8_t live[16];
    uint8_t replayed[16];
    load(run, ROUNDS, BODY_BYTES, KEEP_EACH);
    EXPECT_INT(run->answers_wrong, 0);
    EXPECT_INT(run->bodies_read, ROUNDS);
    struct queue_view view;
    EXPECT(broker_find_queue(shard_broker(run->shard), SLICE("a"), &view));
    EXPECT_INT(view.in_flight_count, run->kept);
    EXPECT(run->kept >= ROUNDS / KEEP_EACH / 2);
    broker_check(shard_broker(run->shard));
    broker_digest(shard_broker(run->shard), live);
    shard_close(run->shard);
    EXPECT(run->lsn_first > 1);
    EXPECT(run->bytes_used_max < 6ull * SEGMENT_BYTES);
    env_run_real(run->env);
    replay_digest(run, replayed);
    EXPECT_BYTES(replayed, live, 16);
    close_run(run);
}

/* The journal stays under 2.2 times what is alive and one segment, whatever lives how long: much that
 * stays in front and short lives behind it, the other way round, and small messages, whose records are
 * more than their bodies. What comes while the dropped segments are still readable is another one. */
TEST(the_journal_stays_small_whatever_the_mix) {
    static const struct {
        uint32_t rounds;
        uint32_t body_bytes;
        uint32_t keep_each;
    } mixes[][2] = {
        {{1500, BODY_BYTES, 1}, {6000, BODY_BYTES, 1000000}},
        {{3000, BODY_BYTES, 1000000}, {1500, BODY_BYTES, 2}},
        {{3000, BODY_BYTES, 3}, {3000, 100, 2}},
        {{30000, 50, 3}, {2000, BODY_BYTES, 30}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(mixes); i++) {
        struct run *run = open_run();
        for (size_t k = 0; k < ARRAY_COUNT(mixes[i]); k++) {
            load(run, mixes[i][k].rounds, mixes[i][k].body_bytes, mixes[i][k].keep_each);
        }
        EXPECT_INT(run->answers_wrong, 0);
        shard_close(run->shard);
        close_run(run);
    }
}

/* A start from what the load has left: its messages can be received with their bodies. */
TEST(a_second_life_serves_what_the_first_has_left) {
    struct run *run = open_run();
    run->rounds_left = 0;
    run->body_bytes = BODY_BYTES;
    run->keep_each = KEEP_EACH;
    struct command create = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE("a")}};
    shard_submit(run->shard, &create, NULL, NULL);
    struct allocator allocator = allocator_system();
    struct buffer buffer;
    buffer_open(&buffer, &allocator, BODY_BYTES * 2);
    message_body_encode(&buffer, &(struct message_body){.text = {run->text, BODY_BYTES}});
    struct command_send_entry entry = {buffer_slice(&buffer), BODY_BYTES, -1};
    struct command command = {.kind = COMMAND_SEND, .send = {SLICE("a"), &entry, 1}};
    for (uint32_t i = 0; i < 100; i++) shard_submit(run->shard, &command, NULL, NULL);
    buffer_close(&buffer);
    shard_close(run->shard); /* makes it durable */
    env_run_real(run->env);

    open_journal(run);
    struct shard_options options = {.env = run->env, .journal = run->journal};
    EXPECT_INT(shard_open(&options, &run->shard), 0);
    run->chains_left = 100;
    struct command_receive receive = {SLICE("a"), 1, 3600000};
    for (uint32_t i = 0; i < 100; i++) {
        EXPECT(shard_receive(run->shard, &receive, 0, on_received, run) != NULL);
    }
    env_run_real(run->env);
    EXPECT_INT(run->answers_wrong, 0);
    EXPECT_INT(run->bodies_read, 100);
    shard_close(run->shard);
    close_run(run);
}
