/* SPDX-License-Identifier: Apache-2.0 */
/* Stations. Their names are read first, because `next` and `join` may name a later one; then
 * `defaults`, which every station starts from; then each station's own keys.
 */
#include "line/definition_internal.h"

#define HALF_DAY_MS (DAY_MS / 2)
#define YEAR_MS (365 * DAY_MS)
#define WIP_LIMIT_MAX 1000000u
#define WORKERS_MAX 1000u
#define CONCURRENCY_MAX 1000u
#define ATTEMPTS_MAX 1000u

static void read_join(struct definition_reader *reader, const struct tree_node *node,
                      void *target) {
    struct definition_station *station = target;
    int32_t opener = DEFINITION_NONE;
    if (!value_station(reader, node, &opener)) return;
    struct definition_station *split = &reader->stations[opener];
    int32_t self = (int32_t)(station - reader->stations);
    if (split == station) {
        READ_ERROR(reader, node->place, "a station cannot join what it splits itself");
    } else if (split->split_join != DEFINITION_NONE) {
        READ_ERROR(reader, node->place, "`%s` is joined already, by `%s`: one split has one join",
                   split->name, reader->stations[split->split_join].name);
    } else {
        station->join_opener = opener;
        split->split_join = self;
    }
}

static void read_missing(struct definition_reader *reader, const struct tree_node *node,
                         void *target) {
    static const char *const names[] = {"fail", "partial", "dead"};
    size_t choice = 0;
    if (value_choice(reader, node, names, ARRAY_COUNT(names), &choice)) {
        ((struct definition_station *)target)->missing = (enum definition_missing)choice;
    }
}

static void read_with(struct definition_reader *reader, const struct tree_node *node,
                      void *station) {
    unsigned allowed = EXPRESSION_BIT(EXPRESSION_IN) | EXPRESSION_BIT(EXPRESSION_ORDER) |
                       EXPRESSION_BIT(EXPRESSION_JOB);
    (void)value_expression(reader, node, allowed, &((struct definition_station *)station)->with);
}

static void read_backoff(struct definition_reader *reader, const struct tree_node *node,
                         void *target) {
    struct definition_station *station = target;
    (void)value_duration_range(reader, node, 0, HALF_DAY_MS, &station->backoff_min_ms,
                               &station->backoff_max_ms);
}

static void read_retry(struct definition_reader *reader, const struct tree_node *node,
                       void *station) {
    static const struct key keys[] = {
        KEY_OF("attempts", KEY_COUNT, definition_station, retry_attempts, 1, ATTEMPTS_MAX),
        {"backoff", read_backoff},
        {"final", NULL},
    };
    if (node->kind == TREE_TEXT) {
        (void)value_count(reader, node, 1, ATTEMPTS_MAX,
                          &((struct definition_station *)station)->retry_attempts);
    } else {
        keys_read(reader, node, "`retry`", keys, ARRAY_COUNT(keys), station);
    }
}

static void read_workers(struct definition_reader *reader, const struct tree_node *node,
                         void *target) {
    struct definition_station *station = target;
    struct slice text;
    if (!value_text(reader, node, &text)) return;
    const char *dots = text.count == 0 ? NULL : memmem(text.bytes, text.count, "..", 2);
    struct slice first = text;
    struct slice second = text;
    if (dots != NULL) {
        first.count = (size_t)(dots - text.bytes);
        second = slice_skip(text, first.count + 2);
    }
    uint32_t min = 0;
    uint32_t max = DEFINITION_WORKERS_BUDGET;
    bool is_budget = dots != NULL && slice_equal(second, SLICE("budget"));
    if (!slice_to_count(first, 0, WORKERS_MAX, &min) ||
        (!is_budget && !slice_to_count(second, 0, WORKERS_MAX, &max))) {
        READ_ERROR(reader, node->place,
                   "`%.*s` is neither a number of workers (4) nor a range (0..8), up to %u",
                   SLICE_ARGS(text), WORKERS_MAX);
    } else if (min > max) {
        READ_ERROR(reader, node->place, "`%.*s`: a range goes from the smaller to the larger",
                   SLICE_ARGS(text));
    } else if (max == 0) {
        READ_ERROR(reader, node->place, "a station without workers would never do anything");
    } else {
        station->workers_min = min;
        station->workers_max = max;
    }
}

static void read_wip_limit(struct definition_reader *reader, const struct tree_node *node,
                           void *station) {
    struct slice text;
    uint32_t zero = 0;
    if (!value_text(reader, node, &text)) return;
    if (slice_to_count(text, 0, 0, &zero)) {
        READ_ERROR(reader, node->place,
                   "a limit of 0 would lock the line: nothing could ever come here");
        return;
    }
    (void)value_count(reader, node, 1, WIP_LIMIT_MAX,
                      &((struct definition_station *)station)->wip_limit);
}

#define KEY_TIMEOUT KEY_OF("timeout", KEY_DURATION, definition_station, timeout_ms, 1, HALF_DAY_MS)
#define KEY_CONCURRENCY                                                                            \
    KEY_OF("concurrency", KEY_COUNT, definition_station, concurrency, 1, CONCURRENCY_MAX)
#define KEY_MAX_WAIT KEY_OF("max_wait", KEY_DURATION, definition_station, max_wait_ms, 1, DAY_MS)
#define KEY_IDLE_TIMEOUT                                                                           \
    KEY_OF("idle_timeout", KEY_DURATION, definition_station, idle_timeout_ms, 1, DAY_MS)

static const struct key station_keys[] = {
    {"exec", handler_read_exec},
    {"stream", handler_read_stream},
    {"next", next_read},
    {"join", read_join},
    KEY_OF("within", KEY_DURATION, definition_station, within_ms, 1, YEAR_MS),
    {"missing", read_missing},
    {"with", read_with},
    {"cwd", handler_read_cwd},
    {"env", handler_read_env},
    {"retry", read_retry},
    KEY_TIMEOUT,
    {"workers", read_workers},
    KEY_CONCURRENCY,
    KEY_MAX_WAIT,
    KEY_IDLE_TIMEOUT,
    {"wip_limit", read_wip_limit},
    {"queue", queue_read_of_station},
    {"lambda", NULL},
    {"push", NULL},
    {"polled", NULL},
    {"start", NULL},
    {"event", NULL},
    {"collect", NULL},
    {"batch", NULL},
    {"in_flight", NULL},
    {"rate", NULL},
    {"priority", NULL},
    {"limits", NULL},
    {"on_fail", NULL},
    {"secrets", NULL},
    {"env_file", NULL},
    {"user", NULL},
    {"ready", NULL},
    {"output", NULL},
    {"door", NULL},
};

static const struct key default_keys[] = {
    {"cwd", handler_read_cwd},
    {"env", handler_read_env},
    {"retry", read_retry},
    KEY_TIMEOUT,
    {"workers", read_workers},
    KEY_CONCURRENCY,
    KEY_MAX_WAIT,
    KEY_IDLE_TIMEOUT,
    {"in_flight", NULL},
    {"rate", NULL},
    {"priority", NULL},
    {"limits", NULL},
    {"on_fail", NULL},
    {"secrets", NULL},
    {"env_file", NULL},
    {"user", NULL},
    {"ready", NULL},
    {"output", NULL},
};

static void check_station(struct definition_reader *reader, struct definition_station *station,
                          const struct tree_node *node) {
    if (node->kind != TREE_MAP) return; /* that has been said */
    const struct tree_item *join = key_item(node, "join");
    const struct tree_item *within = key_item(node, "within");
    const struct tree_item *missing = key_item(node, "missing");
    if (join != NULL && within == NULL) {
        READ_ERROR(reader, join->key->place,
                   "a join needs `within`: how long it waits for the last part, as in within: 30m");
    }
    if (join == NULL && within != NULL) {
        READ_ERROR(reader, within->key->place, "`within` belongs to a `join`, and there is none");
    }
    if (join == NULL && missing != NULL) {
        READ_ERROR(reader, missing->key->place, "`missing` belongs to a `join`, and there is none");
    }
    if (station->handler == DEFINITION_HANDLER_NONE && join == NULL &&
        key_item(node, "next") == NULL && key_item(node, "with") == NULL) {
        bool has_other = false; /* lambda and its like have had their error */
        static const char *const others[] = {"lambda", "push", "polled", "collect"};
        for (size_t i = 0; i < ARRAY_COUNT(others); i++) {
            has_other = has_other || key_item(node, others[i]) != NULL;
        }
        if (!has_other) {
            READ_ERROR(reader, station->place,
                       "station `%s` does nothing: it has no handler (`exec` or `stream`), no "
                       "`next`, no `with` and no `join`",
                       station->name);
        }
    }
    handler_check(reader, station, node);
    queue_complete_station(reader, station);
}

static void read_names(struct definition_reader *reader, const struct tree_node *stations) {
    struct definition *definition = reader->definition;
    for (const struct tree_item *item = stations->items; item != NULL; item = item->next) {
        struct definition_station *station = &reader->stations[definition->stations_count];
        if (definition->stations_count == DEFINITION_STATIONS_MAX) {
            READ_ERROR(reader, item->key->place, "a line has at most %u stations",
                       DEFINITION_STATIONS_MAX);
            return;
        }
        const char *name = NULL;
        if (!value_name(reader, item->key, "station", &name)) {
            /* It stays in the table under the name as written, so that what names it is no error. */
            name = reader_copy(reader, item->key->text);
            if (name == NULL) return;
        } else if (strcmp(name, "end") == 0) {
            READ_ERROR(reader, item->key->place,
                       "no station can be called `end`: it is where a "
                       "branch ends");
        }
        *station = (struct definition_station){.place = item->key->place,
                                               .name = name,
                                               .join_opener = DEFINITION_NONE,
                                               .split_join = DEFINITION_NONE};
        reader->station_nodes[definition->stations_count++] = item->value;
    }
}

void station_read_all(struct definition_reader *reader, const struct tree_node *stations,
                      const struct tree_node *defaults) {
    if (stations->kind != TREE_MAP || stations->items == NULL) {
        READ_ERROR(reader, stations->place, "`stations` must be a map of names and stations");
        return;
    }
    read_names(reader, stations);
    struct definition_station start = {.name = "defaults",
                                       .cwd = reader->folder,
                                       .join_opener = DEFINITION_NONE,
                                       .split_join = DEFINITION_NONE,
                                       .retry_attempts = 5,
                                       .backoff_min_ms = 1000,
                                       .backoff_max_ms = 60000,
                                       .timeout_ms = 60000,
                                       .workers_max = DEFINITION_WORKERS_BUDGET,
                                       .concurrency = 1};
    if (defaults != NULL) {
        keys_read(reader, defaults, "`defaults`", default_keys, ARRAY_COUNT(default_keys), &start);
    }
    for (uint32_t i = 0; i < reader->definition->stations_count; i++) {
        struct definition_station *station = &reader->stations[i];
        start.place = station->place;
        start.name = station->name;
        *station = start;
    }
    for (uint32_t i = 0; i < reader->definition->stations_count; i++) {
        struct definition_station *station = &reader->stations[i];
        keys_read(reader, reader->station_nodes[i], "a station", station_keys,
                  ARRAY_COUNT(station_keys), station);
    }
    for (uint32_t i = 0; i < reader->definition->stations_count; i++) {
        check_station(reader, &reader->stations[i], reader->station_nodes[i]);
    }
}
