/* SPDX-License-Identifier: Apache-2.0 */
#include "shard/shard_replay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool shard_replay_open(struct shard_replay *replay, const struct allocator *allocator) {
    *replay = (struct shard_replay){
        .broker = broker_open(&(struct broker_options){.allocator = allocator})};
    if (replay->broker != NULL) broker_replay_begin(replay->broker);
    return replay->broker != NULL;
}

void shard_replay_close(struct shard_replay *replay) {
    broker_close(replay->broker);
    replay->broker = NULL;
}

int shard_replay_add(struct shard_replay *replay, const struct journal_record *record) {
    if (replay->refused_lsn != 0) return 0;
    int rc = broker_apply(replay->broker, record->lsn, record->bytes, record->bodies,
                          record->bodies_count);
    if (rc == -ENOMEM) return rc;
    if (rc < 0) replay->refused_lsn = record->lsn;
    return 0;
}

bool shard_replay_end(struct shard_replay *replay, char *words, size_t words_bytes) {
    (void)snprintf(words, words_bytes, "%s", "");
    int rc = broker_replay_end(replay->broker, words, words_bytes);
    if (replay->refused_lsn != 0) {
        (void)snprintf(words, words_bytes, "record %llu cannot be applied",
                       (unsigned long long)replay->refused_lsn);
        return false;
    }
    if (rc < 0 && words[0] == '\0') (void)snprintf(words, words_bytes, "%s", strerror(-rc));
    return rc == 0;
}
