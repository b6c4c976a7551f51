/* SPDX-License-Identifier: Apache-2.0 */
/* list.h -- an intrusive, circular, doubly linked list. */
#ifndef TAKT_BASE_LIST_H
#define TAKT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next;
    struct list_link
        *previous; /* both point to itself when it is in no list, or is an empty head */
};

static inline void list_init(struct list_link *link) {
    link->next = link->previous = link;
}
static inline bool list_is_empty(const struct list_link *head) {
    return head->next == head;
}
static inline void list_insert_before(struct list_link *place, struct list_link *link) {
    link->previous = place->previous;
    link->next = place;
    place->previous->next = link;
    place->previous = link;
}
static inline void list_append(struct list_link *head, struct list_link *link) {
    list_insert_before(head, link);
}
static inline void list_prepend(struct list_link *head, struct list_link *link) {
    list_insert_before(head->next, link);
}
/* Harmless for a link that is in no list (but was initialised). */
static inline void list_remove(struct list_link *link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}
/* The first link, or NULL. */
static inline struct list_link *list_first(const struct list_link *head) {
    return list_is_empty(head) ? NULL : head->next;
}

#endif
