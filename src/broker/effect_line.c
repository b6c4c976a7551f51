/* SPDX-License-Identifier: Apache-2.0 */
/* A line is put into force: its settings, and its stations' queues.
 *
 * The record holds the whole line, so it is the line's home from then on. A line's stations and the
 * names in them lie in one block of memory: the stations, their settings once more (for views, which
 * give them out as an array), the names.
 */
#include "broker/lines_decide.h"

struct queue_settings station_queue_settings(const struct line_station *station, bool is_dead) {
    struct queue_settings settings = queue_settings_default();
    settings.retention_ms = station->retention_ms;
    settings.delay_ms = is_dead ? 0 : station->delay_ms;
    if (is_dead) return settings;
    settings.dead_queue = station->dead_queue;
    settings.dead_after = station->attempts_max;
    return settings;
}

_Static_assert(BROKER_HOPS_MAX <= UINT8_MAX >> 1, "hops_max shares a byte with in_cycle");

/* in_cycle, and above it hops_max: nothing for BROKER_HOPS_MAX, as in records from before it was
 * kept. */
static uint8_t hops_byte(const struct line_station *station) {
    CHECK(station->hops_max <= BROKER_HOPS_MAX);
    uint32_t hops_max = station->hops_max == BROKER_HOPS_MAX ? 0 : station->hops_max;
    return (uint8_t)(hops_max << 1 | station->in_cycle);
}

static void hops_from_byte(struct line_station *station, uint8_t byte) {
    station->in_cycle = (byte & 1) != 0;
    station->hops_max = byte >> 1;
    if (station->hops_max == 0) station->hops_max = BROKER_HOPS_MAX;
}

void line_station_encode(struct buffer *out, const struct line_station *station) {
    encode_slice(out, station->name);
    encode_slice(out, station->queue);
    encode_slice(out, station->dead_queue);
    encode_i64(out, station->retention_ms);
    encode_i64(out, station->delay_ms);
    encode_i64(out, station->within_ms);
    encode_i64(out, station->backoff_ms_min);
    encode_i64(out, station->backoff_ms_max);
    encode_u32(out, station->attempts_max);
    encode_u32(out, station->wip_limit);
    encode_u32(out, (uint32_t)station->join_opener);
    encode_u8(out, (uint8_t)station->missing);
    encode_u64(out, station->reach);
    encode_u64(out, station->gates);
    encode_u8(out, station->is_result);
    encode_u8(out, hops_byte(station));
}

static struct line_station line_station_decode(struct decoder *in) {
    struct line_station station = {.name = decode_slice(in)};
    station.queue = decode_slice(in);
    station.dead_queue = decode_slice(in);
    station.retention_ms = decode_i64(in);
    station.delay_ms = decode_i64(in);
    station.within_ms = decode_i64(in);
    station.backoff_ms_min = decode_i64(in);
    station.backoff_ms_max = decode_i64(in);
    station.attempts_max = decode_u32(in);
    station.wip_limit = decode_u32(in);
    station.join_opener = (int32_t)decode_u32(in);
    station.missing = (enum missing_policy)decode_u8(in);
    station.reach = decode_u64(in);
    station.gates = decode_u64(in);
    station.is_result = decode_u8(in) != 0;
    hops_from_byte(&station, decode_u8(in));
    return station;
}

size_t line_block_bytes(const struct line_station *stations, uint32_t count) {
    size_t bytes = count * (sizeof(struct line_station_state) + sizeof(struct line_station));
    for (uint32_t i = 0; i < count; i++) {
        bytes += stations[i].name.count + stations[i].queue.count + stations[i].dead_queue.count;
    }
    return bytes;
}

static struct slice name_copy(char **place, struct slice name) {
    struct slice copy = slice_from(*place, name.count);
    if (name.count > 0) memcpy(*place, name.bytes, name.count);
    *place += name.count;
    return copy;
}

/* The block, filled but for the queues. NULL: no memory (replay). */
static struct line_station_state *block_make(struct broker *broker,
                                             const struct line_station *stations, uint32_t count) {
    struct line_station_state *block = lines_spare_take(broker, line_block_bytes(stations, count));
    if (block == NULL) return NULL;
    struct line_station *view = (struct line_station *)(block + count);
    char *place = (char *)(view + count);
    for (uint32_t i = 0; i < count; i++) {
        view[i] = stations[i];
        view[i].name = name_copy(&place, stations[i].name);
        view[i].queue = name_copy(&place, stations[i].queue);
        view[i].dead_queue = name_copy(&place, stations[i].dead_queue);
        block[i] = (struct line_station_state){.settings = view[i]};
    }
    return block;
}

/* ---- the record ------------------------------------------------------------------------------- */

/* A queue that is there keeps its messages; what belongs to it follows. */
struct line_queue {
    struct broker_ref queue;
    struct broker_ref store; /* none: the queue is there already */
};

static void line_queue_encode(struct deciding *deciding, struct slice name) {
    struct buffer *out = &deciding->decision->record;
    const struct queue *queue = queue_find(deciding->broker, name);
    if (queue != NULL) {
        encode_ref(out, queue_ref(queue));
        encode_ref(out, (struct broker_ref){0});
    } else {
        encode_ref(out, new_queue_ref(deciding));
        encode_ref(out, new_ref(deciding, THING_STORE));
    }
}

bool line_names_queue(const struct command_line_put *put, struct slice name) {
    for (uint32_t i = 0; i < put->stations_count; i++) {
        if (slice_equal(put->stations[i].queue, name)) return true;
        if (slice_equal(put->stations[i].dead_queue, name)) return true;
    }
    return false;
}

/* Queues of stations that the new file does not have. */
static void gone_encode(struct deciding *deciding, const struct command_line_put *put,
                        struct broker_ref line_ref) {
    struct buffer *out = &deciding->decision->record;
    const struct line *line = thing_find(deciding->broker, THING_LINE, line_ref);
    for (uint32_t i = 0; line != NULL && i < line->stations_count; i++) {
        const struct line_station_state *station = &line->stations[i];
        uint32_t slots[2] = {station->queue, station->dead_queue};
        for (uint32_t k = 0; k < ARRAY_COUNT(slots); k++) {
            struct queue *queue = queue_at(deciding->broker, slots[k]);
            if (line_names_queue(put, queue_name(queue))) continue;
            encode_u8(out, 1);
            encode_ref(out, ref_at(deciding->broker, THING_QUEUE, slots[k]));
        }
    }
    encode_u8(out, 0);
}

void effect_line(struct deciding *deciding, const struct command_line_put *put,
                 struct broker_ref line, uint32_t file) {
    struct buffer *out = effect_begin(deciding, EFFECT_LINE);
    encode_ref(out, line);
    encode_slice(out, put->name);
    encode_i64(out, put->keep_jobs_ms);
    encode_u32(out, file);
    encode_u32(out, put->stations_count);
    for (uint32_t i = 0; i < put->stations_count; i++) {
        line_station_encode(out, &put->stations[i]);
        line_queue_encode(deciding, put->stations[i].queue);
        line_queue_encode(deciding, put->stations[i].dead_queue);
    }
    gone_encode(deciding, put, line);
}

/* ---- apply ------------------------------------------------------------------------------------ */

struct line_record {
    struct broker_ref line;
    struct slice name;
    int64_t keep_jobs_ms;
    struct body_ref file;
    uint32_t stations_count;
    struct line_station stations[BROKER_STATIONS_MAX];
    struct line_queue queues[BROKER_STATIONS_MAX];
    struct line_queue dead_queues[BROKER_STATIONS_MAX];
};

static struct line_queue line_queue_decode(struct decoder *in) {
    struct line_queue queue = {.queue = decode_ref(in)};
    queue.store = decode_ref(in);
    return queue;
}

static bool record_decode(struct applying *applying, struct line_record *record) {
    struct decoder *in = &applying->in;
    record->line = decode_ref(in);
    record->name = decode_slice(in);
    record->keep_jobs_ms = decode_i64(in);
    record->file = applying_body(applying, decode_u32(in));
    record->stations_count = decode_u32(in);
    if (in->failed || record->stations_count > BROKER_STATIONS_MAX) return false;
    if (record->stations_count == 0) return false;
    if (record->name.count > BROKER_NAME_BYTES_MAX) return false;
    for (uint32_t i = 0; i < record->stations_count; i++) {
        record->stations[i] = line_station_decode(in);
        record->queues[i] = line_queue_decode(in);
        record->dead_queues[i] = line_queue_decode(in);
    }
    return !in->failed && !applying->is_broken;
}

/* Makes the queue, or gives the one that is there its new place. */
static void queue_put(struct applying *applying, const struct line_record *record, uint32_t i,
                      bool is_dead) {
    struct broker *broker = applying->broker;
    struct line_queue ref = is_dead ? record->dead_queues[i] : record->queues[i];
    const struct line_station *station = &record->stations[i];
    struct queue_settings settings = station_queue_settings(station, is_dead);
    if (ref.store.number != 0) {
        struct queue_make make = {
            .queue = ref.queue,
            .store = ref.store,
            .name = is_dead ? station->dead_queue : station->queue,
            .kind = is_dead ? QUEUE_STATION_DEAD : QUEUE_STATION,
            .line = record->line,
            .station = i,
            .settings = settings,
        };
        /* NULL: replay fails, and broker->replay_result says why. */
        if (store_make(broker, ref.store, ref.queue, true, applying->lsn) == NULL) return;
        (void)queue_make(broker, &make, applying->lsn, applying->now_ms);
        return;
    }
    struct queue *queue = applying_find(applying, THING_QUEUE, ref.queue);
    if (queue == NULL) return;
    queue->station = i;
    queue->delay_ms = settings.delay_ms;
    queue->retention_ms = settings.retention_ms;
    queue->dead_after = settings.dead_after;
    queue->changed_ms = applying->now_ms;
    queue_update_deadline(broker, ref.queue.slot);
}

static struct line *line_take(struct applying *applying, struct broker_ref ref) {
    struct broker *broker = applying->broker;
    struct line *line = thing_find(broker, THING_LINE, ref);
    if (line == NULL) return thing_make(broker, THING_LINE, ref, applying->lsn);
    thing_rehome(broker, THING_LINE, ref.slot, applying->lsn);
    return line;
}

void effect_line_apply(struct applying *applying) {
    struct broker *broker = applying->broker;
    struct line_record record = {0};
    if (!record_decode(applying, &record)) {
        applying->is_broken = true;
        return;
    }
    struct line *line = line_take(applying, record.line);
    if (line == NULL || !line_set(broker, line,
                                  &(struct line_settings){
                                      .name = record.name,
                                      .keep_jobs_ms = record.keep_jobs_ms,
                                      .file = record.file,
                                      .stations_count = record.stations_count,
                                      .stations = record.stations,
                                  })) {
        return;
    }
    for (uint32_t i = 0; i < record.stations_count; i++) {
        queue_put(applying, &record, i, false);
        queue_put(applying, &record, i, true);
        line->stations[i].queue = record.queues[i].queue.slot;
        line->stations[i].dead_queue = record.dead_queues[i].queue.slot;
    }
    while (decode_u8(&applying->in) != 0) {
        struct broker_ref gone = decode_ref(&applying->in);
        if (applying_find(applying, THING_QUEUE, gone) != NULL) queue_free(broker, gone.slot);
    }
    if (!broker->is_replaying) line_count_full(broker, line);
    line->event_line = !broker->is_replaying;
    line->event_stations = broker->is_replaying ? 0 : UINT64_MAX >> (64 - record.stations_count);
    event_add(broker, THING_LINE, record.line.slot);
    broker->roll_is_stale = true;
}

bool line_set(struct broker *broker, struct line *line, const struct line_settings *settings) {
    struct line_station_state *block =
        block_make(broker, settings->stations, settings->stations_count);
    if (block == NULL) return false;
    allocator_give_back(broker->allocator, line->stations);
    line->stations = block;
    line->view = (struct line_station *)(block + settings->stations_count);
    line->stations_count = settings->stations_count;
    broker->body_bytes += settings->file.count;
    broker->body_bytes -= line->file.count;
    line->file = settings->file;
    line->keep_jobs_ms = settings->keep_jobs_ms;
    line->name_count = (uint8_t)settings->name.count;
    memcpy(line->name, settings->name.bytes, settings->name.count);
    return true;
}

void line_close(struct broker *broker, uint32_t slot) {
    struct line *line = line_at(broker, slot);
    allocator_give_back(broker->allocator, line->stations);
    line->stations = NULL;
}

/* ---- carry ------------------------------------------------------------------------------------ */

static void carry_queue(const struct broker *broker, struct buffer *out, uint32_t slot) {
    encode_ref(out, ref_at(broker, THING_QUEUE, slot));
    encode_ref(out, (struct broker_ref){0});
}

void line_carry_encode(const struct broker *broker, uint32_t slot, struct buffer *out) {
    const struct line *line = line_at(broker, slot);
    encode_ref(out, ref_at(broker, THING_LINE, slot));
    encode_slice(out, slice_from(line->name, line->name_count));
    encode_i64(out, line->keep_jobs_ms);
    encode_u32(out, 0);
    encode_u32(out, line->stations_count);
    for (uint32_t i = 0; i < line->stations_count; i++) {
        line_station_encode(out, &line->stations[i].settings);
        carry_queue(broker, out, line->stations[i].queue);
        carry_queue(broker, out, line->stations[i].dead_queue);
    }
}

uint32_t line_carry_bodies(const struct broker *broker, uint32_t slot, struct body_ref *out,
                           uint32_t max) {
    CHECK(max >= 1);
    out[0] = line_at(broker, slot)->file;
    return 1;
}

void line_carry_apply(struct applying *applying, uint32_t slot, bool is_new) {
    struct broker *broker = applying->broker;
    struct line *line = line_at(broker, slot);
    struct line_record record = {0};
    if (!record_decode(applying, &record)) {
        applying->is_broken = true;
        return;
    }
    if (!is_new) { /* only its file lies somewhere else now */
        line->file = record.file;
        return;
    }
    struct line_settings settings = {record.name, record.keep_jobs_ms, record.file,
                                     record.stations_count, record.stations};
    if (!line_set(broker, line, &settings)) return;
    for (uint32_t i = 0; i < record.stations_count; i++) {
        line->stations[i].queue = record.queues[i].queue.slot;
        line->stations[i].dead_queue = record.dead_queues[i].queue.slot;
    }
}
