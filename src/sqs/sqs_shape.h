/* SPDX-License-Identifier: Apache-2.0 */
/* sqs_shape.h -- what an action takes, said once for every protocol.
 *
 * An action's input is a plain struct of the members below; its shape names them. A protocol's
 * reader fills the struct and knows no action; an action reads the struct and knows no protocol.
 */
#ifndef TAKT_SQS_SQS_SHAPE_H
#define TAKT_SQS_SQS_SHAPE_H

#include "base/slice.h"

#define SQS_ITEMS_MAX 1000u /* of a list or a map; batches have their own, smaller limit */

enum sqs_kind {
    SQS_TEXT,       /* struct slice; bytes NULL: not given */
    SQS_INTEGER,    /* struct sqs_integer */
    SQS_TEXTS,      /* struct sqs_texts */
    SQS_PAIRS,      /* struct sqs_pairs */
    SQS_ATTRIBUTES, /* struct sqs_attributes */
    SQS_ENTRIES,    /* struct sqs_entries, each of the shape `entry` */
};

struct sqs_integer {
    int64_t value;
    bool is_given;
};
struct sqs_texts {
    const struct slice *items;
    uint32_t count;
};
struct sqs_pair {
    struct slice name;
    struct slice value;
};
struct sqs_pairs { /* a map from text to text, in the order it came */
    const struct sqs_pair *items;
    uint32_t count;
};
struct sqs_attribute { /* of a message; `bytes` is decoded */
    struct slice name;
    struct slice type;  /* bytes NULL: not given */
    struct slice text;  /* likewise */
    struct slice bytes; /* likewise */
    bool has_lists;     /* StringListValues or BinaryListValues with something in it */
};
struct sqs_attributes {
    const struct sqs_attribute *items;
    uint32_t count;
};
struct sqs_entries {
    const void *items; /* at most BROKER_BATCH_MAX of them, whatever the count says */
    uint32_t count;    /* as many as came */
};

struct sqs_shape;
struct sqs_field {
    struct slice name;    /* in JSON */
    struct slice element; /* in Query: the name again, or what one of a list or a map is called */
    enum sqs_kind kind;
    bool is_required;
    size_t offset;                 /* in the action's input */
    const struct sqs_shape *entry; /* SQS_ENTRIES */
};
struct sqs_shape {
    const struct sqs_field *fields;
    uint32_t fields_count;
    size_t bytes_count; /* of the action's input */
};

/* clang-format off */
#define SQS_FIELD(input, member, name, kind)                                                       \
    {SLICE(name), SLICE(name), kind, false, offsetof(struct input, member), NULL}
#define SQS_FIELD_REQUIRED(input, member, name, kind)                                              \
    {SLICE(name), SLICE(name), kind, true, offsetof(struct input, member), NULL}
#define SQS_FIELD_LIST(input, member, name, element, kind)                                         \
    {SLICE(name), SLICE(element), kind, false, offsetof(struct input, member), NULL}
#define SQS_FIELD_LIST_REQUIRED(input, member, name, element, kind)                                \
    {SLICE(name), SLICE(element), kind, true, offsetof(struct input, member), NULL}
#define SQS_FIELD_ENTRIES(input, member, shape, element)                                           \
    {SLICE("Entries"), SLICE(element), SQS_ENTRIES, false, offsetof(struct input, member), &(shape)}
#define SQS_SHAPE(input, fields) {fields, ARRAY_COUNT(fields), sizeof(struct input)}
/* clang-format on */

#endif
