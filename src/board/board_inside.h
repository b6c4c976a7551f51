/* SPDX-License-Identifier: Apache-2.0 */
/* board_inside.h -- what board*.c share.
 *
 * board.c takes requests and knows the paths, board_safety.c keeps other web sites out,
 * board_answer.c holds an answer until what it shows is durable; the others write the answers.
 */
#ifndef TAKT_BOARD_BOARD_INSIDE_H
#define TAKT_BOARD_BOARD_INSIDE_H

#include "base/buffer.h"
#include "board/board.h"
#include "http/problem.h"
#include "http/visit.h"

#define BOARD_ANSWER_BYTES_MAX (32u * 1024 * 1024)
#define BOARD_BODY_BYTES_MAX (4u * 1024)
#define BOARD_PATH_PARTS_MAX 8u
#define BOARD_PAGE_DEFAULT 100u /* things on one page of a list, unless `limit` is given */
#define BOARD_PAGE_MAX 1000u
#define BOARD_PEEK_DEFAULT 10u
#define BOARD_PEEK_MAX 100u
#define BOARD_JOBS_SCAN_MAX 20000u   /* jobs looked at for one page */
#define BOARD_REDRIVE_STEPS_MAX 100u /* commands of one request */

struct board {
    struct shard *shard;
    struct runtime *runtime;
    const struct http_handler *sqs;
    void *sqs_context;
    const char *version;
    struct mono_time opened;
    bool is_ready;
    struct {
        struct journal_copy *copy; /* NULL: none is under way */
        struct env_timer *timer;
        struct mono_time asked; /* for the last piece */
        char id[16];
    } backup;
};

/* A request on its way. Calls that come back late must not touch what the board's owner may have
 * taken down: the runtime, the board itself. */
struct ask {
    struct visit visit; /* first */
    struct board *board;
    struct shard *shard;
    struct env *env;
    struct slice parts[BOARD_PATH_PARTS_MAX]; /* of the path behind /api/v1/, decoded */
    uint32_t parts_count;
    const char *content_type; /* of `body` */
    struct buffer body;       /* the answer */
    void *more;               /* memory of one kind of request; freed with it */
};

/* ---- board_answer.c. Each answers, and the ask may be gone after it. */
struct ask *ask_begin(struct board *board, struct http_request *request); /* NULL: answered */
/* What is in `body`, as soon as everything applied by now is durable. */
void ask_show(struct ask *ask);
void ask_answer(struct ask *ask); /* now */
void ask_refuse(struct ask *ask, int status, const char *code, struct slice detail);
void ask_refuse_result(struct ask *ask, enum broker_result result, const char *detail);
void ask_refuse_unavailable(struct ask *ask);
/* A number in the query: 0 to max. False: refused. */
TAKT_MUST_USE bool ask_number(struct ask *ask, const char *name, uint64_t preset, uint64_t max,
                              uint64_t *out);
struct slice ask_text(const struct ask *ask, const char *name); /* of the query; empty: none */

/* ---- board_backup.c */
TAKT_MUST_USE int board_backup_open(struct board *board);
void board_backup_close(struct board *board);

/* ---- board_safety.c: NULL, or why the request is refused. */
const char *board_refusal(const struct http_request *request);

/* ---- the answers: one function for each path */
void board_give_status(struct ask *ask);
void board_give_digest(struct ask *ask);
void board_give_stations(struct ask *ask);
void board_scale_station(struct ask *ask);
void board_list_queues(struct ask *ask);
void board_give_queue(struct ask *ask);
void board_peek_queue(struct ask *ask);
void board_redrive_queue(struct ask *ask);
void board_list_jobs(struct ask *ask);
void board_give_job(struct ask *ask);
void board_begin_backup(struct ask *ask);
void board_give_backup(struct ask *ask);
void board_end_backup(struct ask *ask);
void board_give_page(struct ask *ask); /* for people */

#endif
