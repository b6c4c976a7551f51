/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h -- what a fuzz target is: a file fuzz/X.c that has this one function.
 *
 * It takes any bytes. It returns when takt did with them what it promises, and ends the process
 * otherwise: by an EXPECT (test/test.h), a CHECK or a sanitizer's report. The same bytes do the
 * same every time. Two programs come of it: build/.fuzz/fuzz/X, which libFuzzer drives, and a unit
 * test that runs the committed corpus, fuzz/corpus/X, once.
 */
#ifndef TAKT_FUZZ_FUZZ_H
#define TAKT_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#endif
