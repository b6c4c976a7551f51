/* SPDX-License-Identifier: Apache-2.0 */
/* data_look.h -- a look at all of a stopped takt's data: the journal, and the state that it gives.
 *
 * check and repair share it. What is found is kept until the end, since whose a body is can be told
 * only when the state is there.
 */
#ifndef TAKT_CLI_DATA_LOOK_H
#define TAKT_CLI_DATA_LOOK_H

#include "base/arena.h"
#include "cli/progress.h"
#include "journal/file/journal_check.h"
#include "shard/shard_replay.h"

struct data_finding {
    struct journal_finding found;
    bool is_owned;             /* something in the state needs it */
    struct broker_owner owner; /* its slices lie in the arena */
};

struct data_look {
    struct env *env;
    const char *path; /* of the journal's folder */
    struct arena arena;
    struct shard_replay replay;
    struct data_finding *findings;
    uint32_t findings_count;
    uint32_t findings_capacity;
    bool no_memory;
    bool lists_beyond; /* print each record that lies beyond the damage, on stdout */
    struct buffer line;
    char state[256]; /* what is wrong with the state; empty: nothing */
    struct progress progress;
};

/* False: out of memory, said on stderr. path: borrowed until data_look_close. */
TAKT_MUST_USE bool data_look_open(struct data_look *look, struct env *env, const char *path);
void data_look_close(struct data_look *look);
/* For journal_file_check: all callbacks lead here. */
struct journal_check_options data_look_options(struct data_look *look);
/* All records have come: the state is looked at, and whose the damaged bodies are. */
void data_look_end(struct data_look *look);

/* In words, on stdout. */
void data_print_finding(const struct data_finding *finding);
void data_print_summary(const struct data_look *look, const struct journal_report *report);
/* All of it as one JSON object, on stdout. */
void data_print_json(const struct data_look *look, const struct journal_report *report);
/* Why a folder could not be looked at, on stderr. Returns an exit code. */
int data_refuse(const char *command, const char *path, int rc, const struct journal_report *report);

#endif
