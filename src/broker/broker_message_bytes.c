/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_state.h"

uint64_t broker_message_bytes(const struct broker *broker, struct broker_ref message) {
    const struct message *found = thing_find(broker, THING_MESSAGE, message);
    if (found == NULL) return 0;
    return found->is_kit ? UINT64_MAX : found->body_count;
}
