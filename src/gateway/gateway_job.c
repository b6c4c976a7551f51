/* SPDX-License-Identifier: Apache-2.0 */
/* gateway_job.c -- where a job is, and what came of it.
 *
 * What is told was looked at in one moment, and is told when everything applied by then is durable.
 * A result may be moved on between the look and the read; then the look is repeated.
 */
#include "gateway/gateway_inside.h"

#include <errno.h>

static void refuse_unavailable(struct order *order) {
    order_refuse(order, 503, "unavailable",
                 SLICE("takt cannot tell this now: it is stopping, or its journal has failed"), 1);
}

/* ---- the report ---- */

static void on_report(void *context, bool found, bool failed, struct slice json) {
    struct order *order = context;
    if (!visit_back(&order->visit)) return;
    if (failed) {
        refuse_unavailable(order);
    } else if (!found) {
        order_refuse(order, 404, "job-not-found",
                     SLICE("there is no such job, or it is no longer remembered"), 0);
    } else if (order->wants_report) {
        order_give_report(order, json);
    } else {
        order_give_end(order, json);
    }
}

static void read_report(struct order *order) {
    visit_call(&order->visit);
    job_report_read(order->shard, order->job_id, on_report, order);
}

void gateway_tell_job(struct order *order) {
    order->wants_report = true;
    read_report(order);
}

/* ---- the result ---- */

static void on_result(void *context, int result, struct slice bytes) {
    struct order *order = context;
    if (!visit_back(&order->visit)) return;
    if (result == 0) {
        order_give_result(order, bytes);
    } else if (result == -ENOENT && order->looks_count < GATEWAY_LOOKS_MAX) {
        gateway_tell_result(order);
    } else {
        refuse_unavailable(order);
    }
}

static void tell_done(struct order *order) {
    if (order->job.result.position == 0) {
        order_give_result(order, SLICE_EMPTY);
        return;
    }
    visit_call(&order->visit);
    shard_read_body(order->shard, order->job.result, on_result, order);
}

static void on_durable(void *context, bool failed) {
    struct order *order = context;
    if (!visit_back(&order->visit)) return;
    if (failed) {
        refuse_unavailable(order);
    } else if (!order->is_known) {
        order_refuse(order, 404, "job-not-found",
                     SLICE("there is no such job, or it is no longer remembered"), 0);
    } else if (order->job.state == JOB_RUNNING) {
        order_accept(order, "running", 1);
    } else if (order->job.state == JOB_DONE) {
        tell_done(order);
    } else {
        read_report(order);
    }
}

void gateway_tell_result(struct order *order) {
    order->looks_count++;
    order->is_known = broker_find_job(shard_broker(order->shard), order->job_id, &order->job);
    order->job.key = SLICE_EMPTY; /* it is gone with the next record */
    visit_call(&order->visit);
    shard_when_durable(order->shard, on_durable, order);
}
