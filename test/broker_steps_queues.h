/* SPDX-License-Identifier: Apache-2.0 */
/* broker_steps_queues.h -- random commands on plain queues, each answer held against a plain model:
 * a list of messages and what each of them is doing. */
#ifndef TAKT_TEST_BROKER_STEPS_QUEUES_H
#define TAKT_TEST_BROKER_STEPS_QUEUES_H

#include "broker_harness.h"

struct queue_steps;

/* Memory of the steps; goes with queue_steps_close. */
struct queue_steps *queue_steps_open(struct harness *harness);
void queue_steps_close(struct harness *harness);

#define QUEUE_STEPS_COUNT 14u
extern const struct harness_step queue_steps[QUEUE_STEPS_COUNT];

/* The model's messages of each queue are the broker's, place by place. */
void queue_steps_compare(struct harness *harness);

#endif
