/* SPDX-License-Identifier: Apache-2.0 */
/* choices.h -- an input read as a row of small decisions. Behind its end all of them are 0. */
#ifndef TAKT_FUZZ_WITH_CHOICES_H
#define TAKT_FUZZ_WITH_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct choices {
    const uint8_t *bytes;
    size_t count;
};

static inline bool choices_are_over(const struct choices *choices) {
    return choices->count == 0;
}

static inline uint8_t choose(struct choices *choices) {
    if (choices->count == 0) return 0;
    choices->count--;
    return *choices->bytes++;
}

/* 0 to end - 1; end at most 256. */
static inline uint32_t choose_below(struct choices *choices, uint32_t end) {
    return choose(choices) % end;
}

static inline uint64_t choose_number(struct choices *choices, uint32_t bytes_count) {
    uint64_t number = 0;
    for (uint32_t i = 0; i < bytes_count; i++) number = number << 8 | choose(choices);
    return number;
}

#endif
