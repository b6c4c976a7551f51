/* SPDX-License-Identifier: Apache-2.0 */
/* backlog_client.c -- fills and empties a queue over AWS JSON 1.0, in batches of ten.
 *
 *   backlog_client PORT QUEUE_URL send|take|receive MESSAGES CONNECTIONS [BODY_BYTES [RATE [ATTRIBUTES]]]
 *
 * send: SendMessageBatch; with a RATE (messages a second) each batch has a moment at which it is due,
 * and its latency counts from there, so that a server that stalls is not asked less. take: receive ten
 * and delete them. receive: without deleting. One thread, CONNECTIONS sockets, one request on each.
 *
 * Prints a line of JSON when MESSAGES are done: messages, seconds, requests, latencies in µs. Exits
 * with 1 at the first answer that is not 200, at a message that was refused, and at an empty receive.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 10u
#define CONNECTIONS_MAX 256u
#define BYTES_MAX (BATCH * 16u * 1024)
#define HANDLE_BYTES_MAX 128u
#define ATTRIBUTES_MAX 10u

enum mode { MODE_SEND, MODE_TAKE, MODE_RECEIVE };

struct connection {
    int fd;
    bool is_busy;
    bool is_delete;
    uint32_t asked;    /* messages that the request counts for */
    uint32_t messages; /* of the request under way; of what is to be deleted */
    int64_t due_ns;
    size_t count; /* bytes of the answer so far */
    char handles[BATCH][HANDLE_BYTES_MAX];
    char bytes[BYTES_MAX];
};

struct client {
    enum mode mode;
    const char *queue_url;
    uint64_t messages_max;
    uint64_t messages_begun;
    uint64_t messages_done;
    uint32_t connections_count;
    uint32_t body_bytes;
    uint32_t attributes;
    double rate; /* 0: as fast as it goes */
    int64_t began_ns;
    uint32_t *latencies_us;
    uint64_t latencies_count;
    uint64_t latencies_room;
    char filler[16 * 1024];
    size_t body_count;
    char body[BYTES_MAX];
    struct connection connections[CONNECTIONS_MAX];
};

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void fail(const char *what, const char *text) {
    fprintf(stderr, "backlog_client: %s: %.600s\n", what, text);
    exit(1);
}

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("connect", strerror(errno));
    }
    return fd;
}

static void write_all(int fd, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t written = write(fd, bytes, count);
        if (written <= 0) fail("write", strerror(errno));
        bytes += written;
        count -= (size_t)written;
    }
}

/* Behind what the body holds already; it has room for the largest batch. */
static void add(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct client *client, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof client->body - client->body_count;
    int count = vsnprintf(client->body + client->body_count, room, format, arguments);
    va_end(arguments);
    if (count < 0 || (size_t)count >= room) fail("request", "too long");
    client->body_count += (size_t)count;
}

static void ask(struct client *client, struct connection *connection, const char *action) {
    char head[512];
    int head_count = snprintf(head, sizeof head,
                              "POST / HTTP/1.1\r\nHost: bench\r\n"
                              "Content-Type: application/x-amz-json-1.0\r\n"
                              "X-Amz-Target: AmazonSQS.%s\r\nContent-Length: %zu\r\n\r\n",
                              action, client->body_count);
    connection->is_busy = true;
    connection->count = 0;
    write_all(connection->fd, head, (size_t)head_count);
    write_all(connection->fd, client->body, client->body_count);
}

static void begin_body(struct client *client) {
    client->body_count = 0;
    add(client, "{\"QueueUrl\":\"%s\"", client->queue_url);
}

/* ---- the three requests ----------------------------------------------------------------------- */

static void add_attributes(struct client *client) {
    if (client->attributes == 0) return;
    add(client, ",\"MessageAttributes\":{");
    for (uint32_t i = 0; i < client->attributes; i++) {
        add(client,
            "%s\"attribute-%u\":{\"DataType\":\"String\",\"StringValue\":\"value number %u\"}",
            i == 0 ? "" : ",", i, i);
    }
    add(client, "}");
}

static void ask_send(struct client *client, struct connection *connection, uint32_t messages) {
    begin_body(client);
    add(client, ",\"Entries\":[");
    for (uint32_t i = 0; i < messages; i++) {
        unsigned long long number = client->messages_begun + i; /* no two bodies are alike */
        add(client, "%s{\"Id\":\"%u\",\"MessageBody\":\"%012llu %.*s\"", i == 0 ? "" : ",", i,
            number, (int)client->body_bytes - 13, client->filler + number % 2048);
        add_attributes(client);
        add(client, "}");
    }
    add(client, "]}");
    connection->messages = messages;
    ask(client, connection, "SendMessageBatch");
}

static void ask_receive(struct client *client, struct connection *connection) {
    begin_body(client);
    add(client, ",\"MaxNumberOfMessages\":%u}", BATCH);
    connection->is_delete = false;
    ask(client, connection, "ReceiveMessage");
}

static void ask_delete(struct client *client, struct connection *connection) {
    begin_body(client);
    add(client, ",\"Entries\":[");
    for (uint32_t i = 0; i < connection->messages; i++) {
        add(client, "%s{\"Id\":\"%u\",\"ReceiptHandle\":\"%s\"}", i == 0 ? "" : ",", i,
            connection->handles[i]);
    }
    add(client, "]}");
    connection->is_delete = true;
    ask(client, connection, "DeleteMessageBatch");
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void note_latency(struct client *client, int64_t since_ns) {
    if (client->latencies_count == client->latencies_room) {
        client->latencies_room = client->latencies_room == 0 ? 65536 : client->latencies_room * 2;
        client->latencies_us =
            realloc(client->latencies_us, client->latencies_room * sizeof(uint32_t));
        if (client->latencies_us == NULL) fail("latencies", "out of memory");
    }
    client->latencies_us[client->latencies_count++] = (uint32_t)((now_ns() - since_ns) / 1000);
}

static void find_handles(struct connection *connection, const char *text) {
    static const char name[] = "\"ReceiptHandle\":\"";
    connection->messages = 0;
    for (const char *at = strstr(text, name); at != NULL; at = strstr(at, name)) {
        at += sizeof name - 1;
        size_t count = strcspn(at, "\"");
        if (count >= HANDLE_BYTES_MAX || connection->messages == BATCH) fail("handle", at);
        memcpy(connection->handles[connection->messages], at, count);
        connection->handles[connection->messages++][count] = '\0';
    }
}

static void answer(struct client *client, struct connection *connection, const char *text) {
    connection->is_busy = false;
    note_latency(client, connection->due_ns);
    if (client->mode == MODE_SEND || connection->is_delete) {
        if (strstr(text, "\"Failed\":[{") != NULL) fail("refused", text);
        client->messages_done += connection->messages;
        return;
    }
    find_handles(connection, text);
    if (connection->messages == 0) fail("empty receive", text);
    if (connection->messages < connection->asked) {
        client->messages_begun -= connection->asked - connection->messages;
    }
    if (client->mode == MODE_RECEIVE) {
        client->messages_done += connection->messages;
        return;
    }
    connection->due_ns = now_ns();
    ask_delete(client, connection);
}

static void read_more(struct client *client, struct connection *connection) {
    ssize_t got = read(connection->fd, connection->bytes + connection->count,
                       sizeof connection->bytes - 1 - connection->count);
    if (got <= 0) fail("read", got == 0 ? "closed" : strerror(errno));
    connection->count += (size_t)got;
    connection->bytes[connection->count] = '\0';
    const char *end = strstr(connection->bytes, "\r\n\r\n");
    if (end == NULL) return;
    const char *length = strcasestr(connection->bytes, "content-length:");
    if (length == NULL || length > end) fail("no length", connection->bytes);
    size_t total = (size_t)(end + 4 - connection->bytes) + strtoul(length + 15, NULL, 10);
    if (total >= sizeof connection->bytes) fail("too long", connection->bytes);
    if (connection->count < total) return;
    if (strncmp(connection->bytes, "HTTP/1.1 200", 12) != 0) fail("answer", connection->bytes);
    answer(client, connection, end + 4);
}

/* ---- the loop --------------------------------------------------------------------------------- */

/* When the next batch is due. */
static int64_t next_ns(const struct client *client) {
    if (client->rate == 0) return now_ns();
    return client->began_ns + (int64_t)((double)client->messages_begun * 1e9 / client->rate);
}

static void begin(struct client *client, struct connection *connection) {
    uint64_t left = client->messages_max - client->messages_begun;
    if (connection->is_busy || left == 0 || next_ns(client) > now_ns()) return;
    uint32_t messages = left < BATCH ? (uint32_t)left : BATCH;
    connection->due_ns = next_ns(client);
    connection->asked = messages;
    if (client->mode == MODE_SEND) {
        ask_send(client, connection, messages);
    } else {
        ask_receive(client, connection);
    }
    client->messages_begun += messages;
}

static void run(struct client *client) {
    struct pollfd polls[CONNECTIONS_MAX];
    client->began_ns = now_ns();
    while (client->messages_done < client->messages_max) {
        for (uint32_t i = 0; i < client->connections_count; i++) {
            begin(client, &client->connections[i]);
            polls[i] = (struct pollfd){.fd = client->connections[i].fd, .events = POLLIN};
        }
        int64_t wait_ns = next_ns(client) - now_ns();
        bool is_paced = client->rate != 0 && client->messages_begun < client->messages_max;
        struct timespec timeout = {.tv_nsec = wait_ns < 0 ? 50000 : wait_ns % 1000000000};
        int ready = ppoll(polls, client->connections_count, is_paced ? &timeout : NULL, NULL);
        if (ready < 0) fail("poll", strerror(errno));
        for (uint32_t i = 0; i < client->connections_count; i++) {
            if (polls[i].revents != 0) read_more(client, &client->connections[i]);
        }
    }
}

static int compare(const void *a, const void *b) {
    uint32_t first = *(const uint32_t *)a;
    uint32_t second = *(const uint32_t *)b;
    return first < second ? -1 : first > second;
}

static void print(struct client *client) {
    double seconds = (double)(now_ns() - client->began_ns) / 1e9;
    uint64_t count = client->latencies_count;
    qsort(client->latencies_us, count, sizeof(uint32_t), compare);
    printf("{\"messages\":%llu,\"seconds\":%.3f,\"requests\":%llu,\"p50_us\":%u,\"p99_us\":%u,"
           "\"max_us\":%u}\n",
           (unsigned long long)client->messages_done, seconds, (unsigned long long)count,
           client->latencies_us[count / 2], client->latencies_us[count * 99 / 100],
           client->latencies_us[count - 1]);
}

static void read_options(struct client *client, int argc, char **argv) {
    static const char *const modes[] = {"send", "take", "receive"};
    while (client->mode <= MODE_RECEIVE && strcmp(argv[3], modes[client->mode]) != 0) {
        client->mode++;
    }
    client->queue_url = argv[2];
    client->messages_max = strtoull(argv[4], NULL, 10);
    client->connections_count = (uint32_t)strtoul(argv[5], NULL, 10);
    client->body_bytes = argc > 6 ? (uint32_t)strtoul(argv[6], NULL, 10) : 1024;
    client->rate = argc > 7 ? strtod(argv[7], NULL) : 0;
    client->attributes = argc > 8 ? (uint32_t)strtoul(argv[8], NULL, 10) : 0;
    if (client->mode > MODE_RECEIVE || client->connections_count == 0 ||
        client->connections_count > CONNECTIONS_MAX || client->messages_max == 0 ||
        client->body_bytes < 16 || client->body_bytes > 12 * 1024 ||
        client->attributes > ATTRIBUTES_MAX) {
        fail("usage", argv[3]);
    }
}

int main(int argc, char **argv) {
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL || argc < 6) {
        fputs("usage: backlog_client PORT QUEUE_URL send|take|receive MESSAGES CONNECTIONS "
              "[BODY_BYTES [RATE [ATTRIBUTES]]]\n",
              stderr);
        return 2;
    }
    read_options(client, argc, argv);
    for (size_t i = 0; i < sizeof client->filler; i++) {
        client->filler[i] = (char)('a' + (i * 7919 + i / 64) % 26);
    }
    for (uint32_t i = 0; i < client->connections_count; i++) {
        client->connections[i].fd = connect_to((uint16_t)strtoul(argv[1], NULL, 10));
    }
    run(client);
    print(client);
    free(client->latencies_us);
    free(client);
    return 0;
}
