/* SPDX-License-Identifier: Apache-2.0 */
/* file_walk.h -- all of a log in its order, each byte verified, on behind what is damaged. */
#ifndef TAKT_JOURNAL_FILE_FILE_WALK_H
#define TAKT_JOURNAL_FILE_FILE_WALK_H

#include "journal/file/file_folder.h"
#include "journal/file/journal_check.h"

/* options: the callbacks of it. Results as those of journal_file_check. */
TAKT_MUST_USE int file_walk(struct file_folder *folder, const struct journal_check_options *options,
                            struct journal_report *report);

#endif
