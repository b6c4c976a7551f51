/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/handoff.h"

static void late_step(struct handoff *handoff, const struct station *to) {
    int64_t now_ms = handoff->deciding->now_ms;
    handoff->steps[handoff->steps_count++] = (struct job_step){
        .station = to->index,
        .station_name = to->settings->name,
        .task_path = handoff->path,
        .queued.ms = now_ms,
        .ended.ms = now_ms,
        .outcome = STEP_LATE,
    };
}

void handoff_output(struct handoff *handoff, const struct handoff_output *output) {
    const struct broker *broker = handoff->deciding->broker;
    if (output->station == BROKER_TARGET_END) return;
    struct station to = station_at(broker, handoff->line, output->station);
    struct arrival arrival = path_arrive(broker, handoff->fresh, handoff->path_split, &to);
    if (arrival.is_late) {
        late_step(handoff, &to);
        return;
    }
    (void)effect_message(handoff->deciding,
                         &(struct effect_message){
                             .job = ref_at(broker, THING_JOB, handoff->job),
                             .path_split = handoff->fresh != NULL
                                               ? handoff->fresh->ref
                                               : ref_at(broker, THING_SPLIT, handoff->path_split),
                             .counting_split = arrival.counting_split,
                             .from = queue_ref(handoff->from),
                             .to = queue_ref(to.queue),
                             .index = output->index,
                             .hops = handoff->hops,
                             .visit = to.settings->in_cycle ? handoff->hops : 0,
                             .is_each = output->is_each || handoff->is_each,
                             .is_part = arrival.is_part,
                             .delay_ms = to.settings->delay_ms,
                             .body = record_body(handoff->deciding, output->body),
                         });
}
