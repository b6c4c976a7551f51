/* SPDX-License-Identifier: Apache-2.0 */
/* hash.h -- fast checksums and hashes (XXH3), and hexadecimal text. */
#ifndef TAKT_BASE_HASH_H
#define TAKT_BASE_HASH_H

#include "base/slice.h"

uint64_t hash64(struct slice slice);
uint64_t hash64_seeded(struct slice slice, uint64_t seed);
void hash128_seeded(struct slice slice, uint64_t seed, uint8_t out[16]);

/* Lower-case hexadecimal; out is not terminated and holds 2 * count chars. */
void hex_write(const uint8_t *bytes, size_t count, char *out);
/* False unless text is exactly 2 * count hexadecimal digits. */
bool hex_read(struct slice text, uint8_t *out, size_t count);

#endif
