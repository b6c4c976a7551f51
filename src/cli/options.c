/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>

#define VARIABLE_BYTES_MAX 64u

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* listen-sqs -> TAKT_LISTEN_SQS */
static const char *from_environment(const char *name) {
    char variable[VARIABLE_BYTES_MAX] = "TAKT_";
    size_t count = 5;
    for (const char *c = name; *c != '\0' && count + 1 < sizeof variable; c++) {
        variable[count++] = *c == '-' ? '_' : upper(*c);
    }
    variable[count] = '\0';
    const char *value = getenv(variable);
    return value == NULL || *value == '\0' ? NULL : value;
}

static void print_help(const struct option *table, const char *command, const char *synopsis) {
    printf("usage: takt %s %s\n", command, synopsis);
    if (table[0].name != NULL) printf("\n");
    for (const struct option *option = table; option->name != NULL; option++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", option->name,
                       option->argument == NULL ? "" : " ",
                       option->argument == NULL ? "" : option->argument);
        printf("  %-28s %s", left, option->help);
        if (option->otherwise != NULL) printf(" (default %s)", option->otherwise);
        printf("\n");
    }
}

static const struct option *find(const struct option *table, struct slice name) {
    if (slice_equal_string(name, "o")) name = SLICE("output");
    for (const struct option *option = table; option->name != NULL; option++) {
        if (slice_equal_string(name, option->name)) return option;
    }
    return NULL;
}

/* One flag at argv[*at]; moves *at to its last word. */
static bool read_flag(struct options *out, const char *command, int argc, char **argv, int *at) {
    struct slice text = slice_skip(slice_from_string(argv[*at]), argv[*at][1] == '-' ? 2 : 1);
    struct slice name;
    struct slice value;
    bool has_value = slice_cut(text, '=', &name, &value);
    const struct option *option = find(out->table, name);
    if (option == NULL) {
        fprintf(stderr, "takt %s: there is no %s; try `takt %s --help`\n", command, argv[*at],
                command);
        return false;
    }
    size_t index = (size_t)(option - out->table);
    if (option->argument == NULL) {
        if (has_value) {
            fprintf(stderr, "takt %s: --%s takes no value\n", command, option->name);
            return false;
        }
        out->values[index] = "yes";
        return true;
    }
    if (has_value) {
        out->values[index] = value.bytes; /* the end of argv's own string */
        return true;
    }
    if (*at + 1 >= argc) {
        fprintf(stderr, "takt %s: --%s needs %s\n", command, option->name, option->argument);
        return false;
    }
    out->values[index] = argv[++*at];
    return true;
}

bool options_read(const struct option *table, const char *command, const char *synopsis, int argc,
                  char **argv, struct options *out, bool *helped) {
    *out = (struct options){.table = table};
    *helped = false;
    bool flags_ended = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!flags_ended && strcmp(word, "--") == 0) {
            flags_ended = true;
        } else if (!flags_ended && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            print_help(table, command, synopsis);
            *helped = true;
            return true;
        } else if (!flags_ended && word[0] == '-' && word[1] != '\0') {
            if (!read_flag(out, command, argc, argv, &i)) return false;
        } else if (out->words_count == OPTIONS_WORDS_MAX) {
            fprintf(stderr, "takt %s: more than %u words\n", command, OPTIONS_WORDS_MAX);
            return false;
        } else {
            out->words[out->words_count++] = word;
        }
    }
    for (size_t i = 0; table[i].name != NULL; i++) {
        CHECK(i < OPTIONS_MAX);
        if (out->values[i] == NULL) out->values[i] = from_environment(table[i].name);
        if (out->values[i] == NULL) out->values[i] = table[i].otherwise;
    }
    return true;
}

const char *options_value(const struct options *options, const char *name) {
    const struct option *option = find(options->table, slice_from_string(name));
    CHECK(option != NULL);
    return options->values[option - options->table];
}

bool options_has(const struct options *options, const char *name) {
    const char *value = options_value(options, name);
    return value != NULL && strcmp(value, "no") != 0 && strcmp(value, "0") != 0;
}

/* The digits that `text` begins with, and what stands behind them. */
static bool read_number(const char *text, uint64_t max, uint64_t *number, struct slice *unit) {
    struct slice all = slice_from_string(text);
    size_t digits = 0;
    while (digits < all.count && all.bytes[digits] >= '0' && all.bytes[digits] <= '9') digits++;
    *unit = slice_skip(all, digits);
    return slice_to_u64(slice_from(text, digits), max, number);
}

bool options_duration(const char *text, int64_t *ms) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    struct slice unit;
    uint64_t number = 0;
    if (!read_number(text, 100000, &number, &unit)) return false;
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (!slice_equal_string(unit, units[i].unit)) continue;
        *ms = (int64_t)number * units[i].ms;
        return true;
    }
    return false;
}

bool options_size(const char *text, uint64_t *bytes_count) {
    static const struct {
        const char *unit;
        uint64_t bytes_count;
    } units[] = {{"", 1}, {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
    struct slice unit;
    uint64_t number = 0;
    if (!read_number(text, UINT32_MAX, &number, &unit)) return false;
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (!slice_equal_string(unit, units[i].unit)) continue;
        *bytes_count = number * units[i].bytes_count;
        return true;
    }
    return false;
}
