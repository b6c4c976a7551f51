/* SPDX-License-Identifier: Apache-2.0 */
/* small_segments DIR -- makes a journal of small segments in DIR, which keeps their size: recycling,
 * carrying and summaries then come every second and not every minute. */
#include "journal/file/journal_file.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT_BYTES (4u * 1024 * 1024)

static int take_record(void *context, const struct journal_record *record) {
    (void)context;
    (void)record;
    return 0;
}

static void on_durable(void *context, uint64_t lsn, int result) {
    (void)context;
    (void)lsn;
    (void)result;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fputs("usage: small_segments DIR\n", stderr);
        return 2;
    }
    struct env *env = NULL;
    struct journal *journal = NULL;
    int rc = env_open_real(&env);
    if (rc == 0) {
        struct journal_file_options options = {
            .env = env, .path = arguments[1], .segment_bytes = SEGMENT_BYTES};
        rc = journal_file_open(&options, &journal);
    }
    if (rc == 0) rc = journal_replay(journal, take_record, NULL);
    if (rc == 0) rc = journal_start(journal, on_durable, NULL);
    if (rc < 0) {
        fprintf(stderr, "small_segments: %s: %s\n", arguments[1], strerror(-rc));
        return 1;
    }
    journal_close(journal);
    env_run_real(env);
    env_close_real(env);
    return 0;
}
