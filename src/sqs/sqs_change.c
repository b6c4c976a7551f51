/* SPDX-License-Identifier: Apache-2.0 */
#include "sqs/sqs_settings.h"

bool sqs_change_open(struct sqs_change *change, const struct sqs_call *call,
                     struct command_queue *command, uint32_t notes_max, struct sqs_fault *fault) {
    *change = (struct sqs_change){
        .call = call, .fault = fault, .command = command, .notes_max = notes_max};
    change->is_new =
        !broker_find_queue(shard_broker(call->sqs->shard), command->name, &change->present);
    change->notes = arena_take_array(sqs_call_arena(call), notes_max, sizeof *change->notes);
    if (change->notes == NULL && notes_max > 0)
        return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    command->notes = change->notes;
    return true;
}

void sqs_change_note(struct sqs_change *change, struct slice name, struct slice value) {
    CHECK(change->command->notes_count < change->notes_max);
    change->notes[change->command->notes_count++] = (struct queue_note){name, value};
}

struct slice sqs_change_find(const struct sqs_change *change, struct slice name) {
    for (uint32_t i = change->command->notes_count; i-- > 0;) {
        if (slice_equal(change->notes[i].name, name)) return change->notes[i].value;
    }
    return change->is_new ? SLICE_EMPTY : queue_notes_find(change->present.notes, name);
}
