/* SPDX-License-Identifier: Apache-2.0 */
/* `takt job …`: where an order is, and how it came there. */
#include "base/json.h"
#include "cli/subcommand.h"
#include "cli/table.h"

#include <poll.h>
#include <stdio.h>

#define FOLLOW_MS 200 /* between two looks */

static subcommand_fn job_list;
static subcommand_fn job_show;
static subcommand_fn job_follow;

static const struct option list_options[] = {
    SUBCOMMAND_SERVER,
    SUBCOMMAND_OUTPUT,
    {"key", "KEY", "only the orders with this key", NULL},
    {"state", "STATE", "running, done, failed or rejected", NULL},
    {"limit", "COUNT", "the newest so many", "20"},
    SUBCOMMAND_END,
};
static const struct option show_options[] = {
    SUBCOMMAND_SERVER,
    {"output", "table|json", "table: a timeline", "table"},
    SUBCOMMAND_END,
};

static const struct subcommand table[] = {
    {"list", "", "the newest orders", list_options, 0, 0, job_list},
    {"show", "ID|KEY", "one order's way through the line", show_options, 1, 1, job_show},
    {"follow", "ID|KEY", "the same, until it has ended", show_options, 1, 1, job_follow},
};

int cli_job(int argc, char **argv) {
    return subcommand_run("job", table, ARRAY_COUNT(table), argc, argv);
}

static int job_list(struct client *client, const struct options *options) {
    static const struct table_column columns[] = {
        {"ID", "id", false},       {"KEY", "key", false},         {"LINE", "line", false},
        {"STATE", "state", false}, {"STARTED", "started", false}, {"ENDED", "ended", false},
    };
    const char *key = options_value(options, "key");
    const char *state = options_value(options, "state");
    uint64_t limit = 0;
    if (!slice_to_u64(slice_from_string(options_value(options, "limit")), UINT32_MAX, &limit)) {
        fprintf(stderr, "takt job list: --limit is a number\n");
        return CLI_USAGE;
    }
    const char *path = arena_printf(
        client_arena(client), "/api/v1/jobs?limit=%llu%s%s%s%s&",
        (unsigned long long)(limit < 1000 ? limit : 1000),
        key == NULL ? "" : "&key=", key == NULL ? "" : client_escape(client, key),
        state == NULL ? "" : "&state=", state == NULL ? "" : client_escape(client, state));
    if (path == NULL) return CLI_FAILED;
    struct slice rows;
    int code = client_pages(client, path, "jobs", "before", limit, &rows);
    if (code != CLI_OK) return code;
    return table_print(client, options_value(options, "output"), rows, columns,
                       ARRAY_COUNT(columns));
}

/* "2026-01-02T10:11:12.345Z" -> "10:11:12.345" */
static const char *time_of_day(const char *text) {
    static const size_t date_bytes = sizeof "2026-01-02T" - 1;
    return strlen(text) > date_bytes ? text + date_bytes : "…";
}

static void print_step(struct client *client, struct slice step) {
    const char *task = client_text(client, step, "task");
    const char *error = client_text(client, step, "error");
    char station[96];
    (void)snprintf(station, sizeof station, "%s%s%s", client_text(client, step, "station"),
                   *task == '\0' ? "" : "/", task);
    printf("  %-12s  %-12s  %-20s  attempt %lld  %s%s%s\n",
           time_of_day(client_text(client, step, "started")),
           time_of_day(client_text(client, step, "ended")), station,
           (long long)client_number(step, "attempt"), client_text(client, step, "outcome"),
           *error == '\0' ? "" : ": ", error);
}

static void print_waiting(struct client *client, struct slice place) {
    static const struct {
        const char *member;
        const char *words;
    } parts[] = {{"waiting", "waiting"},
                 {"in_flight", "in work"},
                 {"in_kit", "waiting for the rest"},
                 {"dead", "in the dead letters"}};
    printf("  now at %s:", client_text(client, place, "station"));
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        int64_t count = client_number(place, parts[i].member);
        if (count > 0) printf(" %lld %s", (long long)count, parts[i].words);
    }
    printf("\n");
}

static void print_total(struct client *client, struct slice total) {
    static const char *const outcomes[] = {"done",    "failed", "dead",    "rejected",
                                           "expired", "late",   "redriven"};
    const char *error = client_text(client, total, "error");
    printf("  %-12s  %-12s  %-20s ", time_of_day(client_text(client, total, "first")),
           time_of_day(client_text(client, total, "last")), client_text(client, total, "station"));
    for (size_t i = 0; i < ARRAY_COUNT(outcomes); i++) {
        int64_t count = client_number(total, outcomes[i]);
        if (count > 0) printf(" %lld %s", (long long)count, outcomes[i]);
    }
    printf("%s%s\n", *error == '\0' ? "" : ", last: ", error);
}

/* Only the newest steps are told one by one: then all of them by stations, too. */
static void print_stations(struct client *client, struct slice job) {
    int64_t left_out = client_number(job, "steps_left_out");
    if (left_out == 0) return;
    struct slice stations = json_member(job, SLICE("stations"));
    for (struct json_iterator i = json_iterate(stations); json_next(&i);) {
        print_total(client, i.value);
    }
    printf("  %lld earlier step%s not shown one by one; the newest:\n", (long long)left_out,
           left_out == 1 ? " is" : "s are");
}

static void print_report(struct client *client, struct slice job) {
    const char *key = client_text(client, job, "key");
    const char *reason = client_text(client, job, "reason");
    const char *error = client_text(client, job, "error");
    printf("job %s%s%s of line %s: %s%s%s\n", client_text(client, job, "id"),
           *key == '\0' ? "" : ", key ", key, client_text(client, job, "line"),
           client_text(client, job, "state"), *reason == '\0' ? "" : ": ", reason);
    printf("  started %s%s%s\n", client_text(client, job, "started"),
           *client_text(client, job, "ended") == '\0' ? "" : ", ended ",
           client_text(client, job, "ended"));
    print_stations(client, job);
    for (struct json_iterator i = json_iterate(json_member(job, SLICE("steps"))); json_next(&i);) {
        print_step(client, i.value);
    }
    for (struct json_iterator i = json_iterate(json_member(job, SLICE("waiting")));
         json_next(&i);) {
        print_waiting(client, i.value);
    }
    if (*reason == '\0' && *error != '\0') printf("  last error: %s\n", error);
    struct slice result = json_member(job, SLICE("result"));
    if (result.count > 0) printf("  result: %.*s\n", SLICE_ARGS(result));
}

static int read_job(struct client *client, const struct options *options) {
    const char *path = arena_printf(client_arena(client), "/api/v1/jobs/%s",
                                    client_escape(client, options->words[0]));
    return path == NULL ? CLI_FAILED : client_api(client, "GET", path, SLICE_EMPTY);
}

static int print_job(struct client *client, const struct options *options) {
    const char *output = options_value(options, "output");
    if (strcmp(output, "json") == 0) {
        printf("%.*s\n", SLICE_ARGS(client_body(client)));
    } else if (strcmp(output, "table") == 0) {
        print_report(client, client_body(client));
    } else {
        fprintf(stderr, "takt job: --output is table or json, not %s\n", output);
        return CLI_USAGE;
    }
    return CLI_OK;
}

static int job_show(struct client *client, const struct options *options) {
    int code = read_job(client, options);
    return code == CLI_OK ? print_job(client, options) : code;
}

static int job_follow(struct client *client, const struct options *options) {
    int64_t steps_seen = 0; /* of all, also those that are left out */
    for (;;) {
        int code = read_job(client, options);
        if (code != CLI_OK) return code;
        struct slice job = client_body(client);
        if (strcmp(client_text(client, job, "state"), "running") != 0) {
            return print_job(client, options);
        }
        int64_t index = client_number(job, "steps_left_out");
        struct slice steps = json_member(job, SLICE("steps"));
        for (struct json_iterator i = json_iterate(steps); json_next(&i); index++) {
            if (index < steps_seen) continue;
            print_step(client, i.value);
            steps_seen = index + 1;
        }
        (void)fflush(stdout);
        arena_reset(client_arena(client));
        (void)poll(NULL, 0, FOLLOW_MS);
    }
}
