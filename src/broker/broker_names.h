/* SPDX-License-Identifier: Apache-2.0 */
/* broker_names.h -- the names of queues in byte order: a treap whose nodes are the queues. A node's
 * priority is a hash of its name, so the tree's shape follows from the names in it. */
#ifndef TAKT_BROKER_BROKER_NAMES_H
#define TAKT_BROKER_BROKER_NAMES_H

#include "broker/broker_state.h"

void names_insert(struct broker *broker, uint32_t queue); /* the name is not in it */
void names_remove(struct broker *broker, uint32_t queue);
/* The first name that is at or above (or_equal), or above `name`; BROKER_NONE. O(log n). */
uint32_t names_next(const struct broker *broker, struct slice name, bool or_equal);
/* CHECKs order, priorities and links of this node. */
void names_check(const struct broker *broker, uint32_t queue);

#endif
