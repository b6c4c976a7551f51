/* SPDX-License-Identifier: Apache-2.0 */
/* `takt data check` and `takt data repair`: on a folder that no takt has. */
#include "cli/cli.h"
#include "cli/data_look.h"
#include "cli/options.h"
#include "journal/file/journal_repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PATH_BYTES_MAX 4096u
#define ANSWER_BYTES_MAX 16

static const struct option check_table[] = {
    {"data", "DIR", "the data folder", "takt-data"},
    {"json", NULL, "print one JSON object", NULL},
    {NULL, NULL, NULL, NULL},
};
static const struct option repair_table[] = {
    {"data", "DIR", "the data folder", "takt-data"},
    {"yes", NULL, "do not ask", NULL},
    {NULL, NULL, NULL, NULL},
};

static void path_of(const struct options *options, char path[PATH_BYTES_MAX]) {
    const char *data =
        options->words_count > 0 ? options->words[0] : options_value(options, "data");
    (void)snprintf(path, PATH_BYTES_MAX, "%s/journal", data);
}

/* ---- check ------------------------------------------------------------------------------------ */

static int check(struct env *env, const struct options *options) {
    char path[PATH_BYTES_MAX];
    struct data_look look;
    struct journal_report report;
    path_of(options, path);
    if (!data_look_open(&look, env, path)) return CLI_FAILED;
    struct journal_check_options asked = data_look_options(&look);
    int rc = journal_file_check(&asked, &report);
    if (rc == 0 && look.no_memory) rc = -ENOMEM;
    if (rc < 0) {
        data_look_close(&look);
        return data_refuse("data check", path, rc, &report);
    }
    data_look_end(&look);
    if (options_has(options, "json")) {
        data_print_json(&look, &report);
    } else {
        for (uint32_t i = 0; i < look.findings_count; i++) data_print_finding(&look.findings[i]);
        data_print_summary(&look, &report);
    }
    bool is_whole = report.findings_count == 0 && look.state[0] == '\0';
    data_look_close(&look);
    return is_whole ? CLI_OK : CLI_FAILED;
}

/* ---- repair ----------------------------------------------------------------------------------- */

struct repairing {
    struct data_look look;
    struct journal_check_options asked;
    const struct options *options;
    bool is_hopeless;
};

/* The callbacks of a repair have one context, those of the look another. */
static int repair_record(void *context, const struct journal_record *record) {
    struct repairing *repairing = context;
    return repairing->asked.on_record(&repairing->look, record);
}
static int repair_beyond(void *context, const struct journal_record *record) {
    struct repairing *repairing = context;
    return repairing->asked.on_beyond(&repairing->look, record);
}
static void repair_finding(void *context, const struct journal_finding *finding) {
    struct repairing *repairing = context;
    if (finding->ends_log && !finding->is_beyond) {
        printf("gone, of the records behind %016" PRIx64 ".segment, offset %" PRIu64
               ", those that can be read:\n",
               finding->segment, finding->offset);
    }
    repairing->asked.on_finding(&repairing->look, finding);
}
static void repair_progress(void *context, uint64_t bytes_done, uint64_t bytes_all) {
    struct repairing *repairing = context;
    repairing->asked.on_progress(&repairing->look, bytes_done, bytes_all);
}
static void repair_kept(void *context, const char *name) {
    const struct repairing *repairing = context;
    printf("kept: %s/%s\n", repairing->look.path, name);
}

static bool is_agreed(const struct options *options) {
    if (options_has(options, "yes")) return true;
    if (isatty(STDIN_FILENO) != 1) {
        fprintf(stderr, "takt: without a terminal to ask on, this needs --yes\n");
        return false;
    }
    fprintf(stderr, "go on without it? [y/N] ");
    char answer[ANSWER_BYTES_MAX] = "";
    if (fgets(answer, sizeof answer, stdin) == NULL) return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}

static bool go_on(void *context, const struct journal_report *report) {
    struct repairing *repairing = context;
    struct data_look *look = &repairing->look;
    data_look_end(look);
    for (uint32_t i = 0; i < look->findings_count; i++) {
        if (!look->findings[i].found.is_beyond) data_print_finding(&look->findings[i]);
    }
    data_print_summary(look, report);
    repairing->is_hopeless = look->state[0] != '\0';
    if (repairing->is_hopeless) return false;
    (void)fflush(stdout);
    return is_agreed(repairing->options);
}

static int repair_folder(struct repairing *repairing) {
    const char *path = repairing->look.path;
    repairing->asked = data_look_options(&repairing->look);
    struct journal_repair_options asked = {
        .check = repairing->asked, .go_on = go_on, .on_kept = repair_kept};
    asked.check.on_record = repair_record;
    asked.check.on_beyond = repair_beyond;
    asked.check.on_finding = repair_finding;
    asked.check.on_progress = repair_progress;
    asked.check.context = repairing;
    struct journal_repair_report report;
    int rc = journal_file_repair(&asked, &report);
    if (rc == 0 && report.was_unfinished)
        printf("%s: an earlier repair was finished first\n", path);
    if (rc == 0 && report.found.findings_count == 0) {
        data_look_end(&repairing->look);
        repairing->is_hopeless = repairing->look.state[0] != '\0';
        if (repairing->is_hopeless) data_print_summary(&repairing->look, &report.found);
    }
    if (repairing->is_hopeless) {
        fprintf(
            stderr,
            "takt data repair: what could be read is no whole state by itself, so takt would not "
            "start on it; nothing was changed; restore a backup\n");
        return CLI_FAILED;
    }
    if (rc == -ECANCELED) {
        fprintf(stderr, "takt data repair: nothing was changed\n");
        return CLI_FAILED;
    }
    if (rc < 0) return data_refuse("data repair", path, rc, &report.found);
    if (report.found.findings_count == 0) {
        printf("%s: nothing is to be repaired\n", path);
    } else {
        printf("%s: repaired; %u %s kept aside\n", path, report.kept_count,
               report.kept_count == 1 ? "file is" : "files are");
    }
    return CLI_OK;
}

static int repair(struct env *env, const struct options *options) {
    char path[PATH_BYTES_MAX];
    struct repairing repairing = {.options = options};
    path_of(options, path);
    if (!data_look_open(&repairing.look, env, path)) return CLI_FAILED;
    repairing.look.lists_beyond = true;
    int code = repair_folder(&repairing);
    data_look_close(&repairing.look);
    return code;
}

/* ---- the words -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *summary;
    const struct option *table;
    int (*run)(struct env *env, const struct options *options);
} parts[] = {
    {"check", "say whether all of it can be read, and what not", check_table, check},
    {"repair", "go on without what is damaged; the old files are kept", repair_table, repair},
};

static void print_parts(FILE *out) {
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        fprintf(out, "  takt data %-8s %s\n", parts[i].name, parts[i].summary);
    }
}

static int run_part(size_t index, int argc, char **argv) {
    char name[32];
    (void)snprintf(name, sizeof name, "data %s", parts[index].name);
    struct options options;
    bool helped = false;
    if (!options_read(parts[index].table, name, "[DIR]", argc, argv, &options, &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    if (options.words_count > 1) {
        fprintf(stderr, "takt %s: one data folder at a time\n", name);
        return CLI_USAGE;
    }
    struct env *env = NULL;
    int rc = env_open_real(&env);
    if (rc < 0) {
        fprintf(stderr, "takt %s: %s\n", name, strerror(-rc));
        return CLI_FAILED;
    }
    int code = parts[index].run(env, &options);
    env_close_real(env);
    return code;
}

int cli_data(int argc, char **argv) {
    if (argc < 2) {
        print_parts(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_parts(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (strcmp(parts[i].name, argv[1]) == 0) return run_part(i, argc - 1, argv + 1);
    }
    fprintf(stderr, "takt data: there is no `%s`\n", argv[1]);
    print_parts(stderr);
    return CLI_USAGE;
}
