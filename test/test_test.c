/* SPDX-License-Identifier: Apache-2.0 */
/* test_test.c -- an EXPECT that holds lets its test go on; one that does not, fails it.
 *
 * Of a failing EXPECT only the child's end is seen here: it leaves its test by cmocka's way, which
 * outside of a test is the end of the process.
 */
#include "test.h"

#include <stdlib.h>

/* Expectations that hold are silent, whatever the types. */
TEST(what_holds_goes_on) {
    const unsigned char bytes[] = {1, 0, 2};
    EXPECT(true);
    EXPECT_INT((unsigned char)200, 200L);
    EXPECT_INT(-1, -1LL);
    EXPECT_STRING("dough", "dough");
    EXPECT_STRING(NULL, NULL);
    EXPECT_BYTES(bytes, bytes, sizeof bytes);
}

/* A statement that aborts is told from one that does not, and does not end the test program. */
TEST(an_abort_is_seen) {
    EXPECT_ABORT(abort());
}
