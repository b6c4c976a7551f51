/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c -- messages into a worker's hands: the oldest ones that are visible at its station.
 *
 * A suspect (several messages were with a worker that died) is given alone: only to a session with
 * empty hands, which then gets nothing else beside it. A session that meets one with its hands full
 * is given nothing behind it either, so that it comes to have empty hands and no suspect starves.
 */
#include "broker/lines_decide.h"

/* Messages of rejected jobs that it passes over: the sweep is under way and takes them. */
#define PASSED_OVER_MAX 256u

static uint32_t room_of(const struct broker *broker, const struct session *session,
                        const struct command_lease *command) {
    uint32_t room = command->messages_max;
    if (room > BROKER_LEASE_MAX) room = BROKER_LEASE_MAX;
    uint32_t left = BROKER_SESSION_LEASES_MAX - session->leases_count;
    if (room > left) room = left;
    if (session->leases_count == 0) return room;
    const struct message *first = message_at(broker, session->leases_first);
    return message_piece(broker, first)->is_suspect ? 0 : room;
}

static void answer_lease(struct deciding *deciding, uint32_t slot, struct answer_lease *out) {
    const struct broker *broker = deciding->broker;
    const struct message *message = message_at(broker, slot);
    const struct piece *piece = message_piece(broker, message);
    const struct job *job = job_at(broker, piece->job);
    *out = (struct answer_lease){
        .message = message_ref(broker, slot),
        .job = ref_at(broker, THING_JOB, piece->job),
        .attempt = piece->attempts + 1,
        .queued.ms = piece->queued_ms,
        .body = message_body_ref(message),
        .order = job->order,
        .is_kit = message->is_kit,
    };
    memcpy(out->job_id, job->id, sizeof out->job_id);
    path_write(broker, piece->path_split, piece->index, piece->visit, out->task_path);
}

/* Writes the leases; gives how many. */
static uint32_t take(struct deciding *deciding, const struct station *station, uint32_t session,
                     uint32_t room) {
    const struct broker *broker = deciding->broker;
    struct broker_answer *answer = &deciding->decision->answer;
    struct shelf_walk walk =
        shelf_walk_open(&queue_store(broker, station->queue)->visible, room + PASSED_OVER_MAX);
    bool is_empty = session_at(broker, session)->leases_count == 0;
    uint32_t count = 0;
    uint32_t slot;
    while (count < room && shelf_walk_next(&walk, &slot)) {
        const struct piece *piece = message_piece(broker, message_at(broker, slot));
        if (job_at(broker, piece->job)->state == JOB_REJECTED) continue;
        if (piece->is_suspect && (count > 0 || !is_empty)) break;
        answer_lease(deciding, slot, &answer->lease.leases[count++]);
        effect_lease(deciding, session, slot);
        if (piece->is_suspect) break;
    }
    return count;
}

void decide_lease(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    const struct command_lease *command = &deciding->command->lease;
    struct broker_answer *answer = &deciding->decision->answer;
    const struct session *session = thing_find(broker, THING_SESSION, command->session);
    if (session == NULL) {
        refuse(deciding, BROKER_LEASE_LOST);
        return;
    }
    struct station station = station_of(broker, queue_at(broker, session->queue));
    uint32_t room = room_of(broker, session, command);
    if (room == 0 || station_full_gate(broker, station.line, station.index) != BROKER_NONE) return;
    answer->lease.leases = deciding_take(deciding, room, sizeof *answer->lease.leases);
    if (answer->lease.leases == NULL) {
        refuse(deciding, BROKER_NO_MEMORY);
        return;
    }
    record_begin(deciding, RECORD_LEASE);
    answer->lease.count = take(deciding, &station, command->session.slot, room);
    if (answer->lease.count == 0 && !deciding->decision->record.failed) record_drop(deciding);
}
