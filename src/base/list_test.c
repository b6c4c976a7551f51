/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include "base/check.h"
#include "test.h"

struct item {
    int number;
    struct list_link link;
};

static int number_of(struct list_link *link) {
    return CONTAINER_OF(link, struct item, link)->number;
}

/* Links come out in the order of append, prepend and insert, both ways. */
TEST(list_keeps_its_order) {
    struct list_link head;
    list_init(&head);
    EXPECT(list_is_empty(&head));
    EXPECT(list_first(&head) == NULL);
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_append(&head, &items[1].link);
    list_append(&head, &items[3].link);
    list_prepend(&head, &items[0].link);
    list_insert_before(&items[3].link, &items[2].link);

    int expected = 0;
    for (struct list_link *link = head.next; link != &head; link = link->next) {
        EXPECT_INT(number_of(link), expected++);
    }
    EXPECT_INT(expected, 4);
    for (struct list_link *link = head.previous; link != &head; link = link->previous) {
        EXPECT_INT(number_of(link), --expected);
    }
    EXPECT_INT(expected, 0);
    EXPECT_INT(number_of(list_first(&head)), 0);
}

/* A removed link is out, may be removed again, and may be put back. */
TEST(list_removes) {
    struct list_link head;
    struct item items[2] = {{.number = 0}, {.number = 1}};
    list_init(&head);
    list_init(&items[0].link);
    list_remove(&items[0].link); /* it is in no list */
    list_append(&head, &items[0].link);
    list_append(&head, &items[1].link);
    list_remove(&items[0].link);
    list_remove(&items[0].link);
    EXPECT_INT(number_of(list_first(&head)), 1);
    list_append(&head, &items[0].link);
    EXPECT_INT(number_of(head.previous), 0);
    list_remove(&items[1].link);
    list_remove(&items[0].link);
    EXPECT(list_is_empty(&head));
}
