/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/options.h"
#include "line/definition.h"

#include <errno.h>
#include <stdio.h>

static const struct option options_table[] = {
    {"explain", NULL, "print what each station does, and where its output goes", NULL},
    {NULL, NULL, NULL, NULL},
};

#define CHECK_TEXT_BYTES_MAX (16u * 1024 * 1024)

/* "1 queue", "2 queues" */
static void print_count(struct buffer *text, uint32_t count, const char *thing) {
    buffer_printf(text, "%u %s%s", count, thing, count == 1 ? "" : "s");
}

static void print_text(struct env *env, const struct definition_files *files, bool explain) {
    struct buffer text;
    buffer_open(&text, &env->allocator, CHECK_TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < files->definitions_count; i++) {
        const struct definition *definition = &files->definitions[i];
        if (explain) {
            definition_explain(definition, &text);
        } else if (definition->name != NULL) {
            buffer_printf(&text, "line %s: ", definition->name);
            print_count(&text, definition->stations_count, "station");
            buffer_append_string(&text, ", ");
            print_count(&text, definition->routes_count, "route");
            buffer_append_string(&text, ", ");
            print_count(&text, definition->queues_count, "queue");
            buffer_append_string(&text, ": fine\n");
        } else {
            print_count(&text, definition->queues_count, "queue");
            buffer_append_string(&text, ": fine\n");
        }
    }
    (void)fwrite(text.bytes, 1, text.count, stdout);
    buffer_close(&text);
}

static int check_files(struct env *env, const struct options *options) {
    struct definition_files files;
    int rc = definition_load(env, options->words, options->words_count, &files);
    int code = CLI_OK;
    if (rc == 0) {
        print_text(env, &files, options_has(options, "explain"));
    } else if (rc == -EINVAL) {
        struct buffer text;
        buffer_open(&text, &env->allocator, CHECK_TEXT_BYTES_MAX);
        definition_print_errors(&files, &text);
        (void)fwrite(text.bytes, 1, text.count, stderr);
        buffer_close(&text);
        code = CLI_BAD_INPUT;
    } else {
        fprintf(stderr, "takt check: %s\n", strerror(-rc));
        code = CLI_FAILED;
    }
    definition_close(&files);
    return code;
}

int cli_check(int argc, char **argv) {
    struct options options;
    bool helped = false;
    if (!options_read(options_table, "check", "FILE… [--explain]", argc, argv, &options, &helped)) {
        return CLI_USAGE;
    }
    if (helped) return CLI_OK;
    if (options.words_count == 0) {
        fprintf(stderr, "takt check: which file?\n");
        return CLI_USAGE;
    }
    struct env *env = NULL;
    if (env_open_real(&env) < 0) {
        fprintf(stderr, "takt check: out of memory\n");
        return CLI_FAILED;
    }
    int code = check_files(env, &options);
    env_close_real(env);
    return code;
}
