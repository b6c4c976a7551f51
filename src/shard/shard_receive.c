/* SPDX-License-Identifier: Apache-2.0 */
/* shard_receive.c -- receive, and the long poll.
 *
 *             shard_receive
 *                   | decide
 *      empty        v        messages, or a refusal
 *   PARKED <---------------> HELD ---------------> done runs, gone
 *     |  ^ event of its queue   | its LSN is durable
 *     |  | time is over         |
 *     |  | queue is gone        | cancel
 *     | cancel                  v
 *     v                      GIVING BACK: messages return uncounted; gone when that is
 *   gone                     recorded and its answer has come by
 *
 * A parked receiver costs its struct, and a pointer in a heap by deadline; nobody looks at it until
 * something happens. Receivers of one queue wait in a list and are served from its front.
 */
#include "shard/shard_inside.h"

#include <errno.h>

#define NS_PER_MS 1000000ll
#define EXPIRE_MAX 256u /* receivers whose time is over, answered in one turn */
#define HEAP_CAPACITY_FIRST 64u

enum outcome {
    OUTCOME_HELD,  /* its answer waits to be released */
    OUTCOME_EMPTY, /* nothing there: it may wait */
    OUTCOME_LATER, /* the next commit may change it: limit of messages in flight, busy journal */
};

/* ---- the heap of deadlines ------------------------------------------------------------------ */

static void heap_place(struct shard *shard, uint32_t index, struct shard_receive *receive) {
    shard->heap[index] = receive;
    receive->heap_index = index;
}

static void heap_up(struct shard *shard, uint32_t index, struct shard_receive *receive) {
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (shard->heap[parent]->deadline_ns <= receive->deadline_ns) break;
        heap_place(shard, index, shard->heap[parent]);
        index = parent;
    }
    heap_place(shard, index, receive);
}

static void heap_down(struct shard *shard, uint32_t index, struct shard_receive *receive) {
    for (;;) {
        uint32_t child = index * 2 + 1;
        if (child >= shard->heap_count) break;
        if (child + 1 < shard->heap_count &&
            shard->heap[child + 1]->deadline_ns < shard->heap[child]->deadline_ns) {
            child++;
        }
        if (receive->deadline_ns <= shard->heap[child]->deadline_ns) break;
        heap_place(shard, index, shard->heap[child]);
        index = child;
    }
    heap_place(shard, index, receive);
}

static int heap_add(struct shard *shard, struct shard_receive *receive) {
    if (shard->heap_count == shard->heap_capacity) {
        uint32_t capacity = shard->heap_capacity * 2;
        if (capacity == 0) capacity = HEAP_CAPACITY_FIRST;
        struct shard_receive **heap =
            allocator_resize_array(shard_allocator(shard), shard->heap, capacity, sizeof(void *));
        if (heap == NULL) return -ENOMEM;
        shard->heap = heap;
        shard->heap_capacity = capacity;
    }
    shard->heap_count++;
    heap_up(shard, shard->heap_count - 1, receive);
    return 0;
}

static void heap_remove(struct shard *shard, struct shard_receive *receive) {
    uint32_t index = receive->heap_index;
    CHECK(index < shard->heap_count && shard->heap[index] == receive);
    shard->heap_count--;
    struct shard_receive *last = shard->heap[shard->heap_count];
    if (last == receive) return;
    if (index > 0 && last->deadline_ns < shard->heap[(index - 1) / 2]->deadline_ns) {
        heap_up(shard, index, last);
    } else {
        heap_down(shard, index, last);
    }
}

int64_t shard_receive_next_ns(const struct shard *shard) {
    return shard->heap_count == 0 ? SHARD_NEVER : shard->heap[0]->deadline_ns;
}

/* ---- parking -------------------------------------------------------------------------------- */

static struct list_link *bucket_of(struct shard *shard, struct broker_ref queue) {
    return &shard->queue_buckets[queue.number % SHARD_BUCKETS];
}

static struct parked_queue *parked_find(struct shard *shard, struct broker_ref queue) {
    struct list_link *bucket = bucket_of(shard, queue);
    for (struct list_link *link = bucket->next; link != bucket; link = link->next) {
        struct parked_queue *parked = CONTAINER_OF(link, struct parked_queue, bucket);
        if (parked->queue.number == queue.number && parked->queue.slot == queue.slot) return parked;
    }
    return NULL;
}

static struct parked_queue *parked_get(struct shard *shard, struct broker_ref queue) {
    struct parked_queue *parked = parked_find(shard, queue);
    if (parked != NULL) return parked;
    parked = env_alloc(shard->env, sizeof *parked);
    if (parked == NULL) return NULL;
    list_init(&parked->bucket);
    list_init(&parked->waiting);
    list_init(&parked->wake);
    parked->queue = queue;
    list_append(bucket_of(shard, queue), &parked->bucket);
    return parked;
}

static void parked_free_if_empty(struct shard *shard, struct parked_queue *parked) {
    if (!list_is_empty(&parked->waiting)) return;
    list_remove(&parked->bucket);
    list_remove(&parked->wake);
    env_free(shard->env, parked);
}

static int park(struct shard *shard, struct shard_receive *receive, int64_t wait_ms,
                enum outcome outcome) {
    struct parked_queue *parked = parked_get(shard, receive->queue);
    if (parked == NULL) return -ENOMEM;
    receive->deadline_ns = shard_mono_ns(shard) + wait_ms * NS_PER_MS;
    if (heap_add(shard, receive) < 0) {
        parked_free_if_empty(shard, parked);
        return -ENOMEM;
    }
    list_append(&parked->waiting, &receive->link);
    receive->parked = parked;
    if (outcome == OUTCOME_LATER && list_is_empty(&parked->wake)) {
        list_append(&shard->wake_later, &parked->wake);
    }
    if (receive->deadline_ns < shard->timer_ns) shard_arm(shard);
    return 0;
}

/* Its queue's entry stays, also when it was the last one there. */
static void unpark(struct shard *shard, struct shard_receive *receive) {
    list_remove(&receive->link);
    heap_remove(shard, receive);
    receive->parked = NULL;
}

/* ---- deciding ------------------------------------------------------------------------------- */

static void free_receive(struct shard *shard, struct shard_receive *receive) {
    list_remove(&receive->link);
    if (receive->held != NULL) shard_answer_give_back(shard, receive->held);
    env_free(shard->env, receive);
}

static void end_receive(struct shard *shard, struct held *base, enum held_end end) {
    struct held_answer *held = CONTAINER_OF(base, struct held_answer, held);
    struct shard_receive *receive = held->context;
    bool is_giving_back = !list_is_empty(&receive->link);
    if (end == HELD_DURABLE && is_giving_back) {
        receive->is_released = true; /* shard_give_back frees it */
        return;
    }
    if (end == HELD_DROPPED || receive->is_cancelled) {
        free_receive(shard, receive);
        return;
    }
    shard_answer_fn *done = receive->done;
    void *context = receive->context;
    if (end == HELD_DURABLE) {
        shard_answer_read(held, &shard->answer);
    } else {
        shard->answer = (struct broker_answer){.result = BROKER_UNAVAILABLE};
    }
    free_receive(shard, receive); /* the caller's handle ends as `done` begins */
    done(context, &shard->answer);
}

static void hold_answer(struct shard *shard, struct shard_receive *receive) {
    const struct broker_answer *answer = &shard->decision.answer;
    struct held_answer *held =
        shard_answer_take(shard, COMMAND_RECEIVE, answer, receive->done, receive);
    if (held == NULL) {
        broker_decision_clear(&shard->decision); /* the messages stay where they are */
        held = shard_refusal_take(shard, BROKER_NO_MEMORY, receive->done, receive);
    }
    held->held.end = end_receive;
    receive->held = held;
    shard_commit(shard);
    shard_hold(shard, &held->held);
}

static void hold_result(struct shard *shard, struct shard_receive *receive,
                        enum broker_result result) {
    broker_decision_clear(&shard->decision);
    shard->decision.answer = (struct broker_answer){.result = result};
    hold_answer(shard, receive);
}

/* may_wait: nothing there is no answer yet. A long poll that ends empty is answered OK: the limit of
 * messages in flight and a busy journal are said to short polls only. */
static enum outcome try_receive(struct shard *shard, struct shard_receive *receive,
                                struct slice queue, bool may_wait) {
    struct command command = {
        .kind = COMMAND_RECEIVE,
        .receive = {queue, receive->messages_max, receive->visibility_ms},
    };
    for (;;) {
        shard_decide(shard, &command);
        const struct broker_answer *answer = &shard->decision.answer;
        enum broker_result result = answer->result;
        bool is_later = receive->is_long && (result == BROKER_OVER_LIMIT || result == BROKER_BUSY);
        if (!is_later && (result != BROKER_OK || answer->receive.count > 0)) {
            hold_answer(shard, receive);
            return OUTCOME_HELD;
        }
        /* A record without messages: what was in front went to the dead letters. Look again. */
        if (shard_commit(shard)) continue;
        if (may_wait) return is_later ? OUTCOME_LATER : OUTCOME_EMPTY;
        hold_result(shard, receive, BROKER_OK);
        return OUTCOME_HELD;
    }
}

struct shard_receive *shard_receive(struct shard *shard, const struct command_receive *command,
                                    int64_t wait_ms, shard_answer_fn *done, void *context) {
    struct queue_view view = {0};
    if (broker_find_queue(shard->broker, command->queue, &view) && wait_ms < 0) {
        wait_ms = view.settings.wait_ms;
    }
    if (wait_ms > SHARD_WAIT_MS_MAX) wait_ms = SHARD_WAIT_MS_MAX;
    struct shard_receive *receive = env_alloc(shard->env, sizeof *receive);
    if (receive == NULL) return NULL;
    *receive = (struct shard_receive){
        .shard = shard,
        .queue = view.ref,
        .visibility_ms = command->visibility_ms,
        .messages_max = command->messages_max,
        .is_long = wait_ms > 0 && view.ref.number != 0,
        .done = done,
        .context = context,
    };
    list_init(&receive->link);
    enum outcome outcome = try_receive(shard, receive, command->queue, receive->is_long);
    if (outcome != OUTCOME_HELD && park(shard, receive, wait_ms, outcome) < 0) {
        env_free(shard->env, receive);
        receive = NULL;
    }
    shard_drain(shard);
    return receive;
}

/* ---- waking --------------------------------------------------------------------------------- */

static void wake(struct shard *shard, struct parked_queue *parked) {
    list_remove(&parked->wake);
    list_append(&shard->wake, &parked->wake);
}

void shard_wake_queue(struct shard *shard, struct broker_ref queue) {
    struct parked_queue *parked = parked_find(shard, queue);
    if (parked != NULL) wake(shard, parked);
}

void shard_receive_again(struct shard *shard) {
    struct list_link *link;
    while ((link = list_first(&shard->wake_later)) != NULL) {
        wake(shard, CONTAINER_OF(link, struct parked_queue, wake));
    }
}

/* The parked receiver's turn. The queue's name is asked for each time: a record may have moved it. */
static enum outcome serve(struct shard *shard, struct shard_receive *receive, bool may_wait) {
    struct queue_view view;
    if (broker_get_queue(shard->broker, receive->queue, &view)) {
        enum outcome outcome = try_receive(shard, receive, view.name, may_wait);
        if (outcome != OUTCOME_HELD) return outcome;
    } else {
        hold_result(shard, receive, BROKER_QUEUE_NOT_FOUND);
    }
    unpark(shard, receive);
    return OUTCOME_HELD;
}

static void serve_queue(struct shard *shard, struct parked_queue *parked) {
    struct list_link *link;
    while ((link = list_first(&parked->waiting)) != NULL) {
        enum outcome outcome = serve(shard, CONTAINER_OF(link, struct shard_receive, link), true);
        if (outcome == OUTCOME_LATER) list_append(&shard->wake_later, &parked->wake);
        if (outcome != OUTCOME_HELD) break;
    }
    parked_free_if_empty(shard, parked);
}

bool shard_wake_receivers(struct shard *shard) {
    uint64_t lsn_before = shard->lsn_applied;
    struct list_link *link;
    while (!shard->is_busy && (link = list_first(&shard->wake)) != NULL) {
        list_remove(link);
        serve_queue(shard, CONTAINER_OF(link, struct parked_queue, wake));
    }
    return shard->lsn_applied != lsn_before;
}

bool shard_receive_expire(struct shard *shard) {
    for (uint32_t i = 0; i < EXPIRE_MAX; i++) {
        if (shard_receive_next_ns(shard) > shard_mono_ns(shard)) return true;
        struct shard_receive *receive = shard->heap[0];
        struct parked_queue *parked = receive->parked;
        serve(shard, receive, false);
        parked_free_if_empty(shard, parked);
    }
    return shard_receive_next_ns(shard) > shard_mono_ns(shard);
}

void shard_receive_end_all(struct shard *shard) {
    while (shard->heap_count > 0) {
        struct shard_receive *receive = shard->heap[shard->heap_count - 1];
        struct parked_queue *parked = receive->parked;
        unpark(shard, receive);
        parked_free_if_empty(shard, parked);
        hold_result(shard, receive, BROKER_UNAVAILABLE);
    }
}

/* ---- cancelling ----------------------------------------------------------------------------- */

void shard_receive_cancel(struct shard_receive *receive) {
    struct shard *shard = receive->shard;
    CHECK(!receive->is_cancelled);
    receive->is_cancelled = true;
    if (receive->parked != NULL) {
        struct parked_queue *parked = receive->parked;
        unpark(shard, receive);
        parked_free_if_empty(shard, parked);
        free_receive(shard, receive);
        return;
    }
    struct broker_answer answer;
    shard_answer_read(receive->held, &answer);
    if (answer.result != BROKER_OK || answer.receive.count == 0) return;
    list_append(&shard->give_back, &receive->link);
    shard_drain(shard);
}

static enum broker_result give_back_one(struct shard *shard, const struct shard_receive *receive) {
    struct queue_view view;
    if (!broker_get_queue(shard->broker, receive->queue, &view)) return BROKER_NOTHING;
    struct broker_answer answer;
    shard_answer_read(receive->held, &answer);
    struct receipt receipts[BROKER_BATCH_MAX];
    for (uint32_t i = 0; i < answer.receive.count; i++) {
        const struct answer_message *message = &answer.receive.messages[i];
        receipts[i] = (struct receipt){
            .number = message->message.number,
            .slot = message->message.slot,
            .nonce = message->nonce,
            .queue_slot = message->queue_slot,
        };
    }
    struct command command = {
        .kind = COMMAND_GIVE_BACK,
        .handles = {view.name, receipts, NULL, answer.receive.count},
    };
    return shard_do(shard, &command);
}

bool shard_give_back(struct shard *shard) {
    uint64_t lsn_before = shard->lsn_applied;
    struct list_link *link;
    while ((link = list_first(&shard->give_back)) != NULL) {
        struct shard_receive *receive = CONTAINER_OF(link, struct shard_receive, link);
        if (shard_is_passing(give_back_one(shard, receive))) break; /* with the next commit */
        list_remove(link);
        if (receive->is_released) free_receive(shard, receive);
    }
    return shard->lsn_applied != lsn_before;
}

void shard_receive_open(struct shard *shard) {
    for (uint32_t i = 0; i < SHARD_BUCKETS; i++) list_init(&shard->queue_buckets[i]);
    list_init(&shard->wake);
    list_init(&shard->wake_later);
    list_init(&shard->give_back);
}

/* After everything held was ended: what is left waits only for its messages to be given back. */
void shard_receive_close(struct shard *shard) {
    struct list_link *link;
    while ((link = list_first(&shard->give_back)) != NULL) {
        free_receive(shard, CONTAINER_OF(link, struct shard_receive, link));
    }
    allocator_give_back(shard_allocator(shard), shard->heap);
}
