/* SPDX-License-Identifier: Apache-2.0 */
/* sick.h -- people fall sick. BAKERY_SICK="die=3,hang=1" makes a worker die at three messages of a
 * hundred and hang at one. Not set: nobody is ever sick.
 */
#ifndef BAKERY_SICK_H
#define BAKERY_SICK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static inline int sick_percent(const char *what) {
    const char *sickness = getenv("BAKERY_SICK");
    const char *place = sickness == NULL ? NULL : strstr(sickness, what);
    if (place == NULL || place[strlen(what)] != '=') return 0;
    return (int)strtol(place + strlen(what) + 1, NULL, 10);
}

static inline void sick_perhaps(const char *who) {
    unsigned char chance = 255;
    if (getrandom(&chance, 1, 0) != 1) return;
    int percent = chance * 100 / 256;
    if (percent < sick_percent("die")) {
        fprintf(stderr, "the %s falls down\n", who);
        abort();
    }
    if (percent < sick_percent("die") + sick_percent("hang")) {
        fprintf(stderr, "the %s stares into the air\n", who);
        for (;;) pause();
    }
}

#endif
