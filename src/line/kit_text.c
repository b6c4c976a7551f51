/* SPDX-License-Identifier: Apache-2.0 */
/* kit_text.c -- 1. list the parts, in the order of the split; 2. put them in the order of the text
 * (by station); 3. read one body after the other and write it; 4. tell.
 *
 * A body may be there at once or come later; step 3 is a loop that either kind keeps going.
 */
#include "line/kit_text.h"

#include "broker/message_body.h"
#include "line/kit_writer.h"

#include <errno.h>

#define READS_IN_A_ROW_MAX 256u /* then the loop gets its turn */
#define BODY_FRAME_BYTES 64u
#define NO_PART UINT32_MAX

struct reading {
    struct shard *shard;
    const struct definition_station *join;
    kit_text_fn *done;
    void *context;
    struct kit_part *parts;
    uint32_t *order; /* indexes of parts, as they stand in the text */
    uint32_t *place; /* of each part: its index in join->parts */
    uint32_t parts_count;
    uint32_t order_count;
    uint32_t next;
    uint32_t counts[BROKER_STATIONS_MAX];
    struct kit_writer writer;
    struct buffer text;
    int result;
    bool is_waiting; /* for a body */
    bool is_inside;  /* the loop runs: what comes meanwhile is its business */
};

static void finish(struct reading *reading) {
    const struct env *env = shard_env(reading->shard);
    if (reading->result == 0) {
        kit_writer_end(&reading->writer);
        if (reading->text.failed) {
            bool is_full = reading->text.count + BROKER_NAME_BYTES_MAX > reading->text.bytes_max;
            reading->result = is_full ? -E2BIG : -ENOMEM;
        }
    }
    struct slice text = reading->result == 0 ? buffer_slice(&reading->text) : SLICE_EMPTY;
    reading->done(reading->context, reading->result, text);
    buffer_close(&reading->text);
    allocator_give_back(&env->allocator, reading->parts);
    allocator_give_back(&env->allocator, reading->order);
    allocator_give_back(&env->allocator, reading->place);
    allocator_give_back(&env->allocator, reading);
}

static int add_part(struct reading *reading, struct slice bytes) {
    struct slice text;
    int rc = message_body_text(bytes, &text);
    if (rc < 0) return rc;
    rc = kit_writer_add(&reading->writer, reading->place[reading->order[reading->next]], text);
    if (rc < 0) return rc;
    if (!reading->text.failed) return 0;
    return reading->text.count + text.count + BROKER_NAME_BYTES_MAX > reading->text.bytes_max
               ? -E2BIG
               : -ENOMEM;
}

static void read_parts(void *context);

static void part_read(void *context, int result, struct slice bytes) {
    struct reading *reading = context;
    reading->is_waiting = false;
    reading->result = result < 0 ? result : add_part(reading, bytes);
    reading->next++;
    if (!reading->is_inside) read_parts(reading);
}

static void read_parts(void *context) {
    struct reading *reading = context;
    struct env *env = shard_env(reading->shard);
    reading->is_inside = true;
    uint32_t in_a_row = 0;
    while (!reading->is_waiting && reading->result == 0 && reading->next < reading->order_count) {
        if (in_a_row++ == READS_IN_A_ROW_MAX) {
            in_a_row = 0;
            if (env->ops->defer(env, read_parts, reading) == 0) return; /* still inside */
        }
        reading->is_waiting = true;
        struct body_ref ref = reading->parts[reading->order[reading->next]].body;
        shard_read_body(reading->shard, ref, part_read, reading);
    }
    reading->is_inside = false;
    if (!reading->is_waiting) finish(reading);
}

static uint32_t place_of(const struct reading *reading, uint32_t from) {
    for (uint32_t i = 0; i < reading->join->parts_count; i++) {
        if ((uint32_t)reading->join->parts[i].station == from) return i;
    }
    return NO_PART;
}

/* Sort by place, keeping the order of the split within one. */
static void order_parts(struct reading *reading) {
    uint32_t starts[BROKER_STATIONS_MAX + 1] = {0};
    uint32_t strangers_count = 0;
    for (uint32_t i = 0; i < reading->parts_count; i++) {
        reading->place[i] = place_of(reading, reading->parts[i].from);
        if (reading->place[i] == NO_PART) {
            strangers_count++;
        } else {
            reading->counts[reading->place[i]]++;
        }
    }
    for (uint32_t i = 0; i < reading->join->parts_count; i++) {
        starts[i + 1] = starts[i] + reading->counts[i];
    }
    for (uint32_t i = 0; i < reading->parts_count; i++) {
        if (reading->place[i] != NO_PART) reading->order[starts[reading->place[i]]++] = i;
    }
    reading->order_count = reading->parts_count - strangers_count;
    if (strangers_count > 0) {
        log_printf(shard_log(reading->shard), LOG_WARNING,
                   "a kit for `%s` has %u parts from stations that no longer lead there: left out",
                   reading->join->name, (unsigned)strangers_count);
    }
}

static int list_parts(struct reading *reading, struct broker_ref message, size_t bytes_max) {
    const struct allocator *allocator = &shard_env(reading->shard)->allocator;
    const struct broker *broker = shard_broker(reading->shard);
    uint32_t count = broker_kit_parts(broker, message, 0, NULL, 0);
    size_t room = count > 0 ? count : 1;
    reading->parts = allocator_resize_array(allocator, NULL, room, sizeof reading->parts[0]);
    reading->order = allocator_resize_array(allocator, NULL, room, sizeof reading->order[0]);
    reading->place = allocator_resize_array(allocator, NULL, room, sizeof reading->place[0]);
    if (reading->parts == NULL || reading->order == NULL || reading->place == NULL) return -ENOMEM;

    CHECK(broker_kit_parts(broker, message, 0, reading->parts, count) == count);
    reading->parts_count = count;
    uint64_t bytes_count = 0;
    for (uint32_t i = 0; i < count; i++) bytes_count += reading->parts[i].body.count;
    /* Before reading anything, roughly: what surrounds a body's text there is in no kit. */
    if (bytes_count > bytes_max + (uint64_t)BODY_FRAME_BYTES * count) return -E2BIG;
    order_parts(reading);
    return 0;
}

void kit_text_read(struct shard *shard, const struct definition *definition, uint32_t station,
                   struct broker_ref message, size_t bytes_max, kit_text_fn *done, void *context) {
    const struct allocator *allocator = &shard_env(shard)->allocator;
    CHECK(station < definition->stations_count);
    struct reading *reading = allocator_take(allocator, sizeof *reading);
    if (reading == NULL) {
        done(context, -ENOMEM, SLICE_EMPTY);
        return;
    }
    *reading = (struct reading){
        .shard = shard, .join = &definition->stations[station], .done = done, .context = context};
    buffer_open(&reading->text, allocator, bytes_max);
    reading->result = list_parts(reading, message, bytes_max);
    kit_writer_begin(&reading->writer, definition, station, reading->counts, &reading->text);
    read_parts(reading);
}
