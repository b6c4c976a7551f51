/* SPDX-License-Identifier: Apache-2.0 */
/* json_protocol.h -- the two halves of sqs_protocol_json. */
#ifndef TAKT_SQS_JSON_PROTOCOL_H
#define TAKT_SQS_JSON_PROTOCOL_H

#include "sqs/sqs_protocol.h"

bool json_open_request(const struct http_request *request, struct sqs_parsed *parsed,
                       struct sqs_fault *fault);
bool json_read_request(const struct http_request *request, const struct sqs_parsed *parsed,
                       const struct sqs_shape *shape, void *input, struct sqs_fault *fault);

#endif
