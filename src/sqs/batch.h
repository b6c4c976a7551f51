/* SPDX-License-Identifier: Apache-2.0 */
/* batch.h -- up to ten entries in one request, of which each succeeds or fails alone. */
#ifndef TAKT_SQS_BATCH_H
#define TAKT_SQS_BATCH_H

#include "sqs/sqs_inside.h"

/* In the request's arena. Entries without a fault are in the command, in their order. */
struct batch {
    struct sqs_call *call;
    struct slice queue;
    struct slice result_element; /* what an entry that succeeded is called where lists name them */
    const void *entries;         /* the action's own */
    uint32_t count;
    struct slice ids[BROKER_BATCH_MAX];
    struct sqs_fault faults[BROKER_BATCH_MAX];
    uint32_t places[BROKER_BATCH_MAX]; /* of the command's i-th: which entry it is */
    uint32_t commanded_count;
};

/* The members of an entry that succeeded, besides its Id. place: in the command. */
typedef void batch_write_fn(struct sqs_writer *writer, const void *context, uint32_t entry,
                            uint32_t place);

/* NULL: refused already. */
struct batch *batch_open(struct sqs_call *call, struct slice queue_url, const struct slice *ids,
                         uint32_t count, const char *kind);
/* True: the entry is in the command, as its next one. Its fault decides. */
bool batch_add(struct batch *batch, uint32_t entry);
/* Nothing of it is in a command: answer without one. */
void batch_answer_faults(struct batch *batch);
/* After the command: its results and what was refused before. A fault that the action has set by
 * then keeps its words. write may be NULL. */
void batch_answer(struct batch *batch, const struct broker_answer *answer, batch_write_fn *write,
                  const void *context);

#endif
