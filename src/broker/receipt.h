/* SPDX-License-Identifier: Apache-2.0 */
/* receipt.h -- receipt handles as text: (queue, slot, number, nonce) and a keyed tag, so that one is
 * checked without a table, also after a restart. */
#ifndef TAKT_BROKER_RECEIPT_H
#define TAKT_BROKER_RECEIPT_H

#include "broker/broker.h"

#define RECEIPT_TEXT_BYTES 72u /* with the terminating zero */

void receipt_write(const struct broker *broker, const struct receipt *receipt,
                   char out[RECEIPT_TEXT_BYTES]);
/* False if it is not one of ours. */
TAKT_MUST_USE bool receipt_read(const struct broker *broker, struct slice text,
                                struct receipt *out);

#endif
