/* SPDX-License-Identifier: Apache-2.0 */
/* session.c -- a worker's hold over messages begins, and ends with everything that it still held. */
#include "broker/lines_decide.h"

void decide_session_open(struct deciding *deciding) {
    const struct command_session *command = &deciding->command->session;
    const struct broker *broker = deciding->broker;
    const struct line *line = thing_find(broker, THING_LINE, command->line);
    if (line == NULL || command->station >= line->stations_count) {
        refuse_printf(deciding, BROKER_VALUE_INVALID, "There is no such line or station.");
        return;
    }
    struct station station = station_at(broker, line, command->station);
    record_begin(deciding, RECORD_SESSION_OPEN);
    deciding->decision->answer.session.session =
        effect_session(deciding, command->line, station.queue);
}

/* Back to its station at no cost, or gone if its job was rejected meanwhile. */
void decide_give_up(struct deciding *deciding, uint32_t slot, bool makes_suspect) {
    const struct broker *broker = deciding->broker;
    const struct message *message = message_at(broker, slot);
    const struct piece *piece = message_piece(broker, message);
    struct station station = station_of_message(broker, message);
    if (job_at(broker, piece->job)->state == JOB_REJECTED) {
        effect_end(deciding, slot, station.queue, END_WITHDRAWN);
        return;
    }
    effect_back(deciding, &(struct effect_back){
                              .message = slot,
                              .queue = station.queue,
                              .is_uncounted = true,
                              .is_suspect = makes_suspect || piece->is_suspect,
                              .error = BODY_NONE,
                          });
}

/* The message that pays for the death, or BROKER_NONE. */
static uint32_t guilty_message(const struct broker *broker, const struct command_session *command,
                               const struct session *session) {
    if (command->uncounted) return BROKER_NONE;
    if (command->guilty.number == 0) {
        return session->leases_count == 1 ? session->leases_first : BROKER_NONE;
    }
    const struct message *message = thing_find(broker, THING_MESSAGE, command->guilty);
    bool is_its = message != NULL && message->place == PLACE_LEASED &&
                  message_piece(broker, message)->session == command->session.slot;
    return is_its ? command->guilty.slot : BROKER_NONE;
}

/* Its messages, in ascending order. */
static bool leases_of(struct deciding *deciding, const struct session *session,
                      struct slots *leases) {
    if (!slots_open(deciding, leases, session->leases_count + 1)) return false;
    for (uint32_t slot = session->leases_first; slot != BROKER_NONE;) {
        leases->list[leases->count++] = slot;
        slot = message_piece(deciding->broker, message_at(deciding->broker, slot))->next;
    }
    slots_sort(leases);
    return true;
}

void decide_session_end(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    const struct command_session *command = &deciding->command->session;
    const struct session *session = thing_find(broker, THING_SESSION, command->session);
    if (session == NULL) {
        deciding->decision->answer.result = BROKER_NOTHING;
        return;
    }
    record_begin(deciding, RECORD_SESSION_END);
    uint32_t guilty = guilty_message(broker, command, session);
    bool all_suspect = !command->uncounted && command->guilty.number == 0;
    struct slots leases;
    if (!leases_of(deciding, session, &leases)) return;
    for (uint32_t i = 0; i < leases.count; i++) {
        if (leases.list[i] != guilty) {
            decide_give_up(deciding, leases.list[i], all_suspect);
            continue;
        }
        decide_attempt(deciding, &(struct attempt){.message = guilty,
                                                   .error = command->error,
                                                   .is_death = true,
                                                   .is_suspect = true});
    }
    effect_session_end(deciding, command->session.slot);
    deciding->decision->answer.session.session = command->session;
}

/* A record's bytes are bounded, so this may take several: `more` says so. */
#define LIFE_START_MESSAGES_MAX 10000u

void decide_life_start(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    const struct pool *sessions = &broker->pools[THING_SESSION];
    struct broker_answer *answer = &deciding->decision->answer;
    record_begin(deciding, RECORD_LIFE_START);
    uint32_t count = 0;
    for (uint32_t slot = pool_next_taken(sessions, 0); slot != BROKER_NONE;
         slot = pool_next_taken(sessions, slot + 1)) {
        if (count >= LIFE_START_MESSAGES_MAX) {
            answer->step.more = true;
            return;
        }
        const struct session *session = session_at(broker, slot);
        struct slots leases;
        if (!leases_of(deciding, session, &leases)) return;
        for (uint32_t i = 0; i < leases.count; i++) {
            decide_give_up(deciding, leases.list[i], false);
        }
        effect_session_end(deciding, slot);
        count += 1 + session->leases_count;
        answer->step.count++;
    }
}
