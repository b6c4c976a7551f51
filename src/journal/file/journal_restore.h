/* SPDX-License-Identifier: Apache-2.0 */
/* journal_restore.h -- a journal's folder from a backup (file_backup.h), byte by byte as it comes.
 *
 * The folder counts as a journal only when journal_restore_end has returned 0: its file `format` is
 * the last that is written. Blocking.
 */
#ifndef TAKT_JOURNAL_FILE_JOURNAL_RESTORE_H
#define TAKT_JOURNAL_FILE_JOURNAL_RESTORE_H

#include "base/slice.h"
#include "env/env.h"

struct journal_restore;

/* path: borrowed; a folder of the caller's own, made if it is not there: what an earlier restore has
 * left in it is removed. NULL: nothing is written, the stream is only looked at. 0; -EWOULDBLOCK:
 * somebody else is at it; or what the disk gave. */
TAKT_MUST_USE int journal_restore_open(struct env *env, const char *path,
                                       struct journal_restore **out);
void journal_restore_close(struct journal_restore *restore); /* NULL is allowed */

/* The next bytes; borrowed. 0; -EBADMSG: this is no backup, or not as it was written;
 * -EPROTONOSUPPORT: of a newer takt; or what the disk gave. */
TAKT_MUST_USE int journal_restore_add(struct journal_restore *restore, struct slice bytes);
/* Has its end come? */
bool journal_restore_has_ended(const struct journal_restore *restore);
/* All have come; it is made durable. -EBADMSG: its end is missing. *lsn: the last record's. */
TAKT_MUST_USE int journal_restore_end(struct journal_restore *restore, uint64_t *lsn);

#endif
