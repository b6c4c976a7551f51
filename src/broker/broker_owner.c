/* SPDX-License-Identifier: Apache-2.0 */
/* broker_owner.c -- whose is a body? Asked when one is damaged, so it may take its time. */
#include "broker/broker_lines.h"
#include "broker/broker_queue.h"

#include "base/hash.h"

#include <stdio.h>

struct telling {
    const struct broker *broker;
    broker_owner_fn *fn;
    void *context;
    struct broker_owner owner;
};

static bool tell(struct telling *telling, const char *part, struct body_ref ref) {
    if (ref.position == 0) return true;
    telling->owner.part = part;
    return telling->fn(telling->context, ref, &telling->owner);
}

static void name_line(struct broker_owner *owner, const struct broker *broker,
                      struct broker_ref ref) {
    const struct line *line = thing_find(broker, THING_LINE, ref);
    if (line != NULL) owner->line = slice_from(line->name, line->name_count);
}

static void name_job(struct broker_owner *owner, const struct broker *broker, uint32_t slot) {
    if (slot == BROKER_NONE) return;
    const struct job *job = job_at(broker, slot);
    owner->has_job_id = true;
    memcpy(owner->job_id, job->id, sizeof owner->job_id);
    name_line(owner, broker, (struct broker_ref){job->line_number, job->line});
}

static void name_message(struct broker_owner *owner, const struct broker *broker, uint32_t slot) {
    const struct message *message = message_at(broker, slot);
    const struct queue *queue = message_queue(broker, message);
    owner->has_message_id = true;
    message_id(broker, message->thing.number, owner->message_id);
    if (queue != NULL) owner->queue = slice_from(queue->name, queue->name_count);
    uint32_t piece = message_aside(broker, message, THING_PIECE);
    if (piece != BROKER_NONE) name_job(owner, broker, piece_at(broker, piece)->job);
}

static void name_thing(struct broker_owner *owner, const struct broker *broker,
                       enum thing_kind kind, uint32_t slot) {
    *owner = (struct broker_owner){.kind = thing_rows[kind].name, .part = ""};
    if (kind == THING_MESSAGE) name_message(owner, broker, slot);
    if (kind == THING_JOB) name_job(owner, broker, slot);
    if (kind == THING_ROLL) name_job(owner, broker, roll_at(broker, slot)->job);
    if (kind == THING_LINE) {
        owner->line = slice_from(line_at(broker, slot)->name, line_at(broker, slot)->name_count);
    }
}

/* Each gives false when it was told to stop. */
static bool tell_message(struct telling *telling, uint32_t slot) {
    const struct message *message = message_at(telling->broker, slot);
    if (!tell(telling, "body", message_body_ref(message))) return false;
    uint32_t piece = message_aside(telling->broker, message, THING_PIECE);
    return piece == BROKER_NONE || tell(telling, "error", piece_error(telling->broker, piece));
}

static bool tell_job(struct telling *telling, uint32_t slot) {
    const struct job *job = job_at(telling->broker, slot);
    return tell(telling, "order", job->order) && tell(telling, "result", job->result) &&
           tell(telling, "history", job->history) && tell(telling, "error", job->error);
}

static bool tell_roll(struct telling *telling, uint32_t slot) {
    const struct roll *roll = roll_at(telling->broker, slot);
    bool goes_on = true;
    for (uint32_t i = roll->chunk; goes_on && i < roll->chunks_count; i++) {
        goes_on = tell(telling, "outputs", roll->chunks[i]);
    }
    return goes_on;
}

static bool tell_line(struct telling *telling, uint32_t slot) {
    return tell(telling, "file", line_at(telling->broker, slot)->file);
}

void broker_each_body(const struct broker *broker, broker_owner_fn *fn, void *context) {
    static const struct {
        enum thing_kind kind;
        bool (*tell)(struct telling *telling, uint32_t slot);
    } kinds[] = {{THING_MESSAGE, tell_message},
                 {THING_JOB, tell_job},
                 {THING_ROLL, tell_roll},
                 {THING_LINE, tell_line}};
    struct telling telling = {.broker = broker, .fn = fn, .context = context};
    bool goes_on = true;
    for (size_t i = 0; goes_on && i < ARRAY_COUNT(kinds); i++) {
        const struct pool *pool = &broker->pools[kinds[i].kind];
        uint32_t slot = pool_next_taken(pool, 0);
        for (; goes_on && slot != BROKER_NONE; slot = pool_next_taken(pool, slot + 1)) {
            name_thing(&telling.owner, broker, kinds[i].kind, slot);
            goes_on = kinds[i].tell(&telling, slot);
        }
    }
}

void broker_describe(const struct broker *broker, uint32_t kind, struct broker_ref thing,
                     char *words, size_t words_bytes) {
    CHECK(kind > THING_NONE && kind < THING_KINDS_COUNT && words_bytes > 0);
    struct broker_owner owner;
    char id[33] = "";
    (void)snprintf(words, words_bytes, "a %s", thing_rows[kind].name);
    if (thing_find(broker, (enum thing_kind)kind, thing) == NULL) return;
    name_thing(&owner, broker, (enum thing_kind)kind, thing.slot);
    if (owner.has_message_id) {
        hex_write(owner.message_id, 16, id);
    } else if (owner.has_job_id) {
        hex_write(owner.job_id, 16, id);
    }
    bool has_queue = owner.queue.count > 0;
    struct slice name = has_queue ? owner.queue : owner.line;
    (void)snprintf(words, words_bytes, "%s%s%s%s%.*s", owner.kind, id[0] == '\0' ? "" : " ", id,
                   name.count == 0 ? ""
                   : has_queue     ? " of queue "
                                   : " of line ",
                   SLICE_ARGS(name));
}

static void describe_send(const struct broker *broker, struct decoder *in, struct buffer *out) {
    const struct queue *queue = thing_find(broker, THING_QUEUE, decode_ref(in));
    (void)decode_ref(in); /* its store */
    uint32_t count = decode_u32(in);
    if (queue != NULL) buffer_printf(out, " to queue %.*s", (int)queue->name_count, queue->name);
    for (uint32_t i = 0; i < count && i < BROKER_BATCH_MAX; i++) {
        struct broker_ref ref = decode_ref(in);
        (void)decode_i64(in);
        if (in->failed || broker->pools[THING_ROOT].count == 0) return;
        uint8_t bytes[16];
        char id[33] = "";
        message_id(broker, ref.number, bytes);
        hex_write(bytes, sizeof bytes, id);
        buffer_printf(out, "%s %s", i == 0 ? ":" : ",", id);
    }
}

void broker_describe_record(const struct broker *broker, struct slice record, struct buffer *out) {
    struct decoder in = {.rest = record};
    uint8_t kind = decode_u8(&in);
    (void)decode_u8(&in); /* its version */
    uint8_t flags = decode_u8(&in);
    (void)decode_i64(&in);
    if (flags != 0) (void)decode_bytes(&in, 32);
    if (in.failed || kind >= RECORD_KINDS_END || record_rows[kind].name == NULL) {
        buffer_append_string(out, "of a kind that this takt does not know");
        return;
    }
    buffer_append_string(out, record_rows[kind].name);
    if (kind == RECORD_SEND) describe_send(broker, &in, out);
}
