/* SPDX-License-Identifier: Apache-2.0 */
/* server.h -- HTTP/1.1 in: llhttp on libuv, with our own connection handling.
 *
 * A request is given to the handler whole (its body in memory, up to the handler's limit) and is
 * answered later, once, from anywhere on the loop. Pipelined requests of one connection are handled
 * one after the other. Keep-alive, Expect: 100-continue, HEAD, chunked request bodies. An upgrade is
 * not taken, a trailer is read over.
 *
 * A client that ends its side is gone, also if it has only shut down sending: its open request is
 * closed. Heads must be sound (CRLF, no folded lines, one Host) and say a body's length in one way;
 * what could be read in two ways is refused with 400.
 */
#ifndef TAKT_HTTP_SERVER_H
#define TAKT_HTTP_SERVER_H

#include "base/arena.h"
#include "base/log.h"
#include "base/slice.h"
#include "env/env.h"

#define HTTP_HEADERS_MAX 64u
#define HTTP_HEADERS_BYTES_MAX (32u * 1024)
#define HTTP_ARENA_BYTES_MAX (64u * 1024 * 1024) /* of one request's arena */

struct http_server;

struct http_header {
    struct slice name; /* as it came; compare without case */
    struct slice value;
};

/* Lives from on_request until http_respond (or on_closed) has been called. */
struct http_request {
    struct slice method;
    struct slice target; /* as it came: path and query */
    struct slice path;   /* not percent-decoded */
    struct slice query;  /* without '?' */
    const struct http_header *headers;
    uint32_t headers_count;
    struct slice body;
    struct arena *arena; /* for whatever is parsed or built for this request */
    void *context;       /* the handler's own, NULL at first */
};

struct http_response {
    int status;
    const char *content_type; /* NULL: none */
    /* Further ones; borrowed for the call. CR, LF and NUL become spaces. Date, Content-Length and
     * Connection are the server's. */
    const struct http_header *headers;
    uint32_t headers_count;
    struct slice body; /* borrowed for the call: copied, or written at once */
};

struct http_handler {
    /* The headers are in; how many bytes of body are taken? Above it the client gets 413 (in the
     * words that on_too_large gives, or on_refused, or plain text). */
    size_t (*body_bytes_max)(void *context, const struct http_request *request);
    /* The headers are in, the body is not: true: it shall not come. The client gets *response, with
     * its status (memory from the request's arena), and the connection ends. May be NULL. Whatever is
     * refused here, on_request must refuse too: a small body has often come with its headers. */
    bool (*refuses_head)(void *context, const struct http_request *request,
                         struct http_response *response);
    /* The request is whole. Answer with http_respond now or later. */
    void (*on_request)(void *context, struct http_request *request);
    /* The client went away before the answer: the request is gone after this call, http_respond
     * must not be called any more. Never runs inside on_request or http_respond. */
    void (*on_closed)(void *context, struct http_request *request);
    /* Build the answer to a request that is refused before on_request (400, 408, 413, 431, 503,
     * 505); the connection ends after it. Fills *response (memory from the arena); its status stays
     * the given one. May be NULL: plain text. */
    void (*on_refused)(void *context, struct arena *arena, int status,
                       struct http_response *response);
    /* The 413 of a request whose head was read: as on_refused, but it knows which request it is,
     * and comes before it. May be NULL. */
    void (*on_too_large)(void *context, const struct http_request *request,
                         struct http_response *response);
};

struct http_server_options {
    struct env *env;                    /* kept */
    const struct log *log;              /* kept */
    const char *address;                /* borrowed: "127.0.0.1:9324", "[::1]:0" */
    const struct http_handler *handler; /* kept */
    void *context;                      /* kept; may be given later */
    uint32_t connections_max;           /* 0: 10,000; above it: 503 and close */
    int64_t idle_timeout_ms; /* 0: 60 s without a request; also for slow headers and bodies */
};

/* 0; -EADDRINUSE, -EACCES, …; -EINVAL: the address cannot be read. */
TAKT_MUST_USE int http_server_open(const struct http_server_options *options,
                                   struct http_server **out);
/* Whoever handles the requests is there now. From http_server_open on clients may connect; they are
 * heard when the loop runs, so it must not before this. */
void http_server_set_context(struct http_server *server, void *context);
/* "127.0.0.1:41233": the address it really listens on (port 0 asked for any). */
const char *http_server_address(const struct http_server *server);
/* Accept no more; answers under way go out; idle connections close. */
void http_server_stop(struct http_server *server);
/* Close all connections (on_closed runs for each open request, inside this call) and free. NULL is
 * allowed. Not from inside on_request. The loop must turn once more, as env_close_real lets it. */
void http_server_close(struct http_server *server);

/* The first header of that name, or an empty slice. */
struct slice http_request_header(const struct http_request *request, struct slice name);
/* Is there a header of that name, be its value empty? */
bool http_request_has_header(const struct http_request *request, struct slice name);
/* Answer. The request is gone after it. */
void http_respond(struct http_request *request, const struct http_response *response);
/* Percent-decode ('+' stays). False for a broken sequence or out of memory. *out may be `text`. */
TAKT_MUST_USE bool http_decode_percent(struct arena *arena, struct slice text, struct slice *out);
/* The decoded value of the first query parameter of that name; false if there is none, or it
 * cannot be decoded. */
bool http_query_value(const struct http_request *request, struct slice name, struct slice *out);

#endif
