/* SPDX-License-Identifier: Apache-2.0 */
/* `takt status`: the whole of a running takt on one page. */
#include "base/json.h"
#include "cli/cli.h"
#include "cli/subcommand.h"
#include "cli/table.h"

#include <stdio.h>

static const struct option options_table[] = {
    SUBCOMMAND_SERVER,
    {"output", "table|json", "how to print", "table"},
    SUBCOMMAND_END,
};

static void print_line(struct client *client, struct slice line) {
    bool is_running = strcmp(client_text(client, line, "running"), "true") == 0;
    printf("\nline %s%s\n", client_text(client, line, "name"),
           is_running ? "" : " (not run: this takt was started without its file)");
    struct slice stations = json_member(line, SLICE("stations"));
    for (struct json_iterator i = json_iterate(stations); json_next(&i);) {
        const char *condition = client_text(client, i.value, "condition");
        const char *blocked_by = client_text(client, i.value, "blocked_by");
        printf("  %-16s %6lld waiting %5lld in work %8lld done %5lld dead   %lld of %lld workers "
               "busy",
               client_text(client, i.value, "station"),
               (long long)(client_number(i.value, "waiting") + client_number(i.value, "delayed")),
               (long long)client_number(i.value, "in_flight"),
               (long long)client_number(i.value, "handed_on"),
               (long long)client_number(i.value, "dead"),
               (long long)client_number(i.value, "workers.busy"),
               (long long)client_number(i.value, "workers.wanted"));
        if (strcmp(condition, "fine") != 0 && *condition != '\0') {
            const char *reason = client_text(client, i.value, "reason");
            printf("   %s%s%s", condition, *reason == '\0' ? "" : ": ", reason);
        }
        if (strcmp(client_text(client, i.value, "full"), "true") == 0) printf("   full");
        if (*blocked_by != '\0') printf("   waits for %s", blocked_by);
        printf("\n");
    }
}

static void print_status(struct client *client, struct slice status) {
    printf("takt %s, %s, up %lld s, durability %s\n", client_text(client, status, "version"),
           strcmp(client_text(client, status, "ready"), "true") == 0 ? "ready" : "not ready",
           (long long)(client_number(status, "uptime_ms") / 1000),
           client_text(client, status, "journal.durability"));
    printf("%lld messages in %lld queues, %lld jobs running of %lld known, journal %.1f MiB, last "
           "commit %lld us\n",
           (long long)client_number(status, "totals.messages"),
           (long long)client_number(status, "totals.queues"),
           (long long)client_number(status, "totals.jobs_running"),
           (long long)client_number(status, "totals.jobs"),
           (double)client_number(status, "journal.bytes_used") / (1024.0 * 1024.0),
           (long long)client_number(status, "journal.commit_us_last"));
    struct slice lines = json_member(status, SLICE("lines"));
    for (struct json_iterator i = json_iterate(lines); json_next(&i);) {
        print_line(client, i.value);
    }
}

static int show_status(struct client *client, const struct options *options) {
    const char *output = options_value(options, "output");
    bool is_json = strcmp(output, "json") == 0;
    if (!is_json && strcmp(output, "table") != 0) {
        fprintf(stderr, "takt status: --output is table or json, not %s\n", output);
        return CLI_USAGE;
    }
    int code = client_api(client, "GET", "/api/v1/status", SLICE_EMPTY);
    if (code != CLI_OK) return code;
    if (is_json) {
        printf("%.*s\n", SLICE_ARGS(slice_trim(client_body(client))));
    } else {
        print_status(client, client_body(client));
    }
    return CLI_OK;
}

int cli_status(int argc, char **argv) {
    struct options options;
    bool helped = false;
    if (!options_read(options_table, "status", "", argc, argv, &options, &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    struct client *client = client_open(options_value(&options, "server"));
    if (client == NULL) return CLI_FAILED;
    int code = show_status(client, &options);
    client_close(client);
    return code;
}
