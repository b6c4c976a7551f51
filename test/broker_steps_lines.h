/* SPDX-License-Identifier: Apache-2.0 */
/* broker_steps_lines.h -- random commands on a random line: orders, leases, hand-offs with splits and
 * joins, attempts, deaths of workers, dead letters, time.
 */
#ifndef TAKT_TEST_BROKER_STEPS_LINES_H
#define TAKT_TEST_BROKER_STEPS_LINES_H

#include "broker_harness.h"

struct line_steps;

/* Puts a random line into force. */
struct line_steps *line_steps_open(struct harness *harness);
void line_steps_close(struct harness *harness);

#define LINE_STEPS_COUNT 18u
extern const struct harness_step line_steps[LINE_STEPS_COUNT];

/* Every message is answered and every dead letter deleted: then every job has ended, and no message,
 * split, kit or roll is left; and a while later no job. */
void line_steps_drain(struct harness *harness);

#endif
