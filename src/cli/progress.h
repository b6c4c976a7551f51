/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h -- a bar on a terminal for work that lasts; on anything else a line now and then. */
#ifndef TAKT_CLI_PROGRESS_H
#define TAKT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "sent" */
    uint64_t whole;   /* 0: not known */
    uint64_t done;
    uint64_t shown;
    bool is_terminal;
};

struct progress progress_begin(const char *what, uint64_t whole);
void progress_set(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress);

#endif
