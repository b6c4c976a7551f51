/* SPDX-License-Identifier: Apache-2.0 */
/* sqs.c -- SQS requests of any content, over the HTTP server, to a shard whose journal obeys.
 *
 * An input is lines. A letter begins a request: the action's name, a space, the JSON body. `?` begins
 * a body of the Query protocol. The rest is about what is around:
 *
 *   +N   N seconds pass              @X   "X" is a header of the next requests, "@" alone: none
 *   /X   …their path, from "/"       -    the clients that wait go away
 *   =    hold commits, or stop to    !N   the journal: 0 fine, 1 full, 2 busy, 3 bodies are cold, 4 they
 *   *    carry all, and trim              come, 5 it fails, 6 no memory after N more calls: "!6 9"
 *   >X   a request as it stands, with \n for a line's end
 *
 * In a body $1 is the newest receipt handle, $2 the one before, to $9; $t the newest NextToken.
 *
 * Every answer is whole and says what SQS says: a status it has, a body that is JSON or XML, an
 * error with its header. The state stays sound, and what the log gives again is the same state.
 */
#include "fuzz/fuzz.h"
#include "fuzz/with/network.h"

#include "base/json.h"
#include "between.h"
#include "journal/file/journal_file.h"
#include "sqs/sqs.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HANDLES_MAX 9u
#define HANDLE_BYTES 128u
#define HEADERS_BYTES_MAX 512u
#define PASS_SECONDS_MAX 90u
#define REQUESTS_MAX 60u
#define COLD_MAX 30u /* of BETWEEN_READS_MAX; the next request may add some */

struct run {
    struct network network;
    struct report report;
    struct between between; /* the journal, which obeys */
    struct shard *shard;
    struct sqs *sqs;
    struct http_server *server;
    bool is_holding;
    bool has_failed;
    bool lacks_memory;
    uint32_t requests_count;
    uint32_t waiting[NETWORK_CLIENTS_MAX]; /* places + 1; 0: none */
    char headers[HEADERS_BYTES_MAX];
    char path[HEADERS_BYTES_MAX];
    char handles[HANDLES_MAX][HANDLE_BYTES]; /* the newest first */
    char token[HANDLE_BYTES];
};

static void on_failure(void *context, int result) {
    struct run *run = context;
    EXPECT(result < 0);
    run->has_failed = true;
}

static struct journal *open_house(struct machine *machine) {
    struct journal_file_options options = {.env = &machine->env,
                                           .path = "data",
                                           .segment_bytes = 4u * 1024 * 1024,
                                           .bytes_kept_free = 4096};
    struct journal *house;
    EXPECT_INT(journal_file_open(&options, &house), 0);
    return house;
}

static void open_run(struct run *run) {
    network_open(&run->network);
    between_init(&run->between, run->network.machine, &run->report);
    run->between.is_held = true;
    struct shard_options options = {
        .env = run->network.env,
        .journal = between_open(&run->between, open_house(run->network.machine)),
        .broker = {.messages_max = 2000, .queues_max = 20},
        .on_failure = on_failure,
        .context = run};
    EXPECT_INT(shard_open(&options, &run->shard), 0);
    between_commit(&run->between);
    EXPECT_INT(sqs_open(&(struct sqs_options){.shard = run->shard}, &run->sqs), 0);
    struct http_server_options http = {.env = run->network.env,
                                       .address = "127.0.0.1:0",
                                       .handler = sqs_handler(),
                                       .context = run->sqs};
    EXPECT_INT(http_server_open(&http, &run->server), 0);
    (void)snprintf(run->path, sizeof run->path, "/");
}

struct replay {
    struct broker *broker;
    uint64_t trimmed;
};

static int apply_one(void *context, const struct journal_record *record) {
    const struct replay *replay = context;
    if (record->lsn < replay->trimmed) return 0;
    return broker_apply(replay->broker, record->lsn, record->bytes, record->bodies,
                        record->bodies_count);
}

/* The log alone gives the state that there is. */
static void check_replay(const struct run *run) {
    struct allocator allocator = allocator_system();
    struct broker_options options = {
        .allocator = &allocator, .messages_max = 2000, .queues_max = 20};
    struct machine *machine = machine_copy(run->network.machine);
    EXPECT(machine != NULL);
    struct journal *house = open_house(machine);
    struct replay replay = {broker_open(&options), run->between.trimmed};
    char words[256] = "";
    uint8_t digests[2][16];
    EXPECT(replay.broker != NULL);
    broker_replay_begin(replay.broker);
    EXPECT_INT(journal_replay(house, apply_one, &replay), 0);
    int rc = broker_replay_end(replay.broker, words, sizeof words);
    EXPECT_STRING(words, "");
    EXPECT_INT(rc, 0);
    broker_check(replay.broker);
    broker_digest(replay.broker, digests[0]);
    broker_digest(shard_broker(run->shard), digests[1]);
    EXPECT_BYTES(digests[0], digests[1], sizeof digests[0]);
    journal_close(house);
    broker_close(replay.broker);
    machine_close(machine);
}

/* ---- answers ---- */

static void note_handle(struct run *run, const char *text, size_t count) {
    if (count >= HANDLE_BYTES) return;
    memmove(run->handles[1], run->handles[0], (HANDLES_MAX - 1) * HANDLE_BYTES);
    memcpy(run->handles[0], text, count);
    run->handles[0][count] = '\0';
}

static void note_values(struct run *run, const char *body) {
    static const char handle[] = "\"ReceiptHandle\":\"";
    static const char token[] = "\"NextToken\":\"";
    for (const char *at = body; (at = strstr(at, handle)) != NULL;) {
        at += sizeof handle - 1;
        note_handle(run, at, strcspn(at, "\""));
    }
    const char *at = strstr(body, token);
    if (at == NULL || strcspn(at + sizeof token - 1, "\"") >= sizeof run->token) return;
    at += sizeof token - 1;
    (void)snprintf(run->token, sizeof run->token, "%.*s", (int)strcspn(at, "\""), at);
}

static bool is_status(long status) {
    static const long all[] = {200, 400, 403, 404, 405, 408, 413, 431, 500, 503, 505};
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        if (all[i] == status) return true;
    }
    return false;
}

/* The head and the body of the one answer in `text`, if it is whole. */
static bool cut_answer(const char *text, struct slice *head, struct slice *body) {
    const char *end = strstr(text, "\r\n\r\n");
    if (end == NULL) return false;
    *head = slice_from(text, (size_t)(end + 4 - text));
    static const char name[] = "\r\nContent-Length: ";
    const char *length = strstr(text, name);
    EXPECT(length != NULL && length < end);
    *body = slice_from(end + 4, strtoul(length + sizeof name - 1, NULL, 10));
    return strlen(end + 4) >= body->count;
}

static void check_answer(struct run *run, const char *text) {
    struct slice head;
    struct slice body;
    if (!cut_answer(text, &head, &body)) return;
    long status = strtol(text + strlen("HTTP/1.1 "), NULL, 10);
    EXPECT(slice_starts_with(head, SLICE("HTTP/1.1 ")) && is_status(status));
    bool has_error = memmem(head.bytes, head.count, "x-amzn-query-error: ", 20) != NULL;
    bool is_json = memmem(head.bytes, head.count, "x-amz-json-1.0", 14) != NULL;
    if (status == 200) EXPECT(!has_error);
    if (is_json && body.count > 0) EXPECT(json_validate(body, NULL));
    if (status != 200 && is_json && body.count > 0) {
        EXPECT(json_type(json_member(body, SLICE("__type"))) == JSON_STRING);
    }
    /* A failure of ours: only when there is a reason. */
    if (status == 500) EXPECT(run->lacks_memory);
    if (is_json) note_values(run, body.bytes);
}

static void hear(struct run *run) {
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        if (run->waiting[i] == 0) continue;
        uint32_t place = run->waiting[i] - 1;
        struct network_client *client = &run->network.clients[place];
        if (client->in_count > 0) {
            check_answer(run, client->in);
        } else if (client->tcp != NULL) {
            continue; /* it has not come yet */
        }
        network_leave(&run->network, place);
        run->waiting[i] = 0;
    }
}

static void settle(struct run *run) {
    for (int i = 0; i < 3; i++) {
        network_settle(&run->network);
        if (!run->is_holding && !run->has_failed) between_commit(&run->between);
    }
    network_settle(&run->network);
    hear(run);
    if (run->between.reads_count > COLD_MAX) (void)between_read_all(&run->between);
    network_settle(&run->network);
    broker_check(shard_broker(run->shard));
}

/* ---- requests ---- */

static void send_bytes(struct run *run, struct slice bytes) {
    uint32_t place;
    if (run->requests_count == REQUESTS_MAX || !network_connect(&run->network, &place)) return;
    run->requests_count++;
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        if (run->waiting[i] != 0) continue;
        run->waiting[i] = place + 1;
        break;
    }
    network_send(&run->network, place, bytes.bytes, bytes.count);
    settle(run);
}

/* $1 … $9 and $t are replaced. */
static void put_body(const struct run *run, struct slice body, struct buffer *out) {
    for (size_t i = 0; i < body.count; i++) {
        char next = i + 1 < body.count ? body.bytes[i + 1] : '\0';
        bool is_handle = next >= '1' && next <= '9';
        if (body.bytes[i] != '$' || (!is_handle && next != 't')) {
            buffer_append_byte(out, body.bytes[i]);
            continue;
        }
        const char *value = is_handle ? run->handles[next - '1'] : run->token;
        buffer_append(out, slice_from_string(value));
        i++;
    }
}

static void request(struct run *run, struct slice action, struct slice body, const char *type) {
    struct allocator allocator = allocator_system();
    struct buffer whole;
    struct buffer filled;
    buffer_open(&whole, &allocator, 8u << 20);
    buffer_open(&filled, &allocator, 8u << 20);
    put_body(run, body, &filled);
    buffer_printf(&whole, "POST %s HTTP/1.1\r\nHost: q:1\r\nContent-Type: %s\r\n", run->path, type);
    if (action.count > 0) {
        buffer_printf(&whole, "X-Amz-Target: AmazonSQS.%.*s\r\n", SLICE_ARGS(action));
    }
    buffer_printf(&whole, "%sContent-Length: %zu\r\n\r\n", run->headers, filled.count);
    buffer_append(&whole, buffer_slice(&filled));
    EXPECT(!whole.failed && !filled.failed);
    send_bytes(run, buffer_slice(&whole));
    buffer_close(&whole);
    buffer_close(&filled);
}

/* With \n for the end of a line. */
static void request_raw(struct run *run, struct slice text) {
    struct allocator allocator = allocator_system();
    struct buffer whole;
    buffer_open(&whole, &allocator, 8u << 20);
    for (size_t i = 0; i < text.count; i++) {
        bool is_end = text.bytes[i] == '\\' && i + 1 < text.count && text.bytes[i + 1] == 'n';
        if (is_end) i++;
        buffer_append(&whole, is_end ? SLICE("\r\n") : slice_from(text.bytes + i, 1));
    }
    send_bytes(run, buffer_slice(&whole));
    buffer_close(&whole);
}

/* ---- what is around ---- */

static void set_journal(struct run *run, struct slice order) {
    struct slice kind;
    struct slice value;
    uint64_t count = 0;
    slice_cut(order, ' ', &kind, &value);
    if (kind.count != 1 || run->has_failed) return;
    switch (kind.bytes[0]) {
    case '1': run->between.reserve_result = -ENOSPC; break;
    case '2': run->between.reserve_result = -EAGAIN; break;
    case '3': run->between.is_cold = true; break;
    case '4':
        run->between.is_cold = false;
        (void)between_read_all(&run->between);
        break;
    case '5': between_fail(&run->between, -EIO); break;
    case '6':
        run->lacks_memory = true;
        run->network.allocations_left = slice_to_u64(value, 10000, &count) ? (int64_t)count : 20;
        return;
    default: run->between.reserve_result = 0; break;
    }
    run->network.allocations_left = -1;
}

static void pass(struct run *run, struct slice text) {
    uint64_t seconds;
    if (!slice_to_u64(text, PASS_SECONDS_MAX, &seconds)) return;
    for (uint64_t i = 0; i < seconds; i++) {
        network_pass_ms(&run->network, 1000);
        settle(run);
    }
}

static void leave_all(struct run *run) {
    for (uint32_t i = 0; i < NETWORK_CLIENTS_MAX; i++) {
        if (run->waiting[i] > 0) network_leave(&run->network, run->waiting[i] - 1);
        run->waiting[i] = 0;
    }
}

static void set_header(struct run *run, struct slice text) {
    if (text.count == 0 || text.count + 3 > sizeof run->headers) {
        run->headers[0] = '\0';
        return;
    }
    (void)snprintf(run->headers, sizeof run->headers, "%.*s\r\n", SLICE_ARGS(text));
}

static void carry_all(struct run *run) {
    run->between.want = run->between.appended + 1;
    run->between.pace = 4000;
}

static void obey(struct run *run, struct slice line) {
    struct slice rest = slice_skip(line, 1);
    struct slice action;
    switch (line.bytes[0]) {
    case '+': pass(run, rest); return;
    case '@': set_header(run, rest); return;
    case '/': (void)snprintf(run->path, sizeof run->path, "%.*s", SLICE_ARGS(line)); return;
    case '-': leave_all(run); break;
    case '=': run->is_holding = !run->is_holding; break;
    case '*': carry_all(run); break;
    case '!': set_journal(run, rest); break;
    case '>': request_raw(run, rest); return;
    case '?': request(run, SLICE_EMPTY, rest, "application/x-www-form-urlencoded"); return;
    default:
        slice_cut(line, ' ', &action, &rest);
        request(run, action, rest, "application/x-amz-json-1.0");
        return;
    }
    settle(run);
}

static void close_run(struct run *run) {
    run->network.allocations_left = -1;
    run->is_holding = false;
    run->between.reserve_result = 0;
    run->between.is_cold = false;
    (void)between_read_all(&run->between);
    settle(run);
    if (!run->has_failed) check_replay(run);
    leave_all(run);
    http_server_close(run->server);
    network_settle(&run->network);
    sqs_close(run->sqs);
    shard_close(run->shard);
    network_close(&run->network);
    EXPECT_STRING(run->report.words, "");
    free(run);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct run *run = calloc(1, sizeof *run);
    EXPECT(run != NULL);
    open_run(run);
    struct slice rest = slice_from(bytes, count);
    while (rest.count > 0) {
        struct slice line;
        slice_cut(rest, '\n', &line, &rest);
        if (line.count > 0) obey(run, line);
    }
    close_run(run);
    return 0;
}
