/* SPDX-License-Identifier: Apache-2.0 */
/* env_files_max.c -- how many files and connections this process may have open.
 *
 * A login shell gives 1,024 and lets a process ask for more: a queue with a thousand parked receivers
 * needs it. Workers inherit what was asked for.
 */
#include "env/env.h"

#include <sys/resource.h>

#define FILES_MAX_IF_UNKNOWN 1024u

uint32_t env_raise_files_max(uint32_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return FILES_MAX_IF_UNKNOWN;
    if (limit.rlim_cur >= wanted) return wanted;
    struct rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    return (uint32_t)limit.rlim_cur;
}
