/* SPDX-License-Identifier: Apache-2.0 */
/* broker_home.h -- the list of all things in the order of their homes, and making and ending them.
 */
#ifndef TAKT_BROKER_BROKER_HOME_H
#define TAKT_BROKER_BROKER_HOME_H

#include "broker/broker_state.h"

/* Takes the slot (zeroed) and sets number and home; a kind with a home goes to the list's end.
 *
 * NULL only during replay, and broker->replay_result then says why: no memory, or the record is
 * broken (the slot is beyond the maximum or taken by another number). */
void *thing_make(struct broker *broker, enum thing_kind kind, struct broker_ref ref, uint64_t home);
/* The root's counter is above this number from now on. thing_make does it; a record that gives a
 * new number to a thing that may be missing during replay does it whether it is there or not. */
void root_count(struct broker *broker, enum thing_kind kind, uint64_t number);
/* Out of the list, slot free. Its own parts must be gone. */
void thing_free(struct broker *broker, enum thing_kind kind, uint32_t slot);
/* It was written again at `home`: to the end of the list. */
void thing_rehome(struct broker *broker, enum thing_kind kind, uint32_t slot, uint64_t home);

/* The deadline heap. when_ms INT64_MAX: none. The heap has room for every queue, job and split:
 * timers_reserve is part of making one of these. */
void timer_set(struct broker *broker, enum thing_kind kind, uint32_t slot, int64_t when_ms);
int64_t timer_when_ms(const struct broker *broker, uint32_t handle);
TAKT_MUST_USE bool timers_reserve(struct broker *broker, uint32_t more_count);
/* The order of broker->deadlines, for heap_walk. context: the broker. */
extern const struct heap_order timer_order;

/* Events: a thing with a struct event_link (queue, line, job). Nothing happens during replay. */
void event_add(struct broker *broker, enum thing_kind kind, uint32_t slot);
void event_remove(struct broker *broker, enum thing_kind kind, uint32_t slot); /* harmless */

#endif
