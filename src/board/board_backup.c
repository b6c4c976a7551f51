/* SPDX-License-Identifier: Apache-2.0 */
/* board_backup.c -- a backup of a running takt, taken away piece by piece.
 *
 *   POST /api/v1/backup            begins one: {"backup": ID, "lsn": …, "bytes": …}
 *   GET  /api/v1/backup/ID         its next piece, until one holds its end (file_backup.h)
 *   DELETE /api/v1/backup/ID       ends one early
 *
 * One at a time, since it keeps old segments from being used again. Nothing is read ahead: whoever
 * takes the pieces sets the pace. One that nobody asks for any more is given up.
 */
#include "board/board_inside.h"

#include "base/hash.h"
#include "base/json_object.h"

#include <errno.h>
#include <stdio.h>

#define IDLE_NS (60ll * 1000 * 1000 * 1000)
#define STALE_NS (5ll * 1000 * 1000 * 1000) /* then another may take its place */

static void give_up(struct board *board) {
    journal_copy_close(board->backup.copy);
    board->backup.copy = NULL;
}

static void on_idle(void *context) {
    struct board *board = context;
    if (board->backup.copy == NULL) return;
    log_printf(shard_log(board->shard), LOG_WARNING,
               "a backup is given up: nobody has asked for its next piece for %lld s",
               (long long)(IDLE_NS / 1000000000));
    give_up(board);
}

int board_backup_open(struct board *board) {
    struct env *env = shard_env(board->shard);
    return env->ops->timer_open(env, on_idle, board, &board->backup.timer);
}

void board_backup_close(struct board *board) {
    struct env *env = shard_env(board->shard);
    if (board->backup.copy != NULL) give_up(board);
    env->ops->timer_close(env, board->backup.timer);
}

static void put_off(struct board *board) {
    struct env *env = shard_env(board->shard);
    struct mono_time now = env->ops->now_mono(env);
    board->backup.asked = now;
    env->ops->timer_set(env, board->backup.timer, (struct mono_time){.ns = now.ns + IDLE_NS});
}

/* Whoever took it has gone without a word, perhaps. */
static bool is_stale(const struct board *board) {
    struct env *env = shard_env(board->shard);
    return env->ops->now_mono(env).ns - board->backup.asked.ns >= STALE_NS;
}

void board_begin_backup(struct ask *ask) {
    struct board *board = ask->board;
    if (board->backup.copy != NULL && is_stale(board)) give_up(board);
    if (board->backup.copy != NULL) {
        ask_refuse(ask, 409, "busy",
                   SLICE("a backup is under way; one at a time. One that was "
                         "broken off can be followed by another after 5 s"));
        return;
    }
    int rc = shard_copy(board->shard, &board->backup.copy);
    if (rc < 0) {
        ask_refuse_unavailable(ask);
        return;
    }
    uint8_t id[8];
    ask->env->ops->random(ask->env, id, sizeof id);
    hex_write(id, sizeof id, board->backup.id);
    struct journal_copy_status status;
    journal_copy_get_status(board->backup.copy, &status);
    buffer_append_byte(&ask->body, '{');
    json_object_text(&ask->body, "backup", slice_from(board->backup.id, sizeof board->backup.id));
    json_object_number(&ask->body, "lsn", (int64_t)status.lsn);
    json_object_number(&ask->body, "bytes", (int64_t)status.bytes_all);
    buffer_append_string(&ask->body, "}\n");
    put_off(board);
    ask_answer(ask);
}

/* The one in the path; false: refused. */
static bool is_there(struct ask *ask) {
    const struct board *board = ask->board;
    struct slice id = slice_from(board->backup.id, sizeof board->backup.id);
    if (board->backup.copy != NULL && slice_equal(ask->parts[1], id)) return true;
    ask_refuse(ask, 404, "not-found", SLICE("this backup has ended, or was given up"));
    return false;
}

static void on_piece(void *context, int result, struct slice bytes) {
    struct ask *ask = context;
    if (!visit_back(&ask->visit)) return; /* it is given up in its time */
    if (result < 0) {
        char words[96];
        (void)snprintf(words, sizeof words, "the backup cannot be read on: %s", strerror(-result));
        ask_refuse(ask, 500, "failed", slice_from_string(words));
        return;
    }
    ask->content_type = "application/octet-stream";
    buffer_append(&ask->body, bytes);
    ask_answer(ask);
}

void board_give_backup(struct ask *ask) {
    struct board *board = ask->board;
    if (!is_there(ask)) return;
    struct journal_copy_status status;
    journal_copy_get_status(board->backup.copy, &status);
    if (status.is_reading) {
        ask_refuse(ask, 409, "busy", SLICE("the piece before this one is still being read"));
        return;
    }
    put_off(board);
    visit_call(&ask->visit);
    journal_copy_read(board->backup.copy, on_piece, ask);
}

void board_end_backup(struct ask *ask) {
    if (!is_there(ask)) return;
    give_up(ask->board);
    buffer_append_string(&ask->body, "{}\n");
    ask_answer(ask);
}
