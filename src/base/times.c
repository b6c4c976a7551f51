/* SPDX-License-Identifier: Apache-2.0 */
#include "base/times.h"

#include <stdio.h>
#include <time.h>

#define MS_MIN INT64_C(-62135596800000) /* 0001-01-01 */
#define MS_MAX INT64_C(253402300799999) /* the end of 9999 */

void wall_time_text(struct wall_time time, char out[WALL_TIME_TEXT_BYTES]) {
    int64_t ms = time.ms < MS_MIN ? MS_MIN : time.ms > MS_MAX ? MS_MAX : time.ms;
    int64_t rest_ms = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - rest_ms) / 1000);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    /* The sizes are bounded above; the remainders say so to the compiler. */
    (void)snprintf(out, WALL_TIME_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(parts.tm_year + 1900) % 10000u, (unsigned)(parts.tm_mon + 1) % 100u,
                   (unsigned)parts.tm_mday % 100u, (unsigned)parts.tm_hour % 100u,
                   (unsigned)parts.tm_min % 100u, (unsigned)parts.tm_sec % 100u,
                   (unsigned)rest_ms % 1000u);
}
