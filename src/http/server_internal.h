/* SPDX-License-Identifier: Apache-2.0 */
/* server_internal.h -- what the files of the server share: connections, exchanges, pools.
 *
 * The steps of a request: server.c accepts, server_connection.c reads and keeps the life cycle,
 * server_parse.c makes bytes a request, server_respond.c makes an answer bytes, server_query.c
 * helps the handler to read the request.
 */
#ifndef TAKT_HTTP_SERVER_INTERNAL_H
#define TAKT_HTTP_SERVER_INTERNAL_H

#include "base/buffer.h"
#include "base/list.h"
#include "http/server.h"

#include <llhttp.h>
#include <uv.h>

/* One read takes up to this much, and a small request fits; it is what a parked request costs. */
#define HTTP_INPUT_BYTES (16u * 1024)
/* How many unused inputs and exchanges wait for the next user; more are freed. */
#define HTTP_POOL_MAX 1024u
/* A body must arrive at least this fast: so many bytes in one idle timeout. */
#define HTTP_BODY_PROGRESS_BYTES (64u * 1024)
/* After the last answer, so much is still read and thrown away, for so long: closing a socket that
 * holds unread bytes would make the kernel drop the answer too. */
#define HTTP_LINGER_BYTES_MAX (4u * 1024 * 1024)
#define HTTP_LINGER_MS_MAX 2000
/* How many connections above connections_max may be told so (503) at the same time. */
#define HTTP_REFUSED_MAX 64u
/* Lines that end the trailer of a chunked body, and its chunks' extensions. */
#define HTTP_TRAILER_BYTES_MAX (8u * 1024)
/* A small body is copied behind its head: one piece is cheaper to write than two. */
#define HTTP_BODY_COPY_BYTES_MAX (8u * 1024)
_Static_assert(HTTP_HEADERS_BYTES_MAX >= HTTP_INPUT_BYTES, "a full first input is never too large");

struct connection;

/* A request and all that lives as long as it; pooled by the server. */
struct exchange {
    struct http_request request;
    struct arena arena;
    struct connection *connection;
    struct exchange *next_unused;
    struct http_header headers[HTTP_HEADERS_MAX];
};

/*        accept
 *          |            on_request             http_respond
 *          v    (deliver)       (connection_answered)
 *   +-> READING ------> ANSWERING ------> FLUSHING ----+
 *   |      |                |   all written at once    | on_written
 *   +------|----------------+--------------------------+
 *          | refused, or "Connection: close" answered: connection_linger
 *          v
 *      LINGERING: the last answer and a FIN go out, what comes is thrown away
 *
 *   any -- connection_close (end of stream, error, deadline) --> CLOSING -- on_tcp_closed --> freed
 */
enum connection_state {
    CONNECTION_READING,   /* between requests, or a request is coming in */
    CONNECTION_ANSWERING, /* the handler has the request */
    CONNECTION_FLUSHING,  /* answered; the socket has not taken all of it yet */
    CONNECTION_LINGERING,
    CONNECTION_CLOSING,
};

struct connection {
    uv_tcp_t tcp;
    uv_shutdown_t shutdown;
    struct http_server *server;
    struct list_link link;       /* of server->connections, until the handle is closed */
    struct list_link ready_link; /* of server->ready: bytes wait to be parsed */
    enum connection_state state;
    bool reading;    /* the loop watches for input */
    bool processing; /* connection_process is on the stack */
    bool keep_alive;
    bool over_limit; /* one of HTTP_REFUSED_MAX */
    bool peer_ended; /* end of stream came while the last answer is still going out */
    uint32_t writes_pending;
    size_t unsent_bytes; /* at the last look, to see whether the client takes anything */
    int64_t deadline_ms; /* of uv_now; INT64_MAX while the handler has the request */
    bool is_overdue;     /* the ticker has seen the deadline pass once */
    size_t lingered_bytes;

    /* input[0, input_start): done with. [input_start, input_count): the request and what follows.
     * The offsets after these are relative to input_start, so that the bytes can be moved. */
    char *input;
    size_t input_capacity;
    size_t input_start;
    size_t input_count;

    /* The request that is coming in. */
    size_t scanned; /* looked at for the end of a line */
    size_t line_start;
    uint32_t lines_count;
    size_t head_end;           /* 0 until the head is whole */
    size_t request_end;        /* 0 until the request is whole */
    struct exchange *exchange; /* from the end of the head until the answer */
    size_t body_bytes_max;
    size_t body_count;    /* chunked: decoded so far */
    size_t body_progress; /* bytes at which the deadline was last put off */
    uint64_t content_length;
    size_t trailer_bytes;
    bool head_parsed;
    bool chunked;
    bool too_large;
    llhttp_t parser;
};

struct http_server {
    struct env *env;
    const struct log *log;
    const struct http_handler *handler;
    void *context;
    uv_loop_t *loop;
    uv_tcp_t listener;
    uv_timer_t ticker;      /* the one clock of all connections */
    uv_idle_t idler;        /* runs while `ready` has members */
    uint32_t handles_count; /* open handles, the connections' too; at 0 a closed server is freed */
    uint32_t connections_max;
    uint32_t connections_count;
    uint32_t refused_count;
    int64_t timeout_ms;
    bool listening;
    bool closing;
    bool accept_waits; /* there was no memory for a connection; the ticker tries again */
    struct list_link connections;
    struct list_link ready;
    char **inputs_unused; /* HTTP_POOL_MAX places */
    uint32_t inputs_unused_count;
    struct exchange *exchanges_unused;
    uint32_t exchanges_unused_count;
    struct buffer head; /* an answer is put together here */
    int64_t date_ms;    /* of uv_now, when `date` was made */
    char date[40];
    char address[64];
    char discard[4096]; /* where a lingering connection's input goes */
};

/* server.c */
struct exchange *server_take_exchange(struct http_server *server, struct connection *connection);
void server_give_back_exchange(struct http_server *server, struct exchange *exchange);
char *server_take_input(struct http_server *server);
void server_give_back_input(struct http_server *server, char *input, size_t capacity);
void server_handle_closed(struct http_server *server);
/* Process the connection's bytes on the next turn of the loop. */
void server_add_ready(struct connection *connection);

/* server_connection.c */
/* Take the client that waits at the listener. On failure (memory) it still waits. */
int connection_accept(struct http_server *server);
void connection_process(struct connection *connection);
void connection_close(struct connection *connection);
/* The look of the ticker. */
void connection_look(struct connection *connection, int64_t now_ms);
bool connection_is_idle(const struct connection *connection);
/* Answered by http_respond; `sent` is what connection_send gave. */
void connection_answered(struct connection *connection, int sent);
/* Write all pieces, now or as soon as the socket takes them. 0 or a negative errno. */
int connection_send(struct connection *connection, const uv_buf_t *pieces, unsigned pieces_count);
void connection_check(const struct connection *connection);

/* server_parse.c: 0: more bytes are needed; 1: done; -status: refuse the request with it. */
int parse_head(struct connection *connection);
int parse_body(struct connection *connection);

/* server_respond.c */
/* Write an answer; `request` is NULL for a refusal. 0 or a negative errno. */
int respond_send(struct connection *connection, const struct http_request *request,
                 const struct http_response *response);

#endif
