/* SPDX-License-Identifier: Apache-2.0 */
/* shard.h -- one loop, one broker, one journal: decide, append, apply, hold answers, release.
 *
 * The one place where the data takes its way (docs/architecture.md). Nothing leaves takt that rests
 * on a record which is not durable: every answer is held until the newest LSN that was applied when
 * it was decided is durable.
 */
#ifndef TAKT_SHARD_SHARD_H
#define TAKT_SHARD_SHARD_H

#include "base/log.h"
#include "broker/broker.h"
#include "env/env.h"
#include "journal/journal.h"

struct shard;

struct shard_options {
    struct env *env;         /* kept */
    const struct log *log;   /* kept */
    struct journal *journal; /* taken: opened, not yet replayed */
    struct broker_options broker;
    /* The journal has failed or was fenced: nothing more will be answered OK. Runs once. */
    void (*on_failure)(void *context, int result);
    void *context;
    /* How long after an answer is released its body_refs may still be given to shard_read_body; a
     * read that has begun is safe. Later it may end with -ENOENT: ask for the ref anew. 0: 500. */
    int64_t refs_good_ms;
};

/* Replays the whole journal, starts it, ends the sessions of earlier lives. 0; -EBADMSG, … (said in
 * the log; the journal is then closed). The caller has made sure that the workers of earlier lives
 * are gone. */
TAKT_MUST_USE int shard_open(const struct shard_options *options, struct shard **out);
/* Waits for what is appended and releases what that makes ready. The rest, parked receivers too, is
 * answered BROKER_UNAVAILABLE; what is submitted from inside those callbacks is dropped, and watches
 * end without a word. Not from inside a callback of the shard. NULL is allowed. */
void shard_close(struct shard *shard);

/* The answer is released: everything it rests on is durable. The answer is borrowed for the call.
 * Never runs inside the call that submitted. With BROKER_UNAVAILABLE or another refusal nothing
 * happened. */
typedef void shard_answer_fn(void *context, const struct broker_answer *answer);

/* One command, its way: decided and applied when the call returns, and answered when that is durable.
 * Everything borrowed; done and context kept until done has run. There is no cancelling: a caller
 * that goes away passes a context that can tell. done may be NULL. BROKER_BUSY: worth asking again
 * after any commit (shard_when_durable tells of one). */
void shard_submit(struct shard *shard, const struct command *command, shard_answer_fn *done,
                  void *context);

/* Run `fn` when everything applied up to now is durable: for answers that only read.
 * failed: the journal failed before; then nothing may be shown. */
typedef void shard_durable_fn(void *context, bool failed);
void shard_when_durable(struct shard *shard, shard_durable_fn *fn, void *context);

/* Receive from a plain queue, parked up to wait_ms if it is empty (-1: the queue's own). A send
 * wakes the one that has waited longest. */
struct shard_receive; /* from the call until done has run or it was cancelled */
TAKT_MUST_USE struct shard_receive *shard_receive(struct shard *shard,
                                                  const struct command_receive *command,
                                                  int64_t wait_ms, shard_answer_fn *done,
                                                  void *context); /* NULL: out of memory */
/* The receiver is gone: done will not run. Parked: it gets nothing. Already decided: the messages
 * return uncounted. */
void shard_receive_cancel(struct shard_receive *receive);

/* Read a body (journal_read_body), bytes borrowed for the call; may run inside this call. */
void shard_read_body(struct shard *shard, struct body_ref ref, journal_body_fn *done,
                     void *context);

/* A station has messages or may start again, as part of the same batch as what caused it: it runs
 * inside the call that submitted, or with the next commit when the journal is busy. One listener
 * (the line's runtime); it submits COMMAND_LEASE from inside. */
typedef void shard_station_fn(void *context, struct broker_ref line, uint32_t station);
void shard_on_station(struct shard *shard, shard_station_fn *fn, void *context);

/* Call `fn` once when the job has ended and that is durable (at once, later, if it has or is not
 * there). After a failure of the journal it does not run. NULL: out of memory. */
struct shard_watch;
typedef void shard_job_fn(void *context, struct broker_ref job);
TAKT_MUST_USE struct shard_watch *shard_watch_job(struct shard *shard, struct broker_ref job,
                                                  shard_job_fn *fn, void *context);
void shard_watch_cancel(struct shard_watch *watch); /* before fn has run */

const struct broker *shard_broker(const struct shard *shard); /* for views */
struct wall_time shard_now(const struct shard *shard);        /* takt's time */
/* Random bytes, an env, a log: those of the shard. */
struct env *shard_env(const struct shard *shard);
const struct log *shard_log(const struct shard *shard);
void shard_get_journal_status(const struct shard *shard, struct journal_status *out);
/* A consistent copy of all that is durable, while the shard goes on (journal_copy_open). Before
 * shard_close it must be closed. */
TAKT_MUST_USE int shard_copy(struct shard *shard, struct journal_copy **out);
bool shard_has_failed(const struct shard *shard);

#endif
