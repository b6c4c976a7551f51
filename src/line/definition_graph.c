/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from the arrows of a line. All of it is over sets of at most 64 stations, each a
 * u64, and is found by going round until nothing changes: every round adds at least one bit or is
 * the last, so the rounds are bounded by the stations.
 *
 * The split of an opener O with the join J has an **inside**: the stations that its messages can
 * be at. From O's targets it goes along `next`, ends at J, and ends at another join unless that
 * one's opener lies inside too: a join of an outer split takes the message out of this one. From
 * this follow
 *   - which stations count as living (joins_reachable: inside, and J can still be reached),
 *   - the parts of the kit (the stations from which an arrow leads to J), and
 *   - what must be refused: an arrow into the inside or into J from anywhere else would bring a
 *     message that belongs to no open split of O.
 */
#include "line/definition_internal.h"

#define ONE 1u
#define MANY 2u

struct graph {
    struct definition_reader *reader;
    struct definition_station *stations;
    uint32_t count;
    uint64_t next[DEFINITION_STATIONS_MAX];   /* targets of each */
    uint64_t inside[DEFINITION_STATIONS_MAX]; /* of the split that the station opens */
    uint64_t roots;                           /* where orders come in */
};

static bool has(uint64_t set, uint32_t station) {
    return (set & DEFINITION_BIT(station)) != 0;
}

static void find_arrows(struct graph *graph) {
    for (uint32_t i = 0; i < graph->count; i++) {
        const struct definition_station *station = &graph->stations[i];
        for (uint32_t j = 0; j < station->next_count; j++) {
            if (station->next[j].station < 0) continue;
            graph->next[i] |= DEFINITION_BIT(station->next[j].station);
        }
    }
    for (uint32_t i = 0; i < graph->count; i++) graph->stations[i].reachable = graph->next[i];
    for (uint32_t k = 0; k < graph->count; k++) {
        for (uint32_t i = 0; i < graph->count; i++) {
            if (!has(graph->stations[i].reachable, k)) continue;
            graph->stations[i].reachable |= graph->stations[k].reachable;
        }
    }
}

/* ---- Where work comes in, and where it ends ---- */

static void find_roots(struct graph *graph) {
    const struct definition *definition = graph->reader->definition;
    for (uint32_t i = 0; i < definition->routes_count; i++) {
        if (definition->routes[i].station < 0) continue;
        graph->roots |= DEFINITION_BIT(definition->routes[i].station);
    }
    if (definition->routes_count > 0) return;
    /* Without a gateway, orders are sent to the queues of the stations that nothing leads to. */
    uint64_t targets = 0;
    for (uint32_t i = 0; i < graph->count; i++) targets |= graph->next[i];
    for (uint32_t i = 0; i < graph->count; i++) {
        if (!has(targets, i)) graph->roots |= DEFINITION_BIT(i);
    }
}

static void check_reached(struct graph *graph) {
    uint64_t reached = graph->roots;
    for (uint32_t i = 0; i < graph->count; i++) {
        if (has(graph->roots, i)) reached |= graph->stations[i].reachable;
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        if (has(reached, i)) continue;
        READ_ERROR(graph->reader, graph->stations[i].place,
                   "nothing leads to station `%s`: no route and no `next` of a station in use",
                   graph->stations[i].name);
    }
}

static bool is_end(const struct definition_station *station) {
    for (uint32_t i = 0; i < station->next_count; i++) {
        if (station->next[i].station == DEFINITION_NONE) return true;
    }
    return station->next_count == 0;
}

static void check_ends(struct graph *graph) {
    uint64_t ends = 0;
    for (uint32_t i = 0; i < graph->count; i++) {
        if (is_end(&graph->stations[i])) ends |= DEFINITION_BIT(i);
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        const struct definition_station *station = &graph->stations[i];
        if (has(ends, i) || (station->reachable & ends) != 0) continue;
        READ_ERROR(graph->reader, station->place,
                   "from station `%s` the work can never end: every way leads back", station->name);
        return; /* one of the cycle is enough */
    }
}

/* ---- Splits ---- */

/* Whether a message that goes to `station` stays in the split whose inside is given. */
static bool stays_inside(const struct graph *graph, uint64_t inside, uint32_t station) {
    int32_t opener = graph->stations[station].join_opener;
    return opener == DEFINITION_NONE || has(inside, (uint32_t)opener);
}

static void find_inside(struct graph *graph, uint32_t opener) {
    uint32_t join = (uint32_t)graph->stations[opener].split_join;
    uint64_t inside = 0;
    bool has_grown = true;
    while (has_grown) {
        has_grown = false;
        uint64_t targets = graph->next[opener];
        for (uint32_t i = 0; i < graph->count; i++) {
            if (has(inside, i)) targets |= graph->next[i];
        }
        for (uint32_t i = 0; i < graph->count; i++) {
            if (i == join || !has(targets, i) || has(inside, i)) continue;
            if (!stays_inside(graph, inside, i)) continue;
            inside |= DEFINITION_BIT(i);
            has_grown = true;
        }
    }
    graph->inside[opener] = inside;
}

/* Stations inside from which the join can be reached: each has a way of stations inside. */
static uint64_t find_living(const struct graph *graph, uint32_t opener) {
    uint32_t join = (uint32_t)graph->stations[opener].split_join;
    uint64_t living = 0;
    bool has_grown = true;
    while (has_grown) {
        has_grown = false;
        for (uint32_t i = 0; i < graph->count; i++) {
            if (!has(graph->inside[opener], i) || has(living, i)) continue;
            if (!has(graph->next[i], join) && (graph->next[i] & living) == 0) continue;
            living |= DEFINITION_BIT(i);
            has_grown = true;
        }
    }
    return living;
}

/* Nothing may come into the split but through its opener. */
static void check_inside(struct graph *graph, uint32_t opener, uint64_t living) {
    const struct definition_station *split = &graph->stations[opener];
    uint32_t join = (uint32_t)split->split_join;
    uint64_t closed = living | DEFINITION_BIT(join);
    uint64_t allowed = graph->inside[opener] | DEFINITION_BIT(opener);
    for (uint32_t i = 0; i < graph->count; i++) {
        const struct definition_station *station = &graph->stations[i];
        if (has(closed, i) && has(graph->roots, i)) {
            READ_ERROR(graph->reader, station->place,
                       "orders come in at `%s`, but it is part of the split of `%s` that `%s` "
                       "joins: nothing would be open there",
                       station->name, split->name, graph->stations[join].name);
        }
        for (uint32_t j = 0; j < station->next_count; j++) {
            int32_t target = station->next[j].station;
            if (has(allowed, i) || target < 0 || !has(closed, (uint32_t)target)) continue;
            READ_ERROR(graph->reader, station->next[j].place,
                       "`%s` comes to `%s` from outside of the split of `%s` that `%s` joins: "
                       "nothing would be open there",
                       station->name, graph->stations[target].name, split->name,
                       graph->stations[join].name);
        }
    }
}

/* How many messages one entry brings to the join from `part`, if each target brings `counts`. */
static uint32_t count_entry(const struct graph *graph, uint32_t opener, uint32_t part,
                            uint32_t station, const struct definition_next *next,
                            const uint32_t *counts) {
    if (next->station < 0) return 0;
    uint32_t target = (uint32_t)next->station;
    uint32_t count = 0;
    if (graph->stations[opener].split_join == next->station) {
        count = station == part ? ONE : 0;
    } else if (has(graph->inside[opener], target) &&
               graph->stations[target].join_opener == DEFINITION_NONE) {
        count = counts[target];
    }
    return count > 0 && next->each != NULL ? MANY : count;
}

static uint32_t count_station(const struct graph *graph, uint32_t opener, uint32_t part,
                              uint32_t index, const uint32_t *counts) {
    const struct definition_station *station = &graph->stations[index];
    uint32_t sum = 0;
    uint32_t largest = 0;
    for (uint32_t i = 0; i < station->next_count; i++) {
        uint32_t count = count_entry(graph, opener, part, index, &station->next[i], counts);
        if (count > largest) largest = count;
        if (!station->next[i].is_else) sum += count;
    }
    uint32_t result = station->next_mode == DEFINITION_NEXT_ALL && sum > largest ? sum : largest;
    /* However many messages an inner split has, its join hands on one. */
    if (index != opener && station->split_join != DEFINITION_NONE) {
        result += counts[station->split_join];
    }
    return result > MANY ? MANY : result;
}

/* Whether more than one message can arrive at the join from `part`. */
static bool can_be_many(const struct graph *graph, uint32_t opener, uint32_t part) {
    uint32_t counts[DEFINITION_STATIONS_MAX] = {0};
    uint64_t involved = graph->inside[opener] | DEFINITION_BIT(opener);
    bool has_grown = true;
    while (has_grown) {
        has_grown = false;
        for (uint32_t i = 0; i < graph->count; i++) {
            if (!has(involved, i)) continue;
            uint32_t count = count_station(graph, opener, part, i, counts);
            if (count <= counts[i]) continue;
            counts[i] = count;
            has_grown = true;
        }
    }
    return counts[opener] == MANY;
}

static void find_parts(struct graph *graph, uint32_t opener) {
    struct definition_station *join = &graph->stations[graph->stations[opener].split_join];
    struct definition_part *parts = reader_take(graph->reader, graph->count, sizeof *parts);
    if (parts == NULL) return;
    uint32_t count = 0;
    uint64_t involved = graph->inside[opener] | DEFINITION_BIT(opener);
    for (uint32_t i = 0; i < graph->count; i++) {
        if (!has(involved, i) || !has(graph->next[i], (uint32_t)(join - graph->stations))) continue;
        parts[count++] = (struct definition_part){.station = (int32_t)i,
                                                  .is_array = can_be_many(graph, opener, i)};
    }
    join->parts = parts;
    join->parts_count = count;
}

static void conclude_split(struct graph *graph, uint32_t opener) {
    struct definition_station *split = &graph->stations[opener];
    uint32_t join = (uint32_t)split->split_join;
    find_inside(graph, opener);
    uint64_t living = find_living(graph, opener);
    if (has(graph->inside[opener], opener)) {
        READ_ERROR(graph->reader, split->place,
                   "`%s` can come back to itself before its join `%s`: a split cannot lie in "
                   "itself",
                   split->name, graph->stations[join].name);
        return;
    }
    if (!has(graph->next[opener], join) && (graph->next[opener] & living) == 0) {
        READ_ERROR(graph->reader, graph->stations[join].place,
                   "`%s` joins `%s`, but nothing that `%s` sends can come there%s",
                   graph->stations[join].name, split->name, split->name,
                   has(split->reachable, join) ? " before an outer split is joined" : "");
        return;
    }
    check_inside(graph, opener, living);
    for (uint32_t i = 0; i < graph->count; i++) {
        if (has(living, i)) graph->stations[i].joins_reachable |= DEFINITION_BIT(join);
    }
    find_parts(graph, opener);
}

/* ---- Limits ---- */

/* Walk on from each target: one with a limit is a gate and ends the walk; one from which the
 * station can be reached again must not stop it, or the cycle could not empty itself. */
static uint64_t find_gates(const struct graph *graph, uint32_t station) {
    uint64_t gates = 0;
    uint64_t seen = 0;
    uint64_t open = graph->next[station];
    while ((open & ~seen) != 0) {
        uint32_t target = (uint32_t)__builtin_ctzll(open & ~seen);
        seen |= DEFINITION_BIT(target);
        bool leads_back = target == station || has(graph->stations[target].reachable, station);
        if (!leads_back && graph->stations[target].wip_limit > 0) {
            gates |= DEFINITION_BIT(target);
        } else {
            open |= graph->next[target];
        }
    }
    return gates;
}

static void conclude_limits(struct graph *graph) {
    uint64_t gates = 0;
    for (uint32_t i = 0; i < graph->count; i++) {
        graph->stations[i].gates = find_gates(graph, i);
        gates |= graph->stations[i].gates;
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        const struct definition_station *station = &graph->stations[i];
        /* A gate never leads back to what it stops, so that gates cannot wait for each other. */
        CHECK(!has(station->gates, i));
        if (station->wip_limit == 0 || has(gates | graph->roots, i)) continue;
        READ_ERROR(graph->reader, station->place,
                   "the `wip_limit` of `%s` can stop nobody: every station before it is on a way "
                   "back from it, and stopping those would lock the line",
                   station->name);
    }
}

void graph_conclude(struct definition_reader *reader) {
    struct graph graph = {.reader = reader,
                          .stations = reader->stations,
                          .count = reader->definition->stations_count};
    find_arrows(&graph);
    find_roots(&graph);
    check_reached(&graph);
    check_ends(&graph);
    for (uint32_t i = 0; i < graph.count; i++) {
        if (graph.stations[i].split_join != DEFINITION_NONE) conclude_split(&graph, i);
    }
    conclude_limits(&graph);
}
