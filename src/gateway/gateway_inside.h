/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_inside.h -- what gateway*.c share.
 *
 * gateway.c takes requests and knows the paths, gateway_door.c makes orders of them, gateway_job.c
 * tells where a job is, gateway_answer.c puts it into HTTP.
 */
#ifndef TAKT_GATEWAY_GATEWAY_INSIDE_H
#define TAKT_GATEWAY_GATEWAY_INSIDE_H

#include "gateway/gateway.h"
#include "http/problem.h"
#include "http/visit.h"
#include "line/job_report.h"
#include "line/route.h"

#define GATEWAY_WAIT_S_MAX 300u
#define GATEWAY_LOOKS_MAX 4u /* at a job whose result was moved while it was read */
#define GATEWAY_HEADERS_MAX 6u

struct gateway {
    struct shard *shard;
    const struct definition_files *files;
    bool is_ready;
};

/* A request on its way. Calls that come back late must not touch `gateway`: it may be gone. */
struct order {
    struct visit visit; /* first */
    struct shard *shard;
    struct env *env;
    bool is_waiting; /* came with Prefer: wait; then the job's end is the answer */
    bool wants_report;
    uint32_t wait_s;
    struct route_match match; /* of an order at the door */
    struct broker_ref line;
    uint32_t station;
    uint8_t job_id[16];
    struct broker_ref job_ref;
    struct shard_watch *watch; /* NULL: none */
    struct env_timer *timer;   /* NULL: none */
    bool is_known;             /* there is such a job: `job` is how it was at the last look */
    struct job_view job;
    uint32_t looks_count;
};

/* gateway.c */
/* The request's own order; NULL: refused already, for want of memory. */
struct order *order_begin(struct gateway *gateway, struct http_request *request);
/* No longer waits for the job's end. */
void order_stop_waiting(struct order *order);

/* gateway_door.c: match->route fits the request. */
/* True: 415, with *response in the request's arena. */
bool gateway_refuses_type(const struct http_request *request, const struct definition_route *route,
                          struct http_response *response);
void gateway_take_order(struct gateway *gateway, struct http_request *request,
                        const struct route_match *match);

/* gateway_job.c */
void gateway_tell_job(struct order *order);    /* GET /jobs/ID */
void gateway_tell_result(struct order *order); /* GET /jobs/ID/result, or what was waited for */

/* gateway_answer.c. Each answers, and the order may be gone after it. */
void answer_problem(struct http_request *request, int status, const char *code,
                    struct slice detail);
void answer_problem_later(struct http_request *request, int status, const char *code,
                          struct slice detail, uint32_t retry_after_s);
void order_refuse(struct order *order, int status, const char *code, struct slice detail,
                  uint32_t retry_after_s); /* 0: no Retry-After */
void order_refuse_result(struct order *order, const struct broker_answer *answer);
void order_accept(struct order *order, const char *state, uint32_t retry_after_s); /* 202 */
void order_give_result(struct order *order, struct slice result);                  /* 200, 204 */
void order_give_report(struct order *order, struct slice json);                    /* 200 */
/* The job was rejected or failed: what its report says. */
void order_give_end(struct order *order, struct slice report);
void gateway_list_routes(const struct gateway *gateway, struct http_request *request);

#endif
