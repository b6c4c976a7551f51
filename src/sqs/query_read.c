/* SPDX-License-Identifier: Apache-2.0 */
/* query_read.c -- the Query protocol's parameters become an action's input.
 *
 *   DelaySeconds=5                                          a field of its own
 *   AttributeName.2=All                                     one of a list
 *   Attribute.1.Name=DelaySeconds  Attribute.1.Value=5      one of a map
 *   MessageAttribute.1.Value.DataType=String                …whose values have members
 *   DeleteMessageBatchRequestEntry.1.Id=a                   a field of one of a list of entries
 *
 * Numbers count from 1 and may come in any order, with gaps; a list of one or a map of one may
 * leave its number out, as older clients do. What comes twice or has no place is refused by name.
 */
#include "sqs/query_protocol.h"

#include "broker/command.h"
#include "sqs/base64.h"

#define INDEX_MAX 1000000u

/* What has come of one list or map: its items in the order they came, each with its number. */
struct query_list {
    const struct sqs_field *field;
    void *at;    /* in the input: where items and count go at the end */
    size_t size; /* of an item */
    char *items; /* at most `capacity`; of entries no more than a batch has */
    uint32_t *indexes;
    uint32_t count;
    uint32_t capacity;
    struct query_list *next; /* the one that came before */
};

struct reader {
    struct arena *arena;
    struct sqs_fault *fault;
    const struct query_param *param; /* at hand */
    struct query_list *lists;        /* newest first: a list comes before the one it stands in */
};

static bool fail_memory(struct reader *reader) {
    return sqs_fail_result(reader->fault, BROKER_NO_MEMORY, SLICE_EMPTY);
}

static bool fail_unknown(struct reader *reader) {
    return sqs_fail_unknown_parameter(reader->param->name, reader->fault);
}

static bool fail_type(struct reader *reader, const char *type) {
    return sqs_fail(reader->fault, SQS_ERROR_SERIALIZATION, "%.*s must be %s.",
                    SLICE_ARGS(sqs_excerpt(reader->param->name)), type);
}

static bool fail_twice(struct reader *reader) {
    return sqs_fail(reader->fault, SQS_ERROR_QUERY_STRING, "The parameter %.*s comes twice.",
                    SLICE_ARGS(sqs_excerpt(reader->param->name)));
}

static bool read_text(struct reader *reader, struct slice *out) {
    if (out->bytes != NULL) return fail_twice(reader);
    *out = reader->param->value;
    return true;
}

static bool read_integer(struct reader *reader, struct sqs_integer *out) {
    if (out->is_given) return fail_twice(reader);
    if (!slice_to_i64(reader->param->value, INT32_MIN, INT32_MAX, &out->value))
        return fail_type(reader, "an integer of 32 bits");
    out->is_given = true;
    return true;
}

static bool read_bytes(struct reader *reader, struct slice *out) {
    if (out->bytes != NULL) return fail_twice(reader);
    return base64_read(reader->arena, reader->param->value, out) || fail_type(reader, "base64");
}

/* ---- lists ------------------------------------------------------------------------------------ */

static size_t item_size(const struct sqs_field *field) {
    switch (field->kind) {
    case SQS_TEXTS: return sizeof(struct slice);
    case SQS_PAIRS: return sizeof(struct sqs_pair);
    case SQS_ATTRIBUTES: return sizeof(struct sqs_attribute);
    case SQS_ENTRIES: return field->entry->bytes_count;
    case SQS_TEXT:
    case SQS_INTEGER: break;
    }
    CHECK_UNREACHABLE();
}

static bool is_entries(const struct query_list *list) {
    return list->field->kind == SQS_ENTRIES;
}

/* NULL: out of memory. */
static struct query_list *find_list(struct reader *reader, const struct sqs_field *field,
                                    void *at) {
    for (struct query_list *list = reader->lists; list != NULL; list = list->next) {
        if (list->at == at) return list;
    }
    struct query_list *list = arena_take(reader->arena, sizeof *list);
    if (list == NULL) return NULL;
    *list = (struct query_list){
        .field = field, .at = at, .size = item_size(field), .next = reader->lists};
    reader->lists = list;
    return list;
}

/* Items of entries must not move: lists of their own point into them. They get their room at once,
 * and those beyond it are only counted. */
static bool grow(struct reader *reader, struct query_list *list) {
    uint32_t capacity = list->capacity == 0 ? 16 : list->capacity * 4;
    uint32_t *indexes = arena_take_array(reader->arena, capacity, sizeof *indexes);
    char *items = list->items;
    if (!is_entries(list)) {
        items = arena_take_array(reader->arena, capacity, list->size);
    } else if (items == NULL) {
        items = arena_take_array(reader->arena, BROKER_BATCH_MAX, list->size);
    }
    if (indexes == NULL || items == NULL) return fail_memory(reader);
    if (list->count > 0) memcpy(indexes, list->indexes, list->count * sizeof *indexes);
    if (list->count > 0 && !is_entries(list)) memcpy(items, list->items, list->count * list->size);
    list->indexes = indexes;
    list->items = items;
    list->capacity = capacity;
    return true;
}

/* The item of that number, made if it is new. *item NULL: an entry beyond the last of a batch. */
static bool find_item(struct reader *reader, const struct sqs_field *field, void *at,
                      uint32_t index, void **item) {
    struct query_list *list = find_list(reader, field, at);
    if (list == NULL) return fail_memory(reader);
    uint32_t place = list->count;
    while (place > 0 && list->indexes[place - 1] != index) place--;
    if (place == 0) {
        if (list->count == SQS_ITEMS_MAX) {
            return sqs_fail(reader->fault, SQS_ERROR_PARAMETER_VALUE,
                            "%.*s has more than %u items.", SLICE_ARGS(field->element),
                            SQS_ITEMS_MAX);
        }
        if (list->count == list->capacity && !grow(reader, list)) return false;
        list->indexes[list->count++] = index;
        place = list->count;
    }
    bool is_beyond = is_entries(list) && place > BROKER_BATCH_MAX;
    *item = is_beyond ? NULL : list->items + (place - 1) * list->size;
    return true;
}

/* The number at the beginning of *rest, which then is what stands behind it. */
static bool take_index(struct reader *reader, bool is_optional, struct slice *rest, uint32_t *out) {
    struct slice head;
    struct slice tail;
    uint64_t index = 0;
    *out = 1;
    (void)slice_cut(*rest, '.', &head, &tail);
    if (slice_to_u64(head, INDEX_MAX, &index) && index > 0) {
        *out = (uint32_t)index;
        *rest = tail;
        return true;
    }
    bool is_number = head.count > 0 && head.bytes[0] >= '0' && head.bytes[0] <= '9';
    return (is_optional && !is_number) || fail_unknown(reader);
}

static bool read_texts(struct reader *reader, const struct sqs_field *field, struct slice rest,
                       void *at) {
    uint32_t index;
    void *item = NULL;
    if (!take_index(reader, true, &rest, &index)) return false;
    if (rest.count > 0) return fail_unknown(reader);
    return find_item(reader, field, at, index, &item) && read_text(reader, item);
}

static bool read_pair(struct reader *reader, const struct sqs_field *field, struct slice rest,
                      void *at) {
    uint32_t index;
    void *item = NULL;
    if (!take_index(reader, true, &rest, &index)) return false;
    bool is_name = slice_equal(rest, sqs_shape_key_word(field->element));
    if (!is_name && !slice_equal(rest, SLICE("Value"))) return fail_unknown(reader);
    if (!find_item(reader, field, at, index, &item)) return false;
    struct sqs_pair *pair = item;
    return read_text(reader, is_name ? &pair->name : &pair->value);
}

static bool read_attribute(struct reader *reader, const struct sqs_field *field, struct slice rest,
                           void *at) {
    uint32_t index;
    void *item = NULL;
    if (!take_index(reader, true, &rest, &index) || !find_item(reader, field, at, index, &item))
        return false;
    struct sqs_attribute *attribute = item;
    if (slice_equal(rest, SLICE("Name"))) return read_text(reader, &attribute->name);
    if (slice_equal(rest, SLICE("Value.DataType"))) return read_text(reader, &attribute->type);
    if (slice_equal(rest, SLICE("Value.StringValue"))) return read_text(reader, &attribute->text);
    if (slice_equal(rest, SLICE("Value.BinaryValue"))) return read_bytes(reader, &attribute->bytes);
    if (slice_starts_with(rest, SLICE("Value.StringListValue.")) ||
        slice_starts_with(rest, SLICE("Value.BinaryListValue."))) {
        attribute->has_lists = true;
        return true;
    }
    return fail_unknown(reader);
}

/* Of a field that is not a list of entries. rest: what stands behind its name. */
static bool read_value(struct reader *reader, const struct sqs_field *field, struct slice rest,
                       void *input) {
    void *at = (char *)input + field->offset;
    switch (field->kind) {
    case SQS_TEXT: return rest.count > 0 ? fail_unknown(reader) : read_text(reader, at);
    case SQS_INTEGER: return rest.count > 0 ? fail_unknown(reader) : read_integer(reader, at);
    case SQS_TEXTS: return read_texts(reader, field, rest, at);
    case SQS_PAIRS: return read_pair(reader, field, rest, at);
    case SQS_ATTRIBUTES: return read_attribute(reader, field, rest, at);
    case SQS_ENTRIES: break; /* only at the top: see read_param */
    }
    CHECK_UNREACHABLE();
}

static const struct sqs_field *take_field(const struct sqs_shape *shape, struct slice *rest) {
    struct slice head;
    (void)slice_cut(*rest, '.', &head, rest);
    return sqs_shape_find_element(shape, head);
}

static bool read_entry(struct reader *reader, const struct sqs_field *field, struct slice rest,
                       void *input) {
    uint32_t index;
    void *entry = NULL;
    if (!take_index(reader, false, &rest, &index)) return false;
    if (!find_item(reader, field, (char *)input + field->offset, index, &entry)) return false;
    const struct sqs_field *inner = take_field(field->entry, &rest);
    if (inner == NULL) return fail_unknown(reader);
    return entry == NULL || read_value(reader, inner, rest, entry);
}

/* What a request has beside its action's own: the signature is not looked at yet. */
static bool is_common(struct slice name) {
    static const char *const common[] = {
        "Action",        "Version",          "AWSAccessKeyId",      "Signature",
        "Timestamp",     "SignatureVersion", "SignatureMethod",     "SecurityToken",
        "Expires",       "X-Amz-Algorithm",  "X-Amz-Credential",    "X-Amz-Date",
        "X-Amz-Expires", "X-Amz-Signature",  "X-Amz-SignedHeaders", "X-Amz-Security-Token",
    };
    for (size_t i = 0; i < ARRAY_COUNT(common); i++) {
        if (slice_equal_string(name, common[i])) return true;
    }
    return false;
}

/* botocore says so that a list is empty: its name in JSON, with nothing in it. */
static bool is_empty_list(const struct sqs_shape *shape, const struct query_param *param) {
    const struct sqs_field *field = sqs_shape_find(shape, param->name);
    return field != NULL && param->value.count == 0 &&
           (field->kind == SQS_TEXTS || field->kind == SQS_ENTRIES);
}

static bool read_param(struct reader *reader, const struct sqs_shape *shape, void *input) {
    struct slice rest = reader->param->name;
    const struct sqs_field *field = take_field(shape, &rest);
    if (field == NULL) {
        return is_common(reader->param->name) || is_empty_list(shape, reader->param) ||
               fail_unknown(reader);
    }
    if (slice_ends_with(reader->param->name, SLICE("."))) return fail_unknown(reader);
    if (field->kind == SQS_ENTRIES) return read_entry(reader, field, rest, input);
    return read_value(reader, field, rest, input);
}

/* ---- at the end ------------------------------------------------------------------------------- */

/* By number, in place. Most come in order. False: out of memory. */
static bool sort_list(struct reader *reader, struct query_list *list) {
    uint32_t count = list->count;
    if (is_entries(list) && count > BROKER_BATCH_MAX) return true; /* refused in any case */
    char *kept = arena_take(reader->arena, list->size);
    if (kept == NULL) return fail_memory(reader);
    for (uint32_t i = 1; i < count; i++) {
        uint32_t index = list->indexes[i];
        uint32_t to = i;
        while (to > 0 && list->indexes[to - 1] > index) to--;
        if (to == i) continue;
        memcpy(kept, list->items + i * list->size, list->size);
        memmove(list->items + (to + 1) * list->size, list->items + to * list->size,
                (i - to) * list->size);
        memmove(list->indexes + to + 1, list->indexes + to, (i - to) * sizeof *list->indexes);
        memcpy(list->items + to * list->size, kept, list->size);
        list->indexes[to] = index;
    }
    return true;
}

static bool fail_half(struct reader *reader, const struct query_list *list, uint32_t place,
                      struct slice word) {
    return sqs_fail(reader->fault, SQS_ERROR_MISSING_PARAMETER,
                    "The request must contain the parameter %.*s.%u.%.*s.",
                    SLICE_ARGS(list->field->element), list->indexes[place], SLICE_ARGS(word));
}

static bool check_names(struct reader *reader, const struct query_list *list, uint32_t place) {
    if (list->field->kind == SQS_PAIRS) {
        const struct sqs_pair *pairs = (const void *)list->items;
        struct slice key_word = sqs_shape_key_word(list->field->element);
        if (pairs[place].name.bytes == NULL) return fail_half(reader, list, place, key_word);
        if (pairs[place].value.bytes == NULL) return fail_half(reader, list, place, SLICE("Value"));
        for (uint32_t i = 0; i < place; i++) {
            if (!slice_equal(pairs[i].name, pairs[place].name)) continue;
            return sqs_fail(reader->fault, SQS_ERROR_PARAMETER_VALUE, "%.*s %.*s comes twice.",
                            SLICE_ARGS(list->field->element),
                            SLICE_ARGS(sqs_excerpt(pairs[place].name)));
        }
    } else if (list->field->kind == SQS_ATTRIBUTES) {
        const struct sqs_attribute *attributes = (const void *)list->items;
        if (attributes[place].name.bytes == NULL)
            return fail_half(reader, list, place, SLICE("Name"));
    }
    return true;
}

static bool finish_list(struct reader *reader, struct query_list *list) {
    if (!sort_list(reader, list)) return false;
    for (uint32_t i = 0; i < list->count; i++) {
        if (!check_names(reader, list, i)) return false;
    }
    switch (list->field->kind) {
    case SQS_TEXTS:
        *(struct sqs_texts *)list->at = (struct sqs_texts){(const void *)list->items, list->count};
        break;
    case SQS_PAIRS:
        *(struct sqs_pairs *)list->at = (struct sqs_pairs){(const void *)list->items, list->count};
        break;
    case SQS_ATTRIBUTES:
        *(struct sqs_attributes *)list->at =
            (struct sqs_attributes){(const void *)list->items, list->count};
        break;
    default:
        *(struct sqs_entries *)list->at = (struct sqs_entries){list->items, list->count};
        break;
    }
    return true;
}

bool query_read_request(const struct http_request *request, const struct sqs_parsed *parsed,
                        const struct sqs_shape *shape, void *input, struct sqs_fault *fault) {
    const struct query_form *form = parsed->form;
    struct reader reader = {.arena = request->arena, .fault = fault};
    for (uint32_t i = 0; i < form->count; i++) {
        reader.param = &form->params[i];
        if (!read_param(&reader, shape, input)) return false;
    }
    for (struct query_list *list = reader.lists; list != NULL; list = list->next) {
        if (!finish_list(&reader, list)) return false;
    }
    return sqs_shape_check(shape, input, fault);
}
