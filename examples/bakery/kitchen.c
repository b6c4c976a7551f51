/* SPDX-License-Identifier: Apache-2.0 */
/* A baker with two ovens: takes an item, bakes it for as long as its kind needs, hands it on.
 *
 *   in:  {"what", "count", "price"}
 *   out: {"what", "count", "baker": process id, "baked_ms"}
 *
 * takt gives a baker at most two items at once (`concurrency: 2`); they are done in the order in
 * which they are baked, not in the order in which they came.
 */
#include "sick.h"
#include "stream.h"

#include <poll.h>
#include <stdbool.h>
#include <time.h>

#define OVENS 2

static const struct {
    const char *what;
    int bake_ms;
} recipes[] = {{"bread", 12}, {"sweet bread", 18}, {"pizza", 30}};

struct oven {
    cJSON *message; /* NULL: the oven is cold */
    double done_ms;
    int bake_ms;
};

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int bake_ms_of(const char *what) {
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        if (strcmp(recipes[i].what, what) == 0) return recipes[i].bake_ms;
    }
    return -1;
}

static void put_in(struct oven *ovens, cJSON *message) {
    sick_perhaps("baker");
    int bake_ms = bake_ms_of(text_of(cJSON_GetObjectItem(message, "body"), "what"));
    struct oven *oven = ovens;
    while (oven < ovens + OVENS && oven->message != NULL) oven++;
    if (bake_ms < 0 || oven == ovens + OVENS) {
        stream_answer(message, "error",
                      cJSON_CreateString(bake_ms < 0 ? "there is no recipe for this"
                                                     : "both ovens are full"));
        return;
    }
    *oven = (struct oven){.message = message, .done_ms = now_ms() + bake_ms, .bake_ms = bake_ms};
}

static void take_out(struct oven *oven) {
    cJSON *message = oven->message;
    cJSON *item = cJSON_DetachItemFromObject(message, "body");
    cJSON_DeleteItemFromObject(item, "price");
    cJSON_AddNumberToObject(item, "baker", getpid());
    cJSON_AddNumberToObject(item, "baked_ms", oven->bake_ms);
    stream_answer(message, "output", item);
    oven->message = NULL;
}

/* Milliseconds until the next item is done; -1: nothing is in the ovens. */
static int wait_ms(const struct oven *ovens) {
    int wait = -1;
    for (int i = 0; i < OVENS; i++) {
        if (ovens[i].message == NULL) continue;
        double left = ovens[i].done_ms - now_ms();
        int ms = left <= 0 ? 0 : (int)left + 1;
        if (wait < 0 || ms < wait) wait = ms;
    }
    return wait;
}

/* Whether more may come. */
static bool look_at_the_door(struct oven ovens[OVENS], bool open) {
    struct pollfd door = {.fd = open ? STDIN_FILENO : -1, .events = POLLIN};
    if (poll(&door, 1, wait_ms(ovens)) <= 0) return open;
    cJSON *message = stream_next();
    if (message == NULL) return false;
    put_in(ovens, message);
    return true;
}

int main(void) {
    struct oven ovens[OVENS] = {0};
    setvbuf(stdin, NULL, _IONBF, 0); /* poll must see what has not been read yet */
    bool open = true;
    while (open || wait_ms(ovens) >= 0) {
        open = look_at_the_door(ovens, open);
        for (int i = 0; i < OVENS; i++) {
            if (ovens[i].message != NULL && ovens[i].done_ms <= now_ms()) take_out(&ovens[i]);
        }
    }
    return 0;
}
