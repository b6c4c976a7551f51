/* SPDX-License-Identifier: Apache-2.0 */
/* expression.h -- one jq expression of a line file, compiled once, evaluated on raw JSON.
 *
 * What is evaluated here is the part of jq that gives exactly one value: paths (`.a.b[0]."x y"`,
 * `.`, `$in.x`), constants, comparisons, `and`, `or`, `not`, `length`, `|`, parentheses, and the
 * making of objects and arrays of these. Everything else is refused when the file is read ("needs
 * jq, which this version does not have yet"). Meaning follows jq: a path through null is null,
 * false and null are the only untrue values, and null < false < true < numbers < strings < arrays
 * < objects. Two differences, both on the safe side: integers are compared exactly and not as
 * doubles, and comparing two arrays or two objects fails instead of being guessed.
 *
 * A value is a slice of the bytes that came (base/json.h); only a made object or array is new.
 */
#ifndef TAKT_LINE_EXPRESSION_H
#define TAKT_LINE_EXPRESSION_H

#include "base/arena.h"
#include "base/json.h"

#define EXPRESSION_BYTES_MAX 4096u
#define EXPRESSION_OPERATIONS_MAX 512u
#define EXPRESSION_MADE_BYTES_MAX (1024u * 1024) /* one made object or array: a message's size */
#define EXPRESSION_DEPTH_MAX 32u /* brackets in brackets; also bounds the value stack */

enum expression_variable {
    EXPRESSION_DOT,     /* `.`: the value at hand */
    EXPRESSION_IN,      /* $in: the station's input */
    EXPRESSION_ORDER,   /* $order: the order's body as it passed the door */
    EXPRESSION_OUT,     /* $out: the station's whole output */
    EXPRESSION_INDEX,   /* $index: the element's index in `each`; null outside of one */
    EXPRESSION_JOB,     /* $job: the job's id, a string */
    EXPRESSION_REQUEST, /* $request: the HTTP request, an object; only at the gateway's door */
    EXPRESSION_VARIABLES,
};
#define EXPRESSION_BIT(variable) (1u << (variable))

struct expression; /* lives in the arena it was compiled into */

struct expression_error {
    size_t offset;       /* in the text, in bytes */
    const char *message; /* in the arena, or static */
};

/* text:      borrowed; what is needed of it is copied.
 * allowed:   EXPRESSION_BIT of each variable that may be named here (EXPRESSION_DOT always may).
 * Returns:   0; -EINVAL: error says what and where; -ENOMEM. */
TAKT_MUST_USE int expression_compile(struct arena *arena, struct slice text, unsigned allowed,
                                     struct expression **out, struct expression_error *error);

/* The text it was compiled from. */
struct slice expression_text(const struct expression *expression);
/* EXPRESSION_BIT of every variable it reads. */
unsigned expression_uses(const struct expression *expression);

/* One input: raw bytes that need not be JSON until an expression looks at them. */
struct expression_input {
    struct slice bytes; /* borrowed */
    const char *name;   /* for failures: "the output of counter"; borrowed */
    enum { EXPRESSION_UNSEEN, EXPRESSION_IS_JSON, EXPRESSION_NOT_JSON } seen; /* checked once */
};
/* What the variables stand for; one without bytes and without name is null. */
struct expression_scope {
    struct expression_input inputs[EXPRESSION_VARIABLES];
};

/* scope:     its `seen` marks are brought up to date.
 * out:       the raw value, trimmed, never empty: a slice of an input, of the expression, or new
 *            in the arena.
 * failure:   set when -EBADMSG is returned: a sentence in the arena, as `.a.b: cannot look up "b"
 *            in a number`.
 * Returns:   0; -EBADMSG: these values do not fit the expression; -ENOMEM. */
TAKT_MUST_USE int expression_evaluate(const struct expression *expression,
                                      struct expression_scope *scope, struct arena *arena,
                                      struct slice *out, const char **failure);

/* False for null and false, as in jq. */
bool expression_is_true(struct slice value);

#endif
