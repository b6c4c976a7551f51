/* SPDX-License-Identifier: Apache-2.0 */
/* The program of a station: its words, its folder, its environment, and whether it is there. */
#include "line/definition_internal.h"

#define ENV_MAX 256u

/* ---- Words ---- */

struct words {
    struct definition_reader *reader;
    const struct tree_node *node;
    const char **argv;
    uint32_t count;
};

static bool words_add(struct words *words, struct slice word) {
    if (words->count == WORDS_MAX) {
        READ_ERROR(words->reader, words->node->place, "a command of more than %u words", WORDS_MAX);
        return false;
    }
    words->argv[words->count] = reader_copy(words->reader, word);
    return words->argv[words->count++] != NULL;
}

/* A word that only a shell would understand: the program would get it as an argument, and whoever
 * wrote it meant something else. */
static bool is_shell_sign(struct slice word) {
    static const char *const signs[] = {"|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1", "2>"};
    for (size_t i = 0; i < ARRAY_COUNT(signs); i++) {
        if (slice_equal_string(word, signs[i])) return true;
    }
    return false;
}

/* One word of `rest`, its quotes and backslashes resolved into `buffer`. False: a quote is open. */
static bool next_word(struct slice *rest, struct buffer *buffer, bool *was_quoted) {
    char quote = '\0';
    *was_quoted = false;
    size_t i = 0;
    for (; i < rest->count; i++) {
        char c = rest->bytes[i];
        bool is_space = c == ' ' || c == '\t' || c == '\n';
        if (quote == '\0' && is_space) break;
        if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
            *was_quoted = true;
        } else if (c == quote && quote != '\0') {
            quote = '\0';
        } else if (c == '\\' && quote != '\'' && i + 1 < rest->count) {
            buffer_append_byte(buffer, rest->bytes[++i]);
        } else {
            buffer_append_byte(buffer, c);
        }
    }
    *rest = slice_skip(*rest, i);
    return quote == '\0';
}

static bool split_words(struct words *words, struct slice text, struct buffer *buffer) {
    for (struct slice rest = slice_trim(text); rest.count > 0; rest = slice_trim(rest)) {
        bool was_quoted = false;
        buffer_clear(buffer);
        if (!next_word(&rest, buffer, &was_quoted)) {
            READ_ERROR(words->reader, words->node->place, "a quote in the command is never closed");
            return false;
        }
        if (buffer->failed) {
            words->reader->is_out_of_memory = true;
            return false;
        }
        struct slice word = buffer_slice(buffer);
        if (!was_quoted && is_shell_sign(word)) {
            READ_ERROR(words->reader, words->node->place,
                       "there is no shell here: `%.*s` would be a word for the program; write a "
                       "script, or quote it if the program wants it",
                       SLICE_ARGS(word));
            return false;
        }
        if (!words_add(words, word)) return false;
    }
    return true;
}

static bool read_list(struct words *words) {
    for (const struct tree_item *item = words->node->items; item != NULL; item = item->next) {
        struct slice text;
        if (!value_text(words->reader, item->value, &text)) return false;
        if (!words_add(words, text)) return false;
    }
    return true;
}

static void read_handler(struct definition_reader *reader, const struct tree_node *node,
                         struct definition_station *station, enum definition_handler handler) {
    if (station->handler != DEFINITION_HANDLER_NONE) {
        READ_ERROR(reader, node->place, "station `%s` has two handlers: give `exec` or `stream`",
                   station->name);
        return;
    }
    station->handler = handler;
    struct words words = {.reader = reader, .node = node};
    words.argv = reader_take(reader, WORDS_MAX + 1, sizeof *words.argv);
    if (words.argv == NULL) return;
    bool is_good = false;
    if (node->kind == TREE_LIST) {
        is_good = read_list(&words);
    } else {
        struct slice text;
        struct buffer buffer;
        buffer_open(&buffer, reader->arena->allocator, TEXT_BYTES_MAX);
        is_good = value_text(reader, node, &text) && split_words(&words, text, &buffer);
        buffer_close(&buffer);
    }
    if (is_good && (words.count == 0 || words.argv[0][0] == '\0')) {
        READ_ERROR(reader, node->place, "the command is empty");
        is_good = false;
    }
    if (!is_good) return;
    station->argv = words.argv;
    station->argv_count = words.count;
}

void handler_read_exec(struct definition_reader *reader, const struct tree_node *node,
                       void *station) {
    read_handler(reader, node, station, DEFINITION_HANDLER_EXEC);
}

void handler_read_stream(struct definition_reader *reader, const struct tree_node *node,
                         void *station) {
    read_handler(reader, node, station, DEFINITION_HANDLER_STREAM);
}

/* ---- Folder and environment ---- */

static const char *absolute(struct definition_reader *reader, const char *path) {
    if (path[0] == '/') return path;
    while (path[0] == '.' && path[1] == '/') path += 2;
    const char *between = strcmp(reader->folder, "/") == 0 ? "" : "/";
    if (strcmp(path, ".") == 0 || path[0] == '\0') return reader->folder;
    const char *joined = arena_printf(reader->arena, "%s%s%s", reader->folder, between, path);
    if (joined == NULL) reader->is_out_of_memory = true;
    return joined == NULL ? path : joined;
}

void handler_read_cwd(struct definition_reader *reader, const struct tree_node *node,
                      void *target) {
    struct definition_station *station = target;
    struct slice text;
    if (!value_text(reader, node, &text)) return;
    const char *path = reader_copy(reader, text);
    if (path == NULL) return;
    if (path[0] == '\0') READ_ERROR(reader, node->place, "`cwd` is empty");
    station->cwd = absolute(reader, path);
    const struct definition_options *options = reader->options;
    if (path[0] != '\0' && options->folder != NULL &&
        !options->folder(options->context, station->cwd)) {
        READ_ERROR(reader, node->place, "the folder `%s` does not exist: %s", path, station->cwd);
    }
}

static bool env_name_is_good(struct slice name) {
    if (name.count == 0 || (name.bytes[0] >= '0' && name.bytes[0] <= '9')) return false;
    for (size_t i = 0; i < name.count; i++) {
        char c = name.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_')) {
            return false;
        }
    }
    return true;
}

void handler_read_env(struct definition_reader *reader, const struct tree_node *node,
                      void *target) {
    struct definition_station *station = target;
    if (node->kind != TREE_MAP || node->items_count > ENV_MAX) {
        READ_ERROR(reader, node->place, "`env` must be a map of names and values, at most %u",
                   ENV_MAX);
        return;
    }
    struct definition_env *env = reader_take(reader, node->items_count, sizeof *env);
    if (env == NULL) return;
    uint32_t count = 0;
    for (const struct tree_item *item = node->items; item != NULL; item = item->next) {
        struct slice name = item->key->text;
        if (!env_name_is_good(name) || slice_starts_with(name, SLICE("TAKT_"))) {
            READ_ERROR(reader, item->key->place,
                       "`%.*s` cannot be set: letters, digits and `_`, not starting with a digit "
                       "or TAKT_",
                       SLICE_ARGS(name));
            continue;
        }
        struct slice value;
        if (!value_text(reader, item->value, &value)) continue;
        env[count].name = reader_copy(reader, name);
        env[count].value = value.count == 0 ? NULL : reader_copy(reader, value);
        count++;
    }
    station->env = env;
    station->env_count = count;
}

/* ---- The program is there ---- */

/* PATH as the worker will have it. */
static const char *search_path(struct definition_reader *reader,
                               const struct definition_station *station) {
    for (uint32_t i = 0; i < station->env_count; i++) {
        if (strcmp(station->env[i].name, "PATH") == 0 && station->env[i].value != NULL) {
            return station->env[i].value;
        }
    }
    if (reader->options->variable == NULL) return NULL;
    return reader->options->variable(reader->options->context, "PATH");
}

static enum definition_program find_in_path(struct definition_reader *reader, const char *path,
                                            const char *name) {
    enum definition_program best = DEFINITION_PROGRAM_MISSING;
    struct slice rest = slice_from_string(path == NULL ? "/usr/local/bin:/usr/bin:/bin" : path);
    while (rest.count > 0 && best != DEFINITION_PROGRAM_FOUND) {
        struct slice folder;
        (void)slice_cut(rest, ':', &folder, &rest);
        const char *full = arena_printf(reader->arena, "%.*s/%s", SLICE_ARGS(folder), name);
        if (full == NULL) {
            reader->is_out_of_memory = true;
            break;
        }
        if (full[0] != '/') continue; /* a PATH relative to who knows what */
        enum definition_program found = reader->options->program(reader->options->context, full);
        if (found != DEFINITION_PROGRAM_MISSING) best = found;
    }
    return best;
}

static void check_program(struct definition_reader *reader, struct definition_station *station,
                          struct definition_place place) {
    const char *name = station->argv[0];
    bool has_slash = strchr(name, '/') != NULL;
    const char *path = has_slash ? absolute(reader, name) : name;
    if (has_slash) {
        const char **argv = reader_take(reader, station->argv_count + 1, sizeof *argv);
        if (argv == NULL) return;
        memcpy(argv, station->argv, station->argv_count * sizeof *argv);
        argv[0] = path;
        station->argv = argv;
    }
    if (reader->options->program == NULL) return;
    enum definition_program found = has_slash
                                        ? reader->options->program(reader->options->context, path)
                                        : find_in_path(reader, search_path(reader, station), name);
    if (found == DEFINITION_PROGRAM_FOUND) return;
    bool is_missing = found == DEFINITION_PROGRAM_MISSING;
    if (has_slash) {
        READ_ERROR(reader, place, "the program `%s` %s: %s", name,
                   is_missing ? "does not exist" : "is not executable", path);
    } else {
        READ_ERROR(reader, place, "the program `%s` is not in PATH%s", name,
                   is_missing ? "" : " (a file of that name is, but is not executable)");
    }
}

void handler_check(struct definition_reader *reader, struct definition_station *station,
                   const struct tree_node *node) {
    static const char *const options[] = {"workers", "concurrency", "max_wait", "idle_timeout",
                                          "retry",   "timeout",     "cwd",      "env"};
    if (station->handler == DEFINITION_HANDLER_NONE) {
        for (size_t i = 0; i < ARRAY_COUNT(options); i++) {
            const struct tree_item *item = key_item(node, options[i]);
            if (item == NULL) continue;
            READ_ERROR(reader, item->key->place,
                       "`%s` is for a handler, and station `%s` has none (`exec` or `stream`)",
                       options[i], station->name);
        }
        return;
    }
    const struct tree_item *with = key_item(node, "with");
    if (with != NULL) {
        READ_ERROR(reader, with->key->place,
                   "`with` makes the output of a station without a handler; here the handler does");
    }
    bool is_exec = station->handler == DEFINITION_HANDLER_EXEC;
    const struct tree_item *concurrency = key_item(node, "concurrency");
    if (is_exec && station->concurrency > 1 && concurrency != NULL) {
        READ_ERROR(reader, concurrency->key->place,
                   "`exec` takes one message at a time: give more `workers`, or use `stream`");
    }
    if (is_exec) station->concurrency = 1;
    const struct tree_item *handler = key_item(node, is_exec ? "exec" : "stream");
    if (station->argv != NULL && handler != NULL) {
        check_program(reader, station, handler->value->place);
    }
}
