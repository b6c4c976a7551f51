/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

_Noreturn void report_fail(struct report *report, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(report->words, sizeof report->words, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "%s\n", report->words);
    _exit(1);
}
