/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h -- mistakes that takt does not make, made on purpose: each must be found by the simulator,
 * or the simulator proves nothing.
 *
 * The shipped objects are linked as they are, so nothing of this costs them anything. A fault sits
 * where the simulator stands anyway: in the simulated machine (machine.c), in the journal that is
 * put between the shard and the file house (between.c), between the shard and the broker, whose
 * calls the linker leads through sim/wrap.c (-Wl,--wrap, for the simulator's programs only), or at
 * the processes that the runtime starts (processes.c).
 *
 * docs/simulator.md says which promise each of them breaks.
 */
#ifndef TAKT_SIM_FAULTS_H
#define TAKT_SIM_FAULTS_H

/* name, what takt would then do wrong */
/* clang-format off */
#define FAULTS(X)                                                                                  \
    X(NONE, "nothing")                                                                             \
    /* the machine: the disk's promises */                                                         \
    X(DIRECTORY_UNSYNCED, "forget to sync the directory")                                          \
    X(BATCH_UNSYNCED, "forget to sync a batch")                                                    \
    X(START_UNSYNCED, "forget every sync while starting")                                          \
    X(SYNC_FAILURE_HIDDEN, "take a failed sync for a good one")                                    \
    X(WRITE_FAILURE_HIDDEN, "take a failed write for a good one")                                  \
    X(WRITE_SHORT, "leave out the last bytes of a batch")                                          \
    /* the journal */                                                                              \
    X(ANSWER_EARLY, "answer before the commit")                                                    \
    X(ANSWER_AHEAD, "answer the next batch with this one's commit")                                \
    X(FAILURE_UNTOLD, "go on answering after the journal has failed")                              \
    X(RECORD_DROPPED, "drop the last record of a batch at recovery")                               \
    X(TRIM_EARLY, "trim what has not been carried")                                                \
    X(BODY_STALE, "give the body that was read before")                                            \
    /* the shard */                                                                                \
    X(EVENT_LOST, "forget to wake who waits at a queue")                                           \
    X(CLOCK_BACK, "let a record's time be less than the one before")                               \
    X(RANDOM_REPEATED, "use the same random bytes twice")                                          \
    X(LIFE_UNSTARTED, "leave the sessions of earlier lives open")                                  \
    /* the broker: queues */                                                                       \
    X(NONCE_REUSED, "reuse a receipt nonce")                                                       \
    X(LEASE_FORGOTTEN, "give a message out while it is in flight")                                 \
    X(DELAY_FORGOTTEN, "show a delayed message at once")                                           \
    X(DELETE_UNDONE, "answer a delete and keep the message")                                       \
    X(DELETE_UNCOUNTED, "forget to count a delete")                                                \
    X(PURGE_SKIPPED, "purge nothing when the queue is small")                                      \
    X(CHANGE_UNDONE, "answer a change of visibility and keep the old")                             \
    X(SEND_CUT, "lose the last message of a batch that is sent")                                   \
    X(CARRY_DELAYED_LOST, "forget a delayed message when carrying")                                \
    X(CARRY_QUEUE_LOST, "forget a queue when carrying")                                            \
    X(REPLAY_SKIPS_DELETE, "forget deletes at recovery")                                           \
    X(REPLAY_SKIPS_ADVANCE, "forget at recovery that time has passed")                             \
    /* the broker: lines */                                                                        \
    X(OUTPUT_LOST, "lose the last output of a hand-off")                                           \
    X(OUTPUT_TWICE, "send an output of a hand-off twice")                                          \
    X(INPUT_KEPT, "answer a hand-off and keep the input")                                          \
    X(FAIL_UNCOUNTED, "take a failed attempt for a returned one")                                  \
    X(ONCE_FORGOTTEN, "start a second job under one key")                                          \
    X(STRANGER_TAKEN, "take an answer from a worker whose lease is lost")                          \
    X(KIT_EARLY, "let a kit come before its last part")                                            \
    X(ROLL_STUCK, "forget the rest of a large split")                                              \
    X(REPLAY_SKIPS_LEASE, "forget leases at recovery")                                             \
    X(SUSPECT_FORGOTTEN, "forget that a message may have killed its worker")                       \
    X(LIMIT_IGNORED, "take no notice of WIP limits")                                               \
    X(LATE_KIT_FORGOTTEN, "let a kit wait for ever")                                               \
    /* the runtime of lines */                                                                     \
    X(DEATH_UNHEARD, "forget that a worker has died")                                              \
    X(WORKER_SPARED, "forget to kill a worker that takes too long")                                \
    X(BUSY_CHOSEN, "tell a worker to go that holds a message")                                     \
    X(WORK_TWICE, "give a message to two workers")
/* clang-format on */

enum fault {
#define FAULT_ENUM(name, words) FAULT_##name,
    FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULTS_COUNT
};

const char *fault_name(enum fault fault);
const char *fault_words(enum fault fault);
/* FAULTS_COUNT: there is none of that name. */
enum fault fault_find(const char *name);

#endif
