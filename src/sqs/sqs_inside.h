/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_inside.h -- what the files of src/sqs share: the endpoint, a call, the actions. */
#ifndef TAKT_SQS_SQS_INSIDE_H
#define TAKT_SQS_SQS_INSIDE_H

#include "sqs/sqs.h"
#include "sqs/sqs_protocol.h"

#include <openssl/evp.h>

#define SQS_MESSAGE_BYTES_MAX (1024u * 1024) /* of a message, and of a whole batch */
/* A message of the largest size whose every byte came as \u00XX, and what is around it. */
#define SQS_REQUEST_BYTES_MAX (6u * SQS_MESSAGE_BYTES_MAX + 256u * 1024)
/* Ten of the largest messages, all escaped, and what is around them. */
#define SQS_ANSWER_BYTES_MAX (10u * SQS_REQUEST_BYTES_MAX)
#define SQS_ENCODED_BYTES_MAX (2u * SQS_MESSAGE_BYTES_MAX) /* the bodies of one batch */
#define SQS_CALLS_KEPT_MAX 256u              /* calls that are not in use and wait for the next */
#define SQS_CALL_KEPT_BYTES_MAX (16u * 1024) /* of such a call's buffer */
#define SQS_PURGES_MAX 256u /* purges that are remembered for a minute; more push the oldest out */
#define SQS_PURGE_PAUSE_MS 60000
#define SQS_ACCOUNT_BYTES_MAX 32u
#define SQS_REGION_BYTES_MAX 32u
#define SQS_ID_BYTES 36u /* of a UUID as text */

struct sqs_call;

struct sqs_purge {
    uint64_t queue_number; /* 0: none */
    struct wall_time when;
};

struct sqs {
    struct shard *shard;
    struct env *env;
    const struct log *log;
    char account[SQS_ACCOUNT_BYTES_MAX];
    char region[SQS_REGION_BYTES_MAX];
    EVP_MD *md5;
    EVP_MD_CTX *md5_context;
    struct buffer encoded; /* message bodies on their way into one command */
    uint64_t id_seed;
    uint64_t calls_count; /* makes request ids, with the seed */
    struct sqs_call *calls_free;
    uint32_t calls_free_count;
    uint32_t calls_open_count;
    bool is_closed; /* the last open call frees it */
    struct sqs_purge purges[SQS_PURGES_MAX];
    uint32_t purges_next;
};

/* sqs.c: after sqs_close, when the shard has told the last open call. */
void sqs_free(struct sqs *sqs);

struct sqs_action;

/* From a request's arrival to its answer, or, if the client goes away, to the last callback that
 * knows it. `request` and all that lies in its arena are gone once it is NULL. */
struct sqs_call {
    struct sqs *sqs;
    struct http_request *request; /* NULL: the client went away */
    const struct sqs_protocol *protocol;
    const struct sqs_action *action;
    void *state;                   /* the action's own, in the request's arena */
    struct shard_receive *receive; /* parked */
    struct sqs_parsed parsed;
    char request_id[SQS_ID_BYTES];
    struct buffer out;
    int status;
    const char *error_code; /* NULL: it went well */
    struct sqs_call *next_free;
};

struct sqs_action {
    struct slice name;
    const struct sqs_shape *shape;
    /* Answers, now or later, by one of the functions below. input: as long as the request. */
    void (*run)(struct sqs_call *call, const void *input);
    bool has_result; /* its answer has members */
};

/* ---- sqs_actions.c ---- */

extern const struct sqs_action sqs_action_create_queue;
extern const struct sqs_action sqs_action_delete_queue;
extern const struct sqs_action sqs_action_list_queues;
extern const struct sqs_action sqs_action_get_queue_url;
extern const struct sqs_action sqs_action_get_queue_attributes;
extern const struct sqs_action sqs_action_set_queue_attributes;
extern const struct sqs_action sqs_action_purge_queue;
extern const struct sqs_action sqs_action_tag_queue;
extern const struct sqs_action sqs_action_untag_queue;
extern const struct sqs_action sqs_action_list_queue_tags;
extern const struct sqs_action sqs_action_add_permission;
extern const struct sqs_action sqs_action_remove_permission;
extern const struct sqs_action sqs_action_list_dead_letter_source_queues;
extern const struct sqs_action sqs_action_start_message_move_task;
extern const struct sqs_action sqs_action_cancel_message_move_task;
extern const struct sqs_action sqs_action_list_message_move_tasks;
extern const struct sqs_action sqs_action_send_message;
extern const struct sqs_action sqs_action_send_message_batch;
extern const struct sqs_action sqs_action_receive_message;
extern const struct sqs_action sqs_action_delete_message;
extern const struct sqs_action sqs_action_delete_message_batch;
extern const struct sqs_action sqs_action_change_message_visibility;
extern const struct sqs_action sqs_action_change_message_visibility_batch;

/* NULL: *fault says that there is no such action. */
const struct sqs_action *sqs_action_find(struct slice name, struct sqs_fault *fault);

/* "CODE;Sender" or "CODE;Receiver"; NULL: out of memory. */
static inline const char *sqs_error_header(struct arena *arena, const char *code, int status) {
    return arena_printf(arena, "%s;%s", code, status < 500 ? "Sender" : "Receiver");
}

/* ---- sqs_call.c: each call is ended by exactly one of the answers ---- */

struct sqs_call *sqs_call_open(struct sqs *sqs, struct http_request *request); /* NULL: memory */
/* Without an answer: nobody is there to hear it. */
void sqs_call_end(struct sqs_call *call);

static inline struct arena *sqs_call_arena(const struct sqs_call *call) {
    return call->request->arena;
}
/* Begin writing the answer; then sqs_answer or sqs_answer_durable. */
struct sqs_writer sqs_call_writer(struct sqs_call *call);
void sqs_answer(struct sqs_call *call, struct sqs_writer *writer);
/* Held until everything that was applied when it was written is durable: for what only reads. */
void sqs_answer_durable(struct sqs_call *call, struct sqs_writer *writer);
/* `{}`, or what the protocol has for it. */
void sqs_answer_nothing(struct sqs_call *call);
void sqs_refuse(struct sqs_call *call, const struct sqs_fault *fault);
void sqs_refuse_durable(struct sqs_call *call, const struct sqs_fault *fault);
void sqs_refuse_result(struct sqs_call *call, enum broker_result result, const char *detail);
/* A shard_answer_fn for commands that answer with nothing but yes or no; context: the call. */
void sqs_on_plain_answer(void *context, const struct broker_answer *answer);
static inline bool sqs_is_good(enum broker_result result) {
    return result == BROKER_OK || result == BROKER_NOTHING;
}

/* ---- sqs_name.c: names, URLs, ARNs ---- */

/* From a QueueUrl (a URL or a bare name), or from the request's path if it is not given. */
bool sqs_queue_of(const struct sqs_call *call, struct slice queue_url, struct slice *name,
                  struct sqs_fault *fault);
/* The queue itself. False: refused already. */
bool sqs_view_of(struct sqs_call *call, struct slice queue_url, struct queue_view *view);
bool sqs_name_check(struct slice name, struct sqs_fault *fault); /* of a new queue */
/* The URL under the host that the client called; in the arena. False: *fault says why. */
bool sqs_queue_url(const struct sqs_call *call, struct slice name, struct slice *out,
                   struct sqs_fault *fault);
/* Terminated text in the arena; NULL: out of memory. */
const char *sqs_queue_arn(const struct sqs_call *call, struct slice name);
/* Is it an ARN at all: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE? */
bool sqs_arn_has_form(struct slice arn);
/* The queue's name in an ARN of ours. */
bool sqs_arn_read(const struct sqs_call *call, struct slice arn, struct slice *name);
/* As UUID text, not terminated. */
void sqs_id_write(const uint8_t id[16], char out[SQS_ID_BYTES]);

/* ---- sqs_check.c ---- */

/* "Value 11 for parameter NAME is invalid. Reason: REASON" unless it is not given, or within. */
bool sqs_check_range(const struct sqs_integer *integer, const char *name, int64_t min, int64_t max,
                     const char *reason, struct sqs_fault *fault);
/* The entries of a batch: 1 to 10. `kind` is what an entry is called. */
bool sqs_check_batch(const struct sqs_entries *entries, const char *kind, struct sqs_fault *fault);
bool sqs_check_batch_ids(const struct slice *ids, uint32_t count, const char *kind,
                         struct sqs_fault *fault);

#endif
