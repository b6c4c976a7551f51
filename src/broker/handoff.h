/* SPDX-License-Identifier: Apache-2.0 */
/* handoff.h -- outputs become messages of the next stations, from a COMPLETE or from a roll.
 *
 * A chunk of a roll is a body: for each output u8 target (index into the roll's targets; 255: it
 * belongs to the result alone), u8 each, u32 count, the bytes.
 */
#ifndef TAKT_BROKER_HANDOFF_H
#define TAKT_BROKER_HANDOFF_H

#include "broker/lines_decide.h"

#define ROLL_TARGET_END 255u
#define ROLL_OUTPUT_HEAD_BYTES 6u
/* Two neighbouring chunks hold more than this together, so 32 MiB are at most 129 of them. */
#define ROLL_CHUNK_BYTES (512u * 1024)
_Static_assert(2 * (BROKER_OUTPUTS_BYTES_MAX / ROLL_CHUNK_BYTES) + 1 <= BROKER_CARRY_BODIES_MAX,
               "a roll can be carried");

struct handoff {
    struct deciding *deciding;
    const struct line *line;
    const struct queue *from;
    uint32_t job;
    uint32_t path_split;           /* of the input; of a roll: the split it opened */
    const struct new_split *fresh; /* the split that this record opens; or NULL */
    uint16_t hops;                 /* of the outputs */
    bool is_each;                  /* of the input, which a single output inherits */
    struct job_step *steps;        /* room for what comes too late to a join */
    uint32_t steps_count;
    struct slice path; /* the input's, for these steps */
};

struct handoff_output {
    uint32_t station;
    bool is_each;
    struct slice body;
    uint32_t index; /* in the innermost split of its path */
};
void handoff_output(struct handoff *handoff, const struct handoff_output *output);

/* COMPLETE with more outputs than one record deals: opens the roll. */
void handoff_roll(struct handoff *handoff, const struct command_complete *command);
/* How many chunks the outputs need. */
uint32_t roll_chunks_count(const struct command_complete *command);
bool complete_is_roll(const struct command_complete *command);
/* A roll that can be dealt, into broker->roll_next. */
void roll_find_next(struct broker *broker);

#endif
