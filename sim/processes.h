/* SPDX-License-Identifier: Apache-2.0 */
/* processes.h -- the programs that takt's runtime starts, simulated: they read what they are given when
 * the dice say so, answer, answer nonsense, hang, talk, and die.
 *
 * Checked: a piece of work is in the hands of one living process at a time; none that holds one is
 * told to go.
 */
#ifndef TAKT_SIM_PROCESSES_H
#define TAKT_SIM_PROCESSES_H

#include "report.h"

#include "base/list.h"
#include "line/worker_processes.h"

struct processes {
    struct worker_processes table; /* for the runtime */
    struct machine *machine;
    struct report *report;
    struct list_link list;
    uint32_t count;
    bool is_calm;     /* all work, and answer well */
    bool is_stopping; /* takt is: any of them may be told to go */
    uint64_t tokens;
};

void processes_init(struct processes *processes, struct machine *machine, struct report *report);
/* One of them does something. False: there is none, or it had nothing to do. */
bool processes_step(struct processes *processes);
/* Each of them, as long as any has something to do that does not wait for the dice. */
void processes_run(struct processes *processes);
void processes_forget(struct processes *processes); /* they are gone, and nobody is told */

#endif
