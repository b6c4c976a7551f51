/* SPDX-License-Identifier: Apache-2.0 */
/* times.h -- points in time. Two types, so that mixing them does not compile. */
#ifndef TAKT_BASE_TIMES_H
#define TAKT_BASE_TIMES_H

#include <stdint.h>

/* Since the Unix epoch. takt's own time (design: max(last record, wall clock), slewed) is of this
 * type too: it is what records carry and what clients see. */
struct wall_time {
    int64_t ms;
};
/* Since some fixed moment of this process. */
struct mono_time {
    int64_t ns;
};

#endif
