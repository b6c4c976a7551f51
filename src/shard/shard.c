/* SPDX-License-Identifier: Apache-2.0 */
/* shard.c -- from the journal's bytes to a state that can be asked, and its end.
 *
 *   open    replay every record into a new broker; start the journal's new epoch; a record ends the
 *           sessions of earlier lives, if there are any
 *   live    shard_submit.c and its neighbours
 *   fail    a batch did not reach the disk: the state is ahead of what is promised, so nothing that
 *           is held is answered OK, nor anything that comes; the owner hears of it and closes
 *   close   commit what is appended; release what that makes ready; refuse the rest
 */
#include "shard/shard_inside.h"

#include <errno.h>

#define NS_PER_MS 1000000ll
#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)
#define REFS_GOOD_MS_DEFAULT 500
#define LIFE_STEPS_MAX 100000u /* records that end the sessions of earlier lives */

static int replay_record(void *context, const struct journal_record *record) {
    struct shard *shard = context;
    int rc = broker_apply(shard->broker, record->lsn, record->bytes, record->bodies,
                          record->bodies_count);
    if (rc < 0) {
        log_printf(shard->log, LOG_ERROR, "cannot apply record %llu of the journal: %s",
                   (unsigned long long)record->lsn, strerror(-rc));
    }
    return rc;
}

static int replay(struct shard *shard) {
    char words[256] = "";
    broker_replay_begin(shard->broker);
    int rc = journal_replay(shard->journal, replay_record, shard);
    if (rc < 0) return rc;
    rc = broker_replay_end(shard->broker, words, sizeof words);
    if (rc < 0) log_printf(shard->log, LOG_ERROR, "the journal is not whole: %s", words);
    return rc;
}

static void fail(struct shard *shard, int result) {
    if (shard->is_failed) return;
    shard->is_failed = true;
    log_printf(shard->log, LOG_ERROR,
               "the journal has failed: %s; what waits for it is refused, and nothing more is "
               "promised",
               strerror(-result));
    shard_receive_end_all(shard);
    shard_release(shard);
    if (!shard->is_closing && shard->on_failure != NULL) {
        shard->on_failure(shard->context, result);
    }
}

static void on_durable(void *context, uint64_t lsn, int result) {
    struct shard *shard = context;
    if (result < 0) {
        fail(shard, result);
        return;
    }
    CHECK(lsn >= shard->lsn_durable);
    shard->lsn_durable = lsn;
    shard->is_busy = false;
    shard->settles_count = 0;
    shard_release(shard);
    if (shard->is_closing) return;
    shard_carry_ask(shard);
    shard_receive_again(shard);
    shard_drain(shard);
    shard_arm(shard);
}

static int result_to_errno(enum broker_result result) {
    switch (result) {
    case BROKER_OK:
    case BROKER_NOTHING: return 0;
    case BROKER_NO_ROOM: return -ENOSPC;
    case BROKER_NO_MEMORY: return -ENOMEM;
    default: return -EIO;
    }
}

/* Before anything else, so that it is compared with the newest record of the life before. */
static int hold_retention(struct shard *shard) {
    int64_t last_ms = broker_last_time(shard->broker).ms;
    if (broker_is_new(shard->broker) || shard_now(shard).ms - last_ms <= DAY_MS) return 0;
    log_printf(shard->log, LOG_WARNING,
               "the clock is %lld hours ahead of the newest record; in case it is wrong, nothing "
               "expires by retention for an hour",
               (long long)((shard_now(shard).ms - last_ms) / HOUR_MS));
    struct command command = {.kind = COMMAND_HOLD_RETENTION};
    return result_to_errno(shard_do(shard, &command));
}

static int start_life(struct shard *shard) {
    struct broker_totals totals;
    broker_get_totals(shard->broker, &totals);
    if (totals.sessions_count == 0) return 0;
    struct command command = {.kind = COMMAND_LIFE_START};
    for (uint32_t i = 0; i < LIFE_STEPS_MAX; i++) {
        enum broker_result result = shard_do(shard, &command);
        bool is_more = result == BROKER_OK && shard->decision.answer.step.more;
        if (!is_more) return result_to_errno(result);
    }
    return -EIO;
}

static int start(struct shard *shard) {
    int rc = replay(shard);
    if (rc < 0) return rc;
    rc = journal_start(shard->journal, on_durable, shard);
    if (rc < 0) return rc;
    struct journal_status status;
    journal_get_status(shard->journal, &status);
    shard->lsn_applied = status.lsn_appended;
    shard->lsn_durable = status.lsn_durable;
    shard_clock_start(shard);
    journal_set_live_bytes(shard->journal, broker_live_bytes(shard->broker));
    rc = hold_retention(shard);
    if (rc == 0) rc = start_life(shard);
    if (rc < 0) log_printf(shard->log, LOG_ERROR, "cannot begin: %s", strerror(-rc));
    return rc;
}

int shard_open(const struct shard_options *options, struct shard **out) {
    struct shard *shard = env_alloc(options->env, sizeof *shard);
    if (shard == NULL) {
        journal_close(options->journal);
        return -ENOMEM;
    }
    shard->env = options->env;
    shard->log = options->log;
    shard->journal = options->journal;
    shard->on_failure = options->on_failure;
    shard->context = options->context;
    int64_t refs_good_ms = options->refs_good_ms > 0 ? options->refs_good_ms : REFS_GOOD_MS_DEFAULT;
    shard->refs_good_ns = refs_good_ms * NS_PER_MS;
    shard->random_used = SHARD_RANDOM_BYTES;
    shard->timer_ns = SHARD_NEVER;
    shard->deadline_ms = INT64_MAX;
    broker_decision_open(&shard->decision, shard_allocator(shard));
    shard_receive_open(shard);
    shard_watch_open(shard);
    shard_carry_open(shard);

    int rc = shard_hold_open(shard);
    if (rc < 0) goto fail;
    rc = shard->env->ops->timer_open(shard->env, shard_turn, shard, &shard->timer);
    if (rc < 0) goto fail;
    struct broker_options broker = options->broker;
    if (broker.allocator == NULL) broker.allocator = shard_allocator(shard);
    shard->broker = broker_open(&broker);
    rc = -ENOMEM;
    if (shard->broker == NULL) goto fail;
    rc = start(shard);
    if (rc < 0) goto fail;
    shard_arm(shard);
    *out = shard;
    return 0;

fail:
    shard_close(shard);
    return rc;
}

/* Callers hear of the end once. What they then submit is dropped with the rest. */
static void end_held(struct shard *shard) {
    shard_receive_end_all(shard);
    shard->is_failed = true;
    shard_release(shard);
}

void shard_close(struct shard *shard) {
    if (shard == NULL) return;
    CHECK(!shard->is_releasing && !shard->is_draining);
    shard->is_closing = true;
    shard->env->ops->timer_close(shard->env, shard->timer);
    journal_close(shard->journal);
    shard_release(shard);
    end_held(shard);
    shard_hold_drop(shard);
    shard_receive_close(shard);
    shard_watch_close(shard);
    shard_carry_close(shard);
    shard_hold_close(shard);
    broker_decision_close(&shard->decision);
    broker_close(shard->broker);
    env_free(shard->env, shard);
}

void shard_read_body(struct shard *shard, struct body_ref ref, journal_body_fn *done,
                     void *context) {
    if (shard->is_closing) {
        done(context, -ECANCELED, SLICE_EMPTY);
        return;
    }
    journal_read_body(shard->journal, ref, done, context);
}

struct env *shard_env(const struct shard *shard) {
    return shard->env;
}

const struct log *shard_log(const struct shard *shard) {
    return shard->log;
}

const struct broker *shard_broker(const struct shard *shard) {
    return shard->broker;
}

void shard_get_journal_status(const struct shard *shard, struct journal_status *out) {
    journal_get_status(shard->journal, out);
}

int shard_copy(struct shard *shard, struct journal_copy **out) {
    return shard->is_failed ? -EROFS : journal_copy_open(shard->journal, out);
}

bool shard_has_failed(const struct shard *shard) {
    return shard->is_failed;
}
