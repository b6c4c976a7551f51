/* SPDX-License-Identifier: Apache-2.0 */
/* board.c -- the operator's door. All answers are JSON but the page's, times RFC 3339 in UTC.
 *
 *   GET  /                                    a page for people: stations, and how they do
 *   GET  /livez                               200: the loop turns
 *   GET  /readyz                              200 once the lines are in force, else 503
 *   GET  /api/v1/status                       version, lines with their stations, journal, totals
 *   GET  /api/v1/digest                       of the whole state; equal before a stop and after a
 *                                             start if no worker's session ended between (that is a
 *                                             record, and so a change): stations scaled to 0, or
 *                                             plain queues alone
 *   GET  /api/v1/stations                     the stations alone
 *   PUT  /api/v1/stations/LINE/STATION/scale  {"workers": 3}, or null: as the file says
 *   GET  /api/v1/queues?prefix=&after=&limit=
 *   GET  /api/v1/queues/NAME
 *   GET  /api/v1/queues/NAME/messages?max=    what is in it, without receiving
 *   POST /api/v1/queues/NAME/redrive?max=     dead letters back to where they came from
 *   GET  /api/v1/jobs?key=&state=&before=&limit=
 *   GET  /api/v1/jobs/ID                      a job's id, or the newest with the order's own key
 *   POST /api/v1/backup                       a backup begins: its id, its last record
 *   GET  /api/v1/backup/ID                    its next piece (board_backup.c); DELETE: it ends
 *   anything with X-Amz-Target                the SQS endpoint
 */
#include "board/board_inside.h"

#include <errno.h>

struct path {
    const char *method;
    const char *pattern; /* "*" stands for any one part */
    void (*give)(struct ask *ask);
};

static const struct path paths[] = {
    {"GET", "status", board_give_status},
    {"GET", "digest", board_give_digest},
    {"GET", "stations", board_give_stations},
    {"PUT", "stations/*/*/scale", board_scale_station},
    {"GET", "queues", board_list_queues},
    {"GET", "queues/*", board_give_queue},
    {"GET", "queues/*/messages", board_peek_queue},
    {"POST", "queues/*/redrive", board_redrive_queue},
    {"GET", "jobs", board_list_jobs},
    {"GET", "jobs/*", board_give_job},
    {"POST", "backup", board_begin_backup},
    {"GET", "backup/*", board_give_backup},
    {"DELETE", "backup/*", board_end_backup},
};

int board_open(const struct board_options *options, struct board **out) {
    struct env *env = shard_env(options->shard);
    struct board *board = env_alloc(env, sizeof *board);
    if (board == NULL) return -ENOMEM;
    *board = (struct board){.shard = options->shard,
                            .runtime = options->runtime,
                            .sqs = options->sqs,
                            .sqs_context = options->sqs_context,
                            .version = options->version,
                            .opened = env->ops->now_mono(env)};
    int rc = board_backup_open(board);
    if (rc < 0) {
        env_free(env, board);
        return rc;
    }
    *out = board;
    return 0;
}

void board_close(struct board *board) {
    if (board == NULL) return;
    board_backup_close(board);
    env_free(shard_env(board->shard), board);
}

void board_set_ready(struct board *board, bool ready) {
    board->is_ready = ready;
}

/* ---- paths ---- */

static void refuse(struct http_request *request, int status, const char *code,
                   struct slice detail) {
    struct http_response response;
    problem_write(request->arena,
                  &(struct problem){.status = status, .code = code, .detail = detail}, &response);
    http_respond(request, &response);
}

static bool split(struct ask *ask, struct slice path) {
    bool has_more = path.count > 0;
    while (has_more) {
        struct slice part;
        has_more = slice_cut(path, '/', &part, &path);
        if (ask->parts_count == BOARD_PATH_PARTS_MAX) return false;
        struct slice *out = &ask->parts[ask->parts_count++];
        if (!http_decode_percent(ask->visit.request->arena, part, out)) return false;
    }
    return true;
}

static bool fits(const struct path *path, const struct ask *ask) {
    struct slice rest = slice_from_string(path->pattern);
    bool has_more = true;
    for (uint32_t i = 0; i < ask->parts_count; i++) {
        struct slice part;
        if (!has_more) return false;
        has_more = slice_cut(rest, '/', &part, &rest);
        bool is_any = slice_equal(part, SLICE("*"));
        if (is_any ? ask->parts[i].count == 0 : !slice_equal(part, ask->parts[i])) return false;
    }
    return !has_more;
}

static bool is_method(const struct http_request *request, const char *method) {
    if (slice_equal(request->method, SLICE("HEAD"))) return strcmp(method, "GET") == 0;
    return slice_equal_string(request->method, method);
}

static void give(struct ask *ask, struct slice path) {
    const struct path *other = NULL;
    bool is_path = split(ask, path);
    for (size_t i = 0; is_path && i < ARRAY_COUNT(paths); i++) {
        if (!fits(&paths[i], ask)) continue;
        if (is_method(ask->visit.request, paths[i].method)) {
            paths[i].give(ask);
            return;
        }
        other = &paths[i];
    }
    if (other == NULL) {
        ask_refuse(ask, 404, "not-found", SLICE("there is no such thing on the board"));
        return;
    }
    struct http_header header = {SLICE("Allow"), slice_from_string(other->method)};
    struct problem problem = {.status = 405,
                              .code = "method-not-allowed",
                              .detail = SLICE("not with this method"),
                              .headers = &header,
                              .headers_count = 1};
    struct http_response response;
    problem_write(ask->visit.request->arena, &problem, &response);
    visit_answer(&ask->visit, &response);
}

static void probe(struct http_request *request, bool is_good) {
    struct http_response response = {.status = is_good ? 200 : 503,
                                     .content_type = "text/plain",
                                     .body = is_good ? SLICE("ok\n") : SLICE("not ready\n")};
    http_respond(request, &response);
}

/* ---- the handler ---- */

/* Asked anew each time: a header of the request is there as long as the request is. */
static bool is_for_sqs(const struct http_request *request) {
    return http_request_header(request, SLICE("x-amz-target")).count > 0;
}

static void on_request(void *context, struct http_request *request) {
    struct board *board = context;
    struct slice path = request->path;
    bool is_page = slice_equal(path, SLICE("/"));
    if (slice_equal(path, SLICE("/livez"))) {
        probe(request, true);
        return;
    }
    if (slice_equal(path, SLICE("/readyz"))) {
        probe(request, board->is_ready && !shard_has_failed(board->shard));
        return;
    }
    const char *words = board_refusal(request);
    if (words != NULL) {
        refuse(request, 403, "foreign", slice_from_string(words));
        return;
    }
    if (is_for_sqs(request)) {
        board->sqs->on_request(board->sqs_context, request);
        return;
    }
    if (!slice_starts_with(path, SLICE("/api/v1/")) && !(is_page && is_method(request, "GET"))) {
        refuse(request, 404, "not-found", SLICE("the API is under /api/v1/, the page is /"));
        return;
    }
    struct ask *ask = ask_begin(board, request);
    if (ask == NULL) return;
    if (is_page) {
        board_give_page(ask);
    } else {
        give(ask, slice_skip(path, strlen("/api/v1/")));
    }
}

static size_t body_bytes_max(void *context, const struct http_request *request) {
    struct board *board = context;
    if (is_for_sqs(request)) return board->sqs->body_bytes_max(board->sqs_context, request);
    return BOARD_BODY_BYTES_MAX;
}

static void on_closed(void *context, struct http_request *request) {
    struct board *board = context;
    if (is_for_sqs(request)) {
        board->sqs->on_closed(board->sqs_context, request);
    } else {
        visit_leave(request->context);
    }
}

static void on_refused(void *context, struct arena *arena, int status,
                       struct http_response *response) {
    (void)context;
    const char *words = status == 408   ? "the request did not come in time"
                        : status == 413 ? "the body is too large"
                        : status == 503 ? "takt has too many connections; try again"
                                        : "this is not a request that can be read";
    problem_write(arena,
                  &(struct problem){
                      .status = status, .code = "bad-request", .detail = slice_from_string(words)},
                  response);
}

static void on_too_large(void *context, const struct http_request *request,
                         struct http_response *response) {
    struct board *board = context;
    bool is_sqs = is_for_sqs(request);
    if (is_sqs && board->sqs->on_too_large != NULL) {
        board->sqs->on_too_large(board->sqs_context, request, response);
    } else if (is_sqs && board->sqs->on_refused != NULL) {
        board->sqs->on_refused(board->sqs_context, request->arena, 413, response);
    } else {
        on_refused(context, request->arena, 413, response);
    }
}

const struct http_handler *board_handler(void) {
    static const struct http_handler handler = {.body_bytes_max = body_bytes_max,
                                                .on_request = on_request,
                                                .on_closed = on_closed,
                                                .on_refused = on_refused,
                                                .on_too_large = on_too_large};
    return &handler;
}
