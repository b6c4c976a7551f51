/* SPDX-License-Identifier: Apache-2.0 */
/* lines_reserve.c -- memory and bytes that the next record of a line may need. A command that names
 * something that is not there needs none: it will be refused. */
#include "broker/handoff.h"

static bool reserve_pools(struct broker *broker, uint32_t messages_count) {
    return pool_reserve(&broker->pools[THING_MESSAGE], messages_count) &&
           pool_reserve(&broker->pools[THING_PIECE], messages_count) &&
           pool_reserve(&broker->pools[THING_TIMING], messages_count);
}

static bool reserve_queue(struct broker *broker, const struct queue *queue, uint32_t count) {
    return store_reserve(broker, queue_store(broker, queue), count);
}

static bool reserve_jobs(struct broker *broker, uint32_t count) {
    return pool_reserve(&broker->pools[THING_JOB], count) && timers_reserve(broker, count) &&
           settles_reserve(broker, count) && job_index_reserve(broker, count) &&
           reserve_pools(broker, count);
}

/* ---- by command ------------------------------------------------------------------------------- */

static bool reserve_line_put(struct broker *broker, const struct command *command) {
    const struct command_line_put *put = &command->line_put;
    if (put->stations_count > BROKER_STATIONS_MAX) return true;
    return pool_reserve(&broker->pools[THING_LINE], 1) &&
           queue_reserve(broker, 2 * put->stations_count) &&
           lines_spare_reserve(broker, line_block_bytes(put->stations, put->stations_count));
}

static bool reserve_job_start(struct broker *broker, const struct command *command) {
    const struct command_job_start *start = &command->job_start;
    const struct line *line = thing_find(broker, THING_LINE, start->line);
    if (line == NULL || start->station >= line->stations_count) return true;
    if (start->key.count > BROKER_KEY_BYTES_MAX) return true;
    return reserve_jobs(broker, 1) && lines_spare_reserve(broker, start->key.count) &&
           reserve_queue(broker, queue_at(broker, line->stations[start->station].queue), 1);
}

/* Messages of a session may go back, or die. */
static bool reserve_station(struct broker *broker, struct broker_ref ref, uint32_t count) {
    const struct session *session = thing_find(broker, THING_SESSION, ref);
    if (session == NULL) return true;
    struct station station = station_of(broker, queue_at(broker, session->queue));
    return tallies_reserve(broker, 1) && reserve_queue(broker, station.queue, count) &&
           reserve_queue(broker, station.dead_queue, count);
}

static bool reserve_life_start(struct broker *broker) {
    const struct pool *sessions = &broker->pools[THING_SESSION];
    uint32_t count = 0;
    for (uint32_t slot = pool_next_taken(sessions, 0); slot != BROKER_NONE;
         slot = pool_next_taken(sessions, slot + 1)) {
        count += session_at(broker, slot)->leases_count;
    }
    for (uint32_t slot = pool_next_taken(sessions, 0); slot != BROKER_NONE;
         slot = pool_next_taken(sessions, slot + 1)) {
        const struct queue *queue = queue_at(broker, session_at(broker, slot)->queue);
        if (!reserve_queue(broker, queue, count)) return false;
    }
    return shelf_stock_reserve(&broker->shelf_stock, count);
}

/* How many of its outputs may come too late to a join: each is a step there. */
static uint32_t complete_late_max(const struct command_complete *complete) {
    return complete_is_roll(complete) ? 0 : complete->outputs_count;
}

static bool reserve_complete(struct broker *broker, const struct command *command) {
    const struct command_complete *complete = &command->complete;
    const struct session *session = thing_find(broker, THING_SESSION, complete->session);
    if (session == NULL || complete->outputs_count > BROKER_OUTPUTS_MAX) return true;
    struct station station = station_of(broker, queue_at(broker, session->queue));
    if (!reserve_station(broker, complete->session, 1)) return false;
    if (!tallies_reserve(broker, 1 + complete_late_max(complete)) ||
        !pool_reserve(&broker->pools[THING_SPLIT], 1) || !timers_reserve(broker, 1) ||
        !settles_reserve(broker, 1)) {
        return false;
    }
    if (complete_is_roll(complete)) {
        size_t bytes_count = roll_chunks_count(complete) * sizeof(struct body_ref);
        return pool_reserve(&broker->pools[THING_ROLL], 1) &&
               lines_spare_reserve(broker, bytes_count);
    }
    if (!reserve_pools(broker, complete->outputs_count)) return false;
    for (uint32_t i = 0; i < complete->outputs_count; i++) {
        uint32_t target = complete->outputs[i].station;
        if (target >= station.line->stations_count) continue;
        const struct queue *queue = queue_at(broker, station.line->stations[target].queue);
        if (!reserve_queue(broker, queue, complete->outputs_count)) return false;
    }
    return true;
}

static bool reserve_roll_deal(struct broker *broker, const struct command *command) {
    const struct roll *roll = thing_find(broker, THING_ROLL, command->roll_deal.roll);
    if (roll == NULL) return true;
    for (uint32_t i = 0; i < roll->targets_count; i++) {
        const struct queue *queue = queue_at(broker, roll->targets[i]);
        if (!reserve_queue(broker, queue, BROKER_DEAL_OUTPUTS_MAX)) return false;
    }
    return reserve_pools(broker, BROKER_DEAL_OUTPUTS_MAX) &&
           tallies_reserve(broker, BROKER_DEAL_OUTPUTS_MAX);
}

bool lines_reserve(struct broker *broker, const struct command *command) {
    switch (command->kind) {
    case COMMAND_LINE_PUT: return reserve_line_put(broker, command);
    case COMMAND_JOB_START: return reserve_job_start(broker, command);
    case COMMAND_SESSION_OPEN: return pool_reserve(&broker->pools[THING_SESSION], 1);
    case COMMAND_SESSION_END:
        return reserve_station(broker, command->session.session, BROKER_SESSION_LEASES_MAX);
    case COMMAND_FAIL:
    case COMMAND_REJECT:
    case COMMAND_RETURN: return reserve_station(broker, command->attempt.session, 1);
    case COMMAND_COMPLETE: return reserve_complete(broker, command);
    case COMMAND_ROLL_DEAL: return reserve_roll_deal(broker, command);
    case COMMAND_LIFE_START: return reserve_life_start(broker);
    /* Its messages stay in their store. */
    case COMMAND_LEASE: return pool_reserve(&broker->pools[THING_TIMING], BROKER_LEASE_MAX);
    default: CHECK_UNREACHABLE();
    }
}

bool lines_reserve_queue(struct broker *broker, const struct queue *queue,
                         const struct command *command) {
    if (command->kind == COMMAND_SEND) {
        uint32_t count = command->send.entries_count;
        return reserve_jobs(broker, count) && reserve_queue(broker, queue, count);
    }
    if (command->kind != COMMAND_REDRIVE || queue->kind != QUEUE_STATION_DEAD) return true;
    return reserve_queue(broker, station_of(broker, queue).queue, BROKER_STEP_MAX) &&
           tallies_reserve(broker, BROKER_STEP_MAX);
}

bool lines_reserve_advance(struct broker *broker) {
    return settle_reserve(broker);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

#define COMMAND_BYTES 2048u  /* effects on the message at hand and its job, one step of history */
#define MESSAGE_BYTES 192u   /* the effect of a new message, at most */
#define LATE_STEP_BYTES 384u /* a step of history without an error */
#define BACK_BYTES 64u
#define STATION_BYTES 192u /* of a line, without names */
#define LIFE_MESSAGES_MAX 10256u

static size_t complete_bytes(const struct command_complete *complete) {
    size_t bytes_count = complete->result.count;
    for (uint32_t i = 0; i < complete->outputs_count; i++) {
        bytes_count += complete->outputs[i].body.count + ROLL_OUTPUT_HEAD_BYTES;
    }
    if (complete_is_roll(complete)) return bytes_count + BROKER_STATIONS_MAX * 64;
    return bytes_count + complete->outputs_count * (MESSAGE_BYTES + LATE_STEP_BYTES);
}

static size_t line_put_bytes(const struct command_line_put *put) {
    size_t bytes_count = put->file.count + put->name.count;
    for (uint32_t i = 0; i < put->stations_count && i < BROKER_STATIONS_MAX; i++) {
        bytes_count += STATION_BYTES + put->stations[i].name.count + put->stations[i].queue.count +
                       put->stations[i].dead_queue.count;
    }
    return bytes_count + (size_t)BROKER_STATIONS_MAX * 2 * 16; /* queues that are gone */
}

size_t lines_bytes(const struct command *command) {
    switch (command->kind) {
    case COMMAND_LINE_PUT: return COMMAND_BYTES + line_put_bytes(&command->line_put);
    case COMMAND_JOB_START:
        return COMMAND_BYTES + command->job_start.body.count + command->job_start.key.count;
    case COMMAND_COMPLETE: return COMMAND_BYTES + complete_bytes(&command->complete);
    case COMMAND_ROLL_DEAL:
        return COMMAND_BYTES + command->roll_deal.chunk.count +
               (size_t)BROKER_DEAL_OUTPUTS_MAX * (MESSAGE_BYTES + LATE_STEP_BYTES);
    case COMMAND_FAIL:
    case COMMAND_REJECT:
    case COMMAND_RETURN: return COMMAND_BYTES + (size_t)BROKER_ERROR_BYTES_MAX * 2;
    case COMMAND_SESSION_END:
        return COMMAND_BYTES + (size_t)BROKER_ERROR_BYTES_MAX * 2 +
               (size_t)BROKER_SESSION_LEASES_MAX * BACK_BYTES;
    case COMMAND_LEASE: return COMMAND_BYTES + (size_t)BROKER_LEASE_MAX * BACK_BYTES;
    case COMMAND_LIFE_START: return COMMAND_BYTES + (size_t)LIFE_MESSAGES_MAX * BACK_BYTES;
    default: return COMMAND_BYTES;
    }
}
