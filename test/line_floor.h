/* SPDX-License-Identifier: Apache-2.0 */
/* line_floor.h -- a small line on a broker_harness: jobs start, workers lease and answer, each in one
 * call. After every command broker_check runs.
 */
#ifndef TAKT_TEST_LINE_FLOOR_H
#define TAKT_TEST_LINE_FLOOR_H

#include "broker_harness.h"

#define FLOOR_STATIONS_MAX 16u

struct floor {
    struct harness harness;
    struct line_station stations[FLOOR_STATIONS_MAX];
    char names[FLOOR_STATIONS_MAX][3][40]; /* name, queue, dead queue */
    uint32_t stations_count;
    struct broker_ref line;
    struct broker_ref sessions[FLOOR_STATIONS_MAX]; /* one that stays open, a station */
};

void floor_open(struct floor *floor);
void floor_close(struct floor *floor);
/* A station without a join; gives its index. The caller may change its settings before floor_put. */
uint32_t floor_station(struct floor *floor, const char *name);
/* A join of what `opener` splits. */
uint32_t floor_join(struct floor *floor, const char *name, uint32_t opener,
                    enum missing_policy missing);
/* From one station a message may go to the other: reach and in_cycle follow from all of these. */
void floor_route(struct floor *floor, uint32_t from, uint32_t to);
const struct broker_answer *floor_put(struct floor *floor); /* and a session a station */

const struct broker_answer *floor_submit(struct floor *floor, const struct command *command);
/* An order at that station; gives the job. */
struct broker_ref floor_start(struct floor *floor, uint32_t station);
struct broker_ref floor_session(struct floor *floor, uint32_t station);
/* The next message of that station in the hands of its session; EXPECTs that there is one. */
struct answer_lease floor_lease(struct floor *floor, uint32_t station);
/* Into these hands, as many as there are; how many. */
uint32_t floor_lease_into(struct floor *floor, struct broker_ref session, uint32_t max,
                          struct answer_lease *out);
/* Handed on to these stations (BROKER_TARGET_END: to none), one output each. */
void floor_complete(struct floor *floor, uint32_t station, const struct answer_lease *lease,
                    const uint32_t *targets, uint32_t targets_count, bool each);
/* Leases the next one and hands it on to one station (BROKER_TARGET_END: no output at all). */
void floor_pass(struct floor *floor, uint32_t station, uint32_t to);
void floor_attempt(struct floor *floor, enum command_kind kind, uint32_t station,
                   const struct answer_lease *lease, const char *error);
/* Leases the next one and fails it, as often as it takes until it is dead. */
void floor_kill(struct floor *floor, uint32_t station);
/* How many are visible, delayed or in flight at the station. */
uint64_t floor_count(struct floor *floor, uint32_t station);
uint64_t floor_dead(struct floor *floor, uint32_t station);
uint32_t floor_redrive(struct floor *floor, uint32_t station);
void floor_wait(struct floor *floor, int64_t ms); /* time passes, and all that is due is done */
struct job_view floor_job(struct floor *floor, struct broker_ref job);
/* No message, split or roll is left. */
void floor_expect_empty(struct floor *floor);
/* Deals all rolls that have room; how many records that took. */
uint32_t floor_deal(struct floor *floor);

#endif
