/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h -- the machine that takt runs on, simulated: an env with a clock, memory and a disk.
 *
 * The clock moves only in machine_turn. Asynchronous calls end in an order and after a delay that the
 * dice choose. Whatever may go wrong goes wrong as often as machine_luck says, and is counted.
 * A crash may come at any call that touches the disk: it leaves by a long jump, as a power cut
 * leaves everything; all memory of takt is then gone, and the disk keeps what it must.
 */
#ifndef TAKT_SIM_MACHINE_H
#define TAKT_SIM_MACHINE_H

#include "disk.h"
#include "faults.h"

#include "base/list.h"
#include "env/env.h"

#include <setjmp.h>

/* What the outside does to takt. */
/* clang-format off */
#define MISHAPS(X)                                                                                 \
    X(CRASH, "crashes")                                                                            \
    X(CRASH_STARTING, "…while starting")                                                           \
    X(SECTORS_LOST, "sectors and names lost")                                                      \
    X(WRITE_FAILED, "writes failed")                                                               \
    X(WRITE_SHORT, "…after a part")                                                                \
    X(NO_SPACE, "no space")                                                                        \
    X(SYNC_FAILED, "syncs failed")                                                                 \
    X(READ_FAILED, "reads failed")                                                                 \
    X(CALL_FAILED, "other calls failed")                                                           \
    X(NO_FILES, "no file descriptor")                                                              \
    X(BIT_FLIPPED, "bits flipped while reading")                                                   \
    X(BIT_ROTTEN, "bits rotten on the disk")                                                       \
    X(START_REFUSED, "…starts refused for it")                                                     \
    X(BODY_DAMAGED, "bodies found damaged")                                                        \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(CLOCK_FORWARD, "clock jumps forward")                                                        \
    X(CLOCK_BACK, "clock jumps back")                                                              \
    X(SLEPT, "long sleeps of the machine")                                                         \
    X(SLOW, "slow calls")                                                                          \
    X(DISK_FILLED, "the disk filled up")                                                           \
    X(DISK_FREED, "…and had room again")                                                           \
    X(REFUSED_INTAKE, "sends and orders refused for room")                                         \
    X(REFUSED_GROWTH, "growth refused for room")                                                   \
    X(RECYCLED, "segments used again or removed")                                                  \
    X(LEFT, "clients that went away")                                                              \
    X(WORKER_DIED, "workers that died")
/* clang-format on */
enum mishap {
#define MISHAP_ENUM(name, words) MISHAP_##name,
    MISHAPS(MISHAP_ENUM)
#undef MISHAP_ENUM
        MISHAPS_COUNT
};
const char *mishap_words(enum mishap mishap);

/* One call in so many goes wrong; 0: none. */
struct machine_luck {
    uint32_t write;
    uint32_t sync;
    uint32_t read;
    uint32_t call;  /* any other call that touches the disk */
    uint32_t files; /* opening */
    uint32_t flip;
    uint32_t memory;
    uint32_t slow;
    uint64_t room_bytes; /* the disk's size; 0: all it wants */
};

#define MACHINE_CALLS_MAX 256u
#define MACHINE_DEFERRED_MAX 4096u

struct machine_call { /* an asynchronous one */
    int64_t when_ns;
    uint64_t order;
    struct env_file *file;
    uint64_t offset;
    struct env_bytes pieces[4];
    uint32_t pieces_count; /* 0: a read, or a fill */
    void *bytes;           /* of a read */
    size_t count;
    bool is_sync;
    env_io_fn *done; /* NULL: free */
    void *context;
};

struct machine {
    struct env env; /* first */
    struct env_ops ops;
    struct disk *disk;
    struct dice dice;
    struct machine_luck luck;
    enum fault fault;
    bool is_prompt; /* asynchronous calls end at once, and what was read is in the page cache */
    void *owner;    /* whoever simulates */
    uint64_t mishaps[MISHAPS_COUNT];
    uint64_t trace; /* a running hash of all that happened */
    int64_t mono_ns;
    int64_t wall_lead_ns; /* of the wall clock over the mono clock */

    uint64_t crash_in;   /* that many calls from now; 0: none */
    jmp_buf crash;       /* where it goes */
    bool is_starting;    /* recovery is under way */
    uint32_t flips_left; /* how many bits the blocking reads may still turn over */
    bool is_locked;

    struct list_link memory;
    uint64_t memory_bytes;
    struct list_link files; /* open ones */
    struct list_link timers;
    uint64_t timers_fired;
    struct machine_call calls[MACHINE_CALLS_MAX];
    uint64_t calls_order;
    struct {
        env_fn *fn;
        void *context;
    } deferred[MACHINE_DEFERRED_MAX];
    uint32_t deferred_count;
};

/* Whose memory this is; NULL: somebody else's. */
struct machine *machine_behind(const struct allocator *allocator);

/* NULL: out of memory. */
struct machine *machine_open(uint64_t seed, enum fault fault);
void machine_close(struct machine *machine);

void machine_mix(struct machine *machine, uint64_t value); /* into the trace */

/* One turn of the loop: what is deferred, a call that is due, a timer that is due. If nothing is
 * due the clock moves on to what comes next, but not past `until_ns`. False: nothing was to be done
 * until then, and the clock stands there. */
bool machine_turn(struct machine *machine, int64_t until_ns);
/* Is there anything to be done at this very moment? */
bool machine_is_busy(const struct machine *machine);
/* Some call is under way. */
bool machine_has_calls(const struct machine *machine);

/* For tests, which move the clock by hand.
 * Everything that is to be done at this very moment; counts the timers that fired. A CHECK when
 * something asks for "now" for ever. */
uint64_t machine_run(struct machine *machine);
/* The calls that are under way, and those that follow at once from their ends: nothing else. */
void machine_end_calls(struct machine *machine);
/* Both clocks go on in steps of a millisecond, and what is due runs. */
void machine_pass_ms(struct machine *machine, int64_t ms);
/* Both clocks, in one step, without running anything. */
void machine_jump_ns(struct machine *machine, int64_t ns);
void machine_set_wall_ms(struct machine *machine, int64_t ms); /* only the wall clock */
/* When the next timer fires; INT64_MAX: none is set. */
int64_t machine_next_timer_ns(const struct machine *machine);
/* A machine whose disk has what a reader sees on this one's now. NULL: out of memory. */
struct machine *machine_copy(const struct machine *machine);

/* After the long jump: everything of takt's is gone. */
void machine_after_crash(struct machine *machine, enum disk_mercy mercy);
/* A stop in good order: what is still under way ends. The memory must then be all given back:
 * returns the bytes that were not. */
uint64_t machine_after_stop(struct machine *machine);

#endif
