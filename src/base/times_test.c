/* SPDX-License-Identifier: Apache-2.0 */
#include "base/times.h"

#include "test.h"

static const char *text_of(int64_t ms, char out[WALL_TIME_TEXT_BYTES]) {
    wall_time_text((struct wall_time){ms}, out);
    return out;
}

/* Points in time are written to the millisecond, in UTC, also before 1970. */
TEST(wall_time_is_written_as_rfc_3339) {
    char out[WALL_TIME_TEXT_BYTES];
    EXPECT_STRING(text_of(0, out), "1970-01-01T00:00:00.000Z");
    EXPECT_STRING(text_of(1772357400250, out), "2026-03-01T09:30:00.250Z");
    EXPECT_STRING(text_of(-1, out), "1969-12-31T23:59:59.999Z");
    EXPECT_STRING(text_of(951782400001, out), "2000-02-29T00:00:00.001Z");
}

/* What a year of four digits cannot hold becomes the nearest that it can. */
TEST(wall_time_stays_within_four_digits) {
    char out[WALL_TIME_TEXT_BYTES];
    EXPECT_STRING(text_of(INT64_MAX, out), "9999-12-31T23:59:59.999Z");
    EXPECT_STRING(text_of(INT64_MIN, out), "0001-01-01T00:00:00.000Z");
}
