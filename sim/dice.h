/* SPDX-License-Identifier: Apache-2.0 */
/* dice.h -- the simulation's chance: one seed, one sequence. */
#ifndef TAKT_SIM_DICE_H
#define TAKT_SIM_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* splitmix64. */
static inline uint64_t dice_next(struct dice *dice) {
    uint64_t value = dice->state + 0x9E3779B97F4A7C15u;
    dice->state = value;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}
static inline uint32_t dice_below(struct dice *dice, uint32_t end) { /* 0 to end - 1 */
    return (uint32_t)(dice_next(dice) % end);
}
static inline bool dice_one_in(struct dice *dice, uint32_t count) { /* 0: never */
    return count != 0 && dice_below(dice, count) == 0;
}

#endif
