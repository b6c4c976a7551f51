/* SPDX-License-Identifier: Apache-2.0 */
/* server_parse.c -- bytes become a request, in place.
 *
 * The head is first looked through line by line, which finds its end and holds it to more than the
 * parser does: every line ends in CRLF, no CR stands elsewhere, no line is folded. Servers and
 * proxies that disagree on these are how requests are smuggled. Then llhttp reads the whole head at
 * once, so that each name and value is one stretch of bytes.
 *
 * A body of known length needs no parser. A chunked one goes through llhttp as it comes, and its
 * content is moved together over the chunks' frames. Trailers are read over and not given on.
 */
#include "http/server_internal.h"

#define NEED_MORE 0
#define DONE 1

static struct connection *of_parser(llhttp_t *parser) {
    return CONTAINER_OF(parser, struct connection, parser);
}

static int on_method(llhttp_t *parser, const char *at, size_t count) {
    of_parser(parser)->exchange->request.method = slice_from(at, count);
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t count) {
    of_parser(parser)->exchange->request.target = slice_from(at, count);
    return 0;
}

static int count_trailer(struct connection *connection, size_t count) {
    connection->trailer_bytes += count;
    return connection->trailer_bytes > HTTP_TRAILER_BYTES_MAX ? HPE_USER : 0;
}

static int on_chunk_extension(llhttp_t *parser, const char *at, size_t count) {
    (void)at;
    return count_trailer(of_parser(parser), count);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t count) {
    struct connection *connection = of_parser(parser);
    if (connection->head_parsed) return count_trailer(connection, count);
    struct http_request *request = &connection->exchange->request;
    /* find_head_end has counted the lines. */
    if (request->headers_count == HTTP_HEADERS_MAX) return HPE_USER;
    connection->exchange->headers[request->headers_count++] =
        (struct http_header){.name = slice_from(at, count), .value = slice_from(at + count, 0)};
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t count) {
    struct connection *connection = of_parser(parser);
    if (connection->head_parsed) return count_trailer(connection, count);
    struct http_request *request = &connection->exchange->request;
    if (request->headers_count == 0) return HPE_USER;
    struct http_header *header = &connection->exchange->headers[request->headers_count - 1];
    if (header->value.count > 0) return HPE_USER; /* one line, one stretch */
    header->value = slice_trim(slice_from(at, count));
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    struct connection *connection = of_parser(parser);
    connection->head_parsed = true;
    connection->chunked = (parser->flags & F_CHUNKED) != 0;
    connection->content_length = (parser->flags & F_CONTENT_LENGTH) ? parser->content_length : 0;
    connection->keep_alive = llhttp_should_keep_alive(parser) != 0;
    bool both = (parser->flags & F_TRANSFER_ENCODING) && (parser->flags & F_CONTENT_LENGTH);
    return both ? -1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t count) {
    struct connection *connection = of_parser(parser);
    if (count > connection->body_bytes_max - connection->body_count) {
        connection->too_large = true;
        return HPE_USER;
    }
    char *end =
        connection->input + connection->input_start + connection->head_end + connection->body_count;
    memmove(end, at, count);
    connection->body_count += count;
    return 0;
}

static int on_message_complete(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED; /* what follows is the next request's */
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_extension_name = on_chunk_extension,
    .on_chunk_extension_value = on_chunk_extension,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Empty lines before a request are allowed; old clients send one after a body. */
static void skip_empty_lines(struct connection *connection) {
    const char *input = connection->input;
    while (connection->input_count - connection->input_start >= 2 &&
           input[connection->input_start] == '\r' && input[connection->input_start + 1] == '\n')
        connection->input_start += 2;
}

/* A line of the head, with its CRLF. */
static int look_at_line(struct connection *connection, const char *line, size_t count) {
    if (count < 2 || line[count - 2] != '\r') return -400;
    if (memchr(line, '\r', count - 2) != NULL) return -400;
    if (line[0] == ' ' || line[0] == '\t') return -400;
    /* The first line is not a header, the last is empty. */
    connection->lines_count++;
    return connection->lines_count > HTTP_HEADERS_MAX + 2 ? -431 : DONE;
}

static int find_head_end(struct connection *connection) {
    if (connection->scanned == 0) skip_empty_lines(connection);
    const char *start = connection->input + connection->input_start;
    size_t count = connection->input_count - connection->input_start;
    if (count == 0) return NEED_MORE;
    /* Not HTTP at all (TLS, say): do not wait for the end of a line. */
    bool is_letter = start[0] >= 'A' && start[0] <= 'Z';
    if (!is_letter) return start[0] == '\r' && count == 1 ? NEED_MORE : -400;

    while (connection->scanned < count) {
        const char *found = memchr(start + connection->scanned, '\n', count - connection->scanned);
        connection->scanned = found == NULL ? count : (size_t)(found - start) + 1;
        if (connection->scanned > HTTP_HEADERS_BYTES_MAX) return -431;
        if (found == NULL) break;
        size_t line_count = connection->scanned - connection->line_start;
        int rc = look_at_line(connection, start + connection->line_start, line_count);
        if (rc < 0) return rc;
        connection->line_start = connection->scanned;
        if (line_count == 2) {
            connection->head_end = connection->scanned;
            return DONE;
        }
    }
    return NEED_MORE;
}

/* What llhttp leaves to its user. */
static int look_at_headers(struct connection *connection) {
    const struct http_request *request = &connection->exchange->request;
    uint32_t hosts_count = 0;
    uint32_t codings_count = 0;
    for (uint32_t i = 0; i < request->headers_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (header->name.count == 4 && slice_equal_ignore_case(header->name, SLICE("host"))) {
            hosts_count++;
        } else if (header->name.count == 17 &&
                   slice_equal_ignore_case(header->name, SLICE("transfer-encoding"))) {
            codings_count++;
            if (!slice_equal_ignore_case(header->value, SLICE("chunked"))) return -400;
        }
    }
    bool is_old = connection->parser.http_minor == 0;
    if (hosts_count > 1 || (hosts_count == 0 && !is_old)) return -400;
    if (codings_count > 1 || (codings_count == 1 && (is_old || !connection->chunked))) return -400;
    return DONE;
}

/* "/path?query", "http://host/path?query" or "*". */
static void cut_target(struct http_request *request) {
    struct slice rest = request->target;
    struct slice ignored;
    bool is_http = slice_starts_with(rest, SLICE("http://"));
    if (is_http || slice_starts_with(rest, SLICE("https://"))) {
        rest = slice_skip(rest, is_http ? 7 : 8);
        const char *slash = memchr(rest.bytes, '/', rest.count);
        rest = slash == NULL ? SLICE("/") : slice_skip(rest, (size_t)(slash - rest.bytes));
    }
    slice_cut(rest, '#', &rest, &ignored);
    slice_cut(rest, '?', &request->path, &request->query);
}

static int refusal_of(const llhttp_t *parser, llhttp_errno_t error) {
    /* PRI is how a client begins that takes HTTP/2 for granted. */
    return error == HPE_INVALID_VERSION || parser->method == HTTP_PRI ? -505 : -400;
}

int parse_head(struct connection *connection) {
    int rc = find_head_end(connection);
    if (rc != DONE) return rc;
    connection->exchange = server_take_exchange(connection->server, connection);
    if (connection->exchange == NULL) return -503;

    llhttp_t *parser = &connection->parser;
    llhttp_init(parser, HTTP_REQUEST, &settings);
    const char *start = connection->input + connection->input_start;
    llhttp_errno_t error = llhttp_execute(parser, start, connection->head_end);
    /* PAUSED: a request without a body is complete. An upgrade is not taken, so no matter. */
    bool is_good = error == HPE_OK || error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
    if (!is_good || !connection->head_parsed) return refusal_of(parser, error);
    if (parser->http_major != 1 || parser->http_minor > 1) return -505;
    if (parser->method == HTTP_CONNECT) return -400;
    cut_target(&connection->exchange->request);
    return look_at_headers(connection);
}

static int parse_chunks(struct connection *connection) {
    size_t body_start = connection->input_start + connection->head_end;
    size_t raw_start = body_start + connection->body_count;
    size_t raw_count = connection->input_count - raw_start;
    if (raw_count == 0) return NEED_MORE;

    llhttp_t *parser = &connection->parser;
    const char *raw = connection->input + raw_start;
    llhttp_errno_t error = llhttp_execute(parser, raw, raw_count);
    if (error == HPE_OK) { /* all of it was read: only the content stays */
        connection->input_count = body_start + connection->body_count;
        return NEED_MORE;
    }
    if (error != HPE_PAUSED)
        return connection->too_large                                ? -413
               : connection->trailer_bytes > HTTP_TRAILER_BYTES_MAX ? -431
                                                                    : refusal_of(parser, error);
    size_t taken = (size_t)(llhttp_get_error_pos(parser) - raw);
    CHECK(taken <= raw_count);
    connection->request_end = raw_start + taken - connection->input_start;
    return DONE;
}

int parse_body(struct connection *connection) {
    size_t here = connection->input_count - connection->input_start - connection->head_end;
    if (connection->chunked) {
        int rc = parse_chunks(connection);
        if (rc != DONE) return rc;
    } else {
        if (here < connection->content_length) return NEED_MORE;
        connection->body_count = (size_t)connection->content_length;
        connection->request_end = connection->head_end + connection->body_count;
    }
    const char *body = connection->input + connection->input_start + connection->head_end;
    connection->exchange->request.body = slice_from(body, connection->body_count);
    return DONE;
}
