/* SPDX-License-Identifier: Apache-2.0 */
/* journal_repair.h -- makes a damaged journal one that takt starts on, without what is damaged.
 *
 * A damaged body is given up: its record stays, and each read of the body fails (body_ref.h). Any
 * other damage ends the log there. Nothing that was there is written over: each file that changes is
 * kept beside the others as %016x.damaged, and so are the segments behind a new end.
 */
#ifndef TAKT_JOURNAL_FILE_JOURNAL_REPAIR_H
#define TAKT_JOURNAL_FILE_JOURNAL_REPAIR_H

#include "journal/file/journal_check.h"

struct journal_repair_options {
    struct journal_check_options check; /* the callbacks hear of what is found */
    /* All has been read; nothing has been changed yet. False: leave it so. */
    bool (*go_on)(void *context, const struct journal_report *report);
    /* A file is kept aside: its new name, borrowed. May be NULL. */
    void (*on_kept)(void *context, const char *name);
};

struct journal_repair_report {
    struct journal_report found;
    bool was_unfinished; /* an earlier repair was, and has been finished first */
    uint32_t kept_count; /* files kept aside */
};

/* 0: it is whole now, or was; -ECANCELED: go_on said no. Others as journal_file_check. When it is
 * killed, takt does not start before it has run again, and it may be run again at any point. */
TAKT_MUST_USE int journal_file_repair(const struct journal_repair_options *options,
                                      struct journal_repair_report *report);

#endif
