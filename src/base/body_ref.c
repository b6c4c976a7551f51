/* SPDX-License-Identifier: Apache-2.0 */
#include "base/body_ref.h"

#include "base/hash.h"

static const char given_up[1];

struct slice body_given_up(void) {
    return slice_from(given_up, 0);
}

bool body_is_given_up(struct slice body) {
    return body.bytes == given_up;
}

bool body_ref_is_given_up(struct body_ref ref) {
    return ref.position != 0 && ref.count == 0 && ref.checksum32 == 0;
}

uint64_t body_checksum(struct slice body) {
    return body_is_given_up(body) ? 0 : hash64(body);
}

uint32_t body_checksum32(struct slice body) {
    return (uint32_t)(body_checksum(body) & UINT32_MAX);
}

bool body_ref_fits(struct body_ref ref, struct slice bytes) {
    return bytes.count == ref.count && (uint32_t)(hash64(bytes) & UINT32_MAX) == ref.checksum32;
}

struct body_ref body_ref_of(struct slice body, uint64_t position) {
    return (struct body_ref){
        .position = position, .checksum32 = body_checksum32(body), .count = (uint32_t)body.count};
}
