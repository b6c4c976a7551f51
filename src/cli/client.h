/* SPDX-License-Identifier: Apache-2.0 */
/* client.h -- speaks to a running takt: one request after the other, blocking, by libcurl, which is
 * loaded only when a command needs it.
 */
#ifndef TAKT_CLI_CLIENT_H
#define TAKT_CLI_CLIENT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/cli.h"

#include <stdint.h>

#define CLIENT_BODY_BYTES_MAX (64u * 1024 * 1024)
#define CLIENT_SERVER_DEFAULT "http://127.0.0.1:9325"

struct client;

/* NULL: said on stderr. server: borrowed, the URL of the board. */
TAKT_MUST_USE struct client *client_open(const char *server);
void client_close(struct client *client); /* NULL is allowed */

/* What libcurl needs of a request. path: "/api/v1/…", already encoded. */
struct client_request {
    const char *method;
    const char *path;
    const char *target; /* X-Amz-Target, for SQS actions; NULL: none */
    struct slice body;
};

/* The answer's body stands in client_body until the next call. Returns the HTTP status; 0: no takt
 * answers there (said on stderr). */
long client_call(struct client *client, const struct client_request *request);
struct slice client_body(const struct client *client);
struct arena *client_arena(struct client *client); /* for texts of this command */

/* An SQS action with a JSON body. CLI_OK and the answer in client_body; else the refusal's words
 * were said on stderr and its exit code is returned. */
TAKT_MUST_USE int client_action(struct client *client, const char *action, struct slice body);
/* A call of the board's API, likewise. */
TAKT_MUST_USE int client_api(struct client *client, const char *method, const char *path,
                             struct slice body);

/* A GET of the board's API that is answered with bytes, not with JSON. */
TAKT_MUST_USE int client_bytes(struct client *client, const char *path);

/* All pages of a list of the board: every object of the array `member`, as one JSON array that lies
 * in client_arena. path ends with '?' or '&': `next` of a page becomes `cursor` of the next. */
TAKT_MUST_USE int client_pages(struct client *client, const char *path, const char *member,
                               const char *cursor, uint64_t rows_max, struct slice *out);

/* A name as it may stand in a path or a query. */
const char *client_escape(struct client *client, const char *text);
/* The text of a JSON string, "" if it is none or memory is out. A number or a word as it stands.
 * member: "name", or "counts.sent" for a member of a member. */
const char *client_text(struct client *client, struct slice object, const char *member);
/* A number, or 0. */
int64_t client_number(struct slice object, const char *member);

#endif
