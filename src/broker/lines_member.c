/* SPDX-License-Identifier: Apache-2.0 */
/* What a member counts for:
 *
 *   a message at a station   living in its job and in its counting split
 *   a dead letter            dead in both
 *   a part                   in its split's list; in no count but that of the job's messages
 *   a split with a join,     living in its job and its counting split while it is open; broken: dead
 *                            in its counting split; closed: nothing (its kit message counts)
 *   a roll                   living in its job and in every split that its outputs may count in
 *
 * A split that breaks or mends changes what it counts for one level up, and so on: as many steps as
 * splits are nested.
 */
#include "broker/lines_member.h"

/* ---- broker.settles --------------------------------------------------------------------------- */

static uint32_t *settle_index(const struct broker *broker, uint32_t handle) {
    if (handle_kind(handle) == THING_JOB) return &job_at(broker, handle_slot(handle))->settle_index;
    return &split_at(broker, handle_slot(handle))->settle_index;
}
/* By kind and slot, so that the order follows from what is in it and from nothing else. */
static bool settle_is_less(const void *context, uint32_t a, uint32_t b) {
    return context != NULL && a < b;
}
static void settle_set_index(void *context, uint32_t value, uint32_t index) {
    *settle_index(context, value) = index;
}
const struct heap_order settle_order = {settle_is_less, settle_set_index};

static void settle_set(struct broker *broker, enum thing_kind kind, uint32_t slot, bool wanted) {
    uint32_t handle = handle_make(kind, slot);
    uint32_t index = *settle_index(broker, handle);
    bool is_in = index < broker->settles.count && heap_value(&broker->settles, index) == handle;
    if (wanted == is_in) return;
    if (wanted) {
        heap_push(&broker->settles, &settle_order, broker, handle);
    } else {
        heap_remove(&broker->settles, &settle_order, broker, index);
    }
}
void settle_remove(struct broker *broker, enum thing_kind kind, uint32_t slot) {
    settle_set(broker, kind, slot, false);
}
bool settles_reserve(struct broker *broker, uint32_t more_count) {
    uint32_t count = broker->pools[THING_JOB].count + broker->pools[THING_SPLIT].count;
    return heap_reserve(&broker->settles, broker->allocator, count + more_count);
}

/* ---- jobs that can be forgotten --------------------------------------------------------------- */

static bool ended_is_less(const void *context, uint32_t a, uint32_t b) {
    const struct job *first = job_at(context, a);
    const struct job *second = job_at(context, b);
    if (first->ended_ms != second->ended_ms) return first->ended_ms < second->ended_ms;
    return first->thing.number < second->thing.number;
}
static void ended_set_index(void *context, uint32_t value, uint32_t index) {
    job_at(context, value)->ended_index = index;
}
const struct heap_order ended_order = {ended_is_less, ended_set_index};

void ended_set(struct broker *broker, uint32_t slot, bool is_ended) {
    uint32_t index = job_at(broker, slot)->ended_index;
    bool is_in = index < broker->ended.count && heap_value(&broker->ended, index) == slot;
    if (is_in && is_ended) {
        heap_update(&broker->ended, &ended_order, broker, index); /* it may have ended anew */
    } else if (is_in) {
        heap_remove(&broker->ended, &ended_order, broker, index);
    } else if (is_ended) {
        heap_push(&broker->ended, &ended_order, broker, slot);
    }
}

/* ---- what follows from the counts ------------------------------------------------------------- */

bool split_is_broken(const struct split *split) {
    return !split->is_closed && split->join != BROKER_NONE && split->missing == MISSING_FAIL &&
           (split->dead_count > 0 || split->is_lost);
}
bool split_is_complete(const struct split *split) {
    return !split->is_closed && split->join != BROKER_NONE && split->living_count == 0 &&
           split->rolls_count == 0 && !split_is_broken(split);
}
bool job_is_over(const struct job *job) {
    return job->state == JOB_REJECTED || (job->state != JOB_RUNNING && job->dead_count == 0);
}
bool job_is_empty(const struct job *job) {
    return job->messages_count == 0 && job->splits_count == 0 && job->rolls_count == 0;
}

void job_touch(struct broker *broker, uint32_t slot) {
    if (broker->is_replaying) return;
    const struct job *job = job_at(broker, slot);
    bool ends = job->state == JOB_RUNNING && job->living_count == 0;
    bool sweeps =
        job_is_over(job) && (job->messages_count > job->leased_count || job->rolls_count > 0);
    settle_set(broker, THING_JOB, slot, ends || sweeps);
    bool is_forgotten = job->state != JOB_RUNNING && job_is_empty(job);
    timer_set(broker, THING_JOB, slot, is_forgotten ? job->forget_ms : INT64_MAX);
    ended_set(broker, slot, is_forgotten);
}

void split_touch(struct broker *broker, uint32_t slot) {
    if (broker->is_replaying) return;
    const struct split *split = split_at(broker, slot);
    bool is_broken = split_is_broken(split);
    bool frees_parts = split->is_closed && split->kits_count == 0 && split->parts_count > 0;
    bool is_free =
        split->refs_count == 0 && (split->is_closed || split->join == BROKER_NONE || is_broken);
    settle_set(broker, THING_SPLIT, slot, split_is_complete(split) || frees_parts || is_free);
    bool waits = !split->is_closed && split->join != BROKER_NONE && !is_broken;
    timer_set(broker, THING_SPLIT, slot,
              waits && split->within_ms != 0 ? split->within_ms : INT64_MAX);
}

/* ---- counting --------------------------------------------------------------------------------- */

enum weight { WEIGHT_NONE, WEIGHT_LIVING, WEIGHT_DEAD };

static enum weight split_weight(const struct split *split) {
    if (split->is_shell || split->is_closed || split->join == BROKER_NONE) return WEIGHT_NONE;
    return split_is_broken(split) ? WEIGHT_DEAD : WEIGHT_LIVING;
}

static void job_add(struct broker *broker, uint32_t slot, int32_t living, int32_t dead) {
    struct job *job = job_at(broker, slot);
    job->living_count += (uint32_t)living;
    job->dead_count += (uint32_t)dead;
    job_touch(broker, slot);
}

static void split_add(struct broker *broker, uint32_t slot, int32_t living, int32_t dead) {
    for (uint32_t level = 0; slot != BROKER_NONE; level++) {
        CHECK(level <= BROKER_SPLIT_DEPTH_MAX);
        struct split *split = split_at(broker, slot);
        enum weight before = split_weight(split);
        split->living_count += (uint32_t)living;
        split->dead_count += (uint32_t)dead;
        enum weight after = split_weight(split);
        split_touch(broker, slot);
        if (before == after) return;
        living = (after == WEIGHT_LIVING) - (before == WEIGHT_LIVING);
        dead = (after == WEIGHT_DEAD) - (before == WEIGHT_DEAD);
        job_add(broker, split->job, living, 0);
        slot = split->counting_split;
    }
}

static void split_add_ref(struct broker *broker, uint32_t slot, int32_t by) {
    if (slot == BROKER_NONE) return;
    split_at(broker, slot)->refs_count += (uint32_t)by;
    split_touch(broker, slot);
}

static void split_weigh(struct broker *broker, uint32_t slot, int32_t by) {
    struct split *split = split_at(broker, slot);
    enum weight weight = split_weight(split);
    job_at(broker, split->job)->splits_count += (uint32_t)by;
    split_add_ref(broker, split->parent_split, by);
    split_add_ref(broker, split->counting_split, by);
    if (weight == WEIGHT_LIVING) split_add(broker, split->counting_split, by, 0);
    if (weight == WEIGHT_DEAD) split_add(broker, split->counting_split, 0, by);
    job_add(broker, split->job, weight == WEIGHT_LIVING ? by : 0, 0);
    if (!broker->is_replaying && !split->is_closed && split->join != BROKER_NONE) {
        queue_at(broker, split->join)->waiting_kits += (uint32_t)by;
    }
}
void split_enter(struct broker *broker, uint32_t split) {
    split_weigh(broker, split, 1);
    split_touch(broker, split);
}
void split_leave(struct broker *broker, uint32_t split) {
    split_weigh(broker, split, -1);
}

static void roll_weigh(struct broker *broker, uint32_t slot, int32_t by) {
    const struct roll *roll = roll_at(broker, slot);
    split_at(broker, roll->split)->rolls_count += (uint32_t)by;
    split_add_ref(broker, roll->split, by);
    for (uint32_t i = 0; i < roll->countings_count; i++) {
        split_add_ref(broker, roll->countings[i], by);
        split_add(broker, roll->countings[i], by, 0);
    }
    job_at(broker, roll->job)->rolls_count += (uint32_t)by;
    job_add(broker, roll->job, by, 0);
}
void roll_enter(struct broker *broker, uint32_t roll) {
    roll_weigh(broker, roll, 1);
}
void roll_leave(struct broker *broker, uint32_t roll) {
    roll_weigh(broker, roll, -1);
}

/* ---- the lists a piece is in ------------------------------------------------------------------ */

static struct piece *piece_of(const struct broker *broker, uint32_t message) {
    return message_piece(broker, message_at(broker, message));
}

static void list_append(struct broker *broker, uint32_t message, uint32_t *first, uint32_t *last) {
    struct piece *piece = piece_of(broker, message);
    piece->next = BROKER_NONE;
    piece->previous = *last;
    if (*last == BROKER_NONE) {
        *first = message;
    } else {
        piece_of(broker, *last)->next = message;
    }
    *last = message;
}

static void list_remove_message(struct broker *broker, uint32_t message, uint32_t *first,
                                uint32_t *last) {
    struct piece *piece = piece_of(broker, message);
    if (piece->previous == BROKER_NONE) {
        *first = piece->next;
    } else {
        piece_of(broker, piece->previous)->next = piece->next;
    }
    if (piece->next == BROKER_NONE) {
        *last = piece->previous;
    } else {
        piece_of(broker, piece->next)->previous = piece->previous;
    }
    piece->next = piece->previous = BROKER_NONE;
}

static void job_list_add(struct broker *broker, struct job *job, uint32_t message) {
    struct piece *piece = piece_of(broker, message);
    piece->job_previous = BROKER_NONE;
    piece->job_next = job->messages_first;
    if (job->messages_first != BROKER_NONE) {
        piece_of(broker, job->messages_first)->job_previous = message;
    }
    job->messages_first = message;
}
static void job_list_remove(struct broker *broker, struct job *job, uint32_t message) {
    const struct piece *piece = piece_of(broker, message);
    if (piece->job_previous == BROKER_NONE) {
        job->messages_first = piece->job_next;
    } else {
        piece_of(broker, piece->job_previous)->job_next = piece->job_next;
    }
    if (piece->job_next != BROKER_NONE) {
        piece_of(broker, piece->job_next)->job_previous = piece->job_previous;
    }
}

static void piece_weigh(struct broker *broker, const struct message *message, int32_t by) {
    const struct piece *piece = message_piece(broker, message);
    struct job *job = job_at(broker, piece->job);
    bool is_part = message->place == PLACE_PART;
    int32_t living = !is_part && !piece->is_dead ? by : 0;
    int32_t dead = piece->is_dead ? by : 0;
    job->messages_count += (uint32_t)by;
    if (message->place == PLACE_LEASED) job->leased_count += (uint32_t)by;
    split_add_ref(broker, piece->path_split, by);
    split_add_ref(broker, piece->counting_split, by);
    if (piece->kit_split != BROKER_NONE) {
        split_at(broker, piece->kit_split)->kits_count += (uint32_t)by;
        split_add_ref(broker, piece->kit_split, by);
    }
    if (is_part) {
        split_at(broker, piece->counting_split)->parts_count += (uint32_t)by;
        split_touch(broker, piece->counting_split);
    } else {
        split_add(broker, piece->counting_split, living, dead);
    }
    job_add(broker, piece->job, living, dead);
}

void piece_enter(struct broker *broker, uint32_t slot) {
    const struct message *message = message_at(broker, slot);
    const struct piece *piece = message_piece(broker, message);
    /* Replay has run out of memory on the way to its place: all of this is thrown away. */
    if (broker->replay_result != 0) return;
    CHECK(message->place != PLACE_NONE);
    job_list_add(broker, job_at(broker, piece->job), slot);
    if (message->place == PLACE_LEASED) {
        struct session *session = session_at(broker, piece->session);
        list_append(broker, slot, &session->leases_first, &session->leases_last);
        session->leases_count++;
    } else if (message->place == PLACE_PART) {
        struct split *split = split_at(broker, piece->counting_split);
        list_append(broker, slot, &split->parts_first, &split->parts_last);
    }
    piece_weigh(broker, message, 1);
}

void piece_leave(struct broker *broker, uint32_t slot) {
    const struct message *message = message_at(broker, slot);
    const struct piece *piece = message_piece(broker, message);
    job_list_remove(broker, job_at(broker, piece->job), slot);
    if (message->place == PLACE_LEASED) {
        struct session *session = session_at(broker, piece->session);
        list_remove_message(broker, slot, &session->leases_first, &session->leases_last);
        session->leases_count--;
    } else if (message->place == PLACE_PART) {
        struct split *split = split_at(broker, piece->counting_split);
        list_remove_message(broker, slot, &split->parts_first, &split->parts_last);
    }
    piece_weigh(broker, message, -1);
}

/* ---- shells ----------------------------------------------------------------------------------- */

static bool shell_make(struct broker *broker, enum thing_kind kind, struct broker_ref ref,
                       uint64_t home) {
    CHECK(broker->is_replaying);
    if (thing_make(broker, kind, ref, home) == NULL) return false;
    broker->shells_count++;
    return true;
}

uint32_t job_for(struct broker *broker, struct broker_ref ref, uint64_t home) {
    if (ref.number == 0) return BROKER_NONE;
    if (thing_find(broker, THING_JOB, ref) != NULL) return ref.slot;
    if (!shell_make(broker, THING_JOB, ref, home)) return BROKER_NONE;
    struct job *job = job_at(broker, ref.slot);
    job->is_shell = true;
    job->tallies_first = BROKER_NONE;
    job->messages_first = job->newer = job->older = job->key_newer = job->key_older = BROKER_NONE;
    return ref.slot;
}
uint32_t split_for(struct broker *broker, struct broker_ref ref, uint64_t home) {
    if (ref.number == 0) return BROKER_NONE;
    if (thing_find(broker, THING_SPLIT, ref) != NULL) return ref.slot;
    if (!shell_make(broker, THING_SPLIT, ref, home)) return BROKER_NONE;
    struct split *split = split_at(broker, ref.slot);
    split->is_shell = true;
    split->job = split->parent_split = split->counting_split = split->join = BROKER_NONE;
    split->parts_first = split->parts_last = BROKER_NONE;
    return ref.slot;
}
uint32_t session_for(struct broker *broker, struct broker_ref ref, uint64_t home) {
    if (ref.number == 0) return BROKER_NONE;
    if (thing_find(broker, THING_SESSION, ref) != NULL) return ref.slot;
    if (!shell_make(broker, THING_SESSION, ref, home)) return BROKER_NONE;
    struct session *session = session_at(broker, ref.slot);
    session->is_shell = true;
    session->leases_first = session->leases_last = BROKER_NONE;
    return ref.slot;
}
