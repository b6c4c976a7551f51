/* SPDX-License-Identifier: Apache-2.0 */
/* permission.h -- AddPermission and RemovePermission: statements of a policy by their labels. */
#ifndef TAKT_SQS_PERMISSION_H
#define TAKT_SQS_PERMISSION_H

#include "sqs/sqs_settings.h"

struct permission_input {
    struct slice queue_url;
    struct slice label;
    struct sqs_texts accounts; /* AddPermission only, as the next */
    struct sqs_texts actions;
};

/* The policy as it will be, into the change's notes. False: fault. */
typedef bool permission_fn(struct sqs_change *change, const struct permission_input *input);
permission_fn permission_add, permission_remove;

/* Answers. */
void permission_run(struct sqs_call *call, const struct permission_input *input,
                    permission_fn *edit);

#endif
