/* SPDX-License-Identifier: Apache-2.0 */
/* machine_inside.h -- the insides of the simulated machine, for machine*.c only. */
#ifndef TAKT_SIM_MACHINE_INSIDE_H
#define TAKT_SIM_MACHINE_INSIDE_H

#include "machine.h"

static inline struct machine *machine_from(struct env *env) {
    return CONTAINER_OF(env, struct machine, env);
}

/* Does it happen this time? Then it is counted. */
bool machine_mishap(struct machine *machine, enum mishap mishap, uint32_t one_in);

/* machine_disk.c */
extern const struct env_ops machine_disk_ops;                          /* the disk's calls only */
struct machine_call *machine_call_next(const struct machine *machine); /* NULL: none */
void machine_call_end(struct machine *machine, struct machine_call *call);
/* The power goes: of each write that is under way some part was done. */
void machine_calls_torn(struct machine *machine);
void machine_close_files(struct machine *machine);

#endif
