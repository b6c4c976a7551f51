/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_kit.h -- for tests of the runtime: a whole takt but for its doors, in a folder of its own,
 * on a real journal and with real processes. Nothing sleeps: the loop runs until something is so.
 */
#ifndef TAKT_RUNTIME_KIT_H
#define TAKT_RUNTIME_KIT_H

#include "broker/job_history.h"
#include "line/runtime.h"

#define RUNTIME_KIT_STEPS_MAX 64u
#define RUNTIME_KIT_TEXT_BYTES (8u * 1024 * 1024)

struct runtime_kit {
    struct env *env;
    char folder[64];
    char scratch[96];
    char mark[RUNTIME_MARK_BYTES];
    struct log log;
    struct buffer logged; /* every line of the log */
    struct journal *journal;
    struct shard *shard;
    struct definition_files files;
    struct runtime *runtime;
    struct broker_ref line; /* the first */
    bool is_ready;
    bool is_stopped;
    bool is_answered; /* what was asked last */
    struct broker_answer answer;
    char *text; /* the last body or file, terminated */
    size_t text_count;
};

struct runtime_step {
    uint32_t station;
    uint32_t attempt;
    enum job_step_outcome outcome;
    char task[128]; /* the path */
    char error[512];
};

struct runtime_kit *runtime_kit_open(void);
/* An executable file in the folder. */
void runtime_kit_script(struct runtime_kit *kit, const char *name, const char *text);
void runtime_kit_chmod(struct runtime_kit *kit, const char *name, unsigned mode);
/* A file's text, terminated, or "" if it is not there; good until the next call. */
const char *runtime_kit_file(struct runtime_kit *kit, const char *name);
/* Start takt on the folder with this line, until its stations run. */
void runtime_kit_start(struct runtime_kit *kit, const char *yaml);
void runtime_kit_stop(struct runtime_kit *kit, int64_t grace_ms);
/* The rest of a stop, after the test itself has called runtime_close. */
void runtime_kit_end(struct runtime_kit *kit);
void runtime_kit_close(struct runtime_kit *kit); /* stops it if it runs */

/* Run the loop until it is so; fails the test after 30 seconds. */
typedef bool runtime_kit_question(struct runtime_kit *kit);
void runtime_kit_until(struct runtime_kit *kit, runtime_kit_question *question);
bool runtime_kit_all_done(struct runtime_kit *kit); /* no job runs */

/* An order at a station; the job. */
struct broker_ref runtime_kit_order(struct runtime_kit *kit, const char *station,
                                    struct slice text);
struct job_view runtime_kit_job(struct runtime_kit *kit, struct broker_ref job);
/* The bytes of a body (text true: of a message body), terminated; good until the next call. */
const char *runtime_kit_body(struct runtime_kit *kit, struct body_ref ref);
/* What happened to the job, oldest first; how many. */
uint32_t runtime_kit_steps(struct runtime_kit *kit, struct broker_ref job,
                           struct runtime_step steps[RUNTIME_KIT_STEPS_MAX]);
struct runtime_station_view runtime_kit_station(struct runtime_kit *kit, const char *station);
struct station_view runtime_kit_queue(struct runtime_kit *kit, const char *station);
uint32_t runtime_kit_logged(struct runtime_kit *kit, const char *text); /* how many lines have it */

#endif
