/* SPDX-License-Identifier: Apache-2.0 */
/* attempt.h -- a run in a process of its own, so that one that ends by a CHECK, a broken promise or
 * never tells no less than one that goes well.
 */
#ifndef TAKT_SIM_ATTEMPT_H
#define TAKT_SIM_ATTEMPT_H

#include "sim.h"

#define ATTEMPT_SECONDS_MAX 20u

/* True: the run went well. Else report->words says what was wrong. */
bool attempt(const struct sim_options *options, struct report *report);

/* The fewest steps with which the seed fails; it does with all of them. */
uint32_t attempt_shorten(const struct sim_options *options, struct report *report);

#endif
