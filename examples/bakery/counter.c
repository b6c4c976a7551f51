/* SPDX-License-Identifier: Apache-2.0 */
/* The counter reads the order, prices it, and hands it on; line.yaml says who gets which part.
 *
 *   in:  {"number", "items": [{"what", "count"}], "card", "gift", "address"}
 *   out: the same with "price" (cents) at each item, and "total"
 */
#include "sick.h"
#include "stream.h"

static const struct {
    const char *what;
    int cents;
} prices[] = {{"bread", 380}, {"sweet bread", 245}, {"pizza", 990}};

/* In cents for one piece; -1: we do not make that. */
static int price_of(const char *what) {
    for (size_t i = 0; i < sizeof prices / sizeof prices[0]; i++) {
        if (strcmp(prices[i].what, what) == 0) return prices[i].cents;
    }
    return -1;
}

/* The reason why this order cannot be taken, or NULL. */
static const char *price_order(cJSON *order) {
    double total = 0;
    cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(order, "items")) {
        int cents = price_of(text_of(item, "what"));
        double count = number_of(item, "count");
        if (cents < 0) return "we make bread, sweet bread and pizza";
        if (count < 1 || count > 100 || count != (int)count) return "1 to 100 pieces of a kind";
        cJSON_AddNumberToObject(item, "price", cents * count);
        total += cents * count;
    }
    if (cJSON_IsTrue(cJSON_GetObjectItem(order, "gift"))) total = 0; /* on the house */
    cJSON_AddNumberToObject(order, "total", total);
    return NULL;
}

int main(void) {
    for (cJSON *message = stream_next(); message != NULL; message = stream_next()) {
        sick_perhaps("clerk");
        cJSON *order = cJSON_DetachItemFromObject(message, "body");
        const char *reason = price_order(order);
        if (reason == NULL) {
            stream_answer(message, "output", order);
        } else {
            stream_answer(message, "reject", cJSON_CreateString(reason));
            cJSON_Delete(order);
        }
    }
    return 0;
}
