/* SPDX-License-Identifier: Apache-2.0 */
#include "glimpse.h"

#include "broker/broker_message.h"
#include "broker/lines_member.h"

static uint64_t number_of(const struct broker *broker, enum thing_kind kind, uint32_t slot) {
    if (slot == BROKER_NONE) return 0;
    const struct thing *thing = pool_at(&broker->pools[kind], slot);
    return thing->number;
}

static enum glimpse_place place_of(const struct message *message) {
    switch (message->place) {
    case PLACE_VISIBLE: return GLIMPSE_VISIBLE;
    case PLACE_DELAYED: return GLIMPSE_DELAYED;
    case PLACE_IN_FLIGHT: return GLIMPSE_IN_FLIGHT;
    case PLACE_LEASED: return GLIMPSE_LEASED;
    default: return GLIMPSE_PART;
    }
}

/* The queue of the station where it is. */
static const struct queue *queue_of(const struct broker *broker, const struct message *message,
                                    const struct piece *piece) {
    if (message->place == PLACE_PART) {
        return queue_at(broker, split_at(broker, piece->counting_split)->join);
    }
    if (message->place == PLACE_LEASED) {
        return queue_at(broker, session_at(broker, piece->session)->queue);
    }
    return message_queue(broker, message);
}

bool glimpse_message(const struct broker *broker, uint32_t slot, struct glimpse_message *out) {
    const struct message *message = pool_find(&broker->pools[THING_MESSAGE], slot);
    if (message == NULL || message_aside(broker, message, THING_PIECE) == BROKER_NONE) return false;
    const struct piece *piece = message_piece(broker, message);
    const struct queue *queue = queue_of(broker, message, piece);
    if (queue == NULL) return false; /* a purged one's: it is only to be swept */
    *out = (struct glimpse_message){
        .number = message->thing.number,
        .place = place_of(message),
        .station = queue->station,
        .is_dead = piece->is_dead,
        .is_kit = message->is_kit,
        .is_suspect = piece->is_suspect,
        .job = number_of(broker, THING_JOB, piece->job),
        .path_split = number_of(broker, THING_SPLIT, piece->path_split),
        .index = piece->index,
        .counting_split = number_of(broker, THING_SPLIT, piece->counting_split),
        .kit_split = number_of(broker, THING_SPLIT, piece->kit_split),
        .hops = piece->hops,
        .attempts = piece->attempts,
        .deadline_ms = message_deadline_ms(broker, message),
        .sent_ms = (int64_t)message->sent_ms,
    };
    if (message->place == PLACE_LEASED) {
        out->session = number_of(broker, THING_SESSION, piece->session);
    }
    return true;
}

bool glimpse_split(const struct broker *broker, struct broker_ref ref, struct glimpse_split *out) {
    const struct split *split = thing_find(broker, THING_SPLIT, ref);
    if (split == NULL) return false;
    *out = (struct glimpse_split){split->is_closed, split->is_lost};
    return true;
}

bool glimpse_roll(const struct broker *broker, struct broker_ref ref) {
    return thing_find(broker, THING_ROLL, ref) != NULL;
}

static enum thing_kind thing_kind(enum glimpse_kind kind) {
    switch (kind) {
    case GLIMPSE_MESSAGES: return THING_MESSAGE;
    case GLIMPSE_SPLITS: return THING_SPLIT;
    default: return THING_ROLL;
    }
}

static void insert(struct broker_ref *list, uint32_t count, struct broker_ref ref) {
    for (; count > 0 && list[count - 1].number > ref.number; count--) list[count] = list[count - 1];
    list[count] = ref;
}

uint32_t glimpse_fresh(const struct broker *broker, enum glimpse_kind kind, uint64_t first,
                       struct broker_ref *out, uint32_t max) {
    if (glimpse_next_number(broker) <= first) return 0;
    const struct pool *pool = &broker->pools[thing_kind(kind)];
    uint32_t count = 0;
    for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE && count < max;
         slot = pool_next_taken(pool, slot + 1)) {
        uint64_t number = number_of(broker, thing_kind(kind), slot);
        struct glimpse_message message;
        if (number < first) continue;
        if (kind == GLIMPSE_MESSAGES && !glimpse_message(broker, slot, &message)) continue;
        insert(out, count++, (struct broker_ref){number, slot});
    }
    return count;
}

uint64_t glimpse_next_number(const struct broker *broker) {
    const struct root *root = pool_find(&broker->pools[THING_ROOT], 0);
    return root == NULL ? 0 : root->next_number;
}

uint32_t glimpse_count(const struct broker *broker, enum glimpse_kind kind) {
    const struct pool *pool = &broker->pools[thing_kind(kind)];
    if (kind != GLIMPSE_MESSAGES) return pool->count;
    uint32_t count = 0;
    for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
         slot = pool_next_taken(pool, slot + 1)) {
        struct glimpse_message message;
        count += glimpse_message(broker, slot, &message);
    }
    return count;
}
