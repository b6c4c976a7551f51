/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler: one pass over the text that alternates between "an operand must come" and "an
 * operator must come", with one stack of what is still open (brackets, and operators that wait for
 * their right side). jq's precedence, from loose to tight: `|`, `or`, `and`, comparisons.
 *
 * `and` and `or` must not look at their right side when the left decides (`.a != null and .a.b > 1`
 * on {"a": 5, …} would fail otherwise), hence the two SKIP operations, whose target is known only
 * when the right side has been read.
 */
#include "line/expression_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define OPEN_MAX (5u * (EXPRESSION_DEPTH_MAX + 1)) /* a bracket, and one operator of each kind */
#define NUMBER_BYTES_MAX 64u

enum open_kind {
    OPEN_TEXT, /* the whole expression */
    OPEN_PAREN,
    OPEN_OBJECT,
    OPEN_ARRAY,
    OPEN_PIPE, /* from here on: operators, from loose to tight */
    OPEN_OR,
    OPEN_AND,
    OPEN_COMPARE,
};

struct open {
    enum open_kind kind;
    size_t offset;
    uint32_t value;   /* of a comparison: which; of `and` and `or`: the SKIP to be mended */
    uint32_t members; /* of an object or array: how many are complete */
    uint32_t number;  /* of an object: tells its keys from those of others */
    bool has_pipe;
};

struct compiler {
    struct arena *arena;
    struct slice text;
    size_t position;
    unsigned allowed;
    unsigned uses;
    bool wants_operand;
    bool is_done;
    uint32_t objects_count;
    uint32_t depth; /* open brackets */
    struct expression_error *error;
    uint32_t open_count;
    struct open open[OPEN_MAX];
    uint32_t operations_count;
    struct operation operations[EXPRESSION_OPERATIONS_MAX];
};

static const char *const variable_names[EXPRESSION_VARIABLES] = {
    [EXPRESSION_DOT] = ".",           [EXPRESSION_IN] = "in",       [EXPRESSION_ORDER] = "order",
    [EXPRESSION_OUT] = "out",         [EXPRESSION_INDEX] = "index", [EXPRESSION_JOB] = "job",
    [EXPRESSION_REQUEST] = "request",
};

/* Words of jq's language that may be met in real expressions; what is not here is taken for a
 * forgotten point. */
static const char jq_words[] =
    " "
    "add all any as ascii_downcase ascii_upcase capture ceil contains def del elif else "
    "empty end endswith env error explode first flatten floor foreach from_entries "
    "fromjson group_by gsub has if implode in index inside join keys keys_unsorted label "
    "last limit ltrimstr map map_values max max_by min min_by now paths range recurse "
    "reduce reverse round rtrimstr scan select sort sort_by split startswith strings sub "
    "test then to_entries tojson tonumber tostring transpose try type unique unique_by "
    "until values walk while with_entries ";

TAKT_PRINTF(3, 4)
static int refuse(struct compiler *compiler, size_t offset, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    compiler->error->offset = offset;
    compiler->error->message = arena_copy(compiler->arena, slice_from_string(text));
    return compiler->error->message == NULL ? -ENOMEM : -EINVAL;
}

static int refuse_jq(struct compiler *compiler, size_t offset, struct slice what) {
    return refuse(compiler, offset, "needs jq, which this version does not have yet: `%.*s`",
                  SLICE_ARGS(what));
}

/* The byte `ahead` of the position, or NUL behind the end. */
static char peek(const struct compiler *compiler, size_t ahead) {
    size_t position = compiler->position + ahead;
    if (position >= compiler->text.count) return '\0';
    return compiler->text.bytes[position];
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static struct slice cut(const struct compiler *compiler, size_t begin) {
    return slice_from(compiler->text.bytes + begin, compiler->position - begin);
}

static struct slice read_word(struct compiler *compiler) {
    size_t begin = compiler->position;
    while (is_letter(peek(compiler, 0)) || is_digit(peek(compiler, 0))) compiler->position++;
    return cut(compiler, begin);
}

static void skip_space(struct compiler *compiler) {
    while (peek(compiler, 0) == ' ' || peek(compiler, 0) == '\t' || peek(compiler, 0) == '\n' ||
           peek(compiler, 0) == '\r') {
        compiler->position++;
    }
}

static int emit(struct compiler *compiler, struct operation operation) {
    if (compiler->operations_count == EXPRESSION_OPERATIONS_MAX) {
        return refuse(compiler, 0, "the expression is too long");
    }
    compiler->operations[compiler->operations_count++] = operation;
    return 0;
}

static void open_push(struct compiler *compiler, struct open open) {
    CHECK(compiler->open_count < OPEN_MAX); /* the depth and the precedences bound it */
    compiler->open[compiler->open_count++] = open;
}

/* The innermost bracket; the whole expression counts as one. */
static struct open *frame_of(struct compiler *compiler) {
    uint32_t i = compiler->open_count - 1;
    while (compiler->open[i].kind >= OPEN_PIPE) i--;
    return &compiler->open[i];
}

/* Finish the operators that bind at least as tightly as `kind`. */
static int finish_operators(struct compiler *compiler, enum open_kind kind) {
    int rc = 0;
    while (rc == 0 && compiler->open[compiler->open_count - 1].kind >= kind) {
        const struct open *open = &compiler->open[--compiler->open_count];
        if (open->kind == OPEN_PIPE) {
            rc = emit(compiler, (struct operation){.kind = OPERATION_PIPE_END});
        } else if (open->kind == OPEN_COMPARE) {
            rc = emit(compiler, (struct operation){.kind = OPERATION_COMPARE,
                                                   .argument = open->value,
                                                   .source = cut(compiler, open->offset)});
        } else {
            rc = emit(compiler, (struct operation){.kind = OPERATION_TO_BOOL});
            compiler->operations[open->value].argument = compiler->operations_count;
        }
    }
    return rc;
}

/* ---- Operands ---- */

/* A JSON string at the position: its raw bytes and its text. */
static int read_string(struct compiler *compiler, struct slice *raw, struct slice *text) {
    size_t begin = compiler->position++;
    while (compiler->position < compiler->text.count && peek(compiler, 0) != '"') {
        if (peek(compiler, 0) == '\\' && peek(compiler, 1) == '(') {
            return refuse_jq(compiler, compiler->position, SLICE("\\("));
        }
        compiler->position += peek(compiler, 0) == '\\' ? 2 : 1;
    }
    if (compiler->position >= compiler->text.count) {
        compiler->position = compiler->text.count;
        return refuse(compiler, begin,
                      "this string has no end (if it holds ` #` or `: `, YAML has cut it: put the "
                      "whole expression in single quotes)");
    }
    compiler->position++;
    *raw = cut(compiler, begin);
    struct json_error error;
    if (!json_validate(*raw, &error)) {
        return refuse(compiler, begin + error.offset, "not a string of JSON: %s", error.message);
    }
    /* The expression's text is the caller's: what stays must be a copy. */
    const char *copy = arena_copy(compiler->arena, *raw);
    if (copy == NULL) return -ENOMEM;
    *raw = slice_from(copy, raw->count);
    return json_string(compiler->arena, *raw, text) ? 0 : -ENOMEM;
}

static int read_constant_string(struct compiler *compiler) {
    struct slice raw;
    struct slice text;
    int rc = read_string(compiler, &raw, &text);
    if (rc < 0) return rc;
    compiler->wants_operand = false;
    return emit(compiler, (struct operation){.kind = OPERATION_CONSTANT, .text = raw});
}

static int read_number(struct compiler *compiler) {
    size_t begin = compiler->position++;
    while (is_digit(peek(compiler, 0)) || peek(compiler, 0) == '.' ||
           is_letter(peek(compiler, 0)) ||
           ((peek(compiler, 0) == '-' || peek(compiler, 0) == '+') &&
            (compiler->text.bytes[compiler->position - 1] | 0x20) == 'e')) {
        compiler->position++;
    }
    struct slice raw = cut(compiler, begin);
    struct json_error error;
    if (raw.count > NUMBER_BYTES_MAX || !json_validate(raw, &error)) {
        return refuse(compiler, begin, "`%.*s` is not a number", SLICE_ARGS(raw));
    }
    const char *copy = arena_copy(compiler->arena, raw);
    if (copy == NULL) return -ENOMEM;
    compiler->wants_operand = false;
    return emit(compiler, (struct operation){.kind = OPERATION_CONSTANT,
                                             .text = slice_from(copy, raw.count)});
}

static int emit_field(struct compiler *compiler, struct slice name, size_t begin) {
    const char *copy = arena_copy(compiler->arena, name);
    if (copy == NULL) return -ENOMEM;
    return emit(compiler, (struct operation){.kind = OPERATION_FIELD,
                                             .text = slice_from(copy, name.count),
                                             .source = cut(compiler, begin)});
}

/* `[…]` behind a path that began at `begin`. */
static int read_bracket(struct compiler *compiler, size_t begin) {
    size_t bracket = compiler->position++;
    skip_space(compiler);
    char c = peek(compiler, 0);
    if (c == ']') {
        return refuse(compiler, bracket,
                      "`[]` gives many values, and one is wanted here; `each` takes the array "
                      "itself: leave `[]` out");
    }
    struct slice text = SLICE_EMPTY;
    int64_t index = 0;
    if (c == '"') {
        struct slice raw;
        int rc = read_string(compiler, &raw, &text);
        if (rc < 0) return rc;
    } else {
        size_t number = compiler->position;
        if (c == '-') compiler->position++;
        while (is_digit(peek(compiler, 0))) compiler->position++;
        if (!slice_to_i64(cut(compiler, number), INT32_MIN, INT32_MAX, &index)) {
            return refuse_jq(compiler, bracket, slice_skip(compiler->text, bracket));
        }
    }
    skip_space(compiler);
    if (peek(compiler, 0) != ']') {
        return refuse_jq(compiler, bracket, slice_skip(compiler->text, bracket));
    }
    compiler->position++;
    if (c == '"') return emit_field(compiler, text, begin);
    return emit(compiler, (struct operation){.kind = OPERATION_ELEMENT,
                                             .index = index,
                                             .source = cut(compiler, begin)});
}

/* `name` or `"name"` behind a point. */
static int read_field(struct compiler *compiler, size_t begin) {
    struct slice raw;
    struct slice name;
    if (peek(compiler, 0) != '"') {
        name = read_word(compiler);
        return emit_field(compiler, name, begin);
    }
    int rc = read_string(compiler, &raw, &name);
    return rc < 0 ? rc : emit_field(compiler, name, begin);
}

static bool is_field_start(char c) {
    return is_letter(c) || c == '"';
}

/* Everything that goes on looking up: `.a."b"[0]`. */
static int read_suffixes(struct compiler *compiler, size_t begin) {
    int rc = 0;
    while (rc == 0) {
        if (peek(compiler, 0) == '.' && is_field_start(peek(compiler, 1))) {
            compiler->position++;
            rc = read_field(compiler, begin);
        } else if (peek(compiler, 0) == '[') {
            rc = read_bracket(compiler, begin);
        } else if (peek(compiler, 0) == '.' && peek(compiler, 1) == '[') {
            compiler->position++;
        } else if (peek(compiler, 0) == '?' || peek(compiler, 0) == '.') {
            rc = refuse_jq(compiler, compiler->position, slice_skip(compiler->text, begin));
        } else {
            break;
        }
    }
    compiler->wants_operand = false;
    return rc;
}

static int emit_variable(struct compiler *compiler, enum expression_variable variable,
                         size_t begin) {
    compiler->uses |= EXPRESSION_BIT(variable);
    return emit(compiler, (struct operation){.kind = OPERATION_VARIABLE,
                                             .argument = variable,
                                             .source = cut(compiler, begin)});
}

static int read_path(struct compiler *compiler) {
    size_t begin = compiler->position++;
    if (peek(compiler, 0) == '.') return refuse_jq(compiler, begin, SLICE(".."));
    if (is_digit(peek(compiler, 0))) {
        return refuse(compiler, begin,
                      "a number needs a digit before its point, and an element is "
                      "written as `.[0]`");
    }
    int rc = emit_variable(compiler, EXPRESSION_DOT, begin);
    if (rc == 0 && is_field_start(peek(compiler, 0))) rc = read_field(compiler, begin);
    return rc < 0 ? rc : read_suffixes(compiler, begin);
}

static int refuse_variable(struct compiler *compiler, size_t begin, struct slice name) {
    if (slice_equal(name, SLICE("schedule")) || slice_equal(name, SLICE("error"))) {
        return refuse(compiler, begin, "`$%.*s` is not built yet in this version of takt",
                      SLICE_ARGS(name));
    }
    if (slice_equal(name, SLICE("request"))) {
        return refuse(
            compiler, begin,
            "`$request` is known only at the gateway's door; put what you need of it into "
            "the order there, by `with`");
    }
    bool at_door = (compiler->allowed & EXPRESSION_BIT(EXPRESSION_REQUEST)) != 0;
    for (size_t i = EXPRESSION_IN; i < EXPRESSION_VARIABLES; i++) {
        if (!slice_equal_string(name, variable_names[i])) continue;
        if (at_door) {
            return refuse(compiler, begin,
                          "`$%.*s` is not known at the door: the order is `.`, its request "
                          "`$request`",
                          SLICE_ARGS(name));
        }
        return refuse(compiler, begin, "`$%.*s` is not known here: the input is `.`",
                      SLICE_ARGS(name));
    }
    return refuse(compiler, begin, "unknown variable `$%.*s`; there are %s", SLICE_ARGS(name),
                  at_door ? "`.` and $request" : "`.`, $in, $order, $out, $index and $job");
}

/* Reads `$name`; does not emit. */
static int read_variable_name(struct compiler *compiler, enum expression_variable *out,
                              struct slice *name) {
    size_t begin = compiler->position++;
    *name = read_word(compiler);
    for (unsigned i = EXPRESSION_IN; i < EXPRESSION_VARIABLES; i++) {
        if (!slice_equal_string(*name, variable_names[i])) continue;
        if ((compiler->allowed & EXPRESSION_BIT(i)) == 0) break;
        *out = (enum expression_variable)i;
        return 0;
    }
    return refuse_variable(compiler, begin, *name);
}

static int read_variable(struct compiler *compiler) {
    size_t begin = compiler->position;
    enum expression_variable variable = EXPRESSION_DOT;
    struct slice name;
    int rc = read_variable_name(compiler, &variable, &name);
    if (rc == 0) rc = emit_variable(compiler, variable, begin);
    return rc < 0 ? rc : read_suffixes(compiler, begin);
}

static bool is_jq_word(struct slice word) {
    const struct slice all = {jq_words, sizeof jq_words - 1};
    for (struct slice rest = all; rest.count > word.count + 1; rest = slice_skip(rest, 1)) {
        if (rest.bytes[0] == ' ' && rest.bytes[word.count + 1] == ' ' &&
            memcmp(rest.bytes + 1, word.bytes, word.count) == 0) {
            return true;
        }
    }
    return false;
}

static int read_word_operand(struct compiler *compiler) {
    static const struct slice constants[] = {SLICE("null"), SLICE("true"), SLICE("false")};
    size_t begin = compiler->position;
    struct slice word = read_word(compiler);
    for (size_t i = 0; i < ARRAY_COUNT(constants); i++) {
        if (!slice_equal(word, constants[i])) continue;
        compiler->wants_operand = false;
        return emit(compiler, (struct operation){.kind = OPERATION_CONSTANT, .text = constants[i]});
    }
    bool is_length = slice_equal(word, SLICE("length"));
    if (is_length || slice_equal(word, SLICE("not"))) {
        compiler->wants_operand = false;
        compiler->uses |= EXPRESSION_BIT(EXPRESSION_DOT);
        return emit(compiler,
                    (struct operation){.kind = is_length ? OPERATION_LENGTH : OPERATION_NOT,
                                       .source = word});
    }
    if (is_jq_word(word) || peek(compiler, 0) == '(') return refuse_jq(compiler, begin, word);
    return refuse(compiler, begin, "unknown word `%.*s`; did you mean \".%.*s\"?", SLICE_ARGS(word),
                  SLICE_ARGS(word));
}

/* ---- Objects and arrays ---- */

static int check_key_is_new(struct compiler *compiler, struct slice raw, size_t offset,
                            uint32_t number) {
    struct slice text;
    if (!json_string(compiler->arena, raw, &text)) return -ENOMEM;
    for (uint32_t i = 0; i < compiler->operations_count; i++) {
        const struct operation *operation = &compiler->operations[i];
        if (operation->kind == OPERATION_CONSTANT && operation->argument == number &&
            json_string_equal(operation->text, text)) {
            return refuse(compiler, offset, "the object has `%.*s` twice", SLICE_ARGS(text));
        }
    }
    return 0;
}

static int emit_key(struct compiler *compiler, struct slice raw, size_t offset) {
    uint32_t number = frame_of(compiler)->number;
    int rc = check_key_is_new(compiler, raw, offset, number);
    if (rc < 0) return rc;
    return emit(compiler,
                (struct operation){.kind = OPERATION_CONSTANT, .argument = number, .text = raw});
}

/* The key of the next member, with its colon; `{name}` and `{$order}` are whole members. */
static int read_key(struct compiler *compiler) {
    skip_space(compiler);
    size_t begin = compiler->position;
    enum expression_variable variable = EXPRESSION_DOT;
    struct slice raw = SLICE_EMPTY;
    struct slice name = SLICE_EMPTY;
    int rc = 0;
    if (peek(compiler, 0) == '"') {
        rc = read_string(compiler, &raw, &name);
    } else if (peek(compiler, 0) == '$') {
        rc = read_variable_name(compiler, &variable, &name);
    } else if (is_letter(peek(compiler, 0))) {
        name = read_word(compiler);
    } else if (peek(compiler, 0) == '(' || peek(compiler, 0) == '@') {
        rc = refuse_jq(compiler, begin, slice_skip(compiler->text, begin));
    } else {
        rc = refuse(compiler, begin, "the name of a member must come here, as in {number, n: .a}");
    }
    if (rc < 0) return rc;
    if (raw.count == 0) {
        const char *copy = arena_printf(compiler->arena, "\"%.*s\"", SLICE_ARGS(name));
        if (copy == NULL) return -ENOMEM;
        raw = slice_from_string(copy);
    }
    rc = emit_key(compiler, raw, begin);
    if (rc < 0) return rc;
    size_t end = compiler->position;
    skip_space(compiler);
    if (variable == EXPRESSION_DOT && peek(compiler, 0) == ':') {
        compiler->position++;
        compiler->wants_operand = true;
        return 0;
    }
    compiler->position = end;
    compiler->wants_operand = false;
    if (variable != EXPRESSION_DOT) return emit_variable(compiler, variable, begin);
    rc = emit_variable(compiler, EXPRESSION_DOT, begin);
    return rc < 0 ? rc : emit_field(compiler, name, begin);
}

static int read_opening(struct compiler *compiler, enum open_kind kind, char closing) {
    struct open open = {.kind = kind, .offset = compiler->position++};
    if (kind == OPEN_OBJECT) open.number = ++compiler->objects_count;
    if (++compiler->depth > EXPRESSION_DEPTH_MAX) {
        return refuse(compiler, open.offset, "the expression has too many brackets in brackets");
    }
    open_push(compiler, open);
    skip_space(compiler);
    if (kind != OPEN_PAREN && peek(compiler, 0) == closing) {
        compiler->position++;
        compiler->open_count--;
        compiler->depth--;
        compiler->wants_operand = false;
        return emit(compiler, (struct operation){.kind = kind == OPEN_OBJECT ? OPERATION_OBJECT
                                                                             : OPERATION_ARRAY});
    }
    return kind == OPEN_OBJECT ? read_key(compiler) : 0;
}

static int read_operand(struct compiler *compiler) {
    char c = peek(compiler, 0);
    if (compiler->position >= compiler->text.count) {
        return refuse(compiler, compiler->position, "the expression ends too early");
    }
    if (c == '.') return read_path(compiler);
    if (c == '$') return read_variable(compiler);
    if (c == '"') return read_constant_string(compiler);
    if (c == '-' && !is_digit(peek(compiler, 1))) {
        return refuse_jq(compiler, compiler->position, SLICE("-"));
    }
    if (c == '-' || is_digit(c)) return read_number(compiler);
    if (c == '(') return read_opening(compiler, OPEN_PAREN, ')');
    if (c == '[') return read_opening(compiler, OPEN_ARRAY, ']');
    if (c == '{') return read_opening(compiler, OPEN_OBJECT, '}');
    if (is_letter(c)) return read_word_operand(compiler);
    if (c == '@') {
        return refuse_jq(compiler, compiler->position,
                         slice_skip(compiler->text, compiler->position));
    }
    if (c == '\'') return refuse(compiler, compiler->position, "a string stands in double quotes");
    if (c == '!') {
        return refuse(compiler, compiler->position,
                      "there is no `!`: write `… | not` or `!=` instead");
    }
    if ((unsigned char)c >= 0x80) {
        return refuse(compiler, compiler->position,
                      "a value must come here: a path starts with `.`");
    }
    return refuse(compiler, compiler->position, "a value must come here, not `%c`", c);
}

/* ---- Operators ---- */

static int close_frame(struct compiler *compiler, char c) {
    static const char closing[] = {[OPEN_PAREN] = ')', [OPEN_OBJECT] = '}', [OPEN_ARRAY] = ']'};
    int rc = finish_operators(compiler, OPEN_PIPE);
    if (rc < 0) return rc;
    struct open frame = *frame_of(compiler);
    if (frame.kind == OPEN_TEXT) {
        return refuse(compiler, compiler->position, "`%c` closes nothing", c);
    }
    if (closing[frame.kind] != c) {
        return refuse(compiler, compiler->position, "`%c` must come here, not `%c`",
                      closing[frame.kind], c);
    }
    compiler->position++;
    compiler->open_count--;
    compiler->depth--;
    if (frame.kind == OPEN_PAREN) return read_suffixes(compiler, frame.offset);
    return emit(compiler, (struct operation){.kind = frame.kind == OPEN_OBJECT ? OPERATION_OBJECT
                                                                               : OPERATION_ARRAY,
                                             .argument = frame.members + 1});
}

static int read_comma(struct compiler *compiler) {
    int rc = finish_operators(compiler, OPEN_PIPE);
    if (rc < 0) return rc;
    struct open *frame = frame_of(compiler);
    /* In jq `[.a | f, g]` is `[.a | (f, g)]`: not two values as it looks. */
    if (frame->kind < OPEN_OBJECT || (frame->kind == OPEN_ARRAY && frame->has_pipe)) {
        return refuse_jq(compiler, compiler->position, SLICE(","));
    }
    compiler->position++;
    frame->members++;
    frame->has_pipe = false;
    compiler->wants_operand = true;
    return frame->kind == OPEN_OBJECT ? read_key(compiler) : 0;
}

static int push_operator(struct compiler *compiler, enum open_kind kind, uint32_t value,
                         size_t length) {
    size_t offset = compiler->position;
    struct open *frame = frame_of(compiler);
    if (frame->kind == OPEN_OBJECT && kind != OPEN_PIPE) {
        return refuse(compiler, offset,
                      "inside of { } such a value needs parentheses: {n: (.a == 1)}");
    }
    if (frame->kind == OPEN_ARRAY && kind == OPEN_PIPE && frame->members > 0) {
        return refuse_jq(compiler, offset, SLICE("|"));
    }
    if (kind == OPEN_COMPARE && compiler->open[compiler->open_count - 1].kind == OPEN_COMPARE) {
        return refuse(compiler, offset, "comparisons cannot be chained; join them with `and`");
    }
    int rc = finish_operators(compiler, kind);
    if (rc < 0) return rc;
    if (kind == OPEN_PIPE) {
        frame->has_pipe = true;
        rc = emit(compiler, (struct operation){.kind = OPERATION_PIPE_BEGIN});
    } else if (kind != OPEN_COMPARE) {
        value = compiler->operations_count;
        rc = emit(compiler, (struct operation){.kind = kind == OPEN_AND ? OPERATION_SKIP_FALSE
                                                                        : OPERATION_SKIP_TRUE});
    }
    if (rc < 0) return rc;
    compiler->position += length;
    compiler->wants_operand = true;
    open_push(compiler, (struct open){.kind = kind, .offset = offset, .value = value});
    return 0;
}

static int read_comparison(struct compiler *compiler) {
    static const struct {
        struct slice sign;
        enum comparison comparison;
    } signs[] = {
        {SLICE("=="), COMPARISON_EQUAL},         {SLICE("!="), COMPARISON_NOT_EQUAL},
        {SLICE("<="), COMPARISON_LESS_OR_EQUAL}, {SLICE(">="), COMPARISON_GREATER_OR_EQUAL},
        {SLICE("<"), COMPARISON_LESS},           {SLICE(">"), COMPARISON_GREATER},
    };
    struct slice rest = slice_skip(compiler->text, compiler->position);
    for (size_t i = 0; i < ARRAY_COUNT(signs); i++) {
        if (slice_starts_with(rest, signs[i].sign)) {
            return push_operator(compiler, OPEN_COMPARE, (uint32_t)signs[i].comparison,
                                 signs[i].sign.count);
        }
    }
    if (rest.bytes[0] == '=') {
        return refuse(compiler, compiler->position, "a comparison is written `==`");
    }
    if ((unsigned char)rest.bytes[0] >= 0x80) {
        return refuse(compiler, compiler->position,
                      "a name with other letters than a-z must stand in double quotes, as in "
                      "`.\"...\"`");
    }
    return refuse(compiler, compiler->position, "an operator must come here, not `%c`",
                  rest.bytes[0]);
}

static int read_word_operator(struct compiler *compiler) {
    size_t begin = compiler->position;
    struct slice word = read_word(compiler);
    compiler->position = begin;
    if (slice_equal(word, SLICE("and"))) return push_operator(compiler, OPEN_AND, 0, word.count);
    if (slice_equal(word, SLICE("or"))) return push_operator(compiler, OPEN_OR, 0, word.count);
    if (slice_equal(word, SLICE("as"))) return refuse_jq(compiler, begin, word);
    return refuse(compiler, begin, "an operator must come here, not `%.*s`", SLICE_ARGS(word));
}

static int read_end(struct compiler *compiler) {
    static const char opening[] = {[OPEN_PAREN] = '(', [OPEN_OBJECT] = '{', [OPEN_ARRAY] = '['};
    int rc = finish_operators(compiler, OPEN_PIPE);
    if (rc < 0) return rc;
    const struct open *frame = frame_of(compiler);
    if (frame->kind != OPEN_TEXT) {
        return refuse(compiler, frame->offset, "`%c` is never closed", opening[frame->kind]);
    }
    compiler->is_done = true;
    return 0;
}

static int read_operator(struct compiler *compiler) {
    if (compiler->position >= compiler->text.count) return read_end(compiler);
    char c = peek(compiler, 0);
    if (c == ')' || c == ']' || c == '}') return close_frame(compiler, c);
    if (c == ',') return read_comma(compiler);
    if (is_letter(c)) return read_word_operator(compiler);
    if (c == '|' && peek(compiler, 1) == '|') {
        return refuse(compiler, compiler->position, "there is no `||`; did you mean \"or\"?");
    }
    if (c == '&') {
        return refuse(compiler, compiler->position, "there is no `&&`; did you mean \"and\"?");
    }
    if (c == '|' && peek(compiler, 1) == '=') {
        return refuse_jq(compiler, compiler->position, SLICE("|="));
    }
    if (c == '|') return push_operator(compiler, OPEN_PIPE, 0, 1);
    if (c == '/' && peek(compiler, 1) == '/') {
        return refuse_jq(compiler, compiler->position, SLICE("//"));
    }
    if (c == '+' || c == '-' || c == '*' || c == '/' || c == '%' || c == '?') {
        return refuse_jq(compiler, compiler->position, slice_from(&c, 1));
    }
    if (compiler->operations[compiler->operations_count - 1].kind == OPERATION_NOT) {
        return refuse(compiler, compiler->position,
                      "`not` stands behind what it negates: `.a | not`");
    }
    return read_comparison(compiler);
}

static int compile(struct compiler *compiler, struct expression **out) {
    struct expression *expression = arena_take(compiler->arena, sizeof *expression);
    char *text = arena_copy(compiler->arena, compiler->text);
    if (expression == NULL || text == NULL) return -ENOMEM;
    compiler->text.bytes = text; /* the operations' sources lie in the copy */

    int rc = 0;
    open_push(compiler, (struct open){.kind = OPEN_TEXT});
    compiler->wants_operand = true;
    while (rc == 0 && !compiler->is_done) {
        skip_space(compiler);
        rc = compiler->wants_operand ? read_operand(compiler) : read_operator(compiler);
    }
    if (rc < 0) return rc;
    *expression = (struct expression){.text = compiler->text,
                                      .uses = compiler->uses,
                                      .operations_count = compiler->operations_count};
    expression->operations =
        arena_take_array(compiler->arena, compiler->operations_count, sizeof(struct operation));
    if (expression->operations == NULL) return -ENOMEM;
    memcpy(expression->operations, compiler->operations,
           compiler->operations_count * sizeof(struct operation));
    *out = expression;
    return 0;
}

int expression_compile(struct arena *arena, struct slice text, unsigned allowed,
                       struct expression **out, struct expression_error *error) {
    struct compiler compiler;
    compiler.arena = arena;
    compiler.text = slice_trim(text);
    compiler.position = 0;
    compiler.allowed = allowed | EXPRESSION_BIT(EXPRESSION_DOT);
    compiler.uses = 0;
    compiler.is_done = false;
    compiler.objects_count = 0;
    compiler.depth = 0;
    compiler.error = error;
    compiler.open_count = 0;
    compiler.operations_count = 0;
    if (compiler.text.count > EXPRESSION_BYTES_MAX) {
        return refuse(&compiler, 0, "the expression is longer than %u bytes", EXPRESSION_BYTES_MAX);
    }
    if (compiler.text.count == 0) return refuse(&compiler, 0, "the expression is empty");
    if (!slice_is_utf8(compiler.text)) return refuse(&compiler, 0, "the expression is not UTF-8");
    size_t skipped = (size_t)(compiler.text.bytes - text.bytes);
    int rc = compile(&compiler, out);
    if (rc == -EINVAL) error->offset += skipped;
    return rc;
}

struct slice expression_text(const struct expression *expression) {
    return expression->text;
}

unsigned expression_uses(const struct expression *expression) {
    return expression->uses;
}
