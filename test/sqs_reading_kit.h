/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_reading_kit.h -- for tests of a protocol's reader: a shape with every kind of field in it. */
#ifndef TAKT_TEST_SQS_READING_KIT_H
#define TAKT_TEST_SQS_READING_KIT_H

#include "failing_allocator.h"
#include "sqs/sqs_protocol.h"
#include "test.h"

#include <stdio.h>

struct inner {
    struct slice id;
    struct sqs_integer number;
    struct sqs_attributes attributes;
};
static const struct sqs_field inner_fields[] = {
    SQS_FIELD(inner, id, "Id", SQS_TEXT),
    SQS_FIELD(inner, number, "Number", SQS_INTEGER),
    SQS_FIELD_LIST(inner, attributes, "Attributes", "Attribute", SQS_ATTRIBUTES),
};
static const struct sqs_shape inner_shape = SQS_SHAPE(inner, inner_fields);

struct outer {
    struct slice text;
    struct sqs_integer number;
    struct sqs_texts texts;
    struct sqs_pairs pairs;
    struct sqs_attributes attributes;
    struct sqs_entries entries;
};
static const struct sqs_field outer_fields[] = {
    SQS_FIELD_REQUIRED(outer, text, "Text", SQS_TEXT),
    SQS_FIELD(outer, number, "Number", SQS_INTEGER),
    SQS_FIELD_LIST(outer, texts, "Texts", "Line", SQS_TEXTS),
    SQS_FIELD_LIST(outer, pairs, "Pairs", "Pair", SQS_PAIRS),
    SQS_FIELD_LIST(outer, attributes, "Attributes", "Attribute", SQS_ATTRIBUTES),
    SQS_FIELD_ENTRIES(outer, entries, inner_shape, "Entry"),
};
static const struct sqs_shape outer_shape = SQS_SHAPE(outer, outer_fields);

struct reading {
    struct allocator allocator;
    struct arena arena;
    struct outer outer;
    struct sqs_fault fault;
};

static inline void open_reading(struct reading *reading, struct allocator allocator) {
    *reading = (struct reading){.allocator = allocator};
    arena_open(&reading->arena, &reading->allocator, 4 << 20);
    reading->fault = sqs_fault_none(&reading->arena);
}

/* The refusal has this code and these words; ends the reading. */
static inline void expect_fault(struct reading *reading, bool is_read, const char *code,
                                const char *words) {
    char text[1024];
    EXPECT(!is_read);
    (void)snprintf(text, sizeof text, "%.*s", SLICE_ARGS(reading->fault.words));
    EXPECT_STRING(reading->fault.code, code);
    EXPECT_STRING(text, words);
    arena_close(&reading->arena);
}

#endif
