/* SPDX-License-Identifier: Apache-2.0 */
/* query_protocol.h -- the parts of sqs_protocol_query: the form, what is read from it. */
#ifndef TAKT_SQS_QUERY_PROTOCOL_H
#define TAKT_SQS_QUERY_PROTOCOL_H

#include "sqs/sqs_protocol.h"

#define QUERY_PARAMS_MAX 4096u

struct query_param { /* decoded, well-formed UTF-8 */
    struct slice name;
    struct slice value; /* bytes are never NULL */
};
struct query_form {
    struct query_param *params;
    uint32_t count;
};

/* The parameters of the URL, then those of the body if it is a form. False: *fault. */
bool query_form_read(const struct http_request *request, struct query_form *out,
                     struct sqs_fault *fault);

bool query_open_request(const struct http_request *request, struct sqs_parsed *parsed,
                        struct sqs_fault *fault);
bool query_read_request(const struct http_request *request, const struct sqs_parsed *parsed,
                        const struct sqs_shape *shape, void *input, struct sqs_fault *fault);

#endif
