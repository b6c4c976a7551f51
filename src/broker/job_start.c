/* SPDX-License-Identifier: Apache-2.0 */
/* job_start.c -- an order at the door of a line, or sent by a plain client to a station's queue. */
#include "broker/lines_decide.h"

#include "base/hash.h"

#include <openssl/sha.h>

struct broker_ref decide_job_entry(struct deciding *deciding, const struct station *station,
                                   const struct job_entry *entry, struct broker_ref *message) {
    const struct broker *broker = deciding->broker;
    uint32_t body = record_body(deciding, entry->body);
    struct effect_job job = {
        .job = new_ref(deciding, THING_JOB),
        .line = {station->queue->line_number, station->queue->line},
        .request_hash = entry->request_hash,
        .has_once = entry->once != NULL,
        .key = entry->key,
        .order = body,
    };
    memcpy(job.id, entry->id, sizeof job.id);
    if (entry->once != NULL) memcpy(job.once, entry->once, sizeof job.once);
    effect_job(deciding, &job);
    struct effect_message first = {
        .job = job.job,
        .from = {0},
        .to = ref_at(broker, THING_QUEUE, station->queue->slot),
        .delay_ms = entry->delay_ms,
        .body = body,
    };
    *message = effect_message(deciding, &first);
    return job.job;
}

/* The line, if it and its station are there; else refused. */
static const struct line *door(struct deciding *deciding) {
    const struct command_job_start *command = &deciding->command->job_start;
    const struct line *line = thing_find(deciding->broker, THING_LINE, command->line);
    if (line == NULL || command->station >= line->stations_count) {
        refuse_printf(deciding, BROKER_VALUE_INVALID, "There is no such line or station.");
        return NULL;
    }
    if (command->key.count > BROKER_KEY_BYTES_MAX) {
        refuse_printf(deciding, BROKER_VALUE_INVALID, "A key has at most %u bytes.",
                      BROKER_KEY_BYTES_MAX);
        return NULL;
    }
    return line;
}

/* What the client's word means is known to this station alone. */
static void once_hash(const struct broker *broker, const struct queue *queue, struct slice once,
                      uint8_t out[16]) {
    char place[8];
    encode_u64_at(place, queue->thing.number);
    uint64_t seed = decode_u64_at((const char *)root_at(broker, 0)->seed);
    hash128_seeded(once, hash64_seeded(slice_from(place, sizeof place), seed), out);
}

static void answer_earlier(struct deciding *deciding, uint32_t slot) {
    const struct job *job = job_at(deciding->broker, slot);
    if (job->request_hash != deciding->command->job_start.request_hash) {
        refuse(deciding, BROKER_ONCE_CONFLICT);
        return;
    }
    struct broker_answer *answer = &deciding->decision->answer;
    answer->job_start.existed = true;
    answer->job_start.job = ref_at(deciding->broker, THING_JOB, slot);
    memcpy(answer->job_start.id, job->id, sizeof job->id);
}

/* True: the order is refused. */
static bool is_full(struct deciding *deciding, const struct station *station) {
    uint32_t full = station_shut_by(deciding->broker, station->line, station->index, 0);
    if (full == BROKER_NONE) return false;
    const struct line_station *settings = &station->line->stations[full].settings;
    refuse_printf(deciding, BROKER_LINE_FULL,
                  "the line is full: as many wait at and before station %.*s as its WIP limit of "
                  "%u allows",
                  SLICE_ARGS(settings->name), settings->wip_limit);
    return true;
}

void decide_job_start(struct deciding *deciding) {
    const struct broker *broker = deciding->broker;
    const struct command_job_start *command = &deciding->command->job_start;
    const struct line *line = door(deciding);
    if (line == NULL) return;
    struct station station = station_at(broker, line, command->station);
    uint8_t once[16];
    if (command->once.count > 0) {
        once_hash(broker, station.queue, command->once, once);
        uint32_t earlier = job_find_once(broker, once);
        if (earlier != BROKER_NONE) {
            answer_earlier(deciding, earlier);
            return;
        }
    }
    if (is_full(deciding, &station)) return;
    record_begin(deciding, RECORD_JOB_START);
    struct job_entry entry = {
        .body = command->body,
        .key = command->key,
        .delay_ms = station.settings->delay_ms,
        .id = deciding->given->random,
        .once = command->once.count > 0 ? once : NULL,
        .request_hash = command->request_hash,
    };
    struct broker_answer *answer = &deciding->decision->answer;
    struct broker_ref message;
    answer->job_start.job = decide_job_entry(deciding, &station, &entry, &message);
    memcpy(answer->job_start.id, entry.id, sizeof answer->job_start.id);
}

/* ---- an order sent with SendMessage ----------------------------------------------------------- */

/* The ids of the jobs of one batch follow from the random bytes given and their place. */
static void batch_id(const uint8_t random[32], uint32_t index, uint8_t out[16]) {
    uint8_t bytes[36];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    memcpy(bytes, random, 32);
    encode_u32_at((char *)bytes + 32, index);
    SHA256(bytes, sizeof bytes, digest);
    memcpy(out, digest, 16);
}

static enum broker_result send_result(const struct broker *broker, const struct station *station,
                                      const struct command_send_entry *entry, uint32_t taken) {
    if (entry->counted_bytes > station->queue->message_bytes_max) return BROKER_TOO_LARGE;
    if (entry->delay_ms < -1) return BROKER_VALUE_INVALID;
    bool is_open = station_shut_by(broker, station->line, station->index, taken) == BROKER_NONE;
    return is_open ? BROKER_OK : BROKER_LINE_FULL;
}

void decide_station_send(struct deciding *deciding, const struct queue *queue) {
    const struct command_send *command = &deciding->command->send;
    struct station station = station_of(deciding->broker, queue);
    struct broker_answer *answer = &deciding->decision->answer;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < command->entries_count; i++) {
        const struct command_send_entry *sent = &command->entries[i];
        answer->send.results[i] = send_result(deciding->broker, &station, sent, taken);
        if (answer->send.results[i] != BROKER_OK) continue;
        if (taken++ == 0) record_begin(deciding, RECORD_JOB_START);
        uint8_t id[16];
        batch_id(deciding->given->random, i, id);
        struct job_entry entry = {
            .body = sent->body,
            .delay_ms = sent->delay_ms < 0 ? station.settings->delay_ms : sent->delay_ms,
            .id = id,
        };
        (void)decide_job_entry(deciding, &station, &entry, &answer->send.messages[i]);
        message_id(deciding->broker, answer->send.messages[i].number, answer->send.ids[i]);
    }
}
