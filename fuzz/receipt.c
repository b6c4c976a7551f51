/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.c -- receipt handles: nobody can make one that takt has not given out.
 *
 * An input is, after one byte that chooses, either a text that claims to be a handle, or the fields
 * of one and what is done to its text. A text is taken only if it is, letter by letter, the one
 * that takt writes for what it says.
 */
#include "fuzz/fuzz.h"
#include "fuzz/with/choices.h"

#include "broker/receipt.h"
#include "broker_harness.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

/* In memory of its own size, so that reading on is found. */
static bool is_taken(const struct broker *broker, const char *text, size_t count,
                     struct receipt *out) {
    char *copy = malloc(count + (count == 0));
    EXPECT(copy != NULL);
    if (count > 0) memcpy(copy, text, count);
    bool taken = receipt_read(broker, slice_from(copy, count), out);
    free(copy);
    return taken;
}

static void expect_forgery_is_known(const struct broker *broker, const char *text, size_t count) {
    struct receipt receipt;
    if (!is_taken(broker, text, count, &receipt)) return;
    char written[RECEIPT_TEXT_BYTES];
    receipt_write(broker, &receipt, written);
    EXPECT_INT(strlen(written), count);
    EXPECT_BYTES(written, text, count);
}

static void expect_own_are_known(const struct broker *broker, struct choices *choices) {
    struct receipt receipt = {.number = choose_number(choices, 8),
                              .slot = (uint32_t)choose_number(choices, 4),
                              .nonce = (uint32_t)choose_number(choices, 4),
                              .queue_slot = (uint32_t)choose_number(choices, 4)};
    char text[RECEIPT_TEXT_BYTES];
    receipt_write(broker, &receipt, text);
    size_t count = strlen(text);
    struct receipt read;
    EXPECT(is_taken(broker, text, count, &read));
    EXPECT(read.number == receipt.number && read.slot == receipt.slot &&
           read.nonce == receipt.nonce && read.queue_slot == receipt.queue_slot);
    while (!choices_are_over(choices)) {
        size_t at = choose(choices) % count;
        char before = text[at];
        text[at] = (char)choose(choices);
        if (text[at] != before) EXPECT(!is_taken(broker, text, count, &read));
        EXPECT(!is_taken(broker, text, at, &read)); /* cut short */
        text[at] = before;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct harness harness;
    struct choices choices = {bytes, count};
    harness_open(&harness, 1);
    struct receipt receipt;
    EXPECT(!is_taken(harness.broker, (const char *)bytes, count, &receipt)); /* no seed yet */
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE("q")}};
    EXPECT_INT(harness_submit(&harness, &command)->result, BROKER_OK);
    if (choose_below(&choices, 2) == 0) {
        expect_forgery_is_known(harness.broker, (const char *)choices.bytes, choices.count);
    } else {
        expect_own_are_known(harness.broker, &choices);
    }
    harness_close(&harness);
    return 0;
}
