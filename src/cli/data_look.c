/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/data_look.h"

#include <inttypes.h>
#include <stdio.h>

#define ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define LINE_BYTES_MAX (1024u * 1024)
#define MIB (1024u * 1024u)

bool data_look_open(struct data_look *look, struct env *env, const char *path) {
    *look = (struct data_look){.env = env, .path = path};
    arena_open(&look->arena, &env->allocator, ARENA_BYTES_MAX);
    buffer_open(&look->line, &env->allocator, LINE_BYTES_MAX);
    look->progress = progress_begin("MiB read", 0);
    if (shard_replay_open(&look->replay, &env->allocator)) return true;
    fprintf(stderr, "takt: out of memory\n");
    data_look_close(look);
    return false;
}

void data_look_close(struct data_look *look) {
    shard_replay_close(&look->replay);
    allocator_give_back(&look->env->allocator, look->findings);
    buffer_close(&look->line);
    arena_close(&look->arena);
}

static int take_record(void *context, const struct journal_record *record) {
    struct data_look *look = context;
    return shard_replay_add(&look->replay, record);
}

static int take_beyond(void *context, const struct journal_record *record) {
    struct data_look *look = context;
    if (!look->lists_beyond) return 0;
    buffer_clear(&look->line);
    broker_describe_record(look->replay.broker, record->bytes, &look->line);
    printf("  record %" PRIu64 ", %.*s\n", record->lsn, SLICE_ARGS(buffer_slice(&look->line)));
    return 0;
}

static void take_finding(void *context, const struct journal_finding *found) {
    struct data_look *look = context;
    if (look->findings_count == look->findings_capacity) {
        uint32_t capacity = look->findings_capacity == 0 ? 64 : look->findings_capacity * 2;
        struct data_finding *findings = allocator_resize_array(
            &look->env->allocator, look->findings, capacity, sizeof look->findings[0]);
        if (findings == NULL) {
            look->no_memory = true;
            return;
        }
        look->findings = findings;
        look->findings_capacity = capacity;
    }
    look->findings[look->findings_count++] = (struct data_finding){.found = *found};
}

static void take_progress(void *context, uint64_t bytes_done, uint64_t bytes_all) {
    struct data_look *look = context;
    look->progress.whole = bytes_all / MIB;
    if (bytes_done / MIB == look->progress.done && bytes_done < bytes_all) return;
    progress_set(&look->progress, bytes_done / MIB);
}

struct journal_check_options data_look_options(struct data_look *look) {
    return (struct journal_check_options){.env = look->env,
                                          .path = look->path,
                                          .on_record = take_record,
                                          .on_beyond = take_beyond,
                                          .on_finding = take_finding,
                                          .on_progress = take_progress,
                                          .context = look};
}

static struct slice keep(struct data_look *look, struct slice text) {
    char *copy = arena_copy(&look->arena, text);
    return copy == NULL ? SLICE_EMPTY : slice_from(copy, text.count);
}

/* Positions grow along the log, as the findings do. */
static struct data_finding *find_body(const struct data_look *look, uint64_t position) {
    uint32_t low = 0;
    uint32_t high = look->findings_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (look->findings[middle].found.body.position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool is_it = low < look->findings_count && look->findings[low].found.body.position == position;
    return is_it ? &look->findings[low] : NULL;
}

static bool take_owner(void *context, struct body_ref ref, const struct broker_owner *owner) {
    struct data_look *look = context;
    struct data_finding *finding = find_body(look, ref.position);
    if (finding == NULL || finding->is_owned) return true;
    finding->is_owned = true;
    finding->owner = *owner;
    finding->owner.queue = keep(look, owner->queue);
    finding->owner.line = keep(look, owner->line);
    return true;
}

/* Those that are no bodies get a position too, so that all of them are in order. */
static void fill_positions(struct data_look *look) {
    uint64_t position = 0;
    for (uint32_t i = 0; i < look->findings_count; i++) {
        struct body_ref *body = &look->findings[i].found.body;
        bool is_body = look->findings[i].found.damage == JOURNAL_DAMAGE_BODY;
        if (is_body) {
            position = body->position;
        } else {
            body->position = position;
        }
    }
}

void data_look_end(struct data_look *look) {
    progress_end(&look->progress);
    if (!shard_replay_end(&look->replay, look->state, sizeof look->state)) return;
    fill_positions(look);
    broker_each_body(look->replay.broker, take_owner, look);
}
