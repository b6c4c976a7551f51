/* SPDX-License-Identifier: Apache-2.0 */
/* backlog_fill.c -- a queue of many messages in a data folder, by takt's own shard and journal.
 *
 *   backlog_fill FOLDER MESSAGES BYTES [A_SEND]
 *
 * FOLDER is what `takt serve --data` is given afterwards. What comes of it is what clients leave that
 * send from 4,096 connections, A_SEND (1 to 10) messages each time: every answer waits for its commit.
 * Only HTTP is left out, which would take most of the time.
 */
#include "broker/message_body.h"
#include "journal/file/journal_file.h"
#include "shard/shard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONNECTIONS 4096u
#define QUEUE "backlog"
#define BYTES_MAX (256ull * 1024)
#define MESSAGES_MAX 50000000ull

struct fill {
    struct env *env;
    struct log log;
    struct shard *shard;
    struct buffer body;
    uint64_t messages_count; /* wanted */
    uint64_t sent_count;
    uint64_t answered_count;
    uint64_t body_bytes;
    uint32_t a_send;
    int result;
};

static void say(void *context, enum log_level level, struct slice text) {
    (void)context;
    (void)level;
    fprintf(stderr, "backlog_fill: %.*s\n", SLICE_ARGS(text));
}

static void send_next(struct fill *fill);

static void on_answer(void *context, const struct broker_answer *answer) {
    struct fill *fill = context;
    if (answer->result == BROKER_BUSY || answer->result == BROKER_OK) {
        uint64_t left = fill->messages_count - fill->answered_count;
        uint64_t count = left < fill->a_send ? left : fill->a_send;
        if (answer->result == BROKER_OK) {
            fill->answered_count += count;
        } else {
            fill->sent_count -= count;
        }
    } else {
        fprintf(stderr, "backlog_fill: a send is refused: %s\n",
                broker_result_words(answer->result));
        fill->result = -EIO;
    }
    if (fill->result < 0 || fill->answered_count == fill->messages_count) {
        env_stop_real(fill->env);
    } else {
        send_next(fill);
    }
}

/* The bodies differ in their first bytes, as those of real orders do. */
static void send_next(struct fill *fill) {
    uint64_t left = fill->messages_count - fill->sent_count;
    if (left == 0) return;
    uint32_t count = left < fill->a_send ? (uint32_t)left : fill->a_send;
    struct command_send_entry entries[BROKER_BATCH_MAX];
    char number[32];
    (void)snprintf(number, sizeof number, "%016llx", (unsigned long long)fill->sent_count);
    memcpy(fill->body.bytes + fill->body.count - fill->body_bytes, number, 16);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] =
            (struct command_send_entry){buffer_slice(&fill->body), (uint32_t)fill->body_bytes, -1};
    }
    fill->sent_count += count;
    struct command command = {.kind = COMMAND_SEND, .send = {SLICE(QUEUE), entries, count}};
    shard_submit(fill->shard, &command, on_answer, fill);
}

static void on_queue(void *context, const struct broker_answer *answer) {
    struct fill *fill = context;
    fill->result = answer->result == BROKER_OK ? 0 : -EIO;
    env_stop_real(fill->env);
}

static int fill_queue(struct fill *fill) {
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE(QUEUE)}};
    shard_submit(fill->shard, &command, on_queue, fill);
    env_run_real(fill->env);
    if (fill->result < 0) return fill->result;
    for (uint32_t i = 0; i < CONNECTIONS; i++) send_next(fill);
    env_run_real(fill->env);
    return fill->answered_count == fill->messages_count ? 0 : -EIO;
}

static int make_body(struct fill *fill) {
    char *text = malloc(fill->body_bytes);
    if (text == NULL) return -ENOMEM;
    memset(text, 'x', fill->body_bytes);
    struct message_body body = {.text = slice_from(text, fill->body_bytes), .has_md5 = true};
    buffer_open(&fill->body, &fill->env->allocator, BYTES_MAX + 1024);
    message_body_encode(&fill->body, &body);
    free(text);
    return fill->body.failed ? -ENOMEM : 0;
}

static int run(struct fill *fill, const char *folder) {
    char path[512];
    if (mkdir(folder, 0700) < 0 && errno != EEXIST) return -errno;
    (void)snprintf(path, sizeof path, "%s/journal", folder);
    struct journal *journal = NULL;
    struct journal_file_options options = {.env = fill->env, .log = &fill->log, .path = path};
    int rc = journal_file_open(&options, &journal);
    if (rc < 0) return rc;
    struct shard_options shard = {.env = fill->env, .log = &fill->log, .journal = journal};
    rc = shard_open(&shard, &fill->shard);
    if (rc < 0) return rc;
    rc = make_body(fill);
    if (rc == 0) rc = fill_queue(fill);
    shard_close(fill->shard);
    buffer_close(&fill->body);
    return rc;
}

static bool read_count(const char *text, uint64_t least, uint64_t most, uint64_t *out) {
    return slice_to_u64(slice_from_string(text), most, out) && *out >= least;
}

int main(int argc, char **argv) {
    static struct fill fill;
    uint64_t a_send = 1;
    bool is_right = (argc == 4 || argc == 5) &&
                    read_count(argv[2], 1, MESSAGES_MAX, &fill.messages_count) &&
                    read_count(argv[3], 16, BYTES_MAX, &fill.body_bytes) &&
                    (argc == 4 || read_count(argv[4], 1, BROKER_BATCH_MAX, &a_send));
    if (!is_right) {
        fprintf(stderr, "usage: backlog_fill FOLDER MESSAGES BYTES [A_SEND]\n");
        return 64;
    }
    fill.a_send = (uint32_t)a_send;
    fill.log = (struct log){.write = say, .level_min = LOG_WARNING};
    int rc = env_open_real(&fill.env);
    if (rc == 0) {
        rc = run(&fill, argv[1]);
        env_run_real(fill.env);
        env_close_real(fill.env);
    }
    if (rc < 0) fprintf(stderr, "backlog_fill: %s\n", strerror(-rc));
    return rc < 0;
}
