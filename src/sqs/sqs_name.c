/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_name.c -- a queue's three names on the wire: bare, in a URL, in an ARN.
 *
 *   http://HOST/ACCOUNT/NAME            HOST is the one the client called; other forms are read
 *   arn:aws:sqs:REGION:ACCOUNT:NAME     REGION is the one the client signed for, if it signed
 *
 * A URL or an ARN of another account is no queue of ours. Hosts and regions are not compared: one
 * takt is reached under many.
 */
#include "base/hash.h"
#include "sqs/sqs_inside.h"

#define NAME_BYTES_MAX 80u /* of what a client may create; stations' queues may be longer */

#define PATH_PARTS_MAX 4u

/* "/ACCOUNT/NAME", and what clients of other servers have in their settings: "/NAME",
 * "/queue/NAME", "/queue/REGION/ACCOUNT/NAME". */
static bool read_path(const struct sqs_call *call, struct slice path, struct slice *name,
                      struct sqs_fault *fault) {
    struct slice parts[PATH_PARTS_MAX];
    struct slice rest = slice_skip(path, 1);
    size_t count = 0;
    bool is_good = true;
    while (rest.count > 0 && is_good && count < PATH_PARTS_MAX) {
        (void)slice_cut(rest, '/', &parts[count], &rest);
        is_good = parts[count++].count > 0;
    }
    bool has_word = count > 0 && slice_equal(parts[0], SLICE("queue"));
    is_good = is_good && rest.count == 0 && count > 0 && !slice_ends_with(path, SLICE("/")) &&
              (count <= 2 || (has_word && count == PATH_PARTS_MAX));
    if (!is_good) {
        return sqs_fail(fault, SQS_ERROR_ADDRESS,
                        "The address %.*s is not valid for this endpoint: a queue's path is "
                        "/ACCOUNT/NAME.",
                        SLICE_ARGS(sqs_excerpt(path)));
    }
    *name = parts[count - 1];
    bool has_account = count == PATH_PARTS_MAX || (count == 2 && !has_word);
    if (has_account && !slice_equal_string(parts[count - 2], call->sqs->account))
        return sqs_fail_result(fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
    return true;
}

bool sqs_queue_of(const struct sqs_call *call, struct slice queue_url, struct slice *name,
                  struct sqs_fault *fault) {
    if (queue_url.count == 0) {
        if (call->request->path.count > 1) return read_path(call, call->request->path, name, fault);
        return sqs_fail(fault, SQS_ERROR_MISSING_PARAMETER,
                        "The request must contain the parameter QueueUrl.");
    }
    const char *slash = memchr(queue_url.bytes, '/', queue_url.count);
    if (slash == NULL) {
        *name = queue_url;
        return true;
    }
    struct slice rest = slice_skip(queue_url, (size_t)(slash - queue_url.bytes));
    if (slice_starts_with(rest, SLICE("//"))) { /* behind it stands the host */
        rest = slice_skip(rest, 2);
        slash = rest.count == 0 ? NULL : memchr(rest.bytes, '/', rest.count);
        rest = slash == NULL ? SLICE_EMPTY : slice_skip(rest, (size_t)(slash - rest.bytes));
    }
    return read_path(call, rest, name, fault);
}

bool sqs_view_of(struct sqs_call *call, struct slice queue_url, struct queue_view *view) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct slice queue;
    if (!sqs_queue_of(call, queue_url, &queue, &fault)) {
        sqs_refuse(call, &fault);
        return false;
    }
    if (broker_find_queue(shard_broker(call->sqs->shard), queue, view)) return true;
    sqs_fail_result(&fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
    sqs_refuse_durable(call, &fault);
    return false;
}

bool sqs_name_check(struct slice name, struct sqs_fault *fault) {
    if (slice_ends_with(name, SLICE(".fifo"))) {
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "FIFO queues are not built yet in takt: the name of a standard queue does "
                        "not end with .fifo.");
    }
    bool is_good = name.count >= 1 && name.count <= NAME_BYTES_MAX;
    for (size_t i = 0; is_good && i < name.count; i++) {
        char c = name.bytes[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
    }
    if (is_good) return true;
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in "
                    "length");
}

bool sqs_queue_url(const struct sqs_call *call, struct slice name, struct slice *out,
                   struct sqs_fault *fault) {
    struct slice host = http_request_header(call->request, SLICE("host"));
    if (host.count == 0) {
        return sqs_fail(fault, SQS_ERROR_ADDRESS,
                        "A queue's URL follows the request's Host header, and there is none.");
    }
    const char *url = arena_printf(sqs_call_arena(call), "http://%.*s/%s/%.*s", SLICE_ARGS(host),
                                   call->sqs->account, SLICE_ARGS(name));
    if (url == NULL) return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    *out = slice_from_string(url);
    return true;
}

static bool is_region(struct slice region) {
    if (region.count == 0 || region.count >= SQS_REGION_BYTES_MAX) return false;
    for (size_t i = 0; i < region.count; i++) {
        char c = region.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
    }
    return true;
}

/* "AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/sqs/aws4_request, …" */
static struct slice region_of(const struct sqs_call *call) {
    static const struct slice mark = {"Credential=", 11};
    struct slice otherwise = slice_from_string(call->sqs->region);
    struct slice rest = http_request_header(call->request, SLICE("authorization"));
    if (rest.count == 0) return otherwise;
    const char *found = memmem(rest.bytes, rest.count, mark.bytes, mark.count);
    if (found == NULL) return otherwise;
    rest = slice_skip(rest, (size_t)(found - rest.bytes) + mark.count);
    struct slice part;
    for (int i = 0; i < 3; i++) { /* the key, the date, the region */
        if (!slice_cut(rest, '/', &part, &rest)) return otherwise;
    }
    return is_region(part) ? part : otherwise;
}

const char *sqs_queue_arn(const struct sqs_call *call, struct slice name) {
    struct slice region = region_of(call);
    return arena_printf(sqs_call_arena(call), "arn:aws:sqs:%.*s:%s:%.*s", SLICE_ARGS(region),
                        call->sqs->account, SLICE_ARGS(name));
}

bool sqs_arn_has_form(struct slice arn) {
    struct slice part;
    for (int i = 0; i < 5; i++) {
        if (!slice_cut(arn, ':', &part, &arn) || part.count == 0) return false;
        if (i == 0 && !slice_equal(part, SLICE("arn"))) return false;
    }
    return arn.count > 0;
}

bool sqs_arn_read(const struct sqs_call *call, struct slice arn, struct slice *name) {
    struct slice parts[5]; /* arn, the partition, sqs, the region, the account */
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (!slice_cut(arn, ':', &parts[i], &arn)) return false;
    }
    *name = arn;
    return slice_equal(parts[0], SLICE("arn")) && parts[1].count > 0 &&
           slice_equal(parts[2], SLICE("sqs")) && is_region(parts[3]) &&
           slice_equal_string(parts[4], call->sqs->account) && arn.count > 0 &&
           memchr(arn.bytes, ':', arn.count) == NULL;
}

void sqs_id_write(const uint8_t id[16], char out[SQS_ID_BYTES]) {
    static const uint8_t group_ends[] = {4, 6, 8, 10, 16};
    size_t from = 0;
    for (size_t i = 0; i < sizeof group_ends; i++) {
        if (i > 0) *out++ = '-';
        hex_write(id + from, group_ends[i] - from, out);
        out += 2 * (group_ends[i] - from);
        from = group_ends[i];
    }
}
