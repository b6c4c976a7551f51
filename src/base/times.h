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

/* "2026-03-01T09:30:00.250Z": RFC 3339 in UTC, with milliseconds. Out of the years 1 to 9999 the
 * nearest end of them. */
#define WALL_TIME_TEXT_BYTES 25u /* with the zero */
void wall_time_text(struct wall_time time, char out[WALL_TIME_TEXT_BYTES]);

#endif
