/* SPDX-License-Identifier: Apache-2.0 */
/* model_line.c -- one line, plainly: orders come to station 0, which opens a split; its outputs go to
 * stations 1 and 2, which hand each on to station 3, the join.
 *
 *   a message is in one worker's hands at a time
 *   a kit comes when all outputs of its split have arrived or are dead, once, with all that arrived
 *   an order under a key that is known is the earlier job; an id is given once
 */
#include "model.h"

#include <string.h>

#define EXPECT(condition) REPORT_EXPECT(model->report, condition)
#define JOIN 3u

static struct model_job *find_job(struct model *model, uint64_t number) {
    for (uint32_t i = 0; i < model->line.jobs_count; i++) {
        if (model->jobs[i].number == number) return &model->jobs[i];
    }
    return NULL;
}

static struct model_job *change_job(struct model *model, uint64_t number) {
    struct model_job *job = find_job(model, number);
    EXPECT(job != NULL);
    model_touch(model, job, sizeof *job);
    return job;
}

static struct model_lease *find_lease(struct model *model, uint64_t message) {
    for (uint32_t i = 0; i < MODEL_LEASES_MAX; i++) {
        if (model->leases[i].message == message) return &model->leases[i];
    }
    return NULL;
}

static struct model_session *find_session(struct model *model, uint64_t number) {
    for (uint32_t i = 0; i < MODEL_LEASES_MAX; i++) {
        if (model->sessions[i].number == number) return &model->sessions[i];
    }
    return NULL;
}

static void note_put(struct model *model, const struct model_note *note) {
    const struct line_station *join = &note->command->line_put.stations[JOIN];
    model_touch(model, &model->line, sizeof model->line);
    model->line.attempts_max = join->attempts_max;
    model->line.missing = join->missing;
}

static void note_start(struct model *model, const struct model_note *note) {
    const struct command_job_start *command = &note->command->job_start;
    const struct broker_answer *answer = note->answer;
    uint32_t once = command->once.count == 0 ? 0 : (uint32_t)command->once.bytes[0];
    for (uint32_t i = 0; i < model->line.jobs_count && once != 0; i++) {
        const struct model_job *job = &model->jobs[i];
        if (job->once != once) continue;
        EXPECT(note->lsn == 0);
        EXPECT(answer->result ==
               (job->request == command->request_hash ? BROKER_OK : BROKER_ONCE_CONFLICT));
        EXPECT(answer->result != BROKER_OK || answer->job_start.job.number == job->number);
        return;
    }
    if (note->lsn == 0) {
        EXPECT(answer->result == BROKER_LINE_FULL);
        return;
    }
    EXPECT(answer->result == BROKER_OK && !answer->job_start.existed);
    for (uint32_t i = 0; i < model->line.jobs_count; i++) {
        EXPECT(memcmp(model->jobs[i].id, answer->job_start.id, 16) != 0);
    }
    EXPECT(model->line.jobs_count < MODEL_JOBS_MAX);
    model_touch(model, &model->line, sizeof model->line);
    struct model_job *job = &model->jobs[model->line.jobs_count++];
    model_touch(model, job, sizeof *job);
    *job = (struct model_job){
        .number = answer->job_start.job.number, .once = once, .request = command->request_hash};
    memcpy(job->id, answer->job_start.id, sizeof job->id);
}

static void note_open(struct model *model, const struct model_note *note) {
    if (note->lsn == 0) return;
    struct model_session *session = find_session(model, 0);
    EXPECT(session != NULL);
    model_touch(model, session, sizeof *session);
    session->number = note->answer->session.session.number;
    session->station = note->command->session.station;
}

static void end_lease(struct model *model, struct model_lease *lease) {
    model_touch(model, lease, sizeof *lease);
    lease->message = 0;
}

/* number 0: all of them. */
static void end_sessions(struct model *model, uint64_t number) {
    for (uint32_t i = 0; i < MODEL_LEASES_MAX; i++) {
        struct model_lease *lease = &model->leases[i];
        if (lease->message != 0 && (number == 0 || lease->session == number)) {
            end_lease(model, lease);
        }
        struct model_session *session = &model->sessions[i];
        if (session->number == 0 || (number != 0 && session->number != number)) continue;
        model_touch(model, session, sizeof *session);
        session->number = 0;
    }
}

static void check_kit(struct model *model, const struct model_note *note,
                      const struct answer_lease *given) {
    struct model_job *job = change_job(model, given->job.number);
    EXPECT(job->is_opened && !job->is_rejected && !job->is_done);
    EXPECT(job->kit == 0 || job->kit == given->message.number);
    EXPECT(job->handed + job->dead == job->outputs);
    EXPECT(job->dead == 0 || model->line.missing == MISSING_PARTIAL);
    uint32_t parts_count = broker_kit_parts(note->broker, given->message, 0, NULL, 0);
    EXPECT(parts_count == job->handed);
    job->kit = given->message.number;
    model->report->kits++;
}

static void note_lease(struct model *model, const struct model_note *note) {
    if (note->lsn == 0 || note->answer->result != BROKER_OK) return;
    const struct model_session *session = find_session(model, note->command->lease.session.number);
    for (uint32_t i = 0; i < note->answer->lease.count; i++) {
        const struct answer_lease *given = &note->answer->lease.leases[i];
        EXPECT(session != NULL && find_lease(model, given->message.number) == NULL);
        EXPECT(given->attempt >= 1 && given->attempt <= model->line.attempts_max);
        struct model_lease *lease = find_lease(model, 0);
        EXPECT(lease != NULL);
        model_touch(model, lease, sizeof *lease);
        *lease = (struct model_lease){.message = given->message.number,
                                      .session = session->number,
                                      .job = given->job.number,
                                      .station = session->station,
                                      .attempt = given->attempt};
        EXPECT(given->is_kit == (session->station == JOIN));
        if (given->is_kit) check_kit(model, note, given);
    }
}

/* The lease that the command ends; NULL: it was not under that session. */
static struct model_lease *ending(struct model *model, uint64_t message, uint64_t session) {
    struct model_lease *lease = message == 0 ? NULL : find_lease(model, message);
    return lease != NULL && lease->session == session ? lease : NULL;
}

static void note_complete(struct model *model, const struct model_note *note) {
    const struct command_complete *command = &note->command->complete;
    struct model_lease *lease = ending(model, command->message.number, command->session.number);
    if (note->answer->result != BROKER_OK) {
        EXPECT(lease == NULL && note->lsn == 0);
        return;
    }
    EXPECT(lease != NULL && note->lsn != 0);
    struct model_job *job = change_job(model, lease->job);
    if (lease->station == 0) {
        EXPECT(!job->is_opened);
        job->is_opened = true;
        job->outputs = command->outputs_count;
    } else if (lease->station == JOIN) {
        EXPECT(!job->is_done);
        job->is_done = true;
    } else {
        job->handed++;
        EXPECT(job->handed + job->dead <= job->outputs);
    }
    end_lease(model, lease);
}

static void note_attempt(struct model *model, const struct model_note *note) {
    const struct command_attempt *command = &note->command->attempt;
    struct model_lease *lease = ending(model, command->message.number, command->session.number);
    if (note->answer->result != BROKER_OK) {
        EXPECT(lease == NULL && note->lsn == 0);
        return;
    }
    EXPECT(lease != NULL && note->lsn != 0);
    struct model_job *job = change_job(model, lease->job);
    bool is_last = command->is_final || lease->attempt == model->line.attempts_max;
    bool is_dead = note->command->kind == COMMAND_FAIL && is_last;
    if (is_dead && (lease->station == 1 || lease->station == 2)) job->dead++;
    if (note->command->kind == COMMAND_REJECT) job->is_rejected = true;
    end_lease(model, lease);
}

void model_note_line(struct model *model, const struct model_note *note) {
    if (note->answer->result == BROKER_NO_MEMORY) return;
    switch (note->command->kind) {
    case COMMAND_LINE_PUT: note_put(model, note); break;
    case COMMAND_JOB_START: note_start(model, note); break;
    case COMMAND_SESSION_OPEN: note_open(model, note); break;
    case COMMAND_SESSION_END:
        if (note->lsn != 0) end_sessions(model, note->command->session.session.number);
        break;
    case COMMAND_LIFE_START:
        if (!note->answer->step.more) end_sessions(model, 0);
        break;
    case COMMAND_LEASE: note_lease(model, note); break;
    case COMMAND_COMPLETE: note_complete(model, note); break;
    case COMMAND_FAIL:
    case COMMAND_REJECT:
    case COMMAND_RETURN: note_attempt(model, note); break;
    default: break;
    }
}
