/* SPDX-License-Identifier: Apache-2.0 */
/* kit_text.h -- the JSON text of a kit, made of its parts' bodies: what a handler of a join sees.
 *
 * An object by the last station before the join: an array in the order of the split if an `each`
 * lies on the way, else the value, or null if that way was not taken. Parts are put in as the bytes
 * that came.
 */
#ifndef TAKT_LINE_KIT_TEXT_H
#define TAKT_LINE_KIT_TEXT_H

#include "line/definition.h"
#include "shard/shard.h"

/* result 0: text borrowed for the call. -EBADMSG: a part is damaged; -ENOMEM; -E2BIG: above
 * bytes_max; -EINVAL: a part is not JSON (a join needs JSON). */
typedef void kit_text_fn(void *context, int result, struct slice text);

/* Read the parts of the kit message and make its text. done runs once, perhaps inside the call. */
void kit_text_read(struct shard *shard, const struct definition *definition, uint32_t station,
                   struct broker_ref message, size_t bytes_max, kit_text_fn *done, void *context);

#endif
