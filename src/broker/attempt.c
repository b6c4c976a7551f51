/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.c -- an attempt that brought nothing: it failed, it was refused by the handler (a
 * business no), or it never really began.
 *
 *   FAIL     counted: again after a backoff; the last or final one: to the dead letters
 *   REJECT   the whole job ends; what of it waits is swept (lines_settle.c)
 *   RETURN   uncounted
 */
#include "broker/lines_decide.h"

#include "base/hash.h"

/* A quarter more or less, so that those that failed together do not come back together. */
static int64_t jitter(const struct deciding *deciding, uint64_t number, int64_t delay_ms) {
    char bytes[40];
    memcpy(bytes, deciding->given->random, 32);
    encode_u64_at(bytes + 32, number);
    int64_t random = (int64_t)(hash64(slice_from(bytes, sizeof bytes)) & 0xFFFF);
    return delay_ms * 3 / 4 + delay_ms / 2 * random / 0x10000;
}

static int64_t backoff_ms(const struct deciding *deciding, const struct line_station *settings,
                          uint64_t number, uint32_t failures) {
    if (failures == 0) return 0;
    int64_t delay_ms = settings->backoff_ms_min;
    for (uint32_t i = 1; i < failures && delay_ms < settings->backoff_ms_max; i++) delay_ms *= 2;
    delay_ms = jitter(deciding, number, delay_ms);
    return delay_ms < settings->backoff_ms_max ? delay_ms : settings->backoff_ms_max;
}

static void write_outcome(struct deciding *deciding, const struct attempt *attempt, bool is_dead,
                          uint32_t error) {
    const struct broker *broker = deciding->broker;
    const struct message *message = message_at(broker, attempt->message);
    const struct piece *piece = message_piece(broker, message);
    struct station station = station_of_message(broker, message);
    if (job_at(broker, piece->job)->state == JOB_REJECTED) {
        effect_end(deciding, attempt->message, station.queue, END_WITHDRAWN);
    } else if (is_dead) {
        effect_dead(deciding, attempt->message, station.queue, station.dead_queue, error);
    } else {
        uint32_t failures = attempt->is_death ? piece->attempts - 1 : piece->attempts;
        effect_back(deciding, &(struct effect_back){
                                  .message = attempt->message,
                                  .queue = station.queue,
                                  .delay_ms = backoff_ms(deciding, station.settings,
                                                         message->thing.number, failures),
                                  .is_suspect = attempt->is_suspect,
                                  .error = error,
                              });
    }
}

void decide_attempt(struct deciding *deciding, const struct attempt *attempt) {
    const struct broker *broker = deciding->broker;
    const struct message *message = message_at(broker, attempt->message);
    const struct piece *piece = message_piece(broker, message);
    const struct line_station *settings = station_of_message(broker, message).settings;
    bool is_dead = attempt->is_final || piece->attempts >= settings->attempts_max;
    uint32_t error = error_body(deciding, attempt->error);
    char path[BROKER_TASK_PATH_BYTES_MAX];
    struct job_step step = step_of(deciding, attempt->message, path);
    step.outcome = is_dead ? STEP_DEAD : STEP_FAILED;
    step.error = error_cut(attempt->error);
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.history = history_body(deciding, piece->job, &step, 1);
    /* What a rejected job says is why it was rejected. */
    if (job_at(broker, piece->job)->state != JOB_REJECTED) set.error = error;
    effect_job_set(deciding, piece->job, &set);
    write_outcome(deciding, attempt, is_dead, error);
}

void decide_fail(struct deciding *deciding) {
    const struct command_attempt *command = &deciding->command->attempt;
    if (leased_message(deciding, command->session, command->message) == NULL) return;
    record_begin(deciding, RECORD_FAIL);
    decide_attempt(deciding, &(struct attempt){.message = command->message.slot,
                                               .error = command->error,
                                               .is_final = command->is_final});
}

void decide_return(struct deciding *deciding) {
    const struct command_attempt *command = &deciding->command->attempt;
    if (leased_message(deciding, command->session, command->message) == NULL) return;
    record_begin(deciding, RECORD_RETURN);
    decide_give_up(deciding, command->message.slot, false);
}

int64_t job_keep_ms(const struct broker *broker, const struct job *job) {
    struct broker_ref ref = {job->line_number, job->line};
    const struct line *line = thing_find(broker, THING_LINE, ref);
    CHECK(line != NULL); /* lines are never removed */
    return line->keep_jobs_ms;
}

void decide_reject(struct deciding *deciding) {
    const struct command_attempt *command = &deciding->command->attempt;
    const struct broker *broker = deciding->broker;
    const struct message *message = leased_message(deciding, command->session, command->message);
    if (message == NULL) return;
    uint32_t slot = command->message.slot;
    const struct piece *piece = message_piece(broker, message);
    const struct job *job = job_at(broker, piece->job);
    record_begin(deciding, RECORD_REJECT);
    char path[BROKER_TASK_PATH_BYTES_MAX];
    struct job_step step = step_of(deciding, slot, path);
    step.outcome = STEP_REJECTED;
    step.error = error_cut(command->error);
    struct effect_job_set set = EFFECT_JOB_SET_NOTHING;
    set.history = history_body(deciding, piece->job, &step, 1);
    if (job->state != JOB_REJECTED) {
        set.error = error_body(deciding, command->error);
        set.sets_state = true;
        set.state = JOB_REJECTED;
        set.ended_ms = deciding->now_ms;
        set.forget_ms = deciding->now_ms + job_keep_ms(broker, job);
    }
    effect_job_set(deciding, piece->job, &set);
    effect_end(deciding, slot, station_of_message(broker, message).queue, END_WITHDRAWN);
}
