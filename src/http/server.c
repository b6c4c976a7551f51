/* SPDX-License-Identifier: Apache-2.0 */
/* server.c -- listening, the pools, and the clock that all connections share.
 *
 * http_server_close closes every handle; libuv confirms each on a later turn of the loop, and the
 * last one frees the server. One ticker looks at all connections about four times in an idle
 * timeout, so a deadline is met up to a half late and costs nothing to move.
 */
#include "http/server_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define CONNECTIONS_MAX_DEFAULT 10000u
#define IDLE_TIMEOUT_MS_DEFAULT 60000
#define TICK_MS_MAX 1000
#define LISTEN_BACKLOG 4096
#define ANSWER_HEAD_BYTES_MAX (256u * 1024)

struct exchange *server_take_exchange(struct http_server *server, struct connection *connection) {
    struct exchange *exchange = server->exchanges_unused;
    if (exchange != NULL) {
        server->exchanges_unused = exchange->next_unused;
        server->exchanges_unused_count--;
    } else {
        exchange = env_alloc(server->env, sizeof *exchange);
        if (exchange == NULL) return NULL;
        arena_open(&exchange->arena, &server->env->allocator, HTTP_ARENA_BYTES_MAX);
    }
    /* The headers are not cleared: headers_count says which of them count. */
    exchange->request = (struct http_request){
        .headers = exchange->headers,
        .arena = &exchange->arena,
    };
    exchange->connection = connection;
    exchange->next_unused = NULL;
    return exchange;
}

void server_give_back_exchange(struct http_server *server, struct exchange *exchange) {
    exchange->connection = NULL;
    if (server->closing || server->exchanges_unused_count == HTTP_POOL_MAX) {
        arena_close(&exchange->arena);
        env_free(server->env, exchange);
        return;
    }
    arena_reset(&exchange->arena); /* keeps at most one small block */
    exchange->next_unused = server->exchanges_unused;
    server->exchanges_unused = exchange;
    server->exchanges_unused_count++;
}

char *server_take_input(struct http_server *server) {
    if (server->inputs_unused_count > 0)
        return server->inputs_unused[--server->inputs_unused_count];
    /* Not zeroed: pages that no request reaches are never touched. */
    return allocator_resize_array(&server->env->allocator, NULL, HTTP_INPUT_BYTES, 1);
}

void server_give_back_input(struct http_server *server, char *input, size_t capacity) {
    if (input == NULL) return;
    if (server->closing || capacity != HTTP_INPUT_BYTES ||
        server->inputs_unused_count == HTTP_POOL_MAX) {
        env_free(server->env, input);
        return;
    }
    server->inputs_unused[server->inputs_unused_count++] = input;
}

static void free_server(struct http_server *server) {
    CHECK(list_is_empty(&server->connections));
    for (uint32_t i = 0; server->inputs_unused != NULL && i < server->inputs_unused_count; i++)
        env_free(server->env, server->inputs_unused[i]);
    while (server->exchanges_unused != NULL) {
        struct exchange *exchange = server->exchanges_unused;
        server->exchanges_unused = exchange->next_unused;
        arena_close(&exchange->arena);
        env_free(server->env, exchange);
    }
    buffer_close(&server->head);
    env_free(server->env, server->inputs_unused);
    env_free(server->env, server);
}

void server_handle_closed(struct http_server *server) {
    CHECK(server->handles_count > 0);
    server->handles_count--;
    if (server->handles_count == 0 && server->closing) free_server(server);
}

static void on_own_handle_closed(uv_handle_t *handle) {
    server_handle_closed(handle->data);
}

static void close_own_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle)) uv_close(handle, on_own_handle_closed);
}

/* libuv accepts nothing more before the one client that waits has been taken. */
static void accept_waiting(struct http_server *server) {
    int rc = connection_accept(server);
    if (rc < 0 && !server->accept_waits)
        log_printf(server->log, LOG_WARNING, "cannot take a connection at %s: %s; new clients wait",
                   server->address, uv_strerror(rc));
    server->accept_waits = rc < 0;
}

static void on_tick(uv_timer_t *ticker) {
    struct http_server *server = ticker->data;
    if (server->accept_waits && server->listening) accept_waiting(server);
    int64_t now_ms = (int64_t)uv_now(server->loop);
    struct list_link *link = server->connections.next;
    /* A connection leaves the list in a callback of its own, so `next` stays good in the loop. */
    for (; link != &server->connections; link = link->next)
        connection_look(CONTAINER_OF(link, struct connection, link), now_ms);
}

/* Bytes that came behind an answered request are parsed here, not inside http_respond: a handler is
 * never called by the call it makes. */
static void on_idle(uv_idle_t *idler) {
    struct http_server *server = idler->data;
    for (uint32_t budget = server->connections_count + server->refused_count; budget > 0;
         budget--) {
        struct list_link *link = list_first(&server->ready);
        if (link == NULL) break;
        list_remove(link);
        connection_process(CONTAINER_OF(link, struct connection, ready_link));
    }
    if (list_is_empty(&server->ready)) CHECK(uv_idle_stop(idler) == 0);
}

void server_add_ready(struct connection *connection) {
    struct http_server *server = connection->server;
    CHECK(list_is_empty(&connection->ready_link));
    list_append(&server->ready, &connection->ready_link);
    CHECK(uv_idle_start(&server->idler, on_idle) == 0);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct http_server *server = listener->data;
    if (status < 0) {
        log_printf(server->log, LOG_WARNING, "cannot accept a connection at %s: %s; it is dropped",
                   server->address, uv_strerror(status));
        return;
    }
    accept_waiting(server);
}

/* "127.0.0.1:80", "localhost:80" or "[::1]:80". */
static int read_address(const char *text, struct sockaddr_storage *out) {
    struct slice rest = slice_from_string(text);
    const char *colon = rest.count == 0 ? NULL : strrchr(text, ':');
    uint64_t port = 0;
    char host[64];
    if (colon == NULL || !slice_to_u64(slice_from_string(colon + 1), 65535, &port)) return -EINVAL;

    size_t host_count = (size_t)(colon - text);
    bool brackets = host_count >= 2 && text[0] == '[' && colon[-1] == ']';
    if (brackets) {
        text++;
        host_count -= 2;
    }
    if (host_count == 0 || host_count >= sizeof host) return -EINVAL;
    memcpy(host, text, host_count);
    host[host_count] = '\0';
    if (strcmp(host, "localhost") == 0) memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
    int rc = brackets ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)(void *)out)
                      : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)(void *)out);
    return rc < 0 ? -EINVAL : 0;
}

/* What the kernel says: the port may have been 0. */
static int write_address(struct http_server *server) {
    struct sockaddr_storage storage;
    int storage_bytes = sizeof storage;
    int rc =
        uv_tcp_getsockname(&server->listener, (struct sockaddr *)(void *)&storage, &storage_bytes);
    if (rc < 0) return rc;
    char host[48];
    if (storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&storage;
        rc = uv_ip6_name(six, host, sizeof host);
        snprintf(server->address, sizeof server->address, "[%s]:%u", host, ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&storage;
        rc = uv_ip4_name(four, host, sizeof host);
        snprintf(server->address, sizeof server->address, "%s:%u", host, ntohs(four->sin_port));
    }
    return rc;
}

static int listen_at(struct http_server *server, const struct sockaddr_storage *address) {
    int rc = uv_tcp_bind(&server->listener, (const struct sockaddr *)(const void *)address, 0);
    if (rc == 0) rc = uv_listen((uv_stream_t *)&server->listener, LISTEN_BACKLOG, on_connection);
    if (rc == 0) rc = write_address(server);
    int64_t tick_ms = server->timeout_ms / 4;
    if (tick_ms > TICK_MS_MAX) tick_ms = TICK_MS_MAX;
    if (tick_ms < 1) tick_ms = 1;
    if (rc == 0)
        rc = uv_timer_start(&server->ticker, on_tick, (uint64_t)tick_ms, (uint64_t)tick_ms);
    server->listening = rc == 0;
    return rc;
}

static int open_handles(struct http_server *server) {
    int rc = uv_tcp_init(server->loop, &server->listener);
    if (rc < 0) return rc;
    server->handles_count = 3;
    /* These two cannot fail. */
    CHECK(uv_timer_init(server->loop, &server->ticker) == 0);
    CHECK(uv_idle_init(server->loop, &server->idler) == 0);
    server->listener.data = server->ticker.data = server->idler.data = server;
    return 0;
}

int http_server_open(const struct http_server_options *options, struct http_server **out) {
    const struct http_handler *handler = options->handler;
    CHECK(handler->body_bytes_max != NULL && handler->on_request != NULL);
    CHECK(handler->on_closed != NULL && options->idle_timeout_ms >= 0);

    struct sockaddr_storage address = {0};
    int rc = read_address(options->address, &address);
    if (rc < 0) return rc;

    rc = -ENOMEM;
    struct http_server *server = env_alloc(options->env, sizeof *server);
    if (server == NULL) return rc;
    server->env = options->env;
    server->log = options->log;
    server->handler = handler;
    server->context = options->context;
    server->loop = env_loop_real(options->env);
    server->connections_max =
        options->connections_max == 0 ? CONNECTIONS_MAX_DEFAULT : options->connections_max;
    server->timeout_ms =
        options->idle_timeout_ms == 0 ? IDLE_TIMEOUT_MS_DEFAULT : options->idle_timeout_ms;
    list_init(&server->connections);
    list_init(&server->ready);
    buffer_open(&server->head, &server->env->allocator, ANSWER_HEAD_BYTES_MAX);
    server->inputs_unused = env_alloc(server->env, HTTP_POOL_MAX * sizeof *server->inputs_unused);
    if (server->inputs_unused == NULL) goto fail;

    rc = open_handles(server);
    if (rc < 0) goto fail;
    rc = listen_at(server, &address);
    if (rc < 0) {
        http_server_close(server); /* the open handles free it */
        return rc;
    }
    *out = server;
    return 0;

fail:
    free_server(server);
    return rc;
}

void http_server_set_context(struct http_server *server, void *context) {
    server->context = context;
}

const char *http_server_address(const struct http_server *server) {
    return server->address;
}

void http_server_stop(struct http_server *server) {
    if (!server->listening) return;
    server->listening = false;
    close_own_handle((uv_handle_t *)&server->listener);
    struct list_link *link = server->connections.next;
    for (; link != &server->connections; link = link->next) {
        struct connection *connection = CONTAINER_OF(link, struct connection, link);
        if (connection_is_idle(connection)) connection_close(connection);
    }
}

void http_server_close(struct http_server *server) {
    if (server == NULL) return;
    CHECK(!server->closing);
    server->closing = true;
    server->listening = false;
    close_own_handle((uv_handle_t *)&server->listener);
    close_own_handle((uv_handle_t *)&server->ticker);
    close_own_handle((uv_handle_t *)&server->idler);
    struct list_link *link = server->connections.next;
    for (; link != &server->connections; link = link->next)
        connection_close(CONTAINER_OF(link, struct connection, link));
}
