/* SPDX-License-Identifier: Apache-2.0 */
/* action_remove_permission.c -- RemovePermission: the statement of a label goes. */
#include "sqs/permission.h"

static const struct sqs_field fields[] = {
    SQS_FIELD(permission_input, queue_url, "QueueUrl", SQS_TEXT),
    SQS_FIELD_REQUIRED(permission_input, label, "Label", SQS_TEXT),
};
static const struct sqs_shape shape = SQS_SHAPE(permission_input, fields);

static void run(struct sqs_call *call, const void *input) {
    permission_run(call, input, permission_remove);
}

const struct sqs_action sqs_action_remove_permission = {SLICE("RemovePermission"), &shape, run,
                                                        false};
