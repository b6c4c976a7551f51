/* SPDX-License-Identifier: Apache-2.0 */
/* complete.c -- the hand-off: the input ends, its outputs are messages of the next stations, and
 * the job moves on, in one record.
 *
 * It opens a split if its station is the opener of a join, if it has an `each`, or several outputs
 * that go to stations; a single output otherwise inherits the input's place in its split.
 */
#include "broker/handoff.h"

#include <stdio.h>

struct outputs {
    uint32_t to_stations;
    bool has_each;
    bool comes_round; /* one goes to a station that can be reached from itself */
};

/* False: refused. */
static bool outputs_look(struct deciding *deciding, const struct line *line, struct outputs *out) {
    const struct command_complete *command = &deciding->command->complete;
    uint64_t bytes_count = 0;
    *out = (struct outputs){0};
    for (uint32_t i = 0; i < command->outputs_count; i++) {
        const struct command_output *output = &command->outputs[i];
        bytes_count += output->body.count + ROLL_OUTPUT_HEAD_BYTES;
        out->has_each = out->has_each || output->each;
        if (output->station == BROKER_TARGET_END) continue;
        if (output->station >= line->stations_count) {
            refuse_printf(deciding, BROKER_VALUE_INVALID, "The line has no station %u.",
                          output->station);
            return false;
        }
        out->to_stations++;
        if (line->stations[output->station].settings.in_cycle) out->comes_round = true;
    }
    if (command->outputs_count > BROKER_OUTPUTS_MAX || bytes_count > BROKER_OUTPUTS_BYTES_MAX) {
        refuse_printf(deciding, BROKER_TOO_LARGE,
                      "The outputs of one message are at most %u, of %u MiB together.",
                      BROKER_OUTPUTS_MAX, BROKER_OUTPUTS_BYTES_MAX / 1024 / 1024);
        return false;
    }
    return true;
}

/* The join that waits for what this station splits, or BROKER_NONE. */
static uint32_t join_of(const struct line *line, uint32_t opener) {
    for (uint32_t i = 0; i < line->stations_count; i++) {
        if (line->stations[i].settings.join_opener == (int32_t)opener) return i;
    }
    return BROKER_NONE;
}

static void open_split(struct deciding *deciding, const struct station *station,
                       const struct piece *piece, uint32_t join, struct new_split *fresh) {
    const struct broker *broker = deciding->broker;
    *fresh = (struct new_split){new_ref(deciding, THING_SPLIT), BROKER_NONE};
    struct effect_split effect = {
        .split = fresh->ref,
        .job = ref_at(broker, THING_JOB, piece->job),
        .parent_split = ref_at(broker, THING_SPLIT, piece->path_split),
        .parent_index = piece->index,
        .opener = queue_ref(station->queue),
        .hops = piece->hops,
        .visit = piece->visit,
    };
    if (join != BROKER_NONE) {
        struct station at = station_at(broker, station->line, join);
        fresh->join = at.queue->slot;
        effect.join = queue_ref(at.queue);
        effect.counting_split = path_counting(broker, piece->path_split, &at);
        effect.missing = at.settings->missing;
        effect.within_ms =
            at.settings->within_ms > 0 ? deciding->now_ms + at.settings->within_ms : 0;
    }
    effect_split(deciding, &effect);
}

/* Why the outputs cannot go on, or NULL. */
static const char *obstacle(struct deciding *deciding, const struct station *station,
                            const struct piece *piece, bool comes_round, bool opens_split) {
    uint32_t hops_max = station->settings->hops_max;
    if (comes_round && piece->hops >= hops_max) {
        const char *text = arena_printf(&deciding->decision->arena,
                                        "It has been handed on %u time%s and would go round once "
                                        "more.",
                                        hops_max, hops_max == 1 ? "" : "s");
        return text != NULL ? text : "It would go round once more than the line's hops.";
    }
    if (opens_split && path_depth(deciding->broker, piece->path_split) >= BROKER_SPLIT_DEPTH_MAX) {
        return "Its split would be the 17th inside another.";
    }
    return NULL;
}

static void write_outputs(struct handoff *handoff, const struct piece *piece) {
    const struct command_complete *command = &handoff->deciding->command->complete;
    if (complete_is_roll(command)) {
        handoff_roll(handoff, command);
        return;
    }
    for (uint32_t i = 0; i < command->outputs_count; i++) {
        const struct command_output *output = &command->outputs[i];
        handoff_output(handoff, &(struct handoff_output){
                                    .station = output->station,
                                    .is_each = output->each,
                                    .body = output->body,
                                    .index = handoff->fresh != NULL ? i : piece->index,
                                });
    }
}

/* The history and, at the line's last station, the result; then the input's end. */
static void write_end(struct handoff *handoff, uint32_t slot, const struct station *station,
                      const struct job_step *done) {
    struct deciding *deciding = handoff->deciding;
    const struct command_complete *command = &deciding->command->complete;
    handoff->steps[0] = *done;
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.history = history_body(deciding, handoff->job, handoff->steps, handoff->steps_count);
    if (station->settings->is_result && command->result.count > 0) {
        set.result = record_body(deciding, command->result);
    }
    effect_job_set(deciding, handoff->job, &set);
    effect_end(deciding, slot, station->queue, END_HANDED_ON);
}

static void hand_off(struct deciding *deciding, uint32_t slot, const struct station *station,
                     const struct outputs *outputs) {
    const struct broker *broker = deciding->broker;
    const struct command_complete *command = &deciding->command->complete;
    const struct piece *piece = message_piece(broker, message_at(broker, slot));
    uint32_t join = join_of(station->line, station->index);
    bool opens_split = join != BROKER_NONE || outputs->to_stations > 1 ||
                       (outputs->has_each && outputs->to_stations > 0) ||
                       (complete_is_roll(command) && outputs->to_stations > 0);
    const char *reason = obstacle(deciding, station, piece, outputs->comes_round, opens_split);
    if (reason != NULL) {
        decide_attempt(deciding, &(struct attempt){.message = slot,
                                                   .error = slice_from_string(reason),
                                                   .is_final = true});
        return;
    }
    char path[BROKER_TASK_PATH_BYTES_MAX];
    struct job_step done = step_of(deciding, slot, path);
    done.outcome = STEP_DONE;
    done.outputs_count = command->outputs_count;
    struct job_step steps[1 + BROKER_DEAL_OUTPUTS_MAX];
    struct new_split fresh;
    if (opens_split) open_split(deciding, station, piece, join, &fresh);
    struct handoff handoff = {
        .deciding = deciding,
        .line = station->line,
        .from = station->queue,
        .job = piece->job,
        .path_split = piece->path_split,
        .fresh = opens_split ? &fresh : NULL,
        .hops = (uint16_t)(piece->hops < UINT16_MAX ? piece->hops + 1 : UINT16_MAX),
        .is_each = piece->is_each && !opens_split,
        .steps = steps,
        .steps_count = 1,
        .path = done.task_path,
    };
    if (outputs->to_stations > 0) write_outputs(&handoff, piece);
    write_end(&handoff, slot, station, &done);
}

/* Its job was rejected meanwhile: what it made is dropped. */
static void drop(struct deciding *deciding, uint32_t slot, const struct station *station) {
    const struct piece *piece = message_piece(deciding->broker, message_at(deciding->broker, slot));
    char path[BROKER_TASK_PATH_BYTES_MAX];
    struct job_step done = step_of(deciding, slot, path);
    done.outcome = STEP_DONE;
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.history = history_body(deciding, piece->job, &done, 1);
    effect_job_set(deciding, piece->job, &set);
    effect_end(deciding, slot, station->queue, END_WITHDRAWN);
}

void decide_complete(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    const struct command_complete *command = &deciding->command->complete;
    const struct message *message = leased_message(deciding, command->session, command->message);
    if (message == NULL) return;
    struct station station = station_of_message(broker, message);
    struct outputs outputs;
    if (!outputs_look(deciding, station.line, &outputs)) return;
    record_begin(deciding, RECORD_COMPLETE);
    if (job_at(broker, message_piece(broker, message)->job)->state == JOB_REJECTED) {
        drop(deciding, command->message.slot, &station);
    } else {
        hand_off(deciding, command->message.slot, &station, &outputs);
    }
}
