/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/broker_names.h"

#include "base/hash.h"

static struct slice name_of(const struct broker *broker, uint32_t slot) {
    const struct queue *queue = queue_at(broker, slot);
    return slice_from(queue->name, queue->name_count);
}

static uint64_t priority_of(const struct broker *broker, uint32_t slot) {
    return hash64_seeded(name_of(broker, slot), 1);
}

/* Where the parent (or the broker) points to this node. */
static uint32_t *link_to(struct broker *broker, uint32_t slot) {
    uint32_t parent = queue_at(broker, slot)->parent;
    if (parent == BROKER_NONE) return &broker->names_root;
    struct queue *queue = queue_at(broker, parent);
    return queue->left == slot ? &queue->left : &queue->right;
}

/* The child takes its parent's place, and the parent becomes its child. */
static void rotate_up(struct broker *broker, uint32_t slot) {
    struct queue *node = queue_at(broker, slot);
    uint32_t parent_slot = node->parent;
    struct queue *parent = queue_at(broker, parent_slot);
    *link_to(broker, parent_slot) = slot;
    node->parent = parent->parent;
    parent->parent = slot;
    uint32_t moved;
    if (parent->left == slot) {
        moved = parent->left = node->right;
        node->right = parent_slot;
    } else {
        moved = parent->right = node->left;
        node->left = parent_slot;
    }
    if (moved != BROKER_NONE) queue_at(broker, moved)->parent = parent_slot;
}

void names_insert(struct broker *broker, uint32_t slot) {
    struct queue *node = queue_at(broker, slot);
    node->left = node->right = node->parent = BROKER_NONE;
    uint32_t *link = &broker->names_root;
    while (*link != BROKER_NONE) {
        struct queue *parent = queue_at(broker, *link);
        node->parent = *link;
        int order = slice_compare(name_of(broker, slot), name_of(broker, *link));
        CHECK(order != 0);
        link = order < 0 ? &parent->left : &parent->right;
    }
    *link = slot;
    while (node->parent != BROKER_NONE &&
           priority_of(broker, slot) > priority_of(broker, node->parent)) {
        rotate_up(broker, slot);
    }
}

void names_remove(struct broker *broker, uint32_t slot) {
    struct queue *node = queue_at(broker, slot);
    while (node->left != BROKER_NONE && node->right != BROKER_NONE) {
        bool is_left = priority_of(broker, node->left) > priority_of(broker, node->right);
        rotate_up(broker, is_left ? node->left : node->right);
    }
    uint32_t child = node->left != BROKER_NONE ? node->left : node->right;
    *link_to(broker, slot) = child;
    if (child != BROKER_NONE) queue_at(broker, child)->parent = node->parent;
}

uint32_t names_next(const struct broker *broker, struct slice name, bool or_equal) {
    uint32_t found = BROKER_NONE;
    uint32_t slot = broker->names_root;
    while (slot != BROKER_NONE) {
        int order = slice_compare(name_of(broker, slot), name);
        if (order > 0 || (order == 0 && or_equal)) {
            found = slot;
            slot = queue_at(broker, slot)->left;
        } else {
            slot = queue_at(broker, slot)->right;
        }
    }
    return found;
}

void names_check(const struct broker *broker, uint32_t slot) {
    const struct queue *node = queue_at(broker, slot);
    if (node->parent == BROKER_NONE) {
        CHECK(broker->names_root == slot);
        return;
    }
    const struct queue *parent = queue_at(broker, node->parent);
    CHECK((parent->left == slot) != (parent->right == slot));
    CHECK(priority_of(broker, slot) <= priority_of(broker, node->parent));
    int order = slice_compare(name_of(broker, slot), name_of(broker, node->parent));
    CHECK(parent->left == slot ? order < 0 : order > 0);
}
