/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan.h -- the inner loop of everything that walks along a JSON string; for base/json*.c. */
#ifndef TAKT_BASE_JSON_SCAN_H
#define TAKT_BASE_JSON_SCAN_H

#include <stdint.h>
#include <string.h>

/* The first byte that does not stand for itself in a string: a quote, a backslash, a control
 * byte, or a part of a character outside ASCII. `end` if there is none.
 *
 * Eight bytes at a time: subtracting makes a byte's top bit appear if the byte was below 0x20, or
 * equal to the quote or the backslash. A borrow may set the bit of a byte too much, but only
 * behind one that is truly special, and then the eight are looked at one by one. */
static inline const unsigned char *json_plain_end(const unsigned char *at,
                                                  const unsigned char *end) {
    const uint64_t ones = 0x0101010101010101u;
    uint64_t eight;
    for (; (size_t)(end - at) >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, at, sizeof eight);
        uint64_t below = eight - ones * 0x20;
        uint64_t quote = (eight ^ ones * '"') - ones;
        uint64_t backslash = (eight ^ ones * '\\') - ones;
        if (((eight | below | quote | backslash) & ones * 0x80) != 0) break;
    }
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

#endif
