/* SPDX-License-Identifier: Apache-2.0 */
/* queue_list.h -- queues' URLs in the byte order of their names, a page at a time. */
#ifndef TAKT_SQS_QUEUE_LIST_H
#define TAKT_SQS_QUEUE_LIST_H

#include "sqs/sqs_inside.h"

struct queue_list_input {
    struct slice prefix;
    struct slice next_token;
    struct sqs_integer results_max;
};

/* Is the queue one of them? NULL: all are. */
typedef bool queue_list_fn(const struct queue_view *view, struct slice context);

/* Answers, with the list called `member`. */
void queue_list_answer(struct sqs_call *call, const struct queue_list_input *input,
                       queue_list_fn *is_wanted, struct slice context, struct slice member);

#endif
