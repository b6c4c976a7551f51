/* SPDX-License-Identifier: Apache-2.0 */
/* broker_views_pending.c -- lines are not written yet: there are no jobs and no rolls. Each function
 * leaves this file when its own is there. */
#include "broker/broker_record.h"

bool broker_next_roll(const struct broker *broker, struct broker_ref *roll,
                      struct body_ref *chunk) {
    CHECK(broker->pools[THING_ROLL].count == 0 && roll != NULL && chunk != NULL);
    return false;
}

bool broker_get_job(const struct broker *broker, struct broker_ref ref, struct job_view *out) {
    CHECK(broker->pools[THING_JOB].count == 0 && out != NULL);
    CHECK(ref.number != 0);
    return false;
}
