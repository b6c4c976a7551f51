/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/receipt.h"

#include "broker_harness.h"
#include "test.h"

/* A handle comes back whole; with any character changed, or for another takt, it is refused. */
TEST(receipt_is_ours_or_refused) {
    struct harness harness;
    struct harness other;
    harness_open(&harness, 1);
    harness_open(&other, 2);
    struct receipt receipt = {.number = UINT64_MAX - 5, .slot = 7, .nonce = 9, .queue_slot = 3};
    struct receipt back;
    char text[RECEIPT_TEXT_BYTES];
    EXPECT(!receipt_read(harness.broker, SLICE("x"), &back)); /* nothing was ever given out */
    struct command command = {.kind = COMMAND_QUEUE_CREATE, .queue = {.name = SLICE("q")}};
    (void)harness_submit(&harness, &command);
    (void)harness_submit(&other, &command);
    receipt_write(harness.broker, &receipt, text);
    size_t count = strlen(text);
    EXPECT(receipt_read(harness.broker, slice_from(text, count), &back));
    EXPECT_INT(back.number, receipt.number);
    EXPECT_INT(back.slot, receipt.slot);
    EXPECT_INT(back.nonce, receipt.nonce);
    EXPECT_INT(back.queue_slot, receipt.queue_slot);
    EXPECT(!receipt_read(other.broker, slice_from(text, count), &back));
    EXPECT(!receipt_read(harness.broker, slice_from(text, count - 1), &back));
    for (size_t i = 0; i < count; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        EXPECT(!receipt_read(harness.broker, slice_from(text, count), &back));
        text[i] = '*';
        EXPECT(!receipt_read(harness.broker, slice_from(text, count), &back));
        text[i] = '\0';
        EXPECT(!receipt_read(harness.broker, slice_from(text, count), &back));
        text[i] = kept;
    }
    struct broker *replayed = harness_replay(&harness); /* also after a restart */
    EXPECT(receipt_read(replayed, slice_from(text, count), &back));
    broker_close(replayed);
    harness_close(&harness);
    harness_close(&other);
}
