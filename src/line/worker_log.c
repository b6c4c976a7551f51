/* SPDX-License-Identifier: Apache-2.0 */
/* worker_log.c -- what workers say beside their answers: `kitchen/2 | text` in takt's log, bounded
 * for each station, and the last of stderr kept for reasons.
 */
#include "line/runtime_inside.h"

/* True if this line may be shown. */
static bool take_turn(struct station *station, struct mono_time now) {
    struct runtime *runtime = station_runtime(station);
    if (now.ns - station->log_second.ns >= 1000 * MS_NS) {
        if (station->log_left_out > 0) {
            log_printf(runtime->log, LOG_WARNING, "%s | (%u lines more were left out)",
                       station->definition->name, (unsigned)station->log_left_out);
        }
        station->log_second = now;
        station->log_lines = 0;
        station->log_left_out = 0;
    }
    if (station->log_lines < STATION_LOG_LINES_MAX) {
        station->log_lines++;
        return true;
    }
    station->log_left_out++;
    return false;
}

/* What moves the cursor, colours the terminal or ends a string is not for takt's log and reasons. */
static void show_controls_as_spaces(char *bytes, size_t count, bool keeps_lines) {
    for (size_t i = 0; i < count; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        bool is_kept = keeps_lines && (byte == '\n' || byte == '\t');
        if ((byte < ' ' || byte == 0x7f) && !is_kept) bytes[i] = ' ';
    }
}

void worker_log_line(struct worker *worker, struct slice line) {
    line = slice_trim(line);
    if (line.count == 0 || !take_turn(worker->station, worker_now(worker))) return;
    char text[sizeof worker->log.line];
    size_t count = line.count < sizeof text ? line.count : sizeof text;
    memcpy(text, line.bytes, count);
    show_controls_as_spaces(text, count, false);
    log_printf(station_runtime(worker->station)->log, LOG_INFO, "%s | %.*s%s", worker->name,
               (int)count, text, line.count > count ? " …" : "");
}

void worker_log_flush(struct worker *worker) {
    size_t count = worker->log.line_count;
    worker->log.line_count = 0;
    worker_log_line(worker, slice_from(worker->log.line, count));
}

static void keep_tail(struct worker_log *log, struct slice bytes) {
    if (bytes.count >= sizeof log->tail) {
        bytes = slice_skip(bytes, bytes.count - sizeof log->tail);
        log->tail_count = 0;
    }
    size_t room = sizeof log->tail - log->tail_count;
    if (bytes.count > room) {
        size_t gone = bytes.count - room;
        memmove(log->tail, log->tail + gone, log->tail_count - gone);
        log->tail_count -= gone;
    }
    memcpy(log->tail + log->tail_count, bytes.bytes, bytes.count);
    show_controls_as_spaces(log->tail + log->tail_count, bytes.count, true);
    log->tail_count += bytes.count;
}

void worker_log_take(struct worker *worker, struct slice bytes) {
    struct worker_log *log = &worker->log;
    keep_tail(log, bytes);
    while (bytes.count > 0) {
        const char *newline = memchr(bytes.bytes, '\n', bytes.count);
        size_t count = newline == NULL ? bytes.count : (size_t)(newline - bytes.bytes);
        size_t room = sizeof log->line - log->line_count;
        bool is_full = count >= room;
        if (is_full) count = room; /* a line without end is shown in pieces */
        memcpy(log->line + log->line_count, bytes.bytes, count);
        log->line_count += count;
        if (is_full || newline != NULL) worker_log_flush(worker);
        bytes = slice_skip(bytes, !is_full && newline != NULL ? count + 1 : count);
    }
}

struct slice worker_log_tail(const struct worker *worker) {
    return slice_trim(slice_from(worker->log.tail, worker->log.tail_count));
}
