/* SPDX-License-Identifier: Apache-2.0 */
/* shard_roll.c -- deals out large splits, a chunk at a time.
 *
 * The broker names the next chunk of a roll whose targets have room; its body is read, and one record
 * turns it into messages. One chunk is under way at a time, one a turn of the loop: a million
 * outputs are dealt while everybody else goes on. A roll that cannot go on now (its chunk cannot be
 * read) lets those behind it pass, until all are tried again.
 */
#include "shard/shard_inside.h"

#define NS_PER_MS 1000000ll

static bool next_roll(const struct shard *shard, struct broker_ref *roll, struct body_ref *chunk) {
    bool is_waiting = shard->roll.retry_ns > shard_mono_ns(shard);
    struct broker_ref after = is_waiting ? shard->roll.after : (struct broker_ref){0};
    if (is_waiting && after.number == 0) return false;
    return broker_next_roll(shard->broker, after, roll, chunk);
}

bool shard_roll_is_wanted(const struct shard *shard) {
    struct broker_ref roll;
    struct body_ref chunk;
    return !shard->roll.is_reading && !shard->is_busy && next_roll(shard, &roll, &chunk);
}

static void try_later(struct shard *shard) {
    if (shard->roll.retry_ns == 0) {
        shard->roll.retry_ns = shard_mono_ns(shard) + SHARD_RETRY_MS * NS_PER_MS;
    }
    shard_arm(shard);
}

static void deal(struct shard *shard, struct slice chunk) {
    struct command command = {
        .kind = COMMAND_ROLL_DEAL,
        .roll_deal = {shard->roll.roll, chunk},
    };
    enum broker_result result = shard_do(shard, &command);
    if (result == BROKER_OK) {
        if (shard->roll.roll.number == shard->roll.said_of) shard->roll.said_of = 0;
    } else if (!shard->is_busy) {
        shard->roll.after = (struct broker_ref){0}; /* no room: that is so for all */
        try_later(shard);
    }
}

static void on_chunk(void *context, int result, struct slice bytes) {
    struct shard *shard = context;
    shard->roll.is_reading = false;
    if (shard->is_closing || shard->is_failed) return;
    if (result == 0) {
        deal(shard, bytes);
        shard_drain(shard);
        return;
    }
    if (shard->roll.said_of == 0) {
        log_printf(shard->log, LOG_ERROR,
                   "cannot read a part of a large split: %s; that split stands still, tried again "
                   "every %d ms",
                   strerror(-result), SHARD_RETRY_MS);
        shard->roll.said_of = shard->roll.roll.number;
    }
    shard->roll.after = shard->roll.roll;
    try_later(shard);
}

void shard_roll_step(struct shard *shard) {
    if (shard->roll.retry_ns <= shard_mono_ns(shard)) {
        shard->roll.retry_ns = 0;
        shard->roll.after = (struct broker_ref){0};
    }
    if (!shard_roll_is_wanted(shard)) return;
    if (!next_roll(shard, &shard->roll.roll, &shard->roll.chunk)) return;
    shard->roll.is_reading = true;
    journal_read_body(shard->journal, shard->roll.chunk, on_chunk, shard);
}
