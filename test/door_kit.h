/* SPDX-License-Identifier: Apache-2.0 */
/* door_kit.h -- for tests of what stands between HTTP and the shard: a journal in a folder of its
 * own, a shard, a server on loopback, lines put in force, and workers that do as they are told.
 */
#ifndef TAKT_TEST_DOOR_KIT_H
#define TAKT_TEST_DOOR_KIT_H

#include "broker/message_body.h"
#include "journal/file/journal_file.h"
#include "line/definition.h"
#include "shard/shard.h"

#include "http_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct door_kit {
    struct fixture fixture; /* its env and server */
    char path[64];
    struct shard *shard;
    struct definition_files files;
    bool has_files;
    struct broker_ref line;
    bool is_answered;
    enum broker_result result; /* of the last door_submit */
    uint32_t count;            /* …of what was leased, or moved */
    struct broker_ref session;
    struct answer_lease lease; /* the first */
};

static inline void door_start(struct door_kit *kit) {
    struct journal *journal = NULL;
    struct journal_file_options file = {
        .env = kit->fixture.env, .path = kit->path, .segment_bytes = 4u << 20, .no_sync = true};
    EXPECT_INT(env_open_real(&kit->fixture.env), 0);
    file.env = kit->fixture.env;
    EXPECT_INT(journal_file_open(&file, &journal), 0);
    struct shard_options options = {.env = kit->fixture.env, .journal = journal};
    EXPECT_INT(shard_open(&options, &kit->shard), 0);
}

static inline void door_open(struct door_kit *kit) {
    *kit = (struct door_kit){0};
    snprintf(kit->path, sizeof kit->path, "/tmp/takt-door-XXXXXX");
    EXPECT(mkdtemp(kit->path) != NULL);
    door_start(kit);
}

static inline void door_listen(struct door_kit *kit, const struct http_handler *of, void *context) {
    struct http_server_options options = {
        .env = kit->fixture.env, .address = "127.0.0.1:0", .handler = of, .context = context};
    EXPECT_INT(http_server_open(&options, &kit->fixture.server), 0);
}

static inline bool door_remove_name(void *context, const char *name) {
    struct door_kit *kit = context;
    char path[512];
    snprintf(path, sizeof path, "%s/%s", kit->path, name);
    EXPECT_INT(unlink(path), 0);
    return true;
}

static inline void door_close(struct door_kit *kit) {
    struct env *env = kit->fixture.env;
    struct env_file *folder = NULL;
    shard_close(kit->shard);
    if (kit->has_files) definition_close(&kit->files);
    env_run_real(env); /* what pool threads still hold */
    EXPECT_INT(env->ops->open_directory(env, kit->path, false, &folder), 0);
    EXPECT_INT(env->ops->list(env, folder, door_remove_name, kit), 0);
    env->ops->close(env, folder);
    env_close_real(env);
    EXPECT_INT(rmdir(kit->path), 0);
}

static inline void door_turn(struct door_kit *kit) {
    uv_loop_t *loop = env_loop_real(kit->fixture.env);
    struct pollfd ready = {.fd = uv_backend_fd(loop), .events = POLLIN};
    int timeout_ms = uv_backend_timeout(loop);
    poll(&ready, 1, timeout_ms >= 0 && timeout_ms < 20 ? timeout_ms : 20);
    uv_run(loop, UV_RUN_NOWAIT);
}

/* ---- asking ---- */

static inline bool door_is_whole(const struct client *client) {
    const char *end = client->count == 0 ? NULL : strstr(client->bytes, "\r\n\r\n");
    if (end == NULL) return false;
    const char *length = strstr(client->bytes, "Content-Length: ");
    if (length == NULL || length > end) return true;
    size_t body = strtoul(length + strlen("Content-Length: "), NULL, 10);
    return client->count >= (size_t)(end + 4 - client->bytes) + body;
}

static inline bool door_hears(struct door_kit *kit, struct client *client) {
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && !door_is_whole(client);) {
        if (client->ended) break;
        pump(&kit->fixture, client);
    }
    return door_is_whole(client);
}

/* "POST /orders" with these header lines ("A: b\r\n") and this body; the answer is the caller's to
 * close. */
static inline struct client door_ask(struct door_kit *kit, const char *request, const char *headers,
                                     const char *body) {
    struct client client = client_open(&kit->fixture);
    char text[8192];
    int count = snprintf(text, sizeof text, "%s HTTP/1.1\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                         request, strstr(headers, "Host:") != NULL ? "" : "Host: 127.0.0.1\r\n",
                         headers, strlen(body), body);
    EXPECT(count > 0 && (size_t)count < sizeof text);
    say(&kit->fixture, &client, text);
    return client;
}

/* Ask, and expect this status and these texts in the answer (NULL: no more). */
static inline void door_expect(struct door_kit *kit, const char *request, const char *headers,
                               const char *body, int status, const char *first,
                               const char *second) {
    struct client client = door_ask(kit, request, headers, body);
    if (!door_hears(kit, &client)) EXPECT_STRING(request, "answered");
    if (strtol(client.bytes + strlen("HTTP/1.1 "), NULL, 10) != status)
        EXPECT_STRING(client.bytes, request);
    if (first != NULL && strstr(client.bytes, first) == NULL) EXPECT_STRING(client.bytes, first);
    if (second != NULL && strstr(client.bytes, second) == NULL) EXPECT_STRING(client.bytes, second);
    client_close(&client);
}

/* ---- commands ---- */

static inline void door_answered(void *context, const struct broker_answer *answer) {
    struct door_kit *kit = context;
    kit->is_answered = true;
    kit->result = answer->result;
}

static inline void door_leased(void *context, const struct broker_answer *answer) {
    struct door_kit *kit = context;
    door_answered(context, answer);
    kit->count = answer->result == BROKER_OK ? answer->lease.count : 0;
    if (kit->count > 0) kit->lease = answer->lease.leases[0];
}

static inline void door_session(void *context, const struct broker_answer *answer) {
    struct door_kit *kit = context;
    door_answered(context, answer);
    kit->session = answer->session.session;
}

static inline enum broker_result door_submit(struct door_kit *kit, const struct command *command,
                                             shard_answer_fn *done) {
    kit->is_answered = false;
    shard_submit(kit->shard, command, done, kit);
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && !kit->is_answered;) door_turn(kit);
    EXPECT(kit->is_answered);
    return kit->result;
}

static inline void door_create_queue(struct door_kit *kit, const char *name, const char *dead) {
    struct command command = {.kind = COMMAND_QUEUE_CREATE,
                              .queue = {.name = slice_from_string(name)}};
    if (dead != NULL) {
        command.queue.given = QUEUE_SET_DEAD;
        command.queue.settings.dead_queue = slice_from_string(dead);
        command.queue.settings.dead_after = 1;
    }
    EXPECT_INT(door_submit(kit, &command, door_answered), BROKER_OK);
}

static inline void door_send(struct door_kit *kit, const char *queue, const char *text) {
    struct buffer body;
    buffer_open(&body, &kit->fixture.env->allocator, 1 << 20);
    struct message_body message = {.text = slice_from_string(text), .attributes_count = 1};
    message.attributes[0] =
        (struct message_attribute){SLICE("colour"), SLICE("String"), SLICE("red")};
    message_body_encode(&body, &message);
    struct command_send_entry entry = {
        .body = buffer_slice(&body), .counted_bytes = 10, .delay_ms = -1};
    struct command command = {
        .kind = COMMAND_SEND,
        .send = {.queue = slice_from_string(queue), .entries = &entry, .entries_count = 1}};
    EXPECT_INT(door_submit(kit, &command, door_answered), BROKER_OK);
    buffer_close(&body);
}

/* ---- lines ---- */

static inline const char *door_variable(void *context, const char *name) {
    (void)context;
    (void)name;
    return NULL;
}

/* Put the one line of this file in force. */
static inline void door_put_line(struct door_kit *kit, const char *text) {
    struct definition_source source = {
        .path = "line.yaml", .folder = "/", .bytes = slice_from_string(text)};
    struct definition_options options = {.allocator = &kit->fixture.env->allocator,
                                         .variable = door_variable};
    int rc = definition_read(&source, 1, &options, &kit->files);
    kit->has_files = true;
    if (rc != 0) EXPECT_STRING(kit->files.errors.list[0].text, "no error");
    const struct definition *definition = &kit->files.definitions[0];
    struct line_station stations[DEFINITION_STATIONS_MAX];
    for (uint32_t i = 0; i < definition->stations_count; i++) {
        const struct definition_station *from = &definition->stations[i];
        stations[i] = (struct line_station){
            .name = slice_from_string(from->name),
            .queue = slice_from_string(from->queue.name),
            .dead_queue = slice_from_string(from->queue.dead_name),
            .retention_ms = from->queue.retention_ms,
            .backoff_ms_min = 1,
            .backoff_ms_max = 1,
            .attempts_max = from->retry_attempts,
            .wip_limit = from->wip_limit,
            .join_opener = from->join_opener,
            .within_ms = from->within_ms,
            .reach = from->joins_reachable,
            .gates = from->gates,
            .is_result = definition->result == (int32_t)i,
        };
    }
    struct command command = {.kind = COMMAND_LINE_PUT,
                              .line_put = {.name = slice_from_string(definition->name),
                                           .file = definition->source,
                                           .stations = stations,
                                           .stations_count = definition->stations_count,
                                           .keep_jobs_ms = definition->keep_jobs_ms}};
    EXPECT_INT(door_submit(kit, &command, door_answered), BROKER_OK);
    struct line_view line;
    EXPECT(broker_find_line(shard_broker(kit->shard), slice_from_string(definition->name), &line));
    kit->line = line.ref;
}

/* A worker of that station comes to life: kit->session. */
static inline void door_open_session(struct door_kit *kit, uint32_t station) {
    struct command command = {.kind = COMMAND_SESSION_OPEN,
                              .session = {.line = kit->line, .station = station}};
    EXPECT_INT(door_submit(kit, &command, door_session), BROKER_OK);
}

/* It takes one message: kit->lease. Its time may not have come yet. */
static inline void door_lease(struct door_kit *kit) {
    struct command command = {.kind = COMMAND_LEASE,
                              .lease = {.session = kit->session, .messages_max = 1}};
    kit->count = 0;
    for (int64_t end = now_ms() + PATIENCE_MS; now_ms() < end && kit->count == 0;) {
        (void)door_submit(kit, &command, door_leased);
        if (kit->count == 0) door_turn(kit);
    }
    EXPECT_INT(kit->count, 1);
}

/* …and ends it: with a result (FAIL, REJECT: with an error). */
static inline void door_end(struct door_kit *kit, enum command_kind kind, const char *text) {
    struct command command = {.kind = kind};
    if (kind == COMMAND_COMPLETE) {
        command.complete = (struct command_complete){.session = kit->session,
                                                     .message = kit->lease.message,
                                                     .result = slice_from_string(text)};
    } else {
        command.attempt = (struct command_attempt){.session = kit->session,
                                                   .message = kit->lease.message,
                                                   .error = slice_from_string(text)};
    }
    EXPECT_INT(door_submit(kit, &command, door_answered), BROKER_OK);
}

#endif
