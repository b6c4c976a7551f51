/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h -- the door: HTTP requests become jobs.
 *
 * POST on a route of a line's file: 202 with Location: /jobs/ID once the order is durable, or the
 * result with Prefer: wait=SECONDS. GET /jobs/ID: where it is. GET /jobs/ID/result.
 */
#ifndef TAKT_GATEWAY_GATEWAY_H
#define TAKT_GATEWAY_GATEWAY_H

#include "http/server.h"
#include "line/definition.h"
#include "shard/shard.h"

struct gateway;

struct gateway_options {
    struct shard *shard;                  /* kept */
    const struct definition_files *files; /* kept */
};

TAKT_MUST_USE int gateway_open(const struct gateway_options *options, struct gateway **out);
void gateway_close(struct gateway *gateway); /* after its server is closed; NULL is allowed */
/* Until it is ready (runtime on_ready), and again when takt stops, orders get 503 in words. */
void gateway_set_ready(struct gateway *gateway, bool ready);

const struct http_handler *gateway_handler(void); /* context: the struct gateway */

#endif
