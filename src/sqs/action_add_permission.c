/* SPDX-License-Identifier: Apache-2.0 */
/* action_add_permission.c -- AddPermission: one more statement in the queue's policy. */
#include "sqs/permission.h"

static const struct sqs_field fields[] = {
    SQS_FIELD(permission_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_REQUIRED(permission_input, label, "Label", SQS_TEXT),
    SQS_FIELD_LIST_REQUIRED(permission_input, accounts, "AWSAccountIds", "AWSAccountId", SQS_TEXTS),
    SQS_FIELD_LIST_REQUIRED(permission_input, actions, "Actions", "ActionName", SQS_TEXTS),
};
static const struct sqs_shape shape = SQS_SHAPE(permission_input, fields);

static void run(struct sqs_call *call, const void *input) {
    permission_run(call, input, permission_add);
}

const struct sqs_action sqs_action_add_permission = {SLICE("AddPermission"), &shape, run, false};
