/* SPDX-License-Identifier: Apache-2.0 */
/* body_ref.h -- where a body lies in the journal, and what proves that it is the one meant.
 *
 * A body that was damaged on the disk is GIVEN UP: its ref has no bytes and the checksum 0, which
 * that of no bytes is not. So every read of it ends with -EBADMSG, as that of a damaged one does,
 * nobody ever gets other bytes in its place, and what it belongs to can be written again without it.
 */
#ifndef TAKT_BASE_BODY_REF_H
#define TAKT_BASE_BODY_REF_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* position 0 means "no body" (count is then 0): no body ever lies at position 0.
 *
 * There are millions of these in memory, so only half of the checksum that is on disk is kept: one
 * damaged body in four thousand million is not seen when it is read. */
struct body_ref {
    uint64_t position;   /* the journal's own, opaque to everybody else; grows with the LSN */
    uint32_t checksum32; /* the lower half of XXH3, 64 bits, of the bytes */
    uint32_t count;      /* bytes */
};
_Static_assert(sizeof(struct body_ref) == 16, "docs/limits.md counts with this");

bool body_ref_is_given_up(struct body_ref ref);
/* Do these bytes stand for the ref's body? Never for one that is given up. */
bool body_ref_fits(struct body_ref ref, struct slice bytes);
/* What stands on disk for a body; of one that is given up: 0. */
uint64_t body_checksum(struct slice body);
/* Its lower half. */
uint32_t body_checksum32(struct slice body);
/* The ref of a body that lies there. */
struct body_ref body_ref_of(struct slice body, uint64_t position);

/* What is appended in the place of a body that is given up: no bytes, at an address of its own. */
struct slice body_given_up(void);
bool body_is_given_up(struct slice body);

#endif
