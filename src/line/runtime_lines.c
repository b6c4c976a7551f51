/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_lines.c -- the lines of the files become lines in force: one LINE_PUT after the other;
 * when the last is durable the stations start.
 */
#include "line/runtime_inside.h"

#include <stdio.h>

static enum missing_policy missing_of(enum definition_missing missing) {
    switch (missing) {
    case DEFINITION_MISSING_FAIL: return MISSING_FAIL;
    case DEFINITION_MISSING_PARTIAL: return MISSING_PARTIAL;
    case DEFINITION_MISSING_DEAD: return MISSING_DEAD;
    }
    CHECK_UNREACHABLE();
}

static struct line_station station_of(const struct definition *definition, uint32_t index) {
    const struct definition_station *from = &definition->stations[index];
    return (struct line_station){
        .name = slice_from_string(from->name),
        .queue = slice_from_string(from->queue.name),
        .dead_queue = slice_from_string(from->queue.dead_name),
        .retention_ms = from->queue.retention_ms,
        .delay_ms = from->queue.delay_ms,
        .within_ms = from->within_ms,
        .backoff_ms_min = from->backoff_min_ms,
        .backoff_ms_max = from->backoff_max_ms,
        .attempts_max = from->retry_attempts,
        .wip_limit = from->wip_limit,
        .join_opener = from->join_opener,
        .missing = missing_of(from->missing),
        .reach = from->joins_reachable,
        .gates = from->gates,
        .is_result = definition->result == (int32_t)index,
        .in_cycle = (from->reachable & DEFINITION_BIT(index)) != 0,
        .hops_max = (uint8_t)definition->hops_max,
    };
}

static void tell(struct runtime *runtime, enum broker_result result, const char *words) {
    if (runtime->is_stopping || runtime->is_closing) return;
    runtime->options.on_ready(runtime->options.context, result, words);
}

static void start_stations(struct runtime *runtime) {
    runtime->is_ready = true;
    for (uint32_t i = 0; i < runtime->lines_count; i++) {
        struct runtime_line *line = &runtime->lines[i];
        for (uint32_t j = 0; j < line->stations_opened; j++) {
            station_want_work(&line->stations[j]);
        }
    }
}

static void put(void *context, const struct broker_answer *answer) {
    struct runtime *runtime = context;
    struct runtime_line *line = &runtime->lines[runtime->lines_put];
    const char *name = line->definition->name;
    runtime->is_putting = false;
    struct line_view view;
    bool is_good = answer->result == BROKER_OK || answer->result == BROKER_NOTHING;
    if (is_good) {
        CHECK(broker_find_line(shard_broker(runtime->shard), slice_from_string(name), &view));
        line->ref = view.ref;
        runtime->lines_put++;
        runtime_put_lines(runtime);
    } else {
        char words[512];
        snprintf(words, sizeof words, "line %s: %s %s", name, broker_result_words(answer->result),
                 answer->detail);
        if (answer->result == BROKER_UNAVAILABLE) runtime_fail(runtime);
        tell(runtime, answer->result, words);
    }
    if (runtime->is_stopping || runtime->is_closing) runtime_want_chores(runtime);
}

static void put_line(struct runtime *runtime, const struct definition *definition) {
    struct line_station stations[DEFINITION_STATIONS_MAX];
    CHECK(definition->stations_count <= DEFINITION_STATIONS_MAX);
    for (uint32_t i = 0; i < definition->stations_count; i++) {
        stations[i] = station_of(definition, i);
    }
    struct command command = {.kind = COMMAND_LINE_PUT};
    command.line_put = (struct command_line_put){
        .name = slice_from_string(definition->name),
        .file = definition->source,
        .stations = stations,
        .stations_count = definition->stations_count,
        .keep_jobs_ms = definition->keep_jobs_ms,
    };
    runtime->is_putting = true;
    shard_submit(runtime->shard, &command, put, runtime);
}

void runtime_put_lines(struct runtime *runtime) {
    if (runtime->is_stopping || runtime->is_closing || runtime->is_failed) return;
    if (runtime->lines_put < runtime->lines_count) {
        put_line(runtime, runtime->lines[runtime->lines_put].definition);
        return;
    }
    start_stations(runtime);
    tell(runtime, BROKER_OK, "");
}
