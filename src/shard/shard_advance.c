/* SPDX-License-Identifier: Apache-2.0 */
/* shard_advance.c -- the shard's own turn, and the one timer that calls it.
 *
 * A turn does a little of each thing that goes on by itself: receivers whose time is over, one
 * advance record (deadlines, graves), one chunk of a roll, some carrying; then it releases what is
 * ready. If more is to be done at once the timer is set to now: the loop serves everybody else in
 * between.
 *
 * It is a timer also where env's `defer` would do: a timer goes with the shard, and setting it cannot
 * fail.
 */
#include "shard/shard_inside.h"

#define NS_PER_MS 1000000ll
#define AHEAD_MS_MAX 3600000ll /* an hour: the slewing clock is looked at again */

static bool is_due(const struct shard *shard) {
    if (broker_has_sweep(shard->broker)) return true;
    return broker_next_deadline(shard->broker).ms <= shard_now(shard).ms;
}

static bool advance_is_wanted(const struct shard *shard) {
    return shard->advance_retry_ns <= shard_mono_ns(shard) && is_due(shard);
}

/* True if a record was appended. */
static bool advance(struct shard *shard) {
    if (shard->is_busy || !advance_is_wanted(shard)) return false;
    struct command command = {.kind = COMMAND_ADVANCE};
    enum broker_result result = shard_do(shard, &command);
    shard->advance_retry_ns = 0;
    if (result != BROKER_OK && !shard->is_busy) {
        shard->advance_retry_ns = shard_mono_ns(shard) + SHARD_RETRY_MS * NS_PER_MS;
    }
    return result == BROKER_OK;
}

/* On an idle line the last part of a kit, or the last message of a job, would else wait for two
 * commits: its own, and that of what follows from it. */
bool shard_settle(struct shard *shard) {
    if (shard->settles_count >= SHARD_SETTLES_MAX || !broker_has_settle(shard->broker))
        return false;
    shard->settles_count++;
    return advance(shard);
}

bool shard_has_work(const struct shard *shard) {
    if (shard->is_failed || shard->is_busy) return false;
    return advance_is_wanted(shard) || shard_roll_is_wanted(shard) || shard_carry_is_wanted(shard);
}

static void set_timer(struct shard *shard, int64_t when_ns) {
    if (shard->is_closing || when_ns >= shard->timer_ns) return;
    shard->timer_ns = when_ns;
    shard->env->ops->timer_set(shard->env, shard->timer, (struct mono_time){when_ns});
}

void shard_turn_soon(struct shard *shard) {
    set_timer(shard, 0);
}

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The broker's next deadline on the monotonic clock; not before a retry's time. */
static int64_t advance_next_ns(struct shard *shard) {
    shard->deadline_ms = broker_next_deadline(shard->broker).ms;
    if (shard->is_busy) return SHARD_NEVER;
    if (broker_has_sweep(shard->broker)) return shard->advance_retry_ns;
    if (shard->deadline_ms == INT64_MAX) return SHARD_NEVER;
    int64_t ahead_ms = shard->deadline_ms - shard_now(shard).ms;
    if (ahead_ms > AHEAD_MS_MAX) ahead_ms = AHEAD_MS_MAX;
    if (ahead_ms < 0) ahead_ms = 0;
    int64_t when_ns = shard_mono_ns(shard) + ahead_ms * NS_PER_MS;
    return when_ns > shard->advance_retry_ns ? when_ns : shard->advance_retry_ns;
}

void shard_arm(struct shard *shard) {
    if (shard->is_closing || shard->is_failed) return;
    if (shard_has_work(shard)) {
        shard_turn_soon(shard);
        return;
    }
    int64_t when_ns = earlier(shard_receive_next_ns(shard), advance_next_ns(shard));
    when_ns = earlier(when_ns, shard_carry_next_ns(shard));
    if (shard->roll.retry_ns != 0) when_ns = earlier(when_ns, shard->roll.retry_ns);
    if (when_ns != SHARD_NEVER) set_timer(shard, when_ns);
}

void shard_turn(void *context) {
    struct shard *shard = context;
    shard->timer_ns = SHARD_NEVER;
    shard->deadline_ms = INT64_MAX;
    if (!shard->is_failed) {
        shard_clock_follow(shard);
        bool is_over = shard_receive_expire(shard);
        (void)advance(shard);
        shard_roll_step(shard);
        shard_carry_trim(shard);
        shard_carry_step(shard);
        shard_drain(shard);
        if (!is_over) shard_turn_soon(shard);
    }
    shard_release(shard);
    shard_arm(shard);
}
