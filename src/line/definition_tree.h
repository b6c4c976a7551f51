/* SPDX-License-Identifier: Apache-2.0 */
/* definition_tree.h -- the documents of a YAML file as trees of texts, lists and maps with places.
 *
 * Aliases point to the node they name (nothing is copied), `<<` is resolved, duplicate keys are
 * errors. What a text means is decided by whoever reads it: YAML's own guesses are not used.
 */
#ifndef TAKT_LINE_DEFINITION_TREE_H
#define TAKT_LINE_DEFINITION_TREE_H

#include "line/definition.h"

#define TREE_DEPTH_MAX 16u
#define TREE_NODES_MAX 50000u /* merged members included */
#define TREE_MAP_ITEMS_MAX 2000u
#define TREE_ANCHORS_MAX 256u

enum tree_kind { TREE_TEXT, TREE_LIST, TREE_MAP };

struct tree_item {
    const struct tree_node *key; /* a text; NULL in a list */
    const struct tree_node *value;
    struct tree_item *next;
    bool is_merged; /* came by `<<` */
};

struct tree_node {
    enum tree_kind kind;
    struct definition_place place;
    struct slice text;     /* of a text */
    bool is_plain;         /* a text without quotes */
    bool is_one_to_one;    /* the text stands in the file as it is here, on one line */
    uint32_t quotes_count; /* characters before the text's first: 0 or 1 */
    struct tree_item *items;
    struct tree_item *last;
    uint32_t items_count;
    bool is_open; /* while it is read: an alias to it would be a loop */
};

struct tree_document {
    const struct tree_node *root;
    struct slice source; /* the document's bytes */
};

/* bytes:     kept by the documents: they are slices of it.
 * documents: in the arena. A document that is empty is left out.
 * errors:    what is not YAML, or more than the limits, is added there; what was read before it is
 *            given all the same.
 * Returns 0 or -ENOMEM. */
TAKT_MUST_USE int tree_read(struct arena *arena, uint32_t file, struct slice bytes,
                            struct definition_errors *errors, struct tree_document **documents,
                            uint32_t *documents_count);

/* Add one error in its place in the order; `more` is set when there is no room. The text is cut at
 * 1000 bytes. */
void definition_add_error(struct definition_errors *errors, struct arena *arena,
                          struct definition_place place, const char *format, ...) TAKT_PRINTF(4, 5);

#endif
