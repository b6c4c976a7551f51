/* SPDX-License-Identifier: Apache-2.0 */
/* body_ref.h -- where a body lies in the journal, and what proves that it is the one meant. */
#ifndef TAKT_BASE_BODY_REF_H
#define TAKT_BASE_BODY_REF_H

#include <stdint.h>

/* position 0 means "no body" (count is then 0): no body ever lies at position 0. */
struct body_ref {
    uint64_t position; /* the journal's own, opaque to everybody else; grows with the LSN */
    uint64_t checksum; /* XXH3, 64 bits, of the bytes */
    uint32_t count;    /* bytes */
};

#endif
