/* SPDX-License-Identifier: Apache-2.0 */
/* clients.c -- those who use plain queues: they send, receive, delete, and go away. */
#include "sim.h"

#include "base/hash.h"

#include <errno.h>
#include <stdio.h>

#define NS_PER_MS 1000000ll
#define LIVING_MAX 160u

/* ---- answers ---------------------------------------------------------------------------------- */

static bool is_refusal(enum broker_result result) {
    return result == BROKER_BUSY || result == BROKER_NO_ROOM || result == BROKER_NO_MEMORY ||
           result == BROKER_UNAVAILABLE;
}

static void check_same(struct sim *sim, const struct sim_request *request,
                       const struct broker_answer *answer) {
    const struct broker_answer *expected = &request->expected;
    REPORT_EXPECT(sim->report, answer->result == expected->result);
    if (answer->result != BROKER_OK) return;
    size_t bytes_count = sizeof answer->lease.count;
    if (request->kind == COMMAND_JOB_START) bytes_count = sizeof answer->job_start.job;
    if (request->kind == COMMAND_SEND) bytes_count = sizeof answer->send;
    if (request->kind == COMMAND_MOVE_START) bytes_count = sizeof answer->move;
    if (request->kind == COMMAND_QUEUE_CREATE) bytes_count = sizeof answer->queue;
    REPORT_EXPECT(sim->report, memcmp(&answer->send, &expected->send, bytes_count) == 0);
}

static void claim(struct sim *sim, const struct answer_message *message) {
    for (uint32_t i = sim->given_count; i-- > 0;) {
        struct sim_given *given = &sim->given[i];
        if (given->number != message->message.number || given->nonce != message->nonce) continue;
        REPORT_EXPECT(sim->report, !given->is_claimed);
        given->is_claimed = true;
        if (given->lsn > sim->lsn_answered) sim->lsn_answered = given->lsn;
        return;
    }
    report_fail(sim->report, "message %llu came, and no decision gave it out",
                (unsigned long long)message->message.number);
}

static void on_body(void *context, int result, struct slice bytes) {
    struct sim_read *read = context;
    struct sim *sim = read->sim;
    read->is_used = false;
    machine_mix(sim->machine, (uint64_t)result + 77);
    bool may_fail = sim->luck.read != 0 || sim->luck.flip != 0 || sim->luck.memory != 0 ||
                    sim->is_rotten || read->is_given_up;
    sim->machine->mishaps[MISHAP_BODY_DAMAGED] += result == -EBADMSG;
    if (result == -ECANCELED || sim->has_failed) return;
    if (result < 0 && may_fail && result != -ENOENT) return;
    if (result < 0) report_fail(sim->report, "a body cannot be read: %s", strerror(-result));
    REPORT_EXPECT(sim->report, !read->is_given_up);
    REPORT_EXPECT(sim->report,
                  bytes.count == read->count && body_checksum32(bytes) == read->checksum32);
}

static void read_body(struct sim *sim, struct body_ref ref) {
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++) {
        struct sim_read *read = &sim->reads[i];
        if (read->is_used) continue;
        *read = (struct sim_read){sim, true, body_ref_is_given_up(ref), ref.checksum32, ref.count};
        shard_read_body(sim->shard, ref, on_body, read);
        return;
    }
}

static void receive_message(struct sim *sim, uint32_t queue, const struct answer_message *message) {
    claim(sim, message);
    struct receipt receipt = {.number = message->message.number,
                              .slot = message->message.slot,
                              .nonce = message->nonce,
                              .queue_slot = message->queue_slot};
    sim->receipts[sim->receipts_count++ % SIM_RECEIPTS_MAX] = (struct sim_receipt){receipt, queue};
    read_body(sim, message->body);
}

static void on_answer(void *context, const struct broker_answer *answer) {
    struct sim_request *request = context;
    struct sim *sim = request->sim;
    REPORT_EXPECT(sim->report, request->is_used);
    request->is_used = false;
    sim->report->answers++;
    machine_mix(sim->machine, (uint64_t)answer->result + 500);
    REPORT_EXPECT(sim->report, !request->is_room_sure || answer->result != BROKER_NO_ROOM);
    if (is_refusal(answer->result)) return;
    if (request->is_bound) {
        check_same(sim, request, answer);
        if (request->rest > sim->lsn_answered) sim->lsn_answered = request->rest;
    }
    if (request->then != NULL) request->then(sim, request, answer);
    if (request->kind != COMMAND_RECEIVE || answer->result != BROKER_OK) return;
    for (uint32_t i = 0; i < answer->receive.count; i++) {
        receive_message(sim, request->queue, &answer->receive.messages[i]);
    }
}

static struct sim_request *take_request(struct sim *sim, enum command_kind kind, uint32_t queue) {
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++) {
        struct sim_request *request = &sim->requests[i];
        if (request->is_used) continue;
        *request = (struct sim_request){
            .sim = sim, .is_used = true, .kind = kind, .queue = queue, .deadline_ns = INT64_MAX};
        return request;
    }
    return NULL;
}

void clients_submit(struct sim *sim, const struct command *command,
                    const struct sim_request *about) {
    struct sim_request *request = take_request(sim, command->kind, about->queue);
    if (request == NULL) return;
    request->then = about->then;
    request->session = about->session;
    request->message = about->message;
    request->is_room_sure = about->is_room_sure;
    machine_mix(sim->machine, command->kind);
    sim->capture = (struct sim_capture){.is_wanted = true};
    shard_submit(sim->shard, command, on_answer, request);
    REPORT_EXPECT(sim->report, request->is_used); /* never inside the call */
    sim->capture.is_wanted = false;
    request->is_bound = sim->capture.is_made;
    request->expected = sim->capture.answer;
    request->rest = sim->capture.rest;
}

static void submit(struct sim *sim, const struct command *command, uint32_t queue) {
    clients_submit(sim, command, &(struct sim_request){.queue = queue});
}

/* ---- what they do ----------------------------------------------------------------------------- */

static struct slice name_of(const struct sim *sim, uint32_t queue) {
    return slice_from_string(sim->model->names[queue]);
}

static struct command_queue random_settings(struct sim *sim, uint32_t queue) {
    struct command_queue command = {.name = name_of(sim, queue), .given = sim_below(sim, 64)};
    struct queue_settings *settings = &command.settings;
    settings->visibility_ms = 1000 + sim_below(sim, 20000);
    settings->delay_ms = sim_below(sim, 3) == 0 ? sim_below(sim, 5000) : 0;
    settings->wait_ms = sim_below(sim, 20000);
    settings->retention_ms = 60000 + (int64_t)sim_below(sim, 200000);
    settings->message_bytes_max = 1024 + sim_below(sim, 262144);
    uint32_t dead = sim_below(sim, MODEL_QUEUES);
    /* Never in a circle: there nobody would get what is in it. */
    if (dead > queue && sim->model->queues[dead].exists) {
        settings->dead_queue = name_of(sim, dead);
        settings->dead_after = 1 + sim_below(sim, 3);
    } else {
        command.given &= ~(uint32_t)QUEUE_SET_DEAD;
    }
    command.notes = sim->notes;
    for (uint32_t i = 0; i < MODEL_NOTES; i++) {
        if (sim_below(sim, 4) > 0) continue;
        bool is_end = sim_below(sim, 3) == 0;
        struct slice value = slice_from(sim->body, sim_below(sim, 200));
        sim->notes[command.notes_count++] =
            (struct queue_note){slice_from(&"012"[i], 1), is_end ? SLICE_EMPTY : value};
    }
    return command;
}

static void create(struct sim *sim) {
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = random_settings(sim, queue)};
    submit(sim, &command, queue);
}

static void set(struct sim *sim) {
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    struct command command = {.kind = COMMAND_QUEUE_SET, .queue = random_settings(sim, queue)};
    submit(sim, &command, queue);
}

static void purge(struct sim *sim) {
    if (sim_below(sim, 4) != 0) return;
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    bool is_end = sim_below(sim, 3) == 0;
    struct command command = {.kind = is_end ? COMMAND_QUEUE_DELETE : COMMAND_QUEUE_PURGE,
                              .queue = {.name = name_of(sim, queue)}};
    submit(sim, &command, queue);
}

/* Each body is another one; the first bytes say which. */
static struct slice next_body(struct sim *sim, size_t *used) {
    size_t count = 12 + sim_below(sim, 60);
    if (dice_one_in(&sim->machine->dice, sim->big_one_in))
        count = 1000 + sim_below(sim, sim->big_bytes_max);
    if (*used + count > sizeof sim->body) count = 12;
    char *bytes = sim->body + *used;
    memset(bytes, 'a' + (int)(sim->tokens % 26), count);
    (void)snprintf(bytes, count, "%llu", (unsigned long long)sim->tokens++);
    *used += count;
    return slice_from(bytes, count);
}

static void send(struct sim *sim) {
    if (sim->model->all.living_count > LIVING_MAX) return;
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    struct command_send_entry entries[BROKER_BATCH_MAX];
    uint32_t count = 1 + sim_below(sim, sim_below(sim, BROKER_BATCH_MAX) + 1);
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice body = next_body(sim, &used);
        int64_t delay_ms = sim_below(sim, 3) == 0 ? (int64_t)sim_below(sim, 4000) : -1;
        entries[i] = (struct command_send_entry){body, (uint32_t)body.count, delay_ms};
    }
    struct command command = {
        .kind = COMMAND_SEND,
        .send = {.queue = name_of(sim, queue), .entries = entries, .entries_count = count}};
    submit(sim, &command, queue);
}

void clients_expect_room(struct sim *sim) {
    for (uint32_t queue = 0; queue < MODEL_QUEUES; queue++) {
        if (!sim->model->queues[queue].exists) continue;
        struct command_send_entry entry = {SLICE("it fits"), 7, -1};
        struct command command = {
            .kind = COMMAND_SEND,
            .send = {.queue = name_of(sim, queue), .entries = &entry, .entries_count = 1}};
        clients_submit(sim, &command, &(struct sim_request){.queue = queue, .is_room_sure = true});
        return;
    }
}

static void receive_from(struct sim *sim, uint32_t queue, int64_t wait_ms, int64_t lease_ms) {
    struct sim_request *request = take_request(sim, COMMAND_RECEIVE, queue);
    if (request == NULL) return;
    struct command_receive command = {.queue = name_of(sim, queue),
                                      .messages_max = 1 + sim_below(sim, BROKER_BATCH_MAX),
                                      .visibility_ms = lease_ms};
    int64_t longest_ms = wait_ms < 0 ? 20000 : wait_ms;
    request->deadline_ns = sim->machine->mono_ns + longest_ms * NS_PER_MS;
    request->receive = shard_receive(sim->shard, &command, wait_ms, on_answer, request);
    REPORT_EXPECT(sim->report, request->is_used);
    if (request->receive == NULL) {
        request->is_used = false;
        REPORT_EXPECT(sim->report, sim->luck.memory != 0);
    }
}

static void receive(struct sim *sim) {
    int64_t wait_ms = 0;
    if (sim_below(sim, 3) == 0) wait_ms = (int64_t)sim_below(sim, 3) * 5000 - 1;
    int64_t lease_ms = (int64_t)sim_below(sim, 4) * 3000 - 3000;
    receive_from(sim, sim_below(sim, MODEL_QUEUES), wait_ms, lease_ms < 0 ? -1 : lease_ms);
}

static void leave(struct sim *sim) {
    struct sim_request *request = &sim->requests[sim_below(sim, SIM_REQUESTS_MAX)];
    if (!request->is_used || request->receive == NULL) return;
    sim->machine->mishaps[MISHAP_LEFT]++;
    request->is_used = false; /* on_answer would find that out */
    shard_receive_cancel(request->receive);
}

static void use_handles(struct sim *sim, enum command_kind kind) {
    uint32_t kept = sim->receipts_count < SIM_RECEIPTS_MAX ? sim->receipts_count : SIM_RECEIPTS_MAX;
    if (kept == 0) return;
    uint32_t first = sim_below(sim, kept);
    if (sim_below(sim, 2) == 0) first = (sim->receipts_count - 1) % SIM_RECEIPTS_MAX;
    uint32_t queue = sim->receipts[first].queue;
    struct receipt receipts[BROKER_BATCH_MAX];
    int64_t leases_ms[BROKER_BATCH_MAX];
    uint32_t count = 0;
    uint32_t max = 1 + sim_below(sim, 5);
    for (uint32_t i = 0; i < kept && count < max; i++) {
        const struct sim_receipt *receipt = &sim->receipts[(first + kept - i) % kept];
        if (receipt->queue != queue) continue;
        leases_ms[count] = sim_below(sim, 3) == 0 ? 0 : (int64_t)sim_below(sim, 30000);
        receipts[count++] = receipt->receipt;
    }
    struct command command = {.kind = kind,
                              .handles = {.queue = name_of(sim, queue),
                                          .receipts = receipts,
                                          .visibility_ms = leases_ms,
                                          .receipts_count = count}};
    submit(sim, &command, queue);
}

static void delete (struct sim *sim) {
    use_handles(sim, COMMAND_DELETE);
}
static void change(struct sim *sim) {
    use_handles(sim, COMMAND_VISIBILITY);
}
static void give_back(struct sim *sim) {
    use_handles(sim, COMMAND_GIVE_BACK);
}

static void redrive(struct sim *sim) {
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    struct command command = {
        .kind = COMMAND_REDRIVE,
        .redrive = {.queue = name_of(sim, queue), .messages_max = 1 + sim_below(sim, 20)}};
    submit(sim, &command, queue);
}

/* Where to may be anywhere: a move is of what was there before it, so none goes on in a circle. */
static void move(struct sim *sim) {
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    uint32_t target = sim_below(sim, 2 * MODEL_QUEUES);
    if (sim->model->all.moves_count > MODEL_MOVES_MAX / 2) return;
    struct command command = {
        .kind = COMMAND_MOVE_START,
        .move = {.source = name_of(sim, queue),
                 .target = target < MODEL_QUEUES ? name_of(sim, target) : SLICE_EMPTY,
                 .per_second = sim_below(sim, 2) == 0 ? 0 : 1 + sim_below(sim, 500)}};
    submit(sim, &command, queue);
}

static void cancel(struct sim *sim) {
    const struct broker *broker = shard_broker(sim->shard);
    uint32_t queue = sim_below(sim, MODEL_QUEUES);
    struct queue_view view;
    struct move_view found;
    if (!broker_find_queue(broker, name_of(sim, queue), &view) ||
        !broker_next_move(broker, view.ref, 0, &found))
        return;
    struct command command = {.kind = COMMAND_MOVE_CANCEL, .move = {.move = found.ref}};
    submit(sim, &command, queue);
}

static const struct client_step {
    void (*run)(struct sim *sim);
    uint32_t weight;
} client_steps[] = {
    {send, 50},   {receive, 45},  {create, 8}, {delete, 25}, {change, 12}, {leave, 12},
    {redrive, 5}, {give_back, 4}, {set, 4},    {purge, 6},   {move, 6},    {cancel, 2},
};
#define STEPS_ALWAYS 3u

void clients_step(struct sim *sim) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(client_steps); i++) sum += client_steps[i].weight;
    uint32_t at = sim_below(sim, sum);
    uint32_t i = 0;
    for (; at >= client_steps[i].weight; i++) at -= client_steps[i].weight;
    /* A seed leaves out some kinds, so that others come more often. */
    if (i >= STEPS_ALWAYS && (sim->kinds >> i & 1) == 0) i = 0;
    client_steps[i].run(sim);
}

/* ---- what must hold --------------------------------------------------------------------------- */

void clients_forget(struct sim *sim) {
    memset(sim->requests, 0, sizeof sim->requests);
    memset(sim->reads, 0, sizeof sim->reads);
}

void clients_check_idle(struct sim *sim) {
    /* Timers have whole milliseconds, and takt's clock slews. */
    model_check_idle(sim->model, shard_now(sim->shard).ms - 5);
    for (uint32_t i = 0; i < SIM_REQUESTS_MAX; i++) {
        const struct sim_request *request = &sim->requests[i];
        if (!request->is_used) continue;
        if (request->receive == NULL || request->deadline_ns <= sim->machine->mono_ns) {
            report_fail(sim->report, "a request of kind %u is never answered",
                        (unsigned)request->kind);
        }
        struct queue_view view;
        if (!broker_find_queue(shard_broker(sim->shard), name_of(sim, request->queue), &view)) {
            continue;
        }
        if (view.visible_count > 0 &&
            view.oldest_sent.ms + view.settings.retention_ms > shard_now(sim->shard).ms) {
            report_fail(sim->report, "a receiver waits at %s, where messages are",
                        sim->model->names[request->queue]);
        }
    }
}

static void drain_once(struct sim *sim) {
    for (uint32_t queue = 0; queue < MODEL_QUEUES; queue++) {
        for (uint32_t i = 0; i < 3; i++) receive_from(sim, queue, 0, 600000);
    }
    sim_settle(sim);
    uint32_t kept = sim->receipts_count < SIM_RECEIPTS_MAX ? sim->receipts_count : SIM_RECEIPTS_MAX;
    for (uint32_t i = 0; i < kept; i++) {
        struct sim_receipt *receipt = &sim->receipts[i];
        struct command command = {.kind = COMMAND_DELETE,
                                  .handles = {.queue = name_of(sim, receipt->queue),
                                              .receipts = &receipt->receipt,
                                              .receipts_count = 1}};
        submit(sim, &command, receipt->queue);
        if (i % 16 == 15) sim_settle(sim);
    }
    sim_settle(sim);
    sim->receipts_count = 0;
}

void clients_drain(struct sim *sim) {
    sim_pass_ms(sim, 30000); /* what is delayed or in flight comes */
    for (uint32_t round = 0; round < 60 && sim->model->all.living_count > 0; round++) {
        drain_once(sim);
        if (round % 8 == 7) sim_pass_ms(sim, 610000);
    }
    if (sim->model->all.living_count == 0) return;
    for (uint32_t i = 0; i < sim->model->all.messages_count; i++) {
        const struct model_message *message = &sim->model->messages[i];
        if (message->state == MODEL_GONE) continue;
        sim_tell(sim, "left: message %llu, state %u, in %s, %u receives, due in %lld ms",
                 (unsigned long long)message->number, message->state,
                 sim->model->names[message->queue], message->receives,
                 (long long)(message->deadline_ms - shard_now(sim->shard).ms));
    }
    report_fail(sim->report, "%u messages never come", sim->model->all.living_count);
}
