/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c -- a random line: up to nine stations, routes on and sometimes back, joins, limits. */
#include "sim.h"

#include <stdio.h>

#define LINE SLICE("line")
#define DAY_MS 86400000ll

static void name_station(struct sim_line *line, uint32_t i) {
    char(*names)[24] = line->names[i];
    (void)snprintf(names[0], sizeof names[0], "s%u", i);
    (void)snprintf(names[1], sizeof names[1], "line_s%u", i);
    (void)snprintf(names[2], sizeof names[2], "line_s%u_dead", i);
    line->stations[i].name = slice_from_string(names[0]);
    line->stations[i].queue = slice_from_string(names[1]);
    line->stations[i].dead_queue = slice_from_string(names[2]);
}

static void choose_settings(struct sim *sim, struct line_station *station) {
    station->retention_ms = sim_below(sim, 6) == 0 ? DAY_MS : 14 * DAY_MS;
    station->delay_ms = sim_below(sim, 6) == 0 ? 2000 : 0;
    station->backoff_ms_min = 500;
    station->backoff_ms_max = 4000;
    station->attempts_max = 1 + sim_below(sim, 4);
    station->wip_limit = sim_below(sim, 4) == 0 ? 3 + sim_below(sim, 20) : 0;
    station->within_ms = sim_below(sim, 3) == 0 ? 5000 + (int64_t)sim_below(sim, 60000) : DAY_MS;
    station->missing = (enum missing_policy)sim_below(sim, 3);
}

/* Often few, so that loops are cut. */
static void choose_hops(struct sim *sim, struct sim_line *line) {
    uint32_t below = sim_below(sim, 3) == 0 ? BROKER_HOPS_MAX : 8;
    line->hops_max = (uint8_t)(1 + sim_below(sim, below));
}

static void choose_routes(struct sim *sim, struct sim_line *line) {
    uint32_t count = line->stations_count;
    for (uint32_t i = 0; i < count; i++) {
        line->routes[i] = i + 1 < count ? 1ull << (i + 1) : 0;
        for (uint32_t k = i + 2; k < count; k++) {
            if (sim_below(sim, 3) == 0) line->routes[i] |= 1ull << k;
        }
        if (sim_below(sim, 8) == 0) line->routes[i] |= 1ull << sim_below(sim, i + 1);
    }
}

static void choose_joins(struct sim *sim, struct sim_line *line) {
    uint64_t opened = 0;
    for (uint32_t i = 1; i < line->stations_count; i++) {
        uint32_t opener = sim_below(sim, i);
        if (sim_below(sim, 2) == 0 || (opened >> opener & 1) != 0) continue;
        opened |= 1ull << opener;
        line->stations[i].join_opener = (int32_t)opener;
    }
}

/* Every station that can be reached from each. */
static void close_reach(struct sim_line *line) {
    uint32_t count = line->stations_count;
    for (uint32_t i = 0; i < count; i++) line->stations[i].reach = line->routes[i];
    for (uint32_t round = 0; round < count; round++) {
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < count; k++) {
                bool goes_there = (line->stations[i].reach >> k & 1) != 0;
                if (goes_there) line->stations[i].reach |= line->stations[k].reach;
            }
        }
    }
}

/* What follows from the routes, as the line's reader concludes it. */
static void conclude(struct sim_line *line) {
    uint32_t count = line->stations_count;
    uint64_t joins = 0;
    close_reach(line);
    for (uint32_t i = 0; i < count; i++) {
        struct line_station *station = &line->stations[i];
        if (station->join_opener >= 0) joins |= 1ull << i;
        station->in_cycle = (station->reach >> i & 1) != 0;
        station->hops_max = line->hops_max;
        station->is_result = i + 1 == count;
        station->gates = 0;
        for (uint32_t k = i + 1; k < count; k++) {
            bool leads_back = (line->stations[k].reach >> i & 1) != 0;
            bool is_next = (line->routes[i] >> k & 1) != 0;
            bool is_gate = is_next && !leads_back && line->stations[k].wip_limit > 0;
            if (is_gate) station->gates |= 1ull << k;
        }
    }
    for (uint32_t i = 0; i < count; i++) line->stations[i].reach &= joins;
}

void lines_choose(struct sim *sim) {
    struct sim_line *line = &sim->line;
    line->stations_count = 3 + sim_below(sim, MODEL_STATIONS_MAX - 2);
    for (uint32_t i = 0; i < line->stations_count; i++) {
        name_station(line, i);
        choose_settings(sim, &line->stations[i]);
        line->stations[i].join_opener = -1;
    }
    choose_routes(sim, line);
    choose_joins(sim, line);
    choose_hops(sim, line);
    conclude(line);
}

void lines_put(struct sim *sim) {
    struct sim_line *line = &sim->line;
    char file[40];
    (void)snprintf(file, sizeof file, "version %u of a simulated line", line->versions++);
    struct command command = {.kind = COMMAND_LINE_PUT,
                              .line_put = {.name = LINE,
                                           .file = slice_from_string(file),
                                           .stations = line->stations,
                                           .stations_count = line->stations_count,
                                           .keep_jobs_ms = 2 * DAY_MS}};
    clients_submit(sim, &command, &(struct sim_request){.queue = MODEL_QUEUES});
}

/* The file has other settings now. */
void lines_change(struct sim *sim) {
    for (uint32_t i = 0; i < sim->line.stations_count; i++) {
        choose_settings(sim, &sim->line.stations[i]);
    }
    choose_hops(sim, &sim->line);
    conclude(&sim->line);
    lines_put(sim);
}

struct broker_ref lines_ref(const struct sim *sim) {
    struct line_view view;
    bool is_there = broker_find_line(shard_broker(sim->shard), LINE, &view);
    return is_there ? view.ref : (struct broker_ref){0};
}

/* BROKER_TARGET_END, or one of those it may hand on to; `onwards`: never back. */
uint32_t lines_target(struct sim *sim, uint32_t from, bool onwards) {
    uint64_t routes = sim->line.routes[from];
    if (onwards) routes &= ~((2ull << from) - 1);
    if (routes == 0 || sim_below(sim, 12) == 0) return BROKER_TARGET_END;
    uint32_t skip = sim_below(sim, (uint32_t)__builtin_popcountll(routes));
    while (skip-- > 0) routes &= routes - 1;
    return (uint32_t)__builtin_ctzll(routes);
}
