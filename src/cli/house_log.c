/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/house_parts.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARNING] = "warning", [LOG_ERROR] = "error"};

static void write_line(void *context, enum log_level level, struct slice text) {
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    (void)gmtime_r(&now.tv_sec, &parts);
    char line[4608];
    int count =
        snprintf(line, sizeof line, "%02d:%02d:%02d.%03ld %s%s%.*s\n", parts.tm_hour, parts.tm_min,
                 parts.tm_sec, now.tv_nsec / 1000000, level == LOG_INFO ? "" : level_names[level],
                 level == LOG_INFO ? "" : ": ", SLICE_ARGS(text));
    if (count < 0) return;
    size_t bytes = (size_t)count < sizeof line ? (size_t)count : sizeof line - 1;
    /* One write a line, so that lines of several processes on one terminal stay whole. A log that
     * cannot be written must not stop the orders. */
    ssize_t written = write(STDERR_FILENO, line, bytes);
    (void)written;
}

struct log house_log(const char *level) {
    struct log log = {.write = write_line, .level_min = LOG_INFO};
    for (size_t i = 0; i < ARRAY_COUNT(level_names); i++) {
        if (level != NULL && strcmp(level, level_names[i]) == 0) log.level_min = (enum log_level)i;
    }
    return log;
}
