/* SPDX-License-Identifier: Apache-2.0 */
/* expression_internal.h -- what expression_compile.c leaves for expression_evaluate.c: a program
 * for a machine with one stack of values and one stack of what `.` stands for.
 */
#ifndef TAKT_LINE_EXPRESSION_INTERNAL_H
#define TAKT_LINE_EXPRESSION_INTERNAL_H

#include "line/expression.h"

enum operation_kind {
    OPERATION_VARIABLE,   /* push what the variable `argument` stands for */
    OPERATION_CONSTANT,   /* push `text`, raw JSON */
    OPERATION_FIELD,      /* replace the top by its member `text` */
    OPERATION_ELEMENT,    /* replace the top by its element `index`; from the end if negative */
    OPERATION_LENGTH,     /* push the length of `.` */
    OPERATION_NOT,        /* push whether `.` is untrue */
    OPERATION_COMPARE,    /* replace the two at the top by true or false */
    OPERATION_SKIP_FALSE, /* pop; if untrue: push false and go on at `argument` */
    OPERATION_SKIP_TRUE,  /* pop; if true: push true and go on at `argument` */
    OPERATION_TO_BOOL,    /* replace the top by true or false */
    OPERATION_PIPE_BEGIN, /* pop; from here on that is `.` */
    OPERATION_PIPE_END,   /* `.` is what it was before */
    OPERATION_OBJECT,     /* replace `argument` pairs of name and value by an object */
    OPERATION_ARRAY,      /* replace `argument` values by an array */
};

enum comparison {
    COMPARISON_EQUAL,
    COMPARISON_NOT_EQUAL,
    COMPARISON_LESS,
    COMPARISON_LESS_OR_EQUAL,
    COMPARISON_GREATER,
    COMPARISON_GREATER_OR_EQUAL,
};

struct operation {
    enum operation_kind kind;
    uint32_t argument; /* variable, comparison, target or count; of a key: its object's number */
    int64_t index;
    struct slice text;
    struct slice source; /* the part of the expression that this stands for, for failures */
};

struct expression {
    struct slice text;
    unsigned uses;
    uint32_t operations_count;
    struct operation *operations;
};

#endif
