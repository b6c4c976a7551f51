/* SPDX-License-Identifier: Apache-2.0 */
/* receive.h -- what ReceiveMessage takes, and how a message is written for it. */
#ifndef TAKT_SQS_RECEIVE_H
#define TAKT_SQS_RECEIVE_H

#include "sqs/message.h"

struct receive_input {
    struct slice queue_url;
    struct sqs_integer messages_max;
    struct sqs_integer visibility_timeout;
    struct sqs_integer wait_seconds;
    struct sqs_texts attribute_names;        /* older clients' word for the next */
    struct sqs_texts system_attribute_names; /* which the service adds */
    struct sqs_texts message_attribute_names;
    struct slice attempt_id;
};

/* Are the names of system attributes known? */
bool receive_check_names(const struct receive_input *input, struct sqs_fault *fault);
/* Is the message attribute `name` asked for: by its name, by "All", ".*", or "PREFIX.*"? */
bool receive_wants_attribute(const struct sqs_texts *names, struct slice name);
/* One element of "Messages". */
void receive_write_message(const struct sqs_call *call, const struct receive_input *input,
                           const struct answer_message *message, const struct message_body *body,
                           struct sqs_writer *writer);

#endif
