/* SPDX-License-Identifier: Apache-2.0 */
/* roll.c -- a large split, dealt out in pieces of at most BROKER_DEAL_OUTPUTS_MAX outputs.
 *
 * The COMPLETE record ends the input, opens the split and keeps the outputs as chunks; each
 * ROLL_DEAL record makes messages of the next outputs and moves the cursor, so a crash resumes
 * there. A roll whose target is full waits; the one that waited longest is next.
 */
#include "broker/handoff.h"

#include "base/hash.h"

bool complete_is_roll(const struct command_complete *command) {
    if (command->outputs_count > BROKER_DEAL_OUTPUTS_MAX) return true;
    size_t bytes_count = 0;
    for (uint32_t i = 0; i < command->outputs_count; i++) {
        bytes_count += command->outputs[i].body.count;
    }
    return command->outputs_count > 1 && bytes_count > BROKER_DEAL_BYTES_MAX;
}

/* ---- a roll opens ----------------------------------------------------------------------------- */

/* How many outputs from `first` on go into one chunk, and its bytes. */
static uint32_t chunk_measure(const struct command_complete *command, uint32_t first,
                              size_t *bytes_count) {
    uint32_t count = 0;
    *bytes_count = 0;
    for (uint32_t i = first; i < command->outputs_count; i++) {
        size_t more = command->outputs[i].body.count + ROLL_OUTPUT_HEAD_BYTES;
        if (count > 0 && *bytes_count + more > ROLL_CHUNK_BYTES) break;
        *bytes_count += more;
        count++;
    }
    return count;
}

uint32_t roll_chunks_count(const struct command_complete *command) {
    uint32_t chunks_count = 0;
    size_t bytes_count;
    for (uint32_t i = 0; i < command->outputs_count;) {
        i += chunk_measure(command, i, &bytes_count);
        chunks_count++;
    }
    return chunks_count;
}

static uint8_t target_index(const struct effect_roll *roll, const struct line *line,
                            uint32_t station) {
    if (station == BROKER_TARGET_END) return ROLL_TARGET_END;
    for (uint32_t i = 0; i < roll->targets_count; i++) {
        if (roll->targets[i].slot == line->stations[station].queue) return (uint8_t)i;
    }
    CHECK_UNREACHABLE();
}

/* The stations it goes to, and the splits in which its outputs may count there. */
static void collect_targets(struct handoff *handoff, const struct command_complete *command,
                            struct effect_roll *roll) {
    const struct broker *broker = handoff->deciding->broker;
    uint64_t stations = 0;
    for (uint32_t i = 0; i < command->outputs_count; i++) {
        uint32_t station = command->outputs[i].station;
        if (station != BROKER_TARGET_END) stations |= 1ull << station;
    }
    for (uint32_t index = 0; index < handoff->line->stations_count; index++) {
        if ((stations >> index & 1) == 0) continue;
        struct station to = station_at(broker, handoff->line, index);
        roll->targets[roll->targets_count++] = queue_ref(to.queue);
        struct arrival arrival = path_arrive(broker, handoff->fresh, handoff->path_split, &to);
        bool is_known = arrival.counting_split.number == 0;
        for (uint32_t i = 0; i < roll->countings_count; i++) {
            if (roll->countings[i].number == arrival.counting_split.number) is_known = true;
        }
        if (!is_known) roll->countings[roll->countings_count++] = arrival.counting_split;
    }
}

/* False: out of memory (the record has failed). */
static bool write_chunk(struct handoff *handoff, const struct command_complete *command,
                        const struct effect_roll *roll, uint32_t *next) {
    size_t bytes_count;
    uint32_t count = chunk_measure(command, *next, &bytes_count);
    struct buffer out;
    if (!deciding_buffer(handoff->deciding, bytes_count, &out)) return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct command_output *output = &command->outputs[(*next)++];
        encode_u8(&out, target_index(roll, handoff->line, output->station));
        encode_u8(&out, output->each);
        encode_slice(&out, output->body);
    }
    CHECK(!out.failed && out.count == bytes_count);
    (void)record_body(handoff->deciding, buffer_slice(&out));
    return true;
}

void handoff_roll(struct handoff *handoff, const struct command_complete *command) {
    struct deciding *deciding = handoff->deciding;
    CHECK(handoff->fresh != NULL);
    struct effect_roll roll = {
        .roll = new_ref(deciding, THING_ROLL),
        .job = ref_at(deciding->broker, THING_JOB, handoff->job),
        .split = handoff->fresh->ref,
        .from = queue_ref(handoff->from),
        .hops = handoff->hops,
        .first_chunk = deciding->decision->bodies_count,
    };
    collect_targets(handoff, command, &roll);
    for (uint32_t next = 0; next < command->outputs_count;) {
        if (!write_chunk(handoff, command, &roll, &next)) return;
        roll.chunks_count++;
    }
    effect_roll(deciding, &roll);
}

/* ---- a roll is dealt -------------------------------------------------------------------------- */

static bool roll_has_room(const struct broker *broker, const struct roll *roll) {
    if (job_at(broker, roll->job)->state != JOB_RUNNING) return false;
    for (uint32_t i = 0; i < roll->targets_count; i++) {
        const struct queue *queue = queue_at(broker, roll->targets[i]);
        if (station_is_full(broker, line_at(broker, queue->line), queue->station)) return false;
    }
    return true;
}

/* Which of two rolls goes first: the one that waited longer. */
static bool roll_is_before(const struct broker *broker, uint32_t a, uint32_t b) {
    const struct roll *one = roll_at(broker, a);
    const struct roll *other = roll_at(broker, b);
    return one->turn != other->turn ? one->turn < other->turn : a < b;
}

/* The first that has room, of those behind `after` (BROKER_NONE: of all). */
static uint32_t roll_first_behind(const struct broker *broker, uint32_t after) {
    const struct pool *rolls = &broker->pools[THING_ROLL];
    uint32_t best = BROKER_NONE;
    for (uint32_t slot = pool_next_taken(rolls, 0); slot != BROKER_NONE;
         slot = pool_next_taken(rolls, slot + 1)) {
        if (after != BROKER_NONE && !roll_is_before(broker, after, slot)) continue;
        if (best != BROKER_NONE && !roll_is_before(broker, slot, best)) continue;
        if (roll_has_room(broker, roll_at(broker, slot))) best = slot;
    }
    return best;
}

void roll_find_next(struct broker *broker) {
    broker->roll_next = roll_first_behind(broker, BROKER_NONE);
    broker->roll_is_stale = false;
}

bool broker_next_roll(const struct broker *broker, struct broker_ref after, struct broker_ref *roll,
                      struct body_ref *chunk) {
    uint32_t slot = broker->roll_next;
    if (thing_find(broker, THING_ROLL, after) != NULL) slot = roll_first_behind(broker, after.slot);
    if (slot == BROKER_NONE) return false;
    const struct roll *next = roll_at(broker, slot);
    *roll = ref_at(broker, THING_ROLL, slot);
    *chunk = next->chunks[next->chunk];
    return true;
}

/* One output off the front. False: the chunk is broken. */
static bool output_decode(struct decoder *in, const struct roll *roll, uint32_t *target,
                          struct handoff_output *out) {
    *target = decode_u8(in);
    out->is_each = decode_u8(in) != 0;
    out->body = decode_slice(in);
    return !in->failed && (*target < roll->targets_count || *target == ROLL_TARGET_END);
}

static bool deal(struct handoff *handoff, const struct roll *roll, struct decoder *in,
                 uint32_t *dealt) {
    const struct broker *broker = handoff->deciding->broker;
    size_t bytes_count = 0;
    for (*dealt = 0; *dealt < BROKER_DEAL_OUTPUTS_MAX && in->rest.count > 0; (*dealt)++) {
        struct decoder peek = *in;
        struct handoff_output output = {.index = roll->index + *dealt};
        uint32_t target;
        if (!output_decode(&peek, roll, &target, &output)) return false;
        bytes_count += output.body.count;
        if (*dealt > 0 && bytes_count > BROKER_DEAL_BYTES_MAX) break;
        *in = peek;
        if (target == ROLL_TARGET_END) continue;
        output.station = queue_at(broker, roll->targets[target])->station;
        handoff_output(handoff, &output);
    }
    return true;
}

static void write_cursor(struct deciding *deciding, uint32_t slot, size_t rest, uint32_t dealt) {
    const struct roll *roll = roll_at(deciding->broker, slot);
    uint32_t offset = roll->chunks[roll->chunk].count - (uint32_t)rest;
    if (rest > 0) {
        effect_roll_move(deciding, slot, roll->chunk, offset, roll->index + dealt);
    } else if (roll->chunk + 1 < roll->chunks_count) {
        effect_roll_move(deciding, slot, roll->chunk + 1, 0, roll->index + dealt);
    } else {
        effect_roll_free(deciding, slot);
    }
}

/* The roll and its present chunk, as broker_next_roll named it; NULL: something came between. */
static const struct roll *deal_begins(const struct deciding *deciding) {
    const struct command_roll_deal *command = &deciding->command->roll_deal;
    const struct roll *roll = thing_find(deciding->broker, THING_ROLL, command->roll);
    if (roll == NULL || !roll_has_room(deciding->broker, roll)) return NULL;
    const struct body_ref *chunk = &roll->chunks[roll->chunk];
    bool is_it = chunk->count == command->chunk.count &&
                 chunk->checksum32 == body_checksum32(command->chunk);
    return is_it ? roll : NULL;
}

void decide_roll_deal(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    const struct command_roll_deal *command = &deciding->command->roll_deal;
    const struct roll *roll = deal_begins(deciding);
    if (roll == NULL) {
        deciding->decision->answer.result = BROKER_NOTHING;
        return;
    }
    const struct queue *from = queue_at(broker, roll->from);
    const struct split *split = split_at(broker, roll->split);
    char path[BROKER_TASK_PATH_BYTES_MAX];
    path_write(broker, split->parent_split, split->parent_index, 0, path);
    struct job_step steps[BROKER_DEAL_OUTPUTS_MAX];
    struct handoff handoff = {
        .deciding = deciding,
        .line = line_at(broker, from->line),
        .from = from,
        .job = roll->job,
        .path_split = roll->split,
        .hops = roll->hops,
        .steps = steps,
        .path = slice_from_string(path),
    };
    struct decoder in = {.rest = slice_skip(command->chunk, roll->offset)};
    uint32_t dealt;
    record_begin(deciding, RECORD_ROLL_DEAL);
    if (!deal(&handoff, roll, &in, &dealt)) {
        refuse_printf(deciding, BROKER_UNAVAILABLE, "A chunk of a roll is not what was written.");
        return;
    }
    if (handoff.steps_count > 0) {
        struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
        set.history = history_body(deciding, roll->job, steps, handoff.steps_count);
        effect_job_set(deciding, roll->job, &set);
    }
    write_cursor(deciding, command->roll.slot, in.rest.count, dealt);
}
