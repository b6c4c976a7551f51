/* SPDX-License-Identifier: Apache-2.0 */
/* env_fail.h -- an env for tests: another env, one call of which fails on demand.
 *
 * What cannot fail (clocks, random bytes, close, timers that are open) goes straight through. A
 * failing call does nothing else: a failing write writes nothing. It is no real env: not for
 * env_run_real or process_start, which take the inner one.
 */
#ifndef TAKT_ENV_ENV_FAIL_H
#define TAKT_ENV_ENV_FAIL_H

#include "env/env.h"

enum env_fail_call {
    ENV_FAIL_ALLOCATE, /* through env_alloc, or anything else that uses the env's allocator */
    ENV_FAIL_OPEN_DIRECTORY,
    ENV_FAIL_LIST,
    ENV_FAIL_RENAME,
    ENV_FAIL_UNLINK,
    ENV_FAIL_SYNC_DIRECTORY,
    ENV_FAIL_FREE_BYTES,
    ENV_FAIL_OPEN,
    ENV_FAIL_LOCK,
    ENV_FAIL_SIZE,
    ENV_FAIL_TRUNCATE,
    ENV_FAIL_READ,
    ENV_FAIL_WRITE,
    ENV_FAIL_SYNC,
    ENV_FAIL_WRITE_AND_SYNC, /* this and the next: `done` gets the error, after the call */
    ENV_FAIL_READ_ASYNC,
    ENV_FAIL_READ_CACHED,
    ENV_FAIL_FILL,
    ENV_FAIL_TIMER_OPEN,
    ENV_FAIL_DEFER,
    ENV_FAIL_CALLS /* how many there are */
};

/* `inner`: kept until env_fail_close. -ENOMEM. */
TAKT_MUST_USE int env_fail_open(struct env *inner, struct env **out);
void env_fail_close(struct env *env); /* what was allocated through it must have been freed */

/* The nth call from now on fails with `error`, a negative errno (an allocation gives NULL whatever
 * it is); 1 is the next one, 0 takes a failure back that has not come. Those after it work again,
 * unless `and_after`. */
void env_fail_set(struct env *env, enum env_fail_call call, uint32_t nth, int error,
                  bool and_after);
/* How many calls of this kind were made since env_fail_open, the failed ones among them. */
uint32_t env_fail_calls_count(const struct env *env, enum env_fail_call call);

#endif
