/* SPDX-License-Identifier: Apache-2.0 */
/* sqs.c -- the endpoint: from an HTTP request to the action it names.
 *
 *   POST, X-Amz-Target, Content-Type   which action, which protocol
 *   protocol->read                     the body becomes the action's input
 *   action->run                        checks, one command, one answer
 *
 * What is refused on the way never reaches the broker. The content type is not optional: a page in
 * a browser cannot send it to us without being asked for permission first.
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

/* Without its parameters. */
static struct slice content_type_of(const struct http_request *request) {
    struct slice type;
    struct slice parameters;
    slice_cut(http_request_header(request, SLICE("content-type")), ';', &type, &parameters);
    return slice_trim(type);
}

/* NULL: *fault says why. */
static const struct sqs_action *action_of(const struct http_request *request,
                                          struct sqs_fault *fault) {
    static const struct slice prefix = {"AmazonSQS.", 10};
    if (!slice_equal(request->method, SLICE("POST"))) {
        sqs_fail(fault, SQS_ERROR_METHOD, "An SQS request is a POST.");
        return NULL;
    }
    struct slice type = content_type_of(request);
    if (slice_equal_ignore_case(type, SLICE("application/x-www-form-urlencoded"))) {
        sqs_fail(fault, SQS_ERROR_UNSUPPORTED_OPERATION,
                 "The Query protocol is not built yet in takt: use a client that speaks AWS JSON "
                 "1.0 to SQS.");
        return NULL;
    }
    struct slice target = http_request_header(request, SLICE("x-amz-target"));
    if (!slice_starts_with(target, prefix)) {
        sqs_fail(fault, SQS_ERROR_UNKNOWN_OPERATION,
                 target.count == 0
                     ? "The request has no X-Amz-Target header, which names the operation."
                     : "The X-Amz-Target header does not begin with AmazonSQS.");
        return NULL;
    }
    if (!slice_equal_ignore_case(type, slice_from_string(sqs_protocol_json.content_type))) {
        sqs_fail(fault, SQS_ERROR_SERIALIZATION,
                 "The Content-Type must be application/x-amz-json-1.0.");
        return NULL;
    }
    return sqs_action_find(slice_skip(target, prefix.count), fault);
}

static void on_request(void *context, struct http_request *request) {
    struct sqs *sqs = context;
    struct sqs_call *call = sqs_call_open(sqs, request);
    if (call == NULL) {
        http_respond(request, &(struct http_response){.status = 503});
        return;
    }
    struct sqs_fault fault = sqs_fault_none(request->arena);
    call->action = action_of(request, &fault);
    if (call->action == NULL) {
        sqs_refuse(call, &fault);
        return;
    }
    const struct sqs_shape *shape = call->action->shape;
    void *input = arena_take(request->arena, shape->bytes_count);
    if (input == NULL) {
        sqs_refuse_result(call, BROKER_NO_MEMORY, NULL);
    } else if (!call->protocol->read(request, shape, input, &fault)) {
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

static void on_refused(void *context, struct arena *arena, int status,
                       struct http_response *response) {
    (void)context;
    struct sqs_fault fault = sqs_fault_none(arena);
    if (status == 413) {
        sqs_fail(&fault, SQS_ERROR_PARAMETER_VALUE, "The request is larger than %u bytes.",
                 SQS_REQUEST_BYTES_MAX);
    } else if (status == 503) {
        sqs_fail_result(&fault, BROKER_BUSY, SLICE("Too many connections are open."));
    } else {
        sqs_fail(&fault, SQS_ERROR_SERIALIZATION, "The request is not HTTP that can be taken: %d.",
                 status);
    }
    response->content_type = sqs_protocol_json.content_type;
    struct buffer out;
    buffer_open(&out, arena->allocator, 4096);
    sqs_protocol_json.write_fault(&out, &fault);
    char *copy = out.failed ? NULL : arena_copy(arena, buffer_slice(&out));
    response->body = copy == NULL ? SLICE_EMPTY : slice_from(copy, out.count);
    buffer_close(&out);
}

const struct http_handler *sqs_handler(void) {
    static const struct http_handler handler = {.body_bytes_max = body_bytes_max,
                                                .on_request = on_request,
                                                .on_closed = on_closed,
                                                .on_refused = on_refused};
    return &handler;
}
