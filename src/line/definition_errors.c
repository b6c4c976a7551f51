/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes, collected in the order of the file whatever the order they were found in. */
#include "line/definition_tree.h"

#include <stdarg.h>
#include <stdio.h>

#define ERROR_BYTES_MAX 1000u

static int compare_places(struct definition_place a, struct definition_place b) {
    if (a.file != b.file) return a.file < b.file ? -1 : 1;
    if (a.line != b.line) return a.line < b.line ? -1 : 1;
    if (a.column != b.column) return a.column < b.column ? -1 : 1;
    return 0;
}

/* True if exactly this is known already: an alias is read as often as it is used. */
static bool is_known(const struct definition_errors *errors, struct definition_place place,
                     const char *text) {
    for (uint32_t i = 0; i < errors->count; i++) {
        if (compare_places(errors->list[i].place, place) == 0 &&
            strcmp(errors->list[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

void definition_add_error(struct definition_errors *errors, struct arena *arena,
                          struct definition_place place, const char *format, ...) {
    char buffer[ERROR_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    if (is_known(errors, place, buffer)) return;
    for (char *c = buffer; *c != '\0'; c++) { /* one error is one line, whatever it quotes */
        if ((unsigned char)*c < ' ' || *c == 0x7F) *c = ' ';
    }
    const char *text = arena_copy(arena, slice_from_string(buffer));
    if (errors->count == DEFINITION_ERRORS_MAX) errors->more = true;
    if (text == NULL) text = "out of memory";
    if (errors->more) return;
    uint32_t i = errors->count++;
    for (; i > 0 && compare_places(errors->list[i - 1].place, place) > 0; i--) {
        errors->list[i] = errors->list[i - 1];
    }
    errors->list[i] = (struct definition_error){.place = place, .text = text};
}

void definition_print_errors(const struct definition_files *files, struct buffer *out) {
    for (uint32_t i = 0; i < files->errors.count; i++) {
        const struct definition_error *error = &files->errors.list[i];
        buffer_printf(out, "%s:%u:%u: %s\n", files->paths[error->place.file], error->place.line,
                      error->place.column, error->text);
    }
    if (files->errors.more) {
        buffer_printf(out, "more than %u errors: the rest is not shown\n", DEFINITION_ERRORS_MAX);
    }
}
