/* SPDX-License-Identifier: Apache-2.0 */
/* log.h -- one event a line, for the operator. The part that decides what to do logs once, with
 * the cause and the consequence. Never a body, a secret or a key.
 */
#ifndef TAKT_BASE_LOG_H
#define TAKT_BASE_LOG_H

#include "base/check.h"
#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Where log lines go; one for the process, handed down like everything else. */
struct log {
    void (*write)(void *context, enum log_level level, struct slice text);
    void *context;
    enum log_level level_min;
};

/* One line, without a newline; cut at 4 KiB. log may be NULL: then nothing happens. */
void log_printf(const struct log *log, enum log_level level, const char *format, ...)
    TAKT_PRINTF(3, 4);

#endif
