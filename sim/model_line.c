/* SPDX-License-Identifier: Apache-2.0 */
/* model_line.c -- a line and its jobs, plainly.
 *
 *   a message is in one worker's hands at a time, the oldest first, a suspect alone
 *   an order under a key that is known is the earlier job; an id is given once
 *   what a hand-off says is there, all of it, or nothing of it (model_handoff.c)
 *   a failed attempt is paid for, a returned one is not (model_attempt.c)
 *   a kit comes when nothing of its split is under way any more, once, with all that arrived; a job
 *   ends when nothing of it is (model_settle.c)
 *   at a WIP limit nothing is started that leads there
 */
#include "model_inside.h"

#include <string.h>

#define FRESH_MAX 2048u

/* ---- finding and changing --------------------------------------------------------------------- */

struct model_item *model_change_item(struct model *model, uint32_t index) {
    model_touch(model, &model->items[index], sizeof model->items[index]);
    return &model->items[index];
}
struct model_split *model_change_split(struct model *model, uint32_t index) {
    model_touch(model, &model->splits[index], sizeof model->splits[index]);
    return &model->splits[index];
}
struct model_job *model_change_job(struct model *model, uint32_t index) {
    model_touch(model, &model->jobs[index], sizeof model->jobs[index]);
    return &model->jobs[index];
}
struct model_roll *model_change_roll(struct model *model, uint32_t index) {
    model_touch(model, &model->rolls[index], sizeof model->rolls[index]);
    return &model->rolls[index];
}

uint32_t model_find_item(const struct model *model, struct broker_ref message) {
    for (uint32_t i = model->line.items_count; i-- > 0;) {
        const struct model_item *item = &model->items[i];
        if (item->state != ITEM_GONE && item->number == message.number) return i;
    }
    return MODEL_NONE;
}

uint32_t model_find_job(const struct model *model, uint64_t number) {
    for (uint32_t i = model->line.jobs_count; i-- > 0;) {
        if (model->jobs[i].is_there && model->jobs[i].ref.number == number) return i;
    }
    return MODEL_NONE;
}

uint32_t model_find_split(const struct model *model, uint64_t number) {
    for (uint32_t i = model->line.splits_count; number != 0 && i-- > 0;) {
        if (model->splits[i].is_there && model->splits[i].ref.number == number) return i;
    }
    return MODEL_NONE;
}

struct model_item *model_add_item(struct model *model) {
    model_touch(model, &model->line, sizeof model->line);
    MODEL_EXPECT(model->line.items_count < MODEL_ITEMS_MAX);
    struct model_item *item = model_change_item(model, model->line.items_count++);
    *item = (struct model_item){
        .path = MODEL_NONE, .counts = MODEL_NONE, .kit = MODEL_NONE, .slot = MODEL_NONE};
    return item;
}

void model_end_item(struct model *model, uint32_t index) {
    model_change_item(model, index)->state = ITEM_GONE;
}

/* ---- numbers ---------------------------------------------------------------------------------- */

static uint32_t find_slot(const struct model *model, uint32_t slot, uint32_t end) {
    for (uint32_t i = end; i-- > 0;) {
        if (model->items[i].state != ITEM_GONE && model->items[i].slot == slot) return i;
    }
    return MODEL_NONE;
}

/* A delay, as it turned out: when it is over follows from chance, within bounds. */
static void take_deadline(struct model *model, const struct model_note *note, uint32_t index) {
    struct model_item *item = model_change_item(model, index);
    struct glimpse_message seen;
    MODEL_EXPECT(glimpse_message(note->broker, item->slot, &seen));
    MODEL_EXPECT(seen.deadline_ms >= note->now_ms + item->delay_ms * 3 / 4 - 1);
    MODEL_EXPECT(seen.deadline_ms <= note->now_ms + item->delay_ms * 5 / 4 + 1);
    item->ready_ms = seen.deadline_ms;
    item->delay_ms = 0;
}

/* A slot may be another's already: the one that had it has just ended. */
void model_bind(struct model *model, const struct model_note *note, uint32_t items_before) {
    struct broker_ref fresh[FRESH_MAX];
    uint32_t count =
        glimpse_fresh(note->broker, GLIMPSE_MESSAGES, note->next_number, fresh, FRESH_MAX);
    uint32_t next = items_before;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = find_slot(model, fresh[i].slot, items_before);
        if (index == MODEL_NONE) {
            while (next < model->line.items_count && model->items[next].state == ITEM_GONE) next++;
            MODEL_EXPECT(next < model->line.items_count); /* else nobody knows where it is from */
            index = next++;
        }
        struct model_item *item = model_change_item(model, index);
        item->number = fresh[i].number;
        item->slot = fresh[i].slot;
        item->since_ms = note->now_ms;
    }
    MODEL_EXPECT(next == model->line.items_count); /* else something is lost */
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        if (model->items[i].state == ITEM_DELAYED && model->items[i].delay_ms > 0) {
            take_deadline(model, note, i);
        }
    }
}

/* ---- lines and orders ------------------------------------------------------------------------- */

static void note_put(struct model *model, const struct model_note *note) {
    const struct command_line_put *put = &note->command->line_put;
    MODEL_EXPECT(note->answer->result == BROKER_OK);
    if (note->lsn == 0) return; /* it is in force already */
    MODEL_EXPECT(put->stations_count <= MODEL_STATIONS_MAX);
    model_touch(model, &model->line, sizeof model->line);
    model->line_ref = note->answer->line_put.line;
    model->line.keep_jobs_ms = put->keep_jobs_ms;
    model->line.stations_count = put->stations_count;
    for (uint32_t i = 0; i < put->stations_count; i++) {
        const struct line_station *from = &put->stations[i];
        model->line.stations[i] = (struct model_station){
            .retention_ms = from->retention_ms,
            .delay_ms = from->delay_ms,
            .within_ms = from->within_ms,
            .backoff_ms_min = from->backoff_ms_min,
            .backoff_ms_max = from->backoff_ms_max,
            .attempts_max = from->attempts_max,
            .wip_limit = from->wip_limit,
            .join_opener = from->join_opener,
            .missing = from->missing,
            .reach = from->reach,
            .gates = from->gates,
            .is_result = from->is_result,
            .in_cycle = from->in_cycle,
            .hops_max = from->hops_max == 0 ? BROKER_HOPS_MAX : from->hops_max,
        };
    }
}

/* How many are at the gate or must still pass it. */
static uint32_t wip_up_to(const struct model *model, uint32_t gate) {
    uint32_t count = model->weights.wip[gate];
    for (uint32_t i = 0; i < model->line.stations_count; i++) {
        const struct model_station *station = &model->line.stations[i];
        bool is_before = i != gate && (station->gates >> gate & 1) != 0;
        if (is_before && station->wip_limit == 0) count += model->weights.wip[i];
    }
    return count;
}

static bool is_shut(struct model *model, uint32_t door) {
    model_weigh(model);
    if (model_is_full(model, door)) return true;
    for (uint32_t gate = 0; gate < model->line.stations_count; gate++) {
        if ((model->line.stations[door].gates >> gate & 1) == 0) continue;
        if (wip_up_to(model, gate) >= model->line.stations[gate].wip_limit) return true;
    }
    return false;
}

static uint32_t find_once(const struct model *model, uint32_t once) {
    for (uint32_t i = 0; i < model->line.jobs_count && once != 0; i++) {
        if (model->jobs[i].is_there && model->jobs[i].once == once) return i;
    }
    return MODEL_NONE;
}

static void add_job(struct model *model, const struct model_note *note, uint32_t once) {
    const struct broker_answer *answer = note->answer;
    const struct command_job_start *command = &note->command->job_start;
    for (uint32_t i = 0; i < model->line.jobs_count; i++) {
        MODEL_EXPECT(memcmp(model->jobs[i].id, answer->job_start.id, 16) != 0);
    }
    uint32_t items_before = model->line.items_count;
    int64_t delay_ms = model->line.stations[command->station].delay_ms;
    struct model_item *item = model_add_item(model);
    MODEL_EXPECT(model->line.jobs_count < MODEL_JOBS_MAX);
    item->job = model->line.jobs_count++;
    item->state = delay_ms > 0 ? ITEM_DELAYED : ITEM_VISIBLE;
    item->delay_ms = delay_ms;
    item->station = command->station;
    item->body = body_checksum32(command->body);
    struct model_job *job = model_change_job(model, item->job);
    *job = (struct model_job){.ref = answer->job_start.job,
                              .is_there = true,
                              .once = once,
                              .request = command->request_hash,
                              .state = JOB_RUNNING};
    memcpy(job->id, answer->job_start.id, sizeof job->id);
    model_bind(model, note, items_before);
}

static void note_start(struct model *model, const struct model_note *note) {
    const struct command_job_start *command = &note->command->job_start;
    const struct broker_answer *answer = note->answer;
    uint32_t once = 0;
    if (command->once.count > 0) {
        once = (uint32_t)command->once.bytes[0] | (command->station + 1) << 8;
    }
    uint32_t earlier = find_once(model, once);
    if (earlier != MODEL_NONE) {
        bool is_same = model->jobs[earlier].request == command->request_hash;
        MODEL_EXPECT(note->lsn == 0);
        MODEL_EXPECT(answer->result == (is_same ? BROKER_OK : BROKER_ONCE_CONFLICT));
        MODEL_EXPECT(!is_same || answer->job_start.job.number == model->jobs[earlier].ref.number);
        return;
    }
    bool is_taken = note->lsn != 0;
    MODEL_EXPECT(is_taken != is_shut(model, command->station));
    MODEL_EXPECT(answer->result == (is_taken ? BROKER_OK : BROKER_LINE_FULL));
    if (is_taken) add_job(model, note, once);
}

/* ---- sessions and leases ---------------------------------------------------------------------- */

static struct model_session *find_session(struct model *model, uint64_t number) {
    for (uint32_t i = 0; i < MODEL_SESSIONS_MAX; i++) {
        if (model->sessions[i].number == number) return &model->sessions[i];
    }
    return NULL;
}

static void note_open(struct model *model, const struct model_note *note) {
    MODEL_EXPECT(note->answer->result == BROKER_OK && note->lsn != 0);
    struct model_session *session = find_session(model, 0);
    MODEL_EXPECT(session != NULL);
    model_touch(model, session, sizeof *session);
    session->number = note->answer->session.session.number;
    session->station = note->command->session.station;
}

/* How many more the session may have. */
static uint32_t room_of(const struct model *model, const struct model_session *session,
                        uint32_t messages_max) {
    uint32_t held = 0;
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        const struct model_item *item = &model->items[i];
        if (item->state != ITEM_LEASED || item->session != session->number) continue;
        if (item->is_suspect) return 0;
        held++;
    }
    for (uint32_t gate = 0; gate < model->line.stations_count; gate++) {
        bool is_gate = (model->line.stations[session->station].gates >> gate & 1) != 0;
        if (is_gate && model_is_full(model, gate)) return 0;
    }
    uint32_t left = BROKER_SESSION_LEASES_MAX - held;
    uint32_t room = messages_max < BROKER_LEASE_MAX ? messages_max : BROKER_LEASE_MAX;
    return room < left ? room : left;
}

static bool holds_any(const struct model *model, uint64_t session) {
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        const struct model_item *item = &model->items[i];
        if (item->state == ITEM_LEASED && item->session == session) return true;
    }
    return false;
}

/* The one with the lowest number above `after` that may be given. */
static uint32_t next_waiting(const struct model *model, uint32_t station, uint64_t after) {
    uint32_t found = MODEL_NONE;
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        const struct model_item *item = &model->items[i];
        bool waits = item->state == ITEM_VISIBLE && item->station == station;
        if (!waits || item->number <= after) continue;
        if (model->jobs[item->job].state == JOB_REJECTED) continue;
        if (found == MODEL_NONE || item->number < model->items[found].number) found = i;
    }
    return found;
}

static void check_kit(struct model *model, const struct model_note *note,
                      const struct model_item *item) {
    struct broker_ref ref = {item->number, item->slot};
    uint32_t count = broker_kit_parts(note->broker, ref, 0, NULL, 0);
    MODEL_EXPECT(count == model->weights.parts[item->kit]);
    uint32_t before = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct kit_part part;
        MODEL_EXPECT(broker_kit_parts(note->broker, ref, i, &part, 1) == count);
        MODEL_EXPECT(part.index >= before); /* in the order of the split */
        before = part.index;
    }
    model->report->kits++;
}

static void take_lease(struct model *model, const struct model_note *note,
                       const struct answer_lease *given, uint32_t index, uint64_t session) {
    struct model_item *item = model_change_item(model, index);
    MODEL_EXPECT(given->message.number == item->number);
    MODEL_EXPECT(given->job.number == model->jobs[item->job].ref.number);
    MODEL_EXPECT(given->attempt == item->attempts + 1);
    MODEL_EXPECT(given->is_kit == (item->kit != MODEL_NONE));
    MODEL_EXPECT(given->is_kit || model_is_body(model, given->body, item->body));
    if (given->is_kit) check_kit(model, note, item);
    item->state = ITEM_LEASED;
    item->session = session;
    item->attempts++;
}

static void note_lease(struct model *model, const struct model_note *note) {
    const struct command_lease *command = &note->command->lease;
    const struct broker_answer *answer = note->answer;
    const struct model_session *session = find_session(model, command->session.number);
    if (session == NULL) {
        MODEL_EXPECT(answer->result == BROKER_LEASE_LOST && note->lsn == 0);
        return;
    }
    MODEL_EXPECT(answer->result == BROKER_OK);
    model_weigh(model);
    uint32_t room = room_of(model, session, command->messages_max);
    bool is_empty = !holds_any(model, session->number);
    uint64_t after = 0;
    uint32_t count = 0;
    while (count < room) {
        uint32_t index = next_waiting(model, session->station, after);
        if (index == MODEL_NONE) break;
        const struct model_item *item = &model->items[index];
        if (item->is_suspect && (count > 0 || !is_empty)) break;
        MODEL_EXPECT(count < answer->lease.count);
        after = item->number;
        take_lease(model, note, &answer->lease.leases[count++], index, session->number);
        if (item->is_suspect) break;
    }
    MODEL_EXPECT(answer->lease.count == count && (note->lsn != 0) == (count > 0));
}

/* ---- dead letters ----------------------------------------------------------------------------- */

static uint32_t next_dead(const struct model *model, uint32_t station, uint64_t after) {
    uint32_t found = MODEL_NONE;
    for (uint32_t i = 0; i < model->line.items_count; i++) {
        const struct model_item *item = &model->items[i];
        bool waits = item->state == ITEM_DEAD && item->station == station && !item->is_hidden;
        if (!waits || item->number <= after) continue;
        if (found == MODEL_NONE || item->number < model->items[found].number) found = i;
    }
    return found;
}

/* The kits that it had broken have their whole time again. */
static void renew_within(struct model *model, const struct model_note *note, uint32_t split) {
    while (split != MODEL_NONE && model->weights.is_broken[split]) {
        int64_t within_ms = model->line.stations[model->splits[split].join].within_ms;
        if (within_ms > 0) model_change_split(model, split)->within_ms = note->now_ms + within_ms;
        split = model->splits[split].counts;
    }
}

static void note_redrive(struct model *model, const struct model_note *note, uint32_t station) {
    uint32_t count = 0;
    uint64_t after = 0;
    model_weigh(model);
    while (count < note->command->redrive.messages_max) {
        uint32_t index = next_dead(model, station, after);
        if (index == MODEL_NONE) break;
        struct model_item *item = model_change_item(model, index);
        after = item->number;
        count++;
        if (model->jobs[item->job].state == JOB_REJECTED) {
            item->state = ITEM_GONE;
            continue;
        }
        model_change_job(model, item->job)->state = JOB_RUNNING;
        renew_within(model, note, item->counts);
        item->state = ITEM_VISIBLE;
        item->attempts = 0;
    }
    MODEL_EXPECT(note->answer->step.count == count);
    MODEL_EXPECT(note->answer->result == (count > 0 ? BROKER_OK : BROKER_NOTHING));
    if (count > 0) model_bind(model, note, model->line.items_count);
}

/* A line's queue "line_sN_dead": N; else MODEL_NONE. */
static uint32_t dead_station(const struct model *model, struct slice queue) {
    struct slice head = SLICE("line_s");
    bool is_dead = slice_starts_with(queue, head) && slice_ends_with(queue, SLICE("_dead"));
    if (!is_dead || model->line.stations_count == 0) return MODEL_NONE;
    return (uint32_t)(queue.bytes[head.count] - '0');
}

/* ---- all of them ------------------------------------------------------------------------------ */

void model_note_line(struct model *model, const struct model_note *note) {
    const struct command *command = note->command;
    if (note->answer->result == BROKER_NO_MEMORY) return;
    switch (command->kind) {
    case COMMAND_LINE_PUT: note_put(model, note); break;
    case COMMAND_JOB_START: note_start(model, note); break;
    case COMMAND_SESSION_OPEN: note_open(model, note); break;
    case COMMAND_SESSION_END: model_note_session_end(model, note); break;
    case COMMAND_LIFE_START: model_note_life(model, note); break;
    case COMMAND_LEASE: note_lease(model, note); break;
    case COMMAND_COMPLETE: model_note_complete(model, note); break;
    case COMMAND_ROLL_DEAL: model_note_deal(model, note); break;
    case COMMAND_FAIL:
    case COMMAND_REJECT:
    case COMMAND_RETURN: model_note_attempt(model, note); break;
    case COMMAND_ADVANCE:
        if (note->lsn != 0 && model->line.stations_count > 0) model_note_settle(model, note);
        break;
    case COMMAND_REDRIVE: {
        uint32_t station = dead_station(model, command->redrive.queue);
        if (station != MODEL_NONE) note_redrive(model, note, station);
        break;
    }
    default: break;
    }
}
