/* SPDX-License-Identifier: Apache-2.0 */
/* permission.c -- a policy is edited as text: what is not the statement in question stays as it was
 * written, byte by byte.
 */
#include "sqs/permission.h"

#include "base/json.h"

#define LABEL_BYTES_MAX 80u
#define ACCOUNT_DIGITS 12u
#define DEFAULT_VERSION "2008-10-17"
/* A statement of one account and action with a label of the largest size needs less than 400. */
#define STATEMENT_BYTES_MAX 8192u

static const struct slice policy_name = {"Policy", 6};

static bool is_among(struct slice text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_string(text, words[i])) return true;
    }
    return false;
}

static bool is_label(struct slice label) {
    if (label.count == 0 || label.count > LABEL_BYTES_MAX) return false;
    for (size_t i = 0; i < label.count; i++) {
        char c = label.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool fail_label(struct slice label, const char *reason, struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Value %.*s for parameter Label is invalid. Reason: %s",
                    SLICE_ARGS(sqs_excerpt(label)), reason);
}

static bool check_accounts(const struct sqs_texts *accounts, struct sqs_fault *fault) {
    if (accounts->count > SQS_STATEMENT_PRINCIPALS_MAX) {
        return sqs_fail(fault, SQS_ERROR_OVER_LIMIT,
                        "%u Principals were found, maximum allowed is %u.", accounts->count,
                        SQS_STATEMENT_PRINCIPALS_MAX);
    }
    for (uint32_t i = 0; i < accounts->count; i++) {
        struct slice account = accounts->items[i];
        uint64_t number;
        if (account.count == ACCOUNT_DIGITS && slice_to_u64(account, UINT64_MAX, &number)) continue;
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Value [%.*s] for parameter PrincipalId is invalid. Reason: Unable to "
                        "verify.",
                        SLICE_ARGS(sqs_excerpt(account)));
    }
    return true;
}

static bool check_actions(const struct sqs_texts *actions, struct sqs_fault *fault) {
    static const char *const known[] = {"*",
                                        "SendMessage",
                                        "ReceiveMessage",
                                        "DeleteMessage",
                                        "ChangeMessageVisibility",
                                        "GetQueueAttributes",
                                        "GetQueueUrl",
                                        "ListDeadLetterSourceQueues",
                                        "PurgeQueue"};
    if (actions->count > SQS_STATEMENT_ACTIONS_MAX) {
        return sqs_fail(fault, SQS_ERROR_OVER_LIMIT,
                        "%u Actions were found, maximum allowed is %u.", actions->count,
                        SQS_STATEMENT_ACTIONS_MAX);
    }
    for (uint32_t i = 0; i < actions->count; i++) {
        if (is_among(actions->items[i], known, ARRAY_COUNT(known))) continue;
        return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                        "Value SQS:%.*s for parameter ActionName is invalid. Reason: Please refer "
                        "to the appropriate WSDL for a list of valid actions.",
                        SLICE_ARGS(sqs_excerpt(actions->items[i])));
    }
    return true;
}

/* One as a text, several as a list; each with what stands before and behind it. */
static void write_texts(struct buffer *out, const struct sqs_texts *texts, const char *before,
                        const char *behind) {
    if (texts->count > 1) buffer_append_byte(out, '[');
    for (uint32_t i = 0; i < texts->count; i++) {
        buffer_append_string(out, i > 0 ? ",\"" : "\"");
        buffer_append_string(out, before);
        buffer_append(out, texts->items[i]); /* checked: nothing in it needs an escape */
        buffer_append_string(out, behind);
        buffer_append_byte(out, '"');
    }
    if (texts->count > 1) buffer_append_byte(out, ']');
}

static void write_statement(struct buffer *out, const struct permission_input *input,
                            const char *arn) {
    buffer_printf(out, "{\"Sid\":\"%.*s\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":",
                  SLICE_ARGS(input->label));
    write_texts(out, &input->accounts, "arn:aws:iam::", ":root");
    buffer_append_string(out, "},\"Action\":");
    write_texts(out, &input->actions, "SQS:", "");
    buffer_printf(out, ",\"Resource\":\"%s\"}", arn);
}

static bool has_label(struct slice statement, struct slice label) {
    struct slice sid = json_member(statement, SLICE("Sid"));
    return json_type(sid) == JSON_STRING && json_string_equal(sid, label);
}

struct edit {
    struct slice statements; /* raw: a list, or one, or nothing */
    struct slice label;
    uint32_t found_count; /* with the label */
    uint32_t kept_count;  /* the others */
};

static struct edit edit_of(struct slice policy, struct slice label) {
    struct edit edit = {.label = label};
    if (policy.count > 0) edit.statements = json_member(policy, SLICE("Statement"));
    if (json_type(edit.statements) == JSON_NONE) return edit;
    if (json_type(edit.statements) == JSON_OBJECT) {
        bool is_it = has_label(edit.statements, label);
        edit.found_count = is_it;
        edit.kept_count = !is_it;
        return edit;
    }
    for (struct json_iterator i = json_iterate(edit.statements); json_next(&i);) {
        bool is_it = has_label(i.value, label);
        edit.found_count += is_it;
        edit.kept_count += !is_it;
    }
    return edit;
}

/* The list of those that stay, then `more` if it is not empty. */
static void write_statements(struct buffer *out, const struct edit *edit, struct slice more) {
    bool follows = false;
    buffer_append_byte(out, '[');
    if (json_type(edit->statements) == JSON_OBJECT) {
        follows = edit->kept_count > 0;
        if (follows) buffer_append(out, edit->statements);
    } else {
        for (struct json_iterator i = json_iterate(edit->statements); json_next(&i);) {
            if (has_label(i.value, edit->label)) continue;
            if (follows) buffer_append_byte(out, ',');
            follows = true;
            buffer_append(out, i.value);
        }
    }
    if (follows && more.count > 0) buffer_append_byte(out, ',');
    buffer_append(out, more);
    buffer_append_byte(out, ']');
}

/* The policy with other statements, as a note of the change. */
static bool put_policy(struct sqs_change *change, struct slice policy, const struct edit *edit,
                       struct slice more) {
    struct arena *arena = sqs_call_arena(change->call);
    struct buffer out;
    buffer_open(&out, arena->allocator, SQS_POLICY_BYTES_MAX + STATEMENT_BYTES_MAX);
    buffer_append_byte(&out, '{');
    for (struct json_iterator i = json_iterate(policy); json_next(&i);) {
        if (out.count > 1) buffer_append_byte(&out, ',');
        buffer_append(&out, i.name);
        buffer_append_byte(&out, ':');
        if (json_string_equal(i.name, SLICE("Statement"))) {
            write_statements(&out, edit, more);
        } else {
            buffer_append(&out, i.value);
        }
    }
    buffer_append_byte(&out, '}');
    bool is_too_long = out.failed || out.count > SQS_POLICY_BYTES_MAX;
    char *text = is_too_long ? NULL : arena_copy(arena, buffer_slice(&out));
    size_t count = out.count;
    buffer_close(&out);
    if (is_too_long) {
        return sqs_fail(change->fault, SQS_ERROR_OVER_LIMIT,
                        "The queue's policy would be longer than %u bytes.", SQS_POLICY_BYTES_MAX);
    }
    if (text == NULL) return sqs_fail_result(change->fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    sqs_change_note(change, policy_name, slice_from(text, count));
    return true;
}

bool permission_add(struct sqs_change *change, const struct permission_input *input) {
    struct arena *arena = sqs_call_arena(change->call);
    struct sqs_fault *fault = change->fault;
    if (!is_label(input->label)) {
        return fail_label(input->label,
                          "Can only include alphanumeric characters, hyphens, or underscores. 1 "
                          "to 80 in length",
                          fault);
    }
    if (!check_accounts(&input->accounts, fault) || !check_actions(&input->actions, fault))
        return false;
    const char *arn = sqs_queue_arn(change->call, change->command->name);
    const char *empty = arn == NULL
                            ? NULL
                            : arena_printf(arena,
                                           "{\"Version\":\"" DEFAULT_VERSION
                                           "\",\"Id\":\"%s/SQSDefaultPolicy\",\"Statement\":[]}",
                                           arn);
    if (empty == NULL) return sqs_fail_result(fault, BROKER_NO_MEMORY, SLICE_EMPTY);
    struct slice policy = sqs_change_find(change, policy_name);
    if (policy.count == 0) policy = slice_from_string(empty);
    struct edit edit = edit_of(policy, input->label);
    if (edit.found_count > 0) return fail_label(input->label, "Already exists.", fault);
    if (edit.kept_count >= SQS_POLICY_STATEMENTS_MAX) {
        return sqs_fail(fault, SQS_ERROR_OVER_LIMIT, "A queue's policy has at most %u statements.",
                        SQS_POLICY_STATEMENTS_MAX);
    }
    struct buffer statement;
    buffer_open(&statement, arena->allocator, STATEMENT_BYTES_MAX);
    write_statement(&statement, input, arn);
    bool is_put = statement.failed
                      ? sqs_fail(fault, SQS_ERROR_OVER_LIMIT, "The statement is too long.")
                      : put_policy(change, policy, &edit, buffer_slice(&statement));
    buffer_close(&statement);
    return is_put;
}

bool permission_remove(struct sqs_change *change, const struct permission_input *input) {
    struct slice policy = sqs_change_find(change, policy_name);
    struct edit edit = edit_of(policy, input->label);
    if (edit.found_count == 0) return fail_label(input->label, "can't find label.", change->fault);
    if (edit.kept_count > 0) return put_policy(change, policy, &edit, SLICE_EMPTY);
    sqs_change_note(change, policy_name, SLICE_EMPTY); /* with its last statement the policy goes */
    return true;
}

void permission_run(struct sqs_call *call, const struct permission_input *input,
                    permission_fn *edit) {
    struct sqs_fault fault = sqs_fault_none(sqs_call_arena(call));
    struct command command = {.kind = COMMAND_QUEUE_SET};
    struct sqs_change change;
    if (!sqs_queue_of(call, input->queue_url, &command.queue.name, &fault) ||
        !sqs_change_open(&change, call, &command.queue, 1, &fault)) {
        sqs_refuse(call, &fault);
    } else if (change.is_new) {
        sqs_fail_result(&fault, BROKER_QUEUE_NOT_FOUND, SLICE_EMPTY);
        sqs_refuse_durable(call, &fault);
    } else if (!edit(&change, input)) {
        sqs_refuse_durable(call, &fault);
    } else {
        shard_submit(call->sqs->shard, &command, sqs_on_plain_answer, call);
    }
}
