/* SPDX-License-Identifier: Apache-2.0 */
/* broker_digest.c -- what two states with the same meaning have in common, and what must hold in
 * each. */
#include "base/hash.h"
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

/* The sum so far goes in front of the next bytes. */
static void fold(struct digest *digest) {
    char bytes[sizeof digest->sum + sizeof digest->bytes];
    memcpy(bytes, digest->sum, sizeof digest->sum);
    memcpy(bytes + sizeof digest->sum, digest->bytes, digest->count);
    hash128_seeded(slice_from(bytes, sizeof digest->sum + digest->count), 0, digest->sum);
    digest->count = 0;
}

void digest_u64(struct digest *digest, uint64_t value) {
    if (digest->count + sizeof value > sizeof digest->bytes) fold(digest);
    encode_u64_at(digest->bytes + digest->count, value);
    digest->count += sizeof value;
}

void digest_slice(struct digest *digest, struct slice slice) {
    digest_u64(digest, slice.count);
    digest_u64(digest, hash64(slice));
}

void digest_body_ref(struct digest *digest, struct body_ref ref) {
    digest_u64(digest, ref.position);
    digest_u64(digest, ref.checksum32);
    digest_u64(digest, ref.count);
}

void broker_digest(const struct broker *broker, uint8_t out[16]) {
    struct digest digest = {.count = 0};
    digest_u64(&digest, broker->last_lsn);
    digest_u64(&digest, (uint64_t)broker->last_ms);
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        const struct pool *pool = &broker->pools[kind];
        if (!thing_rows[kind].has_home) continue; /* a part of its owner's */
        digest_u64(&digest, (uint64_t)kind);
        for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
             slot = pool_next_taken(pool, slot + 1)) {
            digest_u64(&digest, slot);
            thing_rows[kind].digest(broker, slot, &digest);
        }
    }
    /* The order of homes among things of one record: what is carried next. */
    for (uint32_t handle = broker->home_first; handle != 0;
         handle = thing_at(broker, handle)->home_next) {
        digest_u64(&digest, handle);
    }
    fold(&digest);
    memcpy(out, digest.sum, sizeof digest.sum);
}

static void check_homes(const struct broker *broker) {
    uint64_t count = 0;
    uint32_t previous = 0;
    uint64_t home = 0;
    for (uint32_t handle = broker->home_first; handle != 0; count++) {
        const struct thing *thing = thing_at(broker, handle);
        CHECK(thing->home_previous == previous && thing->home >= home);
        CHECK(thing->home <= broker->last_lsn && thing->number != 0);
        home = thing->home;
        previous = handle;
        handle = thing->home_next;
    }
    CHECK(previous == broker->home_last);
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        if (thing_rows[kind].has_home) count -= broker->pools[kind].count;
    }
    CHECK(count == 0);
}

/* Every message that says so is in its store: the heaps were checked the other way round. */
static void check_members(const struct broker *broker) {
    uint64_t placed = 0;
    uint64_t leased = 0;
    uint64_t visible = 0;
    uint64_t timings = 0;
    uint64_t bodies = 0;
    const struct pool *messages = &broker->pools[THING_MESSAGE];
    for (uint32_t slot = pool_next_taken(messages, 0); slot != BROKER_NONE;
         slot = pool_next_taken(messages, slot + 1)) {
        const struct message *message = message_at(broker, slot);
        leased += message->place == PLACE_LEASED;
        placed += message->place != PLACE_LEASED && message->place != PLACE_PART;
        visible += message->place == PLACE_VISIBLE;
        timings += message_aside(broker, message, THING_TIMING) != BROKER_NONE;
        bodies += message->body_count;
    }
    uint64_t graved = 0;
    uint64_t blocks = 0;
    const struct pool *stores = &broker->pools[THING_STORE];
    for (uint32_t slot = pool_next_taken(stores, 0); slot != BROKER_NONE;
         slot = pool_next_taken(stores, slot + 1)) {
        const struct store *store = store_at(broker, slot);
        CHECK(store->leased_count <= leased && store_count(store) <= placed);
        leased -= store->leased_count;
        placed -= store_count(store);
        CHECK(store->visible.count <= visible);
        visible -= store->visible.count;
        blocks += shelf_check(&store->visible, message_number, broker);
        if (store_is_grave(store)) graved += store_count(store);
    }
    CHECK(placed == 0 && leased == 0 && visible == 0);
    CHECK(timings == broker->pools[THING_TIMING].count);
    CHECK(blocks == broker->shelf_stock.used_count);
    CHECK(broker->body_bytes >= bodies);
    CHECK(broker->graved_count == graved);
}

void broker_check(const struct broker *broker) {
    CHECK(!broker->is_replaying && broker->replay_result == 0 && broker->shells_count == 0);
    for (int kind = THING_NONE + 1; kind < THING_KINDS_COUNT; kind++) {
        const struct pool *pool = &broker->pools[kind];
        for (uint32_t slot = pool_next_taken(pool, 0); slot != BROKER_NONE;
             slot = pool_next_taken(pool, slot + 1)) {
            thing_rows[kind].check(broker, slot);
        }
    }
    check_homes(broker);
    check_members(broker);
    heap_check(&broker->deadlines, &timer_order, broker);
    CHECK(map_count(broker->queues_by_name) == broker->pools[THING_QUEUE].count);
    CHECK(map_count(broker->queues_by_id) == broker->pools[THING_QUEUE].count);
    lines_check(broker);
}
