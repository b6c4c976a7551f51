/* SPDX-License-Identifier: Apache-2.0 */
/* file_format.h -- the file `format` of a journal's folder: what is needed to read all the others. */
#ifndef TAKT_JOURNAL_FILE_FILE_FORMAT_H
#define TAKT_JOURNAL_FILE_FILE_FORMAT_H

#include "env/env.h"

#define FILE_NAME_FORMAT "format"
#define FILE_NAME_FORMAT_NEW "format.tmp"

struct file_format {
    uint64_t number; /* of the format, see FILE_FORMAT */
    uint64_t segment_bytes;
    uint64_t seed; /* of the checksums; nobody outside may know it */
};

/* 0; -ENOENT: there is none; -EBADMSG: it is damaged, or no format of takt's; -EPROTONOSUPPORT: of a
 * newer takt, and only out->number is set; or what the disk gave. */
TAKT_MUST_USE int file_format_read(struct env *env, struct env_file *directory,
                                   struct file_format *out);
/* Durable when it returns 0. */
TAKT_MUST_USE int file_format_write(struct env *env, struct env_file *directory,
                                    const struct file_format *format);

#endif
