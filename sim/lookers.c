/* SPDX-License-Identifier: Apache-2.0 */
/* lookers.c -- those who only look, as the board does: what they see is what the model says. */
#include "sim.h"

#include "broker/receipt.h"

#define PEEK_MAX 20u

static void look_at_queues(struct sim *sim, const struct broker *broker) {
    struct queue_view view;
    struct queue_view same;
    struct broker_totals totals;
    uint64_t count = 0;
    uint64_t messages_count = 0;
    struct slice after = SLICE_EMPTY;
    while (broker_next_queue(broker, after, SLICE_EMPTY, &view)) {
        REPORT_EXPECT(sim->report, slice_compare(after, view.name) < 0);
        REPORT_EXPECT(sim->report, broker_get_queue(broker, view.ref, &same));
        REPORT_EXPECT(sim->report, same.visible_count == view.visible_count);
        messages_count += view.visible_count + view.in_flight_count + view.delayed_count;
        after = view.name;
        count++;
    }
    broker_get_totals(broker, &totals);
    REPORT_EXPECT(sim->report, totals.queues_count == count);
    /* Parts of kits and what a purge has left are in no queue. */
    REPORT_EXPECT(sim->report, totals.messages_count >= messages_count);
    uint32_t names_count = 0;
    while (
        broker_next_queue(broker, names_count == 0 ? SLICE_EMPTY : after, SLICE("queue-"), &view)) {
        after = view.name;
        names_count++;
    }
    for (uint32_t i = 0; i < MODEL_QUEUES; i++) names_count -= sim->model->queues[i].exists;
    REPORT_EXPECT(sim->report, names_count == 0);
}

static void look_into(struct sim *sim, const struct broker *broker, struct slice queue) {
    struct peek_message messages[PEEK_MAX];
    struct queue_view view;
    uint32_t count = broker_peek(broker, queue, messages, PEEK_MAX);
    if (!broker_find_queue(broker, queue, &view)) {
        REPORT_EXPECT(sim->report, count == 0);
        return;
    }
    /* What a worker has is not to be seen; and without memory for the look nothing is. */
    uint64_t there = view.visible_count + view.delayed_count;
    REPORT_EXPECT(sim->report, count <= PEEK_MAX);
    REPORT_EXPECT(sim->report, count > 0 || there == 0 || sim->luck.memory != 0);
    for (uint32_t i = 0; i < count && view.kind == QUEUE_PLAIN; i++) {
        const struct answer_message *seen = &messages[i].message;
        const struct model_message *message = model_find(sim->model, seen->message.number);
        REPORT_EXPECT(sim->report, message != NULL && message->state != MODEL_GONE);
        REPORT_EXPECT(sim->report, messages[i].in_flight == (message->state == MODEL_IN_FLIGHT));
        REPORT_EXPECT(sim->report, model_is_body(sim->model, seen->body, message->body));
        (void)broker_message_bytes(broker, seen->message);
    }
}

static void look_at_job(struct sim *sim, const struct broker *broker, const struct job_view *view) {
    struct job_place places[BROKER_STATIONS_MAX] = {{0}};
    struct job_view same;
    REPORT_EXPECT(sim->report, broker_find_job(broker, view->id, &same));
    REPORT_EXPECT(sim->report, same.ref.number == view->ref.number);
    broker_job_places(broker, view->ref, places);
    uint64_t dead_count = 0;
    for (uint32_t i = 0; i < sim->model->line.stations_count; i++) dead_count += places[i].dead;
    REPORT_EXPECT(sim->report, dead_count == view->dead_count);
}

static void look_at_jobs(struct sim *sim, const struct broker *broker) {
    struct job_view view;
    struct broker_totals totals;
    uint64_t count = 0;
    uint64_t running_count = 0;
    for (uint64_t before = 0; broker_next_job(broker, before, SLICE_EMPTY, &view);) {
        REPORT_EXPECT(sim->report, before == 0 || view.ref.number < before);
        before = view.ref.number;
        look_at_job(sim, broker, &view);
        running_count += view.state == JOB_RUNNING;
        count++;
    }
    broker_get_totals(broker, &totals);
    REPORT_EXPECT(sim->report, totals.jobs_count == count && totals.jobs_running == running_count);
    for (uint32_t i = 0; i < sim->model->line.jobs_count; i++) {
        count -= sim->model->jobs[i].is_there;
    }
    REPORT_EXPECT(sim->report, count == 0);
    for (uint64_t before = 0; broker_next_job(broker, before, SLICE("a"), &view);) {
        REPORT_EXPECT(sim->report, slice_equal(view.key, SLICE("a")));
        before = view.ref.number;
    }
}

static void look_at_line(struct sim *sim, const struct broker *broker) {
    struct line_view view;
    struct station_view station;
    if (!broker_line_at(broker, 0, &view)) return;
    REPORT_EXPECT(sim->report, broker_get_line(broker, view.ref, &view));
    REPORT_EXPECT(sim->report, !broker_line_at(broker, 1, &view));
    for (uint32_t i = 0; i < view.stations_count; i++) {
        REPORT_EXPECT(sim->report, broker_get_station(broker, view.ref, i, &station));
        REPORT_EXPECT(sim->report, !station.is_gated || station.gate < view.stations_count);
        look_into(sim, broker, view.stations[i].queue);
        look_into(sim, broker, view.stations[i].dead_queue);
    }
    look_at_jobs(sim, broker);
}

/* What a client got comes back as it was; what it did not get is none of ours. */
static void look_at_receipts(struct sim *sim, const struct broker *broker) {
    uint32_t kept = sim->receipts_count < SIM_RECEIPTS_MAX ? sim->receipts_count : SIM_RECEIPTS_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        char text[RECEIPT_TEXT_BYTES];
        struct receipt back;
        receipt_write(broker, &sim->receipts[i].receipt, text);
        REPORT_EXPECT(sim->report, receipt_read(broker, slice_from_string(text), &back));
        REPORT_EXPECT(sim->report, back.number == sim->receipts[i].receipt.number);
        REPORT_EXPECT(sim->report, back.nonce == sim->receipts[i].receipt.nonce);
        text[sim_below(sim, (uint32_t)strlen(text))] ^= 1;
        REPORT_EXPECT(sim->report, !receipt_read(broker, slice_from_string(text), &back));
    }
}

static bool look_at_body(void *context, struct body_ref ref, const struct broker_owner *owner) {
    struct sim *sim = context;
    REPORT_EXPECT(sim->report, ref.position != 0 && owner->kind != NULL && owner->part != NULL);
    return true;
}

void lookers_step(struct sim *sim) {
    const struct broker *broker = shard_broker(sim->shard);
    look_at_receipts(sim, broker);
    broker_each_body(broker, look_at_body, sim);
    look_at_queues(sim, broker);
    for (uint32_t i = 0; i < MODEL_QUEUES; i++) {
        look_into(sim, broker, slice_from_string(sim->model->names[i]));
    }
    if (sim->has_line) look_at_line(sim, broker);
}
