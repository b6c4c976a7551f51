/* SPDX-License-Identifier: Apache-2.0 */
/* shard_hold.c -- what waits until the newest record it rests on is durable.
 *
 * One list, in the order of the calls; each entry carries the LSN that was the newest applied when
 * it was held, so LSNs never fall along the list and releasing is taking from its front. A read that
 * rests on nothing outstanding goes through the list too, and out in the loop's next turn: answers
 * keep their order, and none runs inside the call that asked.
 *
 * A struct broker_answer is above 1 KiB, and thousands may be held: a copy has one of three sizes.
 * When memory is out, a refusal still finds room in a reserve made at the start.
 */
#include "shard/shard_inside.h"

#include <errno.h>

#define PAYLOAD_START offsetof(struct broker_answer, send)
#define MEMBER_BYTES(member) sizeof(((struct broker_answer *)NULL)->member)
#define PAYLOAD_BYTES_SMALL 48u /* of all kinds but those with arrays */
_Static_assert(PAYLOAD_START == offsetof(struct broker_answer, receive), "one union");
_Static_assert(MEMBER_BYTES(step) <= PAYLOAD_BYTES_SMALL, "fits");
_Static_assert(MEMBER_BYTES(line_put) <= PAYLOAD_BYTES_SMALL, "fits");
_Static_assert(MEMBER_BYTES(job_start) <= PAYLOAD_BYTES_SMALL, "fits");
_Static_assert(MEMBER_BYTES(session) <= PAYLOAD_BYTES_SMALL, "fits");
_Static_assert(MEMBER_BYTES(lease) <= PAYLOAD_BYTES_SMALL, "fits");
_Static_assert(MEMBER_BYTES(queue) <= PAYLOAD_BYTES_SMALL, "fits");

static const size_t class_bytes[SHARD_HELD_CLASSES] = {64, 448, sizeof(struct broker_answer)};
_Static_assert(PAYLOAD_BYTES_SMALL <= 64, "a refusal fits the smallest class");
_Static_assert(MEMBER_BYTES(send) <= 448, "a batch's answer fits the middle class");

static struct held_answer *pool_take(struct held_pool *pool) {
    struct list_link *link = list_first(&pool->free);
    if (link == NULL) return NULL;
    list_remove(link);
    pool->free_count--;
    return CONTAINER_OF(link, struct held_answer, held.link);
}

static void pool_put(struct held_pool *pool, struct held_answer *held) {
    list_prepend(&pool->free, &held->held.link);
    pool->free_count++;
}

static struct held_answer *take_block(struct shard *shard, uint32_t size_class) {
    struct held_answer *held = pool_take(&shard->pools[size_class]);
    if (held == NULL) {
        held = allocator_take(shard_allocator(shard), sizeof *held + class_bytes[size_class]);
        if (held == NULL) return NULL;
        list_init(&held->held.link);
        held->size_class = (uint8_t)size_class;
    }
    held->leases = NULL;
    held->payload_bytes = held->detail_bytes = 0;
    return held;
}

/* The reserve has one for each command that comes between two turns when memory is out; a server
 * that gets more than that cannot say no any more, and stops. */
static struct held_answer *take_small(struct shard *shard) {
    struct held_answer *held = take_block(shard, 0);
    if (held == NULL) held = pool_take(&shard->reserve);
    CHECK(held != NULL);
    held->leases = NULL;
    held->payload_bytes = held->detail_bytes = 0;
    return held;
}

void shard_answer_give_back(struct shard *shard, struct held_answer *held) {
    allocator_give_back(shard_allocator(shard), held->leases);
    held->leases = NULL;
    struct held_pool *pool = held->is_reserve ? &shard->reserve : &shard->pools[held->size_class];
    if (held->is_reserve || pool->free_count < SHARD_HELD_SPARE_MAX) {
        pool_put(pool, held);
        return;
    }
    allocator_give_back(shard_allocator(shard), held);
}

static void end_answer(struct shard *shard, struct held *base, enum held_end end) {
    struct held_answer *held = CONTAINER_OF(base, struct held_answer, held);
    if (end == HELD_DURABLE) shard_answer_read(held, &shard->answer);
    if (end == HELD_FAILED) {
        shard->answer = (struct broker_answer){.result = BROKER_UNAVAILABLE};
    }
    if (end != HELD_DROPPED) held->done.answer(held->context, &shard->answer);
    shard_answer_give_back(shard, held);
}

static size_t payload_bytes(enum command_kind kind, const struct broker_answer *answer) {
    switch (kind) {
    case COMMAND_SEND:
    case COMMAND_DELETE:
    case COMMAND_VISIBILITY:
    case COMMAND_GIVE_BACK: return MEMBER_BYTES(send);
    case COMMAND_RECEIVE:
        CHECK(answer->receive.count <= BROKER_BATCH_MAX);
        return offsetof(struct broker_answer, receive.messages) - PAYLOAD_START +
               answer->receive.count * sizeof answer->receive.messages[0];
    default: return PAYLOAD_BYTES_SMALL;
    }
}

static bool copy_leases(struct shard *shard, const struct broker_answer *answer,
                        struct held_answer *held) {
    uint32_t count = answer->lease.count;
    if (count == 0) return true;
    held->leases =
        allocator_resize_array(shard_allocator(shard), NULL, count, sizeof held->leases[0]);
    if (held->leases == NULL) return false;
    memcpy(held->leases, answer->lease.leases, count * sizeof held->leases[0]);
    return true;
}

struct held_answer *shard_answer_take(struct shard *shard, enum command_kind kind,
                                      const struct broker_answer *answer, shard_answer_fn *done,
                                      void *context) {
    size_t payload = payload_bytes(kind, answer);
    size_t detail = strnlen(answer->detail, sizeof answer->detail - 1);
    uint32_t size_class = 0;
    while (class_bytes[size_class] < payload + detail) size_class++;
    struct held_answer *held = take_block(shard, size_class);
    if (held == NULL) return NULL;
    held->held.end = end_answer;
    held->done.answer = done;
    held->context = context;
    held->result = answer->result;
    held->payload_bytes = (uint16_t)payload;
    held->detail_bytes = (uint16_t)detail;
    memcpy(held->bytes, (const char *)answer + PAYLOAD_START, payload);
    memcpy(held->bytes + payload, answer->detail, detail);
    if (kind == COMMAND_LEASE && !copy_leases(shard, answer, held)) {
        shard_answer_give_back(shard, held);
        return NULL;
    }
    return held;
}

struct held_answer *shard_refusal_take(struct shard *shard, enum broker_result result,
                                       shard_answer_fn *done, void *context) {
    struct held_answer *held = take_small(shard);
    held->held.end = end_answer;
    held->done.answer = done;
    held->context = context;
    held->result = result;
    held->payload_bytes = PAYLOAD_BYTES_SMALL; /* a count of zero, whatever was asked */
    memset(held->bytes, 0, PAYLOAD_BYTES_SMALL);
    return held;
}

/* What lies beyond the copied part is left as it is: no count leads there. */
void shard_answer_read(const struct held_answer *held, struct broker_answer *out) {
    out->result = held->result;
    memcpy((char *)out + PAYLOAD_START, held->bytes, held->payload_bytes);
    memcpy(out->detail, held->bytes + held->payload_bytes, held->detail_bytes);
    out->detail[held->detail_bytes] = '\0';
    if (held->leases != NULL) out->lease.leases = held->leases;
}

static bool is_ready(const struct shard *shard, const struct held *held) {
    return shard->is_failed || held->lsn <= shard->lsn_durable;
}

void shard_hold(struct shard *shard, struct held *held) {
    held->lsn = shard->lsn_applied;
    list_append(&shard->held, &held->link);
    if (is_ready(shard, held)) shard_turn_soon(shard);
}

static void end_all(struct shard *shard, enum held_end end) {
    shard->is_releasing = true;
    struct list_link *link;
    while ((link = list_first(&shard->releasing)) != NULL) {
        list_remove(link);
        struct held *held = CONTAINER_OF(link, struct held, link);
        held->end(shard, held, end);
    }
    shard->is_releasing = false;
}

/* What is ready is set apart first: a callback that asks again, for ever, must not keep the loop. */
void shard_release(struct shard *shard) {
    CHECK(!shard->is_releasing);
    struct list_link *link;
    while ((link = list_first(&shard->held)) != NULL) {
        if (!is_ready(shard, CONTAINER_OF(link, struct held, link))) break;
        list_remove(link);
        list_append(&shard->releasing, link);
    }
    end_all(shard, shard->is_failed ? HELD_FAILED : HELD_DURABLE);
}

static void end_durable(struct shard *shard, struct held *base, enum held_end end) {
    struct held_answer *held = CONTAINER_OF(base, struct held_answer, held);
    if (end != HELD_DROPPED) held->done.durable(held->context, end == HELD_FAILED);
    shard_answer_give_back(shard, held);
}

void shard_when_durable(struct shard *shard, shard_durable_fn *fn, void *context) {
    struct held_answer *held = take_small(shard);
    held->held.end = end_durable;
    held->done.durable = fn;
    held->context = context;
    shard_hold(shard, &held->held);
}

int shard_hold_open(struct shard *shard) {
    list_init(&shard->held);
    list_init(&shard->releasing);
    list_init(&shard->reserve.free);
    for (uint32_t i = 0; i < SHARD_HELD_CLASSES; i++) list_init(&shard->pools[i].free);
    size_t step = sizeof(struct held_answer) + class_bytes[0];
    shard->reserve_memory = allocator_take(shard_allocator(shard), SHARD_HELD_RESERVE * step);
    if (shard->reserve_memory == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < SHARD_HELD_RESERVE; i++) {
        void *memory = (char *)shard->reserve_memory + i * step;
        struct held_answer *held = memory;
        held->is_reserve = true;
        pool_put(&shard->reserve, held);
    }
    return 0;
}

void shard_hold_drop(struct shard *shard) {
    struct list_link *link;
    while ((link = list_first(&shard->held)) != NULL) {
        list_remove(link);
        list_append(&shard->releasing, link);
    }
    end_all(shard, HELD_DROPPED);
}

void shard_hold_close(struct shard *shard) {
    for (uint32_t i = 0; i < SHARD_HELD_CLASSES; i++) {
        struct held_answer *held;
        while ((held = pool_take(&shard->pools[i])) != NULL) {
            allocator_give_back(shard_allocator(shard), held);
        }
    }
    allocator_give_back(shard_allocator(shard), shard->reserve_memory);
}
