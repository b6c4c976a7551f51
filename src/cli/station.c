/* SPDX-License-Identifier: Apache-2.0 */
/* `takt station …`: what waits where, who works on it, and how many do. */
#include "base/json.h"
#include "cli/subcommand.h"
#include "cli/table.h"

#include <stdio.h>

#define SCALES_MAX 64u

static subcommand_fn station_list;
static subcommand_fn station_scale;

static const struct option list_options[] = {SUBCOMMAND_SERVER, SUBCOMMAND_OUTPUT, SUBCOMMAND_END};
static const struct option scale_options[] = {
    SUBCOMMAND_SERVER,
    {"line", "LINE", "where several lines have a station of that name", NULL},
    SUBCOMMAND_END,
};

static const struct subcommand table[] = {
    {"list", "", "every station and its workers", list_options, 0, 0, station_list},
    {"scale", "STATION=COUNT|auto…", "how many workers, until takt starts again", scale_options, 1,
     SCALES_MAX, station_scale},
};

int cli_station(int argc, char **argv) {
    return subcommand_run("station", table, ARRAY_COUNT(table), argc, argv);
}

static int station_list(struct client *client, const struct options *options) {
    static const struct table_column columns[] = {
        {"LINE", "line", false},
        {"STATION", "station", false},
        {"WAITING", "waiting", true},
        {"DELAYED", "delayed", true},
        {"IN WORK", "in_flight", true},
        {"DONE", "handed_on", true},
        {"DEAD", "dead", true},
        {"WORKERS", "workers.wanted", true},
        {"BUSY", "workers.busy", true},
        {"MS EACH", "handler_ms_mean", true},
        {"CONDITION", "condition", false},
        {"", "reason", false},
    };
    int code = client_api(client, "GET", "/api/v1/stations", SLICE_EMPTY);
    if (code != CLI_OK) return code;
    return table_print(client, options_value(options, "output"),
                       json_member(client_body(client), SLICE("stations")), columns,
                       ARRAY_COUNT(columns));
}

/* The line that has this station; NULL: none, or several (said). */
static const char *line_of(struct client *client, struct slice stations, const char *station,
                           const char *wanted) {
    const char *found = NULL;
    for (struct json_iterator i = json_iterate(stations); json_next(&i);) {
        const char *line = client_text(client, i.value, "line");
        if (strcmp(client_text(client, i.value, "station"), station) != 0) continue;
        if (wanted != NULL && strcmp(wanted, line) != 0) continue;
        if (found != NULL) {
            fprintf(stderr, "takt station scale: lines %s and %s both have a station %s: --line\n",
                    found, line, station);
            return NULL;
        }
        found = line;
    }
    if (found == NULL) fprintf(stderr, "takt station scale: there is no station %s\n", station);
    return found;
}

static int scale_one(struct client *client, struct slice stations, const char *word,
                     const char *wanted_line) {
    struct slice name;
    struct slice count;
    uint64_t workers = 0;
    bool is_pair = slice_cut(slice_from_string(word), '=', &name, &count);
    bool is_auto = slice_equal_string(count, "auto");
    if (!is_pair || (!is_auto && !slice_to_u64(count, 1000, &workers))) {
        fprintf(stderr, "takt station scale: STATION=COUNT (0 to 1000) or STATION=auto, not %s\n",
                word);
        return CLI_USAGE;
    }
    const char *station = arena_copy(client_arena(client), name);
    if (station == NULL) return CLI_FAILED;
    const char *line = line_of(client, stations, station, wanted_line);
    if (line == NULL) return CLI_FAILED;
    const char *path = arena_printf(client_arena(client), "/api/v1/stations/%s/%s/scale",
                                    client_escape(client, line), client_escape(client, station));
    const char *body = is_auto ? "{\"workers\":null}"
                               : arena_printf(client_arena(client), "{\"workers\":%llu}",
                                              (unsigned long long)workers);
    if (path == NULL || body == NULL) return CLI_FAILED;
    int code = client_api(client, "PUT", path, slice_from_string(body));
    if (code == CLI_OK) printf("%s/%s: %.*s workers\n", line, station, SLICE_ARGS(count));
    return code;
}

static int station_scale(struct client *client, const struct options *options) {
    int code = client_api(client, "GET", "/api/v1/stations", SLICE_EMPTY);
    if (code != CLI_OK) return code;
    const char *answer = arena_copy(client_arena(client), client_body(client));
    struct slice stations = json_member(slice_from_string(answer), SLICE("stations"));
    for (uint32_t i = 0; i < options->words_count && code == CLI_OK; i++) {
        code = scale_one(client, stations, options->words[i], options_value(options, "line"));
    }
    return code;
}
