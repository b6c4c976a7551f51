/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_settings.h -- a queue's attributes and tags, on their way between a request and the broker.
 *
 * What the broker obeys is in its queue_settings. The rest it keeps as notes: an attribute under its
 * own name, a tag as "tag:KEY".
 */
#ifndef TAKT_SQS_SQS_SETTINGS_H
#define TAKT_SQS_SQS_SETTINGS_H

#include "broker/queue_notes.h"
#include "sqs/sqs_inside.h"

#define SQS_TAGS_MAX 50u
#define SQS_TAG_PREFIX "tag:"
#define SQS_POLICY_BYTES_MAX 8192u
#define SQS_POLICY_STATEMENTS_MAX 20u
#define SQS_STATEMENT_ACTIONS_MAX 7u
#define SQS_STATEMENT_PRINCIPALS_MAX 50u
#define SQS_STATEMENT_CONDITIONS_MAX 10u

/* A change of a queue being made from what a client sent. */
struct sqs_change {
    const struct sqs_call *call;
    struct sqs_fault *fault;
    struct command_queue *command; /* its name is set */
    bool is_new;                   /* there is no such queue yet */
    struct queue_view present;     /* else this is it */
    struct queue_note *notes;      /* room for notes_max, in the request's arena */
    uint32_t notes_max;
};

/* Look at the queue that the command names, and take room for so many notes. False: fault. */
bool sqs_change_open(struct sqs_change *change, const struct sqs_call *call,
                     struct command_queue *command, uint32_t notes_max, struct sqs_fault *fault);
/* name, value: kept until the command has been submitted. value bytes NULL: taken away. */
void sqs_change_note(struct sqs_change *change, struct slice name, struct slice value);
/* What the note will be after the change; bytes NULL: none. */
struct slice sqs_change_find(const struct sqs_change *change, struct slice name);

/* ---- sqs_queue_attributes.c ---- */

/* How many notes they may become. */
uint32_t sqs_settings_notes_max(const struct sqs_pairs *pairs);
bool sqs_settings_read(struct sqs_change *change, const struct sqs_pairs *pairs);
/* The attributes in `names` ("All": all), as the map "Attributes". */
bool sqs_settings_write(const struct sqs_call *call, const struct sqs_texts *names,
                        const struct queue_view *view, struct sqs_writer *writer,
                        struct sqs_fault *fault);

/* ---- sqs_policy.c ---- */

bool sqs_policy_check(struct slice policy, struct sqs_fault *fault);
bool sqs_redrive_read(struct sqs_change *change, struct slice policy);
bool sqs_redrive_allow_check(const struct sqs_call *call, struct slice policy,
                             struct sqs_fault *fault);
/* The text of the queue's RedrivePolicy; NULL: out of memory. */
const char *sqs_redrive_text(const struct sqs_call *call, const struct queue_view *view);

/* ---- sqs_tags.c ---- */

bool sqs_tags_read(struct sqs_change *change, const struct sqs_pairs *tags);
/* False: out of memory. */
bool sqs_tags_remove(struct sqs_change *change, const struct sqs_texts *keys);
void sqs_tags_write(const struct queue_view *view, struct sqs_writer *writer);

#endif
