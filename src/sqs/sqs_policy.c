/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_policy.c -- attributes that are JSON: access policies, where dead letters go, and from whom
 * they are taken.
 *
 * An access policy is kept as it came: it decides nothing here. The other two are obeyed: a queue
 * whose RedriveAllowPolicy does not allow it cannot be named as a dead-letter queue.
 */
#include "base/json.h"
#include "sqs/sqs_settings.h"

#include <inttypes.h>

#define DEAD_AFTER_DEFAULT 10 /* receives, where the redrive policy does not say */
#define DEAD_AFTER_MAX 1000
#define SOURCES_MAX 10u

static bool is_map(struct slice text) {
    return json_validate(text, NULL) && json_type(text) == JSON_OBJECT;
}

/* ---- access policies -------------------------------------------------------------------------- */

/* How many there are: of a list, or one. */
static size_t count_of(struct slice raw) {
    if (json_type(raw) == JSON_NONE) return 0;
    return json_type(raw) == JSON_ARRAY ? json_count(raw) : 1;
}

static size_t count_members(struct slice map) {
    if (json_type(map) != JSON_OBJECT) return count_of(map);
    size_t count = 0;
    for (struct json_iterator i = json_iterate(map); json_next(&i);) {
        count += json_type(i.value) == JSON_OBJECT ? json_count(i.value) : count_of(i.value);
    }
    return count;
}

static bool is_sound_statement(struct slice statement) {
    return json_type(statement) == JSON_OBJECT &&
           count_of(json_member(statement, SLICE("Action"))) <= SQS_STATEMENT_ACTIONS_MAX &&
           count_members(json_member(statement, SLICE("Principal"))) <=
               SQS_STATEMENT_PRINCIPALS_MAX &&
           count_members(json_member(statement, SLICE("Condition"))) <=
               SQS_STATEMENT_CONDITIONS_MAX;
}

static bool is_sound_policy(struct slice policy) {
    if (policy.count > SQS_POLICY_BYTES_MAX || !is_map(policy)) return false;
    struct slice statements = json_member(policy, SLICE("Statement"));
    if (json_type(statements) == JSON_OBJECT) return is_sound_statement(statements);
    if (json_type(statements) != JSON_ARRAY || json_count(statements) > SQS_POLICY_STATEMENTS_MAX)
        return false;
    for (struct json_iterator i = json_iterate(statements); json_next(&i);) {
        if (!is_sound_statement(i.value)) return false;
    }
    return true;
}

bool sqs_policy_check(struct slice policy, struct sqs_fault *fault) {
    if (policy.count == 0 || is_sound_policy(policy)) return true;
    return sqs_fail(fault, SQS_ERROR_ATTRIBUTE_VALUE, "Invalid value for the parameter Policy.");
}

/* ---- RedriveAllowPolicy ------------------------------------------------------------------------ */

static bool is_known_permission(struct slice raw) {
    return json_type(raw) == JSON_STRING &&
           (json_string_equal(raw, SLICE("allowAll")) || json_string_equal(raw, SLICE("denyAll")) ||
            json_string_equal(raw, SLICE("byQueue")));
}

static bool are_sources(const struct sqs_call *call, struct slice raw) {
    if (json_type(raw) != JSON_ARRAY || json_count(raw) == 0 || json_count(raw) > SOURCES_MAX)
        return false;
    for (struct json_iterator i = json_iterate(raw); json_next(&i);) {
        struct slice arn;
        struct slice name;
        if (json_type(i.value) != JSON_STRING ||
            !json_string(sqs_call_arena(call), i.value, &arn) || !sqs_arn_read(call, arn, &name))
            return false;
    }
    return true;
}

static bool is_sound_allowance(const struct sqs_call *call, struct slice policy) {
    if (!is_map(policy)) return false;
    for (struct json_iterator i = json_iterate(policy); json_next(&i);) {
        if (!json_string_equal(i.name, SLICE("redrivePermission")) &&
            !json_string_equal(i.name, SLICE("sourceQueueArns")))
            return false;
    }
    struct slice permission = json_member(policy, SLICE("redrivePermission"));
    struct slice sources = json_member(policy, SLICE("sourceQueueArns"));
    if (!is_known_permission(permission)) return false;
    if (json_string_equal(permission, SLICE("byQueue"))) return are_sources(call, sources);
    return json_type(sources) == JSON_NONE;
}

bool sqs_redrive_allow_check(const struct sqs_call *call, struct slice policy,
                             struct sqs_fault *fault) {
    if (policy.count == 0 || is_sound_allowance(call, policy)) return true;
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Value %.*s for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS "
                    "can't create the redrive allow policy, as it's in an unsupported format.",
                    SLICE_ARGS(sqs_excerpt(policy)));
}

/* Does the dead-letter queue take them from the queue of that name? */
static bool is_allowed(const struct sqs_change *change, const struct queue_view *dead) {
    struct slice policy = queue_notes_find(dead->notes, SLICE("RedriveAllowPolicy"));
    if (policy.count == 0) return true;
    struct slice permission = json_member(policy, SLICE("redrivePermission"));
    if (json_string_equal(permission, SLICE("allowAll"))) return true;
    if (json_string_equal(permission, SLICE("denyAll"))) return false;
    struct slice sources = json_member(policy, SLICE("sourceQueueArns"));
    for (struct json_iterator i = json_iterate(sources); json_next(&i);) {
        struct slice arn;
        struct slice name;
        if (json_string(sqs_call_arena(change->call), i.value, &arn) &&
            sqs_arn_read(change->call, arn, &name) && slice_equal(name, change->command->name))
            return true;
    }
    return false;
}

/* ---- RedrivePolicy ----------------------------------------------------------------------------- */

static bool fail_redrive(struct slice policy, const char *reason, struct sqs_fault *fault) {
    return sqs_fail(fault, SQS_ERROR_PARAMETER_VALUE,
                    "Value %.*s for parameter RedrivePolicy is invalid. Reason: %s",
                    SLICE_ARGS(sqs_excerpt(policy)), reason);
}

/* A number, or a number in a string: both are used. */
static bool read_dead_after(struct arena *arena, struct slice raw, int64_t *out) {
    if (json_type(raw) == JSON_NONE) {
        *out = DEAD_AFTER_DEFAULT;
        return true;
    }
    struct slice text = raw;
    if (json_type(raw) == JSON_STRING && !json_string(arena, raw, &text)) return false;
    return slice_to_i64(text, 1, DEAD_AFTER_MAX, out);
}

static bool check_redrive_members(struct slice policy, struct sqs_fault *fault) {
    for (struct json_iterator i = json_iterate(policy); json_next(&i);) {
        if (!json_string_equal(i.name, SLICE("deadLetterTargetArn")) &&
            !json_string_equal(i.name, SLICE("maxReceiveCount"))) {
            return fail_redrive(policy, "Only deadLetterTargetArn and maxReceiveCount are allowed.",
                                fault);
        }
    }
    return true;
}

bool sqs_redrive_read(struct sqs_change *change, struct slice policy) {
    const struct sqs_call *call = change->call;
    struct sqs_fault *fault = change->fault;
    struct queue_settings *settings = &change->command->settings;
    settings->dead_queue = SLICE_EMPTY;
    settings->dead_after = 0;
    if (policy.count == 0) return true; /* takes the policy away */
    if (!is_map(policy))
        return fail_redrive(policy, "Redrive policy is not a valid JSON map.", fault);
    if (!check_redrive_members(policy, fault)) return false;

    struct arena *arena = sqs_call_arena(call);
    struct slice raw_arn = json_member(policy, SLICE("deadLetterTargetArn"));
    struct slice arn;
    if (json_type(raw_arn) == JSON_NONE)
        return fail_redrive(policy, "Redrive policy does not contain deadLetterTargetArn.", fault);
    if (json_type(raw_arn) != JSON_STRING || !json_string(arena, raw_arn, &arn) ||
        !sqs_arn_read(call, arn, &settings->dead_queue))
        return fail_redrive(policy, "Invalid value for deadLetterTargetArn.", fault);
    int64_t dead_after;
    if (!read_dead_after(arena, json_member(policy, SLICE("maxReceiveCount")), &dead_after)) {
        return fail_redrive(policy,
                            "Invalid value for maxReceiveCount: valid values are from 1 to 1000 "
                            "both inclusive.",
                            fault);
    }
    settings->dead_after = (uint32_t)dead_after;
    struct queue_view dead;
    if (!broker_find_queue(shard_broker(call->sqs->shard), settings->dead_queue, &dead))
        return fail_redrive(policy, "Dead letter target does not exist.", fault);
    if (!is_allowed(change, &dead)) {
        return fail_redrive(policy,
                            "The RedriveAllowPolicy of the dead-letter queue does not allow this "
                            "queue.",
                            fault);
    }
    return true;
}

const char *sqs_redrive_text(const struct sqs_call *call, const struct queue_view *view) {
    const char *arn = sqs_queue_arn(call, view->settings.dead_queue);
    if (arn == NULL) return NULL;
    return arena_printf(sqs_call_arena(call),
                        "{\"deadLetterTargetArn\":\"%s\",\"maxReceiveCount\":%" PRIu32 "}", arn,
                        view->settings.dead_after);
}
