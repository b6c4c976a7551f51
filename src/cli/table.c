/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "base/json.h"

#include <stdio.h>

/* Columns a text takes on a terminal: characters, not bytes. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text != '\0'; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* Control characters in a name must not reach the terminal. */
static const char *cell_text(struct client *client, struct slice row, const char *member) {
    const char *text = client_text(client, row, member);
    char *copy = arena_copy(client_arena(client), slice_from_string(text));
    if (copy == NULL) return "";
    for (char *c = copy; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = ' ';
    }
    return copy;
}

static void print_cell(const char *text, int width, bool is_number, bool is_last) {
    int pad = width - width_of(text);
    if (is_number) printf("%*s", pad, "");
    printf("%s", text);
    if (is_last) {
        printf("\n");
    } else {
        printf("%*s  ", is_number ? 0 : pad, "");
    }
}

static void print_table(struct client *client, struct slice rows,
                        const struct table_column *columns, size_t columns_count) {
    CHECK(columns_count <= TABLE_COLUMNS_MAX);
    int widths[TABLE_COLUMNS_MAX];
    for (size_t c = 0; c < columns_count; c++) widths[c] = width_of(columns[c].title);
    for (struct json_iterator i = json_iterate(rows); json_next(&i);) {
        for (size_t c = 0; c < columns_count; c++) {
            int width = width_of(cell_text(client, i.value, columns[c].member));
            if (width > widths[c]) widths[c] = width;
        }
    }
    for (size_t c = 0; c < columns_count; c++) {
        print_cell(columns[c].title, widths[c], columns[c].is_number, c + 1 == columns_count);
    }
    for (struct json_iterator i = json_iterate(rows); json_next(&i);) {
        for (size_t c = 0; c < columns_count; c++) {
            print_cell(cell_text(client, i.value, columns[c].member), widths[c],
                       columns[c].is_number, c + 1 == columns_count);
        }
    }
}

int table_print(struct client *client, const char *output, struct slice rows,
                const struct table_column *columns, size_t columns_count) {
    if (strcmp(output, "json") == 0) {
        printf("%.*s\n", SLICE_ARGS(rows));
    } else if (strcmp(output, "ndjson") == 0) {
        for (struct json_iterator i = json_iterate(rows); json_next(&i);) {
            printf("%.*s\n", SLICE_ARGS(i.value));
        }
    } else if (strcmp(output, "table") == 0) {
        print_table(client, rows, columns, columns_count);
    } else {
        fprintf(stderr, "takt: --output is table, json or ndjson, not %s\n", output);
        return CLI_USAGE;
    }
    return CLI_OK;
}
