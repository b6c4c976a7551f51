/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c -- commands in any order to the broker, each answer held against the model.
 *
 * The steps and the models are those of the broker's own tests (test/broker_steps_*.h); here the
 * input makes their choices instead of a seed. The log is carried, trimmed and replayed at any
 * point: the state after it is the state before. A line drains at the end, whatever was done.
 */
#include "fuzz/fuzz.h"

#include "broker_steps_lines.h"
#include "broker_steps_queues.h"
#include "test.h"

#define STEPS_MAX 1500u

static void run_queues(struct harness *harness) {
    (void)queue_steps_open(harness);
    for (uint32_t i = 0; i < STEPS_MAX && harness->choices_count > 0; i++) {
        harness_run(harness, queue_steps, QUEUE_STEPS_COUNT);
        if (i % 32 == 31) harness_turn(harness);
        if (i % 16 == 15) queue_steps_compare(harness);
    }
    queue_steps_compare(harness);
    harness_turn(harness);
    queue_steps_close(harness);
}

static void run_lines(struct harness *harness) {
    (void)line_steps_open(harness);
    for (uint32_t i = 0; i < STEPS_MAX && harness->choices_count > 0; i++) {
        harness_run(harness, line_steps, LINE_STEPS_COUNT);
        if (i % 16 == 15) broker_check(harness->broker);
        if (i % 32 == 31) harness_turn(harness);
    }
    harness->choices = NULL; /* from here on the seed decides: zeros alone would end nothing */
    line_steps_drain(harness);
    harness_turn(harness);
    line_steps_close(harness);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 2) return 0;
    struct harness harness;
    harness_open(&harness, bytes[0]);
    harness.choices = bytes + 1;
    harness.choices_count = count - 1;
    if (bytes[0] % 2 == 0) {
        run_queues(&harness);
    } else {
        run_lines(&harness);
    }
    harness_close(&harness);
    return 0;
}
