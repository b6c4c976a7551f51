/* SPDX-License-Identifier: Apache-2.0 */
/* glimpse.h -- what the model looks up in the broker's inside, as plain values: only glimpse.c knows how
 * things stand in its tables.
 */
#ifndef TAKT_SIM_GLIMPSE_H
#define TAKT_SIM_GLIMPSE_H

#include "broker/broker.h"

enum glimpse_place {
    GLIMPSE_VISIBLE,
    GLIMPSE_DELAYED,
    GLIMPSE_IN_FLIGHT,
    GLIMPSE_LEASED,
    GLIMPSE_PART
};

struct glimpse_message { /* of a line */
    uint64_t number;
    enum glimpse_place place;
    uint32_t station; /* a part's: the join */
    bool is_dead;     /* in the station's dead letters */
    bool is_kit;
    bool is_suspect;
    uint64_t job;
    uint64_t path_split; /* numbers; 0: none */
    uint32_t index;
    uint64_t counting_split;
    uint64_t kit_split;
    uint64_t session; /* GLIMPSE_LEASED */
    uint32_t hops;
    uint32_t attempts;
    int64_t deadline_ms;
    int64_t sent_ms;
};
/* False: the slot is free, or holds a message of a plain queue. */
bool glimpse_message(const struct broker *broker, uint32_t slot, struct glimpse_message *out);

struct glimpse_split {
    bool is_closed;
    bool is_lost;
};
bool glimpse_split(const struct broker *broker, struct broker_ref split, struct glimpse_split *out);
bool glimpse_roll(const struct broker *broker, struct broker_ref roll);

enum glimpse_kind { GLIMPSE_MESSAGES, GLIMPSE_SPLITS, GLIMPSE_ROLLS };
/* What has a number of at least `first`, in the order of the numbers; messages of lines only. Gives
 * how many, at most `max`. */
uint32_t glimpse_fresh(const struct broker *broker, enum glimpse_kind kind, uint64_t first,
                       struct broker_ref *out, uint32_t max);
/* The number that the next thing gets. */
uint64_t glimpse_next_number(const struct broker *broker);
uint32_t glimpse_count(const struct broker *broker, enum glimpse_kind kind);

#endif
