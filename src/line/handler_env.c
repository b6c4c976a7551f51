/* SPDX-License-Identifier: Apache-2.0 */
#include "line/handler_env.h"

#define VARIABLES_MAX 16u /* besides those of the file */

struct list {
    struct arena *arena;
    const char **variables;
    uint32_t count;
    bool failed;
};

static bool has_name(const char *variable, const char *name) {
    size_t count = strlen(name);
    return strncmp(variable, name, count) == 0 && variable[count] == '=';
}

/* Sets or replaces; a value of NULL sets nothing. */
static void set(struct list *list, const char *name, const char *value) {
    if (value == NULL) return;
    char *variable = arena_printf(list->arena, "%s=%s", name, value);
    if (variable == NULL) {
        list->failed = true;
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (!has_name(list->variables[i], name)) continue;
        list->variables[i] = variable;
        return;
    }
    list->variables[list->count++] = variable;
}

static void set_inherited(struct list *list, const struct worker_processes *processes) {
    static const char *const names[] = {"PATH", "HOME", "LANG", "TZ", "TMPDIR"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        set(list, names[i], processes->variable(processes->context, names[i]));
    }
}

/* takt asks for no keys on loopback, but AWS's libraries want some. */
static void set_sqs(struct list *list, const char *url) {
    if (url == NULL) return;
    set(list, "AWS_ENDPOINT_URL_SQS", url);
    set(list, "AWS_REGION", "us-east-1");
    set(list, "AWS_ACCESS_KEY_ID", "takt");
    set(list, "AWS_SECRET_ACCESS_KEY", "takt");
}

static void set_of_file(struct list *list, const struct handler_env *env) {
    const struct worker_processes *processes = env->processes;
    for (uint32_t i = 0; i < env->station->env_count; i++) {
        const struct definition_env *entry = &env->station->env[i];
        const char *value = entry->value;
        if (value == NULL) value = processes->variable(processes->context, entry->name);
        set(list, entry->name, value);
    }
}

static void set_takt(struct list *list, const struct handler_env *env) {
    set(list, "TAKT_LINE", env->line);
    set(list, "TAKT_STATION", env->station->name);
    set(list, "TAKT_TASK", env->task);
    set(list, "TAKT_JOB", env->job);
    set(list, "TAKT_INPUT_FILE", env->input_file);
    if (env->task == NULL) return;
    const char *attempt = arena_printf(list->arena, "%u", (unsigned)env->attempt);
    if (attempt == NULL) list->failed = true;
    set(list, "TAKT_ATTEMPT", attempt);
}

const char *const *handler_env_make(struct arena *arena, const struct handler_env *env) {
    struct list list = {.arena = arena};
    size_t count_max = (size_t)env->station->env_count + VARIABLES_MAX + 1;
    list.variables = arena_take_array(arena, count_max, sizeof list.variables[0]);
    if (list.variables == NULL) return NULL;
    set_inherited(&list, env->processes);
    set_sqs(&list, env->sqs_url);
    set_of_file(&list, env);
    set_takt(&list, env);
    CHECK(list.count < count_max);
    return list.failed ? NULL : list.variables;
}
