/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_call.c -- one call from its request to its answer.
 *
 * A call outlives its request when the client goes away while a command is under way: the shard has
 * no cancelling, so the callback finds `request` NULL and ends the call. Calls are kept for the
 * next request with their buffers, so that the busy endpoint asks for no memory.
 */
#include "base/hash.h"
#include "sqs/sqs_inside.h"

static void make_request_id(struct sqs *sqs, char out[SQS_ID_BYTES]) {
    uint8_t id[16];
    sqs->calls_count++;
    hash128_seeded(slice_from(&sqs->calls_count, sizeof sqs->calls_count), sqs->id_seed, id);
    sqs_id_write(id, out);
}

struct sqs_call *sqs_call_open(struct sqs *sqs, struct http_request *request) {
    struct sqs_call *call = sqs->calls_free;
    if (call != NULL) {
        sqs->calls_free = call->next_free;
        sqs->calls_free_count--;
        buffer_clear(&call->out);
    } else {
        call = env_alloc(sqs->env, sizeof *call);
        if (call == NULL) return NULL;
        buffer_open(&call->out, &sqs->env->allocator, SQS_ANSWER_BYTES_MAX);
    }
    call->sqs = sqs;
    call->request = request;
    call->protocol = sqs_protocol_of(request);
    call->action = NULL;
    call->state = NULL;
    call->receive = NULL;
    call->status = 200;
    call->error_code = NULL;
    call->next_free = NULL;
    make_request_id(sqs, call->request_id);
    request->context = call;
    sqs->calls_open_count++;
    return call;
}

void sqs_call_end(struct sqs_call *call) {
    struct sqs *sqs = call->sqs;
    sqs->calls_open_count--;
    call->request = NULL;
    if (sqs->calls_free_count == SQS_CALLS_KEPT_MAX) {
        buffer_close(&call->out);
        env_free(sqs->env, call);
        if (sqs->is_closed && sqs->calls_open_count == 0) sqs_free(sqs);
        return;
    }
    if (call->out.capacity > SQS_CALL_KEPT_BYTES_MAX) {
        buffer_close(&call->out);
        buffer_open(&call->out, &sqs->env->allocator, SQS_ANSWER_BYTES_MAX);
    }
    call->next_free = sqs->calls_free;
    sqs->calls_free = call;
    sqs->calls_free_count++;
}

static struct slice request_id_of(const struct sqs_call *call) {
    return slice_from(call->request_id, sizeof call->request_id);
}

/* The answer lies in `out`. */
static void send_out(struct sqs_call *call) {
    struct http_header headers[2] = {{SLICE("x-amzn-requestid"), request_id_of(call)}};
    struct http_response response = {.status = call->status,
                                     .content_type = call->protocol->content_type,
                                     .headers = headers,
                                     .headers_count = 1,
                                     .body = buffer_slice(&call->out)};
    if (call->error_code != NULL && call->protocol->has_error_header) {
        const char *error = sqs_error_header(sqs_call_arena(call), call->error_code, call->status);
        if (error != NULL) { /* else the body says it alone */
            headers[1] =
                (struct http_header){SLICE("x-amzn-query-error"), slice_from_string(error)};
            response.headers_count = 2;
        }
    }
    http_respond(call->request, &response);
    sqs_call_end(call);
}

static void write_fault(struct sqs_call *call, const struct sqs_fault *fault) {
    CHECK(fault->type != NULL);
    buffer_clear(&call->out);
    call->status = fault->status;
    call->error_code = fault->code;
    call->protocol->write_fault(&call->out, fault, request_id_of(call));
    if (call->out.failed) buffer_clear(&call->out); /* the status says enough */
}

static void on_durable(void *context, bool failed) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
    } else if (failed) {
        sqs_refuse_result(call, BROKER_UNAVAILABLE, NULL);
    } else {
        send_out(call);
    }
}

struct sqs_writer sqs_call_writer(struct sqs_call *call) {
    struct sqs_writer writer = {.protocol = call->protocol,
                                .out = &call->out,
                                .action = call->action->name,
                                .request_id = request_id_of(call),
                                .has_result = call->action->has_result};
    buffer_clear(&call->out);
    call->protocol->begin(&writer);
    return writer;
}

/* If there was no room for the answer, it is now another one. */
static void finish(struct sqs_call *call, struct sqs_writer *writer) {
    call->protocol->end(writer);
    if (!call->out.failed) return;
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    sqs_fail_result(&fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    write_fault(call, &fault);
}

void sqs_answer(struct sqs_call *call, struct sqs_writer *writer) {
    finish(call, writer);
    send_out(call);
}

void sqs_answer_durable(struct sqs_call *call, struct sqs_writer *writer) {
    finish(call, writer);
    shard_when_durable(call->sqs->shard, on_durable, call);
}

void sqs_answer_nothing(struct sqs_call *call) {
    struct sqs_writer writer = sqs_call_writer(call);
    sqs_answer(call, &writer);
}

void sqs_refuse(struct sqs_call *call, const struct sqs_fault *fault) {
    write_fault(call, fault);
    send_out(call);
}

void sqs_refuse_durable(struct sqs_call *call, const struct sqs_fault *fault) {
    write_fault(call, fault);
    shard_when_durable(call->sqs->shard, on_durable, call);
}

void sqs_refuse_result(struct sqs_call *call, enum broker_result result, const char *detail) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    sqs_fail_result(&fault, result, slice_from_string(detail));
    sqs_refuse(call, &fault);
}

void sqs_on_plain_answer(void *context, const struct broker_answer *answer) {
    struct sqs_call *call = context;
    if (call->request == NULL) {
        sqs_call_end(call);
    } else if (sqs_is_good(answer->result)) {
        sqs_answer_nothing(call);
    } else {
        sqs_refuse_result(call, answer->result, answer->detail);
    }
}
