/* SPDX-License-Identifier: Apache-2.0 */
/* http_bench -- the HTTP server alone, with one fixed answer, for wrk and beside nginx:
 *
 *     build/bench/http_bench 127.0.0.1:18080 [BODY BYTES] [held]
 *     wrk -t1 -c64 -d10 http://127.0.0.1:18080/
 *
 * `held`: the answers of one turn of the loop go out together at its end, as those that wait for a
 * group commit do.
 */
#include "http/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_BYTES_MAX (1024u * 1024)
#define HELD_MAX 4096u

struct bench {
    struct env *env;
    struct http_server *server;
    struct http_response response;
    bool holds;
    uint32_t held_count;
    struct http_request *held[HELD_MAX];
};

static size_t body_bytes_max(void *context, const struct http_request *request) {
    (void)context;
    (void)request;
    return BODY_BYTES_MAX;
}

static void release(void *context) {
    struct bench *bench = context;
    uint32_t count = bench->held_count;
    bench->held_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (bench->held[i] != NULL) http_respond(bench->held[i], &bench->response);
}

static void on_request(void *context, struct http_request *request) {
    struct bench *bench = context;
    bool is_held = bench->holds && bench->held_count < HELD_MAX;
    if (is_held && bench->held_count == 0)
        is_held = bench->env->ops->defer(bench->env, release, bench) == 0;
    if (is_held) {
        bench->held[bench->held_count++] = request;
    } else {
        http_respond(request, &bench->response);
    }
}

static void on_closed(void *context, struct http_request *request) {
    struct bench *bench = context;
    for (uint32_t i = 0; i < bench->held_count; i++)
        if (bench->held[i] == request) bench->held[i] = NULL;
}

static void on_signal(void *context, int signal) {
    struct bench *bench = context;
    (void)signal;
    http_server_close(bench->server);
    bench->server = NULL;
    env_stop_real(bench->env);
}

int main(int arguments_count, char **arguments) {
    static const struct http_handler handler = {
        .body_bytes_max = body_bytes_max, .on_request = on_request, .on_closed = on_closed};
    size_t body_bytes = arguments_count > 2 ? strtoul(arguments[2], NULL, 10) : 100;
    if (arguments_count < 2 || body_bytes > BODY_BYTES_MAX) {
        fputs("usage: http_bench ADDRESS:PORT [BODY BYTES] [held]\n", stderr);
        return 2;
    }
    struct bench *bench = NULL;
    struct env *env = NULL;
    int rc = env_open_real(&env);
    if (rc < 0) goto fail;
    rc = -ENOMEM;
    bench = env_alloc(env, sizeof *bench);
    char *body = env_alloc(env, body_bytes + 1);
    if (bench == NULL || body == NULL) goto fail;
    memset(body, 'x', body_bytes);
    bench->env = env;
    bench->holds = arguments_count > 3;
    bench->response = (struct http_response){
        .status = 200, .content_type = "text/plain", .body = slice_from(body, body_bytes)};
    struct http_server_options options = {
        .env = env, .address = arguments[1], .handler = &handler, .context = bench};
    rc = http_server_open(&options, &bench->server);
    if (rc == 0) rc = env_on_signal_real(env, on_signal, bench);
    if (rc < 0) goto fail;
    printf("http_bench answers at http://%s/\n", http_server_address(bench->server));
    fflush(stdout);
    env_run_real(env);
    env_free(env, bench);
    env_free(env, body);
    env_close_real(env);
    return 0;

fail:
    fprintf(stderr, "http_bench: cannot start at %s: %s\n", arguments[1], strerror(-rc));
    return 1;
}
