/* SPDX-License-Identifier: Apache-2.0 */
/* broker_lines_pending.c -- lines are not written yet: their commands are refused. Each function
 * leaves this file when its own is there. */
#include "broker/broker_lines.h"

bool lines_open(struct broker *broker) {
    return broker != NULL;
}
void lines_close(struct broker *broker) {
    CHECK(broker != NULL);
}
bool lines_reserve(struct broker *broker, const struct command *command) {
    return broker != NULL && command != NULL;
}
size_t lines_bytes(const struct command *command) {
    return command == NULL ? 0 : 64;
}
int lines_replay_end(struct broker *broker, char *text, size_t text_bytes) {
    CHECK(broker != NULL && (text != NULL || text_bytes == 0));
    return 0;
}
void lines_check(const struct broker *broker) {
    CHECK(broker->pools[THING_JOB].count == 0);
}
bool lines_reserve_advance(struct broker *broker) {
    return broker != NULL;
}
bool lines_reserve_queue(struct broker *broker, const struct queue *queue,
                         const struct command *command) {
    return broker != NULL && queue != NULL && command != NULL;
}

static void not_there(struct deciding *deciding) {
    refuse(deciding, BROKER_UNAVAILABLE);
}

void decide_line_put(struct deciding *deciding) {
    not_there(deciding);
}
void decide_job_start(struct deciding *deciding) {
    not_there(deciding);
}
void decide_session_open(struct deciding *deciding) {
    not_there(deciding);
}
void decide_session_end(struct deciding *deciding) {
    not_there(deciding);
}
void decide_lease(struct deciding *deciding) {
    not_there(deciding);
}
void decide_complete(struct deciding *deciding) {
    not_there(deciding);
}
void decide_fail(struct deciding *deciding) {
    not_there(deciding);
}
void decide_reject(struct deciding *deciding) {
    not_there(deciding);
}
void decide_return(struct deciding *deciding) {
    not_there(deciding);
}
void decide_roll_deal(struct deciding *deciding) {
    not_there(deciding);
}
/* No session can be open. */
void decide_life_start(struct deciding *deciding) {
    record_begin(deciding, RECORD_NOTHING);
}

void decide_station_send(struct deciding *deciding, const struct queue *queue) {
    CHECK(queue != NULL);
    not_there(deciding);
}
void decide_station_redrive(struct deciding *deciding, const struct queue *queue) {
    CHECK(queue != NULL);
    not_there(deciding);
}
void decide_station_delete(struct deciding *deciding, const struct queue *queue) {
    CHECK(queue != NULL);
    not_there(deciding);
}
void decide_station_due(struct deciding *deciding, const struct queue *queue) {
    CHECK(queue != NULL);
    not_there(deciding);
}
void decide_station_sweep(struct deciding *deciding, uint32_t store) {
    CHECK(store != BROKER_NONE);
    not_there(deciding);
}
void decide_job_due(struct deciding *deciding, uint32_t job) {
    CHECK(job != BROKER_NONE);
    not_there(deciding);
}
void decide_split_due(struct deciding *deciding, uint32_t split) {
    CHECK(split != BROKER_NONE);
    not_there(deciding);
}

/* No record of these kinds is ever written. */
void apply_line_put(struct applying *applying) {
    applying->is_broken = true;
}
void apply_job_start(struct applying *applying) {
    applying->is_broken = true;
}
void apply_session_open(struct applying *applying) {
    applying->is_broken = true;
}
void apply_session_end(struct applying *applying) {
    applying->is_broken = true;
}
void apply_lease(struct applying *applying) {
    applying->is_broken = true;
}
void apply_complete(struct applying *applying) {
    applying->is_broken = true;
}
void apply_fail(struct applying *applying) {
    applying->is_broken = true;
}
void apply_reject(struct applying *applying) {
    applying->is_broken = true;
}
void apply_return(struct applying *applying) {
    applying->is_broken = true;
}
void apply_roll_deal(struct applying *applying) {
    applying->is_broken = true;
}
void apply_life_start(struct applying *applying) {
    applying->is_broken = true;
}
void apply_station_due(struct applying *applying) {
    applying->is_broken = true;
}
void apply_station_sweep(struct applying *applying) {
    applying->is_broken = true;
}
void apply_station_redrive(struct applying *applying) {
    applying->is_broken = true;
}
void apply_job_due(struct applying *applying) {
    applying->is_broken = true;
}
void apply_split_due(struct applying *applying) {
    applying->is_broken = true;
}
void apply_station_delete(struct applying *applying) {
    applying->is_broken = true;
}

/* No message has a piece, and no such thing is ever made. */
void piece_encode(const struct broker *broker, uint32_t piece, struct buffer *out) {
    CHECK(broker == NULL && out == NULL && piece == BROKER_NONE);
}
void piece_decode(struct applying *applying, uint32_t message, struct body_ref error) {
    CHECK(message != BROKER_NONE);
    applying->is_broken = error.position < UINT64_MAX;
}
void piece_carried(struct broker *broker, uint32_t message, struct body_ref error) {
    CHECK(broker == NULL && message == BROKER_NONE && error.position == 0);
}
struct body_ref piece_error(const struct broker *broker, uint32_t piece) {
    CHECK(broker == NULL && piece == BROKER_NONE);
    return (struct body_ref){0};
}
void piece_free(struct broker *broker, uint32_t message) {
    CHECK(broker == NULL && message == BROKER_NONE);
}
void piece_job_id(const struct broker *broker, uint32_t piece, uint8_t out[16]) {
    CHECK(broker == NULL && piece == BROKER_NONE && out == NULL);
}

void line_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    CHECK(line_at(broker, slot) == NULL && out == NULL);
}
uint32_t line_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                           uint32_t max) {
    CHECK(line_at(broker, slot) == NULL && out == NULL);
    return max;
}
void line_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || slot != BROKER_NONE;
}
void line_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    CHECK(line_at(broker, slot) == NULL && digest == NULL);
}
void line_check(const struct broker *broker, uint32_t slot) {
    CHECK(line_at(broker, slot) == NULL);
}
void line_close(struct broker *broker, uint32_t slot) {
    CHECK(line_at(broker, slot) == NULL);
}

void job_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    CHECK(job_at(broker, slot) == NULL && out == NULL);
}
uint32_t job_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                          uint32_t max) {
    CHECK(job_at(broker, slot) == NULL && out == NULL);
    return max;
}
void job_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || slot != BROKER_NONE;
}
void job_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    CHECK(job_at(broker, slot) == NULL && digest == NULL);
}
void job_check(const struct broker *broker, uint32_t slot) {
    CHECK(job_at(broker, slot) == NULL);
}
void job_close(struct broker *broker, uint32_t slot) {
    CHECK(job_at(broker, slot) == NULL);
}

void split_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    CHECK(split_at(broker, slot) == NULL && out == NULL);
}
uint32_t split_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                            uint32_t max) {
    CHECK(split_at(broker, slot) == NULL && out == NULL);
    return max;
}
void split_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || slot != BROKER_NONE;
}
void split_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    CHECK(split_at(broker, slot) == NULL && digest == NULL);
}
void split_check(const struct broker *broker, uint32_t slot) {
    CHECK(split_at(broker, slot) == NULL);
}
void split_close(struct broker *broker, uint32_t slot) {
    CHECK(split_at(broker, slot) == NULL);
}

void session_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    CHECK(session_at(broker, slot) == NULL && out == NULL);
}
uint32_t session_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                              uint32_t max) {
    CHECK(session_at(broker, slot) == NULL && out == NULL);
    return max;
}
void session_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || slot != BROKER_NONE;
}
void session_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    CHECK(session_at(broker, slot) == NULL && digest == NULL);
}
void session_check(const struct broker *broker, uint32_t slot) {
    CHECK(session_at(broker, slot) == NULL);
}
void session_close(struct broker *broker, uint32_t slot) {
    CHECK(session_at(broker, slot) == NULL);
}

void roll_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    CHECK(roll_at(broker, slot) == NULL && out == NULL);
}
uint32_t roll_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                           uint32_t max) {
    CHECK(roll_at(broker, slot) == NULL && out == NULL);
    return max;
}
void roll_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || slot != BROKER_NONE;
}
void roll_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    CHECK(roll_at(broker, slot) == NULL && digest == NULL);
}
void roll_check(const struct broker *broker, uint32_t slot) {
    CHECK(roll_at(broker, slot) == NULL);
}
void roll_close(struct broker *broker, uint32_t slot) {
    CHECK(roll_at(broker, slot) == NULL);
}

void piece_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    CHECK(piece_at(broker, slot) == NULL && out == NULL);
}
uint32_t piece_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                            uint32_t max) {
    CHECK(piece_at(broker, slot) == NULL && out == NULL);
    return max;
}
void piece_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    applying->is_broken = is_new || slot != BROKER_NONE;
}
void piece_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    CHECK(piece_at(broker, slot) == NULL && digest == NULL);
}
void piece_check(const struct broker *broker, uint32_t slot) {
    CHECK(piece_at(broker, slot) == NULL);
}
void piece_close(struct broker *broker, uint32_t slot) {
    CHECK(piece_at(broker, slot) == NULL);
}
