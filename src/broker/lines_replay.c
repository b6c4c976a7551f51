/* SPDX-License-Identifier: Apache-2.0 */
/* lines_replay.c -- what the lines have in a new broker, and what is made anew after a replay: the
 * lists of jobs, what follows from counts, deadlines, the order of a kit's parts. */
#include "broker/handoff.h"

#include <errno.h>
#include <stdio.h>

bool lines_open(struct broker *broker) {
    broker->jobs_newest = broker->jobs_oldest = broker->roll_next = BROKER_NONE;
    broker->jobs_by_id = map_open(broker->allocator);
    broker->jobs_by_number = map_open(broker->allocator);
    broker->jobs_by_key = map_open(broker->allocator);
    broker->jobs_by_once = map_open(broker->allocator);
    return broker->jobs_by_id != NULL && broker->jobs_by_number != NULL &&
           broker->jobs_by_key != NULL && broker->jobs_by_once != NULL;
}

void lines_close(struct broker *broker) {
    map_close(broker->jobs_by_id);
    map_close(broker->jobs_by_number);
    map_close(broker->jobs_by_key);
    map_close(broker->jobs_by_once);
    heap_close(&broker->ended, broker->allocator);
    heap_close(&broker->settles, broker->allocator);
    allocator_give_back(broker->allocator, broker->spare);
}

/* ---- the list of jobs ------------------------------------------------------------------------- */

static uint32_t merge(const struct broker *broker, uint32_t a, uint32_t b) {
    uint32_t first = BROKER_NONE;
    uint32_t *link = &first;
    while (a != BROKER_NONE && b != BROKER_NONE) {
        bool takes_b = job_at(broker, b)->thing.number < job_at(broker, a)->thing.number;
        uint32_t *from = takes_b ? &b : &a;
        *link = *from;
        link = &job_at(broker, *from)->newer;
        *from = *link;
    }
    *link = a != BROKER_NONE ? a : b;
    return first;
}

/* All jobs by number, oldest first, linked by `newer`: bottom up, runs[i] holds 2^i of them. */
static uint32_t sort_jobs(const struct broker *broker) {
    const struct pool *jobs = &broker->pools[THING_JOB];
    uint32_t runs[32];
    for (uint32_t i = 0; i < ARRAY_COUNT(runs); i++) runs[i] = BROKER_NONE;
    for (uint32_t slot = pool_next_taken(jobs, 0); slot != BROKER_NONE;
         slot = pool_next_taken(jobs, slot + 1)) {
        uint32_t run = slot;
        job_at(broker, run)->newer = BROKER_NONE;
        uint32_t i = 0;
        for (; runs[i] != BROKER_NONE; i++) {
            run = merge(broker, runs[i], run);
            runs[i] = BROKER_NONE;
        }
        runs[i] = run;
    }
    uint32_t all = BROKER_NONE;
    for (uint32_t i = 0; i < ARRAY_COUNT(runs); i++) {
        if (runs[i] != BROKER_NONE) all = merge(broker, runs[i], all);
    }
    return all;
}

static void index_jobs(struct broker *broker) {
    broker->jobs_running = 0;
    for (uint32_t slot = sort_jobs(broker); slot != BROKER_NONE;) {
        uint32_t next = job_at(broker, slot)->newer;
        job_index(broker, slot);
        job_touch(broker, slot);
        broker->jobs_running += job_at(broker, slot)->state == JOB_RUNNING;
        slot = next;
    }
}

/* ---- the rest --------------------------------------------------------------------------------- */

static bool is_station(const struct broker *broker, uint32_t slot, enum queue_kind kind) {
    const struct queue *queue = pool_find(&broker->pools[THING_QUEUE], slot);
    if (queue == NULL || queue->kind != kind) return false;
    const struct line *line = pool_find(&broker->pools[THING_LINE], queue->line);
    return line != NULL && queue->station < line->stations_count;
}

static bool index_splits(struct broker *broker) {
    const struct pool *splits = &broker->pools[THING_SPLIT];
    for (uint32_t slot = pool_next_taken(splits, 0); slot != BROKER_NONE;
         slot = pool_next_taken(splits, slot + 1)) {
        const struct split *split = split_at(broker, slot);
        if (split->join != BROKER_NONE && !is_station(broker, split->join, QUEUE_STATION)) {
            return false;
        }
        if (split->is_closed) kit_sort_parts(broker, slot);
        if (!split->is_closed && split->join != BROKER_NONE) {
            queue_at(broker, split->join)->waiting_kits++;
        }
        split_touch(broker, slot);
    }
    return true;
}

static bool index_sessions(struct broker *broker) {
    const struct pool *sessions = &broker->pools[THING_SESSION];
    for (uint32_t slot = pool_next_taken(sessions, 0); slot != BROKER_NONE;
         slot = pool_next_taken(sessions, slot + 1)) {
        const struct session *session = session_at(broker, slot);
        if (!is_station(broker, session->queue, QUEUE_STATION)) return false;
        session_count(broker, session, 1);
    }
    return true;
}

static bool has_its_stations(const struct broker *broker, const struct line *line) {
    for (uint32_t i = 0; i < line->stations_count; i++) {
        if (!is_station(broker, line->stations[i].queue, QUEUE_STATION) ||
            !is_station(broker, line->stations[i].dead_queue, QUEUE_STATION_DEAD)) {
            return false;
        }
    }
    return true;
}

static bool index_lines(struct broker *broker) {
    const struct pool *lines = &broker->pools[THING_LINE];
    for (uint32_t slot = pool_next_taken(lines, 0); slot != BROKER_NONE;
         slot = pool_next_taken(lines, slot + 1)) {
        struct line *line = line_at(broker, slot);
        if (!has_its_stations(broker, line)) return false;
        line_count_full(broker, line);
    }
    return true;
}

int lines_replay_end(struct broker *broker, char *text, size_t text_bytes) {
    if (!settles_reserve(broker, 0) || !job_index_reserve(broker, broker->pools[THING_JOB].count)) {
        return -ENOMEM;
    }
    if (!index_lines(broker) || !index_sessions(broker) || !index_splits(broker)) {
        (void)snprintf(text, text_bytes, "the queue of a station is missing");
        return -EBADMSG;
    }
    index_jobs(broker);
    roll_find_next(broker);
    return 0;
}
