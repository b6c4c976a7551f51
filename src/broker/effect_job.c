/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: they start, they change, they are forgotten. */
#include "broker/lines_effect.h"

#include "base/hash.h"

void effect_job(struct deciding *deciding, const struct effect_job *effect) {
    struct buffer *out = effect_begin(deciding, EFFECT_JOB);
    encode_ref(out, effect->job);
    buffer_append(out, slice_from(effect->id, 16));
    encode_ref(out, effect->line);
    encode_u64(out, effect->request_hash);
    encode_u8(out, effect->has_once);
    buffer_append(out, slice_from(effect->once, 16));
    encode_slice(out, effect->key);
    encode_u32(out, effect->order);
}

static struct slice job_key(const struct job *job) {
    return slice_from(job->key, job->key_count);
}

void effect_job_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct slice id = decode_bytes(&applying->in, 16);
    struct broker_ref line = decode_ref(&applying->in);
    uint64_t request_hash = decode_u64(&applying->in);
    bool has_once = decode_u8(&applying->in) != 0;
    struct slice once = decode_bytes(&applying->in, 16);
    struct slice key = decode_slice(&applying->in);
    struct body_ref order = applying_body(applying, decode_u32(&applying->in));
    if (applying->in.failed || applying->is_broken || key.count > BROKER_KEY_BYTES_MAX) {
        applying->is_broken = true;
        return;
    }
    struct job *job = thing_make(broker, THING_JOB, ref, applying->lsn);
    if (job == NULL) return;
    memcpy(job->id, id.bytes, 16);
    memcpy(job->once, once.bytes, 16);
    job->line = line.slot;
    job->line_number = line.number;
    job->request_hash = request_hash;
    job->has_once = has_once;
    job->started_ms = applying->now_ms;
    job->order = order;
    broker->body_bytes += order.count;
    job->messages_first = job->tallies_first = BROKER_NONE;
    if (key.count > 0) {
        job->key = lines_spare_take(broker, key.count);
        if (job->key == NULL) return;
        memcpy(job->key, key.bytes, key.count);
        job->key_count = (uint16_t)key.count;
    }
    broker->jobs_running++;
    job_index(broker, ref.slot);
}

enum { SET_LOST = 1, SET_LONG = 2 };

void effect_job_set(struct deciding *deciding, uint32_t slot, const struct effect_job_set *effect) {
    const struct job *job = job_at(deciding->broker, slot);
    bool makes_long = effect->history != BODY_NONE && !job_is_long(job) &&
                      job->chain_count + 1 >= JOB_HISTORY_EARLY_MAX;
    struct buffer *out = effect_begin(deciding, EFFECT_JOB_SET);
    encode_ref(out, ref_at(deciding->broker, THING_JOB, slot));
    encode_u32(out, effect->history);
    encode_u32(out, effect->error);
    encode_u32(out, effect->result);
    encode_u8(out, (uint8_t)((effect->is_lost ? SET_LOST : 0) | (makes_long ? SET_LONG : 0)));
    encode_u8(out, effect->sets_state);
    if (!effect->sets_state) return;
    encode_u8(out, (uint8_t)effect->state);
    encode_i64(out, effect->ended_ms);
    encode_i64(out, effect->forget_ms);
}

static void body_set(struct applying *applying, struct body_ref *body, uint32_t index) {
    if (index == BODY_NONE) return;
    struct body_ref ref = applying_body(applying, index);
    applying->broker->body_bytes += ref.count;
    applying->broker->body_bytes -= body->count;
    *body = ref;
}

static void job_set_state(struct broker *broker, uint32_t slot, enum job_state state) {
    struct job *job = job_at(broker, slot);
    bool was_running = job->state == JOB_RUNNING;
    bool is_running = state == JOB_RUNNING;
    job->state = (uint8_t)state;
    if (was_running == is_running) return;
    if (!job->is_shell) broker->jobs_running += is_running ? 1u : UINT64_MAX;
    broker->roll_is_stale = true;
    event_add(broker, THING_JOB, slot);
}

void effect_job_set_apply(struct applying *applying) {
    struct broker_ref ref = decode_ref(&applying->in);
    struct job *job = applying_find(applying, THING_JOB, ref);
    struct job nobody = {0};
    struct job *target = job != NULL ? job : &nobody;
    uint64_t body_bytes = applying->broker->body_bytes;
    uint32_t history = decode_u32(&applying->in);
    body_set(applying, &target->history, history);
    body_set(applying, &target->error, decode_u32(&applying->in));
    body_set(applying, &target->result, decode_u32(&applying->in));
    uint8_t flags = decode_u8(&applying->in);
    if ((flags & SET_LOST) != 0) target->is_lost = true;
    if ((flags & SET_LONG) != 0) body_set(applying, &target->early, history);
    bool counts = history != BODY_NONE && target->chain_count < JOB_HISTORY_EARLY_MAX;
    if (counts && !job_is_long(target)) target->chain_count++;
    if (job == NULL) applying->broker->body_bytes = body_bytes;
    if (decode_u8(&applying->in) != 0) {
        uint8_t state = decode_u8(&applying->in);
        target->ended_ms = decode_i64(&applying->in);
        target->forget_ms = decode_i64(&applying->in);
        if (state > JOB_REJECTED) applying->is_broken = true;
        if (job != NULL) job_set_state(applying->broker, ref.slot, (enum job_state)state);
    }
    if (job != NULL) job_touch(applying->broker, ref.slot);
}

void effect_job_free(struct deciding *deciding, uint32_t job) {
    struct buffer *out = effect_begin(deciding, EFFECT_JOB_FREE);
    encode_ref(out, ref_at(deciding->broker, THING_JOB, job));
}

void effect_job_free_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct broker_ref ref = decode_ref(&applying->in);
    struct job *job = applying_find(applying, THING_JOB, ref);
    if (job == NULL) return;
    CHECK(job_is_empty(job));
    if (job->is_shell) {
        broker->shells_count--;
    } else {
        if (job->state == JOB_RUNNING) broker->jobs_running--; /* only a broken record says so */
        job_unindex(broker, ref.slot);
    }
    if (!broker->is_replaying) {
        settle_remove(broker, THING_JOB, ref.slot);
        ended_set(broker, ref.slot, false);
    }
    timer_set(broker, THING_JOB, ref.slot, INT64_MAX);
    event_remove(broker, THING_JOB, ref.slot);
    job_close(broker, ref.slot);
    thing_free(broker, THING_JOB, ref.slot);
}

void job_close(struct broker *broker, uint32_t slot) {
    struct job *job = job_at(broker, slot);
    tallies_free(broker, job);
    broker->body_bytes -= (uint64_t)job->order.count + job->result.count + job->history.count +
                          job->error.count + job->early.count;
    allocator_give_back(broker->allocator, job->key);
    job->key = NULL;
}

/* ---- finding jobs ----------------------------------------------------------------------------- */

/* Clients choose keys: the seed keeps them from choosing their hash. */
static uint64_t key_hash(const struct broker *broker, struct slice key) {
    return hash64_seeded(key, decode_u64_at((const char *)root_at(broker, 0)->seed));
}

static uint64_t number_hash(uint64_t number) {
    char bytes[8];
    encode_u64_at(bytes, number);
    return hash64(slice_from(bytes, sizeof bytes));
}

uint32_t job_find_key(const struct broker *broker, struct slice key) {
    if (broker_is_new(broker)) return BROKER_NONE; /* it has no seed yet, and no job */
    struct map_cursor cursor = map_find(broker->jobs_by_key, key_hash(broker, key));
    while (map_next(&cursor)) {
        if (slice_equal(job_key(job_at(broker, cursor.value)), key)) return cursor.value;
    }
    return BROKER_NONE;
}
uint32_t job_find_id(const struct broker *broker, const uint8_t id[16]) {
    struct map_cursor cursor = map_find(broker->jobs_by_id, hash64(slice_from(id, 16)));
    while (map_next(&cursor)) {
        if (memcmp(job_at(broker, cursor.value)->id, id, 16) == 0) return cursor.value;
    }
    return BROKER_NONE;
}
uint32_t job_find_number(const struct broker *broker, uint64_t number) {
    struct map_cursor cursor = map_find(broker->jobs_by_number, number_hash(number));
    while (map_next(&cursor)) {
        if (job_at(broker, cursor.value)->thing.number == number) return cursor.value;
    }
    return BROKER_NONE;
}
uint32_t job_find_once(const struct broker *broker, const uint8_t once[16]) {
    struct map_cursor cursor = map_find(broker->jobs_by_once, hash64(slice_from(once, 16)));
    while (map_next(&cursor)) {
        if (memcmp(job_at(broker, cursor.value)->once, once, 16) == 0) return cursor.value;
    }
    return BROKER_NONE;
}

bool job_index_reserve(struct broker *broker, uint32_t more_count) {
    uint32_t count = broker->pools[THING_JOB].count + more_count;
    return heap_reserve(&broker->ended, broker->allocator, count) &&
           map_reserve(broker->jobs_by_id, more_count) &&
           map_reserve(broker->jobs_by_number, more_count) &&
           map_reserve(broker->jobs_by_key, more_count) &&
           map_reserve(broker->jobs_by_once, more_count);
}

/* During replay jobs come in any order: lists and maps are then made at its end. */
void job_index(struct broker *broker, uint32_t slot) {
    if (broker->is_replaying) return;
    struct job *job = job_at(broker, slot);
    job->older = broker->jobs_newest;
    job->newer = BROKER_NONE;
    if (job->older == BROKER_NONE) {
        broker->jobs_oldest = slot;
    } else {
        job_at(broker, job->older)->newer = slot;
    }
    broker->jobs_newest = slot;
    map_insert(broker->jobs_by_id, hash64(slice_from(job->id, 16)), slot);
    map_insert(broker->jobs_by_number, number_hash(job->thing.number), slot);
    if (job->has_once) map_insert(broker->jobs_by_once, hash64(slice_from(job->once, 16)), slot);
    job->key_newer = job->key_older = BROKER_NONE;
    if (job->key_count == 0) return;
    uint64_t hash = key_hash(broker, job_key(job));
    job->key_older = job_find_key(broker, job_key(job));
    if (job->key_older != BROKER_NONE) {
        job_at(broker, job->key_older)->key_newer = slot;
        map_remove(broker->jobs_by_key, hash, job->key_older);
    }
    map_insert(broker->jobs_by_key, hash, slot);
}

static void key_unindex(struct broker *broker, uint32_t slot) {
    const struct job *job = job_at(broker, slot);
    uint64_t hash = key_hash(broker, job_key(job));
    if (job->key_older != BROKER_NONE) job_at(broker, job->key_older)->key_newer = job->key_newer;
    if (job->key_newer != BROKER_NONE) {
        job_at(broker, job->key_newer)->key_older = job->key_older;
        return;
    }
    map_remove(broker->jobs_by_key, hash, slot);
    if (job->key_older != BROKER_NONE) map_insert(broker->jobs_by_key, hash, job->key_older);
}

void job_unindex(struct broker *broker, uint32_t slot) {
    if (broker->is_replaying) return;
    const struct job *job = job_at(broker, slot);
    if (job->older == BROKER_NONE) {
        broker->jobs_oldest = job->newer;
    } else {
        job_at(broker, job->older)->newer = job->newer;
    }
    if (job->newer == BROKER_NONE) {
        broker->jobs_newest = job->older;
    } else {
        job_at(broker, job->newer)->older = job->older;
    }
    map_remove(broker->jobs_by_id, hash64(slice_from(job->id, 16)), slot);
    map_remove(broker->jobs_by_number, number_hash(job->thing.number), slot);
    if (job->has_once) map_remove(broker->jobs_by_once, hash64(slice_from(job->once, 16)), slot);
    if (job->key_count > 0) key_unindex(broker, slot);
}
