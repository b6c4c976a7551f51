/* SPDX-License-Identifier: Apache-2.0 */
/* process_children.h -- ends the children that this process has not started itself, but was given
 * by the kernel when their parents died: it must be a subreaper. Inside env only. */
#ifndef TAKT_ENV_PROCESS_CHILDREN_H
#define TAKT_ENV_PROCESS_CHILDREN_H

#include "base/check.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Is that child another's business? */
typedef bool process_spare_fn(void *context, pid_t child);

/* Send SIGKILL to every child that is not spared (spare NULL: none is), and to those that thereby
 * become children, wait for them all, and see that none is left. Blocking. ended_count: how many
 * were ended or found dead. 0; -ETIMEDOUT after timeout_ms; what /proc gave. A child that may not be
 * killed (it has become another user's) is left. */
TAKT_MUST_USE int process_end_children(process_spare_fn *spare, void *context, int64_t timeout_ms,
                                       uint32_t *ended_count);

#endif
