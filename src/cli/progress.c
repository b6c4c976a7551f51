/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_COLUMNS 40u
#define PLAIN_STEP 10000u /* without a terminal: a line each so many */

struct progress progress_begin(const char *what, uint64_t whole) {
    return (struct progress){
        .what = what, .whole = whole, .is_terminal = isatty(STDERR_FILENO) == 1};
}

static void draw(const struct progress *progress) {
    if (progress->whole == 0) {
        fprintf(stderr, "\r%s %" PRIu64, progress->what, progress->done);
        return;
    }
    char bar[BAR_COLUMNS + 1];
    uint64_t full = progress->done * BAR_COLUMNS / progress->whole;
    for (uint64_t i = 0; i < BAR_COLUMNS; i++) bar[i] = i < full ? '#' : '.';
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, "\r%s [%s] %" PRIu64 "/%" PRIu64, progress->what, bar, progress->done,
            progress->whole);
}

void progress_set(struct progress *progress, uint64_t done) {
    progress->done = done;
    if (progress->is_terminal) {
        draw(progress);
    } else if (done - progress->shown >= PLAIN_STEP) {
        fprintf(stderr, "%s %" PRIu64 "\n", progress->what, done);
        progress->shown = done;
    }
}

void progress_end(struct progress *progress) {
    if (progress->is_terminal && progress->done > 0) {
        draw(progress);
        fprintf(stderr, "\n");
    }
}
