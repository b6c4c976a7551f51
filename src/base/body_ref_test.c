/* SPDX-License-Identifier: Apache-2.0 */
#include "base/body_ref.h"

#include "test.h"

/* A ref fits its own bytes and no others. */
TEST(body_ref_fits_its_own_bytes_only) {
    struct body_ref ref = body_ref_of(SLICE("hello"), 4096);
    EXPECT(ref.count == 5 && ref.position == 4096 && !body_ref_is_given_up(ref));
    EXPECT(body_ref_fits(ref, SLICE("hello")));
    EXPECT(!body_ref_fits(ref, SLICE("hellp")) && !body_ref_fits(ref, SLICE("hell")));
    EXPECT(body_ref_fits(body_ref_of(SLICE_EMPTY, 1), SLICE_EMPTY));
}

/* What is given up fits nothing, not even no bytes; an empty body is another thing. */
TEST(body_ref_of_what_is_given_up_fits_nothing) {
    struct body_ref ref = body_ref_of(body_given_up(), 4096);
    EXPECT(body_ref_is_given_up(ref) && ref.count == 0);
    EXPECT(!body_ref_fits(ref, SLICE_EMPTY) && !body_ref_fits(ref, body_given_up()));
    EXPECT(body_is_given_up(body_given_up()) && !body_is_given_up(SLICE_EMPTY));
    EXPECT(!body_ref_is_given_up((struct body_ref){0})); /* no body at all */
}
