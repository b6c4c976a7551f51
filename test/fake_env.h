/* SPDX-License-Identifier: Apache-2.0 */
/* fake_env.h -- an env for tests: its clock stands until the test moves it. It has timers and what is
 * deferred, no files.
 */
#ifndef TAKT_FAKE_ENV_H
#define TAKT_FAKE_ENV_H

#include "env/env.h"

struct env *fake_env_open(void);
void fake_env_close(struct env *env); /* every timer is closed */
/* Fire what is due and run what is deferred until nothing is left. Fails the test after 100,000
 * steps: something asks for "now" for ever. Gives how many timers fired. */
uint64_t fake_env_run(struct env *env);
/* Both clocks go on, in steps of at most one millisecond, and what is due runs. */
void fake_env_pass_ms(struct env *env, int64_t ms);
/* Only the wall clock is set. */
void fake_env_set_wall_ms(struct env *env, int64_t ms);
/* The mono clock, and the wall clock with it, in one step without running anything. */
void fake_env_jump_ns(struct env *env, int64_t ns);
/* When the next timer fires; INT64_MAX: none is set. */
int64_t fake_env_next_ns(struct env *env);

#endif
