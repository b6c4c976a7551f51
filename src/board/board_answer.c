/* SPDX-License-Identifier: Apache-2.0 */
/* board_answer.c -- an answer is written from the state at once, and held until it is durable. */
#include "board/board_inside.h"

static void ask_end(struct visit *visit) {
    struct ask *ask = CONTAINER_OF(visit, struct ask, visit);
    buffer_close(&ask->body);
    env_free(ask->env, ask->more);
    env_free(ask->env, ask);
}

struct ask *ask_begin(struct board *board, struct http_request *request) {
    struct env *env = shard_env(board->shard);
    struct ask *ask = env_alloc(env, sizeof *ask);
    if (ask == NULL) {
        struct http_response response;
        problem_write(request->arena,
                      &(struct problem){.status = 503,
                                        .code = "no-memory",
                                        .detail = SLICE("takt is out of memory for this")},
                      &response);
        http_respond(request, &response);
        return NULL;
    }
    ask->board = board;
    ask->shard = board->shard;
    ask->env = env;
    ask->content_type = "application/json";
    buffer_open(&ask->body, &env->allocator, BOARD_ANSWER_BYTES_MAX);
    visit_begin(&ask->visit, request, ask_end);
    return ask;
}

void ask_answer(struct ask *ask) {
    if (ask->body.failed) {
        ask_refuse(ask, 503, "no-memory", SLICE("takt has no memory for an answer of this size"));
        return;
    }
    struct http_header header = {SLICE("Cache-Control"), SLICE("no-store")};
    struct http_response response = {.status = 200,
                                     .content_type = ask->content_type,
                                     .headers = &header,
                                     .headers_count = 1,
                                     .body = buffer_slice(&ask->body)};
    visit_answer(&ask->visit, &response);
}

static void on_durable(void *context, bool failed) {
    struct ask *ask = context;
    if (!visit_back(&ask->visit)) return;
    if (failed) {
        ask_refuse_unavailable(ask);
    } else {
        ask_answer(ask);
    }
}

void ask_show(struct ask *ask) {
    visit_call(&ask->visit);
    shard_when_durable(ask->shard, on_durable, ask);
}

void ask_refuse(struct ask *ask, int status, const char *code, struct slice detail) {
    struct http_response response;
    problem_write(ask->visit.request->arena,
                  &(struct problem){.status = status, .code = code, .detail = detail}, &response);
    visit_answer(&ask->visit, &response);
}

void ask_refuse_unavailable(struct ask *ask) {
    ask_refuse(ask, 503, "unavailable",
               SLICE("takt cannot tell this now: it is stopping, or its journal has failed"));
}

void ask_refuse_result(struct ask *ask, enum broker_result result, const char *detail) {
    int status = result == BROKER_QUEUE_NOT_FOUND ? 404 : broker_result_status(result);
    const char *code = broker_result_type(result);
    ask_refuse(ask, status, code,
               slice_from_string(detail[0] != '\0' ? detail : broker_result_words(result)));
}

struct slice ask_text(const struct ask *ask, const char *name) {
    struct slice value;
    bool is_given = http_query_value(ask->visit.request, slice_from_string(name), &value);
    return is_given ? value : SLICE_EMPTY;
}

bool ask_number(struct ask *ask, const char *name, uint64_t preset, uint64_t max, uint64_t *out) {
    struct slice text = ask_text(ask, name);
    *out = preset;
    if (text.count == 0 || slice_to_u64(text, max, out)) return true;
    char *words = arena_printf(ask->visit.request->arena, "%s is a number from 0 to %llu", name,
                               (unsigned long long)max);
    ask_refuse(ask, 400, "bad-value", slice_from_string(words == NULL ? name : words));
    return false;
}
