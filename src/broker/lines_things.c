/* SPDX-License-Identifier: Apache-2.0 */
/* lines_things.c -- what two states of lines with the same meaning have in common, and what must
 * hold in each. Counts of members are counted anew. */
#include "broker/lines_decide.h"

static void digest_thing(struct digest *digest, const struct thing *thing) {
    digest_u64(digest, thing->number);
    digest_u64(digest, thing->home);
}

static void digest_values(struct digest *digest, const uint64_t *values, size_t count) {
    for (size_t i = 0; i < count; i++) digest_u64(digest, values[i]);
}
#define DIGEST_VALUES(digest, ...)                                                                 \
    digest_values(digest, (const uint64_t[]){__VA_ARGS__},                                         \
                  sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* ---- digests ---------------------------------------------------------------------------------- */

void line_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct line *line = line_at(broker, slot);
    digest_thing(digest, &line->thing);
    digest_slice(digest, slice_from(line->name, line->name_count));
    digest_body_ref(digest, line->file);
    DIGEST_VALUES(digest, (uint64_t)line->keep_jobs_ms, line->stations_count);
    for (uint32_t i = 0; i < line->stations_count; i++) {
        const struct line_station *station = &line->stations[i].settings;
        digest_slice(digest, station->name);
        digest_slice(digest, station->queue);
        digest_slice(digest, station->dead_queue);
        DIGEST_VALUES(digest, (uint64_t)station->retention_ms, (uint64_t)station->delay_ms,
                      (uint64_t)station->within_ms, (uint64_t)station->backoff_ms_min,
                      (uint64_t)station->backoff_ms_max, station->attempts_max, station->wip_limit,
                      (uint64_t)station->join_opener, (uint64_t)station->missing, station->reach,
                      station->gates, station->is_result, station->in_cycle, station->hops_max,
                      line->stations[i].queue, line->stations[i].dead_queue);
    }
}

void job_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct job *job = job_at(broker, slot);
    digest_thing(digest, &job->thing);
    digest_slice(digest, slice_from(job->id, sizeof job->id));
    digest_slice(digest, slice_from(job->once, sizeof job->once));
    digest_slice(digest, slice_from(job->key, job->key_count));
    DIGEST_VALUES(digest, job->line, job->line_number, job->state, job->is_lost, job->has_once,
                  job->request_hash, (uint64_t)job->started_ms, (uint64_t)job->ended_ms,
                  (uint64_t)job->forget_ms);
    digest_body_ref(digest, job->order);
    digest_body_ref(digest, job->result);
    digest_body_ref(digest, job->history);
    digest_body_ref(digest, job->error);
    digest_body_ref(digest, job->early);
    digest_u64(digest, job->chain_count);
    tallies_digest(broker, job, digest);
}

void split_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct split *split = split_at(broker, slot);
    digest_thing(digest, &split->thing);
    DIGEST_VALUES(digest, split->job, split->parent_split, split->parent_index,
                  split->counting_split, split->opener, split->join, split->hops, split->visit,
                  split->missing, split->is_closed, split->is_lost, (uint64_t)split->within_ms);
}

void session_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct session *session = session_at(broker, slot);
    digest_thing(digest, &session->thing);
    DIGEST_VALUES(digest, session->line, session->line_number, session->queue,
                  session->queue_number);
}

void roll_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct roll *roll = roll_at(broker, slot);
    digest_thing(digest, &roll->thing);
    DIGEST_VALUES(digest, roll->job, roll->split, roll->from, roll->hops, roll->chunk, roll->offset,
                  roll->index, roll->turn, roll->chunks_count, roll->targets_count,
                  roll->countings_count);
    for (uint32_t i = roll->chunk; i < roll->chunks_count; i++) {
        digest_body_ref(digest, roll->chunks[i]);
    }
    for (uint32_t i = 0; i < roll->targets_count; i++) digest_u64(digest, roll->targets[i]);
    for (uint32_t i = 0; i < roll->countings_count; i++) digest_u64(digest, roll->countings[i]);
}

/* As part of its message's; a broken state, of which a digest may be asked too, may lack it. */
void piece_digest(const struct broker *broker, uint32_t slot, struct digest *digest) {
    const struct piece *piece = pool_find(&broker->pools[THING_PIECE], slot);
    if (piece == NULL) return;
    DIGEST_VALUES(digest, piece->owner, piece->message, piece->job, piece->path_split, piece->index,
                  piece->counting_split, piece->kit_split, piece->from, piece->session, piece->hops,
                  piece->visit, piece->attempts, piece->is_each, piece->is_suspect, piece->is_dead,
                  (uint64_t)piece->queued_ms, (uint64_t)piece->started_ms);
    digest_body_ref(digest, piece->error);
}

/* ---- checks, thing by thing ------------------------------------------------------------------- */

void line_check(const struct broker *broker, uint32_t slot) {
    const struct line *line = line_at(broker, slot);
    CHECK(line->stations_count > 0 && line->stations_count <= BROKER_STATIONS_MAX);
    for (uint32_t i = 0; i < line->stations_count; i++) {
        struct station station = station_at(broker, line, i);
        CHECK(station.queue->kind == QUEUE_STATION && station.queue->line == slot);
        CHECK(station.dead_queue->kind == QUEUE_STATION_DEAD && station.dead_queue->line == slot);
        CHECK(station.queue->station == i && station.dead_queue->station == i);
        CHECK(slice_equal(queue_name(station.queue), station.settings->queue));
        CHECK(((line->full >> i & 1) != 0) == station_is_full(broker, line, i));
    }
}

static bool is_settling(const struct broker *broker, enum thing_kind kind, uint32_t slot,
                        uint32_t index) {
    return index < broker->settles.count &&
           heap_value(&broker->settles, index) == handle_make(kind, slot);
}

void job_check(const struct broker *broker, uint32_t slot) {
    const struct job *job = job_at(broker, slot);
    CHECK(!job->is_shell && job->state <= JOB_REJECTED && job->order.position != 0);
    CHECK((job->state == JOB_RUNNING) == (job->ended_ms == 0));
    CHECK(job_find_id(broker, job->id) == slot);
    if (job->has_once) CHECK(job_find_once(broker, job->once) == slot);
    uint32_t messages = 0;
    uint32_t leased = 0;
    uint32_t dead = 0;
    uint32_t at_stations = 0;
    uint32_t previous = BROKER_NONE;
    for (uint32_t at = job->messages_first; at != BROKER_NONE; messages++) {
        const struct message *message = message_at(broker, at);
        const struct piece *piece = message_piece(broker, message);
        CHECK(piece->job == slot && piece->job_previous == previous);
        leased += message->place == PLACE_LEASED;
        dead += piece->is_dead;
        at_stations += !piece->is_dead && message->place != PLACE_PART;
        previous = at;
        at = piece->job_next;
    }
    CHECK(messages == job->messages_count && leased == job->leased_count);
    CHECK(dead == job->dead_count && at_stations <= job->living_count);
    bool wants = (job->state == JOB_RUNNING && job->living_count == 0) ||
                 (job_is_over(job) && (messages > leased || job->rolls_count > 0));
    CHECK(wants == is_settling(broker, THING_JOB, slot, job->settle_index));
    bool is_forgotten = job->state != JOB_RUNNING && job_is_empty(job);
    CHECK(job->timer.when_ms == (is_forgotten ? job->forget_ms : INT64_MAX));
    bool is_in = job->ended_index < broker->ended.count &&
                 heap_value(&broker->ended, job->ended_index) == slot;
    CHECK(is_in == is_forgotten);
    tallies_check(broker, job);
}

void split_check(const struct broker *broker, uint32_t slot) {
    const struct split *split = split_at(broker, slot);
    CHECK(!split->is_shell && split->missing <= MISSING_DEAD);
    CHECK(split->parent_split == BROKER_NONE || split_at(broker, split->parent_split) != NULL);
    CHECK(path_depth(broker, slot) <= BROKER_SPLIT_DEPTH_MAX);
    CHECK(split->kits_count <= 1 && (split->kits_count == 0 || split->is_closed));
    CHECK(split->join != BROKER_NONE || (split->parts_count == 0 && split->living_count == 0));
    uint32_t parts = 0;
    uint32_t previous = BROKER_NONE;
    for (uint32_t at = split->parts_first; at != BROKER_NONE; parts++) {
        const struct message *message = message_at(broker, at);
        const struct piece *piece = message_piece(broker, message);
        CHECK(message->place == PLACE_PART && piece->counting_split == slot);
        CHECK(piece->previous == previous);
        previous = at;
        at = piece->next;
    }
    CHECK(parts == split->parts_count && previous == split->parts_last);
}

void session_check(const struct broker *broker, uint32_t slot) {
    const struct session *session = session_at(broker, slot);
    CHECK(!session->is_shell && queue_at(broker, session->queue)->kind == QUEUE_STATION);
    uint32_t leases = 0;
    uint32_t suspects = 0;
    for (uint32_t at = session->leases_first; at != BROKER_NONE; leases++) {
        const struct message *message = message_at(broker, at);
        const struct piece *piece = message_piece(broker, message);
        CHECK(message->place == PLACE_LEASED && piece->session == slot);
        suspects += piece->is_suspect;
        at = piece->next;
    }
    CHECK(leases == session->leases_count && leases <= BROKER_SESSION_LEASES_MAX);
    CHECK(suspects == 0 || leases == 1);
}

void roll_check(const struct broker *broker, uint32_t slot) {
    const struct roll *roll = roll_at(broker, slot);
    CHECK(roll->chunk < roll->chunks_count);
    CHECK(roll->offset < roll->chunks[roll->chunk].count);
    CHECK(split_at(broker, roll->split)->job == roll->job);
}

void piece_check(const struct broker *broker, uint32_t slot) {
    const struct piece *piece = piece_at(broker, slot);
    const struct message *message = message_at(broker, piece->message);
    CHECK(message_aside(broker, message, THING_PIECE) == slot);
    CHECK(message->thing.number == piece->owner);
    CHECK((message->place == PLACE_LEASED) == (piece->session != BROKER_NONE));
    CHECK(message->is_kit == (piece->kit_split != BROKER_NONE));
    if (message->place == PLACE_PART) {
        CHECK(!piece->is_dead && piece->counting_split != BROKER_NONE);
        return;
    }
    const struct queue *queue = message_queue(broker, message);
    if (queue != NULL) CHECK(piece->is_dead == (queue->kind == QUEUE_STATION_DEAD));
}

/* ---- checks over several things --------------------------------------------------------------- */

/* How much the members say that a split has; the sum over all must be what the splits say. */
struct sums {
    uint64_t living;
    uint64_t dead;
    uint64_t refs;
    uint64_t kits;
    uint64_t parts;
};

static void sum_pieces(const struct broker *broker, struct sums *sums) {
    const struct pool *pieces = &broker->pools[THING_PIECE];
    for (uint32_t slot = pool_next_taken(pieces, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pieces, slot + 1)) {
        const struct piece *piece = piece_at(broker, slot);
        sums->refs += piece->path_split != BROKER_NONE;
        sums->refs += piece->kit_split != BROKER_NONE;
        sums->kits += piece->kit_split != BROKER_NONE;
        if (piece->counting_split == BROKER_NONE) continue;
        sums->refs++;
        bool is_part = message_at(broker, piece->message)->place == PLACE_PART;
        sums->parts += is_part;
        sums->dead += piece->is_dead;
        sums->living += !is_part && !piece->is_dead;
    }
}

static void sum_rolls(const struct broker *broker, struct sums *sums) {
    const struct pool *rolls = &broker->pools[THING_ROLL];
    for (uint32_t slot = pool_next_taken(rolls, 0); slot != BROKER_NONE;
         slot = pool_next_taken(rolls, slot + 1)) {
        const struct roll *roll = roll_at(broker, slot);
        sums->refs += 1 + roll->countings_count;
        sums->living += roll->countings_count;
    }
}

static void check_splits(const struct broker *broker) {
    struct sums members = {0};
    struct sums said = {0};
    sum_pieces(broker, &members);
    sum_rolls(broker, &members);
    const struct pool *splits = &broker->pools[THING_SPLIT];
    for (uint32_t slot = pool_next_taken(splits, 0); slot != BROKER_NONE;
         slot = pool_next_taken(splits, slot + 1)) {
        const struct split *split = split_at(broker, slot);
        members.refs += split->parent_split != BROKER_NONE;
        if (split->counting_split != BROKER_NONE) {
            members.refs++;
            bool is_open = !split->is_closed && split->join != BROKER_NONE;
            members.living += is_open && !split_is_broken(split);
            members.dead += is_open && split_is_broken(split);
        }
        said.living += split->living_count;
        said.dead += split->dead_count;
        said.refs += split->refs_count;
        said.kits += split->kits_count;
        said.parts += split->parts_count;
    }
    CHECK(members.living == said.living && members.dead == said.dead);
    CHECK(members.refs == said.refs && members.kits == said.kits);
    CHECK(members.parts == said.parts);
}

static void check_jobs(const struct broker *broker) {
    uint32_t count = 0;
    uint32_t running = 0;
    uint32_t tallies = 0;
    uint32_t newer = BROKER_NONE;
    for (uint32_t slot = broker->jobs_newest; slot != BROKER_NONE; count++) {
        const struct job *job = job_at(broker, slot);
        CHECK(job->newer == newer);
        CHECK(newer == BROKER_NONE || job->thing.number < job_at(broker, newer)->thing.number);
        running += job->state == JOB_RUNNING;
        tallies += job->tallies_count;
        newer = slot;
        slot = job->older;
    }
    CHECK(count == broker->pools[THING_JOB].count && newer == broker->jobs_oldest);
    CHECK(running == broker->jobs_running);
    CHECK(map_count(broker->jobs_by_id) == count && broker->tallies.count == tallies);
}

void lines_check(const struct broker *broker) {
    check_splits(broker);
    check_jobs(broker);
    heap_check(&broker->settles, &settle_order, broker);
    heap_check(&broker->ended, &ended_order, broker);
    uint64_t living = 0;
    uint64_t expected = broker->pools[THING_ROLL].count;
    const struct pool *jobs = &broker->pools[THING_JOB];
    for (uint32_t slot = pool_next_taken(jobs, 0); slot != BROKER_NONE;
         slot = pool_next_taken(jobs, slot + 1)) {
        living += job_at(broker, slot)->living_count;
    }
    const struct pool *splits = &broker->pools[THING_SPLIT];
    for (uint32_t slot = pool_next_taken(splits, 0); slot != BROKER_NONE;
         slot = pool_next_taken(splits, slot + 1)) {
        const struct split *split = split_at(broker, slot);
        expected += !split->is_closed && split->join != BROKER_NONE && !split_is_broken(split);
    }
    const struct pool *pieces = &broker->pools[THING_PIECE];
    for (uint32_t slot = pool_next_taken(pieces, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pieces, slot + 1)) {
        const struct piece *piece = piece_at(broker, slot);
        bool is_part = message_at(broker, piece->message)->place == PLACE_PART;
        expected += !is_part && !piece->is_dead;
    }
    CHECK(living == expected);
}
