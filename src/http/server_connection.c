/* SPDX-License-Identifier: Apache-2.0 */
/* server_connection.c -- one client: what it sends, what it is sent, and when it is over.
 *
 * The happy path: bytes are read into the connection's input, which it holds only while there is
 * something in it; parse_head and parse_body find a whole request in them, in place; the handler
 * gets it; http_respond writes the answer at once and comes back through connection_answered.
 *
 * We read on while the handler has the request, to notice that the client goes away. What arrives
 * then waits behind the request until the input is full; from there on reading pauses and the
 * ticker asks the kernel for a hang-up instead. The end of stream counts as "gone", also when the
 * client has only shut down its sending side: an answer under way is finished, nothing else.
 *
 * A request that is refused is answered by us, then the connection ends. Only connection_receive
 * and connection_send touch the bytes of the socket: TLS belongs there.
 */
#include "http/server_internal.h"

#include <errno.h>
#include <poll.h>

struct pending_write {
    uv_write_t write;
    struct connection *connection;
    char bytes[];
};

static void settle(struct connection *connection);

void connection_check(const struct connection *connection) {
    CHECK(connection->input_start <= connection->input_count);
    CHECK(connection->input_count <= connection->input_capacity);
    CHECK((connection->input == NULL) == (connection->input_capacity == 0));
    switch (connection->state) {
    case CONNECTION_READING: CHECK(connection->writes_pending == 0 || connection->exchange); break;
    case CONNECTION_ANSWERING:
        CHECK(connection->exchange != NULL && connection->request_end > 0);
        CHECK(connection->input_start + connection->request_end <= connection->input_count);
        break;
    case CONNECTION_FLUSHING:
        CHECK(connection->exchange == NULL && connection->writes_pending > 0);
        break;
    case CONNECTION_LINGERING:
    case CONNECTION_CLOSING:
        CHECK(connection->exchange == NULL && connection->input == NULL);
        break;
    }
}

static int64_t now_ms(const struct connection *connection) {
    return (int64_t)uv_now(connection->server->loop);
}

static void put_off_deadline(struct connection *connection) {
    connection->deadline_ms = now_ms(connection) + connection->server->timeout_ms;
    connection->is_overdue = false;
}

bool connection_is_idle(const struct connection *connection) {
    return connection->state == CONNECTION_READING && connection->exchange == NULL &&
           connection->input_start == connection->input_count;
}

static void forget_request(struct connection *connection) {
    connection->scanned = connection->line_start = 0;
    connection->lines_count = 0;
    connection->head_end = connection->request_end = 0;
    connection->body_count = connection->body_progress = 0;
    connection->trailer_bytes = 0;
    connection->chunked = connection->too_large = connection->head_parsed = false;
}

static void drop_exchange(struct connection *connection) {
    if (connection->exchange == NULL) return;
    server_give_back_exchange(connection->server, connection->exchange);
    connection->exchange = NULL;
}

static void drop_input(struct connection *connection) {
    server_give_back_input(connection->server, connection->input, connection->input_capacity);
    connection->input = NULL;
    connection->input_capacity = connection->input_start = connection->input_count = 0;
}

static void on_tcp_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    struct http_server *server = connection->server;
    list_remove(&connection->link);
    if (connection->over_limit) {
        server->refused_count--;
    } else {
        server->connections_count--;
    }
    env_free(server->env, connection);
    server_handle_closed(server);
}

void connection_close(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSING) return;
    /* The handler may not close the server from inside on_request. */
    bool is_open = connection->state == CONNECTION_ANSWERING;
    CHECK(!is_open || !connection->processing);

    connection->state = CONNECTION_CLOSING;
    list_remove(&connection->ready_link);
    uv_close((uv_handle_t *)&connection->tcp, on_tcp_closed);
    if (is_open) {
        struct http_server *server = connection->server;
        server->handler->on_closed(server->context, &connection->exchange->request);
    }
    drop_exchange(connection);
    drop_input(connection);
}

/* ---- Writing. ---- */

static void on_written(uv_write_t *write, int status) {
    struct pending_write *pending = CONTAINER_OF(write, struct pending_write, write);
    struct connection *connection = pending->connection;
    env_free(connection->server->env, pending);
    connection->writes_pending--;
    if (connection->state == CONNECTION_CLOSING) return;
    if (status < 0 || (connection->peer_ended && connection->writes_pending == 0)) {
        connection_close(connection);
        return;
    }
    if (connection->state != CONNECTION_FLUSHING || connection->writes_pending > 0) return;
    connection->state = CONNECTION_READING;
    put_off_deadline(connection);
    connection_process(connection);
}

int connection_send(struct connection *connection, const uv_buf_t *pieces, unsigned pieces_count) {
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    int tried = uv_try_write(stream, pieces, pieces_count);
    if (tried < 0 && tried != UV_EAGAIN) return tried;

    size_t sent_bytes = tried < 0 ? 0 : (size_t)tried;
    size_t total_bytes = 0;
    for (unsigned i = 0; i < pieces_count; i++) total_bytes += pieces[i].len;
    if (sent_bytes == total_bytes) return 0;

    struct http_server *server = connection->server;
    struct pending_write *pending = allocator_resize_array(
        &server->env->allocator, NULL, sizeof *pending + total_bytes - sent_bytes, 1);
    if (pending == NULL) return -ENOMEM;
    pending->connection = connection;
    size_t offset = 0;
    for (unsigned i = 0; i < pieces_count; i++) {
        size_t skip = sent_bytes < pieces[i].len ? sent_bytes : pieces[i].len;
        sent_bytes -= skip;
        if (pieces[i].len > skip)
            memcpy(pending->bytes + offset, pieces[i].base + skip, pieces[i].len - skip);
        offset += pieces[i].len - skip;
    }
    uv_buf_t rest = {.base = pending->bytes, .len = offset};
    int rc = uv_write(&pending->write, stream, &rest, 1, on_written);
    if (rc < 0) {
        env_free(server->env, pending);
        return rc;
    }
    connection->writes_pending++;
    connection->unsent_bytes = uv_stream_get_write_queue_size(stream);
    return 0;
}

static void on_shut_down(uv_shutdown_t *shutdown, int status) {
    struct connection *connection = shutdown->data;
    if (status < 0 && connection->state != CONNECTION_CLOSING) connection_close(connection);
}

/* The last answer is written or on its way: end our side, then wait a little for theirs. */
static void linger(struct connection *connection) {
    connection->state = CONNECTION_LINGERING;
    drop_exchange(connection);
    drop_input(connection);
    list_remove(&connection->ready_link);
    connection->shutdown.data = connection;
    int rc = uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, on_shut_down);
    int64_t timeout_ms = connection->server->timeout_ms;
    if (timeout_ms > HTTP_LINGER_MS_MAX) timeout_ms = HTTP_LINGER_MS_MAX;
    connection->deadline_ms = now_ms(connection) + timeout_ms;
    connection->is_overdue = false;
    if (rc < 0) {
        connection_close(connection);
    } else if (!connection->processing) {
        settle(connection);
    }
}

/* The answer of a connection that ends with it. */
static void send_refusal(struct connection *connection, const struct http_response *response) {
    connection->keep_alive = false;
    if (respond_send(connection, NULL, response) < 0) {
        connection_close(connection);
    } else {
        linger(connection);
    }
}

static void refuse(struct connection *connection, int status) {
    struct http_server *server = connection->server;
    struct http_response response = {.status = status};
    if (connection->exchange == NULL)
        connection->exchange = server_take_exchange(server, connection);
    const struct http_handler *handler = server->handler;
    struct exchange *exchange = connection->exchange;
    /* Without memory for the handler's words the status says enough. */
    if (exchange != NULL && status == 413 && handler->on_too_large != NULL) {
        handler->on_too_large(server->context, &exchange->request, &response);
    } else if (exchange != NULL && handler->on_refused != NULL) {
        handler->on_refused(server->context, &exchange->arena, status, &response);
    } else {
        response.content_type = "text/plain";
        response.body = status == 413 ? SLICE("The request's body is too large.\n")
                                      : SLICE("The request was refused.\n");
    }
    response.status = status;
    send_refusal(connection, &response);
}

void connection_answered(struct connection *connection, int sent) {
    /* From here on the request is gone, whatever happens. */
    connection->state = CONNECTION_READING;
    connection->input_start += connection->request_end;
    drop_exchange(connection);
    forget_request(connection);
    if (sent < 0) {
        connection_close(connection);
        return;
    }
    if (!connection->keep_alive) {
        linger(connection);
        return;
    }
    put_off_deadline(connection);
    if (connection->writes_pending > 0) connection->state = CONNECTION_FLUSHING;
    if (connection->processing) return; /* its loop goes on */

    if (connection->state == CONNECTION_READING &&
        connection->input_start < connection->input_count) {
        server_add_ready(connection);
    }
    settle(connection);
}

/* ---- Reading. ---- */

/* A request's slices point into the input; they move with it. */
static void move_slice(struct slice *slice, const char *from, size_t count, const char *to) {
    uintptr_t offset = (uintptr_t)slice->bytes - (uintptr_t)from;
    if (slice->bytes != NULL && offset <= count) slice->bytes = to + offset;
}

static void move_request(struct connection *connection, const char *from, const char *to) {
    if (connection->exchange == NULL) return;
    struct http_request *request = &connection->exchange->request;
    size_t count = connection->head_end;
    move_slice(&request->method, from, count, to);
    move_slice(&request->target, from, count, to);
    move_slice(&request->path, from, count, to);
    move_slice(&request->query, from, count, to);
    for (uint32_t i = 0; i < request->headers_count; i++) {
        move_slice(&connection->exchange->headers[i].name, from, count, to);
        move_slice(&connection->exchange->headers[i].value, from, count, to);
    }
}

/* The input is full and the request not whole: move it to the front, or take twice the room. The
 * parser has refused what would be too large, so there is a bound. */
static int make_room(struct connection *connection) {
    if (connection->input == NULL || connection->input_count < connection->input_capacity) return 0;
    size_t start = connection->input_start;
    if (start > 0) {
        memmove(connection->input, connection->input + start, connection->input_count - start);
        move_request(connection, connection->input + start, connection->input);
        connection->input_start = 0;
        connection->input_count -= start;
        return 0;
    }
    size_t capacity = connection->input_capacity * 2;
    if (connection->head_parsed && !connection->chunked) {
        size_t wanted = connection->head_end + (size_t)connection->content_length;
        if (capacity > wanted) capacity = wanted;
    }
    CHECK(capacity > connection->input_capacity);
    const char *from = connection->input;
    char *input =
        allocator_resize_array(&connection->server->env->allocator, connection->input, capacity, 1);
    if (input == NULL) return -ENOMEM;
    connection->input = input;
    connection->input_capacity = capacity;
    move_request(connection, from, input);
    return 0;
}

static void give_input(uv_handle_t *handle, size_t suggested_bytes, uv_buf_t *out) {
    (void)suggested_bytes;
    struct connection *connection = handle->data;
    struct http_server *server = connection->server;
    *out = (uv_buf_t){0};
    if (connection->state == CONNECTION_LINGERING) {
        *out = (uv_buf_t){.base = server->discard, .len = sizeof server->discard};
        return;
    }
    if (connection->input == NULL) {
        connection->input = server_take_input(server);
        if (connection->input == NULL) return; /* the read ends with UV_ENOBUFS */
        connection->input_capacity = HTTP_INPUT_BYTES;
    }
    out->base = connection->input + connection->input_count;
    out->len = connection->input_capacity - connection->input_count;
}

/* So many bytes have come behind those that were there. */
static void connection_receive(struct connection *connection, size_t bytes_count) {
    bool is_first = connection_is_idle(connection);
    connection->input_count += bytes_count;
    if (connection->state != CONNECTION_READING) {
        settle(connection);
        return;
    }
    if (is_first) put_off_deadline(connection);
    connection->body_progress += bytes_count;
    if (connection->head_parsed && connection->body_progress >= HTTP_BODY_PROGRESS_BYTES) {
        connection->body_progress = 0;
        put_off_deadline(connection);
    }
    connection_process(connection);
}

static void on_read(uv_stream_t *stream, ssize_t result, const uv_buf_t *buffer) {
    (void)buffer;
    struct connection *connection = stream->data;
    if (result == UV_EOF && connection->writes_pending > 0 &&
        (connection->state == CONNECTION_FLUSHING || connection->state == CONNECTION_LINGERING)) {
        connection->peer_ended = true;
        settle(connection);
    } else if (result < 0) {
        connection_close(connection);
    } else if (connection->state == CONNECTION_LINGERING) {
        connection->lingered_bytes += (size_t)result;
        if (connection->lingered_bytes > HTTP_LINGER_BYTES_MAX) connection_close(connection);
    } else if (result == 0) {
        settle(connection);
    } else {
        connection_receive(connection, (size_t)result);
    }
}

static bool wants_input(struct connection *connection) {
    if (connection->peer_ended) return false;
    if (connection->state == CONNECTION_LINGERING || connection->state == CONNECTION_READING)
        return true;
    return connection->input == NULL || connection->input_count < connection->input_capacity;
}

/* After every step: hold an input only while it holds something, read only what there is room for,
 * end what is idle once the server has stopped. */
static void settle(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSING) return;
    if (connection->exchange == NULL && connection->input_start == connection->input_count)
        drop_input(connection);
    bool is_over = connection_is_idle(connection) && !connection->server->listening;
    if (!is_over && connection->state == CONNECTION_READING) is_over = make_room(connection) < 0;
    if (is_over) {
        connection_close(connection);
        return;
    }
    connection_check(connection);
    bool wanted = wants_input(connection);
    if (wanted == connection->reading) return;
    connection->reading = wanted;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    int rc = wanted ? uv_read_start(stream, give_input, on_read) : uv_read_stop(stream);
    if (rc < 0) connection_close(connection);
}

/* ---- From bytes to the handler. ---- */

/* The head is in: may the body come? 1, also when its refusal is under way; or a refusal. */
static int admit_body(struct connection *connection) {
    struct http_server *server = connection->server;
    struct http_request *request = &connection->exchange->request;
    connection->body_progress = 0;
    put_off_deadline(connection);
    connection->body_bytes_max = server->handler->body_bytes_max(server->context, request);
    /* Sums with it must stay sums. */
    if (connection->body_bytes_max > SIZE_MAX / 4) connection->body_bytes_max = SIZE_MAX / 4;
    if (connection->content_length > connection->body_bytes_max) return -413;

    bool is_here = connection->input_count - connection->input_start - connection->head_end >=
                       connection->content_length &&
                   !connection->chunked;
    struct http_response response = {0};
    if (!is_here && server->handler->refuses_head != NULL &&
        server->handler->refuses_head(server->context, request, &response)) {
        send_refusal(connection, &response);
        return 1;
    }
    struct slice expect = http_request_header(request, SLICE("expect"));
    if (is_here || connection->parser.http_minor == 0 ||
        !slice_equal_ignore_case(expect, SLICE("100-continue")))
        return 1;
    char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uv_buf_t piece = {.base = text, .len = sizeof text - 1};
    if (connection_send(connection, &piece, 1) < 0) connection_close(connection);
    return 1;
}

/* One step of the request that is coming in: 0: more bytes are needed, 1: go on, -status. */
static int advance(struct connection *connection) {
    int rc = 1;
    if (!connection->head_parsed) {
        rc = parse_head(connection);
        if (rc == 1) rc = admit_body(connection);
    }
    if (rc == 1 && connection->state == CONNECTION_READING) rc = parse_body(connection);
    if (rc != 1 || connection->state != CONNECTION_READING) return rc;

    struct http_server *server = connection->server;
    connection->state = CONNECTION_ANSWERING;
    connection->deadline_ms = INT64_MAX;
    server->handler->on_request(server->context, &connection->exchange->request);
    return 1;
}

void connection_process(struct connection *connection) {
    CHECK(!connection->processing);
    list_remove(&connection->ready_link);
    connection->processing = true;
    while (connection->state == CONNECTION_READING &&
           connection->input_start < connection->input_count) {
        int rc = advance(connection);
        if (rc == 0) break;
        if (rc < 0) refuse(connection, -rc);
    }
    connection->processing = false;
    settle(connection);
}

/* ---- The beginning, and the clock. ---- */

static bool has_hung_up(const struct connection *connection) {
    uv_os_fd_t fd = -1;
    if (uv_fileno((const uv_handle_t *)&connection->tcp, &fd) < 0) return true;
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) > 0;
}

void connection_look(struct connection *connection, int64_t time_ms) {
    if (connection->state == CONNECTION_CLOSING) return;
    if (connection->state == CONNECTION_ANSWERING) {
        if (!connection->reading && has_hung_up(connection)) connection_close(connection);
        return;
    }
    if (time_ms < connection->deadline_ms) return;
    /* Timers run before input. When it was the loop that was late, what the client has sent is still
     * unread: it gets one more round. */
    if (!connection->is_overdue) {
        connection->is_overdue = true;
        return;
    }
    size_t unsent_bytes = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    if (connection->writes_pending > 0 && unsent_bytes < connection->unsent_bytes) {
        connection->unsent_bytes = unsent_bytes; /* slow, but taking */
        put_off_deadline(connection);
    } else if (connection->state == CONNECTION_READING && connection->writes_pending == 0 &&
               !connection_is_idle(connection)) {
        refuse(connection, 408);
    } else {
        connection_close(connection);
    }
}

static void begin(struct connection *connection) {
    struct http_server *server = connection->server;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) < 0) {
        connection_close(connection);
        return;
    }
    /* Without it an answer in two pieces waits for an acknowledgement; slower, but not wrong. */
    if (uv_tcp_nodelay(&connection->tcp, 1) < 0)
        log_printf(server->log, LOG_DEBUG, "a connection stays without TCP_NODELAY");
    put_off_deadline(connection);
    if (!connection->over_limit) {
        settle(connection);
    } else if (server->refused_count > HTTP_REFUSED_MAX) {
        connection_close(connection);
    } else {
        refuse(connection, 503);
    }
}

int connection_accept(struct http_server *server) {
    struct connection *connection = env_alloc(server->env, sizeof *connection);
    if (connection == NULL) return -ENOMEM;
    int rc = uv_tcp_init(server->loop, &connection->tcp);
    if (rc < 0) {
        env_free(server->env, connection);
        return rc;
    }
    server->handles_count++;
    connection->tcp.data = connection;
    connection->server = server;
    connection->over_limit = server->connections_count >= server->connections_max;
    if (connection->over_limit) {
        server->refused_count++;
    } else {
        server->connections_count++;
    }
    list_append(&server->connections, &connection->link);
    list_init(&connection->ready_link);
    begin(connection);
    return 0;
}
