/* SPDX-License-Identifier: Apache-2.0 */
/* What takt has understood of a line, in words: for `takt check --explain`. */
#include "line/definition_internal.h"

struct explainer {
    const struct definition *definition;
    struct buffer *out;
};

static void print_duration(struct explainer *explainer, const char *before, int64_t ms) {
    char text[32];
    duration_print(ms, text, sizeof text);
    buffer_printf(explainer->out, "%s%s", before, text);
}

static void print_bytes(struct explainer *explainer, const char *before, uint64_t count) {
    char text[32];
    bytes_print(count, text, sizeof text);
    buffer_printf(explainer->out, "%s%s", before, text);
}

static const char *station_name(const struct explainer *explainer, int32_t station) {
    return station < 0 ? "end" : explainer->definition->stations[station].name;
}

static void print_expression(struct explainer *explainer, const char *before,
                             const struct expression *expression) {
    if (expression == NULL) return;
    struct slice text = expression_text(expression);
    buffer_printf(explainer->out, "%s%.*s", before, SLICE_ARGS(text));
}

static void print_set(struct explainer *explainer, definition_set_of_stations set) {
    const char *between = "";
    for (uint32_t i = 0; i < explainer->definition->stations_count; i++) {
        if ((set & DEFINITION_BIT(i)) == 0) continue;
        buffer_printf(explainer->out, "%s%s", between, explainer->definition->stations[i].name);
        between = ", ";
    }
}

static void print_handler(struct explainer *explainer, const struct definition_station *station) {
    static const char *const names[] = {
        [DEFINITION_HANDLER_NONE] = "passes on",
        [DEFINITION_HANDLER_EXEC] = "exec",
        [DEFINITION_HANDLER_STREAM] = "stream",
    };
    buffer_printf(explainer->out, "    handler: %s", names[station->handler]);
    for (uint32_t i = 0; i < station->argv_count; i++) {
        buffer_append_byte(explainer->out, ' ');
        /* Words that were quoted are quoted, so that the line says where they begin and end. */
        struct slice word = slice_from_string(station->argv[i]);
        bool is_plain = word.count > 0 && memchr(word.bytes, ' ', word.count) == NULL;
        if (is_plain)
            buffer_append(explainer->out, word);
        else
            json_write_string(explainer->out, word);
    }
    print_expression(explainer, ", with ", station->with);
    buffer_append_byte(explainer->out, '\n');
    if (station->handler == DEFINITION_HANDLER_NONE) return;
    buffer_printf(explainer->out, "    workers: ");
    if (station->workers_min == station->workers_max) {
        buffer_printf(explainer->out, "%u", station->workers_min);
    } else if (station->workers_max == DEFINITION_WORKERS_BUDGET) {
        buffer_printf(explainer->out, "%u..budget", station->workers_min);
    } else {
        buffer_printf(explainer->out, "%u..%u", station->workers_min, station->workers_max);
    }
    buffer_printf(explainer->out, ", %u at once each\n", station->concurrency);
    buffer_printf(explainer->out, "    attempts: %u, ", station->retry_attempts);
    print_duration(explainer, "", station->timeout_ms);
    print_duration(explainer, " each, backoff ", station->backoff_min_ms);
    print_duration(explainer, "..", station->backoff_max_ms);
    buffer_append_byte(explainer->out, '\n');
}

static void print_next(struct explainer *explainer, const struct definition_station *station) {
    if (station->next_count == 0) {
        buffer_printf(explainer->out, "    next: none; the branch ends here\n");
        return;
    }
    buffer_printf(explainer->out, "    next%s:\n",
                  station->next_mode == DEFINITION_NEXT_FIRST ? " (the first that fits)" : "");
    for (uint32_t i = 0; i < station->next_count; i++) {
        const struct definition_next *next = &station->next[i];
        buffer_printf(explainer->out, "      -> %s%s", station_name(explainer, next->station),
                      next->is_else ? " else" : "");
        print_expression(explainer, ", each ", next->each);
        print_expression(explainer, ", when ", next->when);
        print_expression(explainer, ", with ", next->with);
        buffer_append_byte(explainer->out, '\n');
    }
}

static void print_join(struct explainer *explainer, const struct definition_station *station) {
    static const char *const missing[] = {
        [DEFINITION_MISSING_FAIL] = "fail",
        [DEFINITION_MISSING_PARTIAL] = "partial",
        [DEFINITION_MISSING_DEAD] = "dead",
    };
    if (station->join_opener == DEFINITION_NONE) return;
    buffer_printf(explainer->out, "    joins: %s", station_name(explainer, station->join_opener));
    print_duration(explainer, " within ", station->within_ms);
    buffer_printf(explainer->out, ", missing: %s\n    kit: {", missing[station->missing]);
    for (uint32_t i = 0; i < station->parts_count; i++) {
        const struct definition_part *part = &station->parts[i];
        buffer_printf(explainer->out, "%s%s: %s", i == 0 ? "" : ", ",
                      station_name(explainer, part->station),
                      part->is_array ? "[...]" : "value or null");
    }
    buffer_printf(explainer->out, "}\n");
}

static void print_limits(struct explainer *explainer, const struct definition_station *station) {
    if (station->wip_limit > 0) {
        buffer_printf(explainer->out, "    wip limit: %u\n", station->wip_limit);
    }
    if (station->gates == 0) return;
    buffer_printf(explainer->out, "    stops while full: ");
    print_set(explainer, station->gates);
    buffer_append_byte(explainer->out, '\n');
}

static void print_station(struct explainer *explainer, const struct definition_station *station) {
    buffer_printf(explainer->out, "  station %s\n", station->name);
    print_handler(explainer, station);
    print_join(explainer, station);
    print_next(explainer, station);
    print_limits(explainer, station);
    buffer_printf(explainer->out, "    queue: %s, dead letters %s", station->queue.name,
                  station->queue.dead_name);
    print_duration(explainer, ", retention ", station->queue.retention_ms);
    if (station->queue.delay_ms > 0) {
        print_duration(explainer, ", delay ", station->queue.delay_ms);
    }
    print_bytes(explainer, ", messages up to ", station->queue.message_bytes_max);
    buffer_append_byte(explainer->out, '\n');
}

static void print_route(struct explainer *explainer, const struct definition_route *route) {
    buffer_printf(explainer->out, "  route %s %s -> %s", route->method, route->pattern,
                  station_name(explainer, route->station));
    print_bytes(explainer, ", up to ", route->body_bytes_max);
    for (uint32_t i = 0; i < route->accept_count; i++) {
        buffer_printf(explainer->out, "%s%s", i == 0 ? ", accepts " : " ", route->accept[i]);
    }
    print_expression(explainer, ", with ", route->with);
    print_expression(explainer, ", key ", route->key);
    print_expression(explainer, ", once ", route->once);
    buffer_append_byte(explainer->out, '\n');
    for (uint32_t i = 0; i < route->require_count; i++) {
        buffer_printf(explainer->out, "    requires %s", route->require[i].text);
        print_expression(explainer, ": ", route->require[i].condition);
        buffer_append_byte(explainer->out, '\n');
    }
}

static void print_queue(struct explainer *explainer, const struct definition_queue *queue) {
    buffer_printf(explainer->out, "queue %s", queue->name);
    print_duration(explainer, ": visibility ", queue->visibility_ms);
    print_duration(explainer, ", retention ", queue->retention_ms);
    print_duration(explainer, ", delay ", queue->delay_ms);
    print_bytes(explainer, ", messages up to ", queue->message_bytes_max);
    if (queue->dead_name != NULL) {
        buffer_printf(explainer->out, ", dead letters to %s after %u receives", queue->dead_name,
                      queue->dead_after);
    }
    buffer_append_byte(explainer->out, '\n');
}

void definition_explain(const struct definition *definition, struct buffer *out) {
    struct explainer explainer = {.definition = definition, .out = out};
    if (definition->name != NULL) {
        buffer_printf(out, "line %s\n", definition->name);
        for (uint32_t i = 0; i < definition->routes_count; i++) {
            print_route(&explainer, &definition->routes[i]);
        }
        for (uint32_t i = 0; i < definition->stations_count; i++) {
            print_station(&explainer, &definition->stations[i]);
        }
        if (definition->result != DEFINITION_NONE) {
            buffer_printf(out, "  result: the output of %s\n",
                          station_name(&explainer, definition->result));
        } else {
            buffer_printf(out, "  result: none\n");
        }
        print_duration(&explainer, "  jobs are kept ", definition->keep_jobs_ms);
        buffer_append_byte(out, '\n');
    }
    for (uint32_t i = 0; i < definition->queues_count; i++) {
        print_queue(&explainer, &definition->queues[i]);
    }
}
