/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of workers. */
#include "broker/lines_effect.h"

struct broker_ref effect_session(struct deciding *deciding, struct broker_ref line,
                                 const struct queue *queue) {
    struct broker_ref session = new_ref(deciding, THING_SESSION);
    struct buffer *out = effect_begin(deciding, EFFECT_SESSION);
    encode_ref(out, session);
    encode_ref(out, line);
    encode_ref(out, queue_ref(queue));
    return session;
}

void session_count(struct broker *broker, const struct session *session, int32_t by) {
    if (broker->is_replaying) return; /* counted at its end */
    queue_at(broker, session->queue)->sessions_count += (uint32_t)by;
}

void effect_session_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct broker_ref line = decode_ref(&applying->in);
    struct broker_ref queue = decode_ref(&applying->in);
    struct session *session = thing_make(broker, THING_SESSION, ref, applying->lsn);
    if (session == NULL) return;
    session->line = line.slot;
    session->line_number = line.number;
    session->queue = queue.slot;
    session->queue_number = queue.number;
    session->leases_first = session->leases_last = BROKER_NONE;
    session_count(broker, session, 1);
}

void effect_session_end(struct deciding *deciding, uint32_t session) {
    struct buffer *out = effect_begin(deciding, EFFECT_SESSION_END);
    encode_ref(out, ref_at(deciding->broker, THING_SESSION, session));
}

void effect_session_end_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    const struct session *session = applying_find(applying, THING_SESSION, ref);
    if (session == NULL) return;
    CHECK(session->leases_count == 0);
    if (session->is_shell) {
        broker->shells_count--;
    } else {
        session_count(broker, session, -1);
    }
    thing_free(broker, THING_SESSION, ref.slot);
}

void session_close(struct broker *broker, uint32_t slot) {
    CHECK(session_at(broker, slot) != NULL); /* it holds nothing beside its slot */
}
