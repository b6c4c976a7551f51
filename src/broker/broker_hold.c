/* SPDX-License-Identifier: Apache-2.0 */
/* broker_hold.c -- a start long after the newest record may be a wrong clock: before that can cost a
 * message, there is an hour to notice. Deadlines that were on their way go on.
 */
#include "broker/broker_queue.h"

size_t bytes_hold_retention(const struct command *command) {
    CHECK(command != NULL);
    return sizeof(int64_t);
}

void decide_hold_retention(struct deciding *deciding) {
    struct buffer *record = record_begin(deciding, RECORD_NOTHING);
    encode_i64(record, deciding->now_ms + BROKER_HOLD_MS);
}

void broker_hold(struct broker *broker, int64_t until_ms) {
    struct root *root = pool_find(&broker->pools[THING_ROOT], 0);
    if (root == NULL) return; /* replay: it was written again further on, with this */
    root->hold_until_ms = until_ms;
    const struct pool *queues = &broker->pools[THING_QUEUE];
    for (uint32_t slot = pool_next_taken(queues, 0); slot != BROKER_NONE;
         slot = pool_next_taken(queues, slot + 1)) {
        queue_update_deadline(broker, slot);
    }
}
