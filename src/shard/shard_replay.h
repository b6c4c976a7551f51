/* SPDX-License-Identifier: Apache-2.0 */
/* shard_replay.h -- the state that records give, without a journal to go on with: for those who look
 * at the data of a takt that does not run.
 */
#ifndef TAKT_SHARD_SHARD_REPLAY_H
#define TAKT_SHARD_SHARD_REPLAY_H

#include "broker/broker.h"
#include "journal/journal.h"

struct shard_replay {
    struct broker *broker;
    uint64_t refused_lsn; /* the first record that could not be applied; 0: none */
};

/* allocator: kept. False: out of memory. */
TAKT_MUST_USE bool shard_replay_open(struct shard_replay *replay,
                                     const struct allocator *allocator);
void shard_replay_close(struct shard_replay *replay);
/* The next record. Once one could not be applied the later ones are passed over. 0 or -ENOMEM. */
TAKT_MUST_USE int shard_replay_add(struct shard_replay *replay,
                                   const struct journal_record *record);
/* All have come. True: the state is whole, and may be asked; else `words` says what is wrong. */
TAKT_MUST_USE bool shard_replay_end(struct shard_replay *replay, char *words, size_t words_bytes);

#endif
