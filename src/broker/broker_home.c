/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_home.h"

#include "broker/broker_record.h"

#include <errno.h>

static void home_append(struct broker *broker, uint32_t handle) {
    struct thing *thing = thing_at(broker, handle);
    thing->home_next = 0;
    thing->home_previous = broker->home_last;
    if (broker->home_last == 0) {
        broker->home_first = handle;
    } else {
        struct thing *last = thing_at(broker, broker->home_last);
        CHECK(last->home <= thing->home);
        last->home_next = handle;
    }
    broker->home_last = handle;
}

static void home_remove(struct broker *broker, uint32_t handle) {
    struct thing *thing = thing_at(broker, handle);
    if (thing->home_previous == 0) {
        CHECK(broker->home_first == handle);
        broker->home_first = thing->home_next;
    } else {
        thing_at(broker, thing->home_previous)->home_next = thing->home_next;
    }
    if (thing->home_next == 0) {
        CHECK(broker->home_last == handle);
        broker->home_last = thing->home_previous;
    } else {
        thing_at(broker, thing->home_next)->home_previous = thing->home_previous;
    }
}

static void *replay_failed(struct broker *broker, int result) {
    CHECK(broker->is_replaying);
    if (broker->replay_result == 0) broker->replay_result = result;
    return NULL;
}

void root_count(struct broker *broker, enum thing_kind kind, uint64_t number) {
    struct root *root = pool_find(&broker->pools[THING_ROOT], 0);
    if (root == NULL || kind == THING_ROOT || kind_is_aside(kind)) return;
    if (kind == THING_QUEUE) {
        if (root->next_queue_id <= number) root->next_queue_id = (uint32_t)number + 1;
    } else if (kind == THING_LINE) {
        if (root->next_line_id <= number) root->next_line_id = (uint32_t)number + 1;
    } else if (root->next_number <= number) {
        root->next_number = number + 1;
    }
}

void *thing_make(struct broker *broker, enum thing_kind kind, struct broker_ref ref,
                 uint64_t home) {
    struct pool *pool = &broker->pools[kind];
    if (broker->is_replaying) {
        if (ref.number == 0 || ref.slot >= pool->slots_max) return replay_failed(broker, -EBADMSG);
        if (!pool_reserve_slot(pool, ref.slot)) return replay_failed(broker, -ENOMEM);
        if (pool_find(pool, ref.slot) != NULL) return replay_failed(broker, -EBADMSG);
        if (!timers_reserve(broker, 1)) return replay_failed(broker, -ENOMEM);
    }
    CHECK(ref.number != 0);
    struct thing *thing = pool_take(pool, ref.slot);
    thing->number = ref.number;
    root_count(broker, kind, ref.number);
    if (!thing_rows[kind].has_home) return thing;
    thing->home = home;
    home_append(broker, handle_make(kind, ref.slot));
    return thing;
}

void thing_free(struct broker *broker, enum thing_kind kind, uint32_t slot) {
    if (thing_rows[kind].has_home) home_remove(broker, handle_make(kind, slot));
    pool_free(&broker->pools[kind], slot);
}

void thing_rehome(struct broker *broker, enum thing_kind kind, uint32_t slot, uint64_t home) {
    uint32_t handle = handle_make(kind, slot);
    home_remove(broker, handle);
    thing_at(broker, handle)->home = home;
    home_append(broker, handle);
}

/* ---- deadlines -------------------------------------------------------------------------------- */

static struct timer *timer_of(const struct broker *broker, uint32_t handle) {
    uint32_t slot = handle_slot(handle);
    switch (handle_kind(handle)) {
    case THING_QUEUE: return &queue_at(broker, slot)->timer;
    case THING_JOB: return &job_at(broker, slot)->timer;
    case THING_MOVE: return &move_at(broker, slot)->timer;
    case THING_SPLIT: return &split_at(broker, slot)->timer;
    default: CHECK_UNREACHABLE();
    }
}

static bool timer_is_less(const void *context, uint32_t a, uint32_t b) {
    const struct broker *broker = context;
    int64_t a_ms = timer_of(broker, a)->when_ms;
    int64_t b_ms = timer_of(broker, b)->when_ms;
    if (a_ms != b_ms) return a_ms < b_ms;
    return a < b;
}
static void timer_set_index(void *context, uint32_t value, uint32_t index) {
    timer_of(context, value)->index = index;
}
const struct heap_order timer_order = {timer_is_less, timer_set_index};

/* A thing that was just made has a timer of zeros. */
static bool timer_is_set(const struct broker *broker, const struct timer *timer, uint32_t handle) {
    return timer->index < broker->deadlines.count &&
           heap_value(&broker->deadlines, timer->index) == handle;
}

void timer_set(struct broker *broker, enum thing_kind kind, uint32_t slot, int64_t when_ms) {
    uint32_t handle = handle_make(kind, slot);
    struct timer *timer = timer_of(broker, handle);
    bool is_set = timer_is_set(broker, timer, handle);
    if (is_set && when_ms == timer->when_ms) return;
    if (!is_set && when_ms == INT64_MAX) {
        *timer = (struct timer){.when_ms = INT64_MAX, .index = BROKER_NONE};
    } else if (!is_set) {
        timer->when_ms = when_ms;
        heap_push(&broker->deadlines, &timer_order, broker, handle);
    } else if (when_ms == INT64_MAX) {
        heap_remove(&broker->deadlines, &timer_order, broker, timer->index);
        timer->when_ms = INT64_MAX;
    } else {
        timer->when_ms = when_ms;
        heap_update(&broker->deadlines, &timer_order, broker, timer->index);
    }
}

int64_t timer_when_ms(const struct broker *broker, uint32_t handle) {
    return timer_of(broker, handle)->when_ms;
}

bool timers_reserve(struct broker *broker, uint32_t more_count) {
    uint32_t count = broker->pools[THING_QUEUE].count + broker->pools[THING_JOB].count +
                     broker->pools[THING_SPLIT].count + broker->pools[THING_MOVE].count;
    return heap_reserve(&broker->deadlines, broker->allocator, count + more_count);
}

/* ---- events ----------------------------------------------------------------------------------- */

static struct event_link *event_of(const struct broker *broker, uint32_t handle) {
    uint32_t slot = handle_slot(handle);
    switch (handle_kind(handle)) {
    case THING_QUEUE: return &queue_at(broker, slot)->event;
    case THING_LINE: return &line_at(broker, slot)->event;
    case THING_JOB: return &job_at(broker, slot)->event;
    default: CHECK_UNREACHABLE();
    }
}

void event_add(struct broker *broker, enum thing_kind kind, uint32_t slot) {
    if (broker->is_replaying) return;
    uint32_t handle = handle_make(kind, slot);
    struct event_link *link = event_of(broker, handle);
    if (link->is_listed) return;
    *link = (struct event_link){.previous = broker->events_last, .is_listed = true};
    if (broker->events_last == 0) {
        broker->events_first = handle;
    } else {
        event_of(broker, broker->events_last)->next = handle;
    }
    broker->events_last = handle;
}

void event_remove(struct broker *broker, enum thing_kind kind, uint32_t slot) {
    struct event_link *link = event_of(broker, handle_make(kind, slot));
    if (!link->is_listed) return;
    if (link->previous == 0) {
        broker->events_first = link->next;
    } else {
        event_of(broker, link->previous)->next = link->next;
    }
    if (link->next == 0) {
        broker->events_last = link->previous;
    } else {
        event_of(broker, link->next)->previous = link->previous;
    }
    *link = (struct event_link){0};
}

/* Takes one event of the first thing in the list; a line may have several. */
static bool line_take_event(struct line *line, struct broker_event *out) {
    if (line->event_line) {
        line->event_line = false;
        out->kind = BROKER_EVENT_LINE;
    } else if (line->event_stations != 0) {
        out->station = (uint32_t)__builtin_ctzll(line->event_stations);
        line->event_stations &= line->event_stations - 1;
        out->kind = BROKER_EVENT_STATION;
    }
    return line->event_line || line->event_stations != 0;
}

bool broker_take_event(struct broker *broker, struct broker_event *out) {
    uint32_t handle = broker->events_first;
    if (handle == 0) return false;
    uint32_t slot = handle_slot(handle);
    *out = (struct broker_event){.ref = {thing_at(broker, handle)->number, slot}};
    switch (handle_kind(handle)) {
    case THING_QUEUE: out->kind = BROKER_EVENT_QUEUE; break;
    case THING_JOB: out->kind = BROKER_EVENT_JOB; break;
    default:
        if (line_take_event(line_at(broker, slot), out)) return true;
        break;
    }
    event_remove(broker, handle_kind(handle), slot);
    return true;
}
