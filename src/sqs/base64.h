/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h -- bytes as text in protocols that have only text (RFC 4648, with padding). */
#ifndef TAKT_SQS_BASE64_H
#define TAKT_SQS_BASE64_H

#include "base/arena.h"
#include "base/buffer.h"

/* False if text is not base64 as written below, or out of memory. */
TAKT_MUST_USE bool base64_read(struct arena *arena, struct slice text, struct slice *out);
void base64_write(struct buffer *out, struct slice bytes);

#endif
