/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/file/journal_check.h"

#include "journal/file/file_walk.h"

#include <errno.h>

static const char *const names[] = {
    [JOURNAL_DAMAGE_BODY] = "body",
    [JOURNAL_DAMAGE_SEGMENT_HEADER] = "segment-header",
    [JOURNAL_DAMAGE_SEGMENT_SHORT] = "segment-short",
    [JOURNAL_DAMAGE_SEGMENT_MISSING] = "segment-missing",
    [JOURNAL_DAMAGE_BATCH_HEADER] = "batch-header",
    [JOURNAL_DAMAGE_RECORDS] = "records",
};
_Static_assert(ARRAY_COUNT(names) == JOURNAL_DAMAGE_KINDS, "each kind has a name");

const char *journal_damage_name(enum journal_damage damage) {
    return names[damage];
}

int journal_file_check(const struct journal_check_options *options, struct journal_report *report) {
    *report = (struct journal_report){.format = 0};
    struct file_folder folder;
    int rc = file_folder_lock(options->env, options->path, &folder);
    if (rc == 0) {
        rc = file_folder_has(&folder, FILE_NAME_REPAIR);
        if (rc == 1) rc = -EUCLEAN;
    }
    if (rc == 0) rc = file_folder_load(&folder);
    report->format = folder.format.number;
    report->segments_count = folder.segments_count;
    if (rc == 0) rc = file_walk(&folder, options, report);
    file_folder_close(&folder);
    return rc;
}
