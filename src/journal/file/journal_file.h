/* SPDX-License-Identifier: Apache-2.0 */
/* journal_file.h -- the embedded house: a journal in a folder of segments. */
#ifndef TAKT_JOURNAL_FILE_JOURNAL_FILE_H
#define TAKT_JOURNAL_FILE_JOURNAL_FILE_H

#include "base/log.h"
#include "env/env.h"
#include "journal/journal.h"

struct journal_file_options {
    struct env *env;       /* kept */
    const struct log *log; /* kept */
    const char *path;      /* borrowed: the folder; made if it is not there */
    /* 0: 64 MiB; at least 4 MiB, at most 4 GiB, a multiple of 4096. A folder keeps what it was made
     * with. The largest record must fit: below 64 MiB the limits of journal.h shrink with it. */
    uint64_t segment_bytes;
    uint64_t bytes_max;       /* 0: no limit but the disk's; at least 4 segments */
    uint64_t bytes_kept_free; /* of the file system, never used; 0: 64 MiB */
    bool no_sync;             /* durability: none */
    bool accept_damage;       /* go on at the first damaged batch as if the log ended there */
};

/* 0; -EWOULDBLOCK: another process has the folder; -EPROTONOSUPPORT: a newer format; -EBADMSG: what
 * is in the folder is no journal, or a damaged one; -EUCLEAN: a repair of it is unfinished; -EINVAL: an option; or what the disk gave. All
 * said in the log. The caller then replays and starts. */
TAKT_MUST_USE int journal_file_open(const struct journal_file_options *options,
                                    struct journal **out);

#endif
