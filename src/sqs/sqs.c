/* SPDX-License-Identifier: Apache-2.0 */
/* sqs.c -- the endpoint: from an HTTP request to the action it names.
 *
 *   sqs_protocol_of   AWS JSON 1.0 or Query
 *   protocol->open    which action
 *   protocol->read    the request becomes the action's input
 *   action->run       checks, one command, one answer
 *
 * What is refused on the way never reaches the broker.
 */
#include "sqs/sqs_inside.h"

#include <errno.h>
#include <stdio.h>

static const char account_default[] = "000000000000";
static const char region_default[] = "us-east-1";

static bool copy_option(const char *value, const char *otherwise, char *out, size_t out_bytes) {
    if (value == NULL) value = otherwise;
    size_t count = strlen(value);
    if (count == 0 || count >= out_bytes) return false;
    memcpy(out, value, count + 1);
    return true;
}

int sqs_open(const struct sqs_options *options, struct sqs **out) {
    CHECK(options->shard != NULL);
    struct env *env = shard_env(options->shard);
    int rc = -ENOMEM;
    struct sqs *sqs = env_alloc(env, sizeof *sqs);
    if (sqs == NULL) return rc;
    sqs->shard = options->shard;
    sqs->env = env;
    sqs->log = shard_log(options->shard);
    buffer_open(&sqs->encoded, &env->allocator, SQS_ENCODED_BYTES_MAX);
    env->ops->random(env, &sqs->id_seed, sizeof sqs->id_seed);

    sqs->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    sqs->md5_context = EVP_MD_CTX_new();
    if (sqs->md5 == NULL || sqs->md5_context == NULL) goto fail;
    rc = -EINVAL;
    if (!copy_option(options->account, account_default, sqs->account, sizeof sqs->account) ||
        !copy_option(options->region, region_default, sqs->region, sizeof sqs->region))
        goto fail;
    *out = sqs;
    return 0;

fail:
    sqs_close(sqs);
    return rc;
}

static void free_call(struct sqs *sqs, struct sqs_call *call) {
    buffer_close(&call->out);
    env_free(sqs->env, call);
}

void sqs_close(struct sqs *sqs) {
    if (sqs == NULL) return;
    for (struct sqs_call *call = sqs->calls_free; call != NULL;) {
        struct sqs_call *next = call->next_free;
        free_call(sqs, call);
        call = next;
    }
    sqs->calls_free = NULL;
    sqs->calls_free_count = SQS_CALLS_KEPT_MAX; /* those that are still open are not kept */
    sqs->is_closed = true;
    if (sqs->calls_open_count == 0) sqs_free(sqs);
}

void sqs_free(struct sqs *sqs) {
    buffer_close(&sqs->encoded);
    EVP_MD_CTX_free(sqs->md5_context); /* NULL is allowed, as in the next line */
    EVP_MD_free(sqs->md5);
    env_free(sqs->env, sqs);
}

static size_t body_bytes_max(void *context, const struct http_request *request) {
    (void)context;
    (void)request;
    return SQS_REQUEST_BYTES_MAX;
}

struct slice sqs_content_type(const struct http_request *request) {
    struct slice type;
    struct slice parameters;
    slice_cut(http_request_header(request, SLICE("content-type")), ';', &type, &parameters);
    return slice_trim(type);
}

/* A header of JSON's decides; after it whatever only Query is sent with. */
const struct sqs_protocol *sqs_protocol_of(const struct http_request *request) {
    struct slice type = sqs_content_type(request);
    bool is_query = !http_request_has_header(request, SLICE("x-amz-target")) &&
                    (slice_equal(request->method, SLICE("GET")) ||
                     slice_equal_ignore_case(type, SLICE("application/x-www-form-urlencoded")) ||
                     (type.count == 0 && slice_starts_with(request->query, SLICE("Action="))));
    return is_query ? &sqs_protocol_query : &sqs_protocol_json;
}

static void on_request(void *context, struct http_request *request) {
    struct sqs *sqs = context;
    struct sqs_call *call = sqs_call_open(sqs, request);
    if (call == NULL) {
        http_respond(request, &(struct http_response){.status = 503});
        return;
    }
    struct sqs_fault fault = sqs_fault_none(request->arena);
    if (call->protocol->open(request, &call->parsed, &fault))
        call->action = sqs_action_find(call->parsed.action, &fault);
    if (call->action == NULL) {
        sqs_refuse(call, &fault);
        return;
    }
    const struct sqs_shape *shape = call->action->shape;
    void *input = arena_take(request->arena, shape->bytes_count);
    if (input == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
    } else if (!call->protocol->read(request, &call->parsed, shape, input, &fault)) {
        sqs_refuse(call, &fault);
    } else {
        call->action->run(call, input);
    }
}

static void on_closed(void *context, struct http_request *request) {
    (void)context;
    struct sqs_call *call = request->context;
    call->request = NULL;
    if (call->receive == NULL) return; /* its callback ends it */
    shard_receive_cancel(call->receive);
    sqs_call_end(call);
}

static void add_error_header(struct arena *arena, const char *code, int status,
                             struct http_response *response) {
    struct http_header *header = arena_take(arena, sizeof *header);
    const char *text = sqs_error_header(arena, code, status);
    if (header == NULL || text == NULL) return;
    *header = (struct http_header){SLICE("x-amzn-query-error"), slice_from_string(text)};
    response->headers = header;
    response->headers_count = 1;
}

/* A refusal that no call was made for. */
static void write_refusal(const struct sqs_protocol *protocol, struct arena *arena, int status,
                          struct http_response *response) {
    struct sqs_fault fault = sqs_fault_none(arena);
    if (status == 413) {
        sqs_fail(&fault, SQS_ERROR_PARAMETER_VALUE, "The request is larger than %u bytes.",
                 SQS_REQUEST_BYTES_MAX);
    } else if (status == 503) {
        sqs_fail_result(&fault, BROKER_BUSY, SLICE("Too many connections are open."));
    } else {
        const char *words = status == 408   ? "The request did not come in time."
                            : status == 431 ? "The request's headers are too large."
                            : status == 505 ? "takt speaks HTTP/1.1."
                                            : "This is not an HTTP request that can be read.";
        sqs_fail(&fault, SQS_ERROR_SERIALIZATION, "%s", words);
    }
    response->content_type = protocol->content_type;
    if (protocol->has_error_header) add_error_header(arena, fault.code, status, response);
    struct buffer out;
    buffer_open(&out, arena->allocator, 4096);
    protocol->write_fault(&out, &fault, SLICE_EMPTY);
    char *copy = out.failed ? NULL : arena_copy(arena, buffer_slice(&out));
    response->body = copy == NULL ? SLICE_EMPTY : slice_from(copy, out.count);
    buffer_close(&out);
}

static void on_refused(void *context, struct arena *arena, int status,
                       struct http_response *response) {
    (void)context;
    write_refusal(&sqs_protocol_json, arena, status, response);
}

static void on_too_large(void *context, const struct http_request *request,
                         struct http_response *response) {
    (void)context;
    write_refusal(sqs_protocol_of(request), request->arena, 413, response);
}

const struct http_handler *sqs_handler(void) {
    static const struct http_handler handler = {.body_bytes_max = body_bytes_max,
                                                .on_request = on_request,
                                                .on_closed = on_closed,
                                                .on_refused = on_refused,
                                                .on_too_large = on_too_large};
    return &handler;
}
