/* SPDX-License-Identifier: Apache-2.0 */
/* lines_member.h -- who belongs to whom: messages to jobs, splits and sessions; splits and rolls to
 * jobs and splits.
 *
 * Every count of a job, split or session is a count of its members that are there, so that replay
 * comes to the right ones in whatever order things are written again. What a count leads to (a kit
 * emerges, a job ends) is never done here: the thing is put into broker.settles, and an advance
 * record says what follows (lines_settle.c).
 *
 * A member that changes leaves first, changes, and enters again.
 */
#ifndef TAKT_BROKER_LINES_MEMBER_H
#define TAKT_BROKER_LINES_MEMBER_H

#include "broker/broker_lines.h"

static inline struct piece *message_piece(const struct broker *broker,
                                          const struct message *message) {
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    CHECK(piece != BROKER_NONE);
    return piece_at(broker, piece);
}

/* The thing's slot; during replay that of a shell if it is missing. BROKER_NONE if ref is none, or
 * with broker->replay_result set. */
uint32_t job_for(struct broker *broker, struct broker_ref ref, uint64_t home);
uint32_t split_for(struct broker *broker, struct broker_ref ref, uint64_t home);
uint32_t session_for(struct broker *broker, struct broker_ref ref, uint64_t home);

/* Called with the message in its new place (a store, a session's hands, a kit), and before it
 * leaves that place. */
void piece_enter(struct broker *broker, uint32_t message);
void piece_leave(struct broker *broker, uint32_t message);
void split_enter(struct broker *broker, uint32_t split);
void split_leave(struct broker *broker, uint32_t split);
void roll_enter(struct broker *broker, uint32_t roll);
void roll_leave(struct broker *broker, uint32_t roll);

/* A part that can never come has broken it: missing is `fail`. Only a redrive mends it. */
bool split_is_broken(const struct split *split);
/* Nothing more can come: its kit is to emerge. */
bool split_is_complete(const struct split *split);
/* All that is left of it can be swept: it has ended and no redrive can revive it. */
bool job_is_over(const struct job *job);
/* Its last message, split and roll are gone. */
bool job_is_empty(const struct job *job);

/* The job's or split's own fields have changed: its timer and its place in broker.settles follow.
 * Nothing happens during replay. */
void job_touch(struct broker *broker, uint32_t job);
void split_touch(struct broker *broker, uint32_t split);
TAKT_MUST_USE bool settles_reserve(struct broker *broker, uint32_t more_count);
extern const struct heap_order settle_order;
void settle_remove(struct broker *broker, enum thing_kind kind, uint32_t slot);
/* Can it be forgotten? Then it stands in broker.ended. */
void ended_set(struct broker *broker, uint32_t job, bool is_ended);
extern const struct heap_order ended_order;

#endif
