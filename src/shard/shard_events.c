/* SPDX-License-Identifier: Apache-2.0 */
/* shard_events.c -- what a record makes possible at once joins the same batch.
 *
 * After each command the broker is asked what has changed: parked receivers, the stations' listener
 * and those who watch a job hear of it before the call returns. When the journal is busy the rest
 * waits, flagged in the broker, for the next commit; the event at which it became busy is told again.
 */
#include "shard/shard_inside.h"

static void tell(struct shard *shard, const struct broker_event *event) {
    switch (event->kind) {
    case BROKER_EVENT_QUEUE: shard_wake_queue(shard, event->ref); break;
    case BROKER_EVENT_STATION:
        if (shard->on_station != NULL) {
            shard->on_station(shard->on_station_context, event->ref, event->station);
        }
        break;
    case BROKER_EVENT_JOB: shard_watch_wake(shard, event->ref); break;
    case BROKER_EVENT_LINE: break; /* who put it has the answer */
    }
}

static bool next_event(struct shard *shard, struct broker_event *out) {
    if (!shard->has_again) return broker_take_event(shard->broker, out);
    *out = shard->again;
    shard->has_again = false;
    return true;
}

static void drain_events(struct shard *shard) {
    for (uint32_t i = 0; i < SHARD_EVENTS_MAX; i++) {
        if (shard->is_busy) return;
        struct broker_event event;
        if (!next_event(shard, &event)) {
            bool is_written = shard_wake_receivers(shard);
            if (shard_give_back(shard)) is_written = true;
            if (shard_settle(shard)) is_written = true;
            if (!is_written) return;
            continue;
        }
        tell(shard, &event);
        if (shard->is_busy) {
            shard->again = event;
            shard->has_again = true;
        }
    }
    shard_turn_soon(shard); /* there may be more: after the others had their turn */
}

void shard_drain(struct shard *shard) {
    if (shard->is_draining || shard->is_closing || shard->is_failed) return;
    shard->is_draining = true;
    drain_events(shard);
    shard->is_draining = false;
    bool is_earlier = broker_next_deadline(shard->broker).ms < shard->deadline_ms;
    if (is_earlier || broker_has_sweep(shard->broker) || shard_roll_is_wanted(shard)) {
        shard_arm(shard);
    }
}

void shard_on_station(struct shard *shard, shard_station_fn *fn, void *context) {
    shard->on_station = fn;
    shard->on_station_context = context;
}
