/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_actions.c -- the actions: one entry here, one file action_NAME.c each. */
#include "sqs/sqs_inside.h"

static const struct sqs_action *const actions[] = {
    &sqs_action_send_message, /* the busy ones first */
    &sqs_action_receive_message,
    &sqs_action_delete_message,
    &sqs_action_send_message_batch,
    &sqs_action_delete_message_batch,
    &sqs_action_change_message_visibility,
    &sqs_action_change_message_visibility_batch,
    &sqs_action_create_queue,
    &sqs_action_delete_queue,
    &sqs_action_list_queues,
    &sqs_action_get_queue_url,
    &sqs_action_get_queue_attributes,
    &sqs_action_set_queue_attributes,
    &sqs_action_purge_queue,
    &sqs_action_tag_queue,
    &sqs_action_untag_queue,
    &sqs_action_list_queue_tags,
    &sqs_action_add_permission,
    &sqs_action_remove_permission,
    &sqs_action_list_dead_letter_source_queues,
    &sqs_action_start_message_move_task,
    &sqs_action_cancel_message_move_task,
    &sqs_action_list_message_move_tasks,
};

const struct sqs_action *sqs_action_find(struct slice name, struct sqs_fault *fault) {
    for (size_t i = 0; i < ARRAY_COUNT(actions); i++) {
        if (slice_equal(name, actions[i]->name)) return actions[i];
    }
    struct slice excerpt = sqs_excerpt(name);
    sqs_fail(fault, SQS_ERROR_UNKNOWN_OPERATION, "SQS has no operation %.*s.", SLICE_ARGS(excerpt));
    return NULL;
}
