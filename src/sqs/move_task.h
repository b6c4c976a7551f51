/* SPDX-License-Identifier: Apache-2.0 */
/* move_task.h -- what the actions on move tasks share: queues by their ARNs, tasks by their handles.
 *
 * A handle is base64 of {"taskId":"UUID","sourceArn":"ARN"}.
 */
#ifndef TAKT_SQS_MOVE_TASK_H
#define TAKT_SQS_MOVE_TASK_H

#include "sqs/sqs_inside.h"

/* The queue of an ARN; `parameter` is what it came as. False: fault. */
bool move_queue_of(const struct sqs_call *call, struct slice arn, const char *parameter,
                   struct queue_view *view, struct sqs_fault *fault);
/* Writes the member TaskHandle. False: out of memory. */
bool move_handle_write(const struct sqs_call *call, struct slice source, const uint8_t id[16],
                       struct sqs_writer *writer);
/* False: fault. */
bool move_handle_read(const struct sqs_call *call, struct slice handle, struct move_view *out,
                      struct sqs_fault *fault);

#endif
