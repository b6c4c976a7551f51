/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery: everything of one order is here; a courier takes it to the customer.
 *
 *   in:  {"counter": {"number", "address"}, "kitchen": [items], "cashier": {…} or null}
 *   out: {"number", "courier", "pieces", "paid", "trail": [{"state", "at"}, …]}
 */
#include "sick.h"
#include "stream.h"

#include <time.h>

static const char *const couriers[] = {"Ada", "Bela", "Chiara", "Dmitri"};

#define RIDE_MS 3

static void add_state(cJSON *trail, const char *state) {
    struct timespec now;
    struct tm parts;
    char at[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &parts);
    cJSON *step = cJSON_CreateObject();
    cJSON_AddStringToObject(step, "state", state);
    cJSON_AddStringToObject(step, "at", at);
    cJSON_AddItemToArray(trail, step);
}

static int pieces_of(const cJSON *kitchen) {
    double pieces = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, kitchen) {
        pieces += number_of(item, "count");
    }
    return (int)pieces;
}

static cJSON *deliver(const cJSON *kit) {
    const cJSON *number = cJSON_GetObjectItem(cJSON_GetObjectItem(kit, "counter"), "number");
    unsigned turn = cJSON_IsNumber(number) ? (unsigned)number->valueint : 0;
    cJSON *output = cJSON_CreateObject();
    cJSON_AddItemToObject(output, "number", cJSON_Duplicate(number, 1));
    cJSON_AddStringToObject(output, "courier",
                            couriers[turn % (sizeof couriers / sizeof couriers[0])]);
    cJSON_AddNumberToObject(output, "pieces", pieces_of(cJSON_GetObjectItem(kit, "kitchen")));
    cJSON_AddNumberToObject(output, "paid",
                            number_of(cJSON_GetObjectItem(kit, "cashier"), "charged"));
    cJSON *trail = cJSON_AddArrayToObject(output, "trail");
    add_state(trail, "in transit");
    nanosleep(&(struct timespec){.tv_nsec = RIDE_MS * 1000000L}, NULL);
    add_state(trail, "delivered");
    return output;
}

int main(void) {
    for (cJSON *message = stream_next(); message != NULL; message = stream_next()) {
        sick_perhaps("courier");
        cJSON *kit = cJSON_DetachItemFromObject(message, "body");
        const cJSON *address = cJSON_GetObjectItem(cJSON_GetObjectItem(kit, "counter"), "address");
        if (*text_of(address, "street") == '\0') {
            stream_answer(message, "reject", cJSON_CreateString("the address has no street"));
        } else {
            stream_answer(message, "output", deliver(kit));
        }
        cJSON_Delete(kit);
    }
    return 0;
}
