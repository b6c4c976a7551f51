/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LOG_TEXT_BYTES_MAX 4096u

/* A text from outside may hold a newline: it must not be able to forge a line of its own. */
static void blank_control_bytes(char *text, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x20 || byte == 0x7F) text[i] = ' ';
    }
}

/* Leaves no part of a character at the end of a text that was cut. */
static size_t whole_characters(const char *text, size_t count) {
    size_t start = count;
    while (start > 0 && count - start < 3 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start == 0 || (unsigned char)text[start - 1] < 0xC0) return count;
    start--;
    return slice_utf8_step(slice_from(text + start, count - start)) == 0 ? start : count;
}

void log_printf(const struct log *log, enum log_level level, const char *format, ...) {
    if (log == NULL || level < log->level_min) return;
    char text[LOG_TEXT_BYTES_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int printed = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    CHECK(printed >= 0);

    size_t count = (size_t)printed;
    if (count > LOG_TEXT_BYTES_MAX) count = whole_characters(text, LOG_TEXT_BYTES_MAX);
    blank_control_bytes(text, count);
    log->write(log->context, level, slice_from(text, count));
}
