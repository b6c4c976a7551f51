/* SPDX-License-Identifier: Apache-2.0 */
/* server_respond.c -- an answer becomes bytes: head and body in one write. */
#include "http/server_internal.h"

#include <errno.h>
#include <time.h>

/* The status line, Date, Content-Length and Connection together. */
#define FIXED_HEAD_BYTES_MAX 256u

static struct slice reason_of(int status) {
    switch (status) {
    case 200: return SLICE("OK");
    case 201: return SLICE("Created");
    case 202: return SLICE("Accepted");
    case 204: return SLICE("No Content");
    case 206: return SLICE("Partial Content");
    case 301: return SLICE("Moved Permanently");
    case 302: return SLICE("Found");
    case 303: return SLICE("See Other");
    case 304: return SLICE("Not Modified");
    case 307: return SLICE("Temporary Redirect");
    case 308: return SLICE("Permanent Redirect");
    case 400: return SLICE("Bad Request");
    case 401: return SLICE("Unauthorized");
    case 403: return SLICE("Forbidden");
    case 404: return SLICE("Not Found");
    case 405: return SLICE("Method Not Allowed");
    case 406: return SLICE("Not Acceptable");
    case 408: return SLICE("Request Timeout");
    case 409: return SLICE("Conflict");
    case 410: return SLICE("Gone");
    case 412: return SLICE("Precondition Failed");
    case 413: return SLICE("Payload Too Large");
    case 415: return SLICE("Unsupported Media Type");
    case 422: return SLICE("Unprocessable Entity");
    case 429: return SLICE("Too Many Requests");
    case 431: return SLICE("Request Header Fields Too Large");
    case 500: return SLICE("Internal Server Error");
    case 501: return SLICE("Not Implemented");
    case 502: return SLICE("Bad Gateway");
    case 503: return SLICE("Service Unavailable");
    case 504: return SLICE("Gateway Timeout");
    case 505: return SLICE("HTTP Version Not Supported");
    default: return SLICE("Status"); /* the number says it */
    }
}

static char *put(char *end, struct slice slice) {
    if (slice.count > 0) memcpy(end, slice.bytes, slice.count);
    return end + slice.count;
}

/* A line break in a value would begin a header of somebody else's choice. */
static char *put_value(char *end, struct slice value) {
    for (size_t i = 0; i < value.count; i++) {
        char byte = value.bytes[i];
        *end++ = byte == '\r' || byte == '\n' || byte == '\0' ? ' ' : byte;
    }
    return end;
}

static char *put_number(char *end, size_t number) {
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(end, slice_from(digits + at, sizeof digits - at));
}

/* One text a second serves all answers. */
static struct slice date_header(struct http_server *server) {
    int64_t now_ms = (int64_t)uv_now(server->loop);
    if (server->date[0] == '\0' || now_ms - server->date_ms >= 500) {
        time_t seconds = (time_t)(server->env->ops->now_wall(server->env).ms / 1000);
        struct tm parts;
        gmtime_r(&seconds, &parts);
        strftime(server->date, sizeof server->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        server->date_ms = now_ms;
    }
    return slice_from_string(server->date);
}

static size_t head_bytes_max(const struct http_response *response, struct slice content_type) {
    size_t count = FIXED_HEAD_BYTES_MAX + content_type.count;
    for (uint32_t i = 0; i < response->headers_count; i++)
        count += response->headers[i].name.count + response->headers[i].value.count + 4;
    return count;
}

/* The whole head, behind it the body if it is small. False when there is no memory. */
static bool make_head(struct connection *connection, const struct http_response *response,
                      bool with_body) {
    struct http_server *server = connection->server;
    struct buffer *head = &server->head;
    struct slice content_type = slice_from_string(response->content_type);
    bool copies_body = with_body && response->body.count <= HTTP_BODY_COPY_BYTES_MAX;
    buffer_clear(head);
    if (!buffer_reserve(head, head_bytes_max(response, content_type) +
                                  (copies_body ? response->body.count : 0)))
        return false;

    char *end = put(head->bytes, SLICE("HTTP/1.1 "));
    end = put_number(end, (size_t)response->status);
    *end++ = ' ';
    end = put(end, reason_of(response->status));
    end = put(end, SLICE("\r\nDate: "));
    end = put(end, date_header(server));
    if (content_type.count > 0) {
        end = put(end, SLICE("\r\nContent-Type: "));
        end = put_value(end, content_type);
    }
    for (uint32_t i = 0; i < response->headers_count; i++) {
        end = put(end, SLICE("\r\n"));
        end = put_value(end, response->headers[i].name);
        end = put(end, SLICE(": "));
        end = put_value(end, response->headers[i].value);
    }
    if (response->status != 204 && response->status != 304) {
        end = put(end, SLICE("\r\nContent-Length: "));
        end = put_number(end, response->body.count);
    }
    if (!connection->keep_alive) {
        end = put(end, SLICE("\r\nConnection: close"));
    } else if (connection->parser.http_minor == 0) {
        end = put(end, SLICE("\r\nConnection: keep-alive"));
    }
    end = put(end, SLICE("\r\n\r\n"));
    if (copies_body) end = put(end, response->body);
    head->count = (size_t)(end - head->bytes);
    return true;
}

int respond_send(struct connection *connection, const struct http_request *request,
                 const struct http_response *response) {
    CHECK(response->status >= 200 && response->status <= 599);
    bool is_head = request != NULL && slice_equal(request->method, SLICE("HEAD"));
    bool with_body = !is_head && response->status != 204 && response->status != 304;
    if (!make_head(connection, response, with_body)) return -ENOMEM;

    struct buffer *head = &connection->server->head;
    bool is_apart = with_body && response->body.count > HTTP_BODY_COPY_BYTES_MAX;
    /* libuv only reads what it writes, but says so without const. */
    uv_buf_t pieces[2] = {
        {.base = head->bytes, .len = head->count},
        {.base = (char *)(uintptr_t)response->body.bytes, .len = response->body.count},
    };
    return connection_send(connection, pieces, is_apart ? 2 : 1);
}

void http_respond(struct http_request *request, const struct http_response *response) {
    struct connection *connection = CONTAINER_OF(request, struct exchange, request)->connection;
    CHECK(connection != NULL && connection->state == CONNECTION_ANSWERING);
    if (!connection->server->listening) connection->keep_alive = false;
    connection_answered(connection, respond_send(connection, request, response));
}
